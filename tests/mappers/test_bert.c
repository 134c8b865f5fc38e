#include "tests/mappers/synthetic.h"

#include "runtime/base/alloc.h"

enum { V = 7, D = 4, F = 8, POSITIONS = 6, LABELS = 3 };

#define CONFIG(architecture, more)                                                                                     \
    "{\"model_type\":\"bert\",\"architectures\":[\"" architecture "\"],\"vocab_size\":7,\"hidden_size\":4,"            \
    "\"num_hidden_layers\":1,\"num_attention_heads\":2,\"intermediate_size\":8,\"max_position_embeddings\":6,"         \
    "\"hidden_act\":\"gelu\"" more "}"
#define NO_FLAGS                                                                                                       \
    "\"pooling_mode_cls_token\":false,\"pooling_mode_max_tokens\":false,\"pooling_mode_mean_sqrt_len_tokens\":false"

static void add_linear(synthetic *s, const char *name, uint64_t out, uint64_t in) {
    char text[160];
    (void)snprintf(text, sizeof text, "%s.weight", name);
    synthetic_add(s, text, 2, out, in);
    (void)snprintf(text, sizeof text, "%s.bias", name);
    synthetic_add(s, text, 1, out, 0);
}

static void add_norm(synthetic *s, const char *name, const char *weight, const char *bias) {
    char text[160];
    (void)snprintf(text, sizeof text, "%s.%s", name, weight);
    synthetic_add(s, text, 1, D, 0);
    (void)snprintf(text, sizeof text, "%s.%s", name, bias);
    synthetic_add(s, text, 1, D, 0);
}

/* The encoder, under a prefix, with the LayerNorm names of that time. */
static void add_body(synthetic *s, const char *prefix, const char *weight, const char *bias) {
    static const struct {
        const char *name;
        uint64_t out, in;
    } linears[] = {{"attention.self.query", D, D},   {"attention.self.key", D, D}, {"attention.self.value", D, D},
                   {"attention.output.dense", D, D}, {"intermediate.dense", F, D}, {"output.dense", D, F}};
    char name[128];
    *s = (synthetic){.count = 0};
#define NAMED(text) ((void)snprintf(name, sizeof name, "%s" text, prefix), name)
    synthetic_add(s, NAMED("embeddings.word_embeddings.weight"), 2, V, D);
    synthetic_add(s, NAMED("embeddings.position_embeddings.weight"), 2, POSITIONS, D);
    synthetic_add(s, NAMED("embeddings.token_type_embeddings.weight"), 2, 2, D);
    add_norm(s, NAMED("embeddings.LayerNorm"), weight, bias);
    for (size_t i = 0; i < sizeof linears / sizeof linears[0]; i++) {
        (void)snprintf(name, sizeof name, "%sencoder.layer.0.%s", prefix, linears[i].name);
        add_linear(s, name, linears[i].out, linears[i].in);
    }
    add_norm(s, NAMED("encoder.layer.0.attention.output.LayerNorm"), weight, bias);
    add_norm(s, NAMED("encoder.layer.0.output.LayerNorm"), weight, bias);
}

static void add_pooler(synthetic *s, const char *prefix) {
    char name[128];
    add_linear(s, NAMED("pooler.dense"), D, D);
}

static void add_predictions(synthetic *s) {
    add_linear(s, "cls.predictions.transform.dense", D, D);
    add_norm(s, "cls.predictions.transform.LayerNorm", "weight", "bias");
    synthetic_add(s, "cls.predictions.bias", 1, V, 0);
}

