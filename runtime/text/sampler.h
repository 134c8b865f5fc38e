/* The next token from a model's scores: the likeliest, or one by chance, the same for the same seed. */
#ifndef PML_RUNTIME_TEXT_SAMPLER_H
#define PML_RUNTIME_TEXT_SAMPLER_H

#include "runtime/base/error.h"

/* Applied in this order, as Hugging Face transformers does: penalty, temperature, top_k, top_p, min_p. */
typedef struct pml_sampling {
    double repetition_penalty; /* above 0; scores of tokens that were seen are divided by it, or multiplied where they
                                * are negative; 1: none */
    double temperature;        /* scores are divided by it; 0: the likeliest token, of several the one of least id */
    uint64_t top_k;            /* only the k likeliest; 0: all */
    double top_p;              /* only the likeliest until their probabilities add up to it, above 0; 1: all */
    double min_p;              /* only those with at least that share of the greatest probability; 0: all */
    uint64_t seed;
} pml_sampling;
#define PML_SAMPLING_GREEDY ((pml_sampling){.repetition_penalty = 1, .top_p = 1})

typedef struct pml_sampler pml_sampler;
/* For scores of `n_tokens` tokens. Errors: ARGUMENT (a value out of its range; n_tokens 0), MEMORY. */
pml_status pml_sampler_create(const pml_sampling *sampling, uint32_t n_tokens, pml_sampler **sampler,
                              pml_error *error) PML_WARN_UNUSED;
void pml_sampler_destroy(pml_sampler *sampler); /* NULL is allowed */
/* A token of the text so far, which the penalty is for; any number, tokens that have no score are left out. */
void pml_sampler_see(pml_sampler *sampler, uint32_t id);
/* Chooses by scores [n_tokens], all finite. */
uint32_t pml_sampler_choose(pml_sampler *sampler, const float *scores);

#endif
