#include "tests/mappers/synthetic.h"

static const char *const hf_cases[] = {
    "patchtst/hf-bf16",
    "patchtst/hf-cd-postnorm",
    "patchtst/hf-cd-prediction",
    "patchtst/hf-ci-postnorm-layernorm",
    "patchtst/hf-ci-prediction",
    "patchtst/hf-ci-prediction-cls",
    "patchtst/hf-ci-prediction-sine",
    "patchtst/hf-classification",
    "patchtst/hf-distribution-normal",
    "patchtst/hf-distribution-student_t",
    "patchtst/hf-fp16",
    "patchtst/hf-learned-posenc",
    "patchtst/hf-maxpool",
    "patchtst/hf-meanpool",
    "patchtst/hf-model-only",
    "patchtst/hf-nobias",
    "patchtst/hf-observed-mask",
    "patchtst/hf-observed-mask-mean",
    "patchtst/hf-pretraining",
    "patchtst/hf-pretraining-forecast-cls",
    "patchtst/hf-regression",
    "patchtst/hf-regression-range",
    "patchtst/hf-relu",
    "patchtst/hf-scaling-mean",
    "patchtst/hf-scaling-none",
    "patchtst/hf-scaling-true",
    "patchtst/hf-sharded",
    "patchtst/hf-stride-overlap",
    "patchtst/hf-unshared-embedding",
    "ett/patchtst-exact",
    "ett/patchtst-hf-cd-etth1-96",
    "ett/patchtst-hf-etth1-96",
};

static const pml_map_options no_options;

/* Opens a golden folder as a source; false when it is not there. `with_config` false: as if it had no config.json. */
static bool load(const char *name, bool with_config, const pml_map_options *options, synthetic_source *l) {
    pml_error error;
    *l = (synthetic_source){.config = NULL};
    const char *path = pml_test_golden(name);
    if (path == NULL) {
        return false;
    }
    PML_ASSERT_OK(pml_source_open(path, &l->map.tensors, &error), &error);
    if (with_config) {
        size_t size_bytes;
        unsigned char *text = pml_test_read_file(pml_test_path("%s/config.json", path), &size_bytes);
        PML_ASSERT_OK(pml_json_document_parse((char *)text, size_bytes, "config.json", &l->config, &error), &error);
        free(text);
    }
    l->map.config = l->config;
    l->map.config_name = "config.json";
    l->map.options = options;
    return l->map.tensors != NULL;
}

/* Every source tensor is consumed once or dropped with a reason, every weight has its parts. */
static void check_complete(const synthetic_source *l, const pml_mapping *m) {
    size_t n_used = m->n_dropped;
    for (size_t i = 0; i < m->weights.count; i++) {
        const pml_mapped_weight *w = &m->mapped[i];
        CU_ASSERT_PTR_EQUAL(w->weight, &m->weights.items[i]);
        CU_ASSERT_TRUE(w->n_parts >= 1);
        n_used += w->n_parts;
        for (size_t j = 0; j < w->n_parts; j++) {
            pml_view view;
            pml_error error;
            PML_ASSERT_OK(
                pml_transform_view(w->transform, w->parts[j].source->shape, w->parts[j].source->rank, &view, &error),
                &error);
            unsigned n_stack = view.is_stacked ? 1 : 0;
            CU_ASSERT_EQUAL(view.rank + n_stack, w->weight->rank);
            CU_ASSERT_EQUAL(memcmp(view.shape, w->weight->shape + n_stack, view.rank * sizeof view.shape[0]), 0);
            CU_ASSERT_EQUAL(w->parts[j].i_stack, n_stack != 0 ? j : 0);
        }
    }
    for (size_t i = 0; i < m->n_dropped; i++) {
        CU_ASSERT_PTR_NOT_NULL(strstr(m->dropped[i].source->name, "num_batches_tracked"));
        CU_ASSERT_TRUE(strlen(m->dropped[i].reason) > 0);
    }
    CU_ASSERT_EQUAL(n_used, pml_source_n_tensors(l->map.tensors));
}

