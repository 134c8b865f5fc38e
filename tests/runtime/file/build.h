/* Assembles .pml files in memory record by record, also such as the writer does not make: I8 and complex tensors,
 * newer minor versions, and files with one fault. */
#ifndef PML_TESTS_RUNTIME_FILE_BUILD_H
#define PML_TESTS_RUNTIME_FILE_BUILD_H

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/file/file.h"

typedef struct build_tensor {
    const char *name, *transforms;
    uint32_t dtype, layout, rank, group_rows;
    uint64_t shape[PML_MAX_RANK];
} build_tensor;

typedef struct build_blob {
    const char *name, *text;
} build_blob;

typedef struct build_options {
    uint16_t minor;
    uint32_t flags, header_bytes, tensor_record_bytes, blob_record_bytes;
} build_options;

typedef struct built {
    uint8_t *bytes;
    size_t size_bytes;
} built;

static const build_options build_v1 = {0, 0, 256, 192, 64};

static inline void *build_zeros(size_t size_bytes) {
    void *bytes = calloc(size_bytes + 1, 1);
    if (bytes == NULL) {
        abort();
    }
    return bytes;
}

static inline uint64_t build_align(uint64_t value, uint64_t alignment) {
    return (value + alignment - 1) / alignment * alignment;
}

static inline size_t build_head_bytes(const uint8_t *bytes) {
    return (size_t)pml_load_u64(bytes + 144);
}

/* Makes the checksum of the head fit what the head says now, when it says something that has a head. */
static inline void build_reseal(uint8_t *bytes, size_t size_bytes) {
    uint64_t head_bytes = size_bytes < 256 ? 0 : pml_load_u64(bytes + 144);
    if (head_bytes >= 256 && head_bytes <= size_bytes) {
        pml_store_u64(bytes + PML_CHECKSUM_OFFSET, pml_head_checksum(bytes, (size_t)head_bytes));
    }
}

/* Element (batch, row, column) of a panelled tensor of `element` bytes per number: its byte. */
static inline uint64_t build_position(uint64_t in, uint64_t out, uint64_t element, uint64_t batch, uint64_t row,
                                      uint64_t column) {
    uint64_t depth = 4 / element, lines = (in + depth - 1) / depth, panels = (out + 15) / 16;
    return ((batch * panels + column / 16) * lines + row / depth) * 64 + column % 16 * 4 + row % depth * element;
}

static inline float build_value(uint64_t i) {
    return (float)((int64_t)(i * 7 % 61) - 30) / 2;
}

/* Real part of a tensor: F32, BF16 or I8 numbers (the last between -30 and 30). */
static inline void build_fill_real(const build_tensor *t, uint32_t dtype, uint64_t seed, uint8_t *out) {
    uint64_t n = 1, element = dtype == PML_DTYPE_F32 ? 4 : dtype == PML_DTYPE_BF16 ? 2 : 1;
    for (unsigned i = 0; i < t->rank; i++) {
        n *= t->shape[i];
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = i * element;
        if (t->layout == PML_LAYOUT_PANEL) {
            uint64_t columns = t->shape[t->rank - 1], rows = t->shape[t->rank - 2];
            at = build_position(rows, columns, element, i / columns / rows, i / columns % rows, i % columns);
        }
        float value = build_value(i + seed);
        uint16_t bits = pml_bf16_from_f32(value);
        int8_t quantized = (int8_t)(value * 2);
        memcpy(out + at,
               dtype == PML_DTYPE_F32    ? (void *)&value
               : dtype == PML_DTYPE_BF16 ? (void *)&bits
                                         : &quantized,
               element);
    }
}

/* Scales 0.25, 0.5, 1, 2 by column and group, and the true sums, in the arrangement of specs/pml-format.md §10. */
static inline void build_fill_sides(const build_tensor *t, const uint8_t *data, uint8_t *scales, uint8_t *sums) {
    uint64_t in = t->shape[t->rank - 2], out = t->shape[t->rank - 1], batches = 1, panels = (out + 15) / 16;
    uint64_t rows = t->group_rows == 0 ? in : t->group_rows, groups = (in + rows - 1) / rows;
    for (unsigned i = 0; i + 2 < t->rank; i++) {
        batches *= t->shape[i];
    }
    for (uint64_t i = 0; i < batches * groups * out; i++) {
        uint64_t b = i / out / groups, k = i / out % groups, c = i % out;
        uint64_t entry = ((b * panels + c / 16) * groups + k) * 16 + c % 16;
        int32_t sum = 0;
        for (uint64_t r = k * rows; r < (k + 1) * rows && r < in; r++) {
            sum += (int8_t)data[build_position(in, out, 1, b, r, c)];
        }
        int16_t short_sum = (int16_t)sum;
        float scale = (float)(1u << (c + k) % 4) / 4;
        uint16_t half = (uint16_t)((13 + (c + k) % 4) << 10); /* the same in F16 */
        memcpy(scales + entry * (t->group_rows == 0 ? 4 : 2), t->group_rows == 0 ? (void *)&scale : (void *)&half,
               t->group_rows == 0 ? 4 : 2);
        memcpy(sums + entry * (t->group_rows == 0 ? 4 : 2), t->group_rows == 0 ? (void *)&sum : (void *)&short_sum,
               t->group_rows == 0 ? 4 : 2);
    }
}

