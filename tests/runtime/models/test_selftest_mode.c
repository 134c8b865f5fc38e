#include "runtime/models/selftest_mode.h"

#include "runtime/models/selftest.h"
#include "tests/runtime/models/patchtst_builder.h"

enum { B = 3 };

static float values[B * T * C];

static void names_of_ports_are_no_modes(void) {
    opened o = open_model(&(build){0}, NULL);
    CU_ASSERT_EQUAL(pml_selftest_mode_of(o.model, "prediction_outputs"), PML_SELFTEST_PORT);
    CU_ASSERT_EQUAL(pml_selftest_mode_of(o.model, "y"), PML_SELFTEST_PORT);
    CU_ASSERT_EQUAL(pml_selftest_mode_of(o.model, "eval"), PML_SELFTEST_EVAL);
    CU_ASSERT_EQUAL(pml_selftest_mode_of(o.model, "train"), PML_SELFTEST_TRAIN);
    CU_ASSERT_EQUAL(pml_selftest_mode_of(o.model, "b1"), PML_SELFTEST_B1);
    CU_ASSERT_EQUAL(pml_selftest_mode_of(o.model, "evaluation"), PML_SELFTEST_PORT);
    CU_ASSERT_PTR_EQUAL(pml_selftest_output(o.model, "eval"), pml_model_output_at(o.model, 0));
    CU_ASSERT_PTR_NULL(pml_selftest_output(o.model, "evaluation"));
    close_model(&o);
}

/* Records under the three names are judged each in a run of its own, and a wrong one of them fails alone. */
static void each_mode_is_a_run(void) {
    opened o = open_model(&(build){0}, NULL);
    fill_series(values, B);
    const pml_array input = series(values, B);
    PML_ASSERT_OK(pml_model_run(o.model, &input, 1, &error), &error);
    float all[B * S * C], first[S * C];
    memcpy(all, pml_model_output_at(o.model, 0)->data, sizeof all);
    memcpy(first, all, sizeof first);
    const pml_vector vectors[] = {
        {.name = "in.x", .dtype = PML_DTYPE_F32, .rank = 3, .shape = {B, T, C}, .bytes = values},
        {.name = "out.eval", .dtype = PML_DTYPE_F32, .rank = 3, .shape = {B, S, C}, .bytes = all},
        {.name = "out.train", .dtype = PML_DTYPE_F32, .rank = 3, .shape = {B, S, C}, .bytes = all},
        {.name = "out.b1", .dtype = PML_DTYPE_F32, .rank = 3, .shape = {1, S, C}, .bytes = first}};
    for (size_t n_wrong = 0; n_wrong < 2; n_wrong++) {
        pml_selftest_report report;
        PML_ASSERT_OK(pml_selftest_run(o.model, vectors, 4, &report, &error), &error);
        CU_ASSERT_EQUAL(report.count, 3);
        CU_ASSERT_EQUAL(report.n_failed, n_wrong);
        pml_selftest_report_deinit(&report);
        first[2] += 1;
    }
    CU_ASSERT_FALSE(pml_model_is_batch_wide(o.model));
    pml_model_batch_wide_set(o.model, true);
    PML_ASSERT_OK(pml_selftest_run_mode(o.model, PML_SELFTEST_EVAL, &input, 1, &error), &error);
    CU_ASSERT_TRUE(pml_model_is_batch_wide(o.model));
    close_model(&o);
}

/* What a file carries to test itself keeps them. */
static void modes_are_kept_in_files(void) {
    opened o = open_model(&(build){0}, NULL);
    const pml_vector vectors[] = {
        {.name = "out.eval", .dtype = PML_DTYPE_F32, .rank = 1, .shape = {1}, .bytes = values},
        {.name = "out64.b1", .dtype = PML_DTYPE_F32, .rank = 1, .shape = {1}, .bytes = values},
        {.name = "out.other", .dtype = PML_DTYPE_F32, .rank = 1, .shape = {1}, .bytes = values}};
    uint8_t *bytes;
    size_t size_bytes, n;
    pml_vector *decoded;
    PML_ASSERT_OK(pml_selftest_encode(o.model, vectors, 3, &bytes, &size_bytes, &error), &error);
    PML_ASSERT_OK(pml_selftest_decode(bytes, size_bytes, "f", &decoded, &n, &error), &error);
    CU_ASSERT_EQUAL(n, 2);
    pml_free(decoded);
    pml_free(bytes);
    close_model(&o);
}

PML_TESTS("runtime/models/selftest_mode", PML_TEST(names_of_ports_are_no_modes), PML_TEST(each_mode_is_a_run),
          PML_TEST(modes_are_kept_in_files))
