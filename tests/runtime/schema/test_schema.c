#include "runtime/schema/schema.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness.h"

static const pml_config_key keys[] = {
    {.name = "n", .type = PML_CONFIG_INT, .least = 0, .greatest = 100},
    {.name = "eps", .type = PML_CONFIG_REAL, .least = 0, .greatest = 1},
    {.name = "flag", .type = PML_CONFIG_BOOL},
    {.name = "kind", .type = PML_CONFIG_CHOICE, .choices = "one|two"},
    {.name = "numbers", .type = PML_CONFIG_INT_LIST, .least = 0, .greatest = 9, .optional = true},
    {.name = "pair", .type = PML_CONFIG_REAL_LIST, .least = -1, .greatest = 1, .optional = true, .n_elements = 2},
    {.name = NULL}};
static const pml_config_constraint constraints[] = {{"!flag || n > 1", "flag needs n above 1"}, {NULL, NULL}};
static const pml_derived_number derived[] = {{"twice", "n * 2"}, {"four", "twice * 2"}, {NULL, NULL}};
static const pml_weight_spec weights[] = {{"table", PML_ROLE_TABLE, "n + 1, four", NULL, NULL},
                                          {"layer.{l}.w", PML_ROLE_MATRIX, "l + 1, 3", "n", "l != 1"},
                                          {"extra", PML_ROLE_VECTOR, "7", NULL, "kind == 'two'"},
                                          {NULL, 0, NULL, NULL, NULL}};
static const pml_schema schema = {
    .name = "dummy", .config = keys, .constraints = constraints, .weights = weights, .derived = derived};

static pml_metadata *valid(int64_t n) {
    pml_metadata *m = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(m, "config.n", n, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64(m, "config.eps", 0.5, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.flag", false, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.kind", "two", &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "general.name", "not of the configuration", &error), &error);
    return m;
}

static void expect(pml_metadata *m, const char *part) {
    pml_error error;
    if (part == NULL) {
        PML_ASSERT_OK(pml_schema_check_config(&schema, m, &error), &error);
    } else {
        PML_ASSERT_FAILS(pml_schema_check_config(&schema, m, &error), PML_E_CONFIG, &error, part);
    }
    pml_metadata_destroy(m);
}

#define SET(call) CU_ASSERT_EQUAL(call, PML_OK)

static void checks_configurations(void) {
    static const int64_t digits[] = {1, 10};
    static const double pair[] = {0, 0.5}, nan_pair[] = {0, NAN}, triple[] = {0, 0, 0};
    pml_metadata *m = valid(3);
    expect(m, NULL);
    SET(pml_metadata_set_i64(m = valid(3), "config.eps", 1, NULL)); /* an integer is a number */
    expect(m, NULL);
    SET(pml_metadata_set_f64s(m = valid(3), "config.pair", pair, 2, NULL));
    expect(m, NULL);
    pml_metadata_remove(m = valid(3), "config.kind");
    expect(m, "'kind' of family dummy is not set");
    SET(pml_metadata_set_i64(m = valid(3), "config.unknown", 1, NULL));
    expect(m, "no config key 'unknown'");
    SET(pml_metadata_set_string(m = valid(3), "config.n", "3", NULL));
    expect(m, "'n' must be an integer");
    SET(pml_metadata_set_f64(m = valid(3), "config.n", 3, NULL));
    expect(m, "'n' must be an integer");
    SET(pml_metadata_set_i64(m = valid(3), "config.flag", 1, NULL));
    expect(m, "'flag' must be a boolean");
    SET(pml_metadata_set_string(m = valid(3), "config.eps", "x", NULL));
    expect(m, "'eps' must be a number");
    SET(pml_metadata_set_i64(m = valid(3), "config.kind", 1, NULL));
    expect(m, "'kind' must be text");
    expect(valid(-1), "'n': -1 is outside 0 .. 100");
    expect(valid(101), "'n': 101 is outside");
    expect(valid(INT64_MAX), "'n'");
    SET(pml_metadata_set_f64(m = valid(3), "config.eps", NAN, NULL));
    expect(m, "'eps' is not a finite number");
    SET(pml_metadata_set_f64(m = valid(3), "config.eps", INFINITY, NULL));
    expect(m, "'eps' is not a finite number");
    static const char *const wrong[] = {"", "on", "one|two", "oneone", "three"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        SET(pml_metadata_set_string(m = valid(3), "config.kind", wrong[i], NULL));
        expect(m, "'kind'");
    }
    SET(pml_metadata_set_i64s(m = valid(3), "config.numbers", digits, 2, NULL));
    expect(m, "'numbers': 10 is outside");
    SET(pml_metadata_set_f64s(m = valid(3), "config.numbers", pair, 2, NULL));
    expect(m, "'numbers' must be a list of integers");
    SET(pml_metadata_set_f64s(m = valid(3), "config.pair", triple, 3, NULL));
    expect(m, "'pair' must have 2 elements, it has 3");
    SET(pml_metadata_set_f64s(m = valid(3), "config.pair", nan_pair, 2, NULL));
    expect(m, "'pair' is not a finite number");
    SET(pml_metadata_set_bool(m = valid(1), "config.flag", true, NULL));
    expect(m, "flag needs n above 1");
}

