#include "tests/runtime/kernels/variants.h"

enum { MOST_KEYS = 80, N_RESULTS = 4 };

/* A job, and what it must leave in dq, dk, dv and dscores_in, in double; rows of x have stride depth + extra. */
typedef struct head {
    pml_attention_gradient job;
    floats q, k, v, dy, mask, scores_in, scores, dscores_out;
    floats results[N_RESULTS];
    double *expected[N_RESULTS];
    size_t counts[N_RESULTS];
    float *work;
    pml_dropout_mask dropout;
} head;

static void make_head(head *made, size_t n_queries, size_t n_keys, size_t depth, uint64_t *seed) {
    *made = (head){.q = make_floats(n_queries * (depth + 1), seed),
                   .k = make_floats(n_keys * (depth + 2), seed),
                   .v = make_floats(n_keys * (depth + 3), seed),
                   .dy = make_floats(n_queries * (depth + 4), seed),
                   .mask = make_floats(n_queries * (n_keys + 5), seed),
                   .scores_in = make_floats(n_queries * n_keys, seed),
                   .scores = make_floats(n_queries * n_keys, seed),
                   .dscores_out = make_floats(n_queries * n_keys, seed),
                   .counts = {n_queries * (depth + 1), n_keys * (depth + 2), n_keys * (depth + 3), n_queries * n_keys}};
    const size_t size_bytes = pml_attention_gradient_work(n_keys, depth) * sizeof(float);
    if (pml_alloc_aligned(size_bytes + (size_bytes == 0), (void **)&made->work, NULL) != PML_OK) {
        abort();
    }
    for (size_t i = 0; i < N_RESULTS; i++) {
        made->results[i] = make_floats(made->counts[i], seed);
        made->expected[i] = calloc(made->counts[i] + 1, sizeof(double));
        for (size_t k = 0; k < made->counts[i]; k++) {
            made->expected[i][k] = (double)made->results[i].data[k];
        }
    }
    made->job = (pml_attention_gradient){.of = {.n_queries = n_queries,
                                                .n_keys = n_keys,
                                                .depth = depth,
                                                .q = made->q.data,
                                                .q_stride = depth + 1,
                                                .k = made->k.data,
                                                .k_stride = depth + 2,
                                                .v = made->v.data,
                                                .v_stride = depth + 3,
                                                .scale = 0.7f},
                                         .dy = made->dy.data,
                                         .dy_stride = depth + 4,
                                         .work = made->work};
}

static void free_head(head *made) {
    const floats all[] = {made->q,    made->k,         made->v,      made->dy,
                          made->mask, made->scores_in, made->scores, made->dscores_out};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        free(all[i].block);
    }
    for (size_t i = 0; i < N_RESULTS; i++) {
        free(made->results[i].block);
        free(made->expected[i]);
    }
    pml_free(made->work);
}

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* Weights of query t over the keys that it sees, and the factors of its dropout. */
static void expect_weights(const head *made, size_t t, size_t n_seen, double *weights, double *factors) {
    const pml_attention *of = &made->job.of;
    double greatest = -INFINITY, sum = 0;
    for (size_t s = 0; s < n_seen; s++) {
        double score = (double)of->scale * dot(of->q + t * of->q_stride, of->k + s * of->k_stride, of->depth);
        score += of->scores_in != NULL ? (double)of->scores_in[t * of->n_keys + s] : 0;
        score += of->mask != NULL ? (double)of->mask[t * of->mask_stride + s] : 0;
        weights[s] = made->job.scores != NULL ? (double)made->job.scores[t * of->n_keys + s] : score;
        greatest = fmax(greatest, weights[s]);
    }
    float ones[MOST_KEYS];
    for (size_t s = 0; s < n_seen; s++) {
        weights[s] = exp(weights[s] - greatest);
        sum += weights[s];
        ones[s] = 1.0f;
    }
    if (of->dropout != NULL) {
        pml_dropout_f32_scalar(&(pml_dropout){.mask = *of->dropout,
                                              .first = of->dropout_first + t * of->dropout_stride,
                                              .n = n_seen,
                                              .x = ones,
                                              .y = ones});
    }
    for (size_t s = 0; s < n_seen; s++) {
        weights[s] /= sum;
        factors[s] = (double)ones[s];
    }
}

