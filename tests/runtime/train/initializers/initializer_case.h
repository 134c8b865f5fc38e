/* What all tests of initialisers share: moments, bounds, the same bytes for the same seed. */
#ifndef PML_TESTS_RUNTIME_TRAIN_INITIALIZERS_INITIALIZER_CASE_H
#define PML_TESTS_RUNTIME_TRAIN_INITIALIZERS_INITIALIZER_CASE_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/train/initializer.h"
#include "tests/harness.h"

enum { N_ROWS = 150, N_COLUMNS = 250, N_VALUES = N_ROWS * N_COLUMNS };

static inline void fill_with(const char *spec, const pml_initializer_target *target, uint64_t seed, uint64_t stream,
                             size_t n_threads, float *values) {
    const pml_initializer *initializer;
    pml_settings settings;
    pml_error error;
    pml_context context = {0};
    PML_ASSERT_OK(pml_context_init(&context, NULL, &error), &error);
    PML_ASSERT_OK(pml_context_threads_set(&context, n_threads, &error), &error);
    context.share_cost = 1;
    PML_ASSERT_OK(pml_initializer_choose(spec, &initializer, &settings, &error), &error);
    PML_ASSERT_OK(pml_initializer_run(initializer, &settings, target, seed, stream, values, &context, &error), &error);
    pml_context_deinit(&context);
}

static inline void fill_matrix(const char *spec, float *values) {
    const pml_initializer_target target = pml_initializer_target_matrix((const size_t[]){N_ROWS, N_COLUMNS}, 2);
    fill_with(spec, &target, 1, 2, 1, values);
}

/* Mean and deviation of N_VALUES values within 5 of their own deviations (the fourth moment is at most that of a normal
 * distribution), and all values from least to most. */
static inline void check_values(const float *values, double mean, double deviation, double least, double most) {
    double sum = 0, squares = 0;
    bool inside = true;
    for (size_t i = 0; i < N_VALUES; i++) {
        const double d = (double)values[i] - mean;
        sum += d;
        squares += d * d;
        inside = inside && (double)values[i] >= least && (double)values[i] <= most;
    }
    CU_ASSERT_TRUE(inside);
    CU_ASSERT_TRUE(fabs(sum / N_VALUES) <= 5 * deviation / sqrt(N_VALUES));
    CU_ASSERT_TRUE(fabs(squares / N_VALUES - deviation * deviation) <= 5 * sqrt(2. / N_VALUES) * deviation * deviation);
}

/* Same seed and stream, same bytes, whatever the threads; another seed or stream, other ones. */
static inline void check_seeds(const char *spec) {
    static float a[N_VALUES], b[N_VALUES];
    const pml_initializer_target target = pml_initializer_target_matrix((const size_t[]){N_ROWS, N_COLUMNS}, 2);
    fill_with(spec, &target, 1, 2, 1, a);
    fill_with(spec, &target, 1, 2, 3, b);
    CU_ASSERT_TRUE(memcmp(a, b, sizeof a) == 0);
    fill_with(spec, &target, 2, 2, 1, b);
    CU_ASSERT_TRUE(memcmp(a, b, sizeof a) != 0);
    fill_with(spec, &target, 1, 3, 1, b);
    CU_ASSERT_TRUE(memcmp(a, b, sizeof a) != 0);
}

static inline void check_refusal(const char *spec, const char *part) {
    const pml_initializer *initializer;
    pml_settings settings;
    pml_error error;
    PML_ASSERT_FAILS(pml_initializer_choose(spec, &initializer, &settings, &error), PML_E_ARGUMENT, &error, part);
}

#endif
