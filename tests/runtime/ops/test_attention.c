#include "tests/runtime/ops/op_test.h"

/* One query of one head, in double: rows of q and y begin at q_row; key s lies at k_row + s * step. `extra` are n_keys
 * values added to the scores, or NULL. Gives the scores back in `scores`. */
static void attend(const float *q, const float *k, const float *v, size_t step, size_t n_keys, size_t depth,
                   double scale, const float *extra, double *scores, double *y) {
    double greatest = -INFINITY, total = 0;
    for (size_t s = 0; s < n_keys; s++) {
        scores[s] = 0;
        for (size_t d = 0; d < depth; d++) {
            scores[s] += (double)q[d] * (double)k[s * step + d];
        }
        scores[s] = scores[s] * scale + (extra == NULL ? 0 : (double)extra[s]);
        greatest = scores[s] > greatest ? scores[s] : greatest;
    }
    for (size_t d = 0; d < depth; d++) {
        y[d] = 0;
    }
    for (size_t s = 0; s < n_keys; s++) {
        double weight = exp(scores[s] - greatest);
        total += weight;
        for (size_t d = 0; d < depth; d++) {
            y[d] += weight * (double)v[s * step + d];
        }
    }
    for (size_t d = 0; d < depth; d++) {
        y[d] /= total;
    }
}

static void attends_along_any_axis(void) {
    const size_t shape[] = {2, 3, 4, 6};
    for (unsigned axis = 0; axis < 3; axis++) {
        begin_test(1 << 18);
        pml_tensor q = make_tensor(shape, 4), k = make_tensor(shape, 4), v = make_tensor(shape, 4), y;
        pml_attention_options options = {.n_heads = 2, .axis = axis, .scale = 0.5F};
        PML_ASSERT_OK(pml_op_attention(&context, &q, &k, &v, &options, &y, &error), &error);
        CU_ASSERT_TRUE_FATAL(has_shape(&y, shape, 4));
        size_t stride = 6;
        for (unsigned i = axis + 1; i < 3; i++) {
            stride *= shape[i];
        }
        for (size_t row = 0; row < 24; row++) {
            size_t i_token = row * 6 / stride % shape[axis], first = row * 6 - i_token * stride;
            for (size_t head = 0; head < 2; head++) {
                double scores[4], wanted[3];
                attend(pml_tensor_f32(&q) + row * 6 + head * 3, pml_tensor_f32(&k) + first + head * 3,
                       pml_tensor_f32(&v) + first + head * 3, stride, shape[axis], 3, 0.5, NULL, scores, wanted);
                for (size_t d = 0; d < 3; d++) {
                    CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[row * 6 + head * 3 + d], wanted[d], 1e-6));
                }
            }
        }
        end_test();
    }
}

static void adds_masks_and_hands_scores_on(void) {
    begin_test(1 << 18);
    pml_tensor q = make_tensor(SHAPE(2, 3, 4)), k = make_tensor(SHAPE(2, 5, 4)), v = make_tensor(SHAPE(2, 5, 4)), y;
    pml_tensor mask = make_tensor(SHAPE(2, 1, 5)), scores = {0}, first_scores;
    pml_attention_options options = {.n_heads = 2, .axis = 1, .scale = 1, .mask = &mask, .scores = &scores};
    PML_ASSERT_OK(pml_op_attention(&context, &q, &k, &v, &options, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&scores, SHAPE(2, 2, 3, 5)));
    first_scores = scores;
    for (int layer = 0; layer < 2; layer++) {
        for (size_t i = 0; i < 2 * 2 * 3; i++) {
            size_t b = i / 6, head = i / 3 % 2, t = i % 3;
            float extra[5];
            double wanted_scores[5], wanted[2];
            for (size_t s = 0; s < 5; s++) {
                extra[s] =
                    pml_tensor_f32(&mask)[b * 5 + s] + (layer == 0 ? 0 : pml_tensor_f32(&first_scores)[i * 5 + s]);
            }
            attend(pml_tensor_f32(&q) + (b * 3 + t) * 4 + head * 2, pml_tensor_f32(&k) + b * 20 + head * 2,
                   pml_tensor_f32(&v) + b * 20 + head * 2, 4, 5, 2, 1, extra, wanted_scores, wanted);
            for (size_t s = 0; s < 5; s++) {
                CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&scores)[i * 5 + s], wanted_scores[s], 1e-6));
            }
            for (size_t d = 0; d < 2; d++) {
                CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[(b * 3 + t) * 4 + head * 2 + d], wanted[d], 1e-6));
            }
        }
        if (layer == 0) {
            PML_ASSERT_OK(pml_op_attention(&context, &q, &k, &v, &options, &y, &error), &error);
        }
    }
    end_test();
}

