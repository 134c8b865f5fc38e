/* Comparison of files whose every number is known. */
#include <math.h>
#include <unistd.h>

#include "convert/diff.h"
#include "runtime/file/writer.h"
#include "tests/convert/command_fixture.h"

enum { N_IN = 3, N_OUT = 18 };

typedef struct made { /* what a test file holds */
    pml_dtype dtype;
    pml_layout layout;
    float weight[N_IN][N_OUT];
    float bias[N_OUT];
    const char *extra; /* name of a third tensor; NULL: none */
    int64_t width;     /* config.width */
    const char *note;  /* provenance.note */
    const char *blob;
} made;

static made base(void) {
    made m = {.dtype = PML_DTYPE_F32, .layout = PML_LAYOUT_ROW, .width = 18, .note = "n", .blob = "b"};
    for (int r = 0; r < N_IN; r++) {
        for (int c = 0; c < N_OUT; c++) {
            m.weight[r][c] = (float)(r * N_OUT + c + 1) / 8; /* exact in BF16 */
        }
    }
    for (int c = 0; c < N_OUT; c++) {
        m.bias[c] = (float)-c;
    }
    return m;
}

/* Lays the weight out by the definition of the format. */
static size_t lay_out(const made *m, uint8_t *bytes) {
    const size_t depth = m->dtype == PML_DTYPE_BF16 ? 2 : 1, element_bytes = m->dtype == PML_DTYPE_BF16 ? 2 : 4;
    const bool panel = m->layout == PML_LAYOUT_PANEL;
    const size_t lines = (N_IN + depth - 1) / depth;
    const size_t n = panel ? (N_OUT + 15) / 16 * lines * 16 * depth : (size_t)N_IN * N_OUT;
    memset(bytes, 0, n * element_bytes);
    for (size_t r = 0; r < N_IN; r++) {
        for (size_t c = 0; c < N_OUT; c++) {
            size_t at = panel ? ((c / 16 * lines + r / depth) * 16 + c % 16) * depth + r % depth : r * N_OUT + c;
            uint16_t half = pml_bf16_from_f32(m->weight[r][c]);
            memcpy(bytes + at * element_bytes, element_bytes == 2 ? (const void *)&half : &m->weight[r][c],
                   element_bytes);
        }
    }
    return n * element_bytes;
}

