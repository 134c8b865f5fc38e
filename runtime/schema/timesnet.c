/* TimesNet (Wu et al. 2023, arXiv:2210.02186): series folded into images by their strongest periods, and convolutions
 * of those. Described in specs/models/timesnet.md; names are frozen there. */
#include "runtime/schema/seasonal_rows.h"

static const char *const variants[] = {"prediction", "imputation", "reconstruction", "classification", NULL};
static const char *const known_repos[] = {NULL};

#define COUNT_KEY(key, text)                                                                                           \
    {                                                                                                                  \
        .name = (key), .type = PML_CONFIG_INT, .least = 0, .greatest = 1e6, .optional = true, .description = (text),   \
        .absent = "0"                                                                                                  \
    }

static const pml_config_key config[] = {
    PML_CHOICE_KEY("head", "prediction|imputation|reconstruction|classification", "what the blocks' output is for"),
    PML_INT_KEY("num_input_channels", 1, 1e6, "C, channels of the series and of what is made of it"),
    PML_INT_KEY("context_length", 2, 1e5, "T, look-back steps"),
    COUNT_KEY("prediction_length", "S, horizon; other heads give as many steps as they get"),
    PML_INT_KEY("num_hidden_layers", 1, 1e4, "L, blocks"),
    PML_INT_KEY("d_model", 1, 1e6, "D, model width"),
    PML_INT_KEY("ffn_dim", 1, 1e7, "F, channels between the two convolutions of a block"),
    PML_INT_KEY("num_kernels", 1, 8, "convolutions whose mean is one; kernel k has 2 k + 1 taps each way"),
    PML_INT_KEY("num_periods", 1, 64, "frequencies whose periods a block folds the series by"),
    PML_CHOICE_KEY("scaling", "std|none", "how each window is normalized"),
    PML_MARKS_CONFIG,
    COUNT_KEY("num_targets", "classes"),
    {.name = "dropout",
     .type = PML_CONFIG_REAL,
     .least = 0,
     .greatest = 1,
     .optional = true,
     .description = "training: of the embedding, and of a classifier's features"},
    PML_WINDOW_SCALER_KEY,
    {.name = NULL}};

static const pml_derived_number derived[] = {
    PML_MARKS_DERIVED,
    {"is_forecast", "head == 'prediction'"},
    {"is_classifier", "head == 'classification'"},
    {"n_steps", "is_forecast ? context_length + prediction_length : context_length"},
    {"sees_marks", "n_time_features > 0 && (is_forecast || head == 'imputation')"},
    {"is_scaled", "scaling == 'std' && !is_classifier"},
    {NULL, NULL}};

static const pml_config_constraint constraints[] = {
    {"!is_forecast || prediction_length > 0", "prediction_length must be at least 1"},
    {"!is_classifier || num_targets > 0", "num_targets must be at least 1"},
    {"num_periods <= n_steps / 2", "num_periods must not be greater than half of the steps"},
    {NULL, NULL}};

