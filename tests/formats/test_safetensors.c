/* What a safetensors source shows: golden files valid and invalid, and the checkpoints of the reference library. */
#include <cjson/cJSON.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "formats/format.h"
#include "tests/harness.h"

/* Calls `visit` for every entry of tests/goldens/safetensors/<folder> that is a .safetensors file or a directory. */
static size_t for_each_golden(const char *folder, void (*visit)(const char *path, const char *stem)) {
    const char *path = pml_test_path("%s/tests/goldens/safetensors/%s", pml_test_source_dir(), folder);
    size_t n_visited = 0;
    DIR *entries = opendir(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(entries);
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        const char *file = pml_test_path("%s/%s", path, entry->d_name);
        struct stat info;
        const char *ending = strstr(entry->d_name, ".safetensors");
        if (entry->d_name[0] == '.' || stat(file, &info) != 0 || (!S_ISDIR(info.st_mode) && ending == NULL)) {
            continue;
        }
        int stem_bytes = (int)(ending == NULL ? strlen(entry->d_name) : (size_t)(ending - entry->d_name));
        visit(file, pml_test_path("%s/%.*s", path, stem_bytes, entry->d_name));
        n_visited++;
    }
    (void)closedir(entries);
    return n_visited;
}

/* Sums every byte, so that a sanitizer or the system would object to a range that is not there. */
static unsigned touch(pml_source *source) {
    unsigned sum = 0;
    pml_error error;
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source, i);
        const void *bytes = NULL;
        PML_ASSERT_OK(pml_source_tensor_view(source, tensor, &bytes, &error), &error);
        for (uint64_t j = 0; j < tensor->size_bytes; j++) {
            sum += ((const uint8_t *)bytes)[j];
        }
        CU_ASSERT_PTR_EQUAL(pml_source_tensor_find(source, tensor->name), tensor);
    }
    return sum;
}

static void check_valid(const char *path, const char *stem) {
    (void)stem;
    pml_source *source = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    if (source != NULL) {
        (void)touch(source);
    }
    pml_source_close(source);
}

static void check_invalid(const char *path, const char *stem) {
    size_t size_bytes;
    char *expected = (char *)pml_test_read_file(pml_test_path("%s.expected", stem), &size_bytes);
    char *part = strchr(expected, '\t');
    CU_ASSERT_PTR_NOT_NULL_FATAL(part);
    *part++ = '\0';
    part[strcspn(part, "\n")] = '\0';
    pml_source *source = (pml_source *)1;
    pml_error error = {.message = ""};
    pml_status status = pml_source_open(path, &source, &error);
    bool names_the_file = strstr(error.message, strrchr(stem, '/') + 1) != NULL;
    if (strcmp(pml_status_name(status), expected) != 0 || strstr(error.message, part) == NULL || !names_the_file) {
        (void)printf("\n    %s: expected %s with \"%s\", got %s: %s\n", path, expected, part, pml_status_name(status),
                     error.message);
        CU_FAIL("golden");
    }
    CU_ASSERT_PTR_NULL(source);
    CU_ASSERT_EQUAL(status, error.code);
    for (const char *byte = error.message; *byte != '\0'; byte++) {
        CU_ASSERT((unsigned char)*byte >= 0x20 && *byte != 0x7f);
    }
    free(expected);
}

static void accepts_valid_goldens(void) {
    CU_ASSERT(for_each_golden("valid", check_valid) >= 25);
}

static void refuses_invalid_goldens(void) {
    CU_ASSERT(for_each_golden("invalid", check_invalid) >= 190);
}

static pml_source *open_golden(const char *name) {
    const char *path = pml_test_golden(name);
    pml_source *source = NULL;
    pml_error error;
    if (path != NULL) {
        PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    }
    return source;
}

static void orders_and_finds_tensors(void) {
    pml_source *source = open_golden("safetensors/valid/zero-size-ties.safetensors");
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    static const char *const names[] = {"a", "m", "b", "z", "y"};
    CU_ASSERT_EQUAL(pml_source_n_tensors(source), 5);
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT_STRING_EQUAL(pml_source_tensor_at(source, i)->name, names[i]);
    }
    CU_ASSERT_PTR_NULL(pml_source_tensor_find(source, "x"));
    CU_ASSERT_PTR_NULL(pml_source_tensor_find(source, ""));
    CU_ASSERT_EQUAL(pml_source_n_files(source), 1);
    CU_ASSERT_STRING_EQUAL(pml_source_file_name(source, 0), "zero-size-ties.safetensors");
    CU_ASSERT_STRING_EQUAL(pml_source_format(source)->name, "safetensors");
    size_t directory_bytes = strlen(pml_source_directory(source));
    CU_ASSERT(directory_bytes > 5 && strcmp(pml_source_directory(source) + directory_bytes - 5, "valid") == 0);
    pml_source_close(source);
}

