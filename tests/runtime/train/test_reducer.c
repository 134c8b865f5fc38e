/* Buckets of gradients: each summed once, as soon as it is full, in an order that all ranks have. */
#include "runtime/train/reducer.h"

#include <string.h>

#include "tests/harness.h"

#define N_PARAMETERS 6u
#define SPACE 4u /* between parameters */
static const size_t counts[N_PARAMETERS] = {8, 3, 20, 5, 12, 2};

static float gradients[128];
static pml_parameter_view views[N_PARAMETERS];
static pml_parameter parameters[N_PARAMETERS];

static struct {
    float *begins[PML_RANKS_MAX_SUMS];
    size_t n_begun, n_waits, n_broadcasts;
    const void *of_first[4]; /* what rank 0 says, in turn; NULL: this is rank 0 */
} calls;

static void sum_begin(float *values, size_t count) {
    calls.begins[calls.n_begun++] = values;
    for (size_t i = 0; i < count; i++) {
        values[i] *= 2; /* the other rank has the same */
    }
}
static void sums_go_on(void) {
}
static void sums_wait(void) {
    calls.n_waits++;
}
static void broadcast(void *bytes, size_t size_bytes) {
    if (calls.of_first[calls.n_broadcasts] != NULL) {
        memcpy(bytes, calls.of_first[calls.n_broadcasts], size_bytes);
    }
    calls.n_broadcasts++;
}
static const pml_rank_module module = {
    .sum_begin = sum_begin, .sums_go_on = sums_go_on, .sums_wait = sums_wait, .broadcast = broadcast};

/* Buckets of at least 10 values: {5, 4}, {3, 2}, {1, 0}. */
static void begin(pml_reducer *reducer, pml_ranks *ranks, size_t i_rank) {
    pml_error error = {0};
    size_t at = 0;
    memset(&calls, 0, sizeof calls);
    for (size_t i = 0; i < sizeof gradients / sizeof gradients[0]; i++) {
        gradients[i] = (float)i + 1;
    }
    for (size_t i = 0; i < N_PARAMETERS; i++) {
        views[i] = (pml_parameter_view){.name = "p", .count = counts[i], .gradient = gradients + at};
        parameters[i] = (pml_parameter){.name = "p", .count = counts[i], .gradient = gradients + at};
        at += counts[i] + SPACE;
    }
    *ranks = (pml_ranks){.i_rank = i_rank, .n_ranks = 2, .module = &module};
    PML_ASSERT_OK(pml_reducer_init(reducer, ranks, views, N_PARAMETERS, 10, &error), &error);
    CU_ASSERT_EQUAL_FATAL(reducer->n_buckets, 3);
}

static void are_doubled(float factor) {
    for (size_t i = 0; i < N_PARAMETERS; i++) {
        for (size_t k = 0; k < counts[i]; k++) {
            const float *at = views[i].gradient + k;
            CU_ASSERT_EQUAL(*at, factor * ((float)(at - gradients) + 1));
        }
    }
}

static void a_bucket_is_begun_when_it_is_full_and_those_before_it_are(void) {
    static const struct { size_t i_parameter, n_begun; } steps[] = {{5, 0}, {2, 0}, {3, 0}, {4, 2}, {0, 2}, {1, 3}};
    pml_reducer reducer;
    pml_ranks ranks;
    begin(&reducer, &ranks, 0);
    for (size_t i = 0; i < N_PARAMETERS; i++) {
        pml_reducer_done(&reducer, &parameters[steps[i].i_parameter]);
        CU_ASSERT_EQUAL(calls.n_begun, steps[i].n_begun);
    }
    pml_reducer_finish(&reducer);
    CU_ASSERT_EQUAL(calls.n_begun, 3);
    CU_ASSERT_EQUAL(calls.n_waits, 1);
    CU_ASSERT_PTR_EQUAL(calls.begins[0], views[4].gradient);
    CU_ASSERT_PTR_EQUAL(calls.begins[2], views[0].gradient);
    are_doubled(2);
    /* From now on in the order in which they got full: {3, 2}, {5, 4}, {1, 0}. */
    CU_ASSERT_EQUAL(calls.n_broadcasts, 2);
    pml_reducer_done(&reducer, &parameters[2]);
    pml_reducer_done(&reducer, &parameters[3]);
    CU_ASSERT_EQUAL(calls.n_begun, 4);
    CU_ASSERT_PTR_EQUAL(calls.begins[3], views[2].gradient);
    pml_reducer_finish(&reducer);
    CU_ASSERT_EQUAL(calls.n_begun, 6);
    CU_ASSERT_PTR_EQUAL(calls.begins[4], views[4].gradient);
    CU_ASSERT_EQUAL(calls.n_broadcasts, 2);
    are_doubled(4);
    pml_reducer_deinit(&reducer);
}

static void a_rank_without_a_pass_takes_part_in_rank_0_s_order(void) {
    static const uint64_t known = 1, order[] = {2, 0, 1};
    pml_reducer reducer;
    pml_ranks ranks;
    begin(&reducer, &ranks, 1);
    calls.of_first[0] = &known;
    calls.of_first[1] = order;
    pml_reducer_finish(&reducer);
    CU_ASSERT_EQUAL(calls.n_begun, 3);
    CU_ASSERT_PTR_EQUAL(calls.begins[0], views[4].gradient);
    are_doubled(2);
    pml_reducer_finish(&reducer);
    CU_ASSERT_PTR_EQUAL(calls.begins[3], views[0].gradient);
    CU_ASSERT_PTR_EQUAL(calls.begins[4], views[4].gradient);
    CU_ASSERT_PTR_EQUAL(calls.begins[5], views[2].gradient);
    are_doubled(4);
    pml_reducer_deinit(&reducer);
}

/* Where rank 0 had no pass it has no order to teach: the next step asks again. */
static void an_order_that_was_not_seen_is_not_taught(void) {
    pml_reducer reducer;
    pml_ranks ranks;
    begin(&reducer, &ranks, 0);
    pml_reducer_finish(&reducer);
    CU_ASSERT_EQUAL(calls.n_broadcasts, 1);
    CU_ASSERT_FALSE(reducer.is_ordered);
    for (size_t i = 0; i < N_PARAMETERS; i++) {
        pml_reducer_done(&reducer, &parameters[i]);
    }
    pml_reducer_finish(&reducer);
    CU_ASSERT_EQUAL(calls.n_broadcasts, 3);
    CU_ASSERT_TRUE(reducer.is_ordered);
    CU_ASSERT_EQUAL(reducer.order[0], 2);
    pml_reducer_deinit(&reducer);
}

PML_TESTS("runtime/train/reducer", PML_TEST(a_bucket_is_begun_when_it_is_full_and_those_before_it_are),
          PML_TEST(a_rank_without_a_pass_takes_part_in_rank_0_s_order),
          PML_TEST(an_order_that_was_not_seen_is_not_taught))
