/* DLinear, NLinear, Linear: the names of each code base (specs/models/dlinear.md). Two of them share every name, but
 * not the width of the moving average: what beside the tensors tells them apart is in mappers/research.h. */
#include <string.h>

#include "mappers/research.h"

/* A torch Linear [out,in] for all channels, or one per channel. */
#define MAP(dialect, from, to)                                                                                         \
    {dialect, from ".weight", to ".weight", "transpose", "share_linear", NULL},                                        \
        {dialect, from ".bias", to ".bias", "", "share_linear", NULL},                                                 \
        {dialect, from ".{c}.weight", to ".weight", "transpose;stack(c)", "!share_linear", NULL}, {                    \
        dialect, from ".{c}.bias", to ".bias", "stack(c)", "!share_linear", NULL                                       \
    }

static const pml_map_rule rules[] = {
    MAP(PML_OFFICIAL, "Linear_Seasonal", "seasonal"),
    MAP(PML_OFFICIAL, "Linear_Trend", "trend"),
    MAP(PML_OFFICIAL, "Linear", "linear"),
    {PML_OFFICIAL, "Linear_Decoder.*", NULL, NULL, NULL, "made by early versions and never used"},
    MAP(PML_TSL, "Linear_Seasonal", "seasonal"),
    MAP(PML_TSL, "Linear_Trend", "trend"),
    {PML_TSL, "projection.weight", "classifier.weight", "transpose", "is_classifier", NULL},
    {PML_TSL, "projection.bias", "classifier.bias", "", "is_classifier", NULL},
    {PML_NEURALFORECAST, "linear_season.weight", "seasonal.weight", "transpose", NULL, NULL},
    {PML_NEURALFORECAST, "linear_season.bias", "seasonal.bias", "", NULL, NULL},
    {PML_NEURALFORECAST, "linear_trend.weight", "trend.weight", "transpose", NULL, NULL},
    {PML_NEURALFORECAST, "linear_trend.bias", "trend.bias", "", NULL, NULL},
    {PML_NEURALFORECAST, "linear.weight", "linear.weight", "transpose", NULL, NULL},
    {PML_NEURALFORECAST, "linear.bias", "linear.bias", "", NULL, NULL},
    PML_NEURALFORECAST_DROPPED,
    {NULL, NULL, NULL, NULL, NULL, NULL}};

static const char *const witnesses_of_parts[] = {"seasonal.weight", "seasonal.bias", "trend.weight", "trend.bias",
                                                 NULL};
static const char *const witnesses_of_one[] = {"linear.weight", "linear.bias", NULL};
static const char *const *const witnesses[] = {witnesses_of_parts, witnesses_of_one, NULL};

/* ---- configuration ---- */
#define CHANNELS                                                                                                       \
    { .key = "num_input_channels", .source = "enc_in", .when = "has_channels", .must_ask = true, .from_tensors = true }
#define KERNEL(argument, ...)                                                                                          \
    { .key = "decomposition_kernel", .source = (argument), .when = "has_parts", __VA_ARGS__ }

static const pml_config_rule official[] = {
    {.key = "kind",
     .source = "model",
     .words = "DLinear=dlinear|NLinear=nlinear|Linear=linear",
     .must_ask = true,
     .from_tensors = true},
    PML_FIXED("head", "prediction"),
    PML_ASKED("context_length", "seq_len"),
    PML_ASKED("prediction_length", "pred_len"),
    {.key = "share_linear",
     .source = "individual",
     .fallback = "true",
     .from_tensors = true,
     .is_number = true,
     .is_inverted = true},
    CHANNELS,
    KERNEL("kernel_size", .fallback = "25", .is_constant = true), /* whatever moving_avg says */
    {.key = NULL}};

static const pml_config_rule library[] = {
    PML_FIXED("kind", "dlinear"),
    {.key = "head", .source = "task_name", .words = PML_TASK_WORDS, .must_ask = true, .from_tensors = true},
    PML_ASKED("context_length", "seq_len"),
    {.key = "prediction_length",
     .source = "pred_len",
     .when = "head == 'prediction'",
     .must_ask = true,
     .from_tensors = true},
    {.key = "share_linear", .must_ask = true, .from_tensors = true}, /* an argument of the class, not of a run */
    CHANNELS,
    KERNEL("moving_avg", .must_ask = true, .from_tensors = true),
    {.key = "num_targets", .source = "num_class", .when = "is_classifier", .must_ask = true, .from_tensors = true},
    {.key = NULL}};

