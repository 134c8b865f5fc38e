/* Small PatchTST files made in the test: a configuration, deterministic weights, one call. */
#ifndef PML_TESTS_RUNTIME_MODELS_PATCHTST_BUILDER_H
#define PML_TESTS_RUNTIME_MODELS_PATCHTST_BUILDER_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/file/writer.h"
#include "runtime/models/model.h"
#include "runtime/schema/schema.h"
#include "tests/harness.h"

enum { C = 3, T = 30, P = 6, S = 5, D = 8, F = 12, N = 7 }; /* stride 4: (30 - 6) / 4 + 1 */

typedef struct build { /* what differs from the base configuration, and faults to plant */
    const char *head, *norm_type, *scaling, *pooling, *distribution;
    bool post_norm, channel_attention, separate_embedding, separate_projection, use_cls_token, no_ffn_bias, mask_input;
    bool has_range, has_scaler, is_row, is_bf16;
    const char *skip;     /* a tensor to leave out */
    const char *reshape;  /* a tensor whose last axis is made one longer */
    const char *narrow;   /* a tensor to store as BF16 */
    const char *extra;    /* a tensor to add */
    const char *poison;   /* a tensor whose first value becomes infinite */
    const char *enlarge;  /* a tensor whose first value becomes 1000 */
    const char *family;   /* instead of "patchtst" */
    const char *drop_key; /* a configuration key to leave out */
    const char *mask_type;
    bool same_mask; /* channel_consistent_masking */
    double dropout; /* all of them */
} build;

static pml_error error;
static unsigned long long random_state;

static inline float next_value(void) {
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (float)(double)(random_state >> 40) / 8388608.0F - 1.0F;
}

static inline const char *or_text(const char *value, const char *otherwise) {
    return value != NULL ? value : otherwise;
}

static inline pml_metadata *make_metadata(const build *b) {
    const struct {
        const char *key;
        int64_t value;
    } sizes[] = {{"num_input_channels", C}, {"context_length", T}, {"patch_length", P},        {"patch_stride", 4},
                 {"num_hidden_layers", 2},  {"d_model", D},        {"num_attention_heads", 2}, {"ffn_dim", F},
                 {"prediction_length", S},  {"num_targets", 4}};
    const struct {
        const char *key;
        bool value;
    } flags[] = {{"pre_norm", !b->post_norm},
                 {"ffn_bias", !b->no_ffn_bias},
                 {"channel_attention", b->channel_attention},
                 {"share_embedding", !b->separate_embedding},
                 {"share_projection", !b->separate_projection},
                 {"use_cls_token", b->use_cls_token},
                 {"do_mask_input", b->mask_input}};
    const struct {
        const char *key, *value;
    } texts[] = {{"head", or_text(b->head, "prediction")},
                 {"norm_type", or_text(b->norm_type, "batchnorm")},
                 {"activation", "gelu"},
                 {"positional_encoding", "learned"},
                 {"scaling", or_text(b->scaling, "std")},
                 {"pooling", or_text(b->pooling, "none")},
                 {"distribution", or_text(b->distribution, "none")}};
    const double range[] = {-2, 7}, means[C] = {10, -3, 100}, deviations[C] = {2, 0.5, 30};
    char key[64];
    pml_metadata *m;
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "general.family", or_text(b->family, "patchtst"), &error), &error);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(key, sizeof key, "config.%s", sizes[i].key);
        PML_ASSERT_OK(pml_metadata_set_i64(m, key, sizes[i].value, &error), &error);
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        snprintf(key, sizeof key, "config.%s", flags[i].key);
        PML_ASSERT_OK(pml_metadata_set_bool(m, key, flags[i].value, &error), &error);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        snprintf(key, sizeof key, "config.%s", texts[i].key);
        PML_ASSERT_OK(pml_metadata_set_string(m, key, texts[i].value, &error), &error);
    }
    PML_ASSERT_OK(pml_metadata_set_f64(m, "config.norm_eps", 1e-5, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64(m, "config.mask_value", 0.5, &error), &error);
    if (b->mask_type != NULL) {
        static const int64_t last[] = {1, 3}, shown[] = {1};
        PML_ASSERT_OK(pml_metadata_set_string(m, "config.mask_type", b->mask_type, &error), &error);
        PML_ASSERT_OK(pml_metadata_set_f64(m, "config.random_mask_ratio", 0.4, &error), &error);
        PML_ASSERT_OK(pml_metadata_set_i64s(m, "config.num_forecast_mask_patches", last, 2, &error), &error);
        PML_ASSERT_OK(pml_metadata_set_i64s(m, "config.unmasked_channel_indices", shown, 1, &error), &error);
        PML_ASSERT_OK(pml_metadata_set_bool(m, "config.channel_consistent_masking", b->same_mask, &error), &error);
    }
    static const char *const dropouts[] = {"attention", "positional", "path", "ff", "head"};
    for (size_t i = 0; i < 5 && b->dropout > 0; i++) {
        snprintf(key, sizeof key, "config.%s_dropout", dropouts[i]);
        PML_ASSERT_OK(pml_metadata_set_f64(m, key, b->dropout, &error), &error);
    }
    if (b->has_range) {
        PML_ASSERT_OK(pml_metadata_set_f64s(m, "config.output_range", range, 2, &error), &error);
    }
    if (b->has_scaler) {
        PML_ASSERT_OK(pml_metadata_set_f64s(m, "series.mean", means, C, &error), &error);
        PML_ASSERT_OK(pml_metadata_set_f64s(m, "series.std", deviations, C, &error), &error);
    }
    return m;
}

