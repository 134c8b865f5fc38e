/* A training step of a golden case: its recorded inputs, and its loss with the loss's gradient of the output. */
#ifndef PML_TESTS_PARITY_GOLDEN_STEP_H
#define PML_TESTS_PARITY_GOLDEN_STEP_H

#include "convert/selftest_io.h"
#include "runtime/models/training.h"

typedef struct golden_target {
    const char *output; /* the port that the loss is of */
    const pml_vector *vector;
    bool is_class, is_next; /* class indexes; of the token after the one that scores are of */
} golden_target;

typedef struct golden_step { /* all zero = empty, safe to deinit */
    pml_array inputs[PML_MODEL_MAX_PORTS];
    size_t n_inputs;
    golden_target target; /* found after the first run; the caller may change its vector */
    float *gradient;      /* of target.output, since the last golden_step_loss */
} golden_step;

/* Recorded inputs that the model takes. Errors: MEMORY. */
pml_status golden_step_bind(const pml_model *model, const pml_selftest_io *io, golden_step *step,
                            pml_error *error) PML_WARN_UNUSED;
/* What the recorded loss compares with, after a run. Errors: NOT_FOUND, MEMORY. */
pml_status golden_step_aim(const pml_model *model, const pml_selftest_io *io, golden_step *step,
                           pml_error *error) PML_WARN_UNUSED;
/* The mean squared error or cross-entropy of the last run. */
double golden_step_loss(const pml_model *model, golden_step *step);
void golden_step_deinit(golden_step *step);

#endif
