/* What the mappers of Autoformer and FEDformer share: rows for the names of their common network, whose code bases all
 * kept the official ones, and what its tensors say. */
#ifndef PML_MAPPERS_SEASONAL_RULES_H
#define PML_MAPPERS_SEASONAL_RULES_H

#include "mappers/research.h"

/* ---- rules ---- */
/* Convolutions over three steps [out,in,3] are products with the steps side by side: rows tap*in + i. */
#define PML_SEASONAL_TAPS(n_in, n_out) "permute(2,1,0);reshape({3*" n_in "},{" n_out "})"
/* Convolutions over one step [out,in,1]. */
#define PML_SEASONAL_POINTWISE(n_out, n_in) "reshape({" n_out "},{" n_in "});transpose"

#define PML_SEASONAL_LINEAR(from, to)                                                                                  \
    {NULL, from ".weight", to ".weight", "transpose", NULL, NULL}, {                                                   \
        NULL, from ".bias", to ".bias", "", NULL, NULL                                                                 \
    }
#define PML_SEASONAL_ATTENTION(from, to)                                                                               \
    PML_SEASONAL_LINEAR(from ".query_projection", to ".q"), PML_SEASONAL_LINEAR(from ".key_projection", to ".k"),      \
        PML_SEASONAL_LINEAR(from ".value_projection", to ".v"), PML_SEASONAL_LINEAR(from ".out_projection", to ".out")
#define PML_SEASONAL_UP(from) from ".conv1.weight"
#define PML_SEASONAL_DOWN(from) from ".conv2.weight"
#define PML_SEASONAL_FEED_FORWARD(from, to)                                                                            \
    {NULL, PML_SEASONAL_UP(from), to ".ffn.up.weight", PML_SEASONAL_POINTWISE("ffn_dim", "d_model"), NULL, NULL}, {    \
        NULL, PML_SEASONAL_DOWN(from), to ".ffn.down.weight", PML_SEASONAL_POINTWISE("d_model", "ffn_dim"), NULL, NULL \
    }
#define PML_SEASONAL_NORM(from, to)                                                                                    \
    {NULL, from ".weight", to ".weight", "", NULL, NULL}, {                                                            \
        NULL, from ".bias", to ".bias", "", NULL, NULL                                                                 \
    }
/* A table of the calendar: trained ones lie one module higher than fixed ones. */
#define PML_SEASONAL_CALENDAR(from, part, to)                                                                          \
    {NULL, from "." part "_embed.weight", to "." part ".weight", "", "time_embedding == 'learned'", NULL}, {           \
        NULL, from "." part "_embed.emb.weight", to "." part ".weight", "", "time_embedding == 'fixed'", NULL          \
    }
#define PML_SEASONAL_TOKENS(from) from ".value_embedding.tokenConv.weight"
#define PML_SEASONAL_TABLE(from) from ".position_embedding.pe"
#define PML_SEASONAL_EMBEDDING(from, to)                                                                               \
    {NULL, PML_SEASONAL_TOKENS(from), to ".value.weight", PML_SEASONAL_TAPS("num_input_channels", "d_model"), NULL,    \
     NULL},                                                                                                            \
        {NULL, from ".temporal_embedding.embed.weight", to ".time.weight", "transpose", NULL, NULL},                   \
        PML_SEASONAL_CALENDAR(from ".temporal_embedding", "month", to),                                                \
        PML_SEASONAL_CALENDAR(from ".temporal_embedding", "day", to),                                                  \
        PML_SEASONAL_CALENDAR(from ".temporal_embedding", "weekday", to),                                              \
        PML_SEASONAL_CALENDAR(from ".temporal_embedding", "hour", to),                                                 \
        PML_SEASONAL_CALENDAR(from ".temporal_embedding", "minute", to)

#define PML_SEASONAL_ENCODER "encoder.attn_layers.{l}"
#define PML_SEASONAL_DECODER "decoder.layers.{l}"
#define PML_SEASONAL_TREND PML_SEASONAL_DECODER ".projection.weight"

