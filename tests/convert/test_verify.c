/* verify: damage of the file itself, and every way in which a source can have changed since. */
#include <cjson/cJSON.h>

#include "convert/verify_source.h"
#include "tests/convert/command_fixture.h"

/* First byte of a tensor's data in a safetensors file. */
static size_t data_offset(const char *path, const char *name) {
    size_t size = 0;
    unsigned char *bytes = pml_test_read_file(path, &size);
    uint64_t header = 0;
    memcpy(&header, bytes, 8);
    char *text = strndup((char *)bytes + 8, (size_t)header);
    cJSON *root = cJSON_Parse(text);
    const cJSON *offsets = cJSON_GetObjectItem(cJSON_GetObjectItemCaseSensitive(root, name), "data_offsets");
    CU_ASSERT_PTR_NOT_NULL_FATAL(offsets);
    size_t at = 8 + (size_t)header + (size_t)cJSON_GetArrayItem(offsets, 0)->valuedouble;
    cJSON_Delete(root);
    free(text);
    free(bytes);
    return at;
}

static void an_untouched_file_and_source(void) {
    const char *source = test_copy_case(TEST_CASE, "same");
    if (source == NULL) {
        return;
    }
    static const char *const forms[] = {"", "--layout row", "--dtype bf16", "--dtype bf16 --layout row"};
    for (size_t i = 0; i < 4; i++) {
        const char *file = test_converted(source, "same.pml", forms[i]);
        TEST_EXITS(0, "checksums", "verify '%s'", file);
        TEST_EXITS(0, "0 differences", "verify '%s' --source '%s'", file, source);
        TEST_EXITS(0, "\"passed\": true", "verify '%s' --source '%s' --json", file, source);
    }
    const char *sharded = test_copy_case("patchtst/hf-sharded", "sharded");
    TEST_EXITS(0, "0 differences", "verify '%s' --source '%s'", test_converted(sharded, "sharded.pml", ""), sharded);
    TEST_EXITS(1, NULL, "verify '%s' --source '%s'", test_converted(source, "same.pml", ""), sharded);
}

static void a_flipped_source_byte_is_found_and_named(void) {
    const char *source = test_copy_case(TEST_CASE, "flipped");
    if (source == NULL) {
        return;
    }
    const char *file = test_converted(source, "flipped.pml", "");
    const char *weights = pml_test_path("%s/model.safetensors", source);
    /* Element 3 of row 5 of a Linear [16,16], which is stored transposed: element 3 * 16 + 5. Its exponent changes. */
    static const char name[] = "model.encoder.layers.0.self_attn.q_proj.weight";
    test_flip_byte(weights, data_offset(weights, name) + (5 * 16 + 3) * 4 + 3);
    TEST_EXITS(1, "encoder.layer.0.attention.q.weight", "verify '%s' --source '%s'", file, source);
    pml_error error = {0};
    pml_file *opened = NULL;
    pml_verify_report report = {0};
    pml_verify_options options = {.source = source};
    PML_ASSERT_OK(pml_file_open(file, &opened, &error), &error);
    PML_ASSERT_OK(pml_verify_source(opened, &options, &report, &error), &error);
    CU_ASSERT_EQUAL_FATAL(report.count, 2); /* the tensor, and the hash of its file */
    CU_ASSERT_EQUAL(report.findings[0].kind, PML_FINDING_TENSOR);
    CU_ASSERT_TRUE(report.findings[0].has_element);
    CU_ASSERT_EQUAL(report.findings[0].i_element, 3 * 16 + 5);
    CU_ASSERT_TRUE(report.findings[0].stored != report.findings[0].expected);
    CU_ASSERT_EQUAL(report.findings[1].kind, PML_FINDING_FILE);
    CU_ASSERT_STRING_EQUAL(report.findings[1].name, "model.safetensors");
    pml_verify_report_deinit(&report);
    pml_file_close(opened);
    /* A tensor that is dropped shows only in the hash of its file. */
    const char *again = test_copy_case(TEST_CASE, "dropped");
    weights = pml_test_path("%s/model.safetensors", again);
    test_flip_byte(weights,
                   data_offset(weights, "model.encoder.layers.0.norm_sublayer1.batchnorm.num_batches_tracked"));
    TEST_EXITS(1, "model.safetensors", "verify '%s' --source '%s'", file, again);
}

