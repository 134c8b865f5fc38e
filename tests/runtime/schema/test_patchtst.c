#include <stdio.h>
#include <string.h>

#include "runtime/schema/schema.h"
#include "tests/harness.h"

typedef struct setup {
    const char *head, *pooling, *distribution, *norm;
    bool use_cls_token, channel_attention, share_embedding, share_projection, ffn_bias;
} setup;

static const setup plain = {"prediction", "none", "none", "batchnorm", false, false, true, true, true};

/* The granite checkpoint's sizes: T 512, C 7, P = stride = 12 (N 42), D 128, H 16, L 3, F 512, S 96. */
static pml_metadata *configure(const setup *s) {
    static const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"num_input_channels", 7},   {"context_length", 512},  {"patch_length", 12},
                   {"patch_stride", 12},        {"num_hidden_layers", 3}, {"d_model", 128},
                   {"num_attention_heads", 16}, {"ffn_dim", 512},         {"prediction_length", 96},
                   {"num_targets", 5}};
    pml_metadata *m = NULL;
    char key[64];
    CU_ASSERT_EQUAL(pml_metadata_create(&m, NULL), PML_OK);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)snprintf(key, sizeof key, "config.%s", numbers[i].key);
        CU_ASSERT_EQUAL(pml_metadata_set_i64(m, key, numbers[i].value, NULL), PML_OK);
    }
    const char *const texts[][2] = {{"head", s->head},      {"pooling", s->pooling}, {"distribution", s->distribution},
                                    {"norm_type", s->norm}, {"activation", "gelu"},  {"positional_encoding", "sincos"},
                                    {"scaling", "std"}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        (void)snprintf(key, sizeof key, "config.%s", texts[i][0]);
        CU_ASSERT_EQUAL(pml_metadata_set_string(m, key, texts[i][1], NULL), PML_OK);
    }
    const struct {
        const char *key;
        bool value;
    } flags[] = {{"use_cls_token", s->use_cls_token},
                 {"channel_attention", s->channel_attention},
                 {"share_embedding", s->share_embedding},
                 {"share_projection", s->share_projection},
                 {"ffn_bias", s->ffn_bias},
                 {"pre_norm", true},
                 {"do_mask_input", strcmp(s->head, "pretraining") == 0}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        (void)snprintf(key, sizeof key, "config.%s", flags[i].key);
        CU_ASSERT_EQUAL(pml_metadata_set_bool(m, key, flags[i].value, NULL), PML_OK);
    }
    CU_ASSERT_EQUAL(pml_metadata_set_f64(m, "config.norm_eps", 1e-5, NULL), PML_OK);
    CU_ASSERT_EQUAL(pml_metadata_set_f64(m, "config.mask_value", 0, NULL), PML_OK);
    return m;
}

static const pml_schema *schema(void) {
    return pml_schema_find("patchtst");
}

/* Elements of all weights, and the shape of one of them as text. */
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
        size_t used = j == 0 ? 0 : strlen(text);
        (void)snprintf(text + used, sizeof text - used, "%s%llu", j > 0 ? "," : "", (unsigned long long)w->shape[j]);
    }
    CU_ASSERT_STRING_EQUAL(text, expected_shape);
    pml_weight_list_deinit(&list);
    pml_metadata_destroy(m);
    return total;
}

/* The published checkpoint has 614,496 parameters; we also store mean and variance of 6 norms. */
static void counts_granite_parameters(void) {
    setup s = plain;
    s.use_cls_token = true;
    uint64_t n = count_elements(&s, "head.0.weight", "128,96");
    CU_ASSERT_EQUAL(n, 614496 + 6 * 2 * 128);
}

