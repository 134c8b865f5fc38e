#include "convert/series_state.h"

#include <string.h>

#include "formats/json_document.h"
#include "tests/harness.h"

/* A family that forecasts S steps from T steps of C channels, unless it is asked not to. */
static const pml_config_key keys[] = {
    {.name = "channels", .type = PML_CONFIG_INT, .greatest = 1000, .description = "C"},
    {.name = "context", .type = PML_CONFIG_INT, .least = 1, .greatest = 1000, .description = "T"},
    {.name = "horizon", .type = PML_CONFIG_INT, .greatest = 1000, .description = "S"},
    {.name = NULL},
};
static const char *const outputs[] = {"forecast", NULL};
static const pml_forecast_spec forecast = {.input = "past",
                                           .outputs = outputs,
                                           .context_length = "context",
                                           .horizon = "horizon",
                                           .n_channels = "channels",
                                           .when = "horizon > 0"};
static const pml_schema schema = {.name = "toy", .architecture = "a toy", .config = keys, .forecast = &forecast};

static pml_metadata *configure(int64_t n_channels, int64_t horizon) {
    pml_metadata *metadata;
    pml_error error;
    PML_ASSERT_OK(pml_metadata_create(&metadata, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(metadata, "config.channels", n_channels, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(metadata, "config.context", 336, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(metadata, "config.horizon", horizon, &error), &error);
    return metadata;
}

/* Reads a scaler given as text (NULL: none) for three channels. */
static pml_status read_text(const char *text, const char *frequency, const char *columns, pml_metadata *metadata,
                            pml_error *error) {
    cJSON *scaler = NULL;
    if (text != NULL) {
        PML_ASSERT_OK(pml_json_document_parse(text, strlen(text), "scaler.json", &scaler, error), error);
    }
    const pml_series_source source = {scaler, "scaler.json", frequency, columns};
    const pml_status status = pml_series_state_read(&source, &schema, metadata, error);
    cJSON_Delete(scaler);
    return status;
}

static void stores_everything(void) {
    pml_metadata *metadata = configure(3, 96);
    pml_error error;
    const char *text;
    int64_t length;
    PML_ASSERT_OK(read_text("{\"kind\": \"standard\", \"ddof\": 0, \"columns\": [\"a\", \"b\", \"\xc3\xa4\"],"
                            " \"mean\": [1, -2.5, 0], \"std\": [0.5, 3e-3, 7], \"frequency\": \"15min\"}",
                            NULL, NULL, metadata, &error),
                  &error);
    const pml_meta_entry *mean = pml_metadata_find(metadata, "series.mean");
    const pml_meta_entry *std = pml_metadata_find(metadata, "series.std");
    const pml_meta_entry *columns = pml_metadata_find(metadata, "series.columns");
    CU_ASSERT_TRUE_FATAL(mean != NULL && std != NULL && columns != NULL);
    CU_ASSERT_TRUE(mean->type == PML_META_F64_ARRAY && mean->count == 3 && mean->value.f64s[1] == -2.5);
    CU_ASSERT_TRUE(std->type == PML_META_F64_ARRAY && std->count == 3 && std->value.f64s[1] == 3e-3);
    CU_ASSERT_TRUE(columns->type == PML_META_STRING_ARRAY && columns->count == 3);
    CU_ASSERT_STRING_EQUAL(columns->value.strings[2], "\xc3\xa4");
    PML_ASSERT_OK(pml_metadata_get_string(metadata, "series.scaler", &text, &error), &error);
    CU_ASSERT_STRING_EQUAL(text, "standard");
    PML_ASSERT_OK(pml_metadata_get_string(metadata, "series.frequency", &text, &error), &error);
    CU_ASSERT_STRING_EQUAL(text, "15min");
    PML_ASSERT_OK(pml_metadata_get_i64(metadata, "series.context_length", &length, &error), &error);
    CU_ASSERT_EQUAL(length, 336);
    PML_ASSERT_OK(pml_metadata_get_i64(metadata, "series.horizon", &length, &error), &error);
    CU_ASSERT_EQUAL(length, 96);
    pml_metadata_destroy(metadata);
}

static void works_without_a_scaler(void) {
    pml_error error;
    const char *text;
    pml_metadata *metadata = configure(2, 96);
    PML_ASSERT_OK(read_text(NULL, "h", "x,y z", metadata, &error), &error);
    CU_ASSERT_PTR_NULL(pml_metadata_find(metadata, "series.mean"));
    CU_ASSERT_PTR_NULL(pml_metadata_find(metadata, "series.scaler"));
    PML_ASSERT_OK(pml_metadata_get_string(metadata, "series.frequency", &text, &error), &error);
    CU_ASSERT_STRING_EQUAL(text, "h");
    const pml_meta_entry *columns = pml_metadata_find(metadata, "series.columns");
    CU_ASSERT_TRUE(columns != NULL && columns->count == 2 && strcmp(columns->value.strings[1], "y z") == 0);
    pml_metadata_destroy(metadata);

    metadata = configure(2, 0); /* of a variant that does not forecast */
    PML_ASSERT_OK(read_text(NULL, NULL, NULL, metadata, &error), &error);
    CU_ASSERT_PTR_NULL(pml_metadata_find(metadata, "series.context_length"));
    CU_ASSERT_PTR_NULL(pml_metadata_find(metadata, "series.horizon"));
    pml_metadata_destroy(metadata);
}

static void settings_win(void) {
    pml_error error;
    const char *text;
    pml_metadata *metadata = configure(0, 96); /* any number of channels */
    PML_ASSERT_OK(
        read_text("{\"kind\":\"standard\",\"mean\":[1,2],\"std\":[1,2],\"columns\":[\"a\",\"b\"],\"freq\":\"d\"}", "h",
                  "c,d", metadata, &error),
        &error);
    const pml_meta_entry *columns = pml_metadata_find(metadata, "series.columns");
    CU_ASSERT_TRUE(columns != NULL && columns->count == 2 && strcmp(columns->value.strings[0], "c") == 0);
    PML_ASSERT_OK(pml_metadata_get_string(metadata, "series.frequency", &text, &error), &error);
    CU_ASSERT_STRING_EQUAL(text, "h");
    pml_metadata_destroy(metadata);
    metadata = configure(0, 96);
    PML_ASSERT_FAILS(read_text("{\"kind\":\"standard\",\"mean\":[1,2],\"std\":[1,2]}", NULL, "c,d,e", metadata, &error),
                     PML_E_CONFIG, &error, "series.columns");
    pml_metadata_destroy(metadata);
}

static void refuses_by_key(void) {
    static const struct {
        const char *scaler, *frequency, *columns;
        pml_status status;
        const char *part;
    } rows[] = {
        {"[]", NULL, NULL, PML_E_CONFIG, "object"},
        {"{\"mean\":[1,2,3],\"std\":[1,2,3]}", NULL, NULL, PML_E_CONFIG, "'kind'"},
        {"{\"kind\":1,\"mean\":[1,2,3],\"std\":[1,2,3]}", NULL, NULL, PML_E_CONFIG, "'kind'"},
        {"{\"kind\":\"minmax\",\"mean\":[1,2,3],\"std\":[1,2,3]}", NULL, NULL, PML_E_UNSUPPORTED, "'minmax'"},
        {"{\"kind\":\"standard\",\"std\":[1,2,3]}", NULL, NULL, PML_E_CONFIG, "'mean'"},
        {"{\"kind\":\"standard\",\"mean\":[1,2,3]}", NULL, NULL, PML_E_CONFIG, "'std'"},
        {"{\"kind\":\"standard\",\"mean\":[1,2],\"std\":[1,2]}", NULL, NULL, PML_E_CONFIG, "2 entries"},
        {"{\"kind\":\"standard\",\"mean\":[],\"std\":[]}", NULL, NULL, PML_E_CONFIG, "0 entries"},
        {"{\"kind\":\"standard\",\"mean\":[1,2,3],\"std\":[1,2,3,4]}", NULL, NULL, PML_E_CONFIG, "'std' has 4"},
        {"{\"kind\":\"standard\",\"mean\":[1,\"2\",3],\"std\":[1,2,3]}", NULL, NULL, PML_E_CONFIG, "'mean', entry 1"},
        {"{\"kind\":\"standard\",\"mean\":[1,null,3],\"std\":[1,2,3]}", NULL, NULL, PML_E_CONFIG, "'mean', entry 1"},
        {"{\"kind\":\"standard\",\"mean\":[1,2,3],\"std\":[1,2,0]}", NULL, NULL, PML_E_CONFIG, "'std', entry 2"},
        {"{\"kind\":\"standard\",\"mean\":[1,2,3],\"std\":[-1,2,3]}", NULL, NULL, PML_E_CONFIG, "'std', entry 0"},
        {"{\"kind\":\"standard\",\"mean\":[1,2,3],\"std\":[1,2,3],\"columns\":\"abc\"}", NULL, NULL, PML_E_CONFIG,
         "'columns'"},
        {"{\"kind\":\"standard\",\"mean\":[1,2,3],\"std\":[1,2,3],\"columns\":[\"a\",\"b\"]}", NULL, NULL, PML_E_CONFIG,
         "'columns' has 2"},
        {"{\"kind\":\"standard\",\"mean\":[1,2,3],\"std\":[1,2,3],\"columns\":[\"a\",\"b\",\"a\"]}", NULL, NULL,
         PML_E_CONFIG, "'a' appears twice"},
        {"{\"kind\":\"standard\",\"mean\":[1,2,3],\"std\":[1,2,3],\"columns\":[\"a\",\"\",\"b\"]}", NULL, NULL,
         PML_E_CONFIG, "column 1"},
        {"{\"kind\":\"standard\",\"mean\":[1,2,3],\"std\":[1,2,3],\"columns\":[\"a\",7,\"b\"]}", NULL, NULL,
         PML_E_CONFIG, "'columns', entry 1"},
        {"{\"kind\":\"standard\",\"mean\":[1,2,3],\"std\":[1,2,3],\"frequency\":60}", NULL, NULL, PML_E_CONFIG,
         "frequency"},
        {NULL, "", NULL, PML_E_CONFIG, "frequency"},
        {NULL, "every hour", NULL, PML_E_CONFIG, "frequency"},
        {NULL, NULL, "a,b", PML_E_CONFIG, "series.columns"},
        {NULL, NULL, "a,,b", PML_E_CONFIG, "column 1"},
        {NULL, NULL, "a,b,a", PML_E_CONFIG, "appears twice"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pml_metadata *metadata = configure(3, 96);
        pml_error error;
        PML_ASSERT_FAILS(read_text(rows[i].scaler, rows[i].frequency, rows[i].columns, metadata, &error),
                         rows[i].status, &error, rows[i].part);
        pml_metadata_destroy(metadata);
    }
}

PML_TESTS("convert/series_state", PML_TEST(stores_everything), PML_TEST(works_without_a_scaler), PML_TEST(settings_win),
          PML_TEST(refuses_by_key))
