/* Configurations of models that are made from nothing: what is said, what the data say, what the family has. */
#include "runtime/train/fresh_config.h"

#include <stdio.h>
#include <string.h>

#include "tests/harness.h"

static pml_status read_text(const char *family, const char *text, pml_metadata *metadata, pml_error *error) {
    return pml_fresh_config_read(pml_schema_find(family), text, strlen(text), "c.json", metadata, error);
}

static void check_refusal(const char *text, pml_status expected, const char *part) {
    pml_error error;
    pml_metadata *metadata = NULL;
    PML_ASSERT_OK(pml_metadata_create(&metadata, &error), &error);
    PML_ASSERT_FAILS(read_text("dlinear", text, metadata, &error), expected, &error, part);
    pml_metadata_destroy(metadata);
}

static void wrong_files_are_refused_with_their_place(void) {
    check_refusal("{\"context_length\": 96,\n \"kindd\": \"dlinear\"}", PML_E_CONFIG,
                  "c.json:2:2: family dlinear has no key");
    check_refusal("{\"context_length\": 96,\n \"kind\": 3}", PML_E_CONFIG, "c.json:2:10: kind must be text");
    check_refusal("{\"context_length\": \"96\"}", PML_E_CONFIG, "context_length must be an integer");
    check_refusal("{\"context_length\": 96.5}", PML_E_CONFIG, "context_length is an integer, not 96.5");
    check_refusal("{\"context_length\": 1e300}", PML_E_CONFIG, "context_length is an integer");
    check_refusal("{\"context_length\": null}", PML_E_CONFIG, "context_length must be an integer");
    check_refusal("{\"context_length\": [96]}", PML_E_CONFIG, "context_length must be an integer");
    check_refusal("{\"share_linear\": 1}", PML_E_CONFIG, "share_linear must be true or false");
    check_refusal("{\"context_length\": 96, \"context_length\": 96}", PML_E_CONFIG, "twice");
    check_refusal("[96]", PML_E_FORMAT, "object");
    check_refusal("{\"context_length\": 96} 1", PML_E_FORMAT, NULL);
    check_refusal("{\"context_length\": 096}", PML_E_FORMAT, NULL);
    check_refusal("{", PML_E_FORMAT, NULL);
    check_refusal("", PML_E_FORMAT, NULL);
}

static void wrong_settings_are_refused(void) {
    static const struct {
        const char *setting, *part;
    } cases[] = {{"context_length", "not KEY=VALUE"},
                 {"a=1", "no key 'a'"},
                 {"context_length=", "an integer"},
                 {"context_length=1,2", "an integer"},
                 {"context_length=0x10", "an integer"},
                 {"context_length=1.5", "an integer"},
                 {"context_length=nan", "an integer"},
                 {"share_linear=yes", "true or false"},
                 {"=1", "no key ''"}};
    const pml_schema *schema = pml_schema_find("dlinear");
    pml_error error;
    pml_metadata *metadata = NULL;
    PML_ASSERT_OK(pml_metadata_create(&metadata, &error), &error);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const pml_status status = pml_fresh_config_set(schema, cases[i].setting, metadata, &error);
        CU_ASSERT_TRUE(status == PML_E_CONFIG || status == PML_E_ARGUMENT);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, cases[i].part));
    }
    CU_ASSERT_EQUAL(pml_metadata_count(metadata), 0);
    pml_metadata_destroy(metadata);
}

static int64_t integer_of(const pml_metadata *metadata, const char *key) {
    int64_t value = -1;
    pml_error error;
    (void)!pml_metadata_get_i64(metadata, key, &value, &error);
    return value;
}

static const char *text_of(const pml_metadata *metadata, const char *key) {
    const char *value = "";
    pml_error error;
    (void)!pml_metadata_get_string(metadata, key, &value, &error);
    return value;
}

static void what_is_said_goes_before_data_and_family(void) {
    const pml_schema *schema = pml_schema_find("timesnet");
    const pml_fresh_facts facts = {.n_channels = 7, .has_dates = true, .frequency = 't'};
    pml_error error;
    pml_metadata *metadata = NULL;
    PML_ASSERT_OK(pml_metadata_create(&metadata, &error), &error);
    PML_ASSERT_OK(read_text("timesnet", "{\"context_length\": 48, \"d_model\": 24}", metadata, &error), &error);
    PML_ASSERT_OK(pml_fresh_config_set(schema, "d_model=8", metadata, &error), &error);
    PML_ASSERT_OK(pml_fresh_config_complete(schema, &facts, metadata, &error), &error);
    CU_ASSERT_EQUAL(integer_of(metadata, "config.context_length"), 48);
    CU_ASSERT_EQUAL(integer_of(metadata, "config.d_model"), 8);
    CU_ASSERT_EQUAL(integer_of(metadata, "config.num_input_channels"), 7);
    CU_ASSERT_EQUAL(integer_of(metadata, "config.ffn_dim"), 32);
    CU_ASSERT_STRING_EQUAL(text_of(metadata, "config.time_embedding"), "timeF");
    CU_ASSERT_STRING_EQUAL(text_of(metadata, "config.frequency"), "t");
    pml_metadata_destroy(metadata);
}

