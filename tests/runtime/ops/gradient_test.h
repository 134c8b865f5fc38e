/* Backward passes against differences: what every op's test calls with a function that computes y from some leaves. */
#ifndef PML_TESTS_RUNTIME_OPS_GRADIENT_TEST_H
#define PML_TESTS_RUNTIME_OPS_GRADIENT_TEST_H

#include <stdlib.h>

#include "runtime/ops/gradient.h"
#include "tests/runtime/ops/op_test.h"

#define MOST_LEAVES 6u

/* y from `leaves`, which are tensors of make_tensor. `user` is the caller's. */
typedef pml_status build_fn(pml_tensor *leaves, void *user, pml_tensor *y);

/* The sum of y * c, the loss whose gradient is checked: c is the same for every call. */
static inline double weigh(const pml_tensor *y) {
    double sum = 0;
    unsigned long long state = 7;
    for (size_t i = 0; i < pml_tensor_count(y); i++) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        sum += (double)pml_tensor_f32_const(y)[i] * ((double)(state >> 40) / 8388608.0 - 1.0);
    }
    return sum;
}

static inline float *weights(size_t count) {
    float *c = malloc((count + 1) * sizeof *c);
    unsigned long long state = 7;
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        c[i] = (float)((double)(state >> 40) / 8388608.0 - 1.0);
    }
    return c;
}

/* d loss / d *at by central differences, summed in double. */
static inline double difference(build_fn *build, pml_tensor *leaves, void *user, float *at, double step) {
    const float value = *at;
    double sums[2], places[2];
    for (int side = 0; side < 2; side++) {
        pml_tensor y;
        const size_t mark = pml_context_mark(&context);
        *at = (float)((double)value + (side == 0 ? -step : step));
        places[side] = (double)*at;
        PML_ASSERT_OK(build(leaves, user, &y), &error);
        sums[side] = weigh(&y);
        pml_context_release(&context, mark, NULL);
    }
    *at = value;
    return (sums[1] - sums[0]) / (places[1] - places[0]);
}

/* Compares every element of every leaf's gradient. The first `n_wanted` leaves are those that have one. */
static inline void check_gradients_with(build_fn *build, pml_tensor *leaves, size_t n_wanted, void *user, double step,
                                        double tolerance) {
    pml_tape tape = {0};
    pml_gradients *gradients = NULL;
    pml_leaf list[MOST_LEAVES];
    pml_tensor y;
    PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
    for (size_t i = 0; i < n_wanted; i++) {
        const size_t count = pml_tensor_count(&leaves[i]);
        list[i] = (pml_leaf){pml_tensor_f32(&leaves[i]), calloc(count + 1, sizeof(float)), count};
    }
    context.tape = &tape;
    PML_ASSERT_OK(build(leaves, user, &y), &error);
    float *c = weights(pml_tensor_count(&y));
    const pml_gradient_seed seed = {&y, c};
    const pml_gradients_pass pass = {.leaves = list, .n_leaves = n_wanted, .seeds = &seed, .n_seeds = 1};
    for (int k = 0; k < 2; k++) { /* twice: gradients add up, and buffers are reused */
        PML_ASSERT_OK(pml_gradients_run(gradients, &context, &pass, &error), &error);
    }
    context.tape = NULL;
    for (size_t i = 0; i < n_wanted; i++) {
        size_t n_bad = 0;
        for (size_t k = 0; k < list[i].count && n_bad < 3; k++) {
            const double expected = difference(build, leaves, user, pml_tensor_f32(&leaves[i]) + k, step);
            if (!is_near((double)list[i].gradient[k] / 2, expected, tolerance)) {
                printf("    at element %zu of leaf %zu\n", k, i);
                n_bad++;
            }
        }
        CU_ASSERT_EQUAL(n_bad, 0);
        free(list[i].gradient);
    }
    free(c);
    pml_gradients_destroy(gradients);
    pml_tape_deinit(&tape);
}

static inline void check_gradients(build_fn *build, pml_tensor *leaves, size_t n_wanted, void *user) {
    check_gradients_with(build, leaves, n_wanted, user, 1.0 / 128, 1e-3);
}

#endif
