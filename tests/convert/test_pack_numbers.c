/* Numbers that packing meets: what is stored bit for bit, and what is refused by name. */
#include "tests/convert/pack_fixture.h"

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

PML_TESTS("convert/pack_numbers", PML_TEST(names_what_is_not_finite), PML_TEST(keeps_extremes),
          PML_TEST(ten_edge_cases_of_every_stored_form), PML_TEST(refuses_other_dtypes_by_name))
