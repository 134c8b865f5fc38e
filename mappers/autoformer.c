/* Autoformer: the names of each code base (specs/models/autoformer.md). All of them kept the official ones; arguments
 * differ, and neuralforecast's networks see one channel and no time marks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mappers/research.h"
#include "runtime/base/alloc.h"

/* Convolutions over three steps [out,in,3] are products with the steps side by side: rows tap*in + i. */
#define TAPS(n_in, n_out) "permute(2,1,0);reshape({3*" n_in "},{" n_out "})"
/* Convolutions over one step [out,in,1]. */
#define POINTWISE(n_out, n_in) "reshape({" n_out "},{" n_in "});transpose"

#define LINEAR(from, to)                                                                                               \
    {NULL, from ".weight", to ".weight", "transpose", NULL, NULL}, {                                                   \
        NULL, from ".bias", to ".bias", "", NULL, NULL                                                                 \
    }
#define ATTENTION(from, to)                                                                                            \
    LINEAR(from ".query_projection", to ".q"), LINEAR(from ".key_projection", to ".k"),                                \
        LINEAR(from ".value_projection", to ".v"), LINEAR(from ".out_projection", to ".out")
#define UP(from) from ".conv1.weight"
#define DOWN(from) from ".conv2.weight"
#define FEED_FORWARD(from, to)                                                                                         \
    {NULL, UP(from), to ".ffn.up.weight", POINTWISE("ffn_dim", "d_model"), NULL, NULL}, {                              \
        NULL, DOWN(from), to ".ffn.down.weight", POINTWISE("d_model", "ffn_dim"), NULL, NULL                           \
    }
#define NORM(from, to)                                                                                                 \
    {NULL, from ".weight", to ".weight", "", NULL, NULL}, {                                                            \
        NULL, from ".bias", to ".bias", "", NULL, NULL                                                                 \
    }
/* A table of the calendar: trained ones lie one module higher than fixed ones. */
#define CALENDAR(from, part, to)                                                                                       \
    {NULL, from "." part "_embed.weight", to "." part ".weight", "", "time_embedding == 'learned'", NULL}, {           \
        NULL, from "." part "_embed.emb.weight", to "." part ".weight", "", "time_embedding == 'fixed'", NULL          \
    }
#define TOKENS(from) from ".value_embedding.tokenConv.weight"
#define TABLE(from) from ".position_embedding.pe"
#define EMBEDDING(from, to)                                                                                            \
    {NULL, TOKENS(from), to ".value.weight", TAPS("num_input_channels", "d_model"), NULL, NULL},                       \
        {NULL, from ".temporal_embedding.embed.weight", to ".time.weight", "transpose", NULL, NULL},                   \
        CALENDAR(from ".temporal_embedding", "month", to), CALENDAR(from ".temporal_embedding", "day", to),            \
        CALENDAR(from ".temporal_embedding", "weekday", to), CALENDAR(from ".temporal_embedding", "hour", to),         \
        CALENDAR(from ".temporal_embedding", "minute", to), {                                                          \
        NULL, TABLE(from), NULL, NULL, NULL, "a table of positions that no layer adds"                                 \
    }

#define ENCODER "encoder.attn_layers.{l}"
#define DECODER "decoder.layers.{l}"
#define TREND DECODER ".projection.weight"

static const pml_map_rule rules[] = {
    EMBEDDING("enc_embedding", "encoder.embedding"),
    ATTENTION(ENCODER ".attention", "encoder.layer.{l}.attention"),
    FEED_FORWARD(ENCODER, "encoder.layer.{l}"),
    NORM("encoder.norm.layernorm", "encoder.norm"),
    EMBEDDING("dec_embedding", "decoder.embedding"),
    ATTENTION(DECODER ".self_attention", "decoder.layer.{l}.attention"),
    ATTENTION(DECODER ".cross_attention", "decoder.layer.{l}.cross"),
    FEED_FORWARD(DECODER, "decoder.layer.{l}"),
    {NULL, TREND, "decoder.layer.{l}.trend.weight", TAPS("d_model", "num_input_channels"), NULL, NULL},
    NORM("decoder.norm.layernorm", "decoder.norm"),
    LINEAR("decoder.projection", "head"),
    PML_NEURALFORECAST_DROPPED,
    {NULL, NULL, NULL, NULL, NULL, NULL}};

static const char *const witnesses_all[] = {"encoder.embedding.value.weight",
                                            "encoder.layer.0.attention.q.weight",
                                            "encoder.layer.0.ffn.up.weight",
                                            "encoder.norm.weight",
                                            "decoder.embedding.value.weight",
                                            "decoder.layer.0.cross.q.weight",
                                            "decoder.layer.0.trend.weight",
                                            "decoder.layer.0.attention.out.weight",
                                            "head.weight",
                                            NULL};
static const char *const *const witnesses[] = {witnesses_all, NULL};

