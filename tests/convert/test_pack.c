#include "convert/pack.h"

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "tests/convert/checkpoint.h"
#include "tests/mappers/view_index.h"

/* ---- the plain definition -------------------------------------------------------------------------------------- */

static float plain_value(pml_dtype dtype, const uint8_t *bytes, uint64_t i) {
    uint16_t half;
    float single;
    double twice;
    switch (dtype) {
    case PML_DTYPE_F64:
        memcpy(&twice, bytes + 8 * i, sizeof twice);
        return (float)twice;
    case PML_DTYPE_F32:
        memcpy(&single, bytes + 4 * i, sizeof single);
        return single;
    default:
        memcpy(&half, bytes + 2 * i, sizeof half);
        return dtype == PML_DTYPE_F16 ? pml_f32_from_f16(half) : pml_f32_from_bf16(half);
    }
}

/* Stored bytes of logical values [n_batches][n_rows][n_columns], element by element. The caller frees. */
static uint8_t *plain_layout(const float *values, pml_dtype dtype, pml_layout layout, size_t n_batches, size_t n_rows,
                             size_t n_columns, size_t *size_bytes) {
    const size_t depth = dtype == PML_DTYPE_BF16 ? 2 : 1, each = dtype == PML_DTYPE_BF16 ? 2 : 4;
    const size_t lines = (n_rows + depth - 1) / depth, panels = (n_columns + 15) / 16;
    const size_t n =
        layout == PML_LAYOUT_ROW ? n_batches * n_rows * n_columns : n_batches * panels * lines * 16 * depth;
    uint8_t *bytes = calloc(n + 1, each);
    if (bytes == NULL) {
        abort();
    }
    for (size_t b = 0; b < n_batches; b++) {
        for (size_t i = 0; i < n_rows; i++) {
            for (size_t c = 0; c < n_columns; c++) {
                const float value = values[(b * n_rows + i) * n_columns + c];
                size_t at = (b * n_rows + i) * n_columns + c;
                if (layout == PML_LAYOUT_PANEL) {
                    at = (((b * panels + c / 16) * lines + i / depth) * 16 + c % 16) * depth + i % depth;
                }
                if (dtype == PML_DTYPE_BF16) {
                    const uint16_t rounded = pml_bf16_from_f32(value);
                    memcpy(bytes + 2 * at, &rounded, sizeof rounded);
                } else {
                    memcpy(bytes + 4 * at, &value, sizeof value);
                }
            }
        }
    }
    *size_bytes = n * each;
    return bytes;
}

/* ---- running it ------------------------------------------------------------------------------------------------ */

typedef struct stored {
    uint8_t *bytes;
    size_t size_bytes, capacity;
    uint64_t greatest_end[8]; /* per source tensor, by the digit that ends its name */
    uint64_t n_writes;
} stored;

static pml_status collect(void *user, const void *bytes, size_t size_bytes, pml_error *error) {
    stored *s = user;
    (void)error;
    if (s->size_bytes + size_bytes > s->capacity) {
        s->capacity = 2 * (s->size_bytes + size_bytes);
        s->bytes = realloc(s->bytes, s->capacity);
        if (s->bytes == NULL) {
            abort();
        }
    }
    memcpy(s->bytes + s->size_bytes, bytes, size_bytes);
    s->size_bytes += size_bytes;
    s->n_writes++;
    return PML_OK;
}

static pml_status note_end(void *user, const pml_source_tensor *tensor, uint64_t end_bytes, pml_error *error) {
    stored *s = user;
    (void)error;
    uint64_t *greatest = &s->greatest_end[tensor->name[strlen(tensor->name) - 1] - '0'];
    *greatest = end_bytes > *greatest ? end_bytes : *greatest;
    return PML_OK;
}

typedef struct pack_case {
    const char *transform;
    unsigned source_rank;
    uint64_t source_shape[PML_MAX_RANK];
    unsigned n_parts; /* tensors stacked; 0: one that is not */
    unsigned rank;    /* of the weight */
    uint64_t shape[PML_MAX_RANK];
} pack_case;

/* A source file of one case, opened, with its weight. */
typedef struct fixture {
    pml_source *source;
    uint8_t *bytes[8];
    pml_weight_spec spec;
    pml_weight_instance weight;
    pml_mapped_part parts[8];
    pml_mapped_weight mapped;
    char name[16];
} fixture;

