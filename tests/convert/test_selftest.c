/* selftest: recorded vectors of every kind, and what comes out of --out. */
#include <cjson/cJSON.h>
#include <math.h>

#include "convert/selftest_io.h"
#include "tests/convert/checkpoint.h"
#include "tests/convert/command_fixture.h"

static const char *golden_file(const char **source) {
    *source = test_copy_case(TEST_CASE, "selftest");
    return *source != NULL ? test_converted(*source, "selftest.pml", "") : NULL;
}

static void recorded_outputs_are_judged(void) {
    const char *source = NULL, *file = golden_file(&source);
    if (file == NULL) {
        return;
    }
    TEST_EXITS(0, "prediction_outputs", "selftest '%s' --io '%s/io.safetensors'", file, source);
    TEST_EXITS(0, "0 failed", "selftest '%s' --io '%s/io.safetensors' --backend cpu", file, source);
    char *output = NULL;
    CU_ASSERT_EQUAL(test_convert(&output, "selftest '%s' --io '%s/io.safetensors' --json", file, source), 0);
    cJSON *root = cJSON_Parse(output);
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    CU_ASSERT_TRUE(cJSON_IsTrue(cJSON_GetObjectItem(root, "passed")));
    const cJSON *outputs = cJSON_GetObjectItem(root, "outputs"), *one = NULL;
    CU_ASSERT_TRUE(cJSON_GetArraySize(outputs) >= 1);
    cJSON_ArrayForEach(one, outputs) {
        double error = cJSON_GetObjectItem(one, "max_error")->valuedouble;
        CU_ASSERT_TRUE(error <= cJSON_GetObjectItem(one, "allowed")->valuedouble);
        CU_ASSERT_PTR_NULL(strstr(cJSON_GetObjectItem(one, "name")->valuestring, "loss"));
    }
    cJSON_Delete(root);
    free(output);
}

