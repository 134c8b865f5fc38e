#include "runtime/models/selftest_mode.h"

#include <string.h>

pml_selftest_mode pml_selftest_mode_of(const pml_model *model, const char *name) {
    static const char *const names[PML_SELFTEST_MODES] = {
        [PML_SELFTEST_EVAL] = "eval", [PML_SELFTEST_TRAIN] = "train", [PML_SELFTEST_B1] = "b1"};
    for (unsigned i = PML_SELFTEST_EVAL; i < PML_SELFTEST_MODES; i++) {
        if (strcmp(names[i], name) == 0 && pml_model_find_output(model, name) == NULL) {
            return (pml_selftest_mode)i;
        }
    }
    return PML_SELFTEST_PORT;
}

const pml_array *pml_selftest_output(const pml_model *model, const char *name) {
    return pml_selftest_mode_of(model, name) == PML_SELFTEST_PORT ? pml_model_output(model, name)
                                                                  : pml_model_output_at(model, 0);
}

pml_status pml_selftest_run_mode(pml_model *model, pml_selftest_mode mode, const pml_array *inputs, size_t n_inputs,
                                 pml_error *error) {
    pml_array first[PML_MODEL_MAX_PORTS];
    const bool was_batch_wide = pml_model_is_batch_wide(model);
    for (size_t i = 0; i < n_inputs; i++) {
        first[i] = inputs[i];
        first[i].shape[0] = mode == PML_SELFTEST_B1 ? 1 : inputs[i].shape[0];
    }
    if (mode != PML_SELFTEST_PORT) {
        pml_model_batch_wide_set(model, mode == PML_SELFTEST_TRAIN || pml_model_schema(model)->batch_wide);
    }
    pml_status status = pml_model_run(model, first, n_inputs, error);
    pml_model_batch_wide_set(model, was_batch_wide);
    return status;
}
