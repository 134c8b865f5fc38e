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
        const pml_parzen_rule rule = {c->prior_weight, c->magic_clip, c->endpoints};
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
    const pml_parzen_rule rule = {1, true, false};
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

static void every_kind_is_drawn_within_its_range(void) {
    const parzen_case *c = &parzen_cases[5];
    const pml_parzen_rule rule = {1, true, false};
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
          PML_TEST(every_kind_is_drawn_within_its_range))
