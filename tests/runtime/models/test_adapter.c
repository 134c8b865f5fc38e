#include "runtime/models/adapter.h"

#include <math.h>

#include "runtime/base/alloc.h"
#include "runtime/models/training.h"
#include "runtime/pml.h"
#include "tests/runtime/models/gpt2_file.h"

enum { B = 2, T = 5, R = 3 };

static pml_error error;
static const float ids[B * T] = {1, 2, 3, 9, 0, 4, 9, 5, 6, 21};
static const gpt2_build language = {.head = "language_model", .tied_head = true};

static const float *run(pml_model *model, const char *output) {
    const pml_array input = {.name = "input_ids", .data = ids, .rank = 2, .shape = {B, T}};
    PML_ASSERT_OK(pml_model_run(model, &input, 1, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pml_model_output(model, output));
    return pml_model_output(model, output)->data;
}

static pml_model *trainable(pml_file *file, const char *text) {
    pml_adapter_recipe recipe;
    pml_model *model = NULL;
    PML_ASSERT_OK(pml_adapter_recipe_parse(text, &recipe, &error), &error);
    PML_ASSERT_OK(
        pml_model_create_trainable(file, &(pml_trainable_options){.seed = 3, .adapter = &recipe}, &model, &error),
        &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(model);
    return model;
}

/* ---- files ---- */
typedef struct fault {
    const char *name;            /* of the tensor that is not as it should be; NULL: none */
    const char *extra;           /* one more tensor [24, 3] of that name */
    bool left_out, is_wide, nan; /* otherwise */
    pml_dtype dtype;             /* NONE: F32 */
    const char *kind;
    int64_t rank;
    double alpha;
    bool other_base, is_model;
} fault;

/* Writes the model's parameters as its adapter, with at most one fault. */
static const char *write_adapter(const pml_model *model, const pml_file *base, const fault *f) {
    static unsigned n_files;
    const char *path = pml_test_path("%s/adapter%u.pml", pml_test_temporary_dir(), n_files++);
    pml_writer *writer;
    pml_metadata *m;
    uint8_t digest[16];
    size_t index[64], n = pml_model_n_parameters(model);
    CU_ASSERT_TRUE_FATAL(n <= 64);
    memcpy(digest, pml_file_content_digest(base), 16);
    digest[3] ^= f->other_base ? 1 : 0;
    PML_ASSERT_OK(pml_writer_create(f->is_model ? PML_KIND_CHECKPOINT : PML_KIND_ADAPTER, &writer, &error), &error);
    PML_ASSERT_OK(pml_writer_set_base_digest(writer, digest, &error), &error);
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    pml_adapter_recipe recipe = *pml_model_adapter_recipe(model);
    PML_ASSERT_OK(pml_adapter_recipe_write(&recipe, m, &error), &error);
    if (f->kind != NULL) {
        PML_ASSERT_OK(pml_metadata_set_string(m, "adapter.kind", f->kind, &error), &error);
    }
    if (f->rank != 0) {
        PML_ASSERT_OK(pml_metadata_set_i64(m, "adapter.rank", f->rank, &error), &error);
    }
    if (f->alpha != 0) {
        PML_ASSERT_OK(pml_metadata_set_f64(m, "adapter.alpha", f->alpha, &error), &error);
    }
    PML_ASSERT_OK(pml_writer_set_metadata(writer, m, &error), &error);
    for (size_t i = 0; i < n; i++) {
        const pml_parameter *p = pml_model_parameter_at(model, i);
        const bool is_faulty = f->name != NULL && strcmp(f->name, p->name) == 0;
        uint64_t shape[2] = {p->shape[0], p->shape[1]};
        shape[0] += is_faulty && f->is_wide;
        index[i] = SIZE_MAX;
        if (!(is_faulty && f->left_out)) {
            PML_ASSERT_OK(pml_writer_add_tensor(writer, p->name,
                                                is_faulty && f->dtype != PML_DTYPE_NONE ? f->dtype : PML_DTYPE_F32,
                                                PML_LAYOUT_ROW, shape, p->rank, "", &index[i], &error),
                          &error);
        }
    }
    size_t i_extra = 0;
    static const float zeros[24 * 3];
    if (f->extra != NULL) {
        PML_ASSERT_OK(pml_writer_add_tensor(writer, f->extra, PML_DTYPE_F32, PML_LAYOUT_ROW, (uint64_t[]){24, 3}, 2, "",
                                            &i_extra, &error),
                      &error);
    }
    PML_ASSERT_OK(pml_writer_begin(writer, path, false, &error), &error);
    if (f->extra != NULL) {
        PML_ASSERT_OK(pml_writer_tensor_write(writer, i_extra, zeros, sizeof zeros, &error), &error);
    }
    for (size_t i = 0; i < n; i++) {
        const pml_parameter *p = pml_model_parameter_at(model, i);
        const bool is_faulty = f->name != NULL && strcmp(f->name, p->name) == 0;
        size_t count = p->count + (is_faulty && f->is_wide ? p->shape[1] : 0);
        float *values = calloc(count, sizeof *values);
        memcpy(values, p->values, p->count * sizeof *values);
        values[0] = is_faulty && f->nan ? NAN : values[0];
        if (index[i] != SIZE_MAX) {
            const size_t each = is_faulty && f->dtype == PML_DTYPE_BF16 ? 2 : 4;
            PML_ASSERT_OK(pml_writer_tensor_write(writer, index[i], values, count * each, &error), &error);
        }
        free(values);
    }
    PML_ASSERT_OK(pml_writer_finish(writer, &error), &error);
    pml_writer_destroy(writer);
    pml_metadata_destroy(m);
    return path;
}

/* ---- tests ---- */
static void options_are_read(void) {
    pml_adapter_recipe r, again;
    pml_metadata *m;
    PML_ASSERT_OK(pml_adapter_recipe_parse("", &r, &error), &error);
    CU_ASSERT_TRUE(r.rank == 8 && r.alpha == 8 && r.dropout == 0);
    PML_ASSERT_OK(pml_adapter_recipe_parse("targets=*.up/*.out,r=4,dropout=0.1,alpha=2,whole=", &r, &error), &error);
    CU_ASSERT_TRUE(r.rank == 4 && r.alpha == 2 && r.dropout == 0.1);
    CU_ASSERT_STRING_EQUAL(r.targets, "*.up/*.out");
    CU_ASSERT_STRING_EQUAL(r.whole, "");
    CU_ASSERT_TRUE(pml_adapter_fits(r.targets, "decoder.layer.1.attention.out.weight"));
    CU_ASSERT_FALSE(pml_adapter_fits(r.targets, "decoder.layer.1.attention.outer.weight"));
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    PML_ASSERT_OK(pml_adapter_recipe_write(&r, m, &error), &error);
    PML_ASSERT_OK(pml_adapter_recipe_read(m, &again, &error), &error);
    CU_ASSERT_TRUE(again.rank == 4 && again.alpha == 2 && again.dropout == 0.1);
    CU_ASSERT_STRING_EQUAL(again.targets, r.targets);
    pml_metadata_destroy(m);
    PML_ASSERT_FAILS(pml_adapter_recipe_parse("r=0", &r, &error), PML_E_ARGUMENT, &error, "r");
    PML_ASSERT_FAILS(pml_adapter_recipe_parse("rank=8", &r, &error), PML_E_ARGUMENT, &error, "rank");
    PML_ASSERT_FAILS(pml_adapter_recipe_parse("r=8,,alpha=1", &r, &error), PML_E_ARGUMENT, &error, "empty");
}

/* Before the first step it is the model of the file, and only adapters are learned. */
static void training_begins_as_the_base(void) {
    gpt2_opened o = gpt2_open(&language);
    pml_model *model = trainable(o.file, "r=3");
    float base[B * T * GPT2_V];
    memcpy(base, run(o.model, "logits"), sizeof base);
    CU_ASSERT_EQUAL(memcmp(run(model, "logits"), base, sizeof base), 0);
    CU_ASSERT_EQUAL(pml_model_n_parameters(model), 8); /* q and v of two layers, A and B each */
    for (size_t i = 0; i < pml_model_n_parameters(model); i++) {
        const pml_parameter *p = pml_model_parameter_at(model, i);
        const bool is_a = strstr(p->name, PML_ADAPTER_A) != NULL;
        double most = 0;
        CU_ASSERT_PTR_NOT_NULL(p->gradient);
        CU_ASSERT_TRUE(is_a ? p->shape[0] == GPT2_D && p->shape[1] == R : p->shape[0] == R && p->shape[1] == GPT2_D);
        for (size_t k = 0; k < p->count; k++) {
            most = fmax(most, fabs((double)p->values[k]));
        }
        CU_ASSERT_TRUE(is_a ? most > 0.1 && most <= 1 / sqrt((double)GPT2_D) : most == 0);
    }
    pml_model_destroy(model);
    gpt2_close(&o);
}

/* Of every parameter one element by differences, with the feed-forward's matrices adapted and dropout on. */
static void gradients_match_differences(void) {
    const gpt2_build classifies = {.head = "sequence_classification"};
    gpt2_opened o = gpt2_open(&classifies);
    pml_model *model = trainable(o.file, "r=3,alpha=6,dropout=0.25,targets=*.attention.?/*.out/*.up/*.down");
    float c[B * GPT2_LABELS];
    unsigned long long state = 11;
    CU_ASSERT_EQUAL(pml_model_n_parameters(model), 2 * 6 * 2 + 1); /* and the classifier, whole */
    for (size_t i = 0; i < pml_model_n_parameters(model); i++) {
        pml_parameter *p = pml_model_parameter_at(model, i);
        for (size_t k = 0; k < p->count; k++) {
            p->values[k] = 0.2F * gpt2_next_value(&state);
        }
    }
    for (size_t k = 0; k < B * GPT2_LABELS; k++) {
        c[k] = gpt2_next_value(&state);
    }
    pml_model_training_set(model, true);
    pml_model_training_step_set(model, 5);
    (void)run(model, "logits");
    PML_ASSERT_OK(pml_model_backward(model, &(pml_output_gradient){"logits", c}, 1, NULL, NULL, &error), &error);
    for (size_t i = 0; i < pml_model_n_parameters(model); i++) {
        pml_parameter *p = pml_model_parameter_at(model, i);
        const size_t at = p->count / 2;
        const float value = p->values[at], step = 1.0F / 256;
        double sums[2] = {0, 0};
        for (int side = 0; side < 2; side++) {
            p->values[at] = value + (side == 0 ? -step : step);
            const float *y = run(model, "logits");
            for (size_t k = 0; k < B * GPT2_LABELS; k++) {
                sums[side] += (double)y[k] * (double)c[k];
            }
        }
        p->values[at] = value;
        const double expected = (sums[1] - sums[0]) / (2 * (double)step), found = (double)p->gradient[at];
        if (fabs(found - expected) > 5e-3 * (1 + fabs(expected))) {
            (void)printf("    gradient of %s: %.9g, expected %.9g\n", p->name, found, expected);
            CU_FAIL("gradient");
        }
    }
    pml_model_destroy(model);
    gpt2_close(&o);
}

static void change_parameters(pml_model *model) {
    unsigned long long state = 5;
    for (size_t i = 0; i < pml_model_n_parameters(model); i++) {
        pml_parameter *p = pml_model_parameter_at(model, i);
        for (size_t k = 0; k < p->count; k++) {
            p->values[k] = 0.3F * gpt2_next_value(&state);
        }
    }
}

/* What was trained computes the same from its file over the same base, in one run and token by token. */
static void the_file_gives_what_was_trained(void) {
    gpt2_opened o = gpt2_open(&language);
    pml_model *model = trainable(o.file, "r=3,targets=*.attention.?/*.out/*.up/*.down"), *loaded = NULL;
    pml_file *adapter = NULL;
    pml_session *session = NULL;
    change_parameters(model);
    float base[B * T * GPT2_V], wanted[B * T * GPT2_V];
    memcpy(base, run(o.model, "logits"), sizeof base);
    memcpy(wanted, run(model, "logits"), sizeof wanted);
    CU_ASSERT_NOT_EQUAL(memcmp(base, wanted, sizeof base), 0);
    PML_ASSERT_OK(pml_file_open(write_adapter(model, o.file, &(fault){0}), &adapter, &error), &error);
    PML_ASSERT_OK(pml_file_verify(adapter, &error), &error);
    PML_ASSERT_OK(pml_model_create_with_adapter(o.file, adapter, NULL, &loaded, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(loaded);
    CU_ASSERT_EQUAL(memcmp(run(loaded, "logits"), wanted, sizeof wanted), 0);
    CU_ASSERT_EQUAL(pml_model_context(loaded)->workspace_missed_bytes, 0);
    PML_ASSERT_OK(pml_session_create(loaded, 1, 0, &session, &error), &error);
    for (size_t k = 0; k < T; k++) {
        const uint32_t id = (uint32_t)ids[k];
        const float *scores = NULL;
        PML_ASSERT_OK(pml_session_feed(session, &(pml_session_tokens){0, &id, 1}, 1, &error), &error);
        CU_ASSERT_EQUAL(pml_model_context(loaded)->workspace_missed_bytes, 0);
        PML_ASSERT_OK(pml_session_next(session, 0, &scores, &error), &error);
        for (size_t v = 0; v < GPT2_V; v++) {
            CU_ASSERT_DOUBLE_EQUAL(scores[v], wanted[k * GPT2_V + v], 1e-4);
        }
    }
    pml_session_destroy(session);
    pml_model_destroy(loaded);
    pml_file_close(adapter);
    pml_model_destroy(model);
    gpt2_close(&o);
}

/* A head that was trained whole comes with the file. */
static void whole_layers_are_replaced(void) {
    const gpt2_build classifies = {.head = "sequence_classification"};
    gpt2_opened o = gpt2_open(&classifies);
    pml_model *model = trainable(o.file, "r=3"), *loaded = NULL;
    pml_file *adapter = NULL;
    float wanted[B * GPT2_LABELS];
    pml_parameter *head = pml_model_parameter_find(model, "classifier.weight");
    CU_ASSERT_PTR_NOT_NULL_FATAL(head);
    head->values[3] += 1;
    memcpy(wanted, run(model, "logits"), sizeof wanted);
    CU_ASSERT_NOT_EQUAL(memcmp(run(o.model, "logits"), wanted, sizeof wanted), 0);
    PML_ASSERT_OK(pml_file_open(write_adapter(model, o.file, &(fault){0}), &adapter, &error), &error);
    PML_ASSERT_OK(pml_model_create_with_adapter(o.file, adapter, NULL, &loaded, &error), &error);
    CU_ASSERT_EQUAL(memcmp(run(loaded, "logits"), wanted, sizeof wanted), 0);
    pml_model_destroy(loaded);
    pml_file_close(adapter);
    pml_model_destroy(model);
    gpt2_close(&o);
}

static void bad_files_are_refused(void) {
#define Q "decoder.layer.0.attention.q.weight"
    static const struct {
        fault is;
        pml_status status;
        const char *says;
    } cases[] = {
        {{.other_base = true}, PML_E_MISMATCH, "belongs to a model with digest"},
        {{.is_model = true}, PML_E_UNSUPPORTED, "not of kind adapter"},
        {{.kind = "ia3"}, PML_E_UNSUPPORTED, "'ia3'"},
        {{.rank = -1}, PML_E_FORMAT, "'adapter.rank' is -1"},
        {{.rank = 1000000000}, PML_E_FORMAT, "'adapter.rank'"},
        {{.rank = 4}, PML_E_FORMAT, "has shape [24,3], not [24,4]"},
        {{.alpha = -2}, PML_E_FORMAT, "'adapter.alpha' is -2"},
        {{.alpha = NAN}, PML_E_FORMAT, "'adapter.alpha'"},
        {{.name = Q ".lora_a", .left_out = true}, PML_E_FORMAT, Q ".lora_b' is there without its .lora_a"},
        {{.name = Q ".lora_b", .left_out = true}, PML_E_FORMAT, Q ".lora_a' is there without its .lora_b"},
        {{.name = Q ".lora_b", .is_wide = true}, PML_E_FORMAT, Q ".lora_b' has shape [4,24], not [3,24]"},
        {{.name = Q ".lora_a", .nan = true}, PML_E_NUMERIC, "element 0 of tensor '" Q ".lora_a' is not finite"},
        {{.name = Q ".lora_a", .dtype = PML_DTYPE_BF16}, PML_E_FORMAT, "F32 in layout row"},
        {{.extra = "a.lora_a"}, PML_E_FORMAT, "'a.lora_a' belongs to no matrix"},
        {{.extra = ".lora_b"}, PML_E_FORMAT, "'.lora_b' has no place"},
        {{.extra = "a.lora_b"}, PML_E_FORMAT, "'a.lora_b' is there without"},
        {{.extra = "decoder.norm.weight.lora_a"}, PML_E_FORMAT, "'decoder.norm.weight.lora_a' belongs to no matrix"},
        {{.extra = "decoder.norm.weight"}, PML_E_FORMAT, "'decoder.norm.weight' has shape [24,3], not [24]"},
    };
    gpt2_opened o = gpt2_open(&language);
    pml_model *model = trainable(o.file, "r=3"), *loaded = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_file *adapter = NULL;
        PML_ASSERT_OK(pml_file_open(write_adapter(model, o.file, &cases[i].is), &adapter, &error), &error);
        PML_ASSERT_FAILS(pml_model_create_with_adapter(o.file, adapter, NULL, &loaded, &error), cases[i].status, &error,
                         cases[i].says);
        CU_ASSERT_PTR_NULL(loaded);
        pml_file_close(adapter);
    }
    pml_model_destroy(model);
    gpt2_close(&o);
}

static bool none(void *user, const char *name) {
    (void)user;
    return strstr(name, "attention") == NULL;
}

static void targets_must_fit(void) {
    gpt2_opened o = gpt2_open(&language);
    static const struct {
        const char *text;
        pml_weight_filter_fn *filter;
        pml_status status;
        const char *says;
    } cases[] = {{"targets=*.attention.q/*.attention.query", NULL, PML_E_ARGUMENT, "'*.attention.query'"},
                 {"targets=", NULL, PML_E_ARGUMENT, "need targets"},
                 {"targets=decoder.norm", NULL, PML_E_ARGUMENT, "'decoder.norm'"},
                 {"targets=embedding.token", NULL, PML_E_UNSUPPORTED, "'embedding.token.weight' is not a matrix"},
                 {"r=8", none, PML_E_ARGUMENT, "frozen"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_adapter_recipe recipe;
        pml_model *model = NULL;
        PML_ASSERT_OK(pml_adapter_recipe_parse(cases[i].text, &recipe, &error), &error);
        const pml_trainable_options options = {.adapter = &recipe, .is_learned = cases[i].filter};
        PML_ASSERT_FAILS(pml_model_create_trainable(o.file, &options, &model, &error), cases[i].status, &error,
                         cases[i].says);
    }
    gpt2_close(&o);
}

PML_TESTS("runtime/models/adapter", PML_TEST(options_are_read), PML_TEST(training_begins_as_the_base),
          PML_TEST(gradients_match_differences), PML_TEST(the_file_gives_what_was_trained),
          PML_TEST(whole_layers_are_replaced), PML_TEST(bad_files_are_refused), PML_TEST(targets_must_fit))