static const pml_config_rule forecasting[] = {{.key = "kind", .must_ask = true, .from_tensors = true},
                                              PML_FIXED("head", "prediction"),
                                              PML_ASKED("context_length", "input_size"),
                                              PML_ASKED("prediction_length", "h"),
                                              PML_FIXED("share_linear", "true"),
                                              KERNEL("moving_avg_window", .fallback = "25"),
                                              PML_NEURALFORECAST_SCALER("identity"),
                                              {.key = NULL}};

static const pml_map_written library_lines[] = {{"model", "\"DLinear\"", NULL}, {NULL, NULL, NULL}};

static const pml_map_dialect dialects[] = {
    {.name = PML_OFFICIAL, .keys = official, .config_file = "config.json"},
    {.name = PML_TSL, .keys = library, .written = library_lines, .config_file = "config.json"},
    {.name = PML_NEURALFORECAST, .keys = forecasting, .config_file = "config.json"},
    {.name = NULL}};

static void examine(const pml_facts *facts, const char *dialect, pml_evidence *said) {
    const pml_fact *seasonal = pml_facts_find(facts, "seasonal.weight");
    const pml_fact *map = seasonal != NULL ? seasonal : pml_facts_find(facts, "linear.weight");
    const pml_fact *classifier = pml_facts_find(facts, "classifier.weight");
    if (map == NULL || map->source->rank != 2) {
        return;
    }
    const uint64_t n_out = map->source->shape[0], n_in = map->source->shape[1];
    pml_evidence_add_number(said, "context_length", map, n_in);
    pml_evidence_add_number(said, "prediction_length", map, n_out);
    (void)pml_evidence_add(said, "share_linear", map, pml_fact_is_stacked(map) ? "false" : "true");
    if (seasonal != NULL) {
        (void)pml_evidence_add(said, "kind", map, "dlinear");
    } else if (strcmp(dialect, PML_NEURALFORECAST) == 0) {
        (void)pml_evidence_add(said, "kind", map, "nlinear");
    }
    if (pml_fact_is_stacked(map)) {
        pml_evidence_add_number(said, "num_input_channels", map, pml_facts_count(facts, map->target, 'c'));
    } else if (classifier != NULL && classifier->source->rank == 2 && n_in > 0) {
        pml_evidence_add_number(said, "num_input_channels", classifier, classifier->source->shape[1] / n_in);
    }
    if (classifier != NULL && classifier->source->rank == 2) {
        (void)pml_evidence_add(said, "head", classifier, "classification");
        pml_evidence_add_number(said, "num_targets", classifier, classifier->source->shape[0]);
    } else if (strcmp(dialect, PML_TSL) == 0 && n_in != n_out) {
        (void)pml_evidence_add(said, "head", map, "prediction");
    }
}

static pml_status describe(const pml_config_reader *r, pml_detection *d, pml_error *error) {
    return pml_detection_set(
        &d->variant, error, "%s: %s, %s", pml_research_choice(r, "kind"), pml_research_choice(r, "head"),
        pml_research_holds(r, "share_linear") ? "one map for all channels" : "one map per channel");
}

static const char *const models[] = {"DLinear", "NLinear", "Linear", NULL};
static const char *const class_names[] = {"DLinear", "NLinear", NULL};
static const pml_research family = {
    .models = models, .class_names = class_names, .witnesses = witnesses, .examine = examine, .describe = describe};

static pml_status detect(const pml_map_source *source, pml_detection *d, pml_error *error) {
    pml_status status = pml_research_detect(&family, source, d, error);
    /* Many a network has one layer called `linear`. */
    if (status == PML_OK && strcmp(d->dialect, PML_NEURALFORECAST) == 0 && d->accepted &&
        !pml_neuralforecast_is(source, class_names) && pml_map_tensor_find(source, "linear.weight") != NULL) {
        d->accepted = false;
    }
    return status;
}

static pml_status read_config(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                              pml_error *error) {
    return pml_research_config(&family, source, detection, config, error);
}

extern const pml_mapper pml_mapper_dlinear;
const pml_mapper pml_mapper_dlinear = {
    .name = "dlinear",
    .detect = detect,
    .config = read_config,
    .rules = rules,
    .model_types = models,
    .config_attribute = PML_NEURALFORECAST_CONFIG,
    .class_attribute = PML_NEURALFORECAST_CLASS,
    .class_names = class_names,
    .dialects = dialects,
};