static void expect(head *made) {
    const pml_attention_gradient *job = &made->job;
    const pml_attention *of = &job->of;
    for (size_t t = 0; t < of->n_queries; t++) {
        const size_t n_seen = of->causal ? of->n_keys - of->n_queries + t + 1 : of->n_keys;
        const float *dy = job->dy + t * job->dy_stride;
        double weights[MOST_KEYS], factors[MOST_KEYS], dweights[MOST_KEYS], sum = 0;
        expect_weights(made, t, n_seen, weights, factors);
        for (size_t s = 0; s < n_seen; s++) {
            dweights[s] = factors[s] * dot(dy, of->v + s * of->v_stride, of->depth);
            sum += weights[s] * dweights[s];
        }
        for (size_t s = 0; s < n_seen; s++) {
            double dscore = weights[s] * (dweights[s] - sum);
            dscore += job->dscores_out != NULL ? (double)job->dscores_out[t * of->n_keys + s] : 0;
            made->expected[3][t * of->n_keys + s] += dscore;
            for (size_t i = 0; i < of->depth; i++) {
                const double step = (double)of->scale * dscore;
                made->expected[0][t * of->q_stride + i] += step * (double)of->k[s * of->k_stride + i];
                made->expected[1][s * of->k_stride + i] += step * (double)of->q[t * of->q_stride + i];
                made->expected[2][s * of->v_stride + i] += weights[s] * factors[s] * (double)dy[i];
            }
        }
    }
}

static void check(const pml_kernel_variant *variant, size_t n_queries, size_t n_keys, size_t depth, unsigned turn,
                  uint64_t *seed) {
    head made;
    make_head(&made, n_queries, n_keys, depth, seed);
    made.dropout = pml_dropout_mask_of(*seed, 3, turn, 0.3);
    made.job.of.causal = turn % 3 == 0 && n_queries <= n_keys;
    made.job.of.scores_in = turn % 2 == 0 ? made.scores_in.data : NULL;
    made.job.of.mask = turn % 7 < 4 ? made.mask.data : NULL;
    made.job.of.mask_stride = turn % 7 < 2 ? 0 : n_keys + 5;
    made.job.of.dropout = turn % 4 == 1 ? &made.dropout : NULL;
    made.job.of.dropout_first = 640;
    made.job.of.dropout_stride = 128;
    made.job.scores = turn % 5 == 2 ? made.scores.data : NULL;
    made.job.dscores_out = turn % 5 < 3 ? made.dscores_out.data : NULL;
    float **const wanted[] = {&made.job.dq, &made.job.dk, &made.job.dv, &made.job.dscores_in};
    for (size_t i = 0; i < N_RESULTS; i++) {
        *wanted[i] = turn % 11 == i ? NULL : made.results[i].data;
        for (size_t k = 0; turn % 11 == i && k < made.counts[i]; k++) {
            made.results[i].data[k] = 0; /* compared with what is expected of nothing */
        }
    }
    expect(&made);
    ((pml_attention_gradient_fn *)variant->code)(&made.job);
    bool right = true;
    for (size_t i = 0; i < N_RESULTS; i++) {
        for (size_t k = 0; k < made.counts[i] && right && *wanted[i] != NULL; k++) {
            const double scale = 4 + 2 * fabs(made.expected[i][k]);
            right = agrees(variant, made.results[i].data[k], (float)made.expected[i][k], scale, k);
        }
        for (size_t k = 0; k < made.counts[i] && right && *wanted[i] == NULL; k++) {
            right = made.results[i].data[k] == 0;
        }
    }
    CU_ASSERT_TRUE(right);
    free_head(&made);
}

static void every_combination_is_right(void) {
    static const size_t queries[] = {0, 1, 3, 4, 9, 67}, keys[] = {0, 1, 9, 16, 17, 42, 70};
    static const size_t depths[] = {1, 3, 4, 8, 13, 16, 17, 33, 64};
    uint64_t seed = 21;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("attention_gradient_f32", &position)) != NULL) {
        unsigned turn = 0;
        for (size_t a = 0; a < sizeof queries / sizeof queries[0]; a++) {
            for (size_t b = 0; b < sizeof keys / sizeof keys[0]; b++) {
                for (size_t c = 0; c < sizeof depths / sizeof depths[0]; c++, turn++) {
                    check(variant, queries[a], keys[b], depths[c], turn, &seed);
                }
            }
        }
    }
}

PML_TESTS("kernels/attention_gradient_f32", PML_TEST(every_combination_is_right))
