/* iTransformer: the names of each code base (specs/models/itransformer.md), which differ by the head alone. */
#include <string.h>

#include "mappers/research.h"
#include "runtime/base/alloc.h"

#define LINEAR(dialect, from, to, when)                                                                                \
    {dialect, from ".weight", to ".weight", "transpose", when, NULL}, {                                                \
        dialect, from ".bias", to ".bias", "", when, NULL                                                              \
    }
#define NORM(from, to)                                                                                                 \
    {NULL, from ".weight", to ".weight", "", NULL, NULL}, {                                                            \
        NULL, from ".bias", to ".bias", "", NULL, NULL                                                                 \
    }
#define FROM "encoder.attn_layers.{l}."
#define TO "encoder.layer.{l}."
#define UP FROM "conv1.weight"
#define DOWN FROM "conv2.weight"

static const pml_map_rule rules[] = {
    LINEAR(NULL, "enc_embedding.value_embedding", "embedding", NULL),
    LINEAR(NULL, FROM "attention.query_projection", TO "attention.q", NULL),
    LINEAR(NULL, FROM "attention.key_projection", TO "attention.k", NULL),
    LINEAR(NULL, FROM "attention.value_projection", TO "attention.v", NULL),
    LINEAR(NULL, FROM "attention.out_projection", TO "attention.out", NULL),
    NORM(FROM "norm1", TO "norm1"),
    {NULL, UP, TO "ffn.up.weight", "reshape({ffn_dim},{d_model});transpose", NULL, NULL},
    {NULL, FROM "conv1.bias", TO "ffn.up.bias", "", NULL, NULL},
    {NULL, DOWN, TO "ffn.down.weight", "reshape({d_model},{ffn_dim});transpose", NULL, NULL},
    {NULL, FROM "conv2.bias", TO "ffn.down.bias", "", NULL, NULL},
    NORM(FROM "norm2", TO "norm2"),
    NORM("encoder.norm", "encoder.norm"),
    LINEAR(PML_OFFICIAL, "projector", "head", NULL),
    LINEAR(PML_TSL, "projection", "head", "!is_classifier"),
    LINEAR(PML_TSL, "projection", "classifier", "is_classifier"),
    LINEAR(PML_NEURALFORECAST, "projector", "head", NULL),
    PML_NEURALFORECAST_DROPPED,
    {NULL, NULL, NULL, NULL, NULL, NULL}};

static const char *const witnesses_all[] = {"embedding.weight",
                                            "embedding.bias",
                                            "encoder.layer.0.attention.q.weight",
                                            "encoder.layer.0.attention.k.weight",
                                            "encoder.layer.0.attention.v.weight",
                                            "encoder.layer.0.attention.out.weight",
                                            "encoder.layer.0.norm1.weight",
                                            "encoder.layer.0.ffn.up.weight",
                                            "encoder.layer.0.ffn.down.weight",
                                            "encoder.layer.0.norm2.weight",
                                            "encoder.norm.weight",
                                            "head.weight",
                                            NULL};
static const char *const *const witnesses[] = {witnesses_all, NULL};

/* ---- configuration ---- */
static const char *const other_keys[] = {"data", NULL};

static const char *data_of(const pml_config_reader *r) {
    const char *data = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(r->source->config, "data"));
    for (size_t i = 0; i < r->source->options->n_settings; i++) {
        const char *text = r->source->options->settings[i];
        data = strncmp(text, "data=", 5) == 0 ? text + 5 : data;
    }
    return data != NULL ? data : "";
}

/* The official runs tell the network no dates of two of their data sets, whatever `embed` says. */
static pml_status derive_marks(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error) {
    const pml_config_rule own = {.key = rule->key};
    const pml_config_rule embed = {.key = rule->key, .source = rule->source, .words = rule->words};
    pml_status status = pml_config_get(r, &own, PML_CONFIG_CHOICE, text, error);
    if (status == PML_OK && *text == NULL &&
        (strstr(data_of(r), "PEMS") != NULL || strstr(data_of(r), "Solar") != NULL)) {
        status = pml_string_copy("none", 4, text, error);
    } else if (status == PML_OK && *text == NULL) {
        status = pml_config_get(r, &embed, PML_CONFIG_CHOICE, text, error);
    }
    return status;
}