static void set_up(fixture *f, const pack_case *c, pml_dtype dtype, size_t n_blanks) {
    static unsigned n_files;
    static const char *const names[] = {"t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"};
    test_tensor tensors[8];
    pml_error error;
    const unsigned n_parts = c->n_parts > 0 ? c->n_parts : 1;
    const char *path = pml_test_path("%s/%u.safetensors", pml_test_temporary_dir(), n_files++);
    memset(f, 0, sizeof *f);
    for (unsigned k = 0; k < n_parts; k++) {
        tensors[k] = (test_tensor){.name = names[k], .dtype = dtype, .rank = c->source_rank};
        memcpy(tensors[k].shape, c->source_shape, sizeof tensors[k].shape);
        f->bytes[k] = test_fill(dtype, test_count(&tensors[k]), 1000 * k + n_files);
        tensors[k].bytes = f->bytes[k];
    }
    test_write_safetensors(path, tensors, n_parts, n_blanks);
    if (!pml_test_ok(pml_source_open(path, &f->source, &error), &error, __FILE__, __LINE__)) {
        exit(1);
    }
    memcpy(f->name, "weight", 7);
    f->spec = (pml_weight_spec){.name = "weight", .role = PML_ROLE_MATRIX};
    f->weight = (pml_weight_instance){.name = f->name, .spec = &f->spec, .l = -1, .rank = c->rank};
    memcpy(f->weight.shape, c->shape, sizeof f->weight.shape);
    for (unsigned k = 0; k < n_parts; k++) {
        f->parts[k] = (pml_mapped_part){pml_source_tensor_find(f->source, names[k]), k};
    }
    f->mapped = (pml_mapped_weight){&f->weight, c->transform, f->parts, n_parts};
}

static void tear_down(fixture *f) {
    pml_source_close(f->source);
    for (size_t k = 0; k < 8; k++) {
        free(f->bytes[k]);
    }
}

/* The logical values by the definition of views. The caller frees. */
static float *plain_values(const fixture *f, const pack_case *c, pml_dtype dtype, size_t *count) {
    pml_view view;
    pml_error error;
    if (!pml_test_ok(pml_transform_view(c->transform, c->source_shape, c->source_rank, &view, &error), &error, __FILE__,
                     __LINE__)) {
        exit(1);
    }
    size_t n_each = 1;
    for (unsigned a = 0; a < view.rank; a++) {
        n_each *= (size_t)view.shape[a];
    }
    *count = n_each * f->mapped.n_parts;
    float *values = malloc((*count + 1) * sizeof *values);
    if (values == NULL) {
        abort();
    }
    for (size_t k = 0; k < f->mapped.n_parts; k++) {
        for (size_t i = 0; i < n_each; i++) {
            values[k * n_each + i] = plain_value(dtype, f->bytes[k], view_source_index(&view, i));
        }
    }
    return values;
}

static double plain_error(const float *values, size_t n) {
    double wrong = 0, signal = 0;
    for (size_t i = 0; i < n; i++) {
        const double value = (double)values[i];
        const double difference = (double)pml_f32_from_bf16(pml_bf16_from_f32(values[i])) - value;
        wrong += difference * difference;
        signal += value * value;
    }
    return wrong > 0 ? sqrt(wrong / signal) : 0;
}