/* Row-major [batch][in][out] values as stored bytes. The caller frees. */
static inline uint8_t *pack(const float *values, pml_dtype dtype, pml_layout layout, const uint64_t *shape,
                            unsigned rank, uint64_t *size_bytes) {
    uint8_t *bytes;
    PML_ASSERT_OK(pml_layout_size(layout, dtype, shape, rank, size_bytes, &error), &error);
    PML_ASSERT_OK(pml_alloc(*size_bytes, 1, &bytes, &error), &error);
    size_t n_out = (size_t)shape[rank - 1], n_in = rank > 1 ? (size_t)shape[rank - 2] : 1, count = 1;
    for (unsigned i = 0; i < rank; i++) {
        count *= (size_t)shape[i];
    }
    size_t depth = dtype == PML_DTYPE_BF16 ? 2 : 1, n_lines = (n_in + depth - 1) / depth;
    size_t n_panels = (n_out + 15) / 16;
    for (size_t i = 0; i < count; i++) {
        size_t matrix = i / (n_in * n_out), row = i / n_out % n_in, column = i % n_out, at = i;
        if (layout == PML_LAYOUT_PANEL) {
            at = (((matrix * n_panels + column / 16) * n_lines + row / depth) * 16 + column % 16) * depth + row % depth;
        }
        if (dtype == PML_DTYPE_BF16) {
            uint16_t narrow = pml_bf16_from_f32(values[i]);
            memcpy(bytes + 2 * at, &narrow, 2);
        } else {
            memcpy(bytes + 4 * at, &values[i], 4);
        }
    }
    return bytes;
}

static inline bool is_named(const char *fault, const char *name) {
    return fault != NULL && strcmp(fault, name) == 0;
}

typedef struct stored { /* a tensor between declaration and writing */
    uint8_t *bytes;
    uint64_t size_bytes;
    size_t i_tensor;
} stored;