static void shows_metadata(void) {
    pml_source *source = open_golden("safetensors/valid/metadata-last.safetensors");
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    const char *key, *value;
    CU_ASSERT_EQUAL(pml_source_n_attributes(source), 2);
    pml_source_attribute_at(source, 0, &key, &value);
    CU_ASSERT_STRING_EQUAL(key, "format");
    CU_ASSERT_STRING_EQUAL(value, "pt");
    pml_source_attribute_at(source, 2, &key, &value);
    CU_ASSERT_PTR_NULL(value);
    CU_ASSERT_STRING_EQUAL(pml_source_attribute(source, "note"), "\xc3\xa4 \" \\ \n");
    CU_ASSERT_PTR_NULL(pml_source_attribute(source, "absent"));
    pml_source_close(source);
}

static void lists_every_dtype(void) {
    pml_source *source = open_golden("safetensors/valid/every-dtype.safetensors");
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    CU_ASSERT_EQUAL(pml_source_n_tensors(source), PML_DTYPE_COUNT - 1);
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source, i);
        CU_ASSERT_EQUAL(strcasecmp(tensor->name, pml_dtype_name(tensor->dtype)), 0);
        CU_ASSERT_EQUAL(tensor->size_bytes, pml_dtype_bits(tensor->dtype) / 2);
    }
    pml_source_close(source);
}

/* Element `i` of a tensor as a double; unaligned loads only. */
static double element(const pml_source_tensor *tensor, const uint8_t *bytes, size_t i) {
    switch (tensor->dtype) {
    case PML_DTYPE_F64: {
        double v;
        memcpy(&v, bytes + 8 * i, 8);
        return v;
    }
    case PML_DTYPE_C64:
    case PML_DTYPE_F32: {
        float v;
        memcpy(&v, bytes + 4 * i, 4);
        return (double)v;
    }
    case PML_DTYPE_F16: {
        uint16_t v;
        memcpy(&v, bytes + 2 * i, 2);
        return (double)pml_f32_from_f16(v);
    }
    case PML_DTYPE_BF16: {
        uint16_t v;
        memcpy(&v, bytes + 2 * i, 2);
        return (double)pml_f32_from_bf16(v);
    }
    case PML_DTYPE_I64: {
        int64_t v;
        memcpy(&v, bytes + 8 * i, 8);
        return (double)v;
    }
    case PML_DTYPE_I32: {
        int32_t v;
        memcpy(&v, bytes + 4 * i, 4);
        return (double)v;
    }
    case PML_DTYPE_I16: {
        int16_t v;
        memcpy(&v, bytes + 2 * i, 2);
        return (double)v;
    }
    case PML_DTYPE_I8:
        return (double)(int8_t)bytes[i];
    case PML_DTYPE_U64: {
        uint64_t v;
        memcpy(&v, bytes + 8 * i, 8);
        return (double)v;
    }
    case PML_DTYPE_U32: {
        uint32_t v;
        memcpy(&v, bytes + 4 * i, 4);
        return (double)v;
    }
    case PML_DTYPE_U16: {
        uint16_t v;
        memcpy(&v, bytes + 2 * i, 2);
        return (double)v;
    }
    case PML_DTYPE_U8:
    case PML_DTYPE_BOOL:
        return (double)bytes[i];
    default:
        return 0.0;
    }
}

static void compare_with_expected(pml_source *source, const cJSON *expected) {
    size_t n_expected = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, expected) {
        n_expected++;
        const pml_source_tensor *tensor = pml_source_tensor_find(source, item->string);
        CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
        const cJSON *shape = cJSON_GetObjectItemCaseSensitive(item, "shape"), *number;
        CU_ASSERT_STRING_EQUAL(pml_dtype_name(tensor->dtype),
                               cJSON_GetObjectItemCaseSensitive(item, "dtype")->valuestring);
        CU_ASSERT_EQUAL((int)tensor->rank, cJSON_GetArraySize(shape));
        size_t i = 0;
        cJSON_ArrayForEach(number, shape) {
            CU_ASSERT_EQUAL(tensor->shape[i++], (uint64_t)number->valuedouble);
        }
        const void *bytes;
        pml_error error;
        PML_ASSERT_OK(pml_source_tensor_view(source, tensor, &bytes, &error), &error);
        bool is_eight_bit_float = pml_dtype_name(tensor->dtype)[0] == 'F' && pml_dtype_bits(tensor->dtype) == 8;
        i = 0;
        cJSON_ArrayForEach(number, cJSON_GetObjectItemCaseSensitive(item, "values")) {
            double value = cJSON_IsBool(number) ? (double)cJSON_IsTrue(number) : number->valuedouble;
            CU_ASSERT(is_eight_bit_float || element(tensor, bytes, i) == value);
            i++;
        }
    }
    CU_ASSERT_EQUAL(pml_source_n_tensors(source), n_expected);
}