static void check_case(pml_packer *packer, const pack_case *c, pml_dtype source_dtype, pml_dtype dtype,
                       pml_layout layout, size_t n_blanks) {
    fixture f;
    pml_error error;
    stored s = {0};
    pml_pack_result result;
    size_t n_values, n_expected;
    uint64_t planned;
    set_up(&f, c, source_dtype, n_blanks);
    float *values = plain_values(&f, c, source_dtype, &n_values);
    const size_t n_columns = c->rank > 0 ? (size_t)c->shape[c->rank - 1] : 1;
    const size_t n_rows = c->rank > 1 ? (size_t)c->shape[c->rank - 2] : 1;
    uint8_t *expected =
        plain_layout(values, dtype, layout, n_values / (n_rows * n_columns), n_rows, n_columns, &n_expected);
    const pml_pack_job job = {.source = f.source,
                              .weight = &f.mapped,
                              .dtype = dtype,
                              .layout = layout,
                              .before_read = note_end,
                              .sink = collect,
                              .user = &s};
    PML_ASSERT_OK(pml_packer_run(packer, &job, &result, &error), &error);
    PML_ASSERT_OK(pml_layout_size(layout, dtype, c->shape, c->rank, &planned, &error), &error);
    CU_ASSERT_EQUAL(planned, s.size_bytes);
    CU_ASSERT_EQUAL_FATAL(n_expected, s.size_bytes);
    const bool equal = memcmp(expected, s.bytes, n_expected) == 0;
    CU_ASSERT_TRUE(equal);
    if (!equal) {
        printf("\n    \"%s\", rank %u, %s to %s %s\n", c->transform, c->rank, pml_dtype_name(source_dtype),
               pml_dtype_name(dtype), pml_layout_name(layout));
    }
    const double rms = dtype == PML_DTYPE_BF16 ? plain_error(values, n_values) : 0;
    CU_ASSERT_TRUE(fabs(result.quantization_error - rms) <= 1e-12 * rms);
    CU_ASSERT_EQUAL(result.n_nonfinite + result.n_overflowed, 0);
    free(expected);
    free(values);
    free(s.bytes);
    tear_down(&f);
}

static const pack_case cases[] = {
    {"transpose", 2, {33, 70}, 0, 2, {70, 33}},
    {"transpose", 2, {16, 16}, 0, 2, {16, 16}},
    {"transpose", 2, {1, 5}, 0, 2, {5, 1}},
    {"transpose", 2, {5, 1}, 0, 2, {1, 5}},
    {"transpose", 2, {48, 515}, 0, 2, {515, 48}},
    {"", 2, {70, 33}, 0, 2, {70, 33}},
    {"", 2, {33, 16}, 0, 2, {33, 16}},
    {"", 1, {49}, 0, 1, {49}},
    {"", 0, {0}, 0, 0, {0}},
    {"squeeze", 2, {1, 1}, 0, 0, {0}},
    {"permute(2,0,1)", 3, {5, 7, 9}, 0, 3, {9, 5, 7}},
    {"permute(2,1,0)", 3, {18, 7, 3}, 0, 3, {3, 7, 18}},
    {"permute(1,3,2,0)", 4, {18, 2, 5, 3}, 0, 4, {2, 3, 5, 18}},
    {"reshape(6,4,5);permute(2,1,0);reshape(20,6)", 2, {6, 20}, 0, 2, {20, 6}},
    {"reshape(20,40,13);permute(0,2,1);reshape(20,520);transpose", 2, {20, 520}, 0, 2, {520, 20}},
    {"slice(0,1,3);transpose", 2, {90, 40}, 0, 2, {40, 30}},
    {"slice(1,2,4)", 2, {21, 80}, 0, 2, {21, 20}},
    {"slice(0,2,3)", 1, {51}, 0, 1, {17}},
    {"transpose;stack(c)", 2, {17, 20}, 3, 3, {3, 20, 17}},
    {"stack(c)", 3, {2, 9, 33}, 2, 4, {2, 2, 9, 33}},
    {"stack(c)", 1, {37}, 5, 2, {5, 37}},
    {"stack(c)", 0, {0}, 7, 1, {7}},
};

static void packs_like_the_definition(void) {
    static const pml_dtype sources[] = {PML_DTYPE_F32, PML_DTYPE_F64, PML_DTYPE_F16, PML_DTYPE_BF16};
    pml_packer *packer;
    pml_error error;
    PML_ASSERT_OK(pml_packer_create(&packer, &error), &error);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t k = 0; k < 4; k++) {
            check_case(packer, &cases[i], sources[k], PML_DTYPE_F32, PML_LAYOUT_ROW, i % 8);
            check_case(packer, &cases[i], sources[k], PML_DTYPE_BF16, PML_LAYOUT_ROW, (i + 3) % 8);
            if (cases[i].rank >= 2) {
                check_case(packer, &cases[i], sources[k], PML_DTYPE_F32, PML_LAYOUT_PANEL, (i + 5) % 8);
                check_case(packer, &cases[i], sources[k], PML_DTYPE_BF16, PML_LAYOUT_PANEL, (i + 6) % 8);
            }
        }
    }
    pml_packer_destroy(packer);
}