static inline void build_fill(const build_tensor *t, const pml_file_tensor *tensor, uint8_t *bytes) {
    uint8_t *data = bytes + tensor->offset_bytes;
    if (t->dtype != PML_DTYPE_C64) {
        build_fill_real(t, t->dtype, 0, data);
    } else {
        uint64_t real_bytes = 0;
        CU_ASSERT_EQUAL_FATAL(
            pml_layout_size((pml_layout)t->layout, PML_DTYPE_F32, t->shape, t->rank, &real_bytes, NULL), PML_OK);
        build_fill_real(t, PML_DTYPE_F32, 0, data);
        build_fill_real(t, PML_DTYPE_F32, 5, data + build_align(real_bytes, 64));
    }
    if (t->dtype == PML_DTYPE_I8) {
        build_fill_sides(t, data, bytes + tensor->scales.offset_bytes, bytes + tensor->sums.offset_bytes);
    }
}

static inline void build_place(pml_file_extent *extent, uint64_t size_bytes, uint64_t *end) {
    extent->size_bytes = size_bytes;
    if (size_bytes > 0) {
        extent->offset_bytes = build_align(*end, size_bytes >= 4096 ? 4096 : 64);
        *end = extent->offset_bytes + size_bytes;
    }
}

static inline void build_seal_extent(pml_file_extent *extent, const uint8_t *bytes) {
    if (extent->size_bytes > 0) {
        extent->checksum = pml_bytes_checksum(bytes + extent->offset_bytes, (size_t)extent->size_bytes);
    }
}

static inline void build_section(pml_header *h, pml_section_id id, uint64_t size_bytes, uint64_t *end) {
    h->sections[id].offset_bytes = build_align(*end, 64);
    h->sections[id].size_bytes = size_bytes;
    *end = h->sections[id].offset_bytes + size_bytes;
}

typedef struct build_input {
    const build_options *options;
    const build_tensor *tensors;
    size_t n_tensors;
    const build_blob *blobs;
    size_t n_blobs;
    uint8_t *metadata, *content; /* encoded with and without provenance */
    size_t metadata_bytes, content_bytes;
    pml_file_tensor placed[16]; /* what the records will say */
} build_input;

/* Places the extents of one tensor. */
static inline void build_plan_tensor(build_input *in, size_t i_tensor, uint64_t *end) {
    const build_tensor *t = &in->tensors[i_tensor];
    pml_file_tensor *placed = &in->placed[i_tensor];
    pml_file_extent data = {0};
    uint64_t size_bytes = 0, scales_bytes = 0, sums_bytes = 0;
    CU_ASSERT_EQUAL_FATAL(
        pml_layout_size((pml_layout)t->layout, (pml_dtype)t->dtype, t->shape, t->rank, &size_bytes, NULL), PML_OK);
    CU_ASSERT_EQUAL_FATAL(
        pml_layout_scales((pml_dtype)t->dtype, t->shape, t->rank, t->group_rows, &scales_bytes, &sums_bytes, NULL),
        PML_OK);
    build_place(&data, size_bytes, end);
    build_place(&placed->scales, scales_bytes, end);
    build_place(&placed->sums, sums_bytes, end);
    placed->name = t->name;
    placed->dtype = (pml_dtype)t->dtype;
    placed->layout = (pml_layout)t->layout;
    placed->rank = t->rank;
    placed->group_rows = t->group_rows;
    placed->scale_factor = t->group_rows == 0 ? 0.0f : 0.5f;
    memcpy(placed->shape, t->shape, sizeof t->shape);
    placed->offset_bytes = data.offset_bytes;
    placed->size_bytes = data.size_bytes;
}