/* ---- configuration ---- */
#define SIZES                                                                                                          \
    PML_ASKED("d_model", "d_model"), PML_ASKED("ffn_dim", "d_ff"), PML_ASKED("num_encoder_layers", "e_layers"),        \
        PML_ASKED("num_decoder_layers", "d_layers")
#define ACTIVATION                                                                                                     \
    { .key = "activation", .source = "activation", .words = "gelu=gelu|relu=relu", .fallback = "gelu", .is_open = true }

static const pml_config_rule official[] = {
    PML_ASKED("num_input_channels", "enc_in"),
    PML_ASKED("context_length", "seq_len"),
    PML_ASKED("label_length", "label_len"),
    PML_ASKED("prediction_length", "pred_len"),
    SIZES,
    PML_ASKED("num_attention_heads", "n_heads"),
    PML_ASKED("decomposition_kernel", "moving_avg"),
    PML_ASKED("correlation_factor", "factor"),
    ACTIVATION,
    {.key = "time_embedding",
     .source = "embed",
     .words = "timeF=timeF|fixed=fixed|learned=learned",
     .must_ask = true,
     .from_tensors = true},
    {.key = "frequency", .source = "freq", .words = PML_FREQUENCY_WORDS, .must_ask = true, .from_tensors = true},
    PML_TRAINING("dropout", "dropout"),
    {.key = NULL}};

#define LABEL_SHARE "decoder_input_size_multiplier"
#define LABEL_SHARE_DEFAULT "0.5"
static const char *const other_keys[] = {LABEL_SHARE, NULL};

/* Its label_length: a share of the look-back, rounded up. */
static pml_status derive_label(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error) {
    static const pml_config_rule label = {.key = "label_length"},
                                 steps = {.key = "context_length", .source = "input_size"},
                                 share = {.key = LABEL_SHARE, .source = LABEL_SHARE};
    (void)rule;
    pml_status status = PML_OK;
    char *n_steps = NULL, *factor = NULL;
    PML_TRY(pml_config_get(r, &label, PML_CONFIG_INT, text, error));
    PML_TRY(pml_config_get(r, &steps, PML_CONFIG_INT, &n_steps, error));
    PML_TRY(pml_config_get(r, &share, PML_CONFIG_REAL, &factor, error));
    if (*text == NULL && n_steps != NULL) {
        const double by = strtod(factor != NULL ? factor : LABEL_SHARE_DEFAULT, NULL);
        char number[32];
        const int n = snprintf(number, sizeof number, "%.0f", ceil(strtod(n_steps, NULL) * by));
        PML_TRY(pml_string_copy(number, (size_t)n, text, error));
    }

done:
    pml_free(n_steps);
    pml_free(factor);
    return status;
}

static const pml_config_rule forecasting[] = {
    PML_FIXED("num_input_channels", "1"),
    PML_ASKED("context_length", "input_size"),
    {.key = "label_length", .source = LABEL_SHARE, .must_ask = true, .derive = derive_label},
    PML_ASKED("prediction_length", "h"),
    PML_ASKED("d_model", "hidden_size"),
    PML_ASKED("ffn_dim", "conv_hidden_size"),
    PML_ASKED("num_encoder_layers", "encoder_layers"),
    PML_ASKED("num_decoder_layers", "decoder_layers"),
    {.key = "num_attention_heads", .source = "n_head", .fallback = "4"},
    {.key = "decomposition_kernel", .source = "MovingAvg_window", .fallback = "25"},
    {.key = "correlation_factor", .source = "factor", .fallback = "3"},
    ACTIVATION,
    PML_FIXED("time_embedding", "none"),
    PML_FIXED("frequency", "h"),
    PML_TRAINING("dropout", "dropout"),
    {.key = NULL}};

/* ---- dialects ---- */
#define SHAPE(name, text)                                                                                              \
    { .pattern = (name), .shape = (text) }
/* Their table of positions has room for 5000 steps, and the network loads it without use. */
#define POSITIONS(from, to)                                                                                            \
    {                                                                                                                  \
        .pattern = TABLE(from), .shape = "1, 5000, d_model", .fill = PML_FILL_SINCOS, .dtype = PML_DTYPE_F32,          \
        .beside = to ".value.weight"                                                                                   \
    }
#define SHAPES                                                                                                         \
    SHAPE(TOKENS("enc_embedding"), "d_model, num_input_channels, 3"),                                                  \
        SHAPE(TOKENS("dec_embedding"), "d_model, num_input_channels, 3"), SHAPE(UP(ENCODER), "ffn_dim, d_model, 1"),   \
        SHAPE(DOWN(ENCODER), "d_model, ffn_dim, 1"), SHAPE(UP(DECODER), "ffn_dim, d_model, 1"),                        \
        SHAPE(DOWN(DECODER), "d_model, ffn_dim, 1"), SHAPE(TREND, "num_input_channels, d_model, 3")
