#include "convert/pack.h"

#include "runtime/base/cancel.h"
#include "tests/convert/pack_fixture.h"
#include "tests/mappers/view_index.h"

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

static pml_status note_end(void *user, const pml_source_tensor *tensor, uint64_t end_bytes, pml_error *error) {
    stored *s = user;
    (void)error;
    uint64_t *greatest = &s->greatest_end[tensor->name[strlen(tensor->name) - 1] - '0'];
    *greatest = end_bytes > *greatest ? end_bytes : *greatest;
    return PML_OK;
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
          PML_TEST(announces_what_it_reads), PML_TEST(hands_errors_on), PML_TEST(allocates_only_at_creation),
          PML_TEST(chooses_by_role))
