/* ONNX models: tensors as they are stored, and weights as the framework had them. */
#include <string.h>

#include "formats/file_map.h"
#include "formats/json_document.h"
#include "formats/onnx/onnx_open.h"
#include "formats/source.h"
#include "tests/formats/conformance.h"

extern const pml_format pml_format_onnx;

#define CASE(name) "providers/" name

/* The tensors of a model as they are stored. */
static pml_source *open_stored(const char *path) {
    pml_source *source = NULL;
    pml_error error;
    size_t i_file;
    PML_ASSERT_OK(pml_source_create(path, &pml_format_onnx, &source, &error), &error);
    PML_ASSERT_OK(pml_source_add_file(source, path, &i_file, &error), &error);
    PML_ASSERT_OK(pml_onnx_open(source, i_file, PML_ONNX_AS_STORED, &error), &error);
    PML_ASSERT_OK(pml_source_sort(source, &error), &error);
    return source;
}

static bool is_alike(pml_source *source, const pml_source_tensor *found, pml_source *expected,
                     const pml_source_tensor *wanted) {
    const void *bytes = NULL, *wanted_bytes = NULL;
    pml_error error;
    if (found == NULL || found->dtype != wanted->dtype || found->rank != wanted->rank ||
        memcmp(found->shape, wanted->shape, wanted->rank * sizeof wanted->shape[0]) != 0) {
        return false;
    }
    PML_ASSERT_OK(pml_source_tensor_view(source, found, &bytes, &error), &error);
    PML_ASSERT_OK(pml_source_tensor_view(expected, wanted, &wanted_bytes, &error), &error);
    return bytes != NULL && memcmp(bytes, wanted_bytes, wanted->size_bytes) == 0;
}

/* Every expected tensor is there; what is there beside them is a Constant of at most 16 elements. */
static void check_stored(const char *model, const char *expected_name) {
    const char *path = pml_test_golden(model), *expected_path = pml_test_golden(expected_name);
    if (path == NULL || expected_path == NULL) {
        pml_test_skip("no golden data");
        return;
    }
    pml_source *source = open_stored(path), *expected = NULL;
    pml_error error;
    size_t n_met = 0;
    PML_ASSERT_OK(pml_source_open(expected_path, &expected, &error), &error);
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const pml_source_tensor *found = pml_source_tensor_at(source, i);
        const pml_source_tensor *wanted = pml_source_tensor_find(expected, found->name);
        bool is_met = wanted != NULL && is_alike(source, found, expected, wanted);
        bool is_small = wanted == NULL && strncmp(found->name, "Constant:", 9) == 0 &&
                        found->size_bytes * 8 <= 16 * (uint64_t)pml_dtype_bits(found->dtype);
        n_met += is_met ? 1 : 0;
        if (!is_met && !is_small) {
            printf("\n%s: tensor %s is another\n", model, found->name);
        }
        CU_ASSERT_TRUE(is_met || is_small);
    }
    CU_ASSERT_EQUAL(n_met, pml_source_n_tensors(expected));
    pml_source_close(expected);
    pml_source_close(source);
}

static void stored_tensors_of_every_case(void) {
    check_stored(CASE("bert-onnx/model-torchscript.onnx"), CASE("bert-onnx/expected-torchscript.safetensors"));
    check_stored(CASE("bert-onnx/model-dynamo.onnx"), CASE("bert-onnx/expected-dynamo.safetensors"));
    check_stored(CASE("bert-onnx/model-dynamo-static.onnx"), CASE("bert-onnx/expected-dynamo-static.safetensors"));
    check_stored(CASE("bert-onnx-external-data/model.onnx"), CASE("bert-onnx-external-data/expected.safetensors"));
    check_stored(CASE("onnx-dtypes/model.onnx"), CASE("onnx-dtypes/expected.safetensors"));
    check_stored(CASE("onnx-small/model-dynamo.onnx"), CASE("onnx-small/expected-dynamo.safetensors"));
    check_stored(CASE("onnx-small/model-torchscript.onnx"), CASE("onnx-small/expected-torchscript.safetensors"));
    check_stored(CASE("onnx-int8/model.onnx"), CASE("onnx-int8/expected.safetensors"));
    check_stored(CASE("onnx-int8/model-per-channel.onnx"), CASE("onnx-int8/expected-per-channel.safetensors"));
}