/* One value that is not zero, in the tensor of that name: the files are holes otherwise. */
static void poke(synthetic_source *source, const synthetic *s, const char *name) {
    const char *path = pml_test_path("%s/checkpoint.safetensors", pml_test_temporary_dir());
    size_t header_bytes = 0;
    (void)synthetic_write(s, path, &header_bytes);
    uint64_t offset = header_bytes;
    for (size_t i = 0; i < s->count && strcmp(s->tensors[i].name, name) != 0; i++) {
        offset += synthetic_bytes(&s->tensors[i]);
    }
    size_t size;
    unsigned char *bytes = pml_test_read_file(path, &size);
    bytes[offset + 2] = 0x80;
    pml_test_write_file(path, bytes, size);
    free(bytes);
    pml_error error;
    pml_source_close(source->map.tensors);
    PML_ASSERT_OK(pml_source_open(path, &source->map.tensors, &error), &error);
}

static pml_mapping *map(synthetic_source *source) {
    pml_error error;
    pml_mapping *mapping = NULL;
    PML_ASSERT_OK(pml_mapping_create(&source->map, &mapping, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mapping);
    CU_ASSERT_EQUAL(mapping->detection.score, 1.0);
    return mapping;
}

static const pml_mapped_weight *weight_of(const pml_mapping *mapping, const char *name) {
    const pml_weight_instance *weight = pml_weight_list_find(&mapping->weights, name);
    return weight != NULL ? &mapping->mapped[weight - mapping->weights.items] : NULL;
}

static bool comes_from(const pml_mapping *mapping, const char *name, const char *source, const char *transform) {
    const pml_mapped_weight *w = weight_of(mapping, name);
    return w != NULL && w->n_parts == 1 && strcmp(w->parts[0].source->name, source) == 0 &&
           strcmp(w->transform, transform) == 0;
}

static const char *text_of(const pml_mapping *mapping, const char *key) {
    const char *text = NULL;
    return pml_metadata_get_string(mapping->config, key, &text, NULL) == PML_OK ? text : "(none)";
}

static void names_with_and_without_prefix_old_and_new(void) {
    static const char *const prefixes[] = {"", "bert.", "module.bert."};
    for (size_t i = 0; i < 6; i++) {
        const char *prefix = prefixes[i / 2];
        synthetic s;
        synthetic_source source;
        char name[128], key[160];
        add_body(&s, prefix, i % 2 == 0 ? "weight" : "gamma", i % 2 == 0 ? "bias" : "beta");
        add_pooler(&s, prefix);
        synthetic_add(&s, NAMED("embeddings.position_ids"), 2, 1, POSITIONS)->dtype = "I64";
        synthetic_add(&s, NAMED("embeddings.token_type_ids"), 2, 1, POSITIONS)->dtype = "I64";
        synthetic_source_init(&source, &s, CONFIG("BertModel", ""));
        pml_mapping *mapping = map(&source);
        CU_ASSERT_EQUAL(mapping->n_dropped, 2);
        CU_ASSERT_STRING_EQUAL(text_of(mapping, "config.head"), "none");
        (void)snprintf(key, sizeof key, "%sencoder.layer.0.output.LayerNorm.%s", prefix, i % 2 == 0 ? "bias" : "beta");
        CU_ASSERT_TRUE(comes_from(mapping, "encoder.layer.0.norm2.bias", key, ""));
        (void)snprintf(key, sizeof key, "%sencoder.layer.0.intermediate.dense.weight", prefix);
        CU_ASSERT_TRUE(comes_from(mapping, "encoder.layer.0.ffn.up.weight", key, "transpose"));
        (void)snprintf(key, sizeof key, "%sembeddings.word_embeddings.weight", prefix);
        CU_ASSERT_TRUE(comes_from(mapping, "embedding.token.weight", key, ""));
        pml_mapping_destroy(mapping);
        synthetic_source_deinit(&source);
    }
}

/* An ONNX export of a fixed length: of the position table the rows in use are left, as the sum's operand. */
static void positions_of_a_fixed_length(void) {
    synthetic s;
    synthetic_source source;
    int64_t n_positions = 0;
    add_body(&s, "bert.", "weight", "bias");
    synthetic_remove(&s, "bert.embeddings.position_embeddings.weight");
    synthetic_add(&s, "bert.embeddings.embedding_2", 3, 1, 3)->shape[2] = D;
    synthetic_source_init(&source, &s, CONFIG("BertModel", ""));
    pml_mapping *mapping = map(&source);
    CU_ASSERT_TRUE(comes_from(mapping, "embedding.position.weight", "bert.embeddings.embedding_2", "reshape(-1,4)"));
    CU_ASSERT(pml_metadata_get_i64(mapping->config, "config.max_positions", &n_positions, NULL) == PML_OK);
    CU_ASSERT_EQUAL(n_positions, 3); /* the configuration says 6 */
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    synthetic_add(&s, "bert.embeddings.position_embeddings.weight", 2, POSITIONS, D);
    synthetic_source_init(&source, &s, CONFIG("BertModel", ""));
    mapping = map(&source);
    CU_ASSERT_EQUAL(mapping->n_dropped, 1);
    CU_ASSERT(pml_metadata_get_i64(mapping->config, "config.max_positions", &n_positions, NULL) == PML_OK);
    CU_ASSERT_EQUAL(n_positions, POSITIONS);
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
}

static void both_spellings_of_a_norm_are_refused(void) {
    synthetic s;
    add_body(&s, "bert.", "weight", "bias");
    synthetic_add(&s, "bert.embeddings.LayerNorm.gamma", 1, D, 0);
    synthetic_expect(&s, CONFIG("BertModel", ""), PML_E_FORMAT, "LayerNorm.gamma");
}

static void decoders_tied_equal_and_of_their_own(void) {
    static const char config[] = CONFIG("BertForMaskedLM", "");
    synthetic s;
    synthetic_source source;
    add_body(&s, "bert.", "weight", "bias");
    add_predictions(&s);
    synthetic_source_init(&source, &s, config);
    pml_mapping *mapping = map(&source); /* absent */
    CU_ASSERT_TRUE(
        comes_from(mapping, "embedding.token.weight", "bert.embeddings.word_embeddings.weight", "transpose"));
    CU_ASSERT_TRUE(comes_from(mapping, "decoder.bias", "cls.predictions.bias", ""));
    CU_ASSERT_PTR_NULL(weight_of(mapping, "decoder.weight"));
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    synthetic_expect(&s, CONFIG("BertForMaskedLM", ",\"tie_word_embeddings\":false"), PML_E_CONFIG,
                     "no tensor cls.predictions.decoder.weight");

    synthetic_add(&s, "cls.predictions.decoder.weight", 2, V, D);
    synthetic_source_init(&source, &s, config);
    mapping = map(&source); /* equal: all zeros */
    CU_ASSERT_PTR_NULL(weight_of(mapping, "decoder.weight"));
    CU_ASSERT_EQUAL(mapping->n_dropped, 1);
    pml_mapping_destroy(mapping);

    poke(&source, &s, "cls.predictions.decoder.weight");
    mapping = map(&source); /* different, whatever tie_word_embeddings says */
    CU_ASSERT_TRUE(comes_from(mapping, "decoder.weight", "cls.predictions.decoder.weight", "transpose"));
    CU_ASSERT_TRUE(comes_from(mapping, "embedding.token.weight", "bert.embeddings.word_embeddings.weight", ""));
    CU_ASSERT_EQUAL(mapping->n_dropped, 0);
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);

    synthetic_add(&s, "cls.predictions.decoder.bias", 1, V, 0);
    synthetic_source_init(&source, &s, config);
    mapping = map(&source); /* the decoder's own bias wins */
    CU_ASSERT_TRUE(comes_from(mapping, "decoder.bias", "cls.predictions.decoder.bias", ""));
    CU_ASSERT_EQUAL(mapping->n_dropped, 2);
    CU_ASSERT_EQUAL(mapping->detection.n_matched, s.count);
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
}