static void maps_every_golden(void) {
    size_t n_found = 0;
    for (size_t i = 0; i < sizeof hf_cases / sizeof hf_cases[0]; i++) {
        synthetic_source l;
        pml_error error;
        pml_mapping *mapping = NULL;
        if (!load(hf_cases[i], true, &no_options, &l)) {
            continue;
        }
        n_found++;
        PML_ASSERT_OK(pml_mapping_create(&l.map, &mapping, &error), &error);
        if (mapping != NULL) {
            const char *dialect = "";
            check_complete(&l, mapping);
            CU_ASSERT_EQUAL(mapping->detection.n_assumed, 0); /* upstream writes every key */
            CU_ASSERT_TRUE(mapping->detection.accepted);
            CU_ASSERT_EQUAL(mapping->detection.score, 1.0);
            PML_ASSERT_OK(pml_metadata_get_string(mapping->config, "provenance.dialect", &dialect, &error), &error);
            CU_ASSERT_STRING_EQUAL(dialect, "hf");
        }
        pml_mapping_destroy(mapping);
        synthetic_source_deinit(&l);
    }
    if (n_found == 0) {
        pml_test_skip("no PatchTST goldens (set PML_GOLDENS)");
    }
}

static void same_entries(const pml_metadata *a, const pml_metadata *b, const char *name) {
    for (size_t i = 0; i < pml_metadata_count(a); i++) {
        const pml_meta_entry *x = pml_metadata_at(a, i);
        const pml_meta_entry *y = pml_metadata_find(b, x->key);
        bool is_training = strstr(x->key, "mask") != NULL || strstr(x->key, "dropout") != NULL ||
                           strcmp(x->key, "config.positional_encoding") == 0;
        if (is_training) {
            continue;
        }
        bool is_same = y != NULL && x->type == y->type && x->count == y->count;
        if (is_same && x->type == PML_META_STRING) {
            is_same = strcmp(x->value.string, y->value.string) == 0;
        } else if (is_same && x->type == PML_META_F64) {
            is_same = x->value.f64 == y->value.f64;
        } else if (is_same && x->type == PML_META_I64) {
            is_same = x->value.i64 == y->value.i64;
        } else if (is_same && x->type == PML_META_BOOL) {
            is_same = x->value.boolean == y->value.boolean;
        } else if (is_same && x->type == PML_META_F64_ARRAY) {
            is_same = memcmp(x->value.f64s, y->value.f64s, (size_t)x->count * sizeof *x->value.f64s) == 0;
        }
        if (!is_same) {
            (void)printf("\n    %s: %s differs\n", name, x->key);
            CU_FAIL("a key read from tensors differs from the config file's");
        }
    }
}

/* What a person answers when asked, taken from the config file of the case. */
static size_t answers(const pml_metadata *config, char texts[16][96], const char *settings[16]) {
    static const char *const keys[] = {"head",     "num_input_channels",  "context_length", "patch_stride",
                                       "pre_norm", "num_attention_heads", "activation",     "scaling",
                                       "pooling",  "distribution",        "norm_eps",       "output_range"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char key[64];
        (void)snprintf(key, sizeof key, "config.%s", keys[i]);
        const pml_meta_entry *e = pml_metadata_find(config, key);
        if (e == NULL) {
            (void)snprintf(texts[n], sizeof texts[n], "%s=none", keys[i]);
        } else if (e->type == PML_META_I64) {
            (void)snprintf(texts[n], sizeof texts[n], "%s=%lld", keys[i], (long long)e->value.i64);
        } else if (e->type == PML_META_BOOL) {
            (void)snprintf(texts[n], sizeof texts[n], "%s=%s", keys[i], e->value.boolean ? "true" : "false");
        } else if (e->type == PML_META_F64) {
            (void)snprintf(texts[n], sizeof texts[n], "%s=%.17g", keys[i], e->value.f64);
        } else if (e->type == PML_META_F64_ARRAY) {
            (void)snprintf(texts[n], sizeof texts[n], "%s=%.17g,%.17g", keys[i], e->value.f64s[0], e->value.f64s[1]);
        } else {
            (void)snprintf(texts[n], sizeof texts[n], "%s=%s", keys[i], e->value.string);
        }
        settings[n] = texts[n];
        n++;
    }
    return n;
}

