/* DLinear, NLinear and Linear (Zeng et al. 2022, arXiv:2205.13504): one linear map over time per channel, of the
 * series, of its differences from its last value, or of its trend and what is left. Described in
 * specs/models/dlinear.md; names are frozen there. */
#include "runtime/schema/series_ports.h"

static const char *const variants[] = {"dlinear", "nlinear", "linear", NULL};
static const char *const known_repos[] = {NULL};

static const pml_config_key config[] = {
    {.name = "kind",
     .type = PML_CONFIG_CHOICE,
     .choices = "dlinear|nlinear|linear",
     .description = "trend and remainder apart; the last value subtracted and added again; neither"},
    {.name = "head",
     .type = PML_CONFIG_CHOICE,
     .choices = "prediction|reconstruction|classification",
     .description = "what the linear map's output is for"},
    {.name = "context_length",
     .type = PML_CONFIG_INT,
     .least = 1,
     .greatest = 1e6,
     .description = "T, look-back steps"},
    {.name = "prediction_length",
     .type = PML_CONFIG_INT,
     .least = 0,
     .greatest = 1e6,
     .optional = true,
     .description = "S, horizon; other heads give as many steps as they get",
     .absent = "0"},
    {.name = "share_linear", .type = PML_CONFIG_BOOL, .description = "one linear map for all channels"},
    {.name = "num_input_channels",
     .type = PML_CONFIG_INT,
     .least = 0,
     .greatest = 1e6,
     .optional = true,
     .description = "C, channels of the series; absent where any number will do",
     .absent = "0"},
    {.name = "decomposition_kernel",
     .type = PML_CONFIG_INT,
     .least = 0,
     .greatest = 1e6,
     .optional = true,
     .description = "dlinear: steps of the moving average that is the trend",
     .absent = "0"},
    {.name = "num_targets",
     .type = PML_CONFIG_INT,
     .least = 0,
     .greatest = 1e6,
     .optional = true,
     .description = "classes",
     .absent = "0"},
    PML_WINDOW_SCALER_KEY,
    {.name = NULL}};

static const pml_derived_number derived[] = {
    {"has_parts", "kind == 'dlinear'"},
    {"is_classifier", "head == 'classification'"},
    {"has_channels", "!share_linear || is_classifier"},
    {"output_length", "head == 'prediction' ? prediction_length : context_length"},
    {NULL, NULL}};

static const pml_config_constraint constraints[] = {
    {"head != 'prediction' || prediction_length > 0", "prediction_length must be at least 1"},
    {"!has_channels || num_input_channels > 0", "num_input_channels must be at least 1"},
    {"!is_classifier || num_targets > 0", "num_targets must be at least 1"},
    {"!has_parts || decomposition_kernel % 2 == 1",
     "decomposition_kernel must be odd: an even window makes the trend one step shorter than the series"},
    {NULL, NULL}};

#define MAP(name, when)                                                                                                \
    {name ".weight", PML_ROLE_MATRIX, "context_length, output_length", NULL, when " && share_linear"},                 \
        {name ".weight", PML_ROLE_MATRIX, "num_input_channels, context_length, output_length", NULL,                   \
         when " && !share_linear"},                                                                                    \
        {name ".bias", PML_ROLE_VECTOR, "output_length", NULL, when " && share_linear"}, {                             \
        name ".bias", PML_ROLE_VECTOR, "num_input_channels, output_length", NULL, when " && !share_linear"             \
    }
static const pml_weight_spec weights[] = {
    MAP("seasonal", "has_parts"),
    MAP("trend", "has_parts"),
    MAP("linear", "!has_parts"),
    {"classifier.weight", PML_ROLE_MATRIX, "context_length * num_input_channels, num_targets", NULL, "is_classifier"},
    {"classifier.bias", PML_ROLE_VECTOR, "num_targets", NULL, "is_classifier"},
    {NULL, 0, NULL, NULL, NULL}};

#define CHANNELS "has_channels ? num_input_channels : C"
static const pml_port_spec inputs[] = {
    {PML_PORT_VALUES, "B, context_length, " CHANNELS, false, NULL, "the look-back window"},
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
                                           .n_channels = "has_channels ? num_input_channels : 0",
                                           .when = "head == 'prediction'"};

/* As the paper's own runs have them. */
static const pml_fresh_spec fresh = {.dialect = "official",
                                     .other = "tsl",
                                     .other_when = "head != 'prediction'",
                                     .keys =
                                         (const pml_fresh_key[]){{"kind", "dlinear", NULL},
                                                                 {"head", "prediction", NULL},
                                                                 {"context_length", "336", NULL},
                                                                 {"prediction_length", "96", "head == 'prediction'"},
                                                                 {"share_linear", "1", NULL},
                                                                 {"num_input_channels", "@channels", "has_channels"},
                                                                 {"decomposition_kernel", "25", "has_parts"},
                                                                 {NULL, NULL, NULL}},
                                     .weights = (const pml_fresh_weight[]){{NULL, NULL, NULL, NULL}}};

extern const pml_schema pml_schema_dlinear;
const pml_schema pml_schema_dlinear = {
    .name = "dlinear",
    .architecture = "DLinear, NLinear, Linear: one linear map over time, for forecasting and classification",
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