static void heads_follow_class_and_tensors(void) {
    synthetic s;
    synthetic_source source;
    add_body(&s, "bert.", "weight", "bias");
    add_pooler(&s, "bert.");
    add_predictions(&s);
    add_linear(&s, "cls.seq_relationship", 2, D);
    synthetic_source_init(&source, &s, CONFIG("BertForMaskedLM", "")); /* as bert-base-uncased says of itself */
    pml_mapping *mapping = map(&source);
    CU_ASSERT_STRING_EQUAL(text_of(mapping, "config.head"), "pretraining");
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    synthetic_expect(&s, CONFIG("BertModel", ""), PML_E_CONFIG, "head");
    synthetic_expect(&s, CONFIG("BertForMultipleChoice", ""), PML_E_UNSUPPORTED, "multiple-choice");
    synthetic_expect(&s, CONFIG("BertLMHeadModel", ""), PML_E_UNSUPPORTED, "decoder");

    add_body(&s, "bert.", "weight", "bias");
    add_linear(&s, "classifier", LABELS, D);
    synthetic_expect(&s, CONFIG("BertForSequenceClassification", ""), PML_E_CONFIG, "has_pooler");
    synthetic_expect(&s, CONFIG("BertForTokenClassification", ""), PML_OK, NULL);
    add_pooler(&s, "bert.");
    synthetic_expect(&s, CONFIG("BertForTokenClassification", ""), PML_OK, NULL); /* an unused pooler stays */
    synthetic_expect(&s, CONFIG("BertForSequenceClassification", ""), PML_OK, NULL);
    synthetic_remove(&s, "classifier.bias");
    synthetic_expect(&s, CONFIG("BertForSequenceClassification", ""), PML_E_FORMAT, "classifier.bias");

    add_body(&s, "bert.", "weight", "bias");
    add_linear(&s, "qa_outputs", 2, D);
    synthetic_expect(&s, CONFIG("BertForQuestionAnswering", ""), PML_OK, NULL);
    synthetic_expect(&s, CONFIG("BertForMaskedLM", ""), PML_E_CONFIG, "head");
}