static const pml_map_foreign research_tensors[] = {SHAPES,
                                                   POSITIONS("enc_embedding", "encoder.embedding"),
                                                   POSITIONS("dec_embedding", "decoder.embedding"),
                                                   {.pattern = NULL}};
static const pml_map_foreign forecasting_tensors[] = {SHAPES, {.pattern = NULL}};

static const pml_map_written research_lines[] = {{"model", "\"Autoformer\"", NULL},
                                                 {"dec_in", "{num_input_channels}", NULL},
                                                 {"c_out", "{num_input_channels}", NULL},
                                                 {NULL, NULL, NULL}};
static const pml_map_written library_lines[] = {{"model", "\"Autoformer\"", NULL},
                                                {"task_name", "\"long_term_forecast\"", NULL},
                                                {"dec_in", "{num_input_channels}", NULL},
                                                {"c_out", "{num_input_channels}", NULL},
                                                {NULL, NULL, NULL}};
static const pml_map_written forecasting_lines[] = {
    {LABEL_SHARE, LABEL_SHARE_DEFAULT, "label_length == (context_length + 1) / 2"}, {NULL, NULL, NULL}};

static const pml_map_dialect dialects[] = {{.name = PML_OFFICIAL,
                                            .keys = official,
                                            .written = research_lines,
                                            .tensors = research_tensors,
                                            .config_file = "config.json"},
                                           {.name = PML_TSL,
                                            .keys = official,
                                            .written = library_lines,
                                            .tensors = research_tensors,
                                            .config_file = "config.json"},
                                           {.name = PML_NEURALFORECAST,
                                            .keys = forecasting,
                                            .written = forecasting_lines,
                                            .tensors = forecasting_tensors,
                                            .config_file = "config.json"},
                                           {.name = NULL}};

/* ---- what tensors say ---- */
static void examine_time(const pml_facts *facts, pml_evidence *said) {
    static const char *const frequencies[] = {NULL, NULL, "w", NULL, "h", "t", "s"}; /* by number of time features */
    const pml_fact *marks = pml_facts_find(facts, "encoder.embedding.time.weight");
    const pml_fact *hours = pml_facts_find(facts, "encoder.embedding.hour.weight");
    if (marks != NULL && marks->source->rank == 2) {
        const uint64_t n = marks->source->shape[1];
        (void)pml_evidence_add(said, "time_embedding", marks, "timeF");
        if (n < sizeof frequencies / sizeof frequencies[0] && frequencies[n] != NULL) {
            (void)pml_evidence_add(said, "frequency", marks, frequencies[n]);
        }
    } else if (hours != NULL) {
        const size_t n_bytes = strlen(hours->source->name), n_end = strlen(".emb.weight");
        const bool is_fixed = n_bytes > n_end && strcmp(hours->source->name + n_bytes - n_end, ".emb.weight") == 0;
        const pml_fact *minutes = pml_facts_find(facts, "encoder.embedding.minute.weight");
        (void)pml_evidence_add(said, "time_embedding", hours, is_fixed ? "fixed" : "learned");
        if (minutes != NULL) {
            (void)pml_evidence_add(said, "frequency", minutes, "t");
        }
    }
}

static void examine(const pml_facts *facts, const char *dialect, pml_evidence *said) {
    const pml_fact *tokens = pml_facts_find(facts, "encoder.embedding.value.weight");
    (void)dialect;
    if (tokens != NULL && tokens->source->rank == 3) {
        pml_evidence_add_number(said, "d_model", tokens, tokens->source->shape[0]);
        pml_evidence_add_number(said, "num_input_channels", tokens, tokens->source->shape[1]);
    }
    const pml_fact *up = pml_facts_find(facts, "encoder.layer.0.ffn.up.weight");
    if (up != NULL && up->source->rank == 3) {
        pml_evidence_add_number(said, "ffn_dim", up, up->source->shape[0]);
    }
    const pml_fact *encoder = pml_facts_find(facts, "encoder.layer.0.attention.q.weight");
    const pml_fact *decoder = pml_facts_find(facts, "decoder.layer.0.attention.q.weight");
    if (encoder != NULL) {
        pml_evidence_add_number(said, "num_encoder_layers", encoder,
                                pml_facts_count(facts, "encoder.layer.{l}.attention.q.weight", 'l'));
    }
    if (decoder != NULL) {
        pml_evidence_add_number(said, "num_decoder_layers", decoder,
                                pml_facts_count(facts, "decoder.layer.{l}.attention.q.weight", 'l'));
    }
    examine_time(facts, said);
}

static pml_status describe(const pml_config_reader *r, pml_detection *d, pml_error *error) {
    return pml_detection_set(&d->variant, error, "prediction, time marks: %s",
                             pml_research_choice(r, "time_embedding"));
}

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
