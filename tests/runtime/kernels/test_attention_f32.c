#include "tests/runtime/kernels/variants.h"

typedef struct head {
    pml_attention job;
    floats q, k, v, y, scores_in, scores_out, mask;
    float *work;
} head;

static head make_head(size_t n_queries, size_t n_keys, size_t depth, uint64_t *seed) {
    head made = {.q = make_floats(n_queries * (depth + 1), seed),
                 .k = make_floats(n_keys * (depth + 2), seed),
                 .v = make_floats(n_keys * (depth + 3), seed),
                 .y = make_floats(n_queries * (depth + 4), seed),
                 .scores_in = make_floats(n_queries * n_keys, seed),
                 .scores_out = make_floats(n_queries * n_keys, seed),
                 .mask = make_floats(n_queries * (n_keys + 5), seed)};
    size_t size_bytes = pml_attention_work(n_keys, depth) * sizeof(float);
    if (pml_alloc_aligned(size_bytes + (size_bytes == 0), (void **)&made.work, NULL) != PML_OK) {
        abort();
    }
    made.job = (pml_attention){.n_queries = n_queries,
                               .n_keys = n_keys,
                               .depth = depth,
                               .q = made.q.data,
                               .q_stride = depth + 1,
                               .k = made.k.data,
                               .k_stride = depth + 2,
                               .v = made.v.data,
                               .v_stride = depth + 3,
                               .y = made.y.data,
                               .y_stride = depth + 4,
                               .scale = 0.7f,
                               .work = made.work};
    return made;
}

static void free_head(head *made) {
    free(made->q.block);
    free(made->k.block);
    free(made->v.block);
    free(made->y.block);
    free(made->scores_in.block);
    free(made->scores_out.block);
    free(made->mask.block);
    pml_free(made->work);
}

static double expected_score(const pml_attention *job, size_t t, size_t s) {
    double sum = 0.0;
    for (size_t i = 0; i < job->depth; i++) {
        sum += (double)job->q[t * job->q_stride + i] * (double)job->k[s * job->k_stride + i];
    }
    sum *= (double)job->scale;
    sum += job->scores_in != NULL ? (double)job->scores_in[t * job->n_keys + s] : 0.0;
    sum += job->mask != NULL ? (double)job->mask[t * job->mask_stride + s] : 0.0;
    return job->causal && s + job->n_queries > job->n_keys + t ? -INFINITY : sum;
}

/* Scale: the scores' own magnitude decides how far a weight may be off, so 1 + the greatest of them. */
static bool query_is_right(const pml_kernel_variant *variant, const pml_attention *job, size_t t) {
    double weights[128], greatest = -INFINITY, magnitude = 1.0, sum = 0.0;
    bool right = true;
    for (size_t s = 0; s < job->n_keys; s++) {
        weights[s] = expected_score(job, t, s);
        greatest = fmax(greatest, weights[s]);
        magnitude = isfinite(weights[s]) ? fmax(magnitude, fabs(weights[s])) : magnitude;
    }
    for (size_t s = 0; s < job->n_keys; s++) {
        if (job->scores_out != NULL) {
            float score = job->scores_out[t * job->n_keys + s];
            right = right && agrees(variant, score, (float)weights[s], magnitude, s);
        }
        weights[s] = exp(weights[s] - greatest);
        sum += weights[s];
    }
    float factors[128];
    for (size_t s = 0; s < 128; s++) {
        factors[s] = 1.0f;
    }
    if (job->dropout != NULL) {
        pml_dropout_f32_scalar(&(pml_dropout){.mask = *job->dropout,
                                              .first = job->dropout_first + t * job->dropout_stride,
                                              .n = 128,
                                              .x = factors,
                                              .y = factors});
    }
    for (size_t i = 0; i < job->depth && right; i++) {
        double y = 0.0;
        for (size_t s = 0; s < job->n_keys; s++) {
            y += (double)factors[s] * weights[s] / sum * (double)job->v[s * job->v_stride + i];
        }
        right = agrees(variant, job->y[t * job->y_stride + i], (float)y, magnitude, i);
    }
    for (size_t i = job->depth; i < job->y_stride; i++) {
        right = right && job->y[t * job->y_stride + i] == -77.0f;
    }
    return right;
}

