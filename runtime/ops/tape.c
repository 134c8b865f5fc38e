#include "runtime/ops/tape.h"

#include <assert.h>

#include "runtime/base/alloc.h"

void pml_tape_clear(pml_tape *tape) {
    tape->count = 0;
}

void pml_tape_deinit(pml_tape *tape) {
    pml_free(tape->entries);
    *tape = (pml_tape){0};
}

pml_status pml_tape_record(pml_tape *tape, const pml_op *op, const pml_op_attributes *attributes,
                           const pml_tensor *const *inputs, size_t n_inputs, const pml_tensor *output,
                           pml_error *error) {
    if (tape == NULL) {
        return PML_OK;
    }
    assert(n_inputs <= PML_TAPE_MAX_INPUTS);
    if (tape->count == PML_TAPE_MAX_ENTRIES) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "a step of more than %u ops cannot be recorded",
                        PML_TAPE_MAX_ENTRIES);
    }
    pml_status status = pml_grow(&tape->entries, &tape->capacity, tape->count + 1, sizeof *tape->entries,
                                 PML_TAPE_MAX_ENTRIES, "recorded ops", error);
    if (status != PML_OK) {
        return status;
    }
    pml_tape_entry *entry = &tape->entries[tape->count++];
    *entry = (pml_tape_entry){.op = op, .n_inputs = n_inputs, .output = *output};
    if (attributes != NULL) {
        entry->attributes = *attributes;
    }
    for (size_t i = 0; i < n_inputs; i++) {
        if (inputs[i] != NULL) {
            entry->inputs[i] = *inputs[i];
        }
    }
    return PML_OK;
}
