/* Autoformer (Wu et al. 2021, arXiv:2106.13008): an encoder and a decoder that take series apart into season and trend
 * after every sublayer, with AutoCorrelation in the place of attention. Described in specs/models/autoformer.md; names
 * are frozen there. */
#include "runtime/schema/seasonal_rows.h"

static const char *const variants[] = {"prediction", NULL};
static const char *const known_repos[] = {NULL};

static const pml_config_key config[] = {
    PML_SEASONAL_KEYS,
    PML_INT_KEY("decomposition_kernel", 1, 1e6, "steps of the average that is a series' trend, odd"),
    PML_INT_KEY("correlation_factor", 1, 1e4, "of n steps, factor * ln n delays are aggregated"),
    {.name = "rounds_correlations",
     .type = PML_CONFIG_BOOL,
     .optional = true,
     .absent = "false",
     .description = "series of an odd number of steps are correlated as if there were one step less"},
    PML_WINDOW_SCALER_KEY,
    {.name = NULL}};

static const pml_derived_number derived[] = {PML_MARKS_DERIVED, {NULL, NULL}};
static const pml_config_constraint constraints[] = {
    PML_SEASONAL_CONSTRAINTS,
    {"decomposition_kernel % 2 == 1", "decomposition_kernel must be odd: an even average shortens the series"},
    {NULL, NULL}};
static const pml_weight_spec weights[] = {PML_SEASONAL_WEIGHTS, {NULL, 0, NULL, NULL, NULL}};
static const pml_port_spec inputs[] = {PML_SEASONAL_INPUTS, {NULL, NULL, false, NULL, NULL}};
static const pml_port_spec outputs[] = {PML_SEASONAL_OUTPUTS, {NULL, NULL, false, NULL, NULL}};
static const pml_port_alias aliases[] = {PML_SERIES_ALIASES, {NULL, NULL}};
static const pml_forecast_spec forecast = PML_SEASONAL_FORECAST;

static const pml_fresh_spec fresh = {
    .dialect = "official",
    .keys = (const pml_fresh_key[]){PML_SEASONAL_FRESH_KEYS,
                                    {"decomposition_kernel", "25", NULL},
                                    {"correlation_factor", "3", NULL},
                                    {NULL, NULL, NULL}},
    .weights = (const pml_fresh_weight[]){PML_SEASONAL_FRESH_WEIGHTS, {NULL, NULL, NULL, NULL}}};

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
    .fixed = (const pml_fixed_spec[]){PML_SEASONAL_FIXED, {NULL, NULL}},
    .fresh = &fresh,
};
