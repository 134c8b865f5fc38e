/* Gradients that are too great are cut before the step. */
#ifndef PML_RUNTIME_TRAIN_CLIP_H
#define PML_RUNTIME_TRAIN_CLIP_H

#include "runtime/train/parameter_set.h"

/* The length of all gradients as one vector: in double, the same for any number of threads. */
double pml_gradient_norm(pml_parameter_set *set, pml_context *context);
/* Multiplies all gradients with max_norm / (norm + 1e-6) where that is below 1 (PyTorch's clip_grad_norm_), and returns
 * the norm before. Where it is infinite or NaN the gradients stay, for the caller to see. */
double pml_clip_gradient_norm(pml_parameter_set *set, double max_norm, pml_context *context);
/* Every element into [-most, most]; NaN stays. */
void pml_clip_gradient_value(pml_parameter_set *set, float most, pml_context *context);

#endif
