/* Canonical configurations written in a dialect's own words. */
#include <stdio.h>
#include <string.h>

#include "mappers/reverse_config.h"
#include "tests/harness.h"

static const pml_config_key keys[] = {
    {.name = "width", .type = PML_CONFIG_INT, .least = 1, .greatest = 9},
    {.name = "kind", .type = PML_CONFIG_CHOICE, .choices = "a|b|c"},
    {.name = "separate", .type = PML_CONFIG_BOOL},
    {.name = "flag", .type = PML_CONFIG_BOOL},
    {.name = "eps", .type = PML_CONFIG_REAL, .least = 0, .greatest = 1},
    {.name = "rate_a", .type = PML_CONFIG_REAL, .least = 0, .greatest = 1, .optional = true},
    {.name = "rate_b", .type = PML_CONFIG_REAL, .least = 0, .greatest = 1, .optional = true},
    {.name = "list", .type = PML_CONFIG_INT_LIST, .least = 0, .greatest = 9, .optional = true},
    {.name = "fixed", .type = PML_CONFIG_CHOICE, .choices = "x|y", .optional = true, .absent = "x"},
    {.name = "unread", .type = PML_CONFIG_BOOL, .optional = true, .absent = "false"},
    {.name = "follows", .type = PML_CONFIG_BOOL, .optional = true, .absent = "false"},
    {.name = NULL}};
static const pml_schema schema = {.name = "made", .config = keys};

static const pml_config_rule rules[] = {
    {.key = "width", .source = "hidden", .when = "kind != 'c'"},
    {.key = "kind", .source = "architectures", .words = "First=a|Uno=a|@null=b|@true=c", .is_list = true},
    {.key = "separate", .source = "shared", .is_inverted = true, .is_number = true},
    {.key = "flag", .source = "loss"},
    {.key = "eps", .source = "eps"},
    {.key = "rate_a", .source = "dropout"},
    {.key = "rate_b", .source = "dropout"},
    {.key = "list", .source = "list"},
    {.key = "fixed", .fallback = "x", .is_fixed = true},
    {.key = NULL}};
static const pml_map_written written[] = {{"model_type", "\"made\"", NULL},
                                          {"loss", "\"mse\"", "flag && width > 2"},
                                          {"loss", "null", "!flag"},
                                          {"twice", "{width * 2}", NULL},
                                          {"number", "-3", NULL},
                                          {"hidden_words", NULL, NULL},
                                          {NULL, NULL, NULL}};
static const pml_map_implied implied[] = {{"follows", "kind == 'b'"}, {NULL, NULL}};
static const pml_map_dialect dialect = {.name = "own",
                                        .keys = rules,
                                        .written = written,
                                        .implied = implied,
                                        .config_file = "config.json",
                                        .has_labels = true};

static pml_metadata *whole(void) {
    pml_metadata *m = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(m, "config.width", 4, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.kind", "a", &error), &error);
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.separate", false, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.flag", true, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64(m, "config.eps", 1e-12, &error), &error);
    return m;
}

/* Consumes the metadata. */
static pml_status write(pml_metadata *m, char text[1000], pml_error *error) {
    FILE *stream = fmemopen(text, 1000, "w");
    pml_json_writer w;
    if (stream == NULL) {
        abort();
    }
    pml_json_writer_init(&w, stream, false);
    pml_json_begin_object(&w, NULL);
    const pml_status status = pml_reverse_config_write(&dialect, &schema, m, &w, error);
    pml_json_end_object(&w);
    (void)fclose(stream);
    pml_metadata_destroy(m);
    return status;
}

static void words_of_the_dialect(void) {
    char text[1000];
    pml_error error;
    pml_metadata *m = whole();
    PML_ASSERT_OK(write(m, text, &error), &error);
    CU_ASSERT_STRING_EQUAL(text, "{\"model_type\":\"made\",\"loss\":\"mse\",\"twice\":8,\"number\":-3,\"hidden\":4,"
                                 "\"architectures\":[\"First\"],\"shared\":1,\"eps\":1e-12}");
    m = whole();
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.kind", "c", &error), &error); /* width has no effect */
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.flag", false, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.separate", true, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64(m, "config.rate_a", 0.25, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64(m, "config.rate_b", 0.25, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64s(m, "config.list", (const int64_t[]){1, 7}, 2, &error), &error);
    PML_ASSERT_OK(write(m, text, &error), &error);
    CU_ASSERT_STRING_EQUAL(text,
                           "{\"model_type\":\"made\",\"loss\":null,\"twice\":8,\"number\":-3,"
                           "\"architectures\":[true],\"shared\":0,\"eps\":1e-12,\"dropout\":0.25,\"list\":[1,7]}");
}

static void labels_both_ways(void) {
    char text[1000];
    pml_error error;
    pml_metadata *m = whole();
    const char *const distinct[] = {"no \"way\"", "yes"}, *const twice[] = {"x", "x"};
    PML_ASSERT_OK(pml_metadata_set_strings(m, "text.labels", distinct, 2, &error), &error);
    PML_ASSERT_OK(write(m, text, &error), &error);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"id2label\":{\"0\":\"no \\\"way\\\"\",\"1\":\"yes\"},"
                                        "\"label2id\":{\"no \\\"way\\\"\":0,\"yes\":1}}"));
    m = whole();
    PML_ASSERT_OK(pml_metadata_set_strings(m, "text.labels", twice, 2, &error), &error);
    PML_ASSERT_OK(write(m, text, &error), &error);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"id2label\":{\"0\":\"x\",\"1\":\"x\"}}")); /* no key twice */
}

static void refuse(pml_metadata *m, const char *part) {
    char text[1000];
    pml_error error;
    PML_ASSERT_FAILS(write(m, text, &error), PML_E_UNSUPPORTED, &error, part);
}

static void what_cannot_be_said(void) {
    pml_error error;
    pml_metadata *m = whole();
    PML_ASSERT_OK(pml_metadata_set_i64(m, "config.width", 1, &error), &error); /* no line of "loss" counts */
    refuse(m, "dialect own cannot say flag = true");
    m = whole();
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.fixed", "y", &error), &error);
    refuse(m, "in dialect own fixed is always x; this model has y");
    m = whole();
    PML_ASSERT_OK(pml_metadata_set_f64(m, "config.rate_a", 0.25, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64(m, "config.rate_b", 0.5, &error), &error);
    refuse(m, "says rate_b and another key by one argument, dropout");
    m = whole();
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.unread", true, &error), &error);
    refuse(m, "dialect own cannot say unread = true");
    m = whole();
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.follows", true, &error), &error);
    refuse(m, "dialect own cannot say follows = true");
    m = whole();
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.kind", "d", &error), &error);
    refuse(m, "dialect own cannot say kind = d");
}

static void what_is_as_good_as_unsaid(void) {
    char text[1000];
    pml_error error;
    pml_metadata *m = whole();
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.unread", false, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.follows", false, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.fixed", "x", &error), &error);
    PML_ASSERT_OK(write(m, text, &error), &error);
    CU_ASSERT_PTR_NULL(strstr(text, "fixed"));
}

PML_TESTS("mappers/reverse_config", PML_TEST(words_of_the_dialect), PML_TEST(labels_both_ways),
          PML_TEST(what_cannot_be_said), PML_TEST(what_is_as_good_as_unsaid))
