/* A running average of the weights, which is often better than the last weights. */
#ifndef PML_RUNTIME_TRAIN_AVERAGE_H
#define PML_RUNTIME_TRAIN_AVERAGE_H

#include "runtime/train/parameter_set.h"

/* average += (1 - decay) * (value - average) for all parameters: torch.optim.swa_utils' EMA. averages [n_views], each
 * [count], begin as copies of the values; decay is from 0 to 1. Same bits for any number of threads. */
void pml_average_update(pml_parameter_set *set, float *const *averages, double decay, pml_context *context);

/* Exchanges values and averages: to evaluate or save the average, and back. */
void pml_average_swap(pml_parameter_set *set, float *const *averages, pml_context *context);

#endif