/* Without config.json: what is asked for, once answered, gives the same configuration. */
static void maps_every_golden_without_config(void) {
    size_t n_found = 0;
    for (size_t i = 0; i < sizeof hf_cases / sizeof hf_cases[0]; i++) {
        synthetic_source with, without;
        pml_error error;
        pml_mapping *expected = NULL, *mapping = NULL;
        char texts[16][96];
        const char *settings[16];
        if (!load(hf_cases[i], true, &no_options, &with)) {
            continue;
        }
        n_found++;
        PML_ASSERT_OK(pml_mapping_create(&with.map, &expected, &error), &error);
        CU_ASSERT_TRUE(load(hf_cases[i], false, &no_options, &without));
        PML_ASSERT_FAILS(pml_mapping_create(&without.map, &mapping, &error), PML_E_CONFIG, &error,
                         "--set num_attention_heads=N");
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "--set context_length=N"));
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "--set scaling=std|mean|none"));
        CU_ASSERT_PTR_NULL(strstr(error.message, "--set d_model")); /* the tensors tell */
        if (expected != NULL) {
            pml_map_options options = {.settings = settings, .n_settings = answers(expected->config, texts, settings)};
            without.map.options = &options;
            PML_ASSERT_OK(pml_mapping_create(&without.map, &mapping, &error), &error);
        }
        if (mapping != NULL) {
            check_complete(&without, mapping);
            same_entries(expected->config, mapping->config, hf_cases[i]);
            CU_ASSERT_TRUE(mapping->detection.n_assumed > 0);
        }
        pml_mapping_destroy(mapping);
        pml_mapping_destroy(expected);
        synthetic_source_deinit(&with);
        synthetic_source_deinit(&without);
    }
    if (n_found == 0) {
        pml_test_skip("no PatchTST goldens (set PML_GOLDENS)");
    }
}

static const struct {
    const char *name, *dialect;
} research_cases[] = {
    {"patchtst/off-42like", "official-supervised"},
    {"patchtst/off-decomposition", "official-supervised"},
    {"patchtst/off-subtract-last", "official-supervised"},
    {"patchtst/off-scale-odd", "official-supervised"},
    {"patchtst/off-prenorm", "official-supervised"},
    {"patchtst/off-pad-none", "official-supervised"},
    {"patchtst/off-no-revin", "official-supervised"},
    {"patchtst/off-no-res-attention", "official-supervised"},
    {"patchtst/off-42like-sine", "official-supervised"},
    {"patchtst/off-individual-head", "official-supervised"},
    {"patchtst/off-revin-affine", "official-supervised"},
    {"patchtst/ssl-classification", "official-self-supervised"},
    {"patchtst/ssl-prediction", "official-self-supervised"},
    {"patchtst/ssl-pretrain", "official-self-supervised"},
    {"patchtst/ssl-unshared-embedding", "official-self-supervised"},
    {"patchtst/tsl-classification", "tsl"},
    {"patchtst/tsl-forecast", "tsl"},
    {"ett/patchtst-official-etth1-96", "official-supervised"},
};

static void maps_every_dialect(void) {
    size_t n_found = 0;
    for (size_t i = 0; i < sizeof research_cases / sizeof research_cases[0]; i++) {
        synthetic_source l;
        pml_error error;
        pml_mapping *mapping = NULL;
        if (!load(research_cases[i].name, true, &no_options, &l)) {
            continue;
        }
        n_found++;
        PML_ASSERT_OK(pml_mapping_create(&l.map, &mapping, &error), &error);
        if (mapping != NULL) {
            check_complete(&l, mapping);
            CU_ASSERT_STRING_EQUAL(mapping->detection.dialect, research_cases[i].dialect);
            CU_ASSERT_EQUAL(mapping->detection.score, 1.0);
        }
        pml_mapping_destroy(mapping);
        synthetic_source_deinit(&l);
    }
    if (n_found == 0) {
        pml_test_skip("no PatchTST goldens (set PML_GOLDENS)");
    }
}

