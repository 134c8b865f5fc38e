/* BERT in the spellings of TensorFlow: google-research's variables and tf_model.h5. */
#include "tests/mappers/synthetic.h"

enum { V = 7, D = 4, F = 8, POSITIONS = 6, LABELS = 3 };

#define CONFIG(more)                                                                                                   \
    "{\"vocab_size\":7,\"hidden_size\":4,\"num_hidden_layers\":1,\"num_attention_heads\":2,\"intermediate_size\":8,"   \
    "\"max_position_embeddings\":6" more "}"
#define GELU ",\"hidden_act\":\"gelu\""

/* `prefix`layer_0 is spelled with `layer`; `end` stands behind every name. */
static void add_body(synthetic *s, const char *prefix, const char *layer, const char *end,
                     const char *const tables[3]) {
    static const struct {
        const char *name;
        uint64_t in, out;
    } linears[] = {{"attention/self/query", D, D},   {"attention/self/key", D, D}, {"attention/self/value", D, D},
                   {"attention/output/dense", D, D}, {"intermediate/dense", D, F}, {"output/dense", F, D}};
    static const char *const norms[] = {"attention/output/LayerNorm", "output/LayerNorm"};
    const uint64_t rows[] = {V, POSITIONS, 2};
    char name[160];
#define NAMED(...) ((void)snprintf(name, sizeof name, __VA_ARGS__), name)
    *s = (synthetic){.count = 0};
    for (size_t i = 0; i < 3; i++) {
        synthetic_add(s, NAMED("%sembeddings/%s", prefix, tables[i]), 2, rows[i], D);
    }
    synthetic_add(s, NAMED("%sembeddings/LayerNorm/gamma%s", prefix, end), 1, D, 0);
    synthetic_add(s, NAMED("%sembeddings/LayerNorm/beta%s", prefix, end), 1, D, 0);
    for (size_t i = 0; i < sizeof linears / sizeof linears[0]; i++) {
        synthetic_add(s, NAMED("%sencoder/%s/%s/kernel%s", prefix, layer, linears[i].name, end), 2, linears[i].in,
                      linears[i].out);
        synthetic_add(s, NAMED("%sencoder/%s/%s/bias%s", prefix, layer, linears[i].name, end), 1, linears[i].out, 0);
    }
    for (size_t i = 0; i < 2; i++) {
        synthetic_add(s, NAMED("%sencoder/%s/%s/gamma%s", prefix, layer, norms[i], end), 1, D, 0);
        synthetic_add(s, NAMED("%sencoder/%s/%s/beta%s", prefix, layer, norms[i], end), 1, D, 0);
    }
}

static void add_google(synthetic *s) {
    static const char *const tables[] = {"word_embeddings", "position_embeddings", "token_type_embeddings"};
    add_body(s, "bert/", "layer_0", "", tables);
}

static void add_keras(synthetic *s) {
    static const char *const tables[] = {"word_embeddings/weight:0", "position_embeddings/embeddings:0",
                                         "token_type_embeddings/embeddings:0"};
    add_body(s, "bert/any_name_3/bert/", "layer_._0", ":0", tables);
}

