/* Rows of schemas that Autoformer and FEDformer share: the network of runtime/models/seasonal.h. Each list goes into
 * the family's own array, with what the family adds. */
#ifndef PML_RUNTIME_SCHEMA_SEASONAL_ROWS_H
#define PML_RUNTIME_SCHEMA_SEASONAL_ROWS_H

#include "runtime/schema/series_ports.h"

#define PML_INT_KEY(key, low, high, text)                                                                              \
    { .name = (key), .type = PML_CONFIG_INT, .least = (low), .greatest = (high), .description = (text) }
#define PML_CHOICE_KEY(key, list, text)                                                                                \
    { .name = (key), .type = PML_CONFIG_CHOICE, .choices = (list), .description = (text) }

#define PML_SEASONAL_KEYS                                                                                              \
    PML_INT_KEY("num_input_channels", 1, 1e6, "C, channels of the series and of the forecast"),                        \
        PML_INT_KEY("context_length", 2, 1e7, "T, look-back steps"),                                                   \
        PML_INT_KEY("label_length", 0, 1e7, "last steps of the look-back window that the decoder sees again"),         \
        PML_INT_KEY("prediction_length", 1, 1e6, "S, horizon"),                                                        \
        PML_INT_KEY("num_encoder_layers", 1, 1e4, "layers of the encoder"),                                            \
        PML_INT_KEY("num_decoder_layers", 1, 1e4, "layers of the decoder"),                                            \
        PML_INT_KEY("d_model", 1, 1e6, "D, model width"), PML_INT_KEY("num_attention_heads", 1, 1e5, "H, heads"),      \
        PML_INT_KEY("ffn_dim", 1, 1e7, "F, feed-forward width"),                                                       \
        PML_CHOICE_KEY("activation", "gelu|relu",                                                                      \
                       "of the feed-forward network; gelu is the exact error-function form"),                          \
        PML_MARKS_CONFIG, {                                                                                            \
        .name = "dropout", .type = PML_CONFIG_REAL, .least = 0, .greatest = 1, .optional = true,                       \
        .description = "training: of embeddings, of what sublayers add"                                                \
    }

#define PML_SEASONAL_CONSTRAINTS                                                                                       \
    {"d_model % num_attention_heads == 0", "d_model must be a multiple of num_attention_heads"}, {                     \
        "label_length <= context_length", "label_length must not be greater than context_length"                       \
    }

#define PML_SEASONAL_MATRIX(name, in, out, n)                                                                          \
    { name, PML_ROLE_MATRIX, in ", " out, n, NULL }
#define PML_SEASONAL_LINEAR(name, n)                                                                                   \
    PML_SEASONAL_MATRIX(name ".weight", "d_model", "d_model", n), {                                                    \
        name ".bias", PML_ROLE_VECTOR, "d_model", n, NULL                                                              \
    }
#define PML_SEASONAL_ATTENTION(name, n)                                                                                \
    PML_SEASONAL_LINEAR(name ".q", n), PML_SEASONAL_LINEAR(name ".k", n), PML_SEASONAL_LINEAR(name ".v", n),           \
        PML_SEASONAL_LINEAR(name ".out", n)
#define PML_SEASONAL_FEED_FORWARD(name, n)                                                                             \
    PML_SEASONAL_MATRIX(name ".ffn.up.weight", "d_model", "ffn_dim", n),                                               \
        PML_SEASONAL_MATRIX(name ".ffn.down.weight", "ffn_dim", "d_model", n)
#define PML_SEASONAL_CALENDAR(name, part, count, when)                                                                 \
    { name "." part ".weight", PML_ROLE_TABLE, count ", d_model", NULL, when }
#define PML_SEASONAL_EMBEDDING(name)                                                                                   \
    {name ".value.weight", PML_ROLE_CONVOLUTION, "3 * num_input_channels, d_model", NULL, NULL},                       \
        {name ".time.weight", PML_ROLE_MATRIX, "n_time_features, d_model", NULL, "time_embedding == 'timeF'"},         \
        PML_SEASONAL_CALENDAR(name, "month", "13", "has_tables"),                                                      \
        PML_SEASONAL_CALENDAR(name, "day", "32", "has_tables"),                                                        \
        PML_SEASONAL_CALENDAR(name, "weekday", "7", "has_tables"),                                                     \
        PML_SEASONAL_CALENDAR(name, "hour", "24", "has_tables"),                                                       \
        PML_SEASONAL_CALENDAR(name, "minute", "4", "has_tables && frequency == 't'")
