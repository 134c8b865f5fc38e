/* Tape: the ops that ran, in order, with what they read and wrote. A context without a tape records nothing.
 *
 * Tensors on a tape are views: they stay valid until the next step begins, because a context with a tape releases
 * nothing within a step. */
#ifndef PML_RUNTIME_OPS_TAPE_H
#define PML_RUNTIME_OPS_TAPE_H

#include "runtime/tensor/tensor.h"

#define PML_TAPE_MAX_INPUTS 6u
#define PML_TAPE_MAX_ENTRIES 1000000u

struct pml_context;
typedef struct pml_gradients pml_gradients; /* runtime/ops/gradient.h */
typedef struct pml_tape_entry pml_tape_entry;

/* Adds to the gradients of the entry's inputs what that of its output makes of them; called only when some of them are
 * wanted. The context records nothing meanwhile. Errors: MEMORY, UNSUPPORTED. */
typedef pml_status pml_backward_fn(struct pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                   pml_error *error);

typedef struct pml_op { /* static storage, one per op */
    const char *name;
    pml_backward_fn *backward; /* NULL: it has no gradient */
} pml_op;

/* What an op computed with besides tensors; each op documents its use. Unused fields are 0. */
typedef struct pml_op_attributes {
    double real;
    int64_t integer[3];
    const void *data; /* borrowed: valid, as tensors are, until the next step begins */
} pml_op_attributes;

struct pml_tape_entry {
    const pml_op *op;
    pml_op_attributes attributes;
    size_t n_inputs;
    pml_tensor inputs[PML_TAPE_MAX_INPUTS]; /* dtype PML_DTYPE_NONE where an optional input was absent */
    pml_tensor output;
};

typedef struct pml_tape { /* all zero = empty, safe to deinit */
    pml_tape_entry *entries;
    size_t count, capacity;
} pml_tape;

void pml_tape_clear(pml_tape *tape); /* keeps the memory */
void pml_tape_deinit(pml_tape *tape);

/* Appends an entry; does nothing when `tape` is NULL. `inputs` may hold NULL for absent ones. Errors: MEMORY,
 * UNSUPPORTED (too many). */
pml_status pml_tape_record(pml_tape *tape, const pml_op *op, const pml_op_attributes *attributes,
                           const pml_tensor *const *inputs, size_t n_inputs, const pml_tensor *output,
                           pml_error *error) PML_WARN_UNUSED;

#endif