/* The recorded vectors of a golden with one changed, written anew by the test. */
static const char *changed_vectors(const char *source, const char *name, const char *keep_out, float change) {
    pml_error error = {0};
    pml_source *io = NULL;
    PML_ASSERT_OK(pml_source_open(pml_test_path("%s/io.safetensors", source), &io, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(io);
    const char *path = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    test_tensor tensors[256];
    void *copies[256] = {NULL};
    size_t n = 0;
    for (size_t i = 0; i < pml_source_n_tensors(io) && n < 256; i++) {
        const pml_source_tensor *from = pml_source_tensor_at(io, i);
        if (strncmp(from->name, keep_out, strlen(keep_out)) == 0) {
            continue;
        }
        const void *bytes = NULL;
        PML_ASSERT_OK(pml_source_tensor_view(io, from, &bytes, &error), &error);
        copies[n] = malloc((size_t)from->size_bytes + 8);
        CU_ASSERT_PTR_NOT_NULL_FATAL(copies[n]);
        memcpy(copies[n], bytes, (size_t)from->size_bytes);
        /* Both twins move: the distance between them is the error that the rule allows. */
        if (change != 0 && strcmp(from->name, "out64.prediction_outputs") == 0) {
            double value = 0;
            memcpy(&value, copies[n], sizeof value);
            value += (double)change;
            memcpy(copies[n], &value, sizeof value);
        } else if (change != 0 && strcmp(from->name, "out.prediction_outputs") == 0) {
            float value = 0;
            memcpy(&value, copies[n], sizeof value);
            value += change;
            memcpy(copies[n], &value, sizeof value);
        }
        tensors[n] = (test_tensor){.name = from->name, .dtype = from->dtype, .rank = from->rank, .bytes = copies[n]};
        memcpy(tensors[n].shape, from->shape, sizeof tensors[n].shape);
        n++;
    }
    test_write_safetensors(path, tensors, n, 0);
    pml_source_close(io);
    for (size_t i = 0; i < n; i++) {
        free(copies[i]);
    }
    return path;
}

static void a_wrong_output_fails(void) {
    const char *source = NULL, *file = golden_file(&source);
    if (file == NULL) {
        return;
    }
    const char *io = changed_vectors(source, "wrong.safetensors", "-", 0.25f);
    TEST_EXITS(1, "FAIL", "selftest '%s' --io '%s'", file, io);
    TEST_EXITS(1, "\"passed\": false", "selftest '%s' --io '%s' --json 2>/dev/null", file, io);
}

/* Without recorded outputs it only computes; what --out wrote is then a record that passes. */
static void out_is_what_was_computed(void) {
    const char *source = NULL, *file = golden_file(&source);
    if (file == NULL) {
        return;
    }
    const char *inputs = changed_vectors(source, "inputs.safetensors", "out", 0);
    const char *out = pml_test_path("%s/computed.safetensors", pml_test_temporary_dir());
    const char *again = pml_test_path("%s/again.safetensors", pml_test_temporary_dir());
    TEST_EXITS(0, "0 outputs compared", "selftest '%s' --io '%s' --out '%s'", file, inputs, out);
    TEST_EXITS(0, NULL, "selftest '%s' --io '%s/io.safetensors' --out '%s'", file, source, again);
    size_t a_size = 0, b_size = 0;
    unsigned char *a = pml_test_read_file(out, &a_size), *b = pml_test_read_file(again, &b_size);
    CU_ASSERT_TRUE(a_size == b_size && memcmp(a, b, a_size) == 0); /* bit-identical from run to run */
    free(a);
    free(b);
    pml_error error = {0};
    pml_selftest_io computed = {0}, recorded = {0};
    PML_ASSERT_OK(pml_selftest_io_open(out, &computed, &error), &error);
    PML_ASSERT_OK(pml_selftest_io_open(pml_test_path("%s/io.safetensors", source), &recorded, &error), &error);
    size_t n_found = 0;
    for (size_t i = 0; i < recorded.n_vectors; i++) {
        const pml_source_tensor *golden = pml_source_tensor_find(recorded.source, recorded.vectors[i].name);
        const pml_source_tensor *ours = pml_source_tensor_find(computed.source, recorded.vectors[i].name);
        if (strncmp(golden->name, "out.", 4) != 0) {
            continue;
        }
        CU_ASSERT_PTR_NOT_NULL_FATAL(ours);
        CU_ASSERT_EQUAL(ours->dtype, PML_DTYPE_F32);
        CU_ASSERT_EQUAL_FATAL(ours->size_bytes, golden->size_bytes);
        const void *x = NULL, *y = NULL;
        PML_ASSERT_OK(pml_source_tensor_view(computed.source, ours, &x, &error), &error);
        PML_ASSERT_OK(pml_source_tensor_view(recorded.source, golden, &y, &error), &error);
        for (size_t k = 0; k < golden->size_bytes / 4; k++) {
            float p = 0, q = 0;
            memcpy(&p, (const char *)x + 4 * k, 4);
            memcpy(&q, (const char *)y + 4 * k, 4);
            CU_ASSERT_TRUE(fabsf(p - q) <= 1e-4f * (1 + fabsf(q)));
        }
        n_found++;
    }
    CU_ASSERT_TRUE(n_found >= 1);
    pml_selftest_io_close(&computed);
    pml_selftest_io_close(&recorded);
    TEST_EXITS(74, NULL, "selftest '%s' --io '%s' --out /nonexistent/out.safetensors", file, inputs);
}

/* Inputs of every number type, derived values and training vectors beside the outputs. */
static void other_vectors_are_left_alone(void) {
    static const double values[4] = {0, 1, 2, 3};
    const char *path = pml_test_path("%s/kinds.safetensors", pml_test_temporary_dir());
    const test_tensor tensors[] = {
        {"in.f64", PML_DTYPE_F64, 1, {2}, values},     {"in.i64", PML_DTYPE_I64, 1, {2}, values},
        {"in.mask", PML_DTYPE_BOOL, 1, {4}, values},   {"in.bf16", PML_DTYPE_BF16, 1, {4}, values},
        {"out.y", PML_DTYPE_F32, 1, {1}, values},      {"out64.y", PML_DTYPE_F64, 1, {1}, values},
        {"out.loss", PML_DTYPE_F32, 1, {1}, values},   {"loss64", PML_DTYPE_F64, 1, {1}, values},
        {"grad.w", PML_DTYPE_F32, 1, {1}, values},     {"mid.x", PML_DTYPE_C64, 1, {1}, values},
        {"after.mean", PML_DTYPE_F32, 1, {1}, values}, {"other", PML_DTYPE_F8_E4M3, 1, {1}, values},
    };
    test_write_safetensors(path, tensors, sizeof tensors / sizeof tensors[0], 0);
    pml_error error = {0};
    pml_selftest_io io = {0};
    PML_ASSERT_OK(pml_selftest_io_open(path, &io, &error), &error);
    CU_ASSERT_EQUAL(io.n_vectors, 6);
    pml_selftest_io_close(&io);
    const test_tensor complex_input[] = {{"in.c", PML_DTYPE_C64, 1, {1}, values}};
    test_write_safetensors(path, complex_input, 1, 0);
    PML_ASSERT_FAILS(pml_selftest_io_open(path, &io, &error), PML_E_UNSUPPORTED, &error, "C64");
    for (unsigned long n = 1; n < 8; n++) {
        test_write_safetensors(path, tensors, 6, 0);
        pml_test_fail_allocation(n, true);
        pml_status status = pml_selftest_io_open(path, &io, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_E_MEMORY || status == PML_OK);
        pml_selftest_io_close(&io);
    }
}

static void missing_inputs_and_wrong_shapes(void) {
    const char *source = NULL, *file = golden_file(&source);
    if (file == NULL) {
        return;
    }
    static const float values[6] = {0};
    const char *path = pml_test_path("%s/short.safetensors", pml_test_temporary_dir());
    const test_tensor unknown[] = {{"in.unknown", PML_DTYPE_F32, 1, {1}, values}};
    test_write_safetensors(path, unknown, 1, 0);
    TEST_EXITS(2, "past_values", "selftest '%s' --io '%s'", file, path);
    const test_tensor small[] = {{"in.past_values", PML_DTYPE_F32, 3, {1, 2, 3}, values}};
    test_write_safetensors(path, small, 1, 0);
    TEST_EXITS(2, "past_values", "selftest '%s' --io '%s'", file, path);
}

static void command(void) {
    test_usage("selftest", "x");
    const char *source = NULL, *file = golden_file(&source);
    if (file == NULL) {
        return;
    }
    TEST_EXITS(2, "--io", "selftest '%s'", file);
    TEST_EXITS(66, "nowhere", "selftest '%s/nowhere' --io '%s/io.safetensors'", source, source);
    TEST_EXITS(66, "nowhere", "selftest '%s' --io '%s/nowhere'", file, source);
    TEST_EXITS(65, NULL, "selftest '%s' --io '%s/config.json'", file, source);
    TEST_EXITS(2, "no-such-backend", "selftest '%s' --io '%s/io.safetensors' --backend no-such-backend", file, source);
    TEST_EXITS(65, NULL, "selftest '%s' --io '%s/io.safetensors'", source, source);
    TEST_EXITS(74, NULL, "selftest '%s' --io '%s/io.safetensors' >/dev/full", file, source);
}

PML_TESTS("convert/selftest", PML_TEST(recorded_outputs_are_judged), PML_TEST(a_wrong_output_fails),
          PML_TEST(out_is_what_was_computed), PML_TEST(other_vectors_are_left_alone),
          PML_TEST(missing_inputs_and_wrong_shapes), PML_TEST(command))
