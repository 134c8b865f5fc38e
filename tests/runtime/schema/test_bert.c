#include <stdio.h>
#include <string.h>

#include "runtime/schema/schema.h"
#include "tests/harness.h"

typedef struct setup {
    const char *head, *pooling;
    bool has_pooler, tied_decoder;
} setup;

/* The sizes of bert-base-uncased. */
static pml_metadata *configure(const setup *s) {
    static const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"vocab_size", 30522},     {"max_positions", 512}, {"type_vocab_size", 2},
                   {"num_hidden_layers", 12}, {"d_model", 768},       {"num_attention_heads", 12},
                   {"ffn_dim", 3072},         {"num_labels", 5}};
    const char *const texts[][2] = {{"head", s->head}, {"pooling", s->pooling}, {"activation", "gelu"}};
    pml_metadata *m = NULL;
    char key[64];
    CU_ASSERT_EQUAL(pml_metadata_create(&m, NULL), PML_OK);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)snprintf(key, sizeof key, "config.%s", numbers[i].key);
        CU_ASSERT_EQUAL(pml_metadata_set_i64(m, key, numbers[i].value, NULL), PML_OK);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        (void)snprintf(key, sizeof key, "config.%s", texts[i][0]);
        CU_ASSERT_EQUAL(pml_metadata_set_string(m, key, texts[i][1], NULL), PML_OK);
    }
    CU_ASSERT_EQUAL(pml_metadata_set_bool(m, "config.has_pooler", s->has_pooler, NULL), PML_OK);
    CU_ASSERT_EQUAL(pml_metadata_set_bool(m, "config.tied_decoder", s->tied_decoder, NULL), PML_OK);
    CU_ASSERT_EQUAL(pml_metadata_set_bool(m, "config.normalize", false, NULL), PML_OK);
    CU_ASSERT_EQUAL(pml_metadata_set_f64(m, "config.norm_eps", 1e-12, NULL), PML_OK);
    return m;
}

static const pml_schema *schema(void) {
    return pml_schema_find("bert");
}

static uint64_t count_elements(const setup *s, const char *name, const char *expected_shape) {
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
    char text[128] = "absent";
    for (unsigned j = 0; w != NULL && j < w->rank; j++) {
        const size_t used = j == 0 ? 0 : strlen(text);
        (void)snprintf(text + used, sizeof text - used, "%s%llu", j > 0 ? "," : "", (unsigned long long)w->shape[j]);
    }
    CU_ASSERT_STRING_EQUAL(text, expected_shape);
    pml_weight_list_deinit(&list);
    pml_metadata_destroy(m);
    return total;
}

/* The published numbers of parameters. */
static void counts_the_parameters_of_bert_base(void) {
    const setup model = {"none", "none", true, false}, masked = {"masked_lm", "none", false, true};
    CU_ASSERT_EQUAL(count_elements(&model, "embedding.token.weight", "30522,768"), 109482240);
    CU_ASSERT_EQUAL(count_elements(&masked, "embedding.token.weight", "768,30522"), 109514298);
}

static void follows_the_configuration(void) {
    setup s = {"masked_lm", "none", false, false};
    (void)count_elements(&s, "embedding.token.weight", "30522,768");
    (void)count_elements(&s, "decoder.weight", "768,30522");
    (void)count_elements(&s, "pooler.weight", "absent");
    s = (setup){"pretraining", "none", true, true};
    (void)count_elements(&s, "decoder.weight", "absent");
    (void)count_elements(&s, "decoder.bias", "30522");
    (void)count_elements(&s, "seq_relationship.weight", "768,2");
    s.head = "sequence_classification";
    s.tied_decoder = false;
    (void)count_elements(&s, "classifier.weight", "768,5");
    (void)count_elements(&s, "transform.weight", "absent");
    s = (setup){"question_answering", "mean", false, false};
    (void)count_elements(&s, "span.bias", "2");
    (void)count_elements(&s, "encoder.layer.11.norm2.bias", "768");
    (void)count_elements(&s, "encoder.layer.12.norm2.bias", "absent");
}