/* Tensors that need several chunks in each of the ways in which chunks are cut. */
static void packs_beyond_a_chunk(void) {
    static const pack_case large[] = {
        {"transpose", 2, {20, 9001}, 0, 2, {9001, 20}},     /* pieces of a panel, an odd end */
        {"transpose", 2, {1000, 300}, 0, 2, {300, 1000}},   /* several panels at a time */
        {"", 2, {70001, 20}, 0, 2, {70001, 20}},            /* pieces of a panel, read by lines */
        {"", 2, {1001, 1500}, 0, 2, {1001, 1500}},          /* several panels, read by lines */
        {"transpose", 2, {3, 700001}, 0, 2, {700001, 3}},   /* many rows at a time */
        {"transpose", 2, {1100003, 2}, 0, 2, {2, 1100003}}, /* pieces of a row */
    };
    pml_packer *packer;
    pml_error error;
    PML_ASSERT_OK(pml_packer_create(&packer, &error), &error);
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        check_case(packer, &large[i], PML_DTYPE_F32, PML_DTYPE_F32, PML_LAYOUT_ROW, i);
        check_case(packer, &large[i], PML_DTYPE_F32, PML_DTYPE_F32, PML_LAYOUT_PANEL, i + 1);
        check_case(packer, &large[i], PML_DTYPE_BF16, PML_DTYPE_BF16, PML_LAYOUT_PANEL, i + 2);
        check_case(packer, &large[i], PML_DTYPE_F16, PML_DTYPE_BF16, PML_LAYOUT_ROW, i + 3);
    }
    pml_packer_destroy(packer);
}

