#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/file/writer.h"
#include "runtime/models/model.h"
#include "tests/harness.h"

enum { V = 11, D = 8, F = 12, POSITIONS = 9, LABELS = 3, T = 6, B = 4 };

static pml_error error;
static unsigned long long random_state;

static float next_value(void) {
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (float)(double)(random_state >> 40) / 8388608.0F - 1.0F;
}

typedef struct build {
    const char *head, *pooling;
    bool has_pooler, tied_decoder, normalize;
    int64_t vocab_size; /* 0: V */
} build;

static pml_metadata *make_metadata(const build *b) {
    const struct {
        const char *key;
        int64_t value;
    } sizes[] = {{"vocab_size", b->vocab_size > 0 ? b->vocab_size : V},
                 {"max_positions", POSITIONS},
                 {"type_vocab_size", 2},
                 {"num_hidden_layers", 2},
                 {"d_model", D},
                 {"num_attention_heads", 2},
                 {"ffn_dim", F},
                 {"num_labels", LABELS}};
    const char *const texts[][2] = {{"general.family", "bert"},
                                    {"config.head", b->head},
                                    {"config.pooling", b->pooling != NULL ? b->pooling : "none"},
                                    {"config.activation", "gelu"}};
    char key[64];
    pml_metadata *m;
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        (void)snprintf(key, sizeof key, "config.%s", sizes[i].key);
        PML_ASSERT_OK(pml_metadata_set_i64(m, key, sizes[i].value, &error), &error);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        PML_ASSERT_OK(pml_metadata_set_string(m, texts[i][0], texts[i][1], &error), &error);
    }
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.has_pooler", b->has_pooler, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.tied_decoder", b->tied_decoder, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.normalize", b->normalize, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64(m, "config.norm_eps", 1e-12, &error), &error);
    return m;
}

typedef struct opened {
    pml_file *file;
    pml_model *model;
} opened;

