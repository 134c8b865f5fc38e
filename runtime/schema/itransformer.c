/* iTransformer (Liu et al. 2024, arXiv:2310.06625): a transformer encoder whose tokens are whole series, one per
 * channel and per time mark. Described in specs/models/itransformer.md; names are frozen there. */
#include "runtime/schema/series_ports.h"

static const char *const variants[] = {"prediction", "reconstruction", "classification", NULL};
static const char *const known_repos[] = {NULL};

#define INT_KEY(key, low, high, text)                                                                                  \
    { .name = (key), .type = PML_CONFIG_INT, .least = (low), .greatest = (high), .description = (text) }
#define COUNT_KEY(key, text)                                                                                           \
    {                                                                                                                  \
        .name = (key), .type = PML_CONFIG_INT, .least = 0, .greatest = 1e6, .optional = true, .description = (text),   \
        .absent = "0"                                                                                                  \
    }
#define CHOICE_KEY(key, list, text)                                                                                    \
    { .name = (key), .type = PML_CONFIG_CHOICE, .choices = (list), .description = (text) }

static const pml_config_key config[] = {
    CHOICE_KEY("head", "prediction|reconstruction|classification", "what the encoder's output is for"),
    INT_KEY("context_length", 1, 1e6, "T, look-back steps: the width of a token before its embedding"),
    COUNT_KEY("prediction_length", "S, horizon; other heads give as many steps as they get"),
    INT_KEY("num_hidden_layers", 1, 1e4, "L, encoder layers"),
    INT_KEY("d_model", 1, 1e6, "D, model width"),
    INT_KEY("num_attention_heads", 1, 1e5, "H, attention heads"),
    INT_KEY("ffn_dim", 1, 1e7, "F, feed-forward width"),
    CHOICE_KEY("activation", "gelu|relu", "of the feed-forward network; gelu is the exact error-function form"),
    CHOICE_KEY("scaling", "std|none", "how each window is normalized; time marks are not"),
    PML_MARKS_CONFIG,
    COUNT_KEY("num_input_channels", "C, channels of the series; absent where any number will do"),
    COUNT_KEY("num_targets", "classes"),
    {.name = "dropout",
     .type = PML_CONFIG_REAL,
     .least = 0,
     .greatest = 1,
     .optional = true,
     .description = "training: of embeddings and sublayers"},
    PML_WINDOW_SCALER_KEY,
    {.name = NULL}};

static const pml_derived_number derived[] = {
    PML_MARKS_DERIVED,
    {"is_classifier", "head == 'classification'"},
    {"output_length", "head == 'prediction' ? prediction_length : context_length"},
    {"is_scaled", "scaling == 'std' && !is_classifier"},
    {NULL, NULL}};

static const pml_config_constraint constraints[] = {
    {"d_model % num_attention_heads == 0", "d_model must be a multiple of num_attention_heads"},
    {"head != 'prediction' || prediction_length > 0", "prediction_length must be at least 1"},
    {"!is_classifier || num_input_channels > 0", "num_input_channels must be at least 1"},
    {"!is_classifier || num_targets > 0", "num_targets must be at least 1"},
    {NULL, NULL}};

#define LINEAR(name, in, out, n, when)                                                                                 \
    {name ".weight", PML_ROLE_MATRIX, in ", " out, n, when}, {                                                         \
        name ".bias", PML_ROLE_VECTOR, out, n, when                                                                    \
    }
#define NORM(name, n)                                                                                                  \
    {name ".weight", PML_ROLE_VECTOR, "d_model", n, NULL}, {                                                           \
        name ".bias", PML_ROLE_VECTOR, "d_model", n, NULL                                                              \
    }
#define LAYER(name) "encoder.layer.{l}." name
#define N "num_hidden_layers"

static const pml_weight_spec weights[] = {
    LINEAR("embedding", "context_length", "d_model", NULL, NULL),
    LINEAR(LAYER("attention.q"), "d_model", "d_model", N, NULL),
    LINEAR(LAYER("attention.k"), "d_model", "d_model", N, NULL),
    LINEAR(LAYER("attention.v"), "d_model", "d_model", N, NULL),
    LINEAR(LAYER("attention.out"), "d_model", "d_model", N, NULL),
    NORM(LAYER("norm1"), N),
    LINEAR(LAYER("ffn.up"), "d_model", "ffn_dim", N, NULL),
    LINEAR(LAYER("ffn.down"), "ffn_dim", "d_model", N, NULL),
    NORM(LAYER("norm2"), N),
    NORM("encoder.norm", NULL),
    LINEAR("head", "d_model", "output_length", NULL, "!is_classifier"),
    LINEAR("classifier", "num_input_channels * d_model", "num_targets", NULL, "is_classifier"),
    {NULL, 0, NULL, NULL, NULL}};

#define CHANNELS "is_classifier ? num_input_channels : C"
static const pml_port_spec inputs[] = {
    {PML_PORT_VALUES, "B, context_length, " CHANNELS, false, NULL, "the look-back window"},
    {PML_PORT_MARKS, "B, context_length, n_time_features", true, "n_time_features > 0 && !is_classifier",
     "time marks of its steps, further tokens; without them there are only those of channels"},
    {NULL, NULL, false, NULL, NULL}};

static const pml_port_spec outputs[] = {
    {PML_PORT_FORECAST, "B, prediction_length, " CHANNELS, false, "head == 'prediction'", "the forecast"},
    {"reconstruction", "B, context_length, " CHANNELS, false, "head == 'reconstruction'", "the window, made again"},
    {"prediction_logits", "B, num_targets", false, "is_classifier", "class scores"},
    {NULL, NULL, false, NULL, NULL}};

static const pml_port_alias aliases[] = {
    PML_SERIES_ALIASES, {"y", "reconstruction"}, {"y", "prediction_logits"}, {NULL, NULL}};

static const char *const forecast_outputs[] = {PML_PORT_FORECAST, NULL};
static const pml_forecast_spec forecast = {.input = PML_PORT_VALUES,
                                           .outputs = forecast_outputs,
                                           .context_length = "context_length",
                                           .horizon = "prediction_length",
                                           .when = "head == 'prediction'",
                                           .marks = PML_PORT_MARKS,
                                           .n_marks = "n_time_features"};

static const pml_fresh_spec fresh = {.dialect = "official",
                                     .other = "tsl",
                                     .other_when = "head != 'prediction'",
                                     .keys =
                                         (const pml_fresh_key[]){{"head", "prediction", NULL},
                                                                 {"context_length", "96", NULL},
                                                                 {"prediction_length", "96", "head == 'prediction'"},
                                                                 {"num_hidden_layers", "2", NULL},
                                                                 {"d_model", "256", NULL},
                                                                 {"num_attention_heads", "8", NULL},
                                                                 {"ffn_dim", "d_model", NULL},
                                                                 {"activation", "gelu", NULL},
                                                                 {"scaling", "std", NULL},
                                                                 {"time_embedding", "@marks", NULL},
                                                                 {"frequency", "@frequency", NULL},
                                                                 {"num_input_channels", "@channels", "is_classifier"},
                                                                 {"dropout", "0.1", NULL},
                                                                 {NULL, NULL, NULL}},
                                     .weights = (const pml_fresh_weight[]){{NULL, NULL, NULL, NULL}}};

extern const pml_schema pml_schema_itransformer;
const pml_schema pml_schema_itransformer = {
    .name = "itransformer",
    .architecture = "iTransformer: transformer encoder over channels, for forecasting and classification",
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
    .fresh = &fresh,
};
