#include <stdio.h>
#include <string.h>

#include "runtime/schema/schema.h"
#include "tests/harness.h"

typedef struct setup {
    const char *kind, *head;
    bool share_linear;
    int64_t context_length, prediction_length, n_channels, kernel, n_targets; /* 0: absent */
} setup;

static pml_metadata *configure(const setup *s) {
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"config.context_length", s->context_length},
                   {"config.prediction_length", s->prediction_length},
                   {"config.num_input_channels", s->n_channels},
                   {"config.decomposition_kernel", s->kernel},
                   {"config.num_targets", s->n_targets}};
    pml_metadata *m = NULL;
    CU_ASSERT_EQUAL(pml_metadata_create(&m, NULL), PML_OK);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].value != 0) {
            CU_ASSERT_EQUAL(pml_metadata_set_i64(m, numbers[i].key, numbers[i].value, NULL), PML_OK);
        }
    }
    CU_ASSERT_EQUAL(pml_metadata_set_string(m, "config.kind", s->kind, NULL), PML_OK);
    CU_ASSERT_EQUAL(pml_metadata_set_string(m, "config.head", s->head, NULL), PML_OK);
    CU_ASSERT_EQUAL(pml_metadata_set_bool(m, "config.share_linear", s->share_linear, NULL), PML_OK);
    return m;
}

static uint64_t count_parameters(const setup *s) {
    pml_metadata *m = configure(s);
    pml_weight_list list = {0};
    pml_error error;
    uint64_t total = 0;
    const pml_schema *schema = pml_schema_find("dlinear");
    PML_ASSERT_OK(pml_schema_check_config(schema, m, &error), &error);
    PML_ASSERT_OK(pml_schema_weights(schema, m, PML_MAX_TENSORS, &list, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        uint64_t n = 1;
        for (unsigned j = 0; j < list.items[i].rank; j++) {
            n *= list.items[i].shape[j];
        }
        total += n;
    }
    pml_weight_list_deinit(&list);
    pml_metadata_destroy(m);
    return total;
}

static void counts_the_published_parameters(void) {
    CU_ASSERT_EQUAL(count_parameters(&(setup){"dlinear", "prediction", true, 336, 96, 0, 25, 0}), 64704);
    CU_ASSERT_EQUAL(count_parameters(&(setup){"dlinear", "prediction", false, 336, 96, 7, 25, 0}), 452928);
    CU_ASSERT_EQUAL(count_parameters(&(setup){"nlinear", "prediction", true, 336, 96, 0, 0, 0}), 32352);
    CU_ASSERT_EQUAL(count_parameters(&(setup){"dlinear", "prediction", true, 96, 96, 0, 25, 0}), 18624);
    CU_ASSERT_EQUAL(count_parameters(&(setup){"dlinear", "classification", true, 8, 0, 2, 3, 5}),
                    2 * (8 * 8 + 8) + 16 * 5 + 5);
}

static void refuses(const setup *s, const char *part) {
    pml_metadata *m = configure(s);
    pml_error error;
    PML_ASSERT_FAILS(pml_schema_check_config(pml_schema_find("dlinear"), m, &error), PML_E_CONFIG, &error, part);
    pml_metadata_destroy(m);
}

static void says_what_does_not_fit(void) {
    refuses(&(setup){"dlinear", "prediction", true, 96, 0, 0, 25, 0}, "prediction_length");
    refuses(&(setup){"dlinear", "prediction", false, 96, 96, 0, 25, 0}, "num_input_channels");
    refuses(&(setup){"dlinear", "prediction", true, 96, 96, 0, 24, 0}, "must be odd");
    refuses(&(setup){"dlinear", "prediction", true, 96, 96, 0, 0, 0}, "must be odd");
    refuses(&(setup){"dlinear", "classification", true, 96, 0, 7, 25, 0}, "num_targets");
    refuses(&(setup){"dlinear", "classification", true, 96, 0, 0, 25, 3}, "num_input_channels");
    refuses(&(setup){"elinear", "prediction", true, 96, 96, 0, 25, 0}, "kind");
    refuses(&(setup){"linear", "prediction", true, 10000000, 96, 0, 0, 0}, "context_length");
}

PML_TESTS("runtime/schema/dlinear", PML_TEST(counts_the_published_parameters), PML_TEST(says_what_does_not_fit))
