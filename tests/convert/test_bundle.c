#include "convert/bundle.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/convert/checkpoint.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

/* A folder (parents too) with one small model.safetensors in it. */
static const char *make_source(const char *name) {
    const char *path = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    const float values[4] = {1, 2, 3, 4};
    const test_tensor tensor = {"t0", PML_DTYPE_F32, 2, {2, 2}, values};
    CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL, "mkdir -p '%s'", path), 0);
    test_write_safetensors(pml_test_path("%s/model.safetensors", path), &tensor, 1, 0);
    return path;
}

static void write_text(const char *path, const char *text) {
    pml_test_write_file(path, text, strlen(text));
}

static void finds_what_lies_beside(void) {
    const char *source = make_source("beside");
    pml_bundle *bundle;
    pml_error error;
    PML_ASSERT_OK(pml_bundle_open(source, NULL, &bundle, &error), &error);
    CU_ASSERT_TRUE(bundle->config == NULL && bundle->scaler == NULL && bundle->config_file.name == NULL);
    CU_ASSERT_TRUE(bundle->map.tensors == bundle->tensors && bundle->map.config == NULL && bundle->map.options != NULL);
    pml_bundle_close(bundle);
    write_text(pml_test_path("%s/config.json", source), "{\"model_type\": \"x\"}");
    write_text(pml_test_path("%s/scaler.json", source), "{}");
    const char *const paths[] = {source, pml_test_path("%s/model.safetensors", source), pml_test_path("%s/", source)};
    for (size_t i = 0; i < 3; i++) {
        PML_ASSERT_OK(pml_bundle_open(paths[i], NULL, &bundle, &error), &error);
        CU_ASSERT_TRUE(cJSON_IsObject(bundle->config) && cJSON_IsObject(bundle->scaler));
        CU_ASSERT_TRUE(bundle->map.config == bundle->config);
        CU_ASSERT_EQUAL(bundle->map.config_bytes, 19); /* the text too: the mapper tells 16.0 from 16 by it */
        CU_ASSERT_TRUE(bundle->map.config_text != NULL &&
                       strcmp(bundle->map.config_text, "{\"model_type\": \"x\"}") == 0);
        CU_ASSERT_STRING_EQUAL(bundle->config_file.name, "config.json");
        CU_ASSERT_EQUAL(bundle->config_file.size_bytes, 19);
        /* printf '{"model_type": "x"}' | sha256sum; printf '{}' | sha256sum */
        CU_ASSERT_STRING_EQUAL(bundle->scaler_file.sha256,
                               "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        CU_ASSERT_STRING_EQUAL(bundle->name, i == 1 ? "model" : "beside");
        CU_ASSERT_STRING_EQUAL(bundle->origin, i == 1 ? "model.safetensors" : "beside");
        pml_bundle_close(bundle);
    }
    const char *other = pml_test_path("%s/other.json", pml_test_temporary_dir());
    write_text(other, "{\"model_type\": \"y\"}");
    const pml_bundle_options options = {.config_path = other};
    PML_ASSERT_OK(pml_bundle_open(source, &options, &bundle, &error), &error);
    CU_ASSERT_STRING_EQUAL(bundle->config_file.name, "other.json");
    CU_ASSERT_STRING_EQUAL(cJSON_GetObjectItem(bundle->config, "model_type")->valuestring, "y");
    pml_bundle_close(bundle);
}

/* What google-research calls its configuration is one, unless there is a config.json, too. */
static void knows_other_names_of_the_configuration(void) {
    const char *source = make_source("other_name");
    pml_bundle *bundle;
    pml_error error;
    write_text(pml_test_path("%s/bert_config.json", source), "{\"model_type\": \"z\"}");
    PML_ASSERT_OK(pml_bundle_open(source, NULL, &bundle, &error), &error);
    CU_ASSERT_STRING_EQUAL(bundle->config_file.name, "bert_config.json");
    CU_ASSERT_STRING_EQUAL(bundle->map.config_name, "bert_config.json");
    CU_ASSERT_STRING_EQUAL(cJSON_GetObjectItem(bundle->config, "model_type")->valuestring, "z");
    pml_bundle_close(bundle);
    write_text(pml_test_path("%s/config.json", source), "{}");
    PML_ASSERT_OK(pml_bundle_open(source, NULL, &bundle, &error), &error);
    CU_ASSERT_STRING_EQUAL(bundle->config_file.name, "config.json");
    pml_bundle_close(bundle);
}

static void tells_hub_snapshots(void) {
    static const struct {
        const char *folder, *name, *origin;
    } rows[] = {
        {"models--ibm--patchtst-etth1/snapshots/" COMMIT, "patchtst-etth1", "hf://ibm/patchtst-etth1@" COMMIT},
        {"models--gpt2/snapshots/" COMMIT, "gpt2", "hf://gpt2@" COMMIT},
        {"models--ibm--x/snapshots/main", "main", "main"}, /* not a commit */
        {"datasets--ibm--x/snapshots/" COMMIT, COMMIT, COMMIT},
        {"models--ibm--x/other/" COMMIT, COMMIT, COMMIT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pml_bundle *bundle;
        pml_error error;
        PML_ASSERT_OK(pml_bundle_open(make_source(rows[i].folder), NULL, &bundle, &error), &error);
        CU_ASSERT_STRING_EQUAL(bundle->name, rows[i].name);
        CU_ASSERT_STRING_EQUAL(bundle->origin, rows[i].origin);
        pml_bundle_close(bundle);
    }
}

static void names_a_source_given_as_dot(void) {
    const char *source = make_source("here");
    char *old = getcwd(NULL, 0);
    pml_bundle *bundle;
    pml_error error;
    CU_ASSERT_EQUAL_FATAL(chdir(source), 0);
    PML_ASSERT_OK(pml_bundle_open(".", NULL, &bundle, &error), &error);
    CU_ASSERT_STRING_EQUAL(bundle->name, "here");
    CU_ASSERT_STRING_EQUAL(bundle->origin, "here");
    pml_bundle_close(bundle);
    CU_ASSERT_EQUAL(chdir(old), 0);
    free(old);
}

static void divides_settings(void) {
    static const char *const settings[] = {"num_attention_heads=4", "frequency=h", "series.columns=a,b", "x="};
    const pml_bundle_options options = {.settings = settings, .n_settings = 4, .arch = "patchtst"};
    const char *source = make_source("settings");
    pml_bundle *bundle;
    pml_error error;
    PML_ASSERT_OK(pml_bundle_open(source, &options, &bundle, &error), &error);
    CU_ASSERT_STRING_EQUAL(bundle->frequency, "h");
    CU_ASSERT_STRING_EQUAL(bundle->columns, "a,b");
    CU_ASSERT_EQUAL_FATAL(bundle->map.options->n_settings, 3);
    CU_ASSERT_STRING_EQUAL(bundle->map.options->settings[0], "num_attention_heads=4");
    CU_ASSERT_STRING_EQUAL(bundle->map.options->settings[1],
                           "frequency=h"); /* networks that are told dates ask for it */
    CU_ASSERT_STRING_EQUAL(bundle->map.options->settings[2], "x=");
    CU_ASSERT_STRING_EQUAL(bundle->map.options->arch, "patchtst");
    pml_bundle_close(bundle);
    static const char *const wrong[] = {"frequency", "=h", ""};
    for (size_t i = 0; i < 3; i++) {
        const pml_bundle_options bad = {.settings = &wrong[i], .n_settings = 1};
        PML_ASSERT_FAILS(pml_bundle_open(source, &bad, &bundle, &error), PML_E_ARGUMENT, &error, "KEY=VALUE");
        CU_ASSERT_PTR_NULL(bundle);
    }
}

static void refuses_bad_side_files(void) {
    const char *source = make_source("bad"), *config = pml_test_path("%s/config.json", source);
    pml_bundle *bundle;
    pml_error error;
    write_text(config, "{\"a\": 1,}");
    PML_ASSERT_FAILS(pml_bundle_open(source, NULL, &bundle, &error), PML_E_FORMAT, &error, "config.json");
    write_text(config, "{\"a\": 1, \"a\": 2}");
    PML_ASSERT_FAILS(pml_bundle_open(source, NULL, &bundle, &error), PML_E_FORMAT, &error, "config.json");
    CU_ASSERT_EQUAL(truncate(config, (off_t)PML_MAX_CONFIG_BYTES + 1), 0);
    PML_ASSERT_FAILS(pml_bundle_open(source, NULL, &bundle, &error), PML_E_FORMAT, &error, "config.json");
    CU_ASSERT_EQUAL(unlink(config), 0);
    CU_ASSERT_EQUAL(mkfifo(config, 0600), 0); /* must not block */
    PML_ASSERT_FAILS(pml_bundle_open(source, NULL, &bundle, &error), PML_E_FORMAT, &error, "regular");
    CU_ASSERT_EQUAL(unlink(config), 0);
    const pml_bundle_options no_config = {.config_path = config}, no_map = {.map_path = config};
    PML_ASSERT_FAILS(pml_bundle_open(source, &no_config, &bundle, &error), PML_E_NOT_FOUND, &error, "config.json");
    PML_ASSERT_FAILS(pml_bundle_open(source, &no_map, &bundle, &error), PML_E_NOT_FOUND, &error, "config.json");
    PML_ASSERT_FAILS(pml_bundle_open(config, NULL, &bundle, &error), PML_E_NOT_FOUND, &error, "config.json");
}

static void survives_every_failing_allocation(void) {
    static const char *const settings[] = {"a=1", "frequency=h"};
    const pml_bundle_options options = {.settings = settings, .n_settings = 2};
    const char *source = make_source("memory");
    pml_error error;
    pml_status status = PML_E_MEMORY;
    unsigned long n = 0;
    write_text(pml_test_path("%s/config.json", source), "{\"a\": [1, 2]}");
    while (status == PML_E_MEMORY) {
        pml_bundle *bundle;
        pml_test_fail_allocation(++n, false);
        status = pml_bundle_open(source, &options, &bundle, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT_EQUAL(bundle == NULL, status != PML_OK);
        pml_bundle_close(bundle);
    }
    CU_ASSERT_EQUAL(status, PML_OK);
    CU_ASSERT_TRUE(n > 10);
}

PML_TESTS("convert/bundle", PML_TEST(finds_what_lies_beside), PML_TEST(knows_other_names_of_the_configuration),
          PML_TEST(tells_hub_snapshots), PML_TEST(names_a_source_given_as_dot), PML_TEST(divides_settings),
          PML_TEST(refuses_bad_side_files), PML_TEST(survives_every_failing_allocation))
