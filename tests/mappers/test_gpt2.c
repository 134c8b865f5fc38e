#include "mappers/reverse.h"
#include "runtime/base/alloc.h"
#include "tests/mappers/synthetic.h"

enum { V = 7, D = 4, F = 16, POSITIONS = 6, LABELS = 3 };

#define CONFIG(architecture, more)                                                                                     \
    "{\"model_type\":\"gpt2\",\"architectures\":[\"" architecture "\"],\"vocab_size\":7,\"n_embd\":4,\"n_layer\":1,"   \
    "\"n_head\":2,\"n_positions\":6,\"bos_token_id\":6,\"eos_token_id\":6" more "}"
#define LM CONFIG("GPT2LMHeadModel", "")
#define NANO "{\"n_layer\":1,\"n_head\":2,\"n_embd\":4,\"block_size\":6,\"bias\":true,\"vocab_size\":7,\"dropout\":0.1}"

/* The decoder under a prefix; matrices [in,out], or turned as nanoGPT keeps them. */
static void add_body(synthetic *s, const char *prefix, bool turned) {
    static const struct {
        const char *name;
        uint64_t in, out;
    } linears[] = {{"attn.c_attn", D, 3 * D}, {"attn.c_proj", D, D}, {"mlp.c_fc", D, F}, {"mlp.c_proj", F, D}};
    static const char *const norms[] = {"h.0.ln_1", "h.0.ln_2", "ln_f"};
    char name[128];
    *s = (synthetic){.count = 0};
#define NAMED(...) ((void)snprintf(name, sizeof name, __VA_ARGS__), name)
    synthetic_add(s, NAMED("%swte.weight", prefix), 2, V, D);
    synthetic_add(s, NAMED("%swpe.weight", prefix), 2, POSITIONS, D);
    for (size_t i = 0; i < 4; i++) {
        const uint64_t in = linears[i].in, out = linears[i].out;
        synthetic_add(s, NAMED("%sh.0.%s.weight", prefix, linears[i].name), 2, turned ? out : in, turned ? in : out);
        synthetic_add(s, NAMED("%sh.0.%s.bias", prefix, linears[i].name), 1, out, 0);
    }
    for (size_t i = 0; i < 3; i++) {
        synthetic_add(s, NAMED("%s%s.weight", prefix, norms[i]), 1, D, 0);
        synthetic_add(s, NAMED("%s%s.bias", prefix, norms[i]), 1, D, 0);
    }
}

static void add_openai(synthetic *s) {
    static const struct {
        const char *name;
        uint64_t in, out;
    } linears[] = {{"attn/c_attn", D, 3 * D}, {"attn/c_proj", D, D}, {"mlp/c_fc", D, F}, {"mlp/c_proj", F, D}};
    static const char *const norms[] = {"h0/ln_1", "h0/ln_2", "ln_f"};
    char name[128];
    *s = (synthetic){.count = 0};
    synthetic_add(s, "model/wte", 2, V, D);
    synthetic_add(s, "model/wpe", 2, POSITIONS, D);
    for (size_t i = 0; i < 4; i++) {
        synthetic_add(s, NAMED("model/h0/%s/w", linears[i].name), 3, 1, linears[i].in)->shape[2] = linears[i].out;
        synthetic_add(s, NAMED("model/h0/%s/b", linears[i].name), 1, linears[i].out, 0);
    }
    for (size_t i = 0; i < 3; i++) {
        synthetic_add(s, NAMED("model/%s/g", norms[i]), 1, D, 0);
        synthetic_add(s, NAMED("model/%s/b", norms[i]), 1, D, 0);
    }
}