/* ---- shapes of heads and bodies, on checkpoints made here ---- */
#define LAYER "model.encoder.layers.0."

static void reads_heads_from_tensors_alone(void) {
    static const char *const common[] = {"num_input_channels=2",  "context_length=15", "patch_stride=5",
                                         "num_attention_heads=2", "pre_norm=true",     "activation=gelu",
                                         "scaling=std",           "output_range=none", "pooling=mean"};
    static const struct {
        const char *weight;
        uint64_t out, in;
        const char *head;
    } cases[] = {
        {"head.projection.weight", 2, 12, "prediction"}, {"head.projection.weight", 2, 4, "prediction"},
        {"head.projection.weight", 3, 8, "regression"},  {"head.linear.weight", 5, 4, "pretraining"},
        {"head.linear.weight", 3, 8, "classification"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        synthetic s;
        synthetic_source source;
        pml_error error;
        pml_mapping *mapping = NULL;
        synthetic_patchtst(&s);
        synthetic_tensor *weight = synthetic_find(&s, "head.projection.weight");
        synthetic_tensor *bias = synthetic_find(&s, "head.projection.bias");
        (void)snprintf(weight->name, sizeof weight->name, "%s", cases[i].weight);
        bool is_linear = strstr(cases[i].weight, "linear") != NULL;
        (void)snprintf(bias->name, sizeof bias->name, "head.%s.bias", is_linear ? "linear" : "projection");
        weight->shape[0] = cases[i].out;
        weight->shape[1] = cases[i].in;
        bias->shape[0] = cases[i].out;
        synthetic_source_init(&source, &s, NULL);
        bool is_flat = cases[i].in == 12; /* then pooling must not be set to mean */
        source.options = (pml_map_options){.settings = common, .n_settings = is_flat ? 8 : 9};
        PML_ASSERT_OK(pml_mapping_create(&source.map, &mapping, &error), &error);
        if (mapping != NULL) {
            const char *head = "";
            PML_ASSERT_OK(pml_metadata_get_string(mapping->config, "config.head", &head, &error), &error);
            CU_ASSERT_STRING_EQUAL(head, cases[i].head);
        }
        pml_mapping_destroy(mapping);
        synthetic_source_deinit(&source);
    }
}

/* The head of that checkpoint under another name and in another shape. */
static void set_head(synthetic *s, const char *name, uint64_t out, uint64_t in) {
    synthetic_tensor *weight = synthetic_find(s, "head.projection.weight");
    synthetic_tensor *bias = synthetic_find(s, "head.projection.bias");
    (void)snprintf(weight->name, sizeof weight->name, "head.%s.weight", name);
    (void)snprintf(bias->name, sizeof bias->name, "head.%s.bias", name);
    weight->shape[0] = bias->shape[0] = out;
    weight->shape[1] = in;
}

static void separate_embedding(synthetic *s) {
    (void)snprintf(synthetic_find(s, "model.encoder.embedder.input_embedding.weight")->name, 64,
                   "model.encoder.embedder.input_embedding.0.weight");
    (void)snprintf(synthetic_find(s, "model.encoder.embedder.input_embedding.bias")->name, 64,
                   "model.encoder.embedder.input_embedding.0.bias");
}

/* Over one channel, or over as many channels as there are patches, shapes do not tell two heads apart. What is asked
 * for then is asked at once, and no head is taken for granted. */
static void asks_for_heads_that_shapes_leave_open(void) {
    synthetic s;
    synthetic_patchtst(&s); /* three patches */
    synthetic_expect(&s, NULL, PML_E_CONFIG,
                     "--set scaling=std|mean|none; if num_input_channels is 3, also --set head=prediction|regression "
                     "--set pooling=none|mean|max --set output_range=X,Y|none");
    set_head(&s, "linear", 5, 4);
    synthetic_expect(&s, NULL, PML_E_CONFIG,
                     "; if num_input_channels is 1, also --set head=pretraining|classification "
                     "--set pooling=none|mean|max");
    synthetic_patchtst(&s);
    separate_embedding(&s); /* says that there is one channel */
    set_head(&s, "projection", 2, 4);
    synthetic_expect(&s, NULL, PML_E_CONFIG, "pass --set head=");
    synthetic_expect(&s, NULL, PML_E_CONFIG, "--set pooling=none|mean|max --set output_range=X,Y|none");
    synthetic_patchtst(&s);
    separate_embedding(&s);
    set_head(&s, "linear", 5, 4);
    synthetic_expect(&s, NULL, PML_E_CONFIG, "pass --set head=");
}

/* Without architectures the numbers of the configuration may decide where shapes do not. */
static void configurations_without_architectures_name_the_head(void) {
#define BODY                                                                                                           \
    "{\"model_type\":\"patchtst\",\"context_length\":15,\"patch_length\":5,\"patch_stride\":5,\"num_hidden_layers\":"  \
    "1,"                                                                                                               \
    "\"d_model\":4,\"num_attention_heads\":2,\"ffn_dim\":8,"
    static const struct {
        const char *name;
        uint64_t out, in;
        const char *config, *head; /* head NULL: it is asked for */
    } cases[] = {{"projection", 7, 4, BODY "\"prediction_length\":7,\"num_targets\":3}", "prediction"},
                 {"projection", 7, 4, BODY "\"prediction_length\":3,\"num_targets\":7}", "regression"},
                 {"projection", 1, 4, BODY "\"prediction_length\":3}", "regression"},
                 {"projection", 24, 4, BODY "\"num_targets\":3}", "prediction"},
                 {"linear", 5, 4, BODY "\"num_targets\":3}", "pretraining"},
                 {"projection", 7, 4, BODY "\"prediction_length\":7,\"num_targets\":7}", NULL},
                 {"projection", 7, 4, BODY "\"prediction_length\":3,\"num_targets\":3}", NULL},
                 {"linear", 5, 4, BODY "\"num_targets\":5}", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        synthetic s;
        synthetic_source source;
        pml_error error;
        pml_mapping *mapping = NULL;
        const char *head = "";
        synthetic_patchtst(&s);
        set_head(&s, cases[i].name, cases[i].out, cases[i].in);
        if (cases[i].head == NULL) {
            synthetic_expect(&s, cases[i].config, PML_E_CONFIG, "config.json does not say, and the tensors");
            continue;
        }
        synthetic_source_init(&source, &s, cases[i].config);
        PML_ASSERT_OK(pml_mapping_create(&source.map, &mapping, &error), &error);
        if (mapping != NULL) {
            PML_ASSERT_OK(pml_metadata_get_string(mapping->config, "config.head", &head, &error), &error);
        }
        CU_ASSERT_STRING_EQUAL(head, cases[i].head);
        pml_mapping_destroy(mapping);
        synthetic_source_deinit(&source);
    }
#undef BODY
}

/* Keys that this head does not use are checked, but make no other model of it. */
static void keys_without_effect_make_no_difference(void) {
    static const char *const more[] = {
        "", ",\"num_targets\":7,\"output_range\":[0,1],\"mask_type\":\"forecast\",\"mask_value\":3,"
            "\"random_mask_ratio\":0.3,\"num_forecast_mask_patches\":[1,2],"
            "\"channel_consistent_masking\":true,\"unmasked_channel_indices\":[1]"};
    synthetic s;
    synthetic_source sources[2];
    pml_mapping *mappings[2] = {NULL, NULL};
    pml_error error;
    synthetic_patchtst(&s);
    for (size_t i = 0; i < 2; i++) {
        char config[1024];
        (void)snprintf(config, sizeof config, SYNTHETIC_CONFIG("%s"), more[i]);
        synthetic_source_init(&sources[i], &s, config);
        PML_ASSERT_OK(pml_mapping_create(&sources[i].map, &mappings[i], &error), &error);
    }
    CU_ASSERT_EQUAL(pml_metadata_count(mappings[0]->config), pml_metadata_count(mappings[1]->config));
    for (size_t i = 0; i < pml_metadata_count(mappings[0]->config); i++) {
        const pml_meta_entry *x = pml_metadata_at(mappings[0]->config, i);
        const pml_meta_entry *y = pml_metadata_find(mappings[1]->config, x->key);
        CU_ASSERT_TRUE(y != NULL && x->type == y->type && x->count == y->count);
        CU_ASSERT_TRUE(y != NULL && (x->type != PML_META_I64 || x->value.i64 == y->value.i64));
        CU_ASSERT_TRUE(y != NULL && (x->type != PML_META_F64 || x->value.f64 == y->value.f64));
    }
    CU_ASSERT_PTR_NULL(pml_metadata_find(mappings[1]->config, "config.mask_type"));
    for (size_t i = 0; i < 2; i++) {
        pml_mapping_destroy(mappings[i]);
        synthetic_source_deinit(&sources[i]);
    }
    synthetic_expect(&s, SYNTHETIC_CONFIG(",\"unmasked_channel_indices\":[2]"), PML_E_CONFIG,
                     "unmasked_channel_indices");
}

/* Three patches and three channels: the columns of a pooled head look like those of a flattened one. */
static void pooled_heads_are_never_flattened(void) {
    static const char *const names[] = {"projection", "linear"};
    static const char *const classes[] = {"PatchTSTForRegression", "PatchTSTForClassification"};
    for (size_t i = 0; i < 2; i++) {
        synthetic s;
        char config[1024];
        synthetic_patchtst(&s);
        (void)snprintf(synthetic_find(&s, "head.projection.weight")->name, 64, "head.%s.weight", names[i]);
        (void)snprintf(synthetic_find(&s, "head.projection.bias")->name, 64, "head.%s.bias", names[i]);
        (void)snprintf(
            config, sizeof config,
            "{\"model_type\":\"patchtst\",\"architectures\":[\"%s\"],\"num_input_channels\":3,"
            "\"context_length\":15,\"patch_length\":5,\"patch_stride\":5,\"num_hidden_layers\":1,\"d_model\":4,"
            "\"num_attention_heads\":2,\"ffn_dim\":8,\"pooling_type\":\"mean\",\"num_targets\":2}",
            classes[i]);
        synthetic_expect(&s, config, PML_OK, NULL);
    }
}

static void stacks_unshared_parts(void) {
    synthetic s;
    synthetic_source source;
    pml_error error;
    pml_mapping *mapping = NULL;
    synthetic_patchtst(&s);
    synthetic_remove(&s, "model.encoder.embedder.input_embedding.weight");
    synthetic_remove(&s, "model.encoder.embedder.input_embedding.bias");
    synthetic_add(&s, "model.encoder.embedder.input_embedding.1.weight", 2, 4, 5);
    synthetic_add(&s, "model.encoder.embedder.input_embedding.0.weight", 2, 4, 5);
    synthetic_add(&s, "model.encoder.embedder.input_embedding.1.bias", 1, 4, 0);
    synthetic_add(&s, "model.encoder.embedder.input_embedding.0.bias", 1, 4, 0);
    synthetic_source_init(&source, &s, SYNTHETIC_CONFIG(",\"share_embedding\":false"));
    PML_ASSERT_OK(pml_mapping_create(&source.map, &mapping, &error), &error);
    if (mapping != NULL) {
        const pml_weight_instance *w = pml_weight_list_find(&mapping->weights, "patch_embedding.weight");
        const pml_mapped_weight *m = &mapping->mapped[w - mapping->weights.items];
        CU_ASSERT_STRING_EQUAL(m->transform, "transpose;stack(2)");
        CU_ASSERT_EQUAL(m->n_parts, 2);
        CU_ASSERT_STRING_EQUAL(m->parts[1].source->name, "model.encoder.embedder.input_embedding.1.weight");
        CU_ASSERT_EQUAL(m->parts[1].i_stack, 1);
    }
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    /* One channel too few, one too many, one twice. */
    synthetic_remove(&s, "model.encoder.embedder.input_embedding.0.weight");
    synthetic_expect(&s, SYNTHETIC_CONFIG(",\"share_embedding\":false"), PML_E_FORMAT, "patch_embedding.weight");
    synthetic_add(&s, "model.encoder.embedder.input_embedding.0.weight", 2, 4, 5);
    synthetic_add(&s, "model.encoder.embedder.input_embedding.2.weight", 2, 4, 5);
    synthetic_expect(&s, SYNTHETIC_CONFIG(",\"share_embedding\":false"), PML_E_CONFIG, "num_input_channels");
    synthetic_remove(&s, "model.encoder.embedder.input_embedding.2.weight");
    synthetic_add(&s, "encoder.embedder.input_embedding.0.weight", 2, 4, 5);
    synthetic_expect(&s, SYNTHETIC_CONFIG(",\"share_embedding\":false"), PML_E_FORMAT, "both give");
}

static void refuses_a_head_per_channel(void) {
    synthetic s;
    synthetic_patchtst(&s);
    synthetic_remove(&s, "head.projection.weight");
    synthetic_remove(&s, "head.projection.bias");
    synthetic_add(&s, "head.projections.0.weight", 2, 2, 12);
    synthetic_add(&s, "head.projections.1.weight", 2, 2, 12);
    synthetic_add(&s, "head.projections.0.bias", 1, 2, 0);
    synthetic_add(&s, "head.projections.1.bias", 1, 2, 0);
    synthetic_expect(&s, SYNTHETIC_CONFIG(",\"share_projection\":false"), PML_E_UNSUPPORTED, "share_projection");
    synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_E_CONFIG, "share_projection");
}

#define DISTRIBUTION_CONFIG SYNTHETIC_CONFIG(",\"loss\":%s,\"distribution_output\":\"%s\"")

static void maps_distributions(void) {
    static const struct {
        const char *name;
        int n;
    } cases[] = {{"student_t", 3}, {"normal", 2}, {"negative_binomial", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        synthetic s;
        synthetic_patchtst(&s);
        synthetic_remove(&s, "head.projection.weight");
        synthetic_remove(&s, "head.projection.bias");
        for (int k = 0; k < cases[i].n; k++) {
            synthetic_add(&s, pml_test_path("head.projection.proj.%d.weight", k), 2, 2, 12);
            synthetic_add(&s, pml_test_path("head.projection.proj.%d.bias", k), 1, 2, 0);
        }
        char text[1024];
        (void)snprintf(text, sizeof text, DISTRIBUTION_CONFIG, "\"nll\"", cases[i].name);
        synthetic_expect(&s, text, PML_OK, NULL);
        (void)snprintf(text, sizeof text, DISTRIBUTION_CONFIG, "null", cases[i].name);
        synthetic_expect(&s, text, PML_OK, NULL);
        (void)snprintf(text, sizeof text, DISTRIBUTION_CONFIG, "\"nll\"", i == 0 ? "normal" : "student_t");
        synthetic_expect(&s, text, PML_E_CONFIG, "head.projection.proj.0.weight");
        (void)snprintf(text, sizeof text, DISTRIBUTION_CONFIG, "\"mse\"", cases[i].name);
        synthetic_expect(&s, text, PML_E_CONFIG, "head.projection.proj.0.weight");
    }
}

static void names_what_is_wrong_with_the_tensors(void) {
    synthetic s;
    synthetic_patchtst(&s);
    synthetic_remove(&s, LAYER "self_attn.k_proj.bias");
    synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_E_FORMAT,
                     "1 missing: encoder.layer.0.attention.k.bias (from model.encoder.layers.0.self_attn.k_proj.bias)");
    synthetic_patchtst(&s);
    synthetic_add(&s, "head.extra.weight", 2, 3, 7);
    synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_E_FORMAT, "1 unexpected: head.extra.weight [3,7]");
    for (int i = 0; i < 5; i++) {
        synthetic_add(&s, pml_test_path("extra.%d", i), 1, 1, 0);
    }
    synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_E_FORMAT, "6 unexpected: head.extra.weight [3,7]");
    synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_E_FORMAT, "and 3 more");
    synthetic_patchtst(&s);
    synthetic_find(&s, LAYER "self_attn.v_proj.weight")->shape[1] = 3;
    synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_E_FORMAT, LAYER "self_attn.v_proj.weight [4,3] gives [3,4]");
    synthetic_patchtst(&s);
    synthetic_find(&s, LAYER "ff.0.bias")->rank = 2;
    synthetic_find(&s, LAYER "ff.0.bias")->shape[1] = 1;
    synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_E_FORMAT, "ff.0.bias [8,1]");
    synthetic_patchtst(&s);
    synthetic_find(&s, LAYER "ff.0.bias")->dtype = "I8";
    synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_E_FORMAT, "ff.0.bias is I8");
}