static void announces_what_it_reads(void) {
    static const pack_case c[] = {{"transpose", 2, {100, 700}, 0, 2, {700, 100}},
                                  {"slice(0,0,2)", 2, {10, 8}, 0, 2, {5, 8}},
                                  {"stack(c)", 1, {37}, 5, 2, {5, 37}}};
    static const uint64_t ends[] = {100 * 700 * 4, 5 * 8 * 4, 37 * 4};
    pml_packer *packer;
    pml_error error;
    PML_ASSERT_OK(pml_packer_create(&packer, &error), &error);
    for (size_t i = 0; i < 3; i++) {
        fixture f;
        stored s = {0};
        pml_pack_result result;
        set_up(&f, &c[i], PML_DTYPE_F32, 0);
        const pml_pack_job job = {.source = f.source,
                                  .weight = &f.mapped,
                                  .dtype = PML_DTYPE_F32,
                                  .layout = PML_LAYOUT_PANEL,
                                  .before_read = note_end,
                                  .sink = collect,
                                  .user = &s};
        PML_ASSERT_OK(pml_packer_run(packer, &job, &result, &error), &error);
        for (size_t k = 0; k < f.mapped.n_parts; k++) {
            CU_ASSERT_EQUAL(s.greatest_end[k], ends[i]);
        }
        free(s.bytes);
        tear_down(&f);
    }
    pml_packer_destroy(packer);
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */

/* Packs one [20][40] tensor, transposed, whose element 7 * 40 + 31 is `value`. */
static pml_status pack_one(pml_dtype source_dtype, const void *value, pml_dtype dtype, pml_layout layout, bool allow,
                           stored *s, pml_pack_result *result, pml_error *error) {
    static const pack_case c = {"transpose", 2, {20, 40}, 0, 2, {40, 20}};
    const size_t each = pml_dtype_bits(source_dtype) / 8;
    fixture f;
    test_tensor tensor = {"t0", source_dtype, 2, {20, 40}, NULL};
    const char *path = pml_test_path("%s/one.safetensors", pml_test_temporary_dir());
    pml_packer *packer;
    if (pml_packer_create(&packer, error) != PML_OK) {
        abort();
    }
    set_up(&f, &c, source_dtype, 0);
    memset(f.bytes[0], 0, 800 * each);
    memcpy(f.bytes[0] + (7 * 40 + 31) * each, value, each);
    tensor.bytes = f.bytes[0];
    test_write_safetensors(path, &tensor, 1, 0);
    pml_source_close(f.source);
    if (pml_source_open(path, &f.source, error) != PML_OK) {
        abort();
    }
    f.parts[0].source = pml_source_tensor_find(f.source, "t0");
    const pml_pack_job job = {.source = f.source,
                              .weight = &f.mapped,
                              .dtype = dtype,
                              .layout = layout,
                              .allow_nonfinite = allow,
                              .sink = collect,
                              .user = s};
    const pml_status status = pml_packer_run(packer, &job, result, error);
    tear_down(&f);
    pml_packer_destroy(packer);
    return status;
}

static void names_what_is_not_finite(void) {
    static const struct {
        pml_dtype dtype;
        uint64_t bits;
        pml_dtype stored;
        const char *part;
    } rows[] = {
        {PML_DTYPE_F32, 0x7fc00000, PML_DTYPE_F32, "'t0' holds NaN at index 311 [7, 31]"},
        {PML_DTYPE_F32, 0xff800000, PML_DTYPE_BF16, "'t0' holds -infinity at index 311 [7, 31]"},
        {PML_DTYPE_F32, 0x7f800001, PML_DTYPE_F32, "NaN at index 311"},
        {PML_DTYPE_F16, 0x7c00, PML_DTYPE_F32, "infinity at index 311"},
        {PML_DTYPE_F16, 0xfe00, PML_DTYPE_F32, "NaN at index 311"},
        {PML_DTYPE_BF16, 0x7f80, PML_DTYPE_BF16, "infinity at index 311"},
        {PML_DTYPE_BF16, 0x7f81, PML_DTYPE_BF16, "NaN at index 311"},
        {PML_DTYPE_F64, 0x7ff0000000000000, PML_DTYPE_F32, "infinity at index 311"},
        {PML_DTYPE_F64, 0x7ff8000000000001, PML_DTYPE_F32, "NaN at index 311"},
        /* finite, but not when stored: 1e300 as F32, the greatest F32 as BF16 */
        {PML_DTYPE_F64, 0x7e37e43c8800759c, PML_DTYPE_F32, "beyond the range of F32, at index 311 [7, 31]"},
        {PML_DTYPE_F32, 0x7f7fffff, PML_DTYPE_BF16, "beyond the range of BF16, at index 311 [7, 31]"},
        {PML_DTYPE_F32, 0xff7f8000, PML_DTYPE_BF16, "beyond the range of BF16"},
    };
    pml_error error;
    pml_pack_result result;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (pml_layout layout = PML_LAYOUT_ROW; layout <= PML_LAYOUT_PANEL; layout++) {
            stored s = {0};
            PML_ASSERT_FAILS(pack_one(rows[i].dtype, &rows[i].bits, rows[i].stored, layout, false, &s, &result, &error),
                             PML_E_NUMERIC, &error, rows[i].part);
            CU_ASSERT_TRUE(strstr(error.message, "one.safetensors") != NULL);
            CU_ASSERT_NOT_EQUAL(error.offset_bytes, PML_NO_OFFSET);
            free(s.bytes);
            s = (stored){0};
            PML_ASSERT_OK(pack_one(rows[i].dtype, &rows[i].bits, rows[i].stored, layout, true, &s, &result, &error),
                          &error);
            const bool overflows = strstr(rows[i].part, "beyond") != NULL;
            CU_ASSERT_EQUAL(result.n_overflowed, overflows ? 1 : 0);
            CU_ASSERT_EQUAL(result.n_nonfinite, overflows ? 0 : 1);
            CU_ASSERT_TRUE(isfinite(result.quantization_error));
            free(s.bytes);
        }
    }
}

/* The greatest and smallest magnitudes that stay finite pass without a word. */
static void keeps_extremes(void) {
    static const struct {
        pml_dtype dtype;
        uint64_t bits;
        pml_dtype stored;
        uint32_t expected;
    } rows[] = {
        {PML_DTYPE_F32, 0x7f7fffff, PML_DTYPE_F32, 0x7f7fffff}, {PML_DTYPE_F32, 0x80000000, PML_DTYPE_F32, 0x80000000},
        {PML_DTYPE_F32, 0x00000001, PML_DTYPE_F32, 0x00000001}, {PML_DTYPE_F32, 0x7f7f7fff, PML_DTYPE_BF16, 0x7f7f},
        {PML_DTYPE_F32, 0x80000001, PML_DTYPE_BF16, 0x8000},    {PML_DTYPE_F32, 0x00018000, PML_DTYPE_BF16, 0x0002},
        {PML_DTYPE_F32, 0x3f808000, PML_DTYPE_BF16, 0x3f80},    {PML_DTYPE_F32, 0x3f818000, PML_DTYPE_BF16, 0x3f82},
        {PML_DTYPE_F16, 0x0001, PML_DTYPE_F32, 0x33800000},     {PML_DTYPE_F16, 0x7bff, PML_DTYPE_F32, 0x477fe000},
        {PML_DTYPE_BF16, 0x0001, PML_DTYPE_F32, 0x00010000},    {PML_DTYPE_BF16, 0xff7f, PML_DTYPE_BF16, 0xff7f},
    };
    pml_error error;
    pml_pack_result result;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stored s = {0};
        uint32_t got = 0;
        PML_ASSERT_OK(
            pack_one(rows[i].dtype, &rows[i].bits, rows[i].stored, PML_LAYOUT_ROW, false, &s, &result, &error), &error);
        const size_t each = rows[i].stored == PML_DTYPE_BF16 ? 2 : 4;
        memcpy(&got, s.bytes + (31 * 20 + 7) * each, each);
        CU_ASSERT_EQUAL(got, rows[i].expected);
        free(s.bytes);
    }
}