/* One value that is not zero, in the tensor of that name: the files are holes otherwise. */
static void poke(synthetic_source *source, const synthetic *s, const char *name) {
    const char *path = pml_test_path("%s/checkpoint.safetensors", pml_test_temporary_dir());
    size_t header_bytes = 0, size;
    (void)synthetic_write(s, path, &header_bytes);
    uint64_t offset = header_bytes;
    for (size_t i = 0; i < s->count && strcmp(s->tensors[i].name, name) != 0; i++) {
        offset += synthetic_bytes(&s->tensors[i]);
    }
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

static int64_t number_of(const pml_mapping *mapping, const char *key) {
    int64_t value = -1;
    return pml_metadata_get_i64(mapping->config, key, &value, NULL) == PML_OK ? value : -1;
}

static bool flag_of(const pml_mapping *mapping, const char *key) {
    bool value = false;
    CU_ASSERT_EQUAL(pml_metadata_get_bool(mapping->config, key, &value, NULL), PML_OK);
    return value;
}

static void conv1d_is_never_turned(void) {
    static const char *const prefixes[] = {"", "transformer.", "module.transformer."};
    for (size_t i = 0; i < 3; i++) {
        synthetic s;
        synthetic_source source;
        char name[128];
        add_body(&s, prefixes[i], false);
        synthetic_add(&s, NAMED("%sh.0.attn.bias", prefixes[i]), 4, 1, 1)->shape[2] = POSITIONS;
        s.tensors[s.count - 1].shape[3] = POSITIONS;
        synthetic_add(&s, NAMED("%sh.0.attn.masked_bias", prefixes[i]), 0, 0, 0);
        synthetic_source_init(&source, &s, LM);
        pml_mapping *mapping = map(&source);
        CU_ASSERT_STRING_EQUAL(text_of(mapping, "provenance.dialect"), "hf");
        CU_ASSERT_EQUAL(mapping->n_dropped, 2);
        CU_ASSERT_TRUE(comes_from(mapping, "decoder.layer.0.attention.out.weight",
                                  NAMED("%sh.0.attn.c_proj.weight", prefixes[i]), ""));
        CU_ASSERT_TRUE(comes_from(mapping, "decoder.layer.0.attention.v.weight",
                                  NAMED("%sh.0.attn.c_attn.weight", prefixes[i]), "slice(1,2,3)"));
        CU_ASSERT_TRUE(comes_from(mapping, "decoder.layer.0.attention.k.bias",
                                  NAMED("%sh.0.attn.c_attn.bias", prefixes[i]), "slice(0,1,3)"));
        CU_ASSERT_TRUE(comes_from(mapping, "embedding.token.weight", NAMED("%swte.weight", prefixes[i]), "transpose"));
        CU_ASSERT_TRUE(flag_of(mapping, "config.tied_head") && flag_of(mapping, "config.has_bias"));
        CU_ASSERT_STRING_EQUAL(text_of(mapping, "config.activation"), "gelu_tanh");
        CU_ASSERT_EQUAL(number_of(mapping, "config.ffn_dim"), F);
        CU_ASSERT_EQUAL(number_of(mapping, "config.eos_token"), 6);
        CU_ASSERT_EQUAL(number_of(mapping, "config.pad_token"), -1);
        pml_mapping_destroy(mapping);
        synthetic_source_deinit(&source);
    }
}

static void nanogpt_is_always_turned(void) {
    synthetic s;
    synthetic_source source;
    add_body(&s, "_orig_mod.transformer.", true);
    synthetic_add(&s, "_orig_mod.lm_head.weight", 2, V, D);
    synthetic_source_init(&source, &s, NANO);
    pml_mapping *mapping = map(&source);
    CU_ASSERT_STRING_EQUAL(text_of(mapping, "provenance.dialect"), "nanogpt");
    CU_ASSERT_STRING_EQUAL(text_of(mapping, "config.activation"), "gelu");
    CU_ASSERT_TRUE(comes_from(mapping, "decoder.layer.0.attention.out.weight",
                              "_orig_mod.transformer.h.0.attn.c_proj.weight", "transpose"));
    CU_ASSERT_TRUE(comes_from(mapping, "decoder.layer.0.attention.q.weight",
                              "_orig_mod.transformer.h.0.attn.c_attn.weight", "slice(0,0,3);transpose"));
    CU_ASSERT_TRUE(flag_of(mapping, "config.tied_head"));
    CU_ASSERT_EQUAL(mapping->n_dropped, 1);
    pml_mapping_destroy(mapping);
    poke(&source, &s, "_orig_mod.lm_head.weight");
    mapping = map(&source); /* a head of its own, once its bytes are others */
    CU_ASSERT_TRUE(comes_from(mapping, "head.weight", "_orig_mod.lm_head.weight", "transpose"));
    CU_ASSERT_FALSE(flag_of(mapping, "config.tied_head"));
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    synthetic_expect(&s, NULL, PML_E_CONFIG, "--set num_attention_heads=N");
    synthetic_expect(&s, "{\"n_layer\":1,\"n_head\":2,\"n_embd\":4,\"block_size\":8,\"vocab_size\":7}", PML_E_CONFIG,
                     "block_size");
    const char *const without[] = {"h.0.attn.c_attn", "h.0.attn.c_proj", "h.0.mlp.c_fc", "h.0.mlp.c_proj",
                                   "h.0.ln_1",        "h.0.ln_2",        "ln_f"};
    for (size_t i = 0; i < 7; i++) {
        char name[128];
        synthetic_remove(&s, NAMED("_orig_mod.transformer.%s.bias", without[i]));
    }
    synthetic_expect(&s, NANO, PML_E_CONFIG, "bias");
    synthetic_source_init(&source, &s,
                          "{\"n_layer\":1,\"n_head\":2,\"n_embd\":4,\"block_size\":6,\"vocab_size\":7,"
                          "\"bias\":false}");
    mapping = map(&source);
    CU_ASSERT_FALSE(flag_of(mapping, "config.has_bias"));
    CU_ASSERT_PTR_NULL(weight_of(mapping, "decoder.norm.bias"));
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
}

static void openai_has_names_of_tensorflow(void) {
    synthetic s;
    synthetic_source source;
    add_openai(&s);
    synthetic_source_init(&source, &s, "{\"n_vocab\":7,\"n_ctx\":6,\"n_embd\":4,\"n_head\":2,\"n_layer\":1}");
    pml_mapping *mapping = map(&source);
    CU_ASSERT_STRING_EQUAL(text_of(mapping, "provenance.dialect"), "openai");
    CU_ASSERT_STRING_EQUAL(text_of(mapping, "config.activation"), "gelu_tanh");
    CU_ASSERT_TRUE(
        comes_from(mapping, "decoder.layer.0.attention.k.weight", "model/h0/attn/c_attn/w", "squeeze;slice(1,1,3)"));
    CU_ASSERT_TRUE(comes_from(mapping, "decoder.layer.0.ffn.down.weight", "model/h0/mlp/c_proj/w", "squeeze"));
    CU_ASSERT_TRUE(comes_from(mapping, "embedding.token.weight", "model/wte", "transpose"));
    CU_ASSERT_EQUAL(number_of(mapping, "config.ffn_dim"), F);
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    synthetic_remove(&s, "model/ln_f/b");
    synthetic_expect(&s, "{\"n_vocab\":7,\"n_ctx\":6,\"n_embd\":4,\"n_head\":2,\"n_layer\":1}", PML_E_FORMAT,
                     "model/ln_f/b");
}

static void heads_follow_class_and_tensors(void) {
    synthetic s;
    synthetic_source source;
    add_body(&s, "", false);
    synthetic_source_init(&source, &s, CONFIG("GPT2Model", ""));
    pml_mapping *mapping = map(&source);
    CU_ASSERT_STRING_EQUAL(text_of(mapping, "config.head"), "none");
    CU_ASSERT_FALSE(flag_of(mapping, "config.tied_head"));
    CU_ASSERT_TRUE(comes_from(mapping, "embedding.token.weight", "wte.weight", ""));
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    synthetic_source_init(&source, &s,
                          "{\"model_type\":\"gpt2\",\"vocab_size\":7,\"n_embd\":4,\"n_layer\":1,"
                          "\"n_head\":2,\"n_positions\":6}");
    mapping = map(&source); /* no class is named: a language model */
    CU_ASSERT_STRING_EQUAL(text_of(mapping, "config.head"), "language_model");
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    synthetic_expect(&s, CONFIG("GPT2LMHeadModel", ",\"tie_word_embeddings\":false"), PML_E_CONFIG,
                     "no tensor lm_head.weight");
    synthetic_expect(&s, CONFIG("GPT2ForSequenceClassification", ""), PML_E_FORMAT, "score.weight");

    synthetic_add(&s, "score.weight", 2, LABELS, D);
    synthetic_source_init(&source, &s, CONFIG("GPT2ForSequenceClassification", ",\"pad_token_id\":5"));
    mapping = map(&source);
    CU_ASSERT_TRUE(comes_from(mapping, "classifier.weight", "score.weight", "transpose"));
    CU_ASSERT_EQUAL(number_of(mapping, "config.num_labels"), LABELS);
    CU_ASSERT_EQUAL(number_of(mapping, "config.pad_token"), 5);
    const pml_meta_entry *labels = pml_metadata_find(mapping->config, "text.labels");
    CU_ASSERT_TRUE(labels != NULL && labels->count == LABELS);
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    synthetic_expect(&s, LM, PML_E_CONFIG, "sequence_classification");
    synthetic_source_init(&source, &s, CONFIG("GPT2ForSequenceClassification", ",\"pad_token_id\":7"));
    mapping = map(&source); /* added to a tokenizer, but not to the table */
    CU_ASSERT_EQUAL(number_of(mapping, "config.pad_token"), -1);
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
}

static void what_is_not_gpt2_is_refused_by_name(void) {
    static const char *const others[] = {"openai-gpt", "gpt_bigcode", "imagegpt", "gpt_neo", "decision_transformer"};
    synthetic s;
    char config[256];
    add_body(&s, "", false);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        (void)snprintf(config, sizeof config, "{\"model_type\":\"%s\",\"n_head\":2}", others[i]);
        synthetic_expect(&s, config, PML_E_UNSUPPORTED, others[i]);
    }
    synthetic_expect(&s, CONFIG("GPT2DoubleHeadsModel", ""), PML_E_UNSUPPORTED, "GPT2DoubleHeadsModel");
    synthetic_expect(&s, CONFIG("GPT2LMHeadModel", ",\"add_cross_attention\":true"), PML_E_UNSUPPORTED,
                     "add_cross_attention");
    synthetic_expect(&s, CONFIG("GPT2LMHeadModel", ",\"pruned_heads\":{\"0\":[1]}"), PML_E_UNSUPPORTED, "pruned_heads");
    synthetic_expect(&s, CONFIG("GPT2LMHeadModel", ",\"activation_function\":\"quick_gelu\""), PML_E_UNSUPPORTED,
                     "quick_gelu");
    synthetic_expect(&s, CONFIG("GPT2LMHeadModel", ",\"n_inner\":12"), PML_E_CONFIG, "n_inner");
    synthetic_expect(&s, CONFIG("GPT2LMHeadModel", ",\"n_inner\":null,\"reorder_and_upcast_attn\":true"), PML_OK, NULL);
    synthetic_expect(&s, NULL, PML_E_CONFIG, "--set num_attention_heads=N");
}