/* A file of random weights, every tensor a row. */
static opened open_model(const build *b) {
    static unsigned n_files;
    const char *path = pml_test_path("%s/%u.pml", pml_test_temporary_dir(), n_files++);
    opened o = {0};
    pml_metadata *m = make_metadata(b);
    pml_weight_list list;
    pml_writer *writer;
    size_t i_tensors[64];
    random_state = 7;
    PML_ASSERT_OK(pml_schema_weights(pml_schema_find("bert"), m, PML_MAX_TENSORS, &list, &error), &error);
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    PML_ASSERT_OK(pml_writer_set_metadata(writer, m, &error), &error);
    CU_ASSERT_TRUE_FATAL(list.count <= 64);
    for (size_t i = 0; i < list.count; i++) {
        const pml_weight_instance *w = &list.items[i];
        PML_ASSERT_OK(pml_writer_add_tensor(writer, w->name, PML_DTYPE_F32, PML_LAYOUT_ROW, w->shape, w->rank, "",
                                            &i_tensors[i], &error),
                      &error);
    }
    PML_ASSERT_OK(pml_writer_begin(writer, path, false, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        uint64_t count = 1;
        for (unsigned axis = 0; axis < list.items[i].rank; axis++) {
            count *= list.items[i].shape[axis];
        }
        for (uint64_t k = 0; k < count; k++) {
            const float value = next_value();
            PML_ASSERT_OK(pml_writer_tensor_write(writer, i_tensors[i], &value, sizeof value, &error), &error);
        }
    }
    PML_ASSERT_OK(pml_writer_finish(writer, &error), &error);
    pml_writer_destroy(writer);
    pml_weight_list_deinit(&list);
    pml_metadata_destroy(m);
    PML_ASSERT_OK(pml_file_open(path, &o.file, &error), &error);
    PML_ASSERT_OK(pml_model_create(o.file, NULL, &o.model, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(o.model);
    return o;
}

static void close_model(opened *o) {
    pml_model_destroy(o->model);
    pml_file_close(o->file);
}

static pml_array input(const char *name, const float *values, size_t n_samples, size_t n_tokens) {
    return (pml_array){.name = name, .data = values, .rank = 2, .shape = {n_samples, n_tokens}};
}

/* Right padding, a hole, left padding (the first token masked), and no padding at all. */
static const float mask[B * T] = {1, 1, 1, 0, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
static const float ids[B * T] = {1, 2, 3, 0, 0, 0, 4, 9, 5, 6, 9, 7, 8, 9, 10, 1, 2, 3, 3, 1, 4, 1, 5, 9};
static const float types[B * T] = {0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1};

static const pml_array *run(pml_model *model, size_t first, size_t count, const char *output) {
    const pml_array inputs[] = {input("input_ids", ids + first * T, count, T),
                                input("attention_mask", mask + first * T, count, T),
                                input("token_type_ids", types + first * T, count, T)};
    PML_ASSERT_OK(pml_model_run(model, inputs, 3, &error), &error);
    return pml_model_output(model, output);
}

static size_t elements(const pml_array *array) {
    size_t n = 1;
    for (size_t i = 0; i < array->rank; i++) {
        n *= array->shape[i];
    }
    return n;
}

/* Every sequence alone gives the same bits as in the batch, and padding is 0. */
static void sequences_do_not_know_each_other(void) {
    static const struct {
        build b;
        const char *outputs[4];
    } cases[] = {{{"none", "mean", true, false, true, 0}, {"last_hidden_state", "pooler_output", "sentence_embedding"}},
                 {{"none", "max", false, false, false, 0}, {"sentence_embedding"}},
                 {{"none", "cls", false, false, true, 0}, {"sentence_embedding"}},
                 {{"masked_lm", NULL, false, true, false, 0}, {"logits", "last_hidden_state"}},
                 {{"pretraining", NULL, true, false, false, 0}, {"prediction_logits", "seq_relationship_logits"}},
                 {{"sequence_classification", NULL, true, false, false, 0}, {"logits"}},
                 {{"token_classification", NULL, false, false, false, 0}, {"logits"}},
                 {{"question_answering", NULL, false, false, false, 0}, {"start_logits", "end_logits"}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t k = 0; k < 4 && cases[i].outputs[k] != NULL; k++) {
            const char *name = cases[i].outputs[k];
            opened o = open_model(&cases[i].b);
            const pml_array *together = run(o.model, 0, B, name);
            CU_ASSERT_PTR_NOT_NULL_FATAL(together);
            const size_t each = elements(together) / B;
            float *kept;
            PML_ASSERT_OK(pml_alloc(each * B, sizeof *kept, &kept, &error), &error);
            memcpy(kept, together->data, each * B * sizeof *kept);
            for (size_t s = 0; s < B; s++) {
                const pml_array *alone = run(o.model, s, 1, name);
                CU_ASSERT_EQUAL(elements(alone), each);
                CU_ASSERT_EQUAL(memcmp(alone->data, kept + s * each, each * sizeof *kept), 0);
            }
            const size_t per_token = each % T == 0 && strstr(name, "state") != NULL ? each / T : 0;
            for (size_t at = 0; at < B * T * per_token; at++) {
                CU_ASSERT_TRUE(mask[at / per_token] != 0 ? kept[at] != 0 : kept[at] == 0);
            }
            pml_free(kept);
            close_model(&o);
        }
    }
}

/* Cutting the padding off changes no bit; without a mask every token counts. */
static void padding_costs_nothing_and_changes_nothing(void) {
    const build b = {.head = "none", .pooling = "mean"};
    opened o = open_model(&b);
    float padded[3 * D], alone[D];
    memcpy(padded, run(o.model, 0, 1, "last_hidden_state")->data, sizeof padded);
    memcpy(alone, pml_model_output(o.model, "sentence_embedding")->data, sizeof alone);
    const pml_array inputs[] = {input("token_type_ids", types, 1, 3), input("input_ids", ids, 1, 3)};
    PML_ASSERT_OK(pml_model_run(o.model, inputs, 2, &error), &error);
    const pml_array *cut = pml_model_output(o.model, "last_hidden_state");
    CU_ASSERT_TRUE(cut->shape[0] == 1 && cut->shape[1] == 3 && cut->shape[2] == D);
    CU_ASSERT_EQUAL(memcmp(cut->data, padded, sizeof padded), 0);
    CU_ASSERT_EQUAL(memcmp(pml_model_output(o.model, "sentence_embedding")->data, alone, sizeof alone), 0);
    close_model(&o);
}

/* A masked first token is no key, but poolers still read it: its word changes the pooler, not the other tokens. */
static void a_masked_first_token_is_seen_by_the_pooler_alone(void) {
    const build b = {.head = "none", .has_pooler = true};
    opened o = open_model(&b);
    float hidden[T * D], pooled[D], changed[T];
    memcpy(hidden, run(o.model, 2, 1, "last_hidden_state")->data, sizeof hidden);
    memcpy(pooled, pml_model_output(o.model, "pooler_output")->data, sizeof pooled);
    memcpy(changed, ids + (size_t)2 * T, sizeof changed);
    changed[0] = 1;
    const pml_array inputs[] = {input("input_ids", changed, 1, T), input("attention_mask", mask + (size_t)2 * T, 1, T),
                                input("token_type_ids", types + (size_t)2 * T, 1, T)};
    PML_ASSERT_OK(pml_model_run(o.model, inputs, 3, &error), &error);
    CU_ASSERT_EQUAL(memcmp(pml_model_output(o.model, "last_hidden_state")->data, hidden, sizeof hidden), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(pml_model_output(o.model, "pooler_output")->data, pooled, sizeof pooled), 0);
    close_model(&o);
}

static void sentence_embeddings_have_unit_length(void) {
    static const char *const poolings[] = {"cls", "mean", "max"};
    for (size_t i = 0; i < 3; i++) {
        const build b = {.head = "none", .pooling = poolings[i], .normalize = true};
        opened o = open_model(&b);
        const pml_array *y = run(o.model, 0, B, "sentence_embedding");
        for (size_t s = 0; s < B; s++) {
            double squares = 0;
            for (size_t k = 0; k < D; k++) {
                squares += (double)y->data[s * D + k] * (double)y->data[s * D + k];
            }
            CU_ASSERT_TRUE(fabs(squares - 1) < 1e-6);
        }
        close_model(&o);
    }
}

/* What the vocabulary scores must be at least once: more rows than are scored at a time. */
static void large_vocabularies_are_scored_in_pieces(void) {
    enum { WIDE = 300000, N = 20 };
    const build b = {.head = "masked_lm", .tied_decoder = true, .vocab_size = WIDE};
    opened o = open_model(&b);
    float many[N * POSITIONS / 9 * 9], row[D + 1];
    for (size_t i = 0; i < N; i++) {
        many[i] = (float)(i * 14983 % WIDE);
    }
    const pml_array inputs[] = {input("input_ids", many, N, 1)};
    PML_ASSERT_OK(pml_model_run(o.model, inputs, 1, &error), &error);
    const pml_array *y = pml_model_output(o.model, "logits");
    CU_ASSERT_TRUE(y->shape[0] == N && y->shape[2] == WIDE);
    for (size_t i = 0; i < D; i++) {
        row[i] = y->data[(size_t)(N - 1) * WIDE + i * 30000];
    }
    const pml_array last[] = {input("input_ids", many + N - 1, 1, 1)};
    PML_ASSERT_OK(pml_model_run(o.model, last, 1, &error), &error);
    for (size_t i = 0; i < D; i++) {
        CU_ASSERT_EQUAL(pml_model_output(o.model, "logits")->data[i * 30000], row[i]);
    }
    close_model(&o);
}

static void bad_inputs_are_named(void) {
    const build b = {.head = "none"};
    opened o = open_model(&b);
    float values[POSITIONS + 1] = {1, 2, 3};
    const float zeros[3] = {0};
#define TRY(array) pml_model_run(o.model, (const pml_array[]){array}, 1, &error)
    PML_ASSERT_FAILS(TRY(input("input_ids", values, 1, POSITIONS + 1)), PML_E_ARGUMENT, &error, "10 tokens");
    PML_ASSERT_OK(TRY(input("input_ids", values, 1, POSITIONS)), &error);
    PML_ASSERT_FAILS(TRY(input("input_ids", values, 1, 0)), PML_E_ARGUMENT, &error, "empty");
    values[1] = V;
    PML_ASSERT_FAILS(TRY(input("input_ids", values, 1, 3)), PML_E_ARGUMENT, &error, "element 1 of input 'input_ids'");
    values[1] = 0.5F;
    PML_ASSERT_FAILS(TRY(input("input_ids", values, 1, 3)), PML_E_ARGUMENT, &error, "no integer from 0 to 10");
    values[1] = -1;
    PML_ASSERT_FAILS(TRY(input("input_ids", values, 1, 3)), PML_E_ARGUMENT, &error, "input_ids");
    values[1] = 1;
    const pml_array masked[] = {input("input_ids", values, 1, 3), input("attention_mask", zeros, 1, 3)};
    PML_ASSERT_FAILS(pml_model_run(o.model, masked, 2, &error), PML_E_ARGUMENT, &error, "no token of sequence 0");
    const pml_array shorter[] = {input("input_ids", values, 1, 3), input("attention_mask", values, 1, 2)};
    PML_ASSERT_FAILS(pml_model_run(o.model, shorter, 2, &error), PML_E_ARGUMENT, &error, "3 tokens");
    PML_ASSERT_FAILS(TRY(input("attention_mask", values, 1, 1)), PML_E_ARGUMENT, &error, "input_ids");
    close_model(&o);
}

PML_TESTS("runtime/models/bert", PML_TEST(sequences_do_not_know_each_other),
          PML_TEST(padding_costs_nothing_and_changes_nothing),
          PML_TEST(a_masked_first_token_is_seen_by_the_pooler_alone), PML_TEST(sentence_embeddings_have_unit_length),
          PML_TEST(large_vocabularies_are_scored_in_pieces), PML_TEST(bad_inputs_are_named))