static void run_head(const pml_kernel_variant *variant, const pml_attention *job) {
    for (size_t i = 0; i < job->n_queries * job->y_stride; i++) {
        job->y[i] = -77.0f;
    }
    ((pml_attention_fn *)variant->code)(job);
}

static void every_combination_is_right(void) {
    static const size_t queries[] = {0, 1, 3, 4, 5, 9}, keys[] = {0, 1, 9, 15, 16, 17, 42};
    static const size_t depths[] = {1, 4, 8, 15, 16, 17, 33};
    uint64_t seed = 21;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("attention_f32", &position)) != NULL) {
        unsigned turn = 0;
        for (size_t a = 0; a < 6; a++) {
            for (size_t b = 0; b < 7; b++) {
                for (size_t c = 0; c < 7; c++, turn++) {
                    head made = make_head(queries[a], keys[b], depths[c], &seed);
                    made.job.causal = turn % 3 == 0 && queries[a] <= keys[b];
                    made.job.scores_in = turn % 2 == 0 ? made.scores_in.data : NULL;
                    made.job.scores_out = turn % 5 != 0 ? made.scores_out.data : NULL;
                    made.job.mask = turn % 7 < 4 ? made.mask.data : NULL;
                    made.job.mask_stride = turn % 7 < 2 ? 0 : keys[b] + 5;
                    const pml_dropout_mask dropout = pml_dropout_mask_of(seed, 3, turn, 0.3);
                    made.job.dropout = turn % 4 == 1 ? &dropout : NULL;
                    made.job.dropout_first = 640;
                    made.job.dropout_stride = 128;
                    run_head(variant, &made.job);
                    bool right = true;
                    for (size_t t = 0; t < queries[a]; t++) {
                        right = right && query_is_right(variant, &made.job, t);
                    }
                    CU_ASSERT_TRUE(right);
                    free_head(&made);
                }
            }
        }
    }
}

/* Keys that lie in panels already give the same bits; what is behind the last one does not count. */
static void keys_in_panels_are_the_same_keys(void) {
    static const size_t keys[] = {1, 15, 16, 17, 42};
    uint64_t seed = 24;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("attention_f32", &position)) != NULL) {
        for (size_t b = 0; b < 5; b++) {
            head made = make_head(1 + b % 2 * 4, keys[b] + 4, 9, &seed);
            made.job.causal = true;
            run_head(variant, &made.job);
            const size_t n_panels = (made.job.n_keys + 15) / 16;
            float *panels;
            CU_ASSERT_EQUAL_FATAL(pml_alloc_aligned(n_panels * 16 * 9 * sizeof *panels, (void **)&panels, NULL),
                                  PML_OK);
            for (size_t s = 0; s < n_panels * 16; s++) {
                for (size_t i = 0; i < 9; i++) {
                    panels[s / 16 * 16 * 9 + i * 16 + s % 16] =
                        s < made.job.n_keys ? made.job.k[s * made.job.k_stride + i] : 1e30f;
                }
            }
            floats wanted = make_floats(made.job.n_queries * made.job.y_stride, &seed);
            memcpy(wanted.data, made.job.y, made.job.n_queries * made.job.y_stride * sizeof(float));
            made.job.k = NULL;
            made.job.k_panels = panels;
            run_head(variant, &made.job);
            CU_ASSERT_EQUAL(memcmp(wanted.data, made.job.y, made.job.n_queries * made.job.y_stride * sizeof(float)), 0);
            free(wanted.block);
            pml_free(panels);
            free_head(&made);
        }
    }
}