/* ---- the ten edge cases of a block ----------------------------------------------------------------------------- */

#define EDGE_ROWS 33u
#define EDGE_COLUMNS 40u
#define EDGE_COUNT (EDGE_ROWS * EDGE_COLUMNS)

typedef struct edge_case {
    const char *name;
    double most, one;       /* all elements but one; that one, at index 311 */
    const char *f32, *bf16; /* part of the message when it is stored so; NULL: it is stored */
} edge_case;

static const edge_case edge_cases[] = {
    {"zeros", 0, 0, NULL, NULL},
    {"denormals", 0x1p-149, -0x1.fffffcp-127, NULL, NULL},
    {"greatest f32", -0x1.fffffep127, 0x1.fffffep127, NULL, "beyond the range of BF16"},
    {"overflow to infinity in bf16", 1, 0x1.ffp127, NULL, "beyond the range of BF16"},
    {"one outlier", 0x1p-20, -0x1.fep127, NULL, NULL},
    {"minus zero", -0.0, -0.0, NULL, NULL},
    {"constant", 0.1, 0.1, NULL, NULL},
    {"NaN", 1, (double)NAN, "holds NaN", "holds NaN"},
    {"infinity", 1, -(double)INFINITY, "holds -infinity", "holds -infinity"},
    {"f64 beyond f32", 1, 0x1p128, "beyond the range of F32", "beyond the range of BF16"},
};

/* What the case gives in that form and dtype, bit for bit, and by name where it cannot be stored. */
static void check_edge_case(pml_packer *packer, const edge_case *e, pml_dtype dtype, pml_layout layout) {
    static const pack_case c = {"", 2, {EDGE_ROWS, EDGE_COLUMNS}, 0, 2, {EDGE_ROWS, EDGE_COLUMNS}};
    double numbers[EDGE_COUNT];
    float values[EDGE_COUNT];
    fixture f;
    pml_error error = {.message = ""};
    for (size_t i = 0; i < EDGE_COUNT; i++) {
        numbers[i] = i == 311 ? e->one : e->most;
        values[i] = (float)numbers[i];
    }
    const char *path = pml_test_path("%s/edge.safetensors", pml_test_temporary_dir());
    const test_tensor tensor = {"t0", PML_DTYPE_F64, 2, {EDGE_ROWS, EDGE_COLUMNS}, numbers};
    set_up(&f, &c, PML_DTYPE_F64, 0);
    test_write_safetensors(path, &tensor, 1, 0);
    pml_source_close(f.source);
    PML_ASSERT_OK(pml_source_open(path, &f.source, &error), &error);
    f.parts[0].source = pml_source_tensor_find(f.source, "t0");
    const char *refusal = dtype == PML_DTYPE_BF16 ? e->bf16 : e->f32;
    const bool is_finite = isfinite(e->one);
    for (int allow = 0; allow < 2; allow++) {
        stored s = {0};
        pml_pack_result result;
        const pml_pack_job job = {.source = f.source,
                                  .weight = &f.mapped,
                                  .dtype = dtype,
                                  .layout = layout,
                                  .allow_nonfinite = allow == 1,
                                  .sink = collect,
                                  .user = &s};
        const pml_status status = pml_packer_run(packer, &job, &result, &error);
        if (refusal != NULL && allow == 0) {
            const size_t index = strcmp(e->name, "greatest f32") == 0 ? 0 : 311;
            PML_ASSERT_FAILS(status, PML_E_NUMERIC, &error, refusal);
            CU_ASSERT_PTR_NOT_NULL(strstr(error.message, pml_test_path("index %zu [", index)));
            CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "tensor 't0'"));
        } else {
            size_t n_expected;
            uint8_t *expected = plain_layout(values, dtype, layout, 1, EDGE_ROWS, EDGE_COLUMNS, &n_expected);
            PML_ASSERT_OK(status, &error);
            const bool equal = s.size_bytes == n_expected && memcmp(s.bytes, expected, n_expected) == 0;
            CU_ASSERT_TRUE(equal || isnan(e->one)); /* any NaN may stand for a NaN */
            /* A number of 8 bits is at most half of its last bit wrong; what is below that range loses more. */
            CU_ASSERT_TRUE(isfinite(result.quantization_error) && result.quantization_error >= 0);
            CU_ASSERT_TRUE(result.quantization_error <= 0x1p-8 || strcmp(e->name, "denormals") == 0 || refusal != NULL);
            const size_t n_refused = refusal == NULL ? 0 : strcmp(e->name, "greatest f32") == 0 ? EDGE_COUNT : 1;
            CU_ASSERT_EQUAL(result.n_overflowed, is_finite ? n_refused : 0);
            CU_ASSERT_EQUAL(result.n_nonfinite, is_finite ? 0 : n_refused);
            if (!equal && !isnan(e->one)) {
                (void)printf("\n    %s, %s %s\n", e->name, pml_dtype_name(dtype), pml_layout_name(layout));
            }
            free(expected);
        }
        free(s.bytes);
    }
    tear_down(&f);
}