#define L "num_hidden_layers"
#define KERNEL(part, k, taps, in, out)                                                                                 \
    {"layer.{l}." part "." #k ".weight", PML_ROLE_CONVOLUTION, taps ", " taps " * " in ", " out, L,                    \
     "num_kernels > " #k},                                                                                             \
    {                                                                                                                  \
        "layer.{l}." part "." #k ".bias", PML_ROLE_VECTOR, out, L, "num_kernels > " #k                                 \
    }
#define KERNELS(part, in, out)                                                                                         \
    KERNEL(part, 0, "1", in, out), KERNEL(part, 1, "3", in, out), KERNEL(part, 2, "5", in, out),                       \
        KERNEL(part, 3, "7", in, out), KERNEL(part, 4, "9", in, out), KERNEL(part, 5, "11", in, out),                  \
        KERNEL(part, 6, "13", in, out), KERNEL(part, 7, "15", in, out)

static const pml_weight_spec weights[] = {
    PML_SEASONAL_EMBEDDING("encoder.embedding"),
    {"encoder.embedding.position", PML_ROLE_TABLE, "context_length, d_model", NULL, NULL},
    {"extend.weight", PML_ROLE_MATRIX, "context_length, n_steps", NULL, "is_forecast"},
    {"extend.bias", PML_ROLE_VECTOR, "n_steps", NULL, "is_forecast"},
    KERNELS("up", "d_model", "ffn_dim"),
    KERNELS("down", "ffn_dim", "d_model"),
    PML_SEASONAL_NORM("norm"),
    {"head.weight", PML_ROLE_MATRIX, "d_model, num_input_channels", NULL, "!is_classifier"},
    {"head.bias", PML_ROLE_VECTOR, "num_input_channels", NULL, "!is_classifier"},
    {"classifier.weight", PML_ROLE_MATRIX, "context_length * d_model, num_targets", NULL, "is_classifier"},
    {"classifier.bias", PML_ROLE_VECTOR, "num_targets", NULL, "is_classifier"},
    {NULL, 0, NULL, NULL, NULL}};

static const pml_port_spec inputs[] = {
    {PML_PORT_VALUES, "B, context_length, num_input_channels", false, NULL, "the look-back window"},
    {PML_PORT_MARKS, "B, context_length, n_time_features", false, "sees_marks", "its time marks"},
    {"past_observed_mask", "B, context_length, num_input_channels", false, "head == 'imputation'",
     "1 known, 0 to be filled in"},
    {"step_mask", "B, context_length", true, "is_classifier", "1 a step of the series, 0 behind its end"},
    {NULL, NULL, false, NULL, NULL}};

static const pml_port_spec outputs[] = {
    {PML_PORT_FORECAST, "B, prediction_length, num_input_channels", false, "is_forecast", "the forecast"},
    {"reconstruction", "B, context_length, num_input_channels", false, "!is_forecast && !is_classifier",
     "the window, made again"},
    {"prediction_logits", "B, num_targets", false, "is_classifier", "class scores"},
    {NULL, NULL, false, NULL, NULL}};

static const pml_port_alias aliases[] = {PML_SERIES_ALIASES,          {"y", "reconstruction"},
                                         {"y", "prediction_logits"},  {"mask", "past_observed_mask"},
                                         {"x_mark_enc", "step_mask"}, {NULL, NULL}};

static const char *const forecast_outputs[] = {PML_PORT_FORECAST, NULL};
static const pml_forecast_spec forecast = {.input = PML_PORT_VALUES,
                                           .outputs = forecast_outputs,
                                           .context_length = "context_length",
                                           .horizon = "prediction_length",
                                           .n_channels = "num_input_channels",
                                           .when = "is_forecast",
                                           .marks = PML_PORT_MARKS,
                                           .n_marks = "n_time_features"};

static const pml_fresh_spec fresh = {
    .dialect = "tsl",
    .keys = (const pml_fresh_key[]){{"head", "prediction", NULL},
                                    {"num_input_channels", "@channels", NULL},
                                    {"context_length", "96", NULL},
                                    {"prediction_length", "96", "is_forecast"},
                                    {"num_hidden_layers", "2", NULL},
                                    {"d_model", "16", NULL},
                                    {"ffn_dim", "32", NULL},
                                    {"num_kernels", "6", NULL},
                                    {"num_periods", "5", NULL},
                                    {"scaling", "std", NULL},
                                    {"time_embedding", "@marks", NULL},
                                    {"frequency", "@frequency", NULL},
                                    {"dropout", "0.1", NULL},
                                    {NULL, NULL, NULL}},
    .weights =
        (const pml_fresh_weight[]){PML_SEASONAL_FRESH_WEIGHTS,
                                   {"*.embedding.position", NULL, "sines", NULL},
                                   {"layer.*.weight", NULL, "kaiming_normal:mode=fan_out,nonlinearity=relu", NULL},
                                   {"layer.*.bias", NULL, "zeros", NULL},
                                   {NULL, NULL, NULL, NULL}}};

extern const pml_schema pml_schema_timesnet;
const pml_schema pml_schema_timesnet = {
    .name = "timesnet",
    .architecture = "TimesNet: series folded by their periods, for forecasting, imputation and classification",
    .variants = variants,
    .known_repos = known_repos,
    .config = config,
    .constraints = constraints,
    .weights = weights,
    .inputs = inputs,
    .outputs = outputs,
    .forecast = &forecast,
    .derived = derived,
    .aliases = aliases,
    .fixed = (const pml_fixed_spec[]){PML_SEASONAL_FIXED, {NULL, NULL}},
    .batch_wide = true,
    .fresh = &fresh,
};
