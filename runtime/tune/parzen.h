/* A mixture of products of simple densities, one product around each observation and one over everything: what TPE
 * holds for the distribution of good, and of other, parameters (Bergstra, Bardenet, Bengio, Kegl 2011; with several
 * parameters at once Falkner, Klein, Hutter 2018). Weights and limits are those of Optuna 5, widths
 * those or narrower ones (specs/tuning.md). */
#ifndef PML_RUNTIME_TUNE_PARZEN_H
#define PML_RUNTIME_TUNE_PARZEN_H

#include "runtime/base/random.h"
#include "runtime/tune/distribution.h"

typedef struct pml_parzen pml_parzen;

/* How narrow a density around one of n observations may be, as a part of the range. */
typedef enum pml_parzen_width {
    PML_PARZEN_FINE,   /* with several parameters 1 / min(33, (n + 2)^2) (after Watanabe 2023), with one as below */
    PML_PARZEN_OPTUNA, /* 1 / min(100, n + 2) */
    PML_PARZEN_ANY     /* as narrow as observations lie */
} pml_parzen_width;

typedef struct pml_parzen_rule {
    double prior_weight; /* of the product over everything; an observation weighs 1 */
    pml_parzen_width width;
    bool endpoints; /* the outermost observations reach to the ends of the range, not only to their neighbour */
} pml_parzen_rule;

/* `observations` is [n][n_dimensions], internal values, oldest first; from 25 on the older ones weigh less.
 * Distributions are borrowed until destroy. Errors: MEMORY. */
pml_status pml_parzen_create(const pml_distribution *const *distributions, size_t n_dimensions,
                             const double *observations, size_t n, const pml_parzen_rule *rule, pml_parzen **parzen,
                             pml_error *error) PML_WARN_UNUSED;
void pml_parzen_destroy(pml_parzen *parzen); /* NULL is allowed */
/* Draws values [n_dimensions], each one of its distribution's. */
void pml_parzen_draw(const pml_parzen *parzen, pml_random *random, double *values);
/* The logarithm of the density at values; of a discrete parameter its probability. */
double pml_parzen_log_density(const pml_parzen *parzen, const double *values);

#endif