static void labels_are_dense(void) {
    synthetic s;
    synthetic_source source;
    add_body(&s, "bert.", "weight", "bias");
    add_pooler(&s, "bert.");
    add_linear(&s, "classifier", LABELS, D);
#define LABELLED(labels) CONFIG("BertForSequenceClassification", ",\"id2label\":" labels)
    synthetic_source_init(&source, &s, LABELLED("{\"2\":\"c\",\"0\":\"a\",\"1\":\"b\"}"));
    pml_mapping *mapping = map(&source);
    const pml_meta_entry *labels = pml_metadata_find(mapping->config, "text.labels");
    CU_ASSERT_PTR_NOT_NULL_FATAL(labels);
    CU_ASSERT_TRUE(labels->count == 3 && strcmp(labels->value.strings[1], "b") == 0);
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    synthetic_expect(&s, LABELLED("{\"0\":\"a\",\"1\":\"b\"}"), PML_E_CONFIG, "exactly 3 labels");
    synthetic_expect(&s, LABELLED("{\"0\":\"a\",\"1\":\"b\",\"3\":\"c\"}"), PML_E_CONFIG, "label 2");
    synthetic_expect(&s, LABELLED("{\"0\":\"a\",\"1\":\"b\",\"02\":\"c\"}"), PML_E_CONFIG, "label 2");
    synthetic_expect(&s, LABELLED("{\"0\":\"a\",\"1\":7,\"2\":\"c\"}"), PML_E_CONFIG, "label 1");
    synthetic_expect(&s, LABELLED("[\"a\",\"b\",\"c\"]"), PML_E_CONFIG, "id2label");
    synthetic_source_init(&source, &s, LABELLED("null"));
    mapping = map(&source);
    labels = pml_metadata_find(mapping->config, "text.labels");
    CU_ASSERT_TRUE(labels != NULL && labels->count == 3 && strcmp(labels->value.strings[2], "LABEL_2") == 0);
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
}

