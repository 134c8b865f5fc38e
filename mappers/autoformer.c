/* Autoformer: the names of each code base (specs/models/autoformer.md). All of them kept the official ones; arguments
 * differ, and neuralforecast's networks see one channel and no time marks. */
#include "mappers/seasonal_rules.h"

static const pml_map_rule rules[] = {PML_SEASONAL_RULES,
                                     PML_SEASONAL_TABLE_DROPPED(NULL, "enc_embedding"),
                                     PML_SEASONAL_TABLE_DROPPED(NULL, "dec_embedding"),
                                     PML_NEURALFORECAST_DROPPED,
                                     {NULL, NULL, NULL, NULL, NULL, NULL}};

static const char *const witnesses_all[] = {PML_SEASONAL_WITNESSES, NULL};
static const char *const *const witnesses[] = {witnesses_all, NULL};

/* ---- configuration ---- */
#define ARGUMENTS                                                                                                      \
    PML_SEASONAL_ARGUMENTS, PML_ASKED("decomposition_kernel", "moving_avg"), PML_ASKED("correlation_factor", "factor")
static const pml_config_rule official[] = {ARGUMENTS, {.key = NULL}};

/* The official code tells its inverse transform the number of steps. Where that is even, it does not matter. */
#define ROUNDED                                                                                                        \
    {                                                                                                                  \
        .key = "rounds_correlations", .fallback = "true", .is_fixed = true,                                            \
        .when = "context_length % 2 == 1 || (label_length + prediction_length) % 2 == 1"                               \
    }
static const pml_config_rule library[] = {ARGUMENTS, ROUNDED, {.key = NULL}};

static const pml_config_rule forecasting[] = {
    PML_SEASONAL_FORECASTING,
    {.key = "num_attention_heads", .source = "n_head", .fallback = "4"},
    {.key = "decomposition_kernel", .source = "MovingAvg_window", .fallback = "25"},
    PML_NEURALFORECAST_SCALER("identity"),
    {.key = "correlation_factor", .source = "factor", .fallback = "3"},
    ROUNDED,
    {.key = NULL}};

/* ---- dialects ---- */
static const pml_map_foreign research_tensors[] = {PML_SEASONAL_SHAPES,
                                                   PML_SEASONAL_POSITIONS("enc_embedding", "encoder.embedding"),
                                                   PML_SEASONAL_POSITIONS("dec_embedding", "decoder.embedding"),
                                                   {.pattern = NULL}};
static const pml_map_foreign forecasting_tensors[] = {PML_SEASONAL_SHAPES, {.pattern = NULL}};

static const pml_map_written research_lines[] = {
    {"model", "\"Autoformer\"", NULL}, PML_SEASONAL_CHANNEL_LINES, {NULL, NULL, NULL}};
static const pml_map_written library_lines[] = {{"model", "\"Autoformer\"", NULL},
                                                {"task_name", "\"long_term_forecast\"", NULL},
                                                PML_SEASONAL_CHANNEL_LINES,
                                                {NULL, NULL, NULL}};
static const pml_map_written forecasting_lines[] = {PML_SEASONAL_LABEL_LINES, {NULL, NULL, NULL}};

static const pml_map_dialect dialects[] = {{.name = PML_OFFICIAL,
                                            .keys = official,
                                            .written = research_lines,
                                            .tensors = research_tensors,
                                            .config_file = "config.json"},
                                           {.name = PML_TSL,
                                            .keys = library,
                                            .written = library_lines,
                                            .tensors = research_tensors,
                                            .config_file = "config.json"},
                                           {.name = PML_NEURALFORECAST,
                                            .keys = forecasting,
                                            .written = forecasting_lines,
                                            .tensors = forecasting_tensors,
                                            .config_file = "config.json"},
                                           {.name = NULL}};

static void examine(const pml_facts *facts, const char *dialect, pml_evidence *said) {
    (void)dialect;
    pml_seasonal_examine(facts, said);
}

static pml_status describe(const pml_config_reader *r, pml_detection *d, pml_error *error) {
    return pml_detection_set(&d->variant, error, "prediction, time marks: %s",
                             pml_research_choice(r, "time_embedding"));
}

static const char *const other_keys[] = {PML_SEASONAL_LABEL_SHARE, NULL};
static const char *const models[] = {"Autoformer", NULL};
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

#define OTHER_NETWORK                                                                                                  \
    "it is another network under the same name, with further norms, lagged values and a distribution as its output"
static const pml_map_refusal refusals[] = {
    {"autoformer", OTHER_NETWORK}, {"AutoformerForPrediction", OTHER_NETWORK}, {NULL, NULL}};

extern const pml_mapper pml_mapper_autoformer;
const pml_mapper pml_mapper_autoformer = {
    .name = "autoformer",
    .detect = detect,
    .config = read_config,
    .rules = rules,
    .model_types = models,
    .refusals = refusals,
    .config_attribute = PML_NEURALFORECAST_CONFIG,
    .class_attribute = PML_NEURALFORECAST_CLASS,
    .class_names = models,
    .dialects = dialects,
};
