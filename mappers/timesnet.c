/* TimesNet: the names of Time-Series-Library, which neuralforecast kept (specs/models/timesnet.md). */
#include <string.h>

#include "mappers/seasonal_rules.h"

/* One convolution [out,in,taps,taps]: a matrix for each row of taps, whose rows are tap*in + i. */
#define NAME(part, k) "model.{l}.conv." part ".kernels." #k
#define KERNEL(part, to, k, taps, in, out)                                                                             \
    {NULL,                                                                                                             \
     NAME(part, k) ".weight",                                                                                          \
     "layer.{l}." to "." #k ".weight",                                                                                 \
     "permute(2,3,1,0);reshape(" taps ",{" taps "*" in "},{" out "})",                                                 \
     NULL,                                                                                                             \
     NULL},                                                                                                            \
    {                                                                                                                  \
        NULL, NAME(part, k) ".bias", "layer.{l}." to "." #k ".bias", "", NULL, NULL                                    \
    }
#define KERNELS(part, to, in, out)                                                                                     \
    KERNEL(part, to, 0, "1", in, out), KERNEL(part, to, 1, "3", in, out), KERNEL(part, to, 2, "5", in, out),           \
        KERNEL(part, to, 3, "7", in, out), KERNEL(part, to, 4, "9", in, out), KERNEL(part, to, 5, "11", in, out),      \
        KERNEL(part, to, 6, "13", in, out), KERNEL(part, to, 7, "15", in, out)
#define LINEAR(from, to, when)                                                                                         \
    {NULL, from ".weight", to ".weight", "transpose", when, NULL}, {                                                   \
        NULL, from ".bias", to ".bias", "", when, NULL                                                                 \
    }
#define POSITIONS PML_SEASONAL_TABLE("enc_embedding")
#define IS_CLASSIFIER "head == 'classification'"

static const pml_map_rule rules[] = {
    PML_SEASONAL_EMBEDDING("enc_embedding", "encoder.embedding"),
    {NULL, POSITIONS, "encoder.embedding.position", "reshape(-1,{d_model});narrow(0,0,{context_length})", NULL, NULL},
    LINEAR("predict_linear", "extend", NULL),
    KERNELS("0", "up", "d_model", "ffn_dim"),
    KERNELS("2", "down", "ffn_dim", "d_model"),
    PML_SEASONAL_NORM("layer_norm", "norm"),
    LINEAR("projection", "head", "head != 'classification'"),
    LINEAR("projection", "classifier", IS_CLASSIFIER),
    PML_NEURALFORECAST_DROPPED,
    {NULL, NULL, NULL, NULL, NULL, NULL}};

static const char *const witnesses_all[] = {"encoder.embedding.value.weight",
                                            "layer.0.up.0.weight",
                                            "layer.0.down.0.weight",
                                            "norm.weight",
                                            "head.weight",
                                            NULL};
static const char *const *const witnesses[] = {witnesses_all, NULL};

/* ---- configuration ---- */
static const pml_config_rule library[] = {
    {.key = "head",
     .source = "task_name",
     .words = "long_term_forecast=prediction|short_term_forecast=prediction|imputation=imputation|anomaly_detection="
              "reconstruction|classification=classification",
     .must_ask = true,
     .from_tensors = true},
    PML_ASKED("num_input_channels", "enc_in"),
    PML_ASKED("context_length", "seq_len"),
    {.key = "prediction_length",
     .source = "pred_len",
     .when = "head == 'prediction'",
     .must_ask = true,
     .from_tensors = true},
    PML_ASKED("num_hidden_layers", "e_layers"),
    PML_ASKED("d_model", "d_model"),
    PML_ASKED("ffn_dim", "d_ff"),
    PML_ASKED("num_kernels", "num_kernels"),
    PML_ASKED("num_periods", "top_k"),
    PML_FIXED("scaling", "std"),
    {.key = "time_embedding",
     .source = "embed",
     .words = "timeF=timeF|fixed=fixed|learned=learned",
     .must_ask = true,
     .from_tensors = true},
    {.key = "frequency", .source = "freq", .words = PML_FREQUENCY_WORDS, .must_ask = true, .from_tensors = true},
    {.key = "num_targets", .source = "num_class", .when = IS_CLASSIFIER, .must_ask = true, .from_tensors = true},
    PML_TRAINING("dropout", "dropout"),
    {.key = NULL}};

#define DEFAULT(name, argument, value)                                                                                 \
    { .key = (name), .source = (argument), .fallback = (value), .from_tensors = true }
static const pml_config_rule forecasting[] = {PML_FIXED("head", "prediction"),
                                              PML_FIXED("num_input_channels", "1"),
                                              PML_ASKED("context_length", "input_size"),
                                              PML_ASKED("prediction_length", "h"),
                                              DEFAULT("num_hidden_layers", "encoder_layers", "2"),
                                              DEFAULT("d_model", "hidden_size", "64"),
                                              DEFAULT("ffn_dim", "conv_hidden_size", "64"),
                                              DEFAULT("num_kernels", "num_kernels", "6"),
                                              {.key = "num_periods", .source = "top_k", .fallback = "5"},
                                              PML_FIXED("scaling", "none"),
                                              PML_FIXED("time_embedding", "none"),
                                              PML_FIXED("frequency", "h"),
                                              PML_NEURALFORECAST_SCALER("standard"),
                                              PML_TRAINING("dropout", "dropout"),
                                              {.key = NULL}};