static void a_series_without_dates_has_no_marks(void) {
    const pml_fresh_facts facts = {.n_channels = 3};
    pml_error error;
    pml_metadata *metadata = NULL;
    PML_ASSERT_OK(pml_metadata_create(&metadata, &error), &error);
    PML_ASSERT_OK(pml_fresh_config_complete(pml_schema_find("itransformer"), &facts, metadata, &error), &error);
    CU_ASSERT_STRING_EQUAL(text_of(metadata, "config.time_embedding"), "none");
    CU_ASSERT_PTR_NULL(pml_metadata_find(metadata, "config.num_input_channels")); /* any number will do */
    pml_metadata_destroy(metadata);
}

static void what_is_missing_is_named(void) {
    const pml_fresh_facts none = {0};
    pml_error error;
    pml_metadata *metadata = NULL;
    PML_ASSERT_OK(pml_metadata_create(&metadata, &error), &error);
    PML_ASSERT_FAILS(pml_fresh_config_complete(pml_schema_find("patchtst"), &none, metadata, &error), PML_E_CONFIG,
                     &error, "num_input_channels");
    pml_metadata_destroy(metadata);
    PML_ASSERT_OK(pml_metadata_create(&metadata, &error), &error);
    PML_ASSERT_OK(pml_fresh_config_set(pml_schema_find("dlinear"), "context_length=-5", metadata, &error), &error);
    PML_ASSERT_FAILS(pml_fresh_config_complete(pml_schema_find("dlinear"), &none, metadata, &error), PML_E_CONFIG,
                     &error, "context_length");
    pml_metadata_destroy(metadata);
}

static void frequencies_are_drawn_by_the_seed(void) {
    const pml_schema *schema = pml_schema_find("fedformer");
    pml_metadata *made[3] = {NULL, NULL, NULL};
    pml_error error;
    for (size_t i = 0; i < 3; i++) {
        const pml_fresh_facts facts = {.n_channels = 2, .has_dates = true, .frequency = 'h', .seed = i / 2};
        PML_ASSERT_OK(pml_metadata_create(&made[i], &error), &error);
        PML_ASSERT_OK(pml_fresh_config_set(schema, "context_length=400", made[i], &error), &error);
        PML_ASSERT_OK(pml_fresh_config_complete(schema, &facts, made[i], &error), &error);
    }
    const pml_meta_entry *a = pml_metadata_find(made[0], "config.encoder_modes"),
                         *b = pml_metadata_find(made[1], "config.encoder_modes"),
                         *c = pml_metadata_find(made[2], "config.encoder_modes");
    CU_ASSERT_EQUAL_FATAL(a->count, 64);
    CU_ASSERT_EQUAL(integer_of(made[0], "config.num_encoder_modes"), 64);
    CU_ASSERT_EQUAL(memcmp(a->value.i64s, b->value.i64s, 64 * sizeof(int64_t)), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(a->value.i64s, c->value.i64s, 64 * sizeof(int64_t)), 0);
    for (size_t i = 0; i < 64; i++) {
        CU_ASSERT_TRUE(a->value.i64s[i] < 200 && (i == 0 || a->value.i64s[i] > a->value.i64s[i - 1]));
    }
    for (size_t i = 0; i < 3; i++) {
        pml_metadata_destroy(made[i]);
    }
}

static void wavelets_are_not_made(void) {
    const pml_schema *schema = pml_schema_find("fedformer");
    const pml_fresh_facts facts = {.n_channels = 2};
    static const char *const settings[] = {"version=wavelets", "wavelet_channels=1", "wavelet_modes=4",
                                           "cross_modes=4"};
    pml_error error;
    pml_metadata *metadata = NULL;
    PML_ASSERT_OK(pml_metadata_create(&metadata, &error), &error);
    for (size_t i = 0; i < 4; i++) {
        PML_ASSERT_OK(pml_fresh_config_set(schema, settings[i], metadata, &error), &error);
    }
    PML_ASSERT_FAILS(pml_fresh_config_complete(schema, &facts, metadata, &error), PML_E_UNSUPPORTED, &error,
                     "is not made from nothing");
    pml_metadata_destroy(metadata);
}

/* Every row of every family names a key that there is. */
static void tables_name_keys(void) {
    for (size_t i = 0; pml_schemas[i] != NULL; i++) {
        const pml_fresh_spec *fresh = pml_schemas[i]->fresh;
        for (const pml_fresh_key *row = fresh != NULL ? fresh->keys : NULL; row != NULL && row->key != NULL; row++) {
            CU_ASSERT_PTR_NOT_NULL(pml_schema_key(pml_schemas[i], row->key));
        }
    }
}

PML_TESTS("train/fresh_config", PML_TEST(wrong_files_are_refused_with_their_place),
          PML_TEST(wrong_settings_are_refused), PML_TEST(what_is_said_goes_before_data_and_family),
          PML_TEST(a_series_without_dates_has_no_marks), PML_TEST(what_is_missing_is_named),
          PML_TEST(frequencies_are_drawn_by_the_seed), PML_TEST(wavelets_are_not_made), PML_TEST(tables_name_keys))