/* A flag, written in many ways. */
static pml_status derive_scaling(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error) {
    return pml_research_derive_flag(r, rule, "std", "none", text, error);
}

#define MARKS(...)                                                                                                     \
    {.key = "time_embedding",                                                                                          \
     .source = "embed",                                                                                                \
     .words = "timeF=timeF|fixed=fixed|learned=learned",                                                               \
     .must_ask = true,                                                                                                 \
     .from_tensors = true,                                                                                             \
     __VA_ARGS__},                                                                                                     \
    {                                                                                                                  \
        .key = "frequency", .source = "freq", .words = PML_FREQUENCY_WORDS, .fallback = "h",                           \
        .when = "time_embedding != 'none'", .must_ask = true, .from_tensors = true                                     \
    }
#define ACTIVATION                                                                                                     \
    { .key = "activation", .source = "activation", .words = "gelu=gelu|relu=relu", .fallback = "gelu", .is_open = true }
#define SIZES                                                                                                          \
    PML_ASKED("context_length", "seq_len"), PML_ASKED("num_hidden_layers", "e_layers"),                                \
        PML_ASKED("d_model", "d_model"), PML_ASKED("num_attention_heads", "n_heads"), PML_ASKED("ffn_dim", "d_ff")

static const pml_config_rule official[] = {
    PML_FIXED("head", "prediction"),
    SIZES,
    PML_ASKED("prediction_length", "pred_len"),
    ACTIVATION,
    {.key = "scaling", .source = "use_norm", .must_ask = true, .from_tensors = true, .derive = derive_scaling},
    MARKS(.derive = derive_marks, .derived_from = "embed and data"),
    PML_TRAINING("dropout", "dropout"),
    {.key = NULL}};

static const pml_config_rule library[] = {
    {.key = "head", .source = "task_name", .words = PML_TASK_WORDS, .must_ask = true, .from_tensors = true},
    SIZES,
    {.key = "prediction_length",
     .source = "pred_len",
     .when = "head == 'prediction'",
     .must_ask = true,
     .from_tensors = true},
    ACTIVATION,
    PML_FIXED("scaling", "std"), /* whatever use_norm says */
    MARKS(.when = "!is_classifier", .fallback = "none"),
    {.key = "num_input_channels", .source = "enc_in", .when = "is_classifier", .must_ask = true, .from_tensors = true},
    {.key = "num_targets", .source = "num_class", .when = "is_classifier", .must_ask = true, .from_tensors = true},
    PML_TRAINING("dropout", "dropout"),
    {.key = NULL}};

#define DEFAULT(name, argument, value)                                                                                 \
    { .key = (name), .source = (argument), .fallback = (value), .from_tensors = true }
static const pml_config_rule forecasting[] = {
    PML_FIXED("head", "prediction"),
    PML_ASKED("context_length", "input_size"),
    PML_ASKED("prediction_length", "h"),
    DEFAULT("num_hidden_layers", "e_layers", "2"),
    DEFAULT("d_model", "hidden_size", "512"),
    DEFAULT("num_attention_heads", "n_heads", "8"),
    DEFAULT("ffn_dim", "d_ff", "2048"),
    PML_FIXED("activation", "gelu"),
    {.key = "scaling", .source = "use_norm", .fallback = "std", .derive = derive_scaling},
    PML_FIXED("time_embedding", "none"),
    PML_FIXED("frequency", "h"),
    PML_TRAINING("dropout", "dropout"),
    PML_NEURALFORECAST_SCALER("identity"),
    {.key = NULL}};

/* ---- dialects ---- */
static const pml_map_foreign tensors[] = {{.pattern = UP, .shape = "ffn_dim, d_model, 1"},
                                          {.pattern = DOWN, .shape = "d_model, ffn_dim, 1"},
                                          {.pattern = NULL}};
#define USE_NORM(yes, no)                                                                                              \
    {"use_norm", yes, "scaling == 'std'"}, {                                                                           \
        "use_norm", no, "scaling == 'none'"                                                                            \
    }
