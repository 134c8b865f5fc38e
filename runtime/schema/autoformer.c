/* Autoformer (Wu et al. 2021, arXiv:2106.13008): an encoder and a decoder that take series apart into season and trend
 * after every sublayer, with AutoCorrelation in the place of attention. Described in specs/models/autoformer.md; names
 * are frozen there. */
#include "runtime/schema/series_ports.h"

static const char *const variants[] = {"prediction", NULL};
static const char *const known_repos[] = {NULL};

#define INT_KEY(key, low, high, text)                                                                                  \
    { .name = (key), .type = PML_CONFIG_INT, .least = (low), .greatest = (high), .description = (text) }
#define CHOICE_KEY(key, list, text)                                                                                    \
    { .name = (key), .type = PML_CONFIG_CHOICE, .choices = (list), .description = (text) }

static const pml_config_key config[] = {
    INT_KEY("num_input_channels", 1, 1e6, "C, channels of the series and of the forecast"),
    INT_KEY("context_length", 2, 1e7, "T, look-back steps"),
    INT_KEY("label_length", 0, 1e7, "last steps of the look-back window that the decoder sees again"),
    INT_KEY("prediction_length", 1, 1e6, "S, horizon"),
    INT_KEY("num_encoder_layers", 1, 1e4, "layers of the encoder"),
    INT_KEY("num_decoder_layers", 1, 1e4, "layers of the decoder"),
    INT_KEY("d_model", 1, 1e6, "D, model width"),
    INT_KEY("num_attention_heads", 1, 1e5, "H, heads; delays are shared by all of them"),
    INT_KEY("ffn_dim", 1, 1e7, "F, feed-forward width"),
    INT_KEY("decomposition_kernel", 1, 1e6, "steps of the average that is a series' trend, odd"),
    INT_KEY("correlation_factor", 1, 1e4, "of n steps, factor * ln n delays are aggregated"),
    CHOICE_KEY("activation", "gelu|relu", "of the feed-forward network; gelu is the exact error-function form"),
    PML_MARKS_CONFIG,
    {.name = "dropout",
     .type = PML_CONFIG_REAL,
     .least = 0,
     .greatest = 1,
     .optional = true,
     .description = "training: of embeddings, sublayers and attention"},
    {.name = NULL}};

static const pml_derived_number derived[] = {PML_MARKS_DERIVED, {NULL, NULL}};

static const pml_config_constraint constraints[] = {
    {"d_model % num_attention_heads == 0", "d_model must be a multiple of num_attention_heads"},
    {"decomposition_kernel % 2 == 1", "decomposition_kernel must be odd: an even average shortens the series"},
    {"label_length <= context_length", "label_length must not be greater than context_length"},
    {NULL, NULL}};

#define MATRIX(name, in, out, n)                                                                                       \
    { name, PML_ROLE_MATRIX, in ", " out, n, NULL }
#define LINEAR(name, n)                                                                                                \
    MATRIX(name ".weight", "d_model", "d_model", n), {                                                                 \
        name ".bias", PML_ROLE_VECTOR, "d_model", n, NULL                                                              \
    }
#define ATTENTION(name, n) LINEAR(name ".q", n), LINEAR(name ".k", n), LINEAR(name ".v", n), LINEAR(name ".out", n)
#define FEED_FORWARD(name, n)                                                                                          \
    MATRIX(name ".ffn.up.weight", "d_model", "ffn_dim", n), MATRIX(name ".ffn.down.weight", "ffn_dim", "d_model", n)
#define CALENDAR(name, part, count, when)                                                                              \
    { name "." part ".weight", PML_ROLE_TABLE, count ", d_model", NULL, when }
#define EMBEDDING(name)                                                                                                \
    {name ".value.weight", PML_ROLE_CONVOLUTION, "3 * num_input_channels, d_model", NULL, NULL},                       \
        {name ".time.weight", PML_ROLE_MATRIX, "n_time_features, d_model", NULL, "time_embedding == 'timeF'"},         \
        CALENDAR(name, "month", "13", "has_tables"), CALENDAR(name, "day", "32", "has_tables"),                        \
        CALENDAR(name, "weekday", "7", "has_tables"), CALENDAR(name, "hour", "24", "has_tables"),                      \
        CALENDAR(name, "minute", "4", "has_tables && frequency == 't'")
#define NORM(name)                                                                                                     \
    {name ".weight", PML_ROLE_VECTOR, "d_model", NULL, NULL}, {                                                        \
        name ".bias", PML_ROLE_VECTOR, "d_model", NULL, NULL                                                           \
    }

static const pml_weight_spec weights[] = {EMBEDDING("encoder.embedding"),
                                          ATTENTION("encoder.layer.{l}.attention", "num_encoder_layers"),
                                          FEED_FORWARD("encoder.layer.{l}", "num_encoder_layers"),
                                          NORM("encoder.norm"),
                                          EMBEDDING("decoder.embedding"),
                                          ATTENTION("decoder.layer.{l}.attention", "num_decoder_layers"),
                                          ATTENTION("decoder.layer.{l}.cross", "num_decoder_layers"),
                                          FEED_FORWARD("decoder.layer.{l}", "num_decoder_layers"),
                                          {"decoder.layer.{l}.trend.weight", PML_ROLE_CONVOLUTION,
                                           "3 * d_model, num_input_channels", "num_decoder_layers", NULL},
                                          NORM("decoder.norm"),
                                          {"head.weight", PML_ROLE_MATRIX, "d_model, num_input_channels", NULL, NULL},
                                          {"head.bias", PML_ROLE_VECTOR, "num_input_channels", NULL, NULL},
                                          {NULL, 0, NULL, NULL, NULL}};

static const pml_port_spec inputs[] = {
    {PML_PORT_VALUES, "B, context_length, num_input_channels", false, NULL, "the look-back window"},
    PML_MARKS_INPUTS,
    {NULL, NULL, false, NULL, NULL}};

static const pml_port_spec outputs[] = {
    {PML_PORT_FORECAST, "B, prediction_length, num_input_channels", false, NULL, "the forecast, in the input's units"},
    {NULL, NULL, false, NULL, NULL}};

static const pml_port_alias aliases[] = {PML_SERIES_ALIASES, {NULL, NULL}};

static const char *const forecast_outputs[] = {PML_PORT_FORECAST, NULL};
static const pml_forecast_spec forecast = {.input = PML_PORT_VALUES,
                                           .outputs = forecast_outputs,
                                           .context_length = "context_length",
                                           .horizon = "prediction_length",
                                           .n_channels = "num_input_channels",
                                           PML_MARKS_FORECAST};

extern const pml_schema pml_schema_autoformer;
const pml_schema pml_schema_autoformer = {
    .name = "autoformer",
    .architecture = "Autoformer: series decomposition with auto-correlation, encoder and decoder, for forecasting",
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
};