static void ragged_sequences_do_not_see_each_other(void) {
    begin_test(1 << 18);
    const size_t offsets[] = {0, 3, 3, 8};
    pml_tensor q = make_tensor(SHAPE(8, 4)), k = make_tensor(SHAPE(8, 4)), v = make_tensor(SHAPE(8, 4)), y;
    pml_attention_options options = {.n_heads = 1, .scale = 1, .row_offsets = offsets, .n_sequences = 3};
    PML_ASSERT_OK(pml_op_attention(&context, &q, &k, &v, &options, &y, &error), &error);
    for (size_t row = 0; row < 8; row++) {
        size_t first = row < 3 ? 0 : 3, n = row < 3 ? 3 : 5;
        double scores[5], wanted[4];
        attend(pml_tensor_f32(&q) + row * 4, pml_tensor_f32(&k) + first * 4, pml_tensor_f32(&v) + first * 4, 4, n, 4, 1,
               NULL, scores, wanted);
        for (size_t d = 0; d < 4; d++) {
            CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[row * 4 + d], wanted[d], 1e-6));
        }
    }
    end_test();
}

static void causal_queries_see_no_later_key(void) {
    begin_test(1 << 18);
    pml_tensor q = make_tensor(SHAPE(3, 2)), k = make_tensor(SHAPE(4, 2)), v = make_tensor(SHAPE(4, 2)), y;
    pml_attention_options options = {.n_heads = 1, .scale = 1, .causal = true};
    PML_ASSERT_OK(pml_op_attention(&context, &q, &k, &v, &options, &y, &error), &error);
    for (size_t t = 0; t < 3; t++) {
        double scores[4], wanted[2];
        attend(pml_tensor_f32(&q) + t * 2, pml_tensor_f32(&k), pml_tensor_f32(&v), 2, 2 + t, 2, 1, NULL, scores,
               wanted);
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[t * 2], wanted[0], 1e-6));
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[t * 2 + 1], wanted[1], 1e-6));
    }
    end_test();
}

/* Tokens that come in pieces see those of earlier pieces as if all had come at once. */
static void a_cache_stands_for_earlier_tokens(void) {
    enum { N = 40, CAPACITY = 48, D = 6, HEADS = 2, SEQUENCES = 3 };
    static const size_t pieces[][2] = {{5, 16}, {1, 3}, {20, 1}, {14, 20}}; /* of two sequences, to 40 */
    static float keys[SEQUENCES * CAPACITY * D], values[SEQUENCES * CAPACITY * D];
    begin_test(1 << 20);
    const size_t whole_offsets[] = {0, N, 2 * N}, places[] = {2, 0};
    pml_tensor q = make_tensor(SHAPE(2 * N, D)), k = make_tensor(SHAPE(2 * N, D)), v = make_tensor(SHAPE(2 * N, D));
    pml_tensor whole, y;
    pml_attention_options options = {
        .n_heads = HEADS, .scale = 0.7F, .causal = true, .row_offsets = whole_offsets, .n_sequences = 2};
    PML_ASSERT_OK(pml_op_attention(&context, &q, &k, &v, &options, &whole, &error), &error);
    size_t lengths[] = {0, 0};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        keys[i] = values[i] = NAN; /* where no token is yet, nothing is read */
    }
    const pml_kv_cache cache = {.capacity = CAPACITY,
                                .keys = keys,
                                .values = values,
                                .sequence_step = CAPACITY * D,
                                .sequences = places,
                                .lengths = lengths};
    options.cache = &cache;
    for (size_t i = 0; i < 4; i++) {
        const size_t n[] = {pieces[i][0], pieces[i][1]}, offsets[] = {0, n[0], n[0] + n[1]};
        pml_tensor parts[3];
        const pml_tensor *const all[] = {&q, &k, &v};
        for (size_t t = 0; t < 3; t++) {
            parts[t] = make_tensor((const size_t[]){offsets[2], D}, 2);
            for (size_t s = 0; s < 2; s++) {
                memcpy(pml_tensor_f32(&parts[t]) + offsets[s] * D, pml_tensor_f32(all[t]) + (s * N + lengths[s]) * D,
                       n[s] * D * sizeof(float));
            }
        }
        options.row_offsets = offsets;
        PML_ASSERT_OK(pml_op_attention(&context, &parts[0], &parts[1], &parts[2], &options, &y, &error), &error);
        for (size_t s = 0; s < 2; s++) {
            CU_ASSERT_EQUAL(memcmp(pml_tensor_f32(&y) + offsets[s] * D,
                                   pml_tensor_f32(&whole) + (s * N + lengths[s]) * D, n[s] * D * sizeof(float)),
                            0);
            lengths[s] += n[s];
        }
    }
    end_test();
}