#define PML_SEASONAL_NORM(name)                                                                                        \
    {name ".weight", PML_ROLE_VECTOR, "d_model", NULL, NULL}, {                                                        \
        name ".bias", PML_ROLE_VECTOR, "d_model", NULL, NULL                                                           \
    }

#define PML_SEASONAL_WEIGHTS                                                                                           \
    PML_SEASONAL_EMBEDDING("encoder.embedding"),                                                                       \
        PML_SEASONAL_ATTENTION("encoder.layer.{l}.attention", "num_encoder_layers"),                                   \
        PML_SEASONAL_FEED_FORWARD("encoder.layer.{l}", "num_encoder_layers"), PML_SEASONAL_NORM("encoder.norm"),       \
        PML_SEASONAL_EMBEDDING("decoder.embedding"),                                                                   \
        PML_SEASONAL_ATTENTION("decoder.layer.{l}.attention", "num_decoder_layers"),                                   \
        PML_SEASONAL_ATTENTION("decoder.layer.{l}.cross", "num_decoder_layers"),                                       \
        PML_SEASONAL_FEED_FORWARD("decoder.layer.{l}", "num_decoder_layers"),                                          \
        {"decoder.layer.{l}.trend.weight", PML_ROLE_CONVOLUTION, "3 * d_model, num_input_channels",                    \
         "num_decoder_layers", NULL},                                                                                  \
        PML_SEASONAL_NORM("decoder.norm"),                                                                             \
        {"head.weight", PML_ROLE_MATRIX, "d_model, num_input_channels", NULL, NULL}, {                                 \
        "head.bias", PML_ROLE_VECTOR, "num_input_channels", NULL, NULL                                                 \
    }

/* What is not learned of embeddings: sines of the calendar, and of positions. */
#define PML_SEASONAL_FIXED                                                                                             \
    {"*.embedding.month.weight", "time_embedding == 'fixed'"},                                                         \
        {"*.embedding.day.weight", "time_embedding == 'fixed'"},                                                       \
        {"*.embedding.weekday.weight", "time_embedding == 'fixed'"},                                                   \
        {"*.embedding.hour.weight", "time_embedding == 'fixed'"},                                                      \
        {"*.embedding.minute.weight", "time_embedding == 'fixed'"}, {                                                  \
        "*.embedding.position", NULL                                                                                   \
    }

/* What a fresh model of these has, and begins with. */
#define PML_SEASONAL_FRESH_KEYS                                                                                        \
    {"num_input_channels", "@channels", NULL}, {"context_length", "96", NULL},                                         \
        {"label_length", "context_length / 2", NULL}, {"prediction_length", "96", NULL},                               \
        {"num_encoder_layers", "2", NULL}, {"num_decoder_layers", "1", NULL}, {"d_model", "512", NULL},                \
        {"num_attention_heads", "8", NULL}, {"ffn_dim", "4 * d_model", NULL}, {"activation", "gelu", NULL},            \
        {"time_embedding", "@marks", NULL}, {"frequency", "@frequency", NULL}, {                                       \
        "dropout", "0.05", NULL                                                                                        \
    }
#define PML_SEASONAL_FRESH_WEIGHTS                                                                                     \
    {"*.embedding.value.weight", NULL, "kaiming_normal", NULL},                                                        \
        {"*.embedding.month.weight", "time_embedding == 'fixed'", "sines", NULL},                                      \
        {"*.embedding.day.weight", "time_embedding == 'fixed'", "sines", NULL},                                        \
        {"*.embedding.weekday.weight", "time_embedding == 'fixed'", "sines", NULL},                                    \
        {"*.embedding.hour.weight", "time_embedding == 'fixed'", "sines", NULL}, {                                     \
        "*.embedding.minute.weight", "time_embedding == 'fixed'", "sines", NULL                                        \
    }

#define PML_SEASONAL_INPUTS                                                                                            \
    {PML_PORT_VALUES, "B, context_length, num_input_channels", false, NULL, "the look-back window"}, PML_MARKS_INPUTS
#define PML_SEASONAL_OUTPUTS                                                                                           \
    { PML_PORT_FORECAST, "B, prediction_length, num_input_channels", false, NULL, "the forecast, in the input's units" }
#define PML_SEASONAL_FORECAST                                                                                          \
    {                                                                                                                  \
        .input = PML_PORT_VALUES, .outputs = (const char *const[]){PML_PORT_FORECAST, NULL},                           \
        .context_length = "context_length", .horizon = "prediction_length", .n_channels = "num_input_channels",        \
        PML_MARKS_FORECAST                                                                                             \
    }

#endif