/* Of two code bases, configuration and tensors do not belong together, whatever keys they share. */
static void arguments_belong_to_their_tensors(void) {
    synthetic s;
    synthetic_patchtst(&s);
    synthetic_expect(&s, "{\"model\":\"PatchTST\",\"seq_len\":15,\"patch_len\":5,\"d_model\":4}", PML_E_CONFIG,
                     "arguments of research code (seq_len), but the tensors are those of dialect hf");
    s.count = 0;
    static const char *const names[] = {"W_P.weight", "W_P.bias", "W_pos"};
    static const char *const layer[] = {"self_attn.W_Q", "self_attn.W_K", "self_attn.W_V", "self_attn.to_out.0",
                                        "ff.0",          "ff.3",          "norm_attn.1",   "norm_ffn.1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)synthetic_add(&s, pml_test_path("model.backbone.%s", names[i]), i == 1 ? 1 : 2, 4, 4);
    }
    for (size_t i = 0; i < sizeof layer / sizeof layer[0]; i++) {
        (void)synthetic_add(&s, pml_test_path("model.backbone.encoder.layers.0.%s.weight", layer[i]), i < 6 ? 2 : 1, 4,
                            4);
        (void)synthetic_add(&s, pml_test_path("model.backbone.encoder.layers.0.%s.bias", layer[i]), 1, 4, 0);
    }
    synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_E_CONFIG,
                     "as Hugging Face writes it, but the tensors are those of dialect official-supervised");
}