/* ---- dialects ---- */
#define SHAPE(part, k, taps, in, out) PML_SEASONAL_SHAPE(NAME(part, k) ".weight", out "," in "," taps "," taps)
#define SHAPES(part, in, out)                                                                                          \
    SHAPE(part, 0, "1", in, out), SHAPE(part, 1, "3", in, out), SHAPE(part, 2, "5", in, out),                          \
        SHAPE(part, 3, "7", in, out), SHAPE(part, 4, "9", in, out), SHAPE(part, 5, "11", in, out),                     \
        SHAPE(part, 6, "13", in, out), SHAPE(part, 7, "15", in, out)
static const pml_map_foreign tensors[] = {
    PML_SEASONAL_SHAPE(PML_SEASONAL_TOKENS("enc_embedding"), "d_model, num_input_channels, 3"),
    {.pattern = POSITIONS, .shape = "1, 5000, d_model", .fill = PML_FILL_SINCOS},
    SHAPES("0", "d_model", "ffn_dim"),
    SHAPES("2", "ffn_dim", "d_model"),
    {.pattern = NULL}};

static const pml_map_written library_lines[] = {{"model", "\"TimesNet\"", NULL},
                                                {"task_name", "\"long_term_forecast\"", "head == 'prediction'"},
                                                {"task_name", "\"imputation\"", "head == 'imputation'"},
                                                {"task_name", "\"anomaly_detection\"", "head == 'reconstruction'"},
                                                {"task_name", "\"classification\"", IS_CLASSIFIER},
                                                {"label_len", "0", NULL},
                                                {"c_out", "{num_input_channels}", NULL},
                                                {NULL, NULL, NULL}};
static const pml_map_written forecasting_lines[] = {{NULL, NULL, NULL}};

static const pml_map_dialect dialects[] = {
    {.name = PML_TSL, .keys = library, .written = library_lines, .tensors = tensors, .config_file = "config.json"},
    {.name = PML_NEURALFORECAST,
     .keys = forecasting,
     .written = forecasting_lines,
     .tensors = tensors,
     .config_file = "config.json"},
    {.name = NULL}};

/* ---- what tensors say ---- */
static void examine(const pml_facts *facts, const char *dialect, pml_evidence *said) {
    const pml_fact *tokens = pml_facts_find(facts, "encoder.embedding.value.weight");
    const pml_fact *up = pml_facts_find(facts, "layer.0.up.0.weight");
    const pml_fact *extend = pml_facts_find(facts, "extend.weight");
    const pml_fact *head = pml_facts_find(facts, "head.weight");
    pml_seasonal_examine(facts, said);
    if (up != NULL && up->source->rank == 4) {
        size_t n_kernels = 1;
        char name[] = "layer.0.up.1.weight";
        for (; n_kernels < 8 && pml_facts_find(facts, name) != NULL; name[sizeof "layer.0.up." - 1]++) {
            n_kernels++;
        }
        pml_evidence_add_number(said, "ffn_dim", up, up->source->shape[0]);
        pml_evidence_add_number(said, "num_hidden_layers", up, pml_facts_count(facts, "layer.{l}.up.0.weight", 'l'));
        pml_evidence_add_number(said, "num_kernels", up, n_kernels);
    }
    if (extend != NULL && extend->source->rank == 2 && extend->source->shape[0] > extend->source->shape[1]) {
        pml_evidence_add_number(said, "context_length", extend, extend->source->shape[1]);
        pml_evidence_add_number(said, "prediction_length", extend, extend->source->shape[0] - extend->source->shape[1]);
        if (strcmp(dialect, PML_TSL) == 0) {
            (void)pml_evidence_add(said, "head", extend, "prediction");
        }
    } else if (extend == NULL && tokens != NULL && tokens->source->rank == 3 && head != NULL &&
               head->source->rank == 2 && strcmp(dialect, PML_TSL) == 0) {
        const uint64_t d_model = tokens->source->shape[0], n_in = head->source->shape[1];
        if (d_model > 0 && n_in > d_model) {
            (void)pml_evidence_add(said, "head", head, "classification");
            pml_evidence_add_number(said, "num_targets", head, head->source->shape[0]);
            pml_evidence_add_number(said, "context_length", head, n_in / d_model);
        }
    }
}

static pml_status describe(const pml_config_reader *r, pml_detection *d, pml_error *error) {
    return pml_detection_set(&d->variant, error, "%s: scaling %s, time marks %s", pml_research_choice(r, "head"),
                             pml_research_choice(r, "scaling"), pml_research_choice(r, "time_embedding"));
}

static const char *const models[] = {"TimesNet", NULL};
static const pml_research family = {
    .models = models, .class_names = models, .witnesses = witnesses, .examine = examine, .describe = describe};

static pml_status detect(const pml_map_source *source, pml_detection *d, pml_error *error) {
    return pml_research_detect(&family, source, d, error);
}

static pml_status read_config(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                              pml_error *error) {
    return pml_research_config(&family, source, detection, config, error);
}

extern const pml_mapper pml_mapper_timesnet;
const pml_mapper pml_mapper_timesnet = {
    .name = "timesnet",
    .detect = detect,
    .config = read_config,
    .rules = rules,
    .model_types = models,
    .config_attribute = PML_NEURALFORECAST_CONFIG,
    .class_attribute = PML_NEURALFORECAST_CLASS,
    .class_names = models,
    .dialects = dialects,
};