static void a_changed_config_is_found_and_named(void) {
    const char *source = test_copy_case(TEST_CASE, "config");
    if (source == NULL) {
        return;
    }
    const char *file = test_converted(source, "config.pml", "");
    const char *config = pml_test_path("%s/config.json", source);
    test_replace_text(config, "\"num_attention_heads\": 4", "\"num_attention_heads\": 2");
    TEST_EXITS(1, "config.num_attention_heads", "verify '%s' --source '%s'", file, source);
    TEST_EXITS(1, "\"passed\": false", "verify '%s' --source '%s' --json 2>/dev/null", file, source);
    /* White space changes nothing but the hash. */
    test_replace_text(config, "\"num_attention_heads\": 2", "\"num_attention_heads\":  4");
    TEST_EXITS(1, "file config.json: sha256", "verify '%s' --source '%s'", file, source);
}

/* Settings, rules and a config elsewhere are repeated as they were given. */
static void recorded_options_are_repeated(void) {
    const char *source = test_copy_case(TEST_CASE, "options");
    if (source == NULL) {
        return;
    }
    const char *file = test_converted(source, "options.pml", "--set scaling=mean --set frequency=h --arch patchtst");
    TEST_EXITS(0, "0 differences", "verify '%s' --source '%s'", file, source);
    const char *elsewhere = pml_test_path("%s/elsewhere.json", pml_test_temporary_dir());
    CU_ASSERT_EQUAL_FATAL(rename(pml_test_path("%s/config.json", source), elsewhere), 0);
    TEST_EXITS(0, NULL, "'%s' -o '%s' --force -q --config '%s'", source, file, elsewhere);
    TEST_EXITS(0, "0 differences", "verify '%s' --source '%s' --config '%s'", file, source, elsewhere);
    TEST_EXITS(78, NULL, "verify '%s' --source '%s'", file, source);
    const char *rules = pml_test_path("%s/rules", pml_test_temporary_dir());
    static const char text[] = "head.projection.bias head.0.bias\n";
    pml_test_write_file(rules, text, sizeof text - 1);
    TEST_EXITS(0, NULL, "'%s' -o '%s' --force -q --config '%s' --map '%s'", source, file, elsewhere, rules);
    TEST_EXITS(0, "0 differences", "verify '%s' --source '%s' --config '%s' --map '%s'", file, source, elsewhere,
               rules);
    TEST_EXITS(1, "made from 3 files", "verify '%s' --source '%s' --config '%s'", file, source, elsewhere);
}

static void embedded_vectors_take_nothing_from_the_source(void) {
    const char *source = test_copy_case(TEST_CASE, "embedded");
    if (source == NULL) {
        return;
    }
    const char *file =
        test_converted(source, "embedded.pml", pml_test_path("--embed-selftest '%s/io.safetensors'", source));
    TEST_EXITS(0, "1 blobs", "verify '%s'", file);
    TEST_EXITS(0, "0 differences", "verify '%s' --source '%s'", file, source);
    TEST_EXITS(0, "identical content", "diff '%s' '%s'", file, test_converted(source, "bare.pml", ""));
}