static void evaluates_derived_numbers(void) {
    pml_metadata *m = valid(3);
    pml_error error;
    int64_t value = 0;
    PML_ASSERT_OK(pml_schema_eval(&schema, m, "four + l", 5, &value, &error), &error);
    CU_ASSERT_EQUAL(value, 17);
    PML_ASSERT_FAILS(pml_schema_eval(&schema, m, "l", -1, &value, &error), PML_E_NOT_FOUND, &error, "'l'");
    PML_ASSERT_FAILS(pml_schema_eval(&schema, m, "numbers", -1, &value, &error), PML_E_CONFIG, &error,
                     "'numbers' is not set");
    PML_ASSERT_FAILS(pml_schema_eval(&schema, m, "eps", -1, &value, &error), PML_E_CONFIG, &error, "'eps'");
    pml_metadata_destroy(m);
}

static void evaluates_dimensions(void) {
    pml_metadata *m = valid(3);
    pml_error error;
    uint64_t shape[PML_MAX_RANK];
    unsigned rank = 0;
    PML_ASSERT_OK(pml_schema_dims(&schema, m, "B, n, twice - 1", -1, 32, shape, &rank, &error), &error);
    CU_ASSERT_EQUAL(rank, 3);
    CU_ASSERT_TRUE(shape[0] == 32 && shape[1] == 3 && shape[2] == 5);
    PML_ASSERT_FAILS(pml_schema_dims(&schema, m, "B, n", -1, 0, shape, &rank, &error), PML_E_NOT_FOUND, &error, "'B'");
    PML_ASSERT_FAILS(pml_schema_dims(&schema, m, "n, n - 3", -1, 0, shape, &rank, &error), PML_E_CONFIG, &error,
                     "is 0, which is less than 1");
    PML_ASSERT_FAILS(pml_schema_dims(&schema, m, "1,1,1,1,1,1,1,1,1", -1, 0, shape, &rank, &error), PML_E_CONFIG,
                     &error, "too long");
    PML_ASSERT_FAILS(pml_schema_dims(&schema, m, "1,,1", -1, 0, shape, &rank, &error), PML_E_CONFIG, &error, "");
    pml_metadata_destroy(m);
}

static void lists_weights(void) {
    pml_metadata *m = valid(3);
    pml_error error;
    pml_weight_list list = {0};
    PML_ASSERT_OK(pml_schema_weights(&schema, m, PML_MAX_TENSORS, &list, &error), &error);
    CU_ASSERT_EQUAL_FATAL(list.count, 4);
    CU_ASSERT_STRING_EQUAL(list.items[0].name, "table");
    CU_ASSERT_STRING_EQUAL(list.items[1].name, "layer.0.w");
    CU_ASSERT_STRING_EQUAL(list.items[2].name, "layer.2.w");
    CU_ASSERT_STRING_EQUAL(list.items[3].name, "extra");
    CU_ASSERT_TRUE(list.items[0].rank == 2 && list.items[0].shape[0] == 4 && list.items[0].shape[1] == 12);
    CU_ASSERT_TRUE(list.items[2].l == 2 && list.items[2].shape[0] == 3);
    CU_ASSERT_EQUAL(list.items[0].l, -1);
    for (size_t i = 0; i < list.count; i++) {
        CU_ASSERT_PTR_EQUAL(pml_weight_list_find(&list, list.items[i].name), &list.items[i]);
    }
    CU_ASSERT_PTR_NULL(pml_weight_list_find(&list, "layer.1.w"));
    pml_weight_list_deinit(&list);
    CU_ASSERT_PTR_NULL(pml_weight_list_find(&list, "table"));
    pml_metadata_destroy(m);
}

static void finds_many_weights(void) {
    static const pml_weight_spec many[] = {{"w.{l}", PML_ROLE_VECTOR, "1", "n * 1000", NULL},
                                           {NULL, 0, NULL, NULL, NULL}};
    pml_schema big = schema;
    big.weights = many;
    pml_metadata *m = valid(20);
    pml_error error;
    pml_weight_list list = {0};
    PML_ASSERT_OK(pml_schema_weights(&big, m, PML_MAX_TENSORS, &list, &error), &error);
    CU_ASSERT_EQUAL(list.count, 20000);
    for (size_t i = 0; i < list.count; i += 7) {
        char name[32];
        (void)snprintf(name, sizeof name, "w.%zu", i);
        CU_ASSERT_PTR_EQUAL(pml_weight_list_find(&list, name), &list.items[i]);
    }
    pml_weight_list_deinit(&list);
    pml_metadata_destroy(m);
}

static void rejects_bad_weight_lists(void) {
    static const pml_weight_spec twice[] = {
        {"w", PML_ROLE_VECTOR, "1", NULL, NULL}, {"w", PML_ROLE_VECTOR, "2", NULL, NULL}, {NULL, 0, NULL, NULL, NULL}};
    static const pml_weight_spec endless[] = {{"w.{l}", PML_ROLE_VECTOR, "1", "9000000000", NULL},
                                              {NULL, 0, NULL, NULL, NULL}};
    pml_schema bad = schema;
    pml_metadata *m = valid(3);
    pml_error error;
    pml_weight_list list = {0};
    bad.weights = twice;
    PML_ASSERT_FAILS(pml_schema_weights(&bad, m, PML_MAX_TENSORS, &list, &error), PML_E_CONFIG, &error,
                     "weight 'w' twice");
    bad.weights = endless;
    PML_ASSERT_FAILS(pml_schema_weights(&bad, m, 1000, &list, &error), PML_E_FORMAT, &error, "more than 1000 weights");
    CU_ASSERT_EQUAL(list.count, 0);
    pml_metadata_destroy(m);
}

PML_TESTS("runtime/schema/schema", PML_TEST(checks_configurations), PML_TEST(evaluates_derived_numbers),
          PML_TEST(evaluates_dimensions), PML_TEST(lists_weights), PML_TEST(finds_many_weights),
          PML_TEST(rejects_bad_weight_lists))