static inline void build_plan(build_input *in, pml_header *h) {
    const build_options *options = in->options;
    uint64_t end = options->header_bytes, string_bytes = 0;
    for (size_t i = 0; i < in->n_tensors; i++) {
        string_bytes += strlen(in->tensors[i].name) + strlen(in->tensors[i].transforms) + 2;
    }
    for (size_t i = 0; i < in->n_blobs; i++) {
        string_bytes += strlen(in->blobs[i].name) + 1;
    }
    *h = (pml_header){.version_major = 1,
                      .version_minor = options->minor,
                      .header_bytes = options->header_bytes,
                      .kind = PML_KIND_MODEL,
                      .flags = options->flags,
                      .i_part = 1,
                      .n_parts = 1,
                      .n_tensors = (uint32_t)in->n_tensors,
                      .tensor_record_bytes = options->tensor_record_bytes,
                      .n_blobs = (uint32_t)in->n_blobs,
                      .blob_record_bytes = options->blob_record_bytes};
    build_section(h, PML_SECTION_METADATA, in->metadata_bytes, &end);
    build_section(h, PML_SECTION_TENSORS, in->n_tensors * options->tensor_record_bytes, &end);
    build_section(h, PML_SECTION_STRINGS, string_bytes, &end);
    build_section(h, PML_SECTION_BLOBS, in->n_blobs * options->blob_record_bytes, &end);
    build_section(h, PML_SECTION_BLOB_DATA, 0, &end);
    for (size_t i = 0; i < in->n_blobs; i++) {
        end = build_align(end, 64) + strlen(in->blobs[i].text);
    }
    h->sections[PML_SECTION_BLOB_DATA].size_bytes = end - h->sections[PML_SECTION_BLOB_DATA].offset_bytes;
    build_section(h, PML_SECTION_TENSOR_DATA, 0, &end);
    for (size_t i = 0; i < in->n_tensors; i++) {
        build_plan_tensor(in, i, &end);
    }
    h->file_bytes = build_align(end, 64);
    h->sections[PML_SECTION_TENSOR_DATA].size_bytes = h->file_bytes - h->sections[PML_SECTION_TENSOR_DATA].offset_bytes;
}

/* Appends a string to the section at `strings`; returns where it begins there. */
static inline uint64_t build_string(uint8_t *strings, uint64_t *used, const char *text, uint32_t *length) {
    uint64_t offset = *used;
    *length = (uint32_t)strlen(text);
    memcpy(strings + offset, text, *length);
    *used += *length + 1;
    return offset;
}

static inline void build_write_tensor(build_input *in, size_t i_tensor, const pml_header *h, uint8_t *bytes,
                                      uint64_t *used) {
    const build_tensor *t = &in->tensors[i_tensor];
    pml_file_tensor *placed = &in->placed[i_tensor];
    uint8_t *strings = bytes + h->sections[PML_SECTION_STRINGS].offset_bytes;
    uint8_t *at = bytes + h->sections[PML_SECTION_TENSORS].offset_bytes + i_tensor * h->tensor_record_bytes;
    pml_file_extent data = {placed->offset_bytes, placed->size_bytes, 0};
    build_fill(t, placed, bytes);
    build_seal_extent(&data, bytes);
    build_seal_extent(&placed->scales, bytes);
    build_seal_extent(&placed->sums, bytes);
    placed->checksum = data.checksum;
    pml_tensor_record record = {
        .tensor = *placed, .dtype = t->dtype, .layout = t->layout, .rank = t->rank, .flags = h->flags};
    record.name_offset = build_string(strings, used, t->name, &record.name_bytes);
    record.transforms_offset = build_string(strings, used, t->transforms, &record.transforms_bytes);
    /* What lies behind the known part belongs to a newer version. */
    memset(at, 0xa5, h->tensor_record_bytes);
    pml_tensor_record_encode(&record, at);
}

static inline void build_write_blobs(const build_input *in, const pml_header *h, uint8_t *bytes, uint64_t *used) {
    uint8_t *strings = bytes + h->sections[PML_SECTION_STRINGS].offset_bytes;
    uint8_t *at = bytes + h->sections[PML_SECTION_BLOBS].offset_bytes;
    uint64_t end = h->sections[PML_SECTION_BLOB_DATA].offset_bytes;
    for (size_t i = 0; i < in->n_blobs; i++, at += h->blob_record_bytes) {
        const char *text = in->blobs[i].text;
        pml_blob_record record = {.flags = h->flags, .offset_bytes = build_align(end, 64), .size_bytes = strlen(text)};
        record.name_offset = build_string(strings, used, in->blobs[i].name, &record.name_bytes);
        record.checksum = pml_bytes_checksum(text, (size_t)record.size_bytes);
        memcpy(bytes + record.offset_bytes, text, (size_t)record.size_bytes);
        pml_blob_record_encode(&record, at);
        memset(at + 40, h->version_minor > 0 ? 0xa5 : 0, h->blob_record_bytes - 40);
        end = record.offset_bytes + record.size_bytes;
    }
}