static void ten_edge_cases_of_every_stored_form(void) {
    pml_packer *packer;
    pml_error error;
    PML_ASSERT_OK(pml_packer_create(&packer, &error), &error);
    for (size_t i = 0; i < sizeof edge_cases / sizeof edge_cases[0]; i++) {
        for (pml_layout layout = PML_LAYOUT_ROW; layout <= PML_LAYOUT_PANEL; layout++) {
            check_edge_case(packer, &edge_cases[i], PML_DTYPE_F32, layout);
            check_edge_case(packer, &edge_cases[i], PML_DTYPE_BF16, layout);
        }
    }
    pml_packer_destroy(packer);
}

static void refuses_other_dtypes_by_name(void) {
    static const pml_dtype dtypes[] = {PML_DTYPE_I8,      PML_DTYPE_I16,    PML_DTYPE_I32, PML_DTYPE_I64,
                                       PML_DTYPE_U8,      PML_DTYPE_U16,    PML_DTYPE_U32, PML_DTYPE_BOOL,
                                       PML_DTYPE_F8_E4M3, PML_DTYPE_F8_E5M2};
    pml_error error;
    pml_pack_result result;
    const uint64_t zero = 0;
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        stored s = {0};
        PML_ASSERT_FAILS(pack_one(dtypes[i], &zero, PML_DTYPE_F32, PML_LAYOUT_ROW, true, &s, &result, &error),
                         PML_E_UNSUPPORTED, &error, pml_test_path("'t0' is %s", pml_dtype_name(dtypes[i])));
        CU_ASSERT_EQUAL(s.size_bytes, 0);
    }
}

/* ---- errors ---------------------------------------------------------------------------------------------------- */

static pml_status refuse(void *user, const void *bytes, size_t size_bytes, pml_error *error) {
    (void)user;
    (void)bytes;
    (void)size_bytes;
    return PML_FAIL(error, PML_E_IO, "no room");
}