/* What a query does not see yet may be anything, and blocks of queries change no bit. */
static void later_keys_are_not_read(void) {
    static const size_t depths[] = {8, 16, 33, 64, 90};
    uint64_t seed = 25;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("attention_f32", &position)) != NULL) {
        for (size_t b = 0; b < 5; b++) {
            const size_t depth = depths[b], n_queries = 37, n_keys = 150, n_before = n_keys - n_queries;
            head made = make_head(n_queries, n_keys, depth, &seed);
            floats alone = make_floats(depth + 4, &seed);
            made.job.causal = true;
            run_head(variant, &made.job);
            for (size_t t = 0; t < n_queries; t++) {
                pml_attention one = made.job;
                one.n_queries = 1;
                one.n_keys = n_before + t + 1;
                one.q += t * one.q_stride;
                one.y = alone.data;
                run_head(variant, &one);
                CU_ASSERT_EQUAL(memcmp(alone.data, made.job.y + t * made.job.y_stride, depth * sizeof(float)), 0);
            }
            made.k.data[(n_keys - 1) * made.job.k_stride] = NAN;
            made.v.data[(n_keys - 1) * made.job.v_stride] = INFINITY;
            run_head(variant, &made.job);
            for (size_t t = 0; t < n_queries; t++) {
                CU_ASSERT_TRUE((isfinite(made.job.y[t * made.job.y_stride]) != 0) == (t + 1 < n_queries));
            }
            free(alone.block);
            free_head(&made);
        }
    }
}

static void masked_keys_do_not_count(void) {
    uint64_t seed = 22;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("attention_f32", &position)) != NULL) {
        head made = make_head(5, 20, 8, &seed);
        for (size_t s = 0; s < 20; s++) {
            made.mask.data[s] = s >= 13 ? -INFINITY : 0.0f;
        }
        made.job.mask = made.mask.data;
        run_head(variant, &made.job);
        floats fewer = make_floats(5 * 12, &seed);
        pml_attention shorter = made.job;
        shorter.n_keys = 13;
        shorter.mask = NULL;
        shorter.y = fewer.data;
        run_head(variant, &shorter);
        for (size_t i = 0; i < 5 * 12; i++) {
            CU_ASSERT_TRUE(agrees(variant, made.y.data[i], fewer.data[i], 1.0, i));
        }
        free(fewer.block);
        free_head(&made);
    }
}

static void a_query_does_not_depend_on_its_neighbours(void) {
    uint64_t seed = 23;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("attention_f32", &position)) != NULL) {
        head made = make_head(11, 42, 24, &seed);
        run_head(variant, &made.job);
        floats alone = make_floats(28, &seed);
        for (size_t t = 0; t < 11; t++) {
            pml_attention one = made.job;
            one.n_queries = 1;
            one.q += t * one.q_stride;
            one.y = alone.data;
            run_head(variant, &one);
            CU_ASSERT_EQUAL(memcmp(alone.data, made.job.y + t * made.job.y_stride, 28 * sizeof(float)), 0);
        }
        /* Scores may be handed on in place. */
        made.job.scores_in = made.job.scores_out = made.scores_in.data;
        float before = made.scores_in.data[0];
        run_head(variant, &made.job);
        CU_ASSERT_NOT_EQUAL(before, made.scores_in.data[0]);
        made.q.data[0] = NAN;
        run_head(variant, &made.job);
        CU_ASSERT_TRUE(isnan(made.y.data[0]));
        CU_ASSERT_TRUE(isfinite(made.y.data[made.job.y_stride]));
        free(alone.block);
        free_head(&made);
    }
}

PML_TESTS("kernels/attention_f32", PML_TEST(every_combination_is_right), PML_TEST(keys_in_panels_are_the_same_keys),
          PML_TEST(later_keys_are_not_read), PML_TEST(masked_keys_do_not_count),
          PML_TEST(a_query_does_not_depend_on_its_neighbours))