static const char *write_made(const made *m, const char *name) {
    const char *path = pml_test_path("%s/%s.pml", pml_test_temporary_dir(), name);
    pml_error error = {0};
    pml_writer *writer = NULL;
    pml_metadata *metadata = NULL;
    uint8_t bytes[4096];
    size_t weight = 0, bias = 0, extra = 0, size = lay_out(m, bytes);
    PML_ASSERT_OK(pml_metadata_create(&metadata, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(metadata, "general.family", "test", &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(metadata, "config.width", m->width, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(metadata, "provenance.note", m->note, &error), &error);
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    PML_ASSERT_OK(pml_writer_set_metadata(writer, metadata, &error), &error);
    PML_ASSERT_OK(pml_writer_add_tensor(writer, "w", m->dtype, m->layout, (const uint64_t[]){N_IN, N_OUT}, 2, "",
                                        &weight, &error),
                  &error);
    PML_ASSERT_OK(pml_writer_add_tensor(writer, "bias", PML_DTYPE_F32, PML_LAYOUT_ROW, (const uint64_t[]){N_OUT}, 1, "",
                                        &bias, &error),
                  &error);
    if (m->extra != NULL) {
        PML_ASSERT_OK(pml_writer_add_tensor(writer, m->extra, PML_DTYPE_F32, PML_LAYOUT_ROW, (const uint64_t[]){1}, 1,
                                            "", &extra, &error),
                      &error);
    }
    PML_ASSERT_OK(pml_writer_add_blob(writer, "note", m->blob, strlen(m->blob), &error), &error);
    PML_ASSERT_OK(pml_writer_begin(writer, path, true, &error), &error);
    PML_ASSERT_OK(pml_writer_tensor_write(writer, weight, bytes, size, &error), &error);
    PML_ASSERT_OK(pml_writer_tensor_write(writer, bias, m->bias, sizeof m->bias, &error), &error);
    if (m->extra != NULL) {
        PML_ASSERT_OK(pml_writer_tensor_write(writer, extra, m->bias, sizeof(float), &error), &error);
    }
    PML_ASSERT_OK(pml_writer_finish(writer, &error), &error);
    pml_writer_destroy(writer);
    pml_metadata_destroy(metadata);
    return path;
}

typedef struct compared {
    pml_file *a, *b;
    pml_diff_report report;
} compared;

static compared compare(const made *a, const made *b, const pml_diff_options *options) {
    compared c = {0};
    pml_error error = {0};
    PML_ASSERT_OK(pml_file_open(write_made(a, "a"), &c.a, &error), &error);
    PML_ASSERT_OK(pml_file_open(write_made(b, "b"), &c.b, &error), &error);
    CU_ASSERT_FATAL(c.a != NULL && c.b != NULL);
    PML_ASSERT_OK(pml_diff_files(c.a, c.b, options, &c.report, &error), &error);
    return c;
}

static void compared_deinit(compared *c) {
    pml_diff_report_deinit(&c->report);
    pml_file_close(c->a);
    pml_file_close(c->b);
}

static const pml_diff_options strict = {0}, by_value = {.by_value = true};

static void provenance_and_blobs_are_not_content(void) {
    made a = base(), b = base();
    b.note = "another";
    b.blob = "another";
    compared c = compare(&a, &b, &strict);
    CU_ASSERT_TRUE(c.report.identical_content && !c.report.differs);
    CU_ASSERT_EQUAL(c.report.n_equal, 2);
    CU_ASSERT_EQUAL(c.report.n_blobs, 1);
    CU_ASSERT_EQUAL(c.report.n_metadata, 1);
    CU_ASSERT_FALSE(c.report.metadata[0].is_content);
    compared_deinit(&c);
}

static void other_dtype_and_layout_compare_by_value(void) {
    static const struct {
        pml_dtype dtype;
        pml_layout layout;
    } forms[] = {
        {PML_DTYPE_F32, PML_LAYOUT_PANEL}, {PML_DTYPE_BF16, PML_LAYOUT_ROW}, {PML_DTYPE_BF16, PML_LAYOUT_PANEL}};
    for (size_t i = 0; i < 3; i++) {
        made a = base(), b = base();
        b.dtype = forms[i].dtype;
        b.layout = forms[i].layout;
        compared c = compare(&a, &b, &strict);
        CU_ASSERT_TRUE(c.report.differs && !c.report.identical_content);
        CU_ASSERT_EQUAL(c.report.n_equal, 1);
        CU_ASSERT_EQUAL_FATAL(c.report.n_tensors, 1);
        CU_ASSERT_TRUE(c.report.tensors[0].is_compared && c.report.tensors[0].max_abs == 0);
        CU_ASSERT_EQUAL(c.report.tensors[0].n_beyond, 0);
        compared_deinit(&c);
        c = compare(&a, &b, &by_value);
        CU_ASSERT_FALSE(c.report.differs);
        compared_deinit(&c);
    }
}

static void figures_of_a_changed_number(void) {
    made a = base(), b = base();
    b.layout = PML_LAYOUT_PANEL;
    b.weight[1][17] += 0.5f; /* element 35, value 4.5 -> 5 */
    double aa = 0, bb = 0, ab = 0;
    for (int i = 0; i < N_IN * N_OUT; i++) {
        double x = a.weight[i / N_OUT][i % N_OUT], y = b.weight[i / N_OUT][i % N_OUT];
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    pml_diff_options options = by_value;
    options.atol = 0.25;
    compared c = compare(&a, &b, &options);
    CU_ASSERT_TRUE_FATAL(c.report.differs && c.report.n_tensors == 1);
    const pml_diff_tensor *t = &c.report.tensors[0];
    CU_ASSERT_STRING_EQUAL(t->a->name, "w");
    CU_ASSERT_EQUAL(t->n_elements, N_IN * N_OUT);
    CU_ASSERT_EQUAL(t->n_beyond, 1);
    CU_ASSERT_EQUAL(t->i_max, 35);
    CU_ASSERT_TRUE(t->max_abs == 0.5 && t->a_max == 4.5 && t->b_max == 5);
    CU_ASSERT_DOUBLE_EQUAL(t->relative_rms, 0.5 / sqrt(aa), 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(t->cosine, ab / sqrt(aa * bb), 1e-15);
    compared_deinit(&c);
    options.atol = 0.5; /* the tolerance itself is within */
    c = compare(&a, &b, &options);
    CU_ASSERT_FALSE(c.report.differs);
    compared_deinit(&c);
    options = (pml_diff_options){.by_value = true, .rtol = 0.1}; /* 0.1 * 5 */
    c = compare(&a, &b, &options);
    CU_ASSERT_FALSE(c.report.differs);
    compared_deinit(&c);
}

static void special_numbers(void) {
    made a = base(), b = base();
    a.bias[0] = b.bias[0] = NAN;
    a.bias[1] = b.bias[1] = INFINITY;
    a.bias[2] = 0.0f;
    b.bias[2] = -0.0f;
    compared c = compare(&a, &b, &by_value);
    CU_ASSERT_FALSE(c.report.differs);
    compared_deinit(&c);
    c = compare(&a, &b, &strict); /* zeros of different sign are different bytes */
    CU_ASSERT_TRUE(c.report.differs);
    compared_deinit(&c);
    b.bias[3] = NAN;
    b.bias[4] = INFINITY;
    pml_diff_options loose = {.by_value = true, .atol = 1e30, .rtol = 1};
    c = compare(&a, &b, &loose);
    CU_ASSERT_TRUE_FATAL(c.report.differs && c.report.n_tensors == 1);
    CU_ASSERT_EQUAL(c.report.tensors[0].n_beyond, 2);
    CU_ASSERT_TRUE(isinf(c.report.tensors[0].max_abs));
    compared_deinit(&c);
}

static void missing_tensors_and_metadata(void) {
    made a = base(), b = base();
    a.extra = "only";
    b.extra = "other";
    b.width = 19;
    pml_diff_options loose = {.by_value = true, .atol = 1e30};
    compared c = compare(&a, &b, &loose);
    CU_ASSERT_TRUE(c.report.differs);
    CU_ASSERT_EQUAL(c.report.n_equal, 2);
    CU_ASSERT_EQUAL_FATAL(c.report.n_tensors, 2);
    CU_ASSERT_TRUE(c.report.tensors[0].a != NULL && c.report.tensors[0].b == NULL);
    CU_ASSERT_TRUE(c.report.tensors[1].a == NULL && c.report.tensors[1].b != NULL);
    CU_ASSERT_EQUAL_FATAL(c.report.n_metadata, 1);
    CU_ASSERT_STRING_EQUAL(c.report.metadata[0].key, "config.width");
    compared_deinit(&c);
    b = base();
    b.width = 19; /* a configuration is never within a tolerance */
    a = base();
    c = compare(&a, &b, &loose);
    CU_ASSERT_TRUE(c.report.differs && c.report.n_tensors == 0);
    compared_deinit(&c);
}

static void every_failed_allocation_is_an_error(void) {
    made m = base(), other = base();
    other.width = 19;
    other.bias[0] = 1;
    pml_error error = {0};
    pml_file *a = NULL, *b = NULL;
    PML_ASSERT_OK(pml_file_open(write_made(&m, "a"), &a, &error), &error);
    PML_ASSERT_OK(pml_file_open(write_made(&other, "b"), &b, &error), &error);
    pml_status status = PML_E_MEMORY;
    unsigned long n = 1;
    for (; status == PML_E_MEMORY && n < 50; n++) {
        pml_diff_report report = {0};
        pml_test_fail_allocation(n, true);
        status = pml_diff_files(a, b, &strict, &report, &error);
        pml_test_fail_allocation(0, false);
        pml_diff_report_deinit(&report);
    }
    CU_ASSERT_TRUE(status == PML_OK && n > 2);
    pml_file_close(a);
    pml_file_close(b);
}

static void command(void) {
    test_usage("diff", "a.pml b.pml");
    made m = base(), other = base();
    other.layout = PML_LAYOUT_PANEL;
    other.dtype = PML_DTYPE_BF16;
    other.weight[0][0] = 0.126f;
    const char *a = write_made(&m, "a"), *b = write_made(&other, "b");
    TEST_EXITS(0, "identical content", "diff '%s' '%s'", a, a);
    TEST_EXITS(0, "\"identical_content\": true", "diff '%s' '%s' --json", a, a);
    TEST_EXITS(1, "numbers", "diff '%s' '%s'", a, b);
    TEST_EXITS(1, "different", "diff '%s' '%s' --atol 0", a, b);
    TEST_EXITS(0, "equal within the tolerance", "diff '%s' '%s' --atol 0.01", a, b);
    TEST_EXITS(0, "equal within the tolerance", "diff '%s' '%s' --rtol 0.01", a, b);
    TEST_EXITS(0, "\"n_beyond\": 0", "diff '%s' '%s' --rtol 1e-2 --json", a, b);
    static const char *const wrong[] = {"x", "-1", "nan", "inf", "''", "1e400", "0.1x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        TEST_EXITS(2, "atol", "diff '%s' '%s' --atol=%s", a, b, wrong[i]);
    }
    TEST_EXITS(74, NULL, "diff '%s' '%s' >/dev/full", a, a);
    TEST_EXITS(66, "nowhere.pml", "diff '%s' '%s/nowhere.pml'", a, pml_test_temporary_dir());
}

PML_TESTS("convert/diff", PML_TEST(provenance_and_blobs_are_not_content),
          PML_TEST(other_dtype_and_layout_compare_by_value), PML_TEST(figures_of_a_changed_number),
          PML_TEST(special_numbers), PML_TEST(missing_tensors_and_metadata),
          PML_TEST(every_failed_allocation_is_an_error), PML_TEST(command))
