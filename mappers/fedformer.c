/* FEDformer: the names of each code base (specs/models/fedformer.md). Around Autoformer's names, the frequencies that
 * stand in the place of attention; all layers of a stack share one such object, and its tensors are stored once. */
#include <string.h>

#include "mappers/fedformer/fedformer_config.h"
#include "mappers/seasonal_rules.h"

#define SELF(part) "encoder.attn_layers.0.attention.inner_correlation." part
#define DECODED(part) "decoder.layers.0.self_attention.inner_correlation." part
#define CROSS(part) "decoder.layers.0.cross_attention.inner_correlation." part

/* Complex [H, in, out, M], seen as real [H, in, out, M, 2]: one matrix per head and frequency, parts apart. */
#define PART(i, count)                                                                                                 \
    "permute(0,3,1,2,4);reshape({num_attention_heads*" count "},{head_width},{head_width},2);slice(3," i ",2);"        \
    "reshape({num_attention_heads*" count "},{head_width},{head_width})"
#define COMPLEX(dialect, from, to, count)                                                                              \
    {dialect, from, to ".real", PART("0", count), "is_fourier", NULL}, {                                               \
        dialect, from, to ".imaginary", PART("1", count), "is_fourier", NULL                                           \
    }
/* The library's pair of real tensors [H, in, out, M]. */
#define REAL(count) "permute(0,3,1,2);reshape({num_attention_heads*" count "},{head_width},{head_width})"
#define PAIR(from, to, count)                                                                                          \
    {PML_TSL, from "1", to ".real", REAL(count), NULL, NULL}, {                                                        \
        PML_TSL, from "2", to ".imaginary", REAL(count), NULL, NULL                                                    \
    }

/* Wavelets: complex [in, out, M]. */
#define WIDE_PART(i) "permute(2,0,1,3);slice(3," i ",2);reshape({wavelet_modes},{wavelet_width},{wavelet_width})"
#define MULTIPLIER(from, to)                                                                                           \
    {PML_OFFICIAL, from ".weights1", to ".real", WIDE_PART("0"), NULL, NULL}, {                                        \
        PML_OFFICIAL, from ".weights1", to ".imaginary", WIDE_PART("1"), NULL, NULL                                    \
    }
#define LINEAR(from, to)                                                                                               \
    {PML_OFFICIAL, from ".weight", to ".weight", "transpose", NULL, NULL}, {                                           \
        PML_OFFICIAL, from ".bias", to ".bias", "", NULL, NULL                                                         \
    }
#define WAVELETS(place, to)                                                                                            \
    LINEAR(place("Lk0"), to ".in"), LINEAR(place("Lk1"), to ".out"), MULTIPLIER(place("MWT_CZ.0.A"), to ".a"),         \
        MULTIPLIER(place("MWT_CZ.0.B"), to ".b"), MULTIPLIER(place("MWT_CZ.0.C"), to ".c"),                            \
        LINEAR(place("MWT_CZ.0.T0"), to ".coarse")
#define FILTER(name)                                                                                                   \
    {PML_OFFICIAL, SELF("MWT_CZ.0." name), "wavelet." name, "", NULL, NULL},                                           \
        {PML_OFFICIAL, DECODED("MWT_CZ.0." name), NULL, NULL, NULL, SAME_FILTER}, {                                    \
        PML_OFFICIAL, CROSS(name), NULL, NULL, NULL, SAME_FILTER                                                       \
    }
#define SAME_FILTER "every block has the same filters"
#define SAME_OBJECT "the layers of a stack share it"
#define GATE(from, to)                                                                                                 \
    {NULL, from ".layer.weight", to ".gate.weight", "transpose", NULL, NULL}, {                                        \
        NULL, from ".layer.bias", to ".gate.bias", "", NULL, NULL                                                      \
    }
#define POSITIONS(from, to, count)                                                                                     \
    {PML_TSL, PML_SEASONAL_TABLE(from), to ".position", "reshape(-1,{d_model});narrow(0,0,{" count "})", NULL, NULL},  \
        PML_SEASONAL_TABLE_DROPPED(PML_OFFICIAL, from)

