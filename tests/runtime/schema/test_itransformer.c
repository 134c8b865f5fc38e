#include <stdio.h>
#include <string.h>

#include "runtime/schema/schema.h"
#include "tests/harness.h"

static pml_error error;

/* A configuration of ETTh1's scripts, changed by one number ("d_model", 0: left out). */
static pml_metadata *configure(const char *head, int64_t width, const char *changed, int64_t to) {
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"context_length", 96}, {"prediction_length", 96},  {"num_hidden_layers", 2},
                   {"d_model", width},     {"num_attention_heads", 8}, {"ffn_dim", width},
                   {"num_targets", 0},     {"num_input_channels", 0}};
    const char *const texts[][2] = {{"config.head", head},
                                    {"config.activation", "gelu"},
                                    {"config.scaling", "std"},
                                    {"config.time_embedding", "timeF"},
                                    {"config.frequency", "h"}};
    pml_metadata *m = NULL;
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const bool is_changed = changed != NULL && strcmp(changed, numbers[i].key) == 0;
        const int64_t value = is_changed ? to : numbers[i].value;
        char key[64];
        (void)snprintf(key, sizeof key, "config.%s", numbers[i].key);
        if (value != 0) {
            PML_ASSERT_OK(pml_metadata_set_i64(m, key, value, &error), &error);
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        PML_ASSERT_OK(pml_metadata_set_string(m, texts[i][0], texts[i][1], &error), &error);
    }
    return m;
}

static uint64_t count_parameters(const char *head, int64_t width) {
    pml_metadata *m = configure(head, width, NULL, 0);
    const pml_schema *schema = pml_schema_find("itransformer");
    pml_weight_list list = {0};
    uint64_t total = 0;
    PML_ASSERT_OK(pml_schema_check_config(schema, m, &error), &error);
    PML_ASSERT_OK(pml_schema_weights(schema, m, PML_MAX_TENSORS, &list, &error), &error);
    CU_ASSERT_EQUAL(list.count, 38);
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

static void counts_the_parameters_of_the_official_code(void) {
    CU_ASSERT_EQUAL(count_parameters("prediction", 256), 841568);
    CU_ASSERT_EQUAL(count_parameters("prediction", 128), 224224);
    CU_ASSERT_EQUAL(count_parameters("reconstruction", 128), 224224);
}

static void refuses(const char *head, const char *changed, int64_t to, const char *part) {
    pml_metadata *m = configure(head, 128, changed, to);
    PML_ASSERT_FAILS(pml_schema_check_config(pml_schema_find("itransformer"), m, &error), PML_E_CONFIG, &error, part);
    pml_metadata_destroy(m);
}

static void says_what_does_not_fit(void) {
    refuses("prediction", "prediction_length", 0, "prediction_length");
    refuses("prediction", "num_attention_heads", 7, "multiple of num_attention_heads");
    refuses("prediction", "d_model", 0, "d_model");
    refuses("classification", "num_targets", 4, "num_input_channels");
    refuses("classification", "num_input_channels", 3, "num_targets");
    refuses("other", NULL, 0, "head");
}

PML_TESTS("runtime/schema/itransformer", PML_TEST(counts_the_parameters_of_the_official_code),
          PML_TEST(says_what_does_not_fit))