static pml_mapping *map(synthetic_source *source) {
    pml_error error;
    pml_mapping *mapping = NULL;
    PML_ASSERT_OK(pml_mapping_create(&source->map, &mapping, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mapping);
    return mapping;
}

static const char *text_of(const pml_mapping *mapping, const char *key) {
    const char *text = NULL;
    return pml_metadata_get_string(mapping->config, key, &text, NULL) == PML_OK ? text : "(none)";
}

static bool comes_from(const pml_mapping *mapping, const char *name, const char *source, const char *transform) {
    const pml_weight_instance *weight = pml_weight_list_find(&mapping->weights, name);
    const pml_mapped_weight *w = weight != NULL ? &mapping->mapped[weight - mapping->weights.items] : NULL;
    return w != NULL && w->n_parts == 1 && strcmp(w->parts[0].source->name, source) == 0 &&
           strcmp(w->transform, transform) == 0;
}

/* Kernels stay as they are, small heads are transposed, what the optimizer keeps is left out. */
static void reads_google_names(void) {
    synthetic s;
    synthetic_source source;
    int64_t n_labels = 0, ffn_dim = 0;
    add_google(&s);
    synthetic_add(&s, "output_weights", 2, LABELS, D);
    synthetic_add(&s, "output_bias", 1, LABELS, 0);
    synthetic_add(&s, "bert/pooler/dense/kernel", 2, D, D);
    synthetic_add(&s, "bert/pooler/dense/bias", 1, D, 0);
    synthetic_add(&s, "bert/pooler/dense/bias/adam_m", 1, D, 0);
    synthetic_add(&s, "bert/pooler/dense/bias/adam_v", 1, D, 0);
    synthetic_add(&s, "global_step", 0, 0, 0)->dtype = "I64";
    synthetic_source_init(&source, &s, CONFIG(GELU));
    pml_mapping *mapping = map(&source);
    CU_ASSERT_STRING_EQUAL(text_of(mapping, "provenance.dialect"), "google-research");
    CU_ASSERT_STRING_EQUAL(text_of(mapping, "config.head"), "sequence_classification");
    CU_ASSERT_EQUAL(mapping->n_dropped, 3);
    CU_ASSERT_TRUE(
        comes_from(mapping, "encoder.layer.0.ffn.up.weight", "bert/encoder/layer_0/intermediate/dense/kernel", ""));
    CU_ASSERT_TRUE(comes_from(mapping, "classifier.weight", "output_weights", "transpose"));
    CU_ASSERT(pml_metadata_get_i64(mapping->config, "config.num_labels", &n_labels, NULL) == PML_OK && n_labels == 3);
    CU_ASSERT(pml_metadata_get_i64(mapping->config, "config.ffn_dim", &ffn_dim, NULL) == PML_OK && ffn_dim == F);
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
}

/* The word "gelu" of google-research is the tanh form; a setting of the canonical key is what it says. */
static void says_which_gelu(void) {
    static const char *const settings[] = {"activation=gelu", "hidden_act=gelu"};
    static const char *const expected[] = {"gelu", "gelu_tanh", "gelu_tanh"};
    for (size_t i = 0; i < 3; i++) {
        synthetic s;
        synthetic_source source;
        add_google(&s);
        synthetic_source_init(&source, &s, CONFIG(GELU));
        pml_map_options options = {.settings = &settings[i], .n_settings = i < 2 ? 1 : 0};
        source.map.options = &options;
        pml_mapping *mapping = map(&source);
        CU_ASSERT_STRING_EQUAL(text_of(mapping, "config.activation"), expected[i]);
        pml_mapping_destroy(mapping);
        synthetic_source_deinit(&source);
    }
    synthetic s;
    synthetic_source source;
    add_google(&s);
    synthetic_source_init(&source, &s, CONFIG(",\"hidden_act\":\"relu\""));
    pml_mapping *mapping = map(&source);
    CU_ASSERT_STRING_EQUAL(text_of(mapping, "config.activation"), "relu");
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
}

static void add_repeated(synthetic *s, uint64_t rows) {
    synthetic_add(s, "mlm___cls/any_name_3/bert/embeddings/word_embeddings/weight:0", 2, rows, D);
}

static void reads_keras_names(void) {
    synthetic s;
    synthetic_source source;
    int64_t n_labels = 0;
    add_keras(&s);
    add_repeated(&s, V);
    synthetic_add(&s, "classifier/any_name_3/classifier/kernel:0", 2, D, LABELS);
    synthetic_add(&s, "classifier/any_name_3/classifier/bias:0", 1, LABELS, 0);
    synthetic_source_init(&source, &s, CONFIG(GELU ",\"architectures\":[\"BertForTokenClassification\"]"));
    pml_mapping *mapping = map(&source);
    CU_ASSERT_STRING_EQUAL(text_of(mapping, "provenance.dialect"), "hf-tf");
    CU_ASSERT_STRING_EQUAL(text_of(mapping, "config.head"), "token_classification");
    CU_ASSERT_STRING_EQUAL(text_of(mapping, "config.activation"), "gelu");
    CU_ASSERT(pml_metadata_get_i64(mapping->config, "config.num_labels", &n_labels, NULL) == PML_OK && n_labels == 3);
    CU_ASSERT_TRUE(comes_from(mapping, "classifier.weight", "classifier/any_name_3/classifier/kernel:0", ""));
    CU_ASSERT(mapping->n_dropped == 1 && strstr(mapping->dropped[0].reason, "equal to the embeddings") != NULL);
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
}

/* What claims to repeat must repeat. */
static void repetitions_are_compared(void) {
    synthetic s;
    add_keras(&s);
    add_repeated(&s, V + 1);
    synthetic_expect(&s, CONFIG(GELU), PML_E_FORMAT, "which has none such");
    size_t header_bytes = 0, size;
    const char *path = pml_test_path("%s/checkpoint.safetensors", pml_test_temporary_dir());
    synthetic_source source;
    pml_error error;
    pml_mapping *mapping = NULL;
    add_keras(&s);
    add_repeated(&s, V);
    synthetic_source_init(&source, &s, CONFIG(GELU));
    (void)synthetic_write(&s, path, &header_bytes);
    unsigned char *bytes = pml_test_read_file(path, &size);
    bytes[size - 1] = 0x40; /* the repeated tensor is the last */
    pml_source_close(source.map.tensors);
    pml_test_write_file(path, bytes, size);
    free(bytes);
    PML_ASSERT_OK(pml_source_open(path, &source.map.tensors, &error), &error);
    PML_ASSERT_FAILS(pml_mapping_create(&source.map, &mapping, &error), PML_E_FORMAT, &error, "with other values");
    synthetic_source_deinit(&source);
}

PML_TESTS("mappers/bert_tensorflow", PML_TEST(reads_google_names), PML_TEST(says_which_gelu),
          PML_TEST(reads_keras_names), PML_TEST(repetitions_are_compared))