/* A bit anywhere in the file: never taken for good. Every byte of the head, every 97th of the rest. */
static void a_flipped_byte_of_the_file_is_found(void) {
    const char *source = test_copy_case(TEST_CASE, "bits");
    if (source == NULL) {
        return;
    }
    const char *file = test_converted(source, "bits.pml", "");
    const char *flipped = pml_test_path("%s/flipped-bits.pml", pml_test_temporary_dir());
    size_t size = 0, n_missed = 0, n_checked = 0;
    unsigned char *bytes = pml_test_read_file(file, &size);
    for (size_t at = 0; at < size; at += at < 1024 ? 1 : 97) {
        bytes[at] ^= (unsigned char)(1u << at % 8);
        pml_test_write_file(flipped, bytes, size);
        bytes[at] ^= (unsigned char)(1u << at % 8);
        pml_error error = {0};
        pml_file *opened = NULL;
        pml_status status = pml_file_open(flipped, &opened, &error);
        if (status == PML_OK) {
            status = pml_file_verify(opened, &error);
        }
        n_missed += status == PML_OK || error.message[0] == '\0';
        n_checked++;
        pml_file_close(opened);
    }
    CU_ASSERT_EQUAL(n_missed, 0);
    CU_ASSERT_TRUE(n_checked > 1200);
    /* The same by the command: in tensor data a mismatch, in the head an invalid file. */
    bytes[size - 100] ^= 1;
    pml_test_write_file(flipped, bytes, size);
    TEST_EXITS(1, "flipped-bits.pml", "verify '%s'", flipped);
    TEST_EXITS(1, "\"passed\": false", "verify '%s' --json 2>/dev/null", flipped);
    bytes[size - 100] ^= 1;
    bytes[20] ^= 1;
    pml_test_write_file(flipped, bytes, size);
    TEST_EXITS(65, "flipped-bits.pml", "verify '%s'", flipped);
    /* Truncated anywhere, or longer than it says. */
    bytes[20] ^= 1;
    static const size_t cuts[] = {1, 2, 64, 4096, 8192};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        pml_test_write_file(flipped, bytes, size - cuts[i]);
        TEST_EXITS(65, "flipped-bits.pml", "verify '%s'", flipped);
    }
    pml_test_write_file(flipped, bytes, size + 1);
    TEST_EXITS(65, "flipped-bits.pml", "verify '%s'", flipped);
    pml_test_write_file(flipped, bytes, 0);
    TEST_EXITS(65, "flipped-bits.pml", "verify '%s'", flipped);
    free(bytes);
}

static void every_failed_allocation_is_an_error(void) {
    const char *source = test_copy_case(TEST_CASE, "memory");
    if (source == NULL) {
        return;
    }
    const char *file = test_converted(source, "memory.pml", "");
    pml_error error = {0};
    pml_file *opened = NULL;
    PML_ASSERT_OK(pml_file_open(file, &opened, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(opened);
    pml_verify_options options = {.source = source};
    unsigned long n = 1;
    for (bool done = false; !done; n += 1 + n / 16) {
        pml_verify_report report = {0};
        pml_test_fail_allocation(n, false);
        pml_status status = pml_verify_source(opened, &options, &report, &error);
        pml_test_fail_allocation(0, false);
        done = status == PML_OK;
        CU_ASSERT_TRUE(status == PML_E_MEMORY || (done && report.count == 0));
        pml_verify_report_deinit(&report);
        if (status != PML_OK && status != PML_E_MEMORY) {
            printf("\n    allocation %lu: %s\n", n, error.message);
            break;
        }
    }
    CU_ASSERT_TRUE(n > 50);
    pml_file_close(opened);
}

static void command(void) {
    test_usage("verify", "x");
    TEST_EXITS(66, "nowhere", "verify '%s/nowhere'", pml_test_temporary_dir());
    TEST_EXITS(65, NULL, "verify '%s'", pml_test_temporary_dir());
    const char *source = test_copy_case(TEST_CASE, "usage");
    if (source == NULL) {
        return;
    }
    const char *file = test_converted(source, "usage.pml", "");
    TEST_EXITS(66, "nowhere", "verify '%s' --source '%s/nowhere'", file, source);
    TEST_EXITS(65, NULL, "verify '%s/model.safetensors'", source);
    TEST_EXITS(74, NULL, "verify '%s' >/dev/full", file);
}

PML_TESTS("convert/verify", PML_TEST(an_untouched_file_and_source), PML_TEST(a_flipped_source_byte_is_found_and_named),
          PML_TEST(a_changed_config_is_found_and_named), PML_TEST(recorded_options_are_repeated),
          PML_TEST(embedded_vectors_take_nothing_from_the_source), PML_TEST(a_flipped_byte_of_the_file_is_found),
          PML_TEST(every_failed_allocation_is_an_error), PML_TEST(command))