/* ---- weights as the framework had them ---- */
/* Every tensor of `expected` is in the model, behind `prefix`; of the model's own, `n_others` are not in it. */
static void check_named(const char *model, const char *prefix, const char *expected_name, size_t n_others,
                        size_t n_missing) {
    const char *path = pml_test_golden(model), *expected_path = pml_test_golden(expected_name);
    if (path == NULL || expected_path == NULL) {
        pml_test_skip("no golden data");
        return;
    }
    pml_source *source = NULL, *expected = NULL;
    pml_error error;
    size_t n_met = 0;
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    PML_ASSERT_OK(pml_source_open(expected_path, &expected, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    for (size_t i = 0; i < pml_source_n_tensors(expected); i++) {
        const pml_source_tensor *wanted = pml_source_tensor_at(expected, i);
        char name[PML_MAX_NAME_BYTES];
        (void)snprintf(name, sizeof name, "%s%s", prefix, wanted->name);
        const pml_source_tensor *found = pml_source_tensor_find(source, name);
        if (is_alike(source, found, expected, wanted)) {
            n_met++;
        } else if (n_missing == 0) {
            printf("\n%s: %s: %s\n", model, name, found == NULL ? "missing" : "is another");
        }
    }
    CU_ASSERT_EQUAL(n_met, pml_source_n_tensors(expected) - n_missing);
    CU_ASSERT_EQUAL(pml_source_n_tensors(source), n_met + n_others);
    if (pml_source_n_tensors(source) != n_met + n_others) {
        for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
            printf("\n  %s", pml_source_tensor_at(source, i)->name);
        }
    }
    pml_source_close(expected);
    pml_source_close(source);
}

static void names_of_both_exporters(void) {
    check_named(CASE("bert-onnx/model-torchscript.onnx"), "bert.", CASE("bert-onnx/expected.safetensors"), 0, 0);
    check_named(CASE("bert-onnx/model-dynamo.onnx"), "bert.", CASE("bert-onnx/expected.safetensors"), 1,
                0); /* position_ids */
    /* Of the position table the rows in use are left, under the name of the step that they are the result of. */
    check_named(CASE("bert-onnx/model-dynamo-static.onnx"), "bert.", CASE("bert-onnx/expected.safetensors"), 1, 1);
    check_named(CASE("bert-onnx-external-data/model.onnx"), "bert.", CASE("bert-onnx/expected.safetensors"), 0, 0);
}

/* A network whose BatchNorm was folded: what is left of the convolution is not the parameter any more. */
static void folded_layers_keep_their_names(void) {
    check_named(CASE("onnx-small/model-dynamo.onnx"), "", CASE("onnx-small/expected.safetensors"), 2, 7);
    check_named(CASE("onnx-small/model-torchscript.onnx"), "", CASE("onnx-small/expected.safetensors"), 2, 7);
}

/* Constants of a computation are left out: the one Constant node of floats is not among them. */
static void weights_of_every_dtype(void) {
    check_named(CASE("onnx-dtypes/model.onnx"), "", CASE("onnx-dtypes/expected.safetensors"), 0, 0);
}

/* ---- weights that are quantized already ---- */
/* [rows][columns] floats and their transpose. */
static bool is_transpose(const float *a, size_t n_rows, size_t n_columns, const float *b) {
    for (size_t i = 0; i < n_rows; i++) {
        for (size_t j = 0; j < n_columns; j++) {
            if (memcmp(&a[i * n_columns + j], &b[j * n_rows + i], sizeof *a) != 0) {
                return false;
            }
        }
    }
    return true;
}

/* The parameter that an exporter's name stands for. */
static const char *parameter_of(const cJSON *names, const char *stored) {
    static const char ending[] = "_Transposed";
    const cJSON *row = cJSON_GetObjectItemCaseSensitive(names, stored);
    const char *parameter = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "parameter"));
    return parameter != NULL                    ? parameter
           : pml_name_ends_with(stored, ending) ? pml_test_path("%.*s", (int)(strlen(stored) - strlen(ending)), stored)
                                                : stored;
}

static void check_dequantized(const char *model, const char *expected_name) {
    const char *path = pml_test_golden(model), *expected_path = pml_test_golden(expected_name);
    const char *names_path = pml_test_golden(CASE("bert-onnx/names-torchscript.json"));
    if (path == NULL || expected_path == NULL || names_path == NULL) {
        pml_test_skip("no golden data");
        return;
    }
    size_t n_bytes;
    char *text = (char *)pml_test_read_file(names_path, &n_bytes);
    cJSON *names = NULL;
    pml_source *source = NULL, *expected = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_json_document_parse(text, n_bytes, names_path, &names, &error), &error);
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    PML_ASSERT_OK(pml_source_open(expected_path, &expected, &error), &error);
    CU_ASSERT_STRING_EQUAL(pml_source_attribute(source, "onnx.tensors_dequantized"), "16");
    CU_ASSERT_EQUAL(pml_source_n_tensors(expected), 16);
    CU_ASSERT_EQUAL(pml_source_n_tensors(source), 39); /* as many as a BertModel of two layers has */
    for (size_t i = 0; i < pml_source_n_tensors(expected); i++) {
        const pml_source_tensor *wanted = pml_source_tensor_at(expected, i);
        const pml_source_tensor *found = pml_source_tensor_find(source, parameter_of(names, wanted->name));
        const void *bytes, *wanted_bytes;
        CU_ASSERT_PTR_NOT_NULL_FATAL(found);
        CU_ASSERT_FATAL(found->dtype == PML_DTYPE_F32 && found->rank == 2 && found->size_bytes == wanted->size_bytes);
        PML_ASSERT_OK(pml_source_tensor_view(source, found, &bytes, &error), &error);
        PML_ASSERT_OK(pml_source_tensor_view(expected, wanted, &wanted_bytes, &error), &error);
        const bool is_table = strcmp(found->name, wanted->name) == 0;
        CU_ASSERT(is_table ? memcmp(bytes, wanted_bytes, wanted->size_bytes) == 0
                           : is_transpose(wanted_bytes, wanted->shape[0], wanted->shape[1], bytes));
    }
    pml_source_close(expected);
    pml_source_close(source);
    cJSON_Delete(names);
    free(text);
}

static void quantized_weights_are_restored_to_the_bit(void) {
    check_dequantized(CASE("onnx-int8/model.onnx"), CASE("onnx-int8/dequantized.safetensors"));
    check_dequantized(CASE("onnx-int8/model-per-channel.onnx"), CASE("onnx-int8/dequantized-per-channel.safetensors"));
}

PML_TESTS("formats/onnx", PML_TEST(stored_tensors_of_every_case), PML_TEST(names_of_both_exporters),
          PML_TEST(folded_layers_keep_their_names), PML_TEST(weights_of_every_dtype),
          PML_TEST(quantized_weights_are_restored_to_the_bit))