static void reads_the_reference_librarys_values(void) {
    const char *path = pml_test_golden("providers/safetensors-odd/expected.json");
    if (path == NULL) {
        pml_test_skip("providers/safetensors-odd is not at hand");
        return;
    }
    size_t size_bytes;
    char *text = (char *)pml_test_read_file(path, &size_bytes);
    cJSON *expected = cJSON_Parse(text);
    static const char *const files[] = {"odd", "odd-escaped"};
    for (size_t i = 0; i < 2; i++) {
        pml_source *source = open_golden(pml_test_path("providers/safetensors-odd/%s.safetensors", files[i]));
        CU_ASSERT_PTR_NOT_NULL_FATAL(source);
        compare_with_expected(source, expected);
        pml_source_close(source);
    }
    cJSON_Delete(expected);
    free(text);
}

/* Where the reference library reads a doubtful file, so do we, but for duplicate keys; where it refuses, so do we. */
static void decides_doubtful_files_like_the_reference_library(void) {
    const char *path = pml_test_golden("providers/safetensors-odd/doubtful.json");
    if (path == NULL) {
        pml_test_skip("providers/safetensors-odd is not at hand");
        return;
    }
    size_t size_bytes;
    char *text = (char *)pml_test_read_file(path, &size_bytes);
    cJSON *verdicts = cJSON_Parse(text);
    const cJSON *verdict;
    CU_ASSERT(cJSON_GetArraySize(verdicts) > 20);
    cJSON_ArrayForEach(verdict, verdicts) {
        pml_source *source = NULL;
        pml_error error = {.message = ""};
        pml_status status = pml_source_open(
            pml_test_golden(pml_test_path("providers/safetensors-odd/doubtful/%s.safetensors", verdict->string)),
            &source, &error);
        bool reads = strncmp(verdict->valuestring, "read", 4) == 0 && strcmp(verdict->string, "duplicate-key") != 0;
        if ((status == PML_OK) != reads) {
            (void)printf("\n    %s: %s; we: %s\n", verdict->string, verdict->valuestring, error.message);
            CU_FAIL("doubtful");
        }
        pml_source_close(source);
    }
    cJSON_Delete(verdicts);
    free(text);
}

static void opens_sharded_checkpoints(void) {
    const char *folder = pml_test_golden("patchtst/hf-sharded");
    if (folder == NULL) {
        pml_test_skip("patchtst/hf-sharded is not at hand");
        return;
    }
    const char *const paths[] = {folder, pml_test_path("%s/model.safetensors.index.json", folder)};
    for (size_t i = 0; i < 2; i++) {
        pml_source *source;
        pml_error error;
        PML_ASSERT_OK(pml_source_open(paths[i], &source, &error), &error);
        CU_ASSERT_EQUAL(pml_source_n_files(source), 4);
        CU_ASSERT_STRING_EQUAL(pml_source_file_name(source, 3), "model-00004-of-00004.safetensors");
        CU_ASSERT_STRING_EQUAL(pml_source_directory(source), folder);
        const pml_source_tensor *bias = pml_source_tensor_find(source, "head.projection.bias");
        CU_ASSERT(bias != NULL && bias->i_file == 3 && bias->dtype == PML_DTYPE_F32 && bias->rank == 1);
        CU_ASSERT_STRING_EQUAL(pml_source_attribute(source, "format"), "pt");
        for (size_t j = 1; j < pml_source_n_tensors(source); j++) {
            const pml_source_tensor *a = pml_source_tensor_at(source, j - 1), *b = pml_source_tensor_at(source, j);
            CU_ASSERT(a->i_file < b->i_file || (a->i_file == b->i_file && a->offset_bytes < b->offset_bytes));
        }
        (void)touch(source);
        pml_source_close(source);
    }
}

static void keeps_half_precision(void) {
    static const struct {
        const char *folder;
        pml_dtype dtype;
    } cases[] = {{"patchtst/hf-bf16", PML_DTYPE_BF16}, {"patchtst/hf-fp16", PML_DTYPE_F16}};
    for (size_t i = 0; i < 2; i++) {
        pml_source *source = open_golden(cases[i].folder);
        if (source == NULL) {
            pml_test_skip("patchtst/hf-bf16 or hf-fp16 is not at hand");
            return;
        }
        const pml_source_tensor *tensor = pml_source_tensor_find(source, "head.projection.weight");
        CU_ASSERT(tensor != NULL && tensor->dtype == cases[i].dtype);
        pml_source_close(source);
    }
}

PML_TESTS("formats/safetensors", PML_TEST(accepts_valid_goldens), PML_TEST(refuses_invalid_goldens),
          PML_TEST(orders_and_finds_tensors), PML_TEST(shows_metadata), PML_TEST(lists_every_dtype),
          PML_TEST(reads_the_reference_librarys_values), PML_TEST(decides_doubtful_files_like_the_reference_library),
          PML_TEST(opens_sharded_checkpoints), PML_TEST(keeps_half_precision))
