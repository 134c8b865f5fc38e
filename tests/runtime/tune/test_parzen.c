#include "runtime/tune/parzen.h"

#include <stdio.h>

#include "tests/harness.h"
#include "tests/runtime/tune/tune_cases.h"

static pml_choice three_choices[3] = {{.kind = PML_CHOICE_INT, .integer = 1},
                                      {.kind = PML_CHOICE_INT, .integer = 2},
                                      {.kind = PML_CHOICE_INT, .integer = 3}};
/* The space of scripts/make_tune_cases.py. */
static const pml_distribution space[6] = {
    {.kind = PML_DISTRIBUTION_FLOAT, .low = -2, .high = 3},
    {.kind = PML_DISTRIBUTION_FLOAT, .low = 1e-4, .high = 1, .log = true},
    {.kind = PML_DISTRIBUTION_INT, .low = 1, .high = 19, .step = 3},
    {.kind = PML_DISTRIBUTION_INT, .low = 1, .high = 64, .step = 1, .log = true},
    {.kind = PML_DISTRIBUTION_FLOAT, .low = 0, .high = 1, .step = 0.25},
    {.kind = PML_DISTRIBUTION_CATEGORICAL, .choices = three_choices, .n_choices = 3}};
static const pml_distribution *const dimensions[6] = {&space[0], &space[1], &space[2], &space[3], &space[4], &space[5]};

static void densities_are_optunas(void) {
    for (size_t i = 0; i < sizeof parzen_cases / sizeof parzen_cases[0]; i++) {
        const parzen_case *c = &parzen_cases[i];
        const pml_parzen_rule rule = {c->prior_weight, c->magic_clip ? PML_PARZEN_OPTUNA : PML_PARZEN_ANY,
                                      c->endpoints};
        pml_error error;
        pml_parzen *parzen = NULL;
        PML_ASSERT_OK(pml_parzen_create(dimensions, 6, &c->observations[0][0], c->n, &rule, &parzen, &error), &error);
        for (int j = 0; j < 3; j++) {
            const double density = pml_parzen_log_density(parzen, c->points[j]);
            if (fabs(density - c->log_densities[j]) > 1e-9 * fmax(1, fabs(density))) {
                (void)printf("%zu observations: %.17g, not %.17g\n", c->n, density, c->log_densities[j]);
            }
            CU_ASSERT_TRUE(fabs(density - c->log_densities[j]) <= 1e-9 * fmax(1, fabs(density)));
        }
        pml_parzen_destroy(parzen);
    }
}

/* Draws follow the density: with steps, each value as often as it says. */
static void draws_follow_the_density(void) {
    enum { N = 20000 };
    const parzen_case *c = &parzen_cases[4];
    const pml_parzen_rule rule = {1, PML_PARZEN_OPTUNA, false};
    const pml_distribution *const stepped[2] = {&space[4], &space[5]};
    double observations[12], counts[5][3] = {{0}};
    pml_error error;
    pml_parzen *parzen = NULL;
    pml_random random = {.seed = 3};
    for (size_t i = 0; i < c->n; i++) {
        observations[2 * i] = c->observations[i][4];
        observations[2 * i + 1] = c->observations[i][5];
    }
    PML_ASSERT_OK(pml_parzen_create(stepped, 2, observations, c->n, &rule, &parzen, &error), &error);
    for (int i = 0; i < N; i++) {
        double values[2];
        pml_parzen_draw(parzen, &random, values);
        CU_ASSERT_TRUE(pml_distribution_contains(stepped[0], values[0]));
        counts[(int)(values[0] * 4)][(int)values[1]]++;
    }
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < 3; j++) {
            const double share = exp(pml_parzen_log_density(parzen, (double[2]){i * 0.25, j}));
            CU_ASSERT_TRUE(fabs(counts[i][j] / N - share) < 5 * sqrt(share / N) + 1e-3);
        }
    }
    pml_parzen_destroy(parzen);
}

/* The narrower rule: the density at an observation among many is higher than Optuna's, with several parameters only. */
static void fine_widths_are_narrower(void) {
    const parzen_case *c = &parzen_cases[5];
    for (size_t n_dimensions = 1; n_dimensions <= 2; n_dimensions++) {
        double at[2], observations[12] = {0};
        for (int width = 0; width < 2; width++) {
            const pml_parzen_rule rule = {1, width == 0 ? PML_PARZEN_FINE : PML_PARZEN_OPTUNA, false};
            pml_error error;
            pml_parzen *parzen = NULL;
            for (size_t i = 0; i < 6; i++) { /* close together */
                for (size_t j = 0; j < n_dimensions; j++) {
                    observations[i * n_dimensions + j] = j == 0 ? 1 + 1e-3 * (double)i : c->observations[0][1];
                }
            }
            PML_ASSERT_OK(pml_parzen_create(dimensions, n_dimensions, observations, 6, &rule, &parzen, &error), &error);
            at[width] = pml_parzen_log_density(parzen, observations);
            pml_parzen_destroy(parzen);
        }
        CU_ASSERT_TRUE(n_dimensions == 1 ? at[0] == at[1] : at[0] > at[1] + 1);
    }
}

static void every_kind_is_drawn_within_its_range(void) {
    const parzen_case *c = &parzen_cases[5];
    const pml_parzen_rule rule = {1, PML_PARZEN_OPTUNA, false};
    pml_error error;
    pml_parzen *parzen = NULL;
    pml_random random = {.seed = 4};
    PML_ASSERT_OK(pml_parzen_create(dimensions, 6, &c->observations[0][0], c->n, &rule, &parzen, &error), &error);
    for (int i = 0; i < 2000; i++) {
        double values[6];
        pml_parzen_draw(parzen, &random, values);
        for (int j = 0; j < 6; j++) {
            CU_ASSERT_TRUE(pml_distribution_contains(dimensions[j], values[j]));
        }
    }
    pml_parzen_destroy(parzen);
}

PML_TESTS("runtime/tune/parzen", PML_TEST(densities_are_optunas), PML_TEST(draws_follow_the_density),
          PML_TEST(fine_widths_are_narrower), PML_TEST(every_kind_is_drawn_within_its_range))