/* Hugging Face's dialect, written again: the thirds of a fused matrix go back into it. */
static void is_written_as_it_was_read(void) {
    synthetic s;
    synthetic_source source;
    pml_reverse reverse = {0};
    pml_error error;
    add_body(&s, "transformer.", false);
    synthetic_source_init(&source, &s, LM);
    pml_mapping *mapping = map(&source);
    const pml_map_dialect *dialect = pml_map_dialect_find(mapping->mapper, "hf");
    CU_ASSERT_PTR_NOT_NULL_FATAL(dialect);
    PML_ASSERT_OK(pml_reverse_create(mapping->mapper, dialect, mapping->config, &reverse, &error), &error);
    CU_ASSERT_EQUAL(reverse.count, s.count);
    for (size_t i = 0; i < reverse.count; i++) {
        const pml_reverse_tensor *tensor = &reverse.tensors[i];
        const synthetic_tensor *read = synthetic_find(&s, tensor->name);
        CU_ASSERT_EQUAL(tensor->rank, read->rank);
        for (unsigned axis = 0; axis < tensor->rank; axis++) {
            CU_ASSERT_EQUAL(tensor->shape[axis], read->shape[axis]);
        }
        CU_ASSERT_EQUAL(tensor->n_parts, strstr(tensor->name, "c_attn") != NULL ? 3 : 1);
    }
    pml_reverse_deinit(&reverse);
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
}

PML_TESTS("mappers/gpt2", PML_TEST(conv1d_is_never_turned), PML_TEST(nanogpt_is_always_turned),
          PML_TEST(openai_has_names_of_tensorflow), PML_TEST(heads_follow_class_and_tensors),
          PML_TEST(what_is_not_gpt2_is_refused_by_name), PML_TEST(is_written_as_it_was_read))
