/* FEDformer (Zhou et al. 2022, arXiv:2201.12740): the network of Autoformer with a few frequencies, or wavelets, in the
 * place of attention. Described in specs/models/fedformer.md; names are frozen there. */
#include "runtime/schema/seasonal_rows.h"

static const char *const variants[] = {"fourier", "wavelets", NULL};
static const char *const known_repos[] = {NULL};

#define MODES_KEY(key, text)                                                                                           \
    { .name = (key), .type = PML_CONFIG_INT_LIST, .least = 0, .greatest = 1e6, .optional = true, .description = (text) }
#define COUNT_KEY(key, text)                                                                                           \
    {                                                                                                                  \
        .name = (key), .type = PML_CONFIG_INT, .least = 0, .greatest = 1e6, .optional = true, .description = (text),   \
        .absent = "0"                                                                                                  \
    }

static const pml_config_key config[] = {
    PML_SEASONAL_KEYS,
    PML_CHOICE_KEY("version", "fourier|wavelets", "what stands in the place of attention"),
    PML_CHOICE_KEY("cross_activation", "tanh|tanh_separate|softmax",
                   "between frequencies: tanh of complex numbers, of their parts, or softmax of magnitudes"),
    {.name = "decomposition_kernels",
     .type = PML_CONFIG_INT_LIST,
     .least = 1,
     .greatest = 1e6,
     .description = "steps of each average; several are weighed for each value"},
    COUNT_KEY("num_gates", "averages that a gate in the file weighs; 0: it has no gates"),
    {.name = "has_positions",
     .type = PML_CONFIG_BOOL,
     .optional = true,
     .description = "embeddings add positions",
     .absent = "false"},
    MODES_KEY("encoder_modes", "fourier: frequencies that encoder layers keep, in order"),
    MODES_KEY("decoder_modes", "fourier: those of decoder layers"),
    MODES_KEY("query_modes", "fourier: those of the decoder when it looks at the encoder"),
    MODES_KEY("key_modes", "fourier: those of the encoder then"),
    COUNT_KEY("num_encoder_modes", "fourier: how many those are"),
    COUNT_KEY("num_decoder_modes", "fourier: how many those are"),
    COUNT_KEY("num_query_modes", "fourier: how many those are"),
    COUNT_KEY("wavelet_channels", "wavelets: c, series of 8 coefficients each that a layer works on"),
    COUNT_KEY("wavelet_modes", "wavelets: lowest frequencies of each level that have weights"),
    COUNT_KEY("cross_modes", "wavelets: lowest frequencies of each level between decoder and encoder"),
    COUNT_KEY("ignored_levels", "wavelets: coarsest levels that are left out"),
    PML_WINDOW_SCALER_KEY,
    {.name = NULL}};

static const pml_derived_number derived[] = {PML_MARKS_DERIVED,
                                             {"is_fourier", "version == 'fourier'"},
                                             {"is_wavelets", "version == 'wavelets'"},
                                             {"head_width", "d_model / num_attention_heads"},
                                             {"wavelet_width", "8 * wavelet_channels"},
                                             {NULL, NULL}};

static const pml_config_constraint constraints[] = {
    PML_SEASONAL_CONSTRAINTS,
    {"!is_fourier || (num_encoder_modes > 0 && num_decoder_modes > 0 && num_query_modes > 0)",
     "version fourier needs encoder_modes, decoder_modes and query_modes"},
    {"!is_wavelets || (wavelet_channels > 0 && wavelet_modes > 0 && cross_modes > 0)",
     "version wavelets needs wavelet_channels, wavelet_modes and cross_modes"},
    {"!is_fourier || cross_activation != 'softmax'", "cross_activation softmax is for version wavelets"},
    {NULL, NULL}};

#define MODES(name, count)                                                                                             \
    {name ".real", PML_ROLE_MATRIX, "num_attention_heads * " count ", head_width, head_width", NULL, "is_fourier"}, {  \
        name ".imaginary", PML_ROLE_MATRIX, "num_attention_heads * " count ", head_width, head_width", NULL,           \
            "is_fourier"                                                                                               \
    }
#define GATE(name, n)                                                                                                  \
    {name ".weight", PML_ROLE_TABLE, "1, num_gates", n, "num_gates > 0"}, {                                            \
        name ".bias", PML_ROLE_VECTOR, "num_gates", n, "num_gates > 0"                                                 \
    }
#define INTO(name, in, out)                                                                                            \
    {name ".weight", PML_ROLE_MATRIX, in ", " out, NULL, "is_wavelets"}, {                                             \
        name ".bias", PML_ROLE_VECTOR, out, NULL, "is_wavelets"                                                        \
    }
