/* Quantiles: of distributions by their parameters, and of what a probabilistic head foretells. */
#ifndef PML_RUNTIME_MODELS_QUANTILES_H
#define PML_RUNTIME_MODELS_QUANTILES_H

#include "runtime/models/model.h"

/* The x with P(X <= x) = level, level in (0, 1), df > 0; infinite from 1e150 on. */
double pml_normal_quantile(double level);
double pml_student_t_quantile(double level, double df);
/* The least whole number k with P(X <= k) >= level of a negative binomial with P(k) = C(k+count-1, k) odds^k /
 * (1+odds)^(k+count), whose mean is count * odds. Infinite where count, mean or k are above 1e9. */
double pml_negative_binomial_quantile(double level, double count, double log_odds);

/* Whether a model foretells distributions. Errors: UNSUPPORTED (it does not, or it does not forecast), CONFIG. */
pml_status pml_model_check_quantiles(const pml_model *model, pml_error *error) PML_WARN_UNUSED;
/* Quantiles [n_levels][S][C] of the model's last run, a pml_model_forecast of C channels, in units of the data; with
 * `scaled` on the scale of the file's scaler. Errors: NUMERIC (one is not finite), INTERRUPTED, and those above. */
pml_status pml_model_quantiles(const pml_model *model, const double *levels, size_t n_levels, size_t n_channels,
                               bool scaled, double *quantiles, pml_error *error) PML_WARN_UNUSED;

#endif