static void what_is_not_bert_is_refused_by_name(void) {
    static const char *const others[] = {"roberta",  "xlm-roberta", "camembert",     "electra", "distilbert", "albert",
                                         "mpnet",    "convbert",    "megatron-bert", "nezha",   "modernbert", "ernie",
                                         "layoutlm", "deberta-v2",  "big_bird",      "splinter"};
    synthetic s;
    char config[256];
    add_body(&s, "", "weight", "bias");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        (void)snprintf(config, sizeof config, "{\"model_type\":\"%s\",\"num_attention_heads\":2}", others[i]);
        synthetic_expect(&s, config, PML_E_UNSUPPORTED, others[i]);
    }
    synthetic_expect(&s, "{\"model_type\":\"unheard-of\"}", PML_E_CONFIG, "unheard-of");
    synthetic_expect(&s, CONFIG("BertModel", ",\"position_embedding_type\":\"relative_key\""), PML_E_UNSUPPORTED,
                     "relative_key");
    synthetic_expect(&s, CONFIG("BertModel", ",\"is_decoder\":true"), PML_E_UNSUPPORTED, "is_decoder");
    synthetic_expect(&s, CONFIG("BertModel", ",\"add_cross_attention\":true"), PML_E_UNSUPPORTED,
                     "add_cross_attention");
    synthetic_expect(&s, CONFIG("BertModel", ",\"pruned_heads\":{\"0\":[1]}"), PML_E_UNSUPPORTED, "pruned_heads");
    synthetic_expect(&s, CONFIG("BertModel", ",\"position_embedding_type\":\"absolute\",\"is_decoder\":false"), PML_OK,
                     NULL);
}

static void configuration_is_checked(void) {
    synthetic s;
    add_body(&s, "", "weight", "bias");
    synthetic_expect(&s, NULL, PML_E_CONFIG, "--set num_attention_heads=N");
    synthetic_expect(&s, NULL, PML_E_CONFIG, "--set activation=");
    synthetic_expect(&s, "{\"model_type\":\"bert\",\"num_attention_heads\":2}", PML_E_CONFIG, "30522");
#define ONLY(text) "{\"model_type\":\"bert\",\"vocab_size\":7,\"hidden_size\":4,\"max_position_embeddings\":6," text "}"
    synthetic_expect(&s, ONLY("\"num_hidden_layers\":2"), PML_E_CONFIG, "num_hidden_layers");
    synthetic_expect(&s, ONLY("\"num_hidden_layers\":1,\"intermediate_size\":8,\"num_attention_heads\":3"),
                     PML_E_CONFIG, "num_attention_heads");
    synthetic_expect(&s,
                     ONLY("\"num_hidden_layers\":1,\"intermediate_size\":8,\"num_attention_heads\":2,"
                          "\"hidden_act\":\"quick_gelu\""),
                     PML_E_UNSUPPORTED, "quick_gelu");
    synthetic_expect(&s,
                     ONLY("\"num_hidden_layers\":1,\"intermediate_size\":8,\"num_attention_heads\":2,"
                          "\"layer_norm_eps\":-1"),
                     PML_E_CONFIG, "norm_eps");
    synthetic_remove(&s, "encoder.layer.0.output.dense.bias");
    synthetic_expect(&s, CONFIG("BertModel", ""), PML_E_FORMAT, "encoder.layer.0.ffn.down.bias");
}

/* ---- sentence-transformers ---- */
typedef struct sides { /* texts of the three files; NULL: absent */
    const char *modules, *pooling, *sentence;
} sides;

#define MODULE(type, path)                                                                                             \
    "{\"idx\":0,\"name\":\"0\",\"path\":\"" path "\",\"type\":\"sentence_transformers.models." type "\"}"
#define MODULES                                                                                                        \
    "[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "," MODULE("Normalize", "2_Normalize") "]"

