#include <math.h>

#include "tests/convert/pack_fixture.h"

typedef struct packed {
    stored data;
    uint8_t *sides[2];
    size_t side_bytes[2];
} packed;

static pml_status collect_data(void *user, const void *bytes, size_t size_bytes, pml_error *error) {
    return collect(&((packed *)user)->data, bytes, size_bytes, error);
}

static pml_status collect_side(void *user, bool is_sums, const void *bytes, size_t size_bytes, pml_error *error) {
    packed *p = user;
    (void)error;
    p->sides[is_sums] = realloc(p->sides[is_sums], p->side_bytes[is_sums] + size_bytes);
    if (p->sides[is_sums] == NULL) {
        abort();
    }
    memcpy(p->sides[is_sums] + p->side_bytes[is_sums], bytes, size_bytes);
    p->side_bytes[is_sums] += size_bytes;
    return PML_OK;
}

static void release(packed *p) {
    free(p->data.bytes);
    free(p->sides[0]);
    free(p->sides[1]);
}

static pml_status pack(const fixture *f, uint32_t group_rows, packed *p, pml_pack_result *result, pml_error *error) {
    pml_packer *packer = NULL;
    pml_status status = pml_packer_create(&packer, error);
    const pml_pack_job job = {.source = f->source,
                              .weight = &f->mapped,
                              .dtype = PML_DTYPE_I8,
                              .group_rows = group_rows,
                              .layout = PML_LAYOUT_PANEL,
                              .allow_nonfinite = true,
                              .sink = collect_data,
                              .side_sink = collect_side,
                              .user = p};
    *p = (packed){0};
    if (status == PML_OK) {
        status = pml_packer_run(packer, &job, result, error);
    }
    pml_packer_destroy(packer);
    return status;
}

/* Source values are stored in order or transposed: row r and column c of matrix b. */
static double source_value(const fixture *f, bool transposed, uint64_t b, uint64_t r, uint64_t c) {
    const uint64_t rows = f->weight.shape[f->weight.rank - 2], columns = f->weight.shape[f->weight.rank - 1];
    const uint64_t at = b * rows * columns + (transposed ? c * rows + r : r * columns + c);
    return (double)(float)((const double *)(const void *)f->bytes[0])[at];
}

static double scale_at(const packed *p, uint32_t group_rows, uint64_t entry, double factor) {
    return group_rows == 0 ? pml_dtype_value(PML_DTYPE_F32, p->sides[0] + 4 * entry)
                           : pml_dtype_value(PML_DTYPE_F16, p->sides[0] + 2 * entry) * factor;
}

/* Values are the nearest to the source's by their scales, sums are theirs, padding is zero, sizes are the layout's, and
 * the error is that of these values. */
static void check_case(const pack_case *c, uint32_t group_rows) {
    fixture f;
    packed p;
    pml_pack_result result;
    pml_error error;
    set_up(&f, c, PML_DTYPE_F64, 0);
    PML_ASSERT_OK(pack(&f, group_rows, &p, &result, &error), &error);
    const bool transposed = strcmp(c->transform, "transpose") == 0;
    const uint64_t rows = c->shape[c->rank - 2], columns = c->shape[c->rank - 1],
                   n_batches = c->rank > 2 ? c->shape[0] : 1;
    const uint64_t lines = (rows + 3) / 4, panels = (columns + 15) / 16, group = group_rows == 0 ? rows : group_rows;
    const uint64_t n_groups = (rows + group - 1) / group;
    uint64_t data_bytes = 0, scales_bytes = 0, sums_bytes = 0;
    PML_ASSERT_OK(pml_layout_size(PML_LAYOUT_PANEL, PML_DTYPE_I8, c->shape, c->rank, &data_bytes, &error), &error);
    PML_ASSERT_OK(pml_layout_scales(PML_DTYPE_I8, c->shape, c->rank, group_rows, &scales_bytes, &sums_bytes, &error),
                  &error);
    CU_ASSERT_EQUAL_FATAL(p.data.size_bytes, data_bytes);
    CU_ASSERT_EQUAL_FATAL(p.side_bytes[0], scales_bytes);
    CU_ASSERT_EQUAL_FATAL(p.side_bytes[1], sums_bytes);
    double square_error = 0, square = 0;
    bool right = true;
    for (uint64_t b = 0; b < n_batches; b++) {
        for (uint64_t k = 0; k < n_groups * panels * 16; k++) {
            const uint64_t g = k / 16 % n_groups, column = k / 16 / n_groups * 16 + k % 16;
            const uint64_t entry = b * n_groups * panels * 16 + k;
            const double scale = scale_at(&p, group_rows, entry, (double)result.scale_factor);
            int64_t sum = 0;
            for (uint64_t r = g * group; r < (g + 1) * group && r < lines * 4; r++) {
                const int8_t q =
                    (int8_t)p.data.bytes[((b * panels + column / 16) * lines + r / 4) * 64 + column % 16 * 4 + r % 4];
                sum += q;
                if (r >= rows || column >= columns) {
                    right = right && q == 0;
                    continue;
                }
                const double value = source_value(&f, transposed, b, r, column), kept = q * scale;
                right = right && q != -128 &&
                        (fabs(value - kept) <= 0.5001 * scale + 1e-30 || (abs(q) == 127 && fabs(value) > fabs(kept)));
                square_error += (value - kept) * (value - kept);
                square += value * value;
            }
            right = right && sum == (group_rows == 0 ? (int64_t)pml_dtype_value(PML_DTYPE_I32, p.sides[1] + 4 * entry)
                                                     : (int64_t)pml_dtype_value(PML_DTYPE_I16, p.sides[1] + 2 * entry));
            right = right && (column < columns || scale == 0);
        }
    }
    CU_ASSERT_TRUE(right);
    CU_ASSERT_DOUBLE_EQUAL(result.quantization_error, sqrt(square_error / square), 1e-4 * result.quantization_error);
    CU_ASSERT_TRUE(result.quantization_error < 0.02);
    release(&p);
    tear_down(&f);
}