static void strips_wrapper_prefixes(void) {
    static const char *const prefixes[] = {"module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.module."};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        synthetic s;
        synthetic_patchtst(&s);
        for (size_t j = 0; j < s.count; j++) {
            char name[160];
            (void)snprintf(name, sizeof name, "%s%.100s", prefixes[i], s.tensors[j].name);
            memcpy(s.tensors[j].name, name, sizeof name);
        }
        synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_OK, NULL);
        synthetic_expect(&s, NULL, PML_E_CONFIG, "--set num_attention_heads=N");
        synthetic_add(&s, "head.projection.bias", 1, 2, 0); /* the same tensor with and without prefix */
        synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_E_FORMAT, "both give head.0.bias");
    }
}

PML_TESTS("mappers/patchtst", PML_TEST(maps_every_golden), PML_TEST(maps_every_golden_without_config),
          PML_TEST(maps_every_dialect), PML_TEST(reads_heads_from_tensors_alone),
          PML_TEST(asks_for_heads_that_shapes_leave_open), PML_TEST(configurations_without_architectures_name_the_head),
          PML_TEST(keys_without_effect_make_no_difference), PML_TEST(pooled_heads_are_never_flattened),
          PML_TEST(stacks_unshared_parts), PML_TEST(refuses_a_head_per_channel), PML_TEST(maps_distributions),
          PML_TEST(names_what_is_wrong_with_the_tensors), PML_TEST(strips_wrapper_prefixes),
          PML_TEST(arguments_belong_to_their_tensors))