/* Tensors and blobs must be given in ascending order of names; at most 16 tensors. The caller frees .bytes. */
static inline built build_file(const build_options *options, const pml_metadata *m, const build_tensor *tensors,
                               size_t n_tensors, const build_blob *blobs, size_t n_blobs) {
    build_input in = {
        .options = options, .tensors = tensors, .n_tensors = n_tensors, .blobs = blobs, .n_blobs = n_blobs};
    pml_header h;
    uint64_t used = 0;
    CU_ASSERT_EQUAL_FATAL(pml_metadata_encode(m, true, &in.metadata, &in.metadata_bytes, NULL), PML_OK);
    CU_ASSERT_EQUAL_FATAL(pml_metadata_encode(m, false, &in.content, &in.content_bytes, NULL), PML_OK);
    build_plan(&in, &h);
    built file = {build_zeros((size_t)h.file_bytes), (size_t)h.file_bytes};
    memset(file.bytes + 192, h.version_minor > 0 ? 0xa5 : 0, h.header_bytes - 192);
    memcpy(file.bytes + h.sections[PML_SECTION_METADATA].offset_bytes, in.metadata, in.metadata_bytes);
    for (size_t i = 0; i < n_tensors; i++) {
        build_write_tensor(&in, i, &h, file.bytes, &used);
    }
    build_write_blobs(&in, &h, file.bytes, &used);
    CU_ASSERT_EQUAL_FATAL(
        pml_content_digest(in.content, in.content_bytes, in.placed, n_tensors, h.content_digest, NULL), PML_OK);
    uint8_t header[PML_HEADER_BYTES];
    pml_header_encode(&h, header);
    memcpy(file.bytes, header, 192);
    build_reseal(file.bytes, file.size_bytes);
    pml_free(in.metadata);
    pml_free(in.content);
    return file;
}

/* ---- two files that several tests use ---- */

static const build_tensor base_tensors[] = {
    {"a", "", PML_DTYPE_F32, PML_LAYOUT_ROW, 1, 0, {5}},
    {"b", "transpose", PML_DTYPE_F32, PML_LAYOUT_PANEL, 2, 0, {3, 18}},
    {"c", "", PML_DTYPE_I8, PML_LAYOUT_PANEL, 2, 0, {5, 20}},
};
static const build_blob base_blobs[] = {{"selftest", "12345"}, {"x", "abc"}};

static const build_tensor rich_tensors[] = {
    {"complex.panel", "", PML_DTYPE_C64, PML_LAYOUT_PANEL, 3, 0, {2, 4, 18}},
    {"complex.row", "", PML_DTYPE_C64, PML_LAYOUT_ROW, 1, 0, {3}},
    {"conv.w", "permute(2,1,0)", PML_DTYPE_F32, PML_LAYOUT_PANEL, 2, 0, {21, 16}},
    {"int8.column", "transpose", PML_DTYPE_I8, PML_LAYOUT_PANEL, 3, 0, {2, 5, 20}},
    {"int8.g32", "transpose", PML_DTYPE_I8, PML_LAYOUT_PANEL, 2, 32, {70, 17}},
    {"int8.g64", "transpose", PML_DTYPE_I8, PML_LAYOUT_PANEL, 2, 64, {100, 20}},
    {"row.f32", "", PML_DTYPE_F32, PML_LAYOUT_ROW, 2, 0, {33, 32}},
    {"spec.bf16", "", PML_DTYPE_BF16, PML_LAYOUT_PANEL, 2, 0, {3, 2}},
};

/* Metadata of 200 bytes: a bool at 8, an i64 at 48, a string at 88, a string array at 136. */
static inline pml_metadata *build_base_metadata(void) {
    static const char *const columns[] = {"HUFL", ""};
    pml_metadata *m = NULL;
    CU_ASSERT_EQUAL_FATAL(pml_metadata_create(&m, NULL), PML_OK);
    CU_ASSERT_EQUAL_FATAL(pml_metadata_set_bool(m, "config.flag", true, NULL), PML_OK);
    CU_ASSERT_EQUAL_FATAL(pml_metadata_set_i64(m, "config.n", -3, NULL), PML_OK);
    CU_ASSERT_EQUAL_FATAL(pml_metadata_set_string(m, "general.family", "demo", NULL), PML_OK);
    CU_ASSERT_EQUAL_FATAL(pml_metadata_set_strings(m, "series.columns", columns, 2, NULL), PML_OK);
    return m;
}

static inline built build_base(void) {
    pml_metadata *m = build_base_metadata();
    built file = build_file(&build_v1, m, base_tensors, 3, base_blobs, 2);
    pml_metadata_destroy(m);
    return file;
}

static inline built build_rich(const build_options *options) {
    pml_metadata *m = build_base_metadata();
    built file = build_file(options, m, rich_tensors, sizeof rich_tensors / sizeof rich_tensors[0], base_blobs, 2);
    pml_metadata_destroy(m);
    return file;
}

#endif