static void follows_the_configuration(void) {
    setup s = plain;
    (void)count_elements(&s, "head.0.weight", "5376,96");
    (void)count_elements(&s, "position", "42,128");
    (void)count_elements(&s, "cls_token", "absent");
    (void)count_elements(&s, "encoder.layer.2.norm2.weight", "absent");
    (void)count_elements(&s, "encoder.layer.3.norm1.weight", "absent");
    s.pooling = "max";
    (void)count_elements(&s, "head.0.weight", "128,96");
    s.distribution = "student_t";
    (void)count_elements(&s, "head.2.bias", "96");
    (void)count_elements(&s, "head.3.bias", "absent");
    s.distribution = "normal";
    (void)count_elements(&s, "head.1.weight", "128,96");
    (void)count_elements(&s, "head.2.weight", "absent");
    s = plain;
    s.share_embedding = false;
    s.share_projection = false;
    (void)count_elements(&s, "patch_embedding.weight", "7,12,128");
    (void)count_elements(&s, "patch_embedding.bias", "7,128");
    (void)count_elements(&s, "head.0.weight", "7,5376,96");
    (void)count_elements(&s, "head.0.bias", "7,96");
    s = plain;
    s.use_cls_token = s.channel_attention = true;
    (void)count_elements(&s, "position", "43,128");
    (void)count_elements(&s, "cls_token", "128");
    (void)count_elements(&s, "encoder.layer.2.norm2.var", "128");
    s.norm = "layernorm";
    s.ffn_bias = false;
    (void)count_elements(&s, "encoder.layer.2.norm2.var", "absent");
    (void)count_elements(&s, "encoder.layer.0.ffn.up.weight", "128,512");
    (void)count_elements(&s, "encoder.layer.0.ffn.up.bias", "absent");
    s = plain;
    s.head = "none";
    (void)count_elements(&s, "head.0.weight", "absent");
    s.head = "pretraining";
    (void)count_elements(&s, "head.0.weight", "128,12");
    s.head = "classification";
    s.pooling = "mean";
    (void)count_elements(&s, "head.0.weight", "896,5");
    s.head = "regression";
    (void)count_elements(&s, "head.0.bias", "5");
    s.share_projection = false; /* only a prediction head is ever per channel */
    (void)count_elements(&s, "head.0.bias", "5");
}

static void refuses(const setup *s, const char *key, int64_t value, const char *part) {
    pml_metadata *m = configure(s);
    pml_error error;
    if (key != NULL) {
        CU_ASSERT_EQUAL(pml_metadata_set_i64(m, key, value, NULL), PML_OK);
    }
    PML_ASSERT_FAILS(pml_schema_check_config(schema(), m, &error), PML_E_CONFIG, &error, part);
    pml_metadata_destroy(m);
}

static void enforces_constraints(void) {
    setup s = plain;
    refuses(&s, "config.context_length", 12, "context_length must be greater than patch_length");
    refuses(&s, "config.num_attention_heads", 5, "d_model must be a multiple");
    refuses(&s, "config.patch_stride", 0, "patch_stride");
    s.head = "classification";
    refuses(&s, NULL, 0, "pooling");
    s = plain;
    s.head = "classification";
    s.pooling = "mean";
    s.distribution = "normal";
    refuses(&s, NULL, 0, "distribution must be none");
    s = plain;
    s.head = "pretraining";
    pml_metadata *m = configure(&s);
    pml_error error;
    CU_ASSERT_EQUAL(pml_metadata_set_bool(m, "config.do_mask_input", false, NULL), PML_OK);
    PML_ASSERT_FAILS(pml_schema_check_config(schema(), m, &error), PML_E_CONFIG, &error, "do_mask_input");
    pml_metadata_destroy(m);
}

/* Names of the ports that exist, in order. */
static void check_ports(const setup *s, const pml_port_spec *ports, const char *expected) {
    pml_metadata *m = configure(s);
    char names[512] = "";
    for (; ports->name != NULL; ports++) {
        int64_t exists = 1;
        uint64_t shape[PML_MAX_RANK];
        unsigned rank;
        pml_error error;
        if (ports->when != NULL) {
            PML_ASSERT_OK(pml_schema_eval(schema(), m, ports->when, -1, &exists, &error), &error);
        }
        if (exists != 0) {
            size_t used = strlen(names);
            (void)snprintf(names + used, sizeof names - used, "%s%s", used > 0 ? " " : "", ports->name);
            PML_ASSERT_OK(pml_schema_dims(schema(), m, ports->dims, -1, 2, shape, &rank, &error), &error);
            CU_ASSERT_EQUAL(shape[0], 2);
        }
    }
    CU_ASSERT_STRING_EQUAL(names, expected);
    pml_metadata_destroy(m);
}