static void hands_errors_on(void) {
    static const pack_case c = {"transpose", 2, {33, 70}, 0, 2, {70, 33}};
    static const pack_case vector = {"", 1, {49}, 0, 1, {49}};
    fixture f;
    pml_packer *packer;
    pml_error error;
    pml_pack_result result;
    PML_ASSERT_OK(pml_packer_create(&packer, &error), &error);
    set_up(&f, &c, PML_DTYPE_F32, 0);
    pml_pack_job job = {
        .source = f.source, .weight = &f.mapped, .dtype = PML_DTYPE_F32, .layout = PML_LAYOUT_PANEL, .sink = refuse};
    PML_ASSERT_FAILS(pml_packer_run(packer, &job, &result, &error), PML_E_IO, &error, "no room");
    f.weight.shape[0] = 71; /* not what the transforms give */
    PML_ASSERT_FAILS(pml_packer_run(packer, &job, &result, &error), PML_E_FORMAT, &error, "'t0'");
    f.weight.shape[0] = 70;
    f.mapped.n_parts = 0;
    PML_ASSERT_FAILS(pml_packer_run(packer, &job, &result, &error), PML_E_FORMAT, &error, "no source");
    f.mapped.n_parts = 1;
    f.mapped.transform = "stack(c)";
    PML_ASSERT_FAILS(pml_packer_run(packer, &job, &result, &error), PML_E_FORMAT, &error, NULL);
    f.mapped.transform = "rotate";
    PML_ASSERT_FAILS(pml_packer_run(packer, &job, &result, &error), PML_E_CONFIG, &error, "rotate");
    f.mapped.transform = "transpose";
    job.dtype = PML_DTYPE_F16;
    PML_ASSERT_FAILS(pml_packer_run(packer, &job, &result, &error), PML_E_UNSUPPORTED, &error, "F16");
    job.dtype = PML_DTYPE_F32;
    pml_cancel_request();
    PML_ASSERT_FAILS(pml_packer_run(packer, &job, &result, &error), PML_E_INTERRUPTED, &error, NULL);
    pml_cancel_reset();
    tear_down(&f);
    set_up(&f, &vector, PML_DTYPE_F32, 0);
    job.source = f.source;
    PML_ASSERT_FAILS(pml_packer_run(packer, &job, &result, &error), PML_E_UNSUPPORTED, &error, "panel");
    tear_down(&f);
    pml_packer_destroy(packer);
}

static void allocates_only_at_creation(void) {
    static const pack_case c = {"transpose", 2, {33, 70}, 0, 2, {70, 33}};
    fixture f;
    stored s = {0};
    pml_packer *packer;
    pml_error error;
    pml_pack_result result;
    for (unsigned long n = 1; n <= 3; n++) {
        pml_test_fail_allocation(n, false);
        PML_ASSERT_FAILS(pml_packer_create(&packer, &error), PML_E_MEMORY, &error, NULL);
        CU_ASSERT_PTR_NULL(packer);
        pml_test_fail_allocation(0, false);
    }
    PML_ASSERT_OK(pml_packer_create(&packer, &error), &error);
    set_up(&f, &c, PML_DTYPE_F32, 0);
    const pml_pack_job job = {.source = f.source,
                              .weight = &f.mapped,
                              .dtype = PML_DTYPE_BF16,
                              .layout = PML_LAYOUT_PANEL,
                              .sink = collect,
                              .user = &s};
    const uint64_t before = pml_allocation_count();
    PML_ASSERT_OK(pml_packer_run(packer, &job, &result, &error), &error);
    CU_ASSERT_EQUAL(pml_allocation_count(), before);
    free(s.bytes);
    tear_down(&f);
    pml_packer_destroy(packer);
}

static void chooses_by_role(void) {
    static const struct {
        pml_role role;
        bool follows;
    } rows[] = {
        {PML_ROLE_MATRIX, true}, {PML_ROLE_CONVOLUTION, true}, {PML_ROLE_VECTOR, false}, {PML_ROLE_TABLE, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const pml_weight_spec spec = {.name = "w", .role = rows[i].role};
        pml_dtype dtype;
        pml_layout layout;
        pml_pack_choose(&spec, PML_DTYPE_BF16, PML_LAYOUT_PANEL, &dtype, &layout);
        CU_ASSERT_EQUAL(dtype, rows[i].follows ? PML_DTYPE_BF16 : PML_DTYPE_F32);
        CU_ASSERT_EQUAL(layout, rows[i].follows ? PML_LAYOUT_PANEL : PML_LAYOUT_ROW);
    }
}

PML_TESTS("convert/pack", PML_TEST(packs_like_the_definition), PML_TEST(packs_beyond_a_chunk),
          PML_TEST(announces_what_it_reads), PML_TEST(names_what_is_not_finite), PML_TEST(keeps_extremes),
          PML_TEST(ten_edge_cases_of_every_stored_form), PML_TEST(refuses_other_dtypes_by_name),
          PML_TEST(hands_errors_on), PML_TEST(allocates_only_at_creation), PML_TEST(chooses_by_role))