static void values_scales_and_sums_are_right(void) {
    static const pack_case cases[] = {{"", 2, {5, 20}, 0, 2, {5, 20}},
                                      {"", 2, {100, 33}, 0, 2, {100, 33}},
                                      {"transpose", 2, {17, 70}, 0, 2, {70, 17}},
                                      {"transpose", 2, {40, 5000}, 0, 2, {5000, 40}},
                                      {"", 3, {3, 67, 18}, 0, 3, {3, 67, 18}},
                                      {"", 2, {3, 1}, 0, 2, {3, 1}},
                                      {"", 2, {3, 40000}, 0, 2, {3, 40000}},
                                      {"", 2, {70001, 18}, 0, 2, {70001, 18}},
                                      {"transpose", 2, {3, 70001}, 0, 2, {70001, 3}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_case(&cases[i], 0);
        check_case(&cases[i], 32);
        check_case(&cases[i], 64);
    }
}

/* Even where NaN and infinity are allowed elsewhere: 8 bits have none. */
static void refuses_what_8_bits_cannot_hold(void) {
    static const uint32_t groups[] = {0, 64};
    for (size_t i = 0; i < 2; i++) {
        fixture f;
        packed p;
        pml_pack_result result;
        pml_error error;
        test_tensor bad = {.name = "t0", .dtype = PML_DTYPE_F32, .rank = 2, .shape = {70, 20}};
        float *bytes = calloc(1400, sizeof *bytes);
        if (bytes == NULL) {
            abort();
        }
        bytes[1233] = i == 0 ? NAN : INFINITY;
        bad.bytes = (uint8_t *)bytes;
        const char *path = pml_test_path("%s/bad%zu.safetensors", pml_test_temporary_dir(), i);
        test_write_safetensors(path, &bad, 1, 0);
        memset(&f, 0, sizeof f);
        PML_ASSERT_OK(pml_source_open(path, &f.source, &error), &error);
        memcpy(f.name, "weight", 7);
        f.spec = (pml_weight_spec){.name = "weight", .role = PML_ROLE_MATRIX};
        f.weight = (pml_weight_instance){.name = f.name, .spec = &f.spec, .l = -1, .rank = 2, .shape = {70, 20}};
        f.parts[0] = (pml_mapped_part){pml_source_tensor_find(f.source, "t0"), 0};
        f.mapped = (pml_mapped_weight){&f.weight, "", f.parts, 1};
        PML_ASSERT_FAILS(pack(&f, groups[i], &p, &result, &error), PML_E_NUMERIC, &error, "index 1233 [61, 13]");
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "I8 cannot hold it"));
        release(&p);
        tear_down(&f);
        free(bytes);
    }
}

PML_TESTS("convert/pack_i8", PML_TEST(values_scales_and_sums_are_right), PML_TEST(refuses_what_8_bits_cannot_hold))