/* Maps with these files; the mapping is the caller's. What is refused is in golden files (convert/hostile_text). */
static pml_mapping *map_sentence(const sides *files) {
    static const char *const names[] = {"modules.json", "1_Pooling/config.json", "sentence_bert_config.json"};
    const char *const texts[] = {files->modules, files->pooling, files->sentence};
    synthetic s;
    synthetic_source source;
    pml_error error;
    pml_mapping *mapping = NULL;
    pml_map_side list[3];
    cJSON *roots[3];
    size_t n = 0;
    add_body(&s, "", "weight", "bias");
    synthetic_source_init(&source, &s, CONFIG("BertModel", ""));
    for (size_t i = 0; i < 3; i++) {
        if (texts[i] != NULL) {
            PML_ASSERT_OK(pml_json_document_parse(texts[i], strlen(texts[i]), names[i], &roots[n], &error), &error);
            list[n] = (pml_map_side){names[i], roots[n]};
            n++;
        }
    }
    source.map.sides = list;
    source.map.n_sides = n;
    PML_ASSERT_OK(pml_mapping_create(&source.map, &mapping, &error), &error);
    while (n-- > 0) {
        cJSON_Delete(roots[n]);
    }
    synthetic_source_deinit(&source);
    return mapping;
}

static void sentence_modules_are_read(void) {
    static const struct {
        sides files;
        const char *pooling;
        bool normalize;
        int64_t max_tokens;
    } cases[] = {
        {{NULL, NULL, NULL}, "none", false, POSITIONS},
        {{NULL, NULL, "{\"max_seq_length\":null,\"do_lower_case\":false}"}, "none", false, POSITIONS},
        {{MODULES, "{\"word_embedding_dimension\":4," NO_FLAGS ",\"pooling_mode_mean_tokens\":true}",
          "{\"max_seq_length\":5}"},
         "mean",
         true,
         5},
        {{"[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "]",
          "{\"pooling_mode_cls_token\":true,\"include_prompt\":true}", "{\"max_seq_length\":512}"},
         "cls",
         false,
         POSITIONS},
        {{"[" MODULE("Transformer", "") "]", NULL, NULL}, "none", false, POSITIONS},
        {{MODULES, "{\"pooling_mode\":\"max\"}", NULL}, "max", true, POSITIONS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_mapping *mapping = map_sentence(&cases[i].files);
        CU_ASSERT_PTR_NOT_NULL_FATAL(mapping);
        int64_t max_tokens = 0;
        bool normalize = !cases[i].normalize;
        CU_ASSERT_STRING_EQUAL(text_of(mapping, "config.pooling"), cases[i].pooling);
        CU_ASSERT_EQUAL(pml_metadata_get_bool(mapping->config, "config.normalize", &normalize, NULL), PML_OK);
        CU_ASSERT_EQUAL(pml_metadata_get_i64(mapping->config, "text.max_tokens", &max_tokens, NULL), PML_OK);
        CU_ASSERT_TRUE(normalize == cases[i].normalize && max_tokens == cases[i].max_tokens);
        bool is_pooled = strcmp(cases[i].pooling, "none") != 0;
        CU_ASSERT_STRING_EQUAL(text_of(mapping, "text.pooling"), is_pooled ? cases[i].pooling : "(none)");
        pml_mapping_destroy(mapping);
    }
}

PML_TESTS("mappers/bert", PML_TEST(names_with_and_without_prefix_old_and_new), PML_TEST(positions_of_a_fixed_length),
          PML_TEST(both_spellings_of_a_norm_are_refused), PML_TEST(decoders_tied_equal_and_of_their_own),
          PML_TEST(heads_follow_class_and_tensors), PML_TEST(labels_are_dense),
          PML_TEST(what_is_not_bert_is_refused_by_name), PML_TEST(configuration_is_checked),
          PML_TEST(sentence_modules_are_read))
