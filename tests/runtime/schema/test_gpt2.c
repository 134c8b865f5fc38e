#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/schema/schema.h"
#include "tests/harness.h"

typedef struct setup {
    const char *head;
    bool tied_head, has_bias;
    int64_t n_layers, d_model, n_heads;
} setup;

/* The vocabulary and positions of OpenAI's models. */
static pml_metadata *configure(const setup *s) {
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"vocab_size", 50257},
                   {"max_positions", 1024},
                   {"num_hidden_layers", s->n_layers},
                   {"d_model", s->d_model},
                   {"num_attention_heads", s->n_heads},
                   {"ffn_dim", 4 * s->d_model},
                   {"num_labels", 5}};
    const struct {
        const char *key;
        bool value;
    } flags[] = {
        {"has_bias", s->has_bias}, {"scale_scores", true}, {"scale_by_layer", false}, {"tied_head", s->tied_head}};
    pml_metadata *m = NULL;
    char key[64];
    CU_ASSERT_EQUAL(pml_metadata_create(&m, NULL), PML_OK);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)snprintf(key, sizeof key, "config.%s", numbers[i].key);
        CU_ASSERT_EQUAL(pml_metadata_set_i64(m, key, numbers[i].value, NULL), PML_OK);
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        (void)snprintf(key, sizeof key, "config.%s", flags[i].key);
        CU_ASSERT_EQUAL(pml_metadata_set_bool(m, key, flags[i].value, NULL), PML_OK);
    }
    CU_ASSERT_EQUAL(pml_metadata_set_string(m, "config.head", s->head, NULL), PML_OK);
    CU_ASSERT_EQUAL(pml_metadata_set_string(m, "config.activation", "gelu_tanh", NULL), PML_OK);
    CU_ASSERT_EQUAL(pml_metadata_set_f64(m, "config.norm_eps", 1e-5, NULL), PML_OK);
    return m;
}

static const pml_schema *schema(void) {
    return pml_schema_find("gpt2");
}