#define PML_SEASONAL_RULES                                                                                             \
    PML_SEASONAL_EMBEDDING("enc_embedding", "encoder.embedding"),                                                      \
        PML_SEASONAL_ATTENTION(PML_SEASONAL_ENCODER ".attention", "encoder.layer.{l}.attention"),                      \
        PML_SEASONAL_FEED_FORWARD(PML_SEASONAL_ENCODER, "encoder.layer.{l}"),                                          \
        PML_SEASONAL_NORM("encoder.norm.layernorm", "encoder.norm"),                                                   \
        PML_SEASONAL_EMBEDDING("dec_embedding", "decoder.embedding"),                                                  \
        PML_SEASONAL_ATTENTION(PML_SEASONAL_DECODER ".self_attention", "decoder.layer.{l}.attention"),                 \
        PML_SEASONAL_ATTENTION(PML_SEASONAL_DECODER ".cross_attention", "decoder.layer.{l}.cross"),                    \
        PML_SEASONAL_FEED_FORWARD(PML_SEASONAL_DECODER, "decoder.layer.{l}"),                                          \
        {NULL,                                                                                                         \
         PML_SEASONAL_TREND,                                                                                           \
         "decoder.layer.{l}.trend.weight",                                                                             \
         PML_SEASONAL_TAPS("d_model", "num_input_channels"),                                                           \
         NULL,                                                                                                         \
         NULL},                                                                                                        \
        PML_SEASONAL_NORM("decoder.norm.layernorm", "decoder.norm"), PML_SEASONAL_LINEAR("decoder.projection", "head")
/* Where positions are not added, the table is there all the same. */
#define PML_SEASONAL_TABLE_DROPPED(dialect, from)                                                                      \
    { (dialect), PML_SEASONAL_TABLE(from), NULL, NULL, NULL, "a table of positions that no layer adds" }

/* Weights without which nothing computes. */
#define PML_SEASONAL_WITNESSES                                                                                         \
    "encoder.embedding.value.weight", "encoder.layer.0.attention.q.weight", "encoder.layer.0.ffn.up.weight",           \
        "encoder.norm.weight", "decoder.embedding.value.weight", "decoder.layer.0.cross.q.weight",                     \
        "decoder.layer.0.trend.weight", "decoder.layer.0.attention.out.weight", "head.weight"

/* ---- configuration ---- */
/* Arguments of the official code and of Time-Series-Library. */
#define PML_SEASONAL_ARGUMENTS                                                                                         \
    PML_ASKED("num_input_channels", "enc_in"), PML_ASKED("context_length", "seq_len"),                                 \
        PML_ASKED("label_length", "label_len"), PML_ASKED("prediction_length", "pred_len"),                            \
        PML_ASKED("d_model", "d_model"), PML_ASKED("ffn_dim", "d_ff"), PML_ASKED("num_encoder_layers", "e_layers"),    \
        PML_ASKED("num_decoder_layers", "d_layers"), PML_ASKED("num_attention_heads", "n_heads"),                      \
        PML_SEASONAL_ACTIVATION,                                                                                       \
        {.key = "time_embedding",                                                                                      \
         .source = "embed",                                                                                            \
         .words = "timeF=timeF|fixed=fixed|learned=learned",                                                           \
         .must_ask = true,                                                                                             \
         .from_tensors = true},                                                                                        \
        {.key = "frequency", .source = "freq", .words = PML_FREQUENCY_WORDS, .must_ask = true, .from_tensors = true},  \
        PML_TRAINING("dropout", "dropout")
#define PML_SEASONAL_ACTIVATION                                                                                        \
    { .key = "activation", .source = "activation", .words = "gelu=gelu|relu=relu", .fallback = "gelu", .is_open = true }
