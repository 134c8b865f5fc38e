/* The network that Autoformer (Wu et al. 2021) and FEDformer (Zhou et al. 2022) share: an encoder and a decoder that
 * take series apart into season and trend after every sublayer. What stands in the place of attention is the family's.
 */
#ifndef PML_RUNTIME_MODELS_SEASONAL_H
#define PML_RUNTIME_MODELS_SEASONAL_H

#include "runtime/models/data_embedding.h"
#include "runtime/ops/signal.h"
#include "runtime/schema/series_ports.h"

/* Moving averages of one or several windows; several are weighed by softmax(gate(x)) for each value. */
#define PML_SEASONAL_MAX_KERNELS PML_WEIGH_MAX_PARTS
typedef struct pml_seasonal_split {
    size_t kernels[PML_SEASONAL_MAX_KERNELS];
    size_t n_kernels;
    pml_linear gate; /* [1, n_kernels], used if n_kernels > 1 */
} pml_seasonal_split;

typedef struct pml_seasonal_attention {
    pml_linear q, k, v, out;
    const void *inner; /* what the family keeps of it */
} pml_seasonal_attention;

typedef enum pml_seasonal_place { PML_SEASONAL_ENCODER, PML_SEASONAL_DECODER, PML_SEASONAL_CROSS } pml_seasonal_place;

/* y [B, T, D]: what goes into `out`, of x [B, T, D] that attends to `source` [B, U, D] (x itself but for CROSS). */
typedef pml_status pml_seasonal_attend_fn(pml_model *model, const pml_seasonal_attention *attention,
                                          pml_seasonal_place place, const pml_tensor *x, const pml_tensor *source,
                                          pml_tensor *y, pml_error *error);

typedef struct pml_seasonal_layer {
    pml_seasonal_attention attention, cross; /* cross: of decoder layers */
    pml_linear up, down;                     /* without bias */
    pml_seasonal_split splits[3];            /* after each sublayer; the third of decoder layers */
    pml_linear trend;                        /* decoder: [3 D, C], a convolution that wraps around */
} pml_seasonal_layer;

typedef struct pml_seasonal {
    size_t n_channels, context_length, label_length, horizon, d_model, ffn_dim; /* C, T, -, S, D, F */
    size_t n_encoder_layers, n_decoder_layers;
    pml_activation activation;
    double dropout; /* of sublayers' results, in training */
    pml_data_embedding encoder_embedding, decoder_embedding;
    pml_seasonal_split split; /* of the look-back window */
    pml_seasonal_layer *encoder_layers, *decoder_layers;
    pml_norm encoder_norm, decoder_norm;
    pml_linear head;
    pml_seasonal_attend_fn *attend;
    /* Bound of what `attend` holds at a time, y included. */
    size_t (*attend_bytes)(const pml_model *model, pml_seasonal_place place, size_t n_samples);
} pml_seasonal;

/* Fills everything but `splits`, `split`, `inner`, `attend` and `attend_bytes` from the keys num_input_channels,
 * context_length, label_length, prediction_length, num_encoder_layers, num_decoder_layers, d_model, ffn_dim, activation
 * and dropout, and from the weights of runtime/schema/autoformer.c, whose names are those of both families. */
pml_status pml_seasonal_load(pml_model *model, pml_seasonal *net, pml_error *error) PML_WARN_UNUSED;

/* Storage of one forward. */
size_t pml_seasonal_bytes(const pml_model *model, const pml_seasonal *net, size_t n_samples);

/* From the inputs past_values [b, T, C], past_marks and decoder_marks (where the model has them) to the output
 * prediction_outputs. */
pml_status pml_seasonal_forward(pml_model *model, const pml_seasonal *net, const pml_model_step *step,
                                pml_error *error) PML_WARN_UNUSED;

#endif