#define MULTIPLIER(name)                                                                                               \
    {name ".real", PML_ROLE_MATRIX, "wavelet_modes, wavelet_width, wavelet_width", NULL, "is_wavelets"}, {             \
        name ".imaginary", PML_ROLE_MATRIX, "wavelet_modes, wavelet_width, wavelet_width", NULL, "is_wavelets"         \
    }
#define WAVELETS(name)                                                                                                 \
    INTO(name ".in", "d_model", "wavelet_width"), INTO(name ".out", "wavelet_width", "d_model"),                       \
        MULTIPLIER(name ".a"), MULTIPLIER(name ".b"), MULTIPLIER(name ".c"),                                           \
        {name ".coarse.weight", PML_ROLE_TABLE, "8, 8", NULL, "is_wavelets"}, {                                        \
        name ".coarse.bias", PML_ROLE_VECTOR, "8", NULL, "is_wavelets"                                                 \
    }
#define FILTER(name)                                                                                                   \
    { "wavelet." name, PML_ROLE_TABLE, "16, 8", NULL, "is_wavelets" }

static const pml_weight_spec weights[] = {
    PML_SEASONAL_WEIGHTS,
    {"encoder.embedding.position", PML_ROLE_TABLE, "context_length, d_model", NULL, "has_positions"},
    {"decoder.embedding.position", PML_ROLE_TABLE, "label_length + prediction_length, d_model", NULL, "has_positions"},
    GATE("split.gate", NULL),
    GATE("encoder.layer.{l}.split1.gate", "num_encoder_layers"),
    GATE("encoder.layer.{l}.split2.gate", "num_encoder_layers"),
    GATE("decoder.layer.{l}.split1.gate", "num_decoder_layers"),
    GATE("decoder.layer.{l}.split2.gate", "num_decoder_layers"),
    GATE("decoder.layer.{l}.split3.gate", "num_decoder_layers"),
    MODES("encoder.modes", "num_encoder_modes"),
    MODES("decoder.modes", "num_decoder_modes"),
    MODES("cross.modes", "num_query_modes"),
    WAVELETS("encoder.wavelets"),
    WAVELETS("decoder.wavelets"),
    INTO("cross.wavelets.q", "d_model", "wavelet_width"),
    INTO("cross.wavelets.k", "d_model", "wavelet_width"),
    INTO("cross.wavelets.v", "d_model", "wavelet_width"),
    INTO("cross.wavelets.out", "wavelet_width", "d_model"),
    FILTER("ec_s"),
    FILTER("ec_d"),
    FILTER("rc_e"),
    FILTER("rc_o"),
    {NULL, 0, NULL, NULL, NULL}};

static const pml_port_spec inputs[] = {PML_SEASONAL_INPUTS, {NULL, NULL, false, NULL, NULL}};
static const pml_port_spec outputs[] = {PML_SEASONAL_OUTPUTS, {NULL, NULL, false, NULL, NULL}};
static const pml_port_alias aliases[] = {PML_SERIES_ALIASES, {NULL, NULL}};
static const pml_forecast_spec forecast = PML_SEASONAL_FORECAST;

static const pml_fresh_spec fresh = {
    .dialect = "official",
    .unmade_when = "is_wavelets",
    .keys = (const pml_fresh_key[]){PML_SEASONAL_FRESH_KEYS,
                                    {"version", "fourier", NULL},
                                    {"cross_activation", "tanh", NULL},
                                    {"decomposition_kernels", "24", NULL},
                                    {"encoder_modes", "@modes:context_length", "is_fourier"},
                                    {"decoder_modes", "@modes:label_length + prediction_length", "is_fourier"},
                                    {"query_modes", "@modes:label_length + prediction_length", "is_fourier"},
                                    {"key_modes", "@modes:context_length", "is_fourier"},
                                    {"num_encoder_modes", "@count:encoder_modes", "is_fourier"},
                                    {"num_decoder_modes", "@count:decoder_modes", "is_fourier"},
                                    {"num_query_modes", "@count:query_modes", "is_fourier"},
                                    {NULL, NULL, NULL}},
    .weights = (const pml_fresh_weight[]){PML_SEASONAL_FRESH_WEIGHTS,
                                          {"*.modes.*", NULL, "uniform", "d_model * d_model * d_model * d_model"},
                                          {"*.embedding.position", NULL, "sines", NULL},
                                          {NULL, NULL, NULL, NULL}}};

extern const pml_schema pml_schema_fedformer;
const pml_schema pml_schema_fedformer = {
    .name = "fedformer",
    .architecture = "FEDformer: series decomposition with a few frequencies or wavelets, for forecasting",
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
    .fixed = (const pml_fixed_spec[]){PML_SEASONAL_FIXED, {"wavelet.*", NULL}, {NULL, NULL}},
    .fresh = &fresh,
};