static const pml_map_rule rules[] = {
    PML_SEASONAL_RULES,
    POSITIONS("enc_embedding", "encoder.embedding", "context_length"),
    POSITIONS("dec_embedding", "decoder.embedding", "label_length+prediction_length"),
    GATE("decomp", "split"),
    GATE(PML_SEASONAL_ENCODER ".decomp1", "encoder.layer.{l}.split1"),
    GATE(PML_SEASONAL_ENCODER ".decomp2", "encoder.layer.{l}.split2"),
    GATE(PML_SEASONAL_DECODER ".decomp1", "decoder.layer.{l}.split1"),
    GATE(PML_SEASONAL_DECODER ".decomp2", "decoder.layer.{l}.split2"),
    GATE(PML_SEASONAL_DECODER ".decomp3", "decoder.layer.{l}.split3"),
    COMPLEX(PML_OFFICIAL, SELF("weights1"), "encoder.modes", "num_encoder_modes"),
    COMPLEX(PML_OFFICIAL, DECODED("weights1"), "decoder.modes", "num_decoder_modes"),
    COMPLEX(PML_OFFICIAL, CROSS("weights1"), "cross.modes", "num_query_modes"),
    COMPLEX(PML_NEURALFORECAST, SELF("weights1"), "encoder.modes", "num_encoder_modes"),
    COMPLEX(PML_NEURALFORECAST, DECODED("weights1"), "decoder.modes", "num_decoder_modes"),
    COMPLEX(PML_NEURALFORECAST, CROSS("weights1"), "cross.modes", "num_query_modes"),
    PAIR(SELF("weights"), "encoder.modes", "num_encoder_modes"),
    PAIR(DECODED("weights"), "decoder.modes", "num_decoder_modes"),
    PAIR(CROSS("weights"), "cross.modes", "num_query_modes"),
    WAVELETS(SELF, "encoder.wavelets"),
    WAVELETS(DECODED, "decoder.wavelets"),
    LINEAR(CROSS("Lq"), "cross.wavelets.q"),
    LINEAR(CROSS("Lk"), "cross.wavelets.k"),
    LINEAR(CROSS("Lv"), "cross.wavelets.v"),
    LINEAR(CROSS("out"), "cross.wavelets.out"),
    FILTER("ec_s"),
    FILTER("ec_d"),
    FILTER("rc_e"),
    FILTER("rc_o"),
    {PML_OFFICIAL, CROSS("T0.*"), NULL, NULL, NULL, "no layer computes with it"},
    {NULL, PML_SEASONAL_ENCODER ".attention.inner_correlation.*", NULL, NULL, NULL, SAME_OBJECT},
    {NULL, PML_SEASONAL_DECODER ".self_attention.inner_correlation.*", NULL, NULL, NULL, SAME_OBJECT},
    {NULL, PML_SEASONAL_DECODER ".cross_attention.inner_correlation.*", NULL, NULL, NULL, SAME_OBJECT},
    PML_NEURALFORECAST_DROPPED,
    {NULL, NULL, NULL, NULL, NULL, NULL}};

static const char *const of_fourier[] = {PML_SEASONAL_WITNESSES, "encoder.modes.real", "cross.modes.real", NULL};
static const char *const of_wavelets[] = {PML_SEASONAL_WITNESSES, "encoder.wavelets.in.weight",
                                          "cross.wavelets.q.weight", NULL};
static const char *const *const witnesses[] = {of_fourier, of_wavelets, NULL};

/* ---- configuration ---- */
#define COUNTED(name)                                                                                                  \
    { .key = (name), .from_tensors = true }
#define COUNTS                                                                                                         \
    COUNTED("num_gates"), COUNTED("num_encoder_modes"), COUNTED("num_decoder_modes"), COUNTED("num_query_modes")
#define KERNELS(argument, ...)                                                                                         \
    { .key = "decomposition_kernels", .source = (argument), .derive = pml_fedformer_derive_kernels, __VA_ARGS__ }

static const pml_config_rule official[] = {
    PML_SEASONAL_ARGUMENTS,
    {.key = "version",
     .source = "version",
     .words = "Fourier=fourier|Wavelets=wavelets",
     .must_ask = true,
     .from_tensors = true},
    {.key = "cross_activation",
     .source = "cross_activation",
     .words = "tanh=tanh|softmax=softmax",
     .must_ask = true,
     .derive = pml_fedformer_derive_activation},
    KERNELS("moving_avg", .must_ask = true),
    COUNTS,
    COUNTED("wavelet_channels"),
    COUNTED("wavelet_modes"),
    {.key = "cross_modes", .source = "modes", .when = "is_wavelets", .must_ask = true},
    {.key = "ignored_levels", .source = "L", .when = "is_wavelets", .must_ask = true},
    {.key = NULL}};

static const pml_config_rule library[] = {PML_SEASONAL_ARGUMENTS,
                                          PML_FIXED("version", "fourier"),
                                          PML_FIXED("cross_activation", "tanh_separate"),
                                          KERNELS("moving_avg", .must_ask = true),
                                          COUNTS,
                                          PML_FIXED("has_positions", "true"),
                                          {.key = NULL}};