/* Whether I8 keeps a weight of a model with n layers in groups. */
static bool is_grouped(int64_t n_layers, const char *name) {
    pml_metadata *m = configure(&(setup){"none", "none", true, false});
    pml_weight_list list = {0};
    pml_error error;
    bool grouped = false;
    CU_ASSERT_EQUAL(pml_metadata_set_i64(m, "config.num_hidden_layers", n_layers, NULL), PML_OK);
    PML_ASSERT_OK(pml_schema_weights(schema(), m, PML_MAX_TENSORS, &list, &error), &error);
    const pml_weight_instance *weight = pml_weight_list_find(&list, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(weight);
    PML_ASSERT_OK(pml_schema_is_grouped(schema(), m, weight, &grouped, &error), &error);
    pml_weight_list_deinit(&list);
    pml_metadata_destroy(m);
    return grouped;
}

static void keeps_values_and_the_middle_in_groups(void) {
    static const struct { int64_t n_layers, first, end; } cases[] = {{6, 2, 5}, {12, 3, 9}, {2, 1, 2}, {1, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int64_t l = 0; l < cases[i].n_layers; l++) {
            static const char *const parts[] = {"attention.v", "ffn.up", "ffn.down", "attention.q", "attention.out"};
            for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
                char name[64];
                const bool expected = k == 0 || (k < 3 && l >= cases[i].first && l < cases[i].end);
                (void)snprintf(name, sizeof name, "encoder.layer.%lld.%s.weight", (long long)l, parts[k]);
                CU_ASSERT_EQUAL(is_grouped(cases[i].n_layers, name), expected);
            }
        }
    }
    CU_ASSERT_FALSE(is_grouped(6, "encoder.layer.3.attention.v.bias"));
    CU_ASSERT_FALSE(is_grouped(6, "embedding.token.weight"));
}

static void refuses_contradictions(void) {
    static const struct {
        setup s;
        const char *message;
    } cases[] = {{{"sequence_classification", "none", false, false}, "has_pooler"},
                 {{"pretraining", "none", false, true}, "has_pooler"},
                 {{"none", "none", true, true}, "tied_decoder"}};
    pml_error error;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_metadata *m = configure(&cases[i].s);
        PML_ASSERT_FAILS(pml_schema_check_config(schema(), m, &error), PML_E_CONFIG, &error, cases[i].message);
        pml_metadata_destroy(m);
    }
    const setup plain = {"none", "none", true, false};
    pml_metadata *m = configure(&plain);
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.normalize", true, &error), &error);
    PML_ASSERT_FAILS(pml_schema_check_config(schema(), m, &error), PML_E_CONFIG, &error, "normalize");
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.normalize", false, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(m, "config.num_attention_heads", 7, &error), &error);
    PML_ASSERT_FAILS(pml_schema_check_config(schema(), m, &error), PML_E_CONFIG, &error, "num_attention_heads");
    pml_metadata_destroy(m);
}

static void ports_have_tokens(void) {
    const setup s = {"masked_lm", "none", false, true};
    pml_metadata *m = configure(&s);
    pml_error error;
    uint64_t shape[PML_MAX_RANK];
    unsigned rank;
    PML_ASSERT_OK(pml_schema_port_dims(schema(), m, schema()->inputs[0].dims, 3, 17, shape, &rank, &error), &error);
    CU_ASSERT_TRUE(rank == 2 && shape[0] == 3 && shape[1] == 17);
    PML_ASSERT_FAILS(pml_schema_port_dims(schema(), m, schema()->inputs[0].dims, 3, 0, shape, &rank, &error),
                     PML_E_NOT_FOUND, &error, "'T'");
    pml_metadata_destroy(m);
}

/* specs/models/bert.md names every key, weight and port. */
static void document_names_everything(void) {
    size_t size;
    char *text = (char *)pml_test_read_file(pml_test_path("%s/specs/models/bert.md", pml_test_source_dir()), &size);
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
    const pml_port_spec *const lists[] = {schema()->inputs, schema()->outputs};
    for (size_t i = 0; i < 2; i++) {
        for (const pml_port_spec *port = lists[i]; port->name != NULL; port++) {
            (void)snprintf(name, sizeof name, "`%s`", port->name);
            CU_ASSERT_PTR_NOT_NULL(strstr(text, name));
        }
    }
    free(text);
}

PML_TESTS("runtime/schema/bert", PML_TEST(counts_the_parameters_of_bert_base), PML_TEST(follows_the_configuration),
          PML_TEST(keeps_values_and_the_middle_in_groups), PML_TEST(refuses_contradictions),
          PML_TEST(ports_have_tokens), PML_TEST(document_names_everything))