static inline stored declare(pml_writer *writer, const build *b, const pml_weight_instance *weight) {
    uint64_t shape[PML_MAX_RANK], count = 1;
    memcpy(shape, weight->shape, sizeof shape);
    shape[weight->rank - 1] += is_named(b->reshape, weight->name) ? 1 : 0;
    for (unsigned i = 0; i < weight->rank; i++) {
        count *= shape[i];
    }
    bool is_matrix = weight->spec->role == PML_ROLE_MATRIX;
    bool is_variance = strstr(weight->name, ".var") != NULL;
    float *values;
    PML_ASSERT_OK(pml_alloc((size_t)count, sizeof *values, &values, &error), &error);
    for (size_t i = 0; i < count; i++) {
        float value = next_value();
        values[i] = is_variance ? 1 + 0.5F * value : is_matrix ? 0.5F * value : value;
    }
    if (is_named(b->poison, weight->name)) {
        values[0] = INFINITY;
    }
    if (is_named(b->enlarge, weight->name)) {
        values[0] = 1000;
    }
    pml_dtype dtype = (is_matrix && b->is_bf16) || is_named(b->narrow, weight->name) ? PML_DTYPE_BF16 : PML_DTYPE_F32;
    pml_layout layout = is_matrix && !b->is_row ? PML_LAYOUT_PANEL : PML_LAYOUT_ROW;
    stored result = {0};
    result.bytes = pack(values, dtype, layout, shape, weight->rank, &result.size_bytes);
    PML_ASSERT_OK(
        pml_writer_add_tensor(writer, weight->name, dtype, layout, shape, weight->rank, NULL, &result.i_tensor, &error),
        &error);
    pml_free(values);
    return result;
}

/* Writes and opens the file. The same build gives the same logical weights in every layout. */
static inline pml_file *make_file(const build *b) {
    static int n_files;
    const char *path = pml_test_path("%s/%d.pml", pml_test_temporary_dir(), n_files++);
    const pml_schema *schema = pml_schema_find("patchtst");
    pml_metadata *metadata = make_metadata(b);
    pml_weight_list list = {0};
    pml_writer *writer;
    pml_file *file = NULL;
    stored tensors[256];
    size_t n_tensors = 0;
    random_state = 7;
    PML_ASSERT_OK(pml_schema_weights(schema, metadata, PML_MAX_TENSORS, &list, &error), &error);
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    if (b->drop_key != NULL) {
        pml_metadata_remove(metadata, b->drop_key);
    }
    PML_ASSERT_OK(pml_writer_set_metadata(writer, metadata, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        if (!is_named(b->skip, list.items[i].name)) {
            tensors[n_tensors++] = declare(writer, b, &list.items[i]);
        }
    }
    if (b->extra != NULL) {
        pml_weight_instance more = list.items[0];
        more.name = (char *)(uintptr_t)b->extra;
        tensors[n_tensors++] = declare(writer, b, &more);
    }
    PML_ASSERT_OK(pml_writer_begin(writer, path, false, &error), &error);
    for (size_t i = 0; i < n_tensors; i++) {
        PML_ASSERT_OK(pml_writer_tensor_write(writer, tensors[i].i_tensor, tensors[i].bytes,
                                              (size_t)tensors[i].size_bytes, &error),
                      &error);
        pml_free(tensors[i].bytes);
    }
    PML_ASSERT_OK(pml_writer_finish(writer, &error), &error);
    pml_writer_destroy(writer);
    pml_weight_list_deinit(&list);
    pml_metadata_destroy(metadata);
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    return file;
}

typedef struct opened {
    pml_file *file;
    pml_model *model;
} opened;

static inline opened open_model(const build *b, const char *backend) {
    opened o = {.file = make_file(b)};
    PML_ASSERT_OK(pml_model_create(o.file, backend, &o.model, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(o.model);
    return o;
}

static inline void close_model(opened *o) {
    pml_model_destroy(o->model);
    pml_file_close(o->file);
}

/* The status of creating a model from that build. */
static inline pml_status try_create(const build *b) {
    pml_file *file = make_file(b);
    pml_model *model = NULL;
    pml_status status = pml_model_create(file, NULL, &model, &error);
    pml_model_destroy(model);
    pml_file_close(file);
    return status;
}

static inline void fill_series(float *values, size_t n_samples) {
    random_state = 99;
    for (size_t i = 0; i < n_samples * T * C; i++) {
        values[i] = 3 * next_value() + (float)(i % C);
    }
}

static inline pml_array series(const float *values, size_t n_samples) {
    return (pml_array){.name = "past_values", .data = values, .rank = 3, .shape = {n_samples, T, C}};
}

#endif
