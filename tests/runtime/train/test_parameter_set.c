/* Passes over parameters: parts, empty parameters, sums; groups by pattern. */
#include "runtime/train/parameter_set.h"

#include <math.h>
#include <string.h>

#include "runtime/train/optimizer.h"
#include "tests/harness.h"

static void count(void *user, size_t i_view, size_t begin, size_t n, double *sum) {
    pml_parameter_view *views = user;
    for (size_t i = begin; i < begin + n; i++) {
        views[i_view].value[i] += 1;
    }
    *sum += (double)n;
}

static void every_element_once(void) {
    static const size_t counts[] = {0, 3, PML_PARAMETER_PART, 0, 0, PML_PARAMETER_PART - 3, 40000, 1, 0};
    enum { N = sizeof counts / sizeof counts[0] };
    pml_parameter_view views[N] = {{0}};
    pml_parameter_set set;
    pml_context context = {0};
    pml_error error;
    size_t total = 0;
    PML_ASSERT_OK(pml_context_init(&context, NULL, &error), &error);
    PML_ASSERT_OK(pml_context_threads_set(&context, 3, &error), &error);
    context.share_cost = 1;
    for (size_t i = 0; i < N; i++) {
        views[i].count = counts[i];
        views[i].value = calloc(counts[i] + 1, sizeof(float));
        total += counts[i];
    }
    for (size_t n_views = 0; n_views <= N; n_views += N) {
        PML_ASSERT_OK(pml_parameter_set_init(&set, views, n_views, &error), &error);
        CU_ASSERT_EQUAL(pml_parameter_set_run(&set, &context, 1, count, views), (double)(n_views > 0 ? total : 0));
        pml_parameter_set_deinit(&set);
    }
    for (size_t i = 0; i < N; i++) {
        bool right = views[i].value[counts[i]] == 0;
        for (size_t k = 0; k < counts[i]; k++) {
            right = right && views[i].value[k] == 1;
        }
        CU_ASSERT_TRUE(right);
        free(views[i].value);
    }
    pml_context_deinit(&context);
}

static float value[4][1], gradient[4][1];
static pml_parameter_view views[4] = {
    {.name = "layer.0.weight", .count = 1, .value = value[0], .gradient = gradient[0]},
    {.name = "layer.0.bias", .count = 1, .value = value[1], .gradient = gradient[1]},
    {.name = "layer.1.norm.weight", .count = 1, .value = value[2], .gradient = gradient[2]},
    {.name = "head.weight", .count = 1, .value = value[3], .gradient = gradient[3]}};

static void groups_by_the_first_pattern_that_fits(void) {
    static const char *const specs[] = {"*bias:weight_decay=0", "layer.*:lr_scale=0.5,weight_decay=0.25",
                                        "h*:lr_scale=0"};
    pml_parameter_set set;
    pml_context context = {0};
    pml_error error;
    const pml_optimizer *optimizer;
    pml_settings settings;
    PML_ASSERT_OK(pml_context_init(&context, NULL, &error), &error);
    PML_ASSERT_OK(pml_parameter_set_init(&set, views, 4, &error), &error);
    PML_ASSERT_OK(pml_parameter_set_group(&set, specs, 2, &error), &error);
    CU_ASSERT_EQUAL(views[0].i_group, 1);
    CU_ASSERT_EQUAL(views[1].i_group, 0);
    CU_ASSERT_EQUAL(views[2].i_group, 1);
    CU_ASSERT_EQUAL(views[3].i_group, 2);
    PML_ASSERT_OK(pml_optimizer_choose("sgd:lr=0.5,weight_decay=1", &optimizer, &settings, &error), &error);
    for (size_t i = 0; i < 4; i++) {
        value[i][0] = 8;
        gradient[i][0] = 2;
    }
    pml_optimizer_step(optimizer, &settings, &set, 1, 1, &context);
    CU_ASSERT_EQUAL(value[0][0], 8 - .25f * (2 + 2)); /* half the rate, decay .25 */
    CU_ASSERT_EQUAL(value[1][0], 8 - .5f * 2);        /* no decay */
    CU_ASSERT_EQUAL(value[3][0], 8 - .5f * (2 + 8));  /* the optimizer's own */
    PML_ASSERT_OK(pml_parameter_set_group(&set, specs, 3, &error), &error);
    gradient[3][0] = NAN;
    pml_optimizer_step(optimizer, &settings, &set, 2, 1, &context);
    CU_ASSERT_EQUAL(value[3][0], 3); /* rate 0 */
    pml_parameter_set_deinit(&set);
    pml_context_deinit(&context);
}

static void refuses_groups(void) {
    static const struct {
        const char *spec, *part;
    } bad[] = {{"bias", "PATTERN:key=value, not 'bias'"},
               {":lr_scale=1", "PATTERN:key=value"},
               {"*bias:", "PATTERN:key=value"},
               {"*bias:decay=1", "has no option 'decay'; it has lr_scale, weight_decay"},
               {"*bias:weight_decay=-1", "weight_decay is a number of [0, inf), not '-1'"},
               {"*gamma:lr_scale=1", "no parameter is left that fits"}};
    const char *many[PML_PARAMETER_MAX_GROUPS];
    pml_parameter_set set;
    pml_error error;
    PML_ASSERT_OK(pml_parameter_set_init(&set, views, 4, &error), &error);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        PML_ASSERT_FAILS(pml_parameter_set_group(&set, &bad[i].spec, 1, &error), PML_E_ARGUMENT, &error, bad[i].part);
    }
    for (size_t i = 0; i < PML_PARAMETER_MAX_GROUPS; i++) {
        many[i] = "*:lr_scale=1";
    }
    PML_ASSERT_FAILS(pml_parameter_set_group(&set, many, PML_PARAMETER_MAX_GROUPS, &error), PML_E_ARGUMENT, &error,
                     "16 groups of parameters; 15 are the most");
    pml_parameter_set_deinit(&set);
    views[0].count = SIZE_MAX;
    PML_ASSERT_FAILS(pml_parameter_set_init(&set, views, 4, &error), PML_E_ARGUMENT, &error, "than memory has");
    views[0].count = 1;
}

static void survives_want_of_memory(void) {
    pml_parameter_set set;
    pml_error error;
    for (unsigned long i = 1; i <= 3; i++) {
        pml_test_fail_allocation(i, false);
        PML_ASSERT_FAILS(pml_parameter_set_init(&set, views, 4, &error), PML_E_MEMORY, &error, NULL);
        pml_test_fail_allocation(0, false);
        pml_parameter_set_deinit(&set);
    }
}

PML_TESTS("train/parameter_set", PML_TEST(every_element_once), PML_TEST(groups_by_the_first_pattern_that_fits),
          PML_TEST(refuses_groups), PML_TEST(survives_want_of_memory))