static void names_its_ports(void) {
    setup s = plain;
    check_ports(&s, schema()->inputs, "past_values past_observed_mask");
    check_ports(&s, schema()->outputs, "prediction_outputs loc scale");
    s.distribution = "student_t";
    check_ports(&s, schema()->outputs, "df dist_loc dist_scale forecast loc scale");
    s.distribution = "normal";
    check_ports(&s, schema()->outputs, "dist_loc dist_scale forecast loc scale");
    s.head = "regression";
    s.pooling = "mean";
    check_ports(&s, schema()->outputs, "dist_loc dist_scale");
    s.distribution = "none";
    check_ports(&s, schema()->outputs, "regression_outputs");
    s.head = "classification";
    check_ports(&s, schema()->outputs, "prediction_logits");
    s.head = "pretraining";
    check_ports(&s, schema()->inputs, "past_values past_observed_mask mask");
    check_ports(&s, schema()->outputs, "patch_input prediction_output mask");
    s.head = "none";
    check_ports(&s, schema()->outputs, "last_hidden_state patch_input loc scale");
}

/* Names of one code base's inputs are taken for another's, as in the other forecasting families. */
static void names_of_windows_stand_for_each_other(void) {
    unsigned n_names = 0;
    for (const pml_port_alias *a = schema()->aliases; a->alias != NULL; a++) {
        n_names +=
            strcmp(a->port, "past_values") == 0 && (strcmp(a->alias, "x") == 0 || strcmp(a->alias, "x_enc") == 0);
    }
    CU_ASSERT_EQUAL(n_names, 2);
}

/* Every key, port and weight is in the document that freezes them. */
static void is_documented(void) {
    size_t size_bytes;
    const char *path = pml_test_path("%s/specs/models/patchtst.md", pml_test_source_dir());
    unsigned char *bytes = pml_test_read_file(path, &size_bytes);
    char *text = calloc(1, size_bytes + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memcpy(text, bytes, size_bytes);
    free(bytes);
    for (const pml_config_key *key = schema()->config; key->name != NULL; key++) {
        CU_ASSERT_PTR_NOT_NULL(strstr(text, pml_test_path("`%s`", key->name)));
        for (const char *at = key->choices; at != NULL;) {
            size_t length = strcspn(at, "|");
            CU_ASSERT_PTR_NOT_NULL(strstr(text, pml_test_path("%.*s", (int)length, at)));
            at = at[length] == '|' ? at + length + 1 : NULL;
        }
    }
    const pml_port_spec *const lists[] = {schema()->inputs, schema()->outputs};
    for (size_t i = 0; i < 2; i++) {
        for (const pml_port_spec *port = lists[i]; port->name != NULL; port++) {
            CU_ASSERT_PTR_NOT_NULL(strstr(text, pml_test_path("`%s`", port->name)));
        }
    }
    static const char *const stems[] = {"patch_embedding.weight",
                                        "patch_embedding.bias",
                                        "position",
                                        "cls_token",
                                        "encoder.layer.{l}.",
                                        "encoder.norm.",
                                        "scaling.",
                                        "head.{l}.",
                                        "trend."};
    for (const pml_weight_spec *spec = schema()->weights; spec->name != NULL; spec++) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof stems / sizeof stems[0]; i++) {
            is_known = is_known || strncmp(spec->name, stems[i], strlen(stems[i])) == 0;
        }
        CU_ASSERT_TRUE(is_known);
    }
    for (size_t i = 0; i < sizeof stems / sizeof stems[0]; i++) {
        CU_ASSERT_PTR_NOT_NULL(strstr(text, pml_test_path("`%s", stems[i])));
    }
    free(text);
}

PML_TESTS("runtime/schema/patchtst", PML_TEST(is_documented), PML_TEST(counts_granite_parameters),
          PML_TEST(follows_the_configuration), PML_TEST(enforces_constraints), PML_TEST(names_its_ports),
          PML_TEST(names_of_windows_stand_for_each_other))
