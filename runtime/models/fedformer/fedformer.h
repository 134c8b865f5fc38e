/* FEDformer (Zhou et al. 2022), as specs/models/fedformer.md describes it. Private to this folder and
 * runtime/models/fedformer.c. */
#ifndef PML_RUNTIME_MODELS_FEDFORMER_FEDFORMER_H
#define PML_RUNTIME_MODELS_FEDFORMER_FEDFORMER_H

#include "runtime/models/seasonal.h"
#include "runtime/ops/fourier.h"

/* Frequencies that a place keeps of series of one length. */
typedef struct fed_modes {
    size_t n_modes, n_steps;
    pml_tensor table;   /* [2 M, L / 2 + 1]: their transform */
    pml_tensor inverse; /* the way back */
} fed_modes;

typedef struct fed_fourier {
    fed_modes modes;
    pml_tensor real, imaginary; /* [H M, E, E] */
} fed_fourier;

#define FED_BASIS 8u       /* coefficients of each wavelet series */
#define FED_MAX_LEVELS 32u /* of halving a length */

typedef struct fed_multiplier {
    pml_tensor real, imaginary; /* [modes, 8 c, 8 c] */
} fed_multiplier;

typedef struct fed_wavelets { /* of encoder or decoder layers */
    pml_linear in, out;       /* [D, 8 c], [8 c, D] */
    fed_multiplier a, b, c;
    pml_linear coarse;                  /* [8, 8] */
    fed_modes levels[FED_MAX_LEVELS];   /* lowest frequencies of each level's length */
    size_t n_steps, n_padded, n_levels; /* L, its next power of two, how often it is halved */
} fed_wavelets;

typedef struct fed_cross_wavelets {
    pml_linear q, k, out;
    fed_modes levels[FED_MAX_LEVELS + 1]; /* the last: of what is left */
    size_t n_steps, n_padded, n_levels;
} fed_cross_wavelets;

typedef struct fedformer {
    pml_seasonal net;
    size_t n_heads;
    bool is_fourier;
    pml_fourier_activation activation;
    fed_fourier encoder, decoder, cross;
    fed_modes keys; /* of the encoder's output */
    fed_wavelets encoder_wavelets, decoder_wavelets;
    fed_cross_wavelets cross_wavelets;
    size_t wavelet_channels; /* c */
    pml_tensor ec_s, ec_d, rc_e, rc_o;
} fedformer;

/* Makes both tables in the model arena. Errors: UNSUPPORTED (too large), MEMORY. */
pml_status pml_fed_modes_make(pml_model *model, const int64_t *modes, const int64_t *bins, size_t n_modes,
                              size_t n_steps, double factor, fed_modes *result, pml_error *error) PML_WARN_UNUSED;

/* fedformer_load.c */
pml_status pml_fedformer_load(pml_model *model, pml_error *error) PML_WARN_UNUSED;

/* wavelets.c: weights, and slots of pml_seasonal. */
pml_status pml_fed_wavelets_load(pml_model *model, pml_error *error) PML_WARN_UNUSED;
pml_status pml_fed_wavelets_attend(pml_model *model, const pml_seasonal_attention *attention, pml_seasonal_place place,
                                   const pml_tensor *x, const pml_tensor *source, pml_tensor *y,
                                   pml_error *error) PML_WARN_UNUSED;
size_t pml_fed_wavelets_bytes(const pml_model *model, pml_seasonal_place place, size_t n_samples);

#endif
