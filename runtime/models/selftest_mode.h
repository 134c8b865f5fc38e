/* Recorded outputs that are named after how the network ran, not after a port: the first output of a run of its own. */
#ifndef PML_RUNTIME_MODELS_SELFTEST_MODE_H
#define PML_RUNTIME_MODELS_SELFTEST_MODE_H

#include "runtime/models/model.h"

typedef enum pml_selftest_mode {
    PML_SELFTEST_PORT,  /* no mode: the name is that of a port */
    PML_SELFTEST_EVAL,  /* in evaluation, as the reference does it: with what is chosen batch-wide there */
    PML_SELFTEST_TRAIN, /* in training mode, without dropout */
    PML_SELFTEST_B1,    /* the first sample alone */
    PML_SELFTEST_MODES
} pml_selftest_mode;

/* What the record's name ("eval" of "out.eval") stands for; names of ports and their aliases are ports. */
pml_selftest_mode pml_selftest_mode_of(const pml_model *model, const char *name);
/* The model's output that it records: its own, or the first one in a mode. NULL: none. */
const pml_array *pml_selftest_output(const pml_model *model, const char *name);
/* Runs the model in that mode. Errors: those of pml_model_run. */
pml_status pml_selftest_run_mode(pml_model *model, pml_selftest_mode mode, const pml_array *inputs, size_t n_inputs,
                                 pml_error *error) PML_WARN_UNUSED;

#endif