static uint64_t count_elements(const setup *s, const char *name, size_t n_expected) {
    pml_metadata *m = configure(s);
    pml_weight_list list = {0};
    pml_error error;
    uint64_t total = 0;
    PML_ASSERT_OK(pml_schema_check_config(schema(), m, &error), &error);
    PML_ASSERT_OK(pml_schema_weights(schema(), m, PML_MAX_TENSORS, &list, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        uint64_t n = 1;
        for (unsigned j = 0; j < list.items[i].rank; j++) {
            n *= list.items[i].shape[j];
        }
        total += n;
    }
    const pml_weight_instance *w = pml_weight_list_find(&list, name);
    CU_ASSERT_EQUAL(w == NULL ? 0 : w->shape[0], n_expected);
    pml_weight_list_deinit(&list);
    pml_metadata_destroy(m);
    return total;
}

/* As published; a tied table counts once. */
static void counts_the_parameters_of_openai(void) {
    static const struct {
        int64_t n_layers, d_model, n_heads;
        uint64_t total;
    } sizes[] = {{12, 768, 12, 124439808},
                 {24, 1024, 16, 354823168},
                 {36, 1280, 20, 774030080},
                 {48, 1600, 25, 1557611200},
                 {6, 768, 12, 81912576}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const setup s = {"language_model", true, true, sizes[i].n_layers, sizes[i].d_model, sizes[i].n_heads};
        CU_ASSERT_EQUAL(count_elements(&s, "embedding.token.weight", (size_t)sizes[i].d_model), sizes[i].total);
    }
}

static void follows_the_configuration(void) {
    enum { TIED = 124439808, TABLE = 50257 * 768, BIASES = 12 * (768 * 7 + 3072) + 768 };
    const setup untied = {"language_model", false, true, 12, 768, 12}, none = {"none", false, true, 12, 768, 12};
    const setup labels = {"sequence_classification", false, true, 12, 768, 12};
    const setup no_bias = {"language_model", true, false, 12, 768, 12};
    CU_ASSERT_EQUAL(count_elements(&untied, "head.weight", 768), TIED + TABLE);
    CU_ASSERT_EQUAL(count_elements(&none, "head.weight", 0), TIED);
    CU_ASSERT_EQUAL(count_elements(&none, "embedding.token.weight", 50257), TIED);
    CU_ASSERT_EQUAL(count_elements(&labels, "classifier.weight", 768), TIED + 5 * 768);
    CU_ASSERT_EQUAL(count_elements(&no_bias, "decoder.norm.bias", 0), TIED - BIASES);
}

static void refuses_contradictions(void) {
    const setup s = {"language_model", true, true, 12, 768, 12}, none = {"none", true, true, 12, 768, 12};
    pml_metadata *m = configure(&none);
    pml_error error;
    PML_ASSERT_FAILS(pml_schema_check_config(schema(), m, &error), PML_E_CONFIG, &error, "tied_head");
    pml_metadata_destroy(m);
    m = configure(&s);
    PML_ASSERT_OK(pml_metadata_set_i64(m, "config.pad_token", 50256, &error), &error);
    PML_ASSERT_OK(pml_schema_check_config(schema(), m, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(m, "config.pad_token", 50257, &error), &error);
    PML_ASSERT_FAILS(pml_schema_check_config(schema(), m, &error), PML_E_CONFIG, &error, "pad_token");
    pml_metadata_destroy(m);
    m = configure(&s);
    PML_ASSERT_OK(pml_metadata_set_i64(m, "config.num_attention_heads", 7, &error), &error);
    PML_ASSERT_FAILS(pml_schema_check_config(schema(), m, &error), PML_E_CONFIG, &error, "num_attention_heads");
    pml_metadata_destroy(m);
}

/* Of a session with room for 32 tokens. */
static void state_is_keys_and_values_of_every_token(void) {
    const setup s = {"language_model", true, true, 12, 768, 12};
    pml_metadata *m = configure(&s);
    pml_error error;
    for (size_t i = 0; i < 2; i++) {
        uint64_t shape[PML_MAX_RANK];
        unsigned rank;
        PML_ASSERT_OK(pml_schema_port_dims(schema(), m, schema()->state[i].dims, 3, 32, shape, &rank, &error), &error);
        CU_ASSERT_TRUE(rank == 5 && shape[0] == 3 && shape[1] == 12 && shape[2] == 12 && shape[3] == 32 &&
                       shape[4] == 64);
    }
    CU_ASSERT_PTR_NULL(schema()->state[2].name);
    pml_metadata_destroy(m);
}

/* specs/models/gpt2.md names every key, weight and port. */
static void document_names_everything(void) {
    size_t size;
    char *text = (char *)pml_test_read_file(pml_test_path("%s/specs/models/gpt2.md", pml_test_source_dir()), &size);
    char name[160];
    text = realloc(text, size + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    text[size] = '\0';
    for (const pml_config_key *key = schema()->config; key->name != NULL; key++) {
        (void)snprintf(name, sizeof name, "`%s`", key->name);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, name));
    }
    for (const pml_weight_spec *w = schema()->weights; w->name != NULL; w++) {
        (void)snprintf(name, sizeof name, "`%s`", w->name);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, name));
    }
    const pml_port_spec *const lists[] = {schema()->inputs, schema()->outputs, schema()->state};
    for (size_t i = 0; i < 3; i++) {
        for (const pml_port_spec *port = lists[i]; port->name != NULL; port++) {
            (void)snprintf(name, sizeof name, "`%s`", port->name);
            CU_ASSERT_PTR_NOT_NULL(strstr(text, name));
        }
    }
    free(text);
}

PML_TESTS("runtime/schema/gpt2", PML_TEST(counts_the_parameters_of_openai), PML_TEST(follows_the_configuration),
          PML_TEST(refuses_contradictions), PML_TEST(state_is_keys_and_values_of_every_token),
          PML_TEST(document_names_everything))