static pml_status try_with(pml_attention_options options, const pml_tensor *q, const pml_tensor *k) {
    pml_tensor y;
    return pml_op_attention(&context, q, k, k, &options, &y, &error);
}

static void refuses_what_it_cannot_do(void) {
    begin_test(1 << 18);
    const size_t offsets[] = {0, 3, 8}, falling[] = {0, 9, 8};
    pml_tensor q = make_tensor(SHAPE(8, 4)), few = make_tensor(SHAPE(7, 4)), mask = make_tensor(SHAPE(8, 7));
    pml_tensor scores = {0};
    const size_t i_sequence = 0, length = 15;
    float room[4 * 16];
    const pml_kv_cache cache = {
        .capacity = 16, .keys = room, .values = room, .sequences = &i_sequence, .lengths = &length};
    PML_ASSERT_FAILS(try_with((pml_attention_options){.n_heads = 1, .cache = &cache}, &q, &q), PML_E_ARGUMENT, &error,
                     "cache");
    PML_ASSERT_FAILS(
        try_with(
            (pml_attention_options){
                .n_heads = 1, .causal = true, .cache = &cache, .row_offsets = (const size_t[]){0, 8}, .n_sequences = 1},
            &q, &q),
        PML_E_ARGUMENT, &error, "15 tokens and 8 more");
    PML_ASSERT_FAILS(try_with((pml_attention_options){.n_heads = 3}, &q, &q), PML_E_ARGUMENT, &error, "3 heads");
    PML_ASSERT_FAILS(try_with((pml_attention_options){.n_heads = 1, .axis = 1}, &q, &q), PML_E_ARGUMENT, &error,
                     "axis 1");
    PML_ASSERT_FAILS(try_with((pml_attention_options){.n_heads = 1, .causal = true}, &q, &few), PML_E_ARGUMENT, &error,
                     "causal");
    PML_ASSERT_FAILS(try_with((pml_attention_options){.n_heads = 1, .mask = &mask}, &q, &q), PML_E_ARGUMENT, &error,
                     "mask");
    PML_ASSERT_FAILS(try_with((pml_attention_options){.n_heads = 1, .row_offsets = falling, .n_sequences = 2}, &q, &q),
                     PML_E_ARGUMENT, &error, "decrease");
    PML_ASSERT_FAILS(try_with((pml_attention_options){.n_heads = 1, .row_offsets = offsets, .n_sequences = 1}, &q, &q),
                     PML_E_ARGUMENT, &error, "cover");
    PML_ASSERT_FAILS(
        try_with((pml_attention_options){.n_heads = 1, .row_offsets = offsets, .n_sequences = 2, .scores = &scores}, &q,
                 &q),
        PML_E_UNSUPPORTED, &error, "ragged");
    end_test();
}

PML_TESTS("runtime/ops/attention", PML_TEST(attends_along_any_axis), PML_TEST(adds_masks_and_hands_scores_on),
          PML_TEST(ragged_sequences_do_not_see_each_other), PML_TEST(a_cache_stands_for_earlier_tokens),
          PML_TEST(causal_queries_see_no_later_key), PML_TEST(refuses_what_it_cannot_do))
