#include "runtime/schema/schema.h"
#include "tests/harness.h"

typedef struct setup {
    int64_t d_model, ffn_dim, kernel, label;
    const char *time_embedding, *frequency;
} setup;

static pml_error error;

static pml_metadata *configure(const setup *s) {
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"config.num_input_channels", 7},  {"config.context_length", 96},
                   {"config.label_length", s->label}, {"config.prediction_length", 96},
                   {"config.num_encoder_layers", 2},  {"config.num_decoder_layers", 1},
                   {"config.d_model", s->d_model},    {"config.num_attention_heads", 8},
                   {"config.ffn_dim", s->ffn_dim},    {"config.decomposition_kernel", s->kernel},
                   {"config.correlation_factor", 3}};
    pml_metadata *m = NULL;
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        PML_ASSERT_OK(pml_metadata_set_i64(m, numbers[i].key, numbers[i].value, &error), &error);
    }
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.activation", "gelu", &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.time_embedding", s->time_embedding, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.frequency", s->frequency, &error), &error);
    return m;
}

static uint64_t count_parameters(const setup *s) {
    pml_metadata *m = configure(s);
    pml_weight_list list = {0};
    uint64_t total = 0;
    const pml_schema *schema = pml_schema_find("autoformer");
    PML_ASSERT_OK(pml_schema_check_config(schema, m, &error), &error);
    PML_ASSERT_OK(pml_schema_weights(schema, m, PML_MAX_TENSORS, &list, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        uint64_t n = 1;
        for (unsigned axis = 0; axis < list.items[i].rank; axis++) {
            n *= list.items[i].shape[axis];
        }
        total += n;
    }
    pml_weight_list_deinit(&list);
    pml_metadata_destroy(m);
    return total;
}

/* The published size; tables of positions, which no layer adds, are not counted there either. */
static void counts_the_published_parameters(void) {
    CU_ASSERT_EQUAL(count_parameters(&(setup){512, 2048, 25, 48, "timeF", "h"}), 10535943);
    const uint64_t without = count_parameters(&(setup){512, 2048, 25, 48, "none", "h"});
    CU_ASSERT_EQUAL(without, 10535943 - 2 * 4 * 512);
    CU_ASSERT_EQUAL(count_parameters(&(setup){512, 2048, 25, 48, "timeF", "t"}), without + 2 * 5 * 512);
    CU_ASSERT_EQUAL(count_parameters(&(setup){512, 2048, 25, 48, "learned", "h"}), without + 2 * 76 * 512);
    CU_ASSERT_EQUAL(count_parameters(&(setup){512, 2048, 25, 48, "fixed", "t"}), without + 2 * 80 * 512);
}

static void what_cannot_be_is_refused(void) {
    static const struct {
        setup s;
        const char *words;
    } cases[] = {{{512, 64, 24, 48, "timeF", "h"}, "decomposition_kernel must be odd"},
                 {{510, 64, 25, 48, "timeF", "h"}, "multiple of num_attention_heads"},
                 {{512, 64, 25, 97, "timeF", "h"}, "label_length must not be greater"},
                 {{512, 64, 25, 48, "timef", "h"}, "time_embedding"},
                 {{512, 64, 25, 48, "timeF", "15min"}, "frequency"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_metadata *m = configure(&cases[i].s);
        PML_ASSERT_FAILS(pml_schema_check_config(pml_schema_find("autoformer"), m, &error), PML_E_CONFIG, &error,
                         cases[i].words);
        pml_metadata_destroy(m);
    }
}

PML_TESTS("runtime/schema/autoformer", PML_TEST(counts_the_published_parameters), PML_TEST(what_cannot_be_is_refused))