static const pml_config_rule forecasting[] = {PML_SEASONAL_FORECASTING,
                                              {.key = "num_attention_heads", .source = "n_head", .fallback = "8"},
                                              PML_FIXED("version", "fourier"),
                                              PML_FIXED("cross_activation", "tanh"),
                                              KERNELS("MovingAvg_window", .fallback = "25"),
                                              PML_NEURALFORECAST_SCALER("identity"),
                                              COUNTS,
                                              {.key = NULL}};

#define UNWRITTEN "its networks choose frequencies when they are built, which no checkpoint can tell them"
static const pml_map_dialect dialects[] = {
    {.name = PML_OFFICIAL, .keys = official, .config_file = "config.json", .unwritten = UNWRITTEN},
    {.name = PML_TSL, .keys = library, .config_file = "config.json", .unwritten = UNWRITTEN},
    {.name = PML_NEURALFORECAST, .keys = forecasting, .config_file = "config.json", .unwritten = UNWRITTEN},
    {.name = NULL}};

/* ---- what tensors say ---- */
/* The last axis of a place's weights: how many frequencies it keeps. */
static void examine_modes(const pml_facts *facts, const char *target, const char *key, bool is_pair,
                          pml_evidence *said) {
    const pml_fact *fact = pml_facts_find(facts, target);
    if (fact != NULL && fact->source->rank == (is_pair ? 4u : 5u)) {
        pml_evidence_add_number(said, key, fact, fact->source->shape[3]);
    }
}

static void examine(const pml_facts *facts, const char *dialect, pml_evidence *said) {
    const bool is_pair = strcmp(dialect, PML_TSL) == 0;
    pml_seasonal_examine(facts, said);
    examine_modes(facts, "encoder.modes.real", "num_encoder_modes", is_pair, said);
    examine_modes(facts, "decoder.modes.real", "num_decoder_modes", is_pair, said);
    examine_modes(facts, "cross.modes.real", "num_query_modes", is_pair, said);
    const pml_fact *modes = pml_facts_find(facts, "encoder.modes.real");
    const pml_fact *in = pml_facts_find(facts, "encoder.wavelets.in.weight");
    const pml_fact *a = pml_facts_find(facts, "encoder.wavelets.a.real");
    const pml_fact *gate = pml_facts_find(facts, "split.gate.weight");
    if (modes != NULL && modes->source->rank >= 1) {
        (void)pml_evidence_add(said, "version", modes, "fourier");
        pml_evidence_add_number(said, "num_attention_heads", modes, modes->source->shape[0]);
    } else if (in != NULL && in->source->rank == 2) {
        (void)pml_evidence_add(said, "version", in, "wavelets");
        pml_evidence_add_number(said, "wavelet_channels", in, in->source->shape[0] / 8);
    }
    if (a != NULL && a->source->rank == 4) {
        pml_evidence_add_number(said, "wavelet_modes", a, a->source->shape[2]);
    }
    if (gate != NULL && gate->source->rank == 2) {
        pml_evidence_add_number(said, "num_gates", gate, gate->source->shape[0]);
    }
}

static pml_status describe(const pml_config_reader *r, pml_detection *d, pml_error *error) {
    return pml_detection_set(&d->variant, error, "%s, time marks: %s", pml_research_choice(r, "version"),
                             pml_research_choice(r, "time_embedding"));
}

static const char *const models[] = {"FEDformer", NULL};
static const pml_research family = {.models = models,
                                    .class_names = models,
                                    .witnesses = witnesses,
                                    .other_keys = pml_fedformer_other_keys,
                                    .examine = examine,
                                    .complete = pml_fedformer_complete,
                                    .describe = describe};

static pml_status detect(const pml_map_source *source, pml_detection *d, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_research_detect(&family, source, d, error));
    /* Only the library keeps real and imaginary parts apart; all names else are the same. */
    if (pml_map_tensor_find(source, SELF("weights2")) != NULL) {
        d->dialect = PML_TSL;
    }

done:
    return status;
}

static pml_status read_config(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                              pml_error *error) {
    return pml_research_config(&family, source, detection, config, error);
}

extern const pml_mapper pml_mapper_fedformer;
const pml_mapper pml_mapper_fedformer = {
    .name = "fedformer",
    .detect = detect,
    .config = read_config,
    .rules = rules,
    .model_types = models,
    .config_attribute = PML_NEURALFORECAST_CONFIG,
    .class_attribute = PML_NEURALFORECAST_CLASS,
    .class_names = models,
    .dialects = dialects,
};