/* neuralforecast's: one channel, no time marks. */
#define PML_SEASONAL_LABEL_SHARE "decoder_input_size_multiplier"
#define PML_SEASONAL_LABEL_SHARE_DEFAULT "0.5"
#define PML_SEASONAL_FORECASTING                                                                                       \
    PML_FIXED("num_input_channels", "1"), PML_ASKED("context_length", "input_size"),                                   \
        {.key = "label_length",                                                                                        \
         .source = PML_SEASONAL_LABEL_SHARE,                                                                           \
         .must_ask = true,                                                                                             \
         .derive = pml_seasonal_derive_label},                                                                         \
        PML_ASKED("prediction_length", "h"), PML_ASKED("d_model", "hidden_size"),                                      \
        PML_ASKED("ffn_dim", "conv_hidden_size"), PML_ASKED("num_encoder_layers", "encoder_layers"),                   \
        PML_ASKED("num_decoder_layers", "decoder_layers"), PML_SEASONAL_ACTIVATION,                                    \
        PML_FIXED("time_embedding", "none"), PML_FIXED("frequency", "h"), PML_TRAINING("dropout", "dropout")
pml_status pml_seasonal_derive_label(pml_config_reader *reader, const pml_config_rule *rule, char **text,
                                     pml_error *error);

/* ---- dialects ---- */
#define PML_SEASONAL_SHAPE(name, text)                                                                                 \
    { .pattern = (name), .shape = (text) }
/* Their table of positions has room for 5000 steps, and the network loads it without use. */
#define PML_SEASONAL_POSITIONS(from, to)                                                                               \
    {                                                                                                                  \
        .pattern = PML_SEASONAL_TABLE(from), .shape = "1, 5000, d_model", .fill = PML_FILL_SINCOS,                     \
        .dtype = PML_DTYPE_F32, .beside = to ".value.weight"                                                           \
    }
#define PML_SEASONAL_SHAPES                                                                                            \
    PML_SEASONAL_SHAPE(PML_SEASONAL_TOKENS("enc_embedding"), "d_model, num_input_channels, 3"),                        \
        PML_SEASONAL_SHAPE(PML_SEASONAL_TOKENS("dec_embedding"), "d_model, num_input_channels, 3"),                    \
        PML_SEASONAL_SHAPE(PML_SEASONAL_UP(PML_SEASONAL_ENCODER), "ffn_dim, d_model, 1"),                              \
        PML_SEASONAL_SHAPE(PML_SEASONAL_DOWN(PML_SEASONAL_ENCODER), "d_model, ffn_dim, 1"),                            \
        PML_SEASONAL_SHAPE(PML_SEASONAL_UP(PML_SEASONAL_DECODER), "ffn_dim, d_model, 1"),                              \
        PML_SEASONAL_SHAPE(PML_SEASONAL_DOWN(PML_SEASONAL_DECODER), "d_model, ffn_dim, 1"),                            \
        PML_SEASONAL_SHAPE(PML_SEASONAL_TREND, "num_input_channels, d_model, 3")
/* Lines of a configuration that no key gives. */
#define PML_SEASONAL_CHANNEL_LINES                                                                                     \
    {"dec_in", "{num_input_channels}", NULL}, {                                                                        \
        "c_out", "{num_input_channels}", NULL                                                                          \
    }
/* The share is rounded up to steps: quarters are written, the default where it will do. */
#define PML_SEASONAL_HALF "label_length == (context_length + 1) / 2"
#define PML_SEASONAL_LABEL_LINES                                                                                       \
    {PML_SEASONAL_LABEL_SHARE, PML_SEASONAL_LABEL_SHARE_DEFAULT, PML_SEASONAL_HALF},                                   \
        {PML_SEASONAL_LABEL_SHARE, "0.25", "!(" PML_SEASONAL_HALF ") && label_length == (context_length + 3) / 4"}, {  \
        PML_SEASONAL_LABEL_SHARE, "0.75", "!(" PML_SEASONAL_HALF ") && label_length == (3 * context_length + 3) / 4"   \
    }

/* What the tensors say of sizes, numbers of layers and time marks: at most 8 keys. */
void pml_seasonal_examine(const pml_facts *facts, pml_evidence *said);

#endif
