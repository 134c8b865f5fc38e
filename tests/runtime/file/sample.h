/* A small .pml file of every shape that the writer makes, for the tests of this folder. */
#ifndef PML_TESTS_RUNTIME_FILE_SAMPLE_H
#define PML_TESTS_RUNTIME_FILE_SAMPLE_H

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/file/file.h"
#include "runtime/file/writer.h"

typedef struct sample_tensor {
    const char *name;
    pml_dtype dtype;
    pml_layout layout;
    unsigned rank;
    uint64_t shape[PML_MAX_RANK];
    const char *transforms;
} sample_tensor;

static const sample_tensor sample_tensors[] = {
    {"patch.w", PML_DTYPE_F32, PML_LAYOUT_PANEL, 2, {3, 18}, "transpose"},
    {"bias", PML_DTYPE_F32, PML_LAYOUT_ROW, 1, {5}, ""},
    {"heads.w", PML_DTYPE_BF16, PML_LAYOUT_PANEL, 3, {2, 3, 17}, "reshape(2,3,17);transpose"},
    {"scalar", PML_DTYPE_F32, PML_LAYOUT_ROW, 0, {0}, ""},
    {"table", PML_DTYPE_F32, PML_LAYOUT_ROW, 2, {33, 32}, ""}, /* 4224 bytes: aligned to a page */
    {"table.bf16", PML_DTYPE_BF16, PML_LAYOUT_ROW, 2, {3, 5}, ""},
    {"wide.w", PML_DTYPE_F32, PML_LAYOUT_PANEL, 2, {64, 32}, "transpose"}, /* 8192 bytes */
};
#define SAMPLE_COUNT (sizeof sample_tensors / sizeof sample_tensors[0])

/* Logical element `i` of tensor `t`: small integers and halves, exact in BF16. */
static inline float sample_value(size_t t, uint64_t i) {
    return (float)((int64_t)((i * 7 + t * 13) % 61) - 30) / 2;
}

static inline void sample_store(uint8_t *out, pml_dtype dtype, float value) {
    uint16_t bits = pml_bf16_from_f32(value);
    if (dtype == PML_DTYPE_BF16) {
        memcpy(out, &bits, 2);
    } else {
        memcpy(out, &value, 4);
    }
}

/* Byte of element [batch][row][column] in the stored form, by the definition of the layout. */
static inline uint64_t sample_position(const sample_tensor *t, uint64_t batch, uint64_t row, uint64_t column) {
    uint64_t in = t->shape[t->rank - 2], out = t->shape[t->rank - 1];
    uint64_t element = t->dtype == PML_DTYPE_BF16 ? 2 : 4, depth = 4 / element;
    uint64_t lines = (in + depth - 1) / depth, panels = (out + 15) / 16;
    return ((batch * panels + column / 16) * lines + row / depth) * 64 + (column % 16) * 4 + row % depth * element;
}

static inline void sample_fill(size_t i_tensor, uint8_t *bytes) {
    const sample_tensor *t = &sample_tensors[i_tensor];
    uint64_t n = 1;
    for (unsigned i = 0; i < t->rank; i++) {
        n *= t->shape[i];
    }
    uint64_t element = t->dtype == PML_DTYPE_BF16 ? 2 : 4;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = i * element;
        if (t->layout == PML_LAYOUT_PANEL) {
            uint64_t out = t->shape[t->rank - 1], in = t->shape[t->rank - 2];
            at = sample_position(t, i / out / in, i / out % in, i % out);
        }
        sample_store(bytes + at, t->dtype, sample_value(i_tensor, i));
    }
}

static inline pml_status sample_metadata(pml_metadata *m, pml_error *error) {
    static const int64_t levels[] = {1, -2, INT64_MAX};
    static const double means[] = {0.5, -1e300};
    static const char *const columns[] = {"HUFL", "", "\xc3\xa9t\xc3\xa9"};
    pml_status status;
    PML_TRY(pml_metadata_set_string(m, "general.family", "patchtst", error));
    PML_TRY(pml_metadata_set_bool(m, "config.shared", true, error));
    PML_TRY(pml_metadata_set_i64(m, "config.d_model", 16, error));
    PML_TRY(pml_metadata_set_f64(m, "config.norm_eps", 1e-5, error));
    PML_TRY(pml_metadata_set_i64s(m, "config.levels", levels, 3, error));
    PML_TRY(pml_metadata_set_i64s(m, "config.none", NULL, 0, error));
    PML_TRY(pml_metadata_set_f64s(m, "series.mean", means, 2, error));
    PML_TRY(pml_metadata_set_strings(m, "series.columns", columns, 3, error));
    PML_TRY(pml_metadata_set_string(m, "provenance.sha256", "0123", error));
done:
    return status;
}

/* Writes the sample tensors in pieces of `piece_bytes`, all tensors by turns. */
static inline pml_status sample_stream(pml_writer *writer, const size_t *ids, size_t piece_bytes, pml_error *error) {
    pml_status status = PML_OK;
    uint8_t *bytes[SAMPLE_COUNT] = {NULL};
    uint64_t sizes[SAMPLE_COUNT], longest = 0;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        const sample_tensor *t = &sample_tensors[i];
        PML_TRY(pml_layout_size(t->layout, t->dtype, t->shape, t->rank, &sizes[i], error));
        PML_TRY(pml_alloc(sizes[i], 1, &bytes[i], error));
        sample_fill(i, bytes[i]);
        longest = sizes[i] > longest ? sizes[i] : longest;
    }
    for (uint64_t at = 0; at < longest; at += piece_bytes) {
        for (size_t i = 0; i < SAMPLE_COUNT; i++) {
            uint64_t left = at < sizes[i] ? sizes[i] - at : 0;
            PML_TRY(pml_writer_tensor_write(writer, ids[i], bytes[i] + (left > 0 ? at : 0),
                                            left < piece_bytes ? left : piece_bytes, error));
        }
    }
done:
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        pml_free(bytes[i]);
    }
    return status;
}

static inline pml_status sample_declare(pml_writer *writer, size_t ids[SAMPLE_COUNT], pml_error *error) {
    pml_status status;
    pml_metadata *m = NULL;
    PML_TRY(pml_metadata_create(&m, error));
    PML_TRY(sample_metadata(m, error));
    PML_TRY(pml_writer_set_metadata(writer, m, error));
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        const sample_tensor *t = &sample_tensors[i];
        PML_TRY(pml_writer_add_tensor(writer, t->name, t->dtype, t->layout, t->shape, t->rank, t->transforms, &ids[i],
                                      error));
    }
    PML_TRY(pml_writer_add_blob(writer, "selftest", "a few vectors", 13, error));
    PML_TRY(pml_writer_add_blob(writer, "empty", NULL, 0, error));
done:
    pml_metadata_destroy(m);
    return status;
}

static inline pml_status sample_write(const char *path, bool replace, size_t piece_bytes, pml_error *error) {
    pml_status status;
    pml_writer *writer = NULL;
    size_t ids[SAMPLE_COUNT];
    PML_TRY(pml_writer_create(PML_KIND_MODEL, &writer, error));
    PML_TRY(sample_declare(writer, ids, error));
    PML_TRY(pml_writer_begin(writer, path, replace, error));
    PML_TRY(sample_stream(writer, ids, piece_bytes, error));
    pml_writer_set_quantization_error(writer, ids[2], 0.125);
    PML_TRY(pml_writer_finish(writer, error));
done:
    pml_writer_destroy(writer);
    return status;
}

#endif