/* Time marks are left out of a run by the name of its data. */
#define EMBED                                                                                                          \
    {"embed", "\"timeF\"", "time_embedding == 'timeF' || time_embedding == 'none'"},                                   \
        {"embed", "\"fixed\"", "time_embedding == 'fixed'"}, {                                                         \
        "embed", "\"learned\"", "time_embedding == 'learned'"                                                          \
    }
static const pml_map_written official_lines[] = {{"model", "\"iTransformer\"", NULL},
                                                 USE_NORM("1", "0"),
                                                 EMBED,
                                                 {"data", "\"PEMS\"", "time_embedding == 'none'"},
                                                 {NULL, NULL, NULL}};
static const pml_map_written library_lines[] = {{"model", "\"iTransformer\"", NULL}, {NULL, NULL, NULL}};
static const pml_map_written forecasting_lines[] = {USE_NORM("true", "false"), {NULL, NULL, NULL}};

static const pml_map_dialect dialects[] = {
    {.name = PML_OFFICIAL,
     .keys = official,
     .written = official_lines,
     .tensors = tensors,
     .config_file = "config.json"},
    {.name = PML_TSL, .keys = library, .written = library_lines, .tensors = tensors, .config_file = "config.json"},
    {.name = PML_NEURALFORECAST,
     .keys = forecasting,
     .written = forecasting_lines,
     .tensors = tensors,
     .config_file = "config.json"},
    {.name = NULL}};

static void examine(const pml_facts *facts, const char *dialect, pml_evidence *said) {
    const pml_fact *embedding = pml_facts_find(facts, "embedding.weight");
    const pml_fact *up = pml_facts_find(facts, "encoder.layer.0.ffn.up.weight");
    const pml_fact *head = pml_facts_find(facts, "head.weight");
    pml_evidence_add_axis(said, facts, "d_model", "embedding.weight", 0);
    pml_evidence_add_axis(said, facts, "context_length", "embedding.weight", 1);
    pml_evidence_add_layers(said, facts, "encoder.layer");
    if (up != NULL && up->source->rank == 3) {
        pml_evidence_add_number(said, "ffn_dim", up, up->source->shape[0]);
    }
    if (head == NULL || head->source->rank != 2 || embedding == NULL || embedding->source->rank != 2) {
        return;
    }
    const uint64_t d_model = embedding->source->shape[0], n_out = head->source->shape[0];
    pml_evidence_add_number(said, "prediction_length", head, n_out);
    pml_evidence_add_number(said, "num_targets", head, n_out);
    if (strcmp(dialect, PML_TSL) == 0 && d_model > 0 && head->source->shape[1] != d_model) {
        (void)pml_evidence_add(said, "head", head, "classification");
        pml_evidence_add_number(said, "num_input_channels", head, head->source->shape[1] / d_model);
    } else if (strcmp(dialect, PML_TSL) == 0 && n_out != embedding->source->shape[1]) {
        pml_evidence_add(said, "head", head, "prediction")->is_soft = true; /* or it classifies one channel */
    }
}

static pml_status describe(const pml_config_reader *r, pml_detection *d, pml_error *error) {
    return pml_detection_set(&d->variant, error, "%s: scaling %s, time marks %s", pml_research_choice(r, "head"),
                             pml_research_choice(r, "scaling"), pml_research_choice(r, "time_embedding"));
}

static const char *const models[] = {"iTransformer", NULL};
static const pml_research family = {.models = models,
                                    .class_names = models,
                                    .witnesses = witnesses,
                                    .other_keys = other_keys,
                                    .examine = examine,
                                    .describe = describe};

static pml_status detect(const pml_map_source *source, pml_detection *d, pml_error *error) {
    return pml_research_detect(&family, source, d, error);
}

static pml_status read_config(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                              pml_error *error) {
    return pml_research_config(&family, source, detection, config, error);
}

extern const pml_mapper pml_mapper_itransformer;
const pml_mapper pml_mapper_itransformer = {
    .name = "itransformer",
    .detect = detect,
    .config = read_config,
    .rules = rules,
    .model_types = models,
    .config_attribute = PML_NEURALFORECAST_CONFIG,
    .class_attribute = PML_NEURALFORECAST_CLASS,
    .class_names = models,
    .dialects = dialects,
};
