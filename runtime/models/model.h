/* What a family's forward is written against, and the generic half of pml_model: weights by canonical name,
 * configuration, ports, and steps over a batch in blocks. Nothing here knows a family.
 *
 * Adding a family: runtime/models/<family>.c defines `const pml_model_family pml_model_<family>`; the line in
 * runtime/schema/registry.def does the rest. */
#ifndef PML_RUNTIME_MODELS_MODEL_H
#define PML_RUNTIME_MODELS_MODEL_H

#include "runtime/ops/ops.h"
#include "runtime/schema/schema.h"

#define PML_MODEL_MAX_PORTS 32u
#define PML_MODEL_MAX_INDEX 16777216 /* F32 holds every integer up to here */

typedef struct pml_model_port { /* an input or output of the configured model */
    const char *name;
    unsigned rank;
    size_t shape[PML_MAX_RANK]; /* axis 0 is the batch: 1 here, and so is the axis of tokens */
    unsigned token_axis;        /* which axis is as long as the run's longest sequence; 0: none */
    uint64_t index_below;       /* values are integers below this; 0: any number */
    bool optional;              /* see pml_port_spec */
} pml_model_port;

/* What one forward sees: tensors by port, in port order. */
typedef struct pml_model_step {
    size_t batch;              /* samples of the whole run */
    size_t first, count;       /* the samples of this forward; of `begin`: all */
    const pml_tensor *inputs;  /* [count, ...]; dtype NONE where an optional input is absent */
    const pml_tensor *outputs; /* [count, ...], to be filled by forward */
} pml_model_step;

typedef struct pml_model_plan {
    size_t block;           /* samples per forward, >= 1: bounds memory and keeps it in the caches */
    size_t workspace_bytes; /* greatest storage that one forward of `block` samples holds at a time */
    size_t step_bytes;      /* what `begin` takes with pml_context_step_tensor for the whole batch */
} pml_model_plan;

/* New tokens of texts that go on from an earlier call, ragged: what `extend` sees (runtime/models/session.c). */
typedef struct pml_model_growth {
    pml_tensor ids;            /* [R] F32: the new tokens, one sequence's after the other's */
    const size_t *row_offsets; /* [n_sequences + 1], each sequence with at least one row */
    size_t n_sequences;
    const size_t *sequences, *lengths; /* [n_sequences] as in pml_kv_cache: which of the state's, tokens so far */
    size_t capacity;                   /* tokens that the state has room for, per sequence: T of its ports */
    float *const *state;               /* by port of the schema's state; the rows that are new are `extend`'s to fill */
    float *const *logits;              /* [n_sequences] where the scores of what follows go, [V]; NULL: not wanted */
} pml_model_growth;

/* A family's code. Results must not depend on how the batch is split: what needs the whole batch belongs into `begin`.
 */
typedef struct pml_model_family {
    size_t data_bytes; /* of the family's own struct, zeroed, at pml_model_data */
    /* Fills it from configuration and weights. May allocate from the context's model arena. */
    pml_status (*load)(pml_model *model, pml_error *error);
    pml_status (*plan)(const pml_model *model, size_t batch, pml_model_plan *plan, pml_error *error);
    /* Once per run, with all samples. NULL: nothing to do. */
    pml_status (*begin)(pml_model *model, const pml_model_step *step, pml_error *error);
    pml_status (*forward)(pml_model *model, const pml_model_step *step, pml_error *error);
    /* Optional, with the schema's state: sessions. The storage that one `extend` holds at a time, and a step of one. */
    size_t (*extend_bytes)(const pml_model *model, size_t n_rows, size_t n_sequences, size_t capacity);
    pml_status (*extend)(pml_model *model, const pml_model_growth *growth, pml_error *error);
    bool takes_adapters; /* its products are those of runtime/models/layers.h, of at most T rows a sample */
} pml_model_family;

void *pml_model_data(const pml_model *model);
pml_context *pml_model_context(pml_model *model);
const pml_schema *pml_model_schema(const pml_model *model);
const pml_metadata *pml_model_metadata(const pml_model *model);
bool pml_model_is_batch_wide(const pml_model *model);  /* pml_model_batch_wide_set; a block then holds every sample */
bool pml_model_is_trainable(const pml_model *model);   /* pml_model_create_trainable: weights may change */
bool pml_model_has_bf16(const pml_model *model);       /* whether any matrix is stored in BF16 */
bool pml_model_has_i8(const pml_model *model);         /* or in I8 with a scale per column */
bool pml_model_has_grouped_i8(const pml_model *model); /* or in groups; an embedding in I8 counts here */
/* T of the run that is planned or computed; 0 for families whose ports have no token axis. */
size_t pml_model_n_tokens(const pml_model *model);

/* Ports of the configured model. find: by name or alias (pml_port_alias); NULL when there is none. */
size_t pml_model_n_inputs(const pml_model *model);
const pml_model_port *pml_model_input_at(const pml_model *model, size_t i_input);
const pml_model_port *pml_model_find_input(const pml_model *model, const char *name);
const pml_model_port *pml_model_find_output(const pml_model *model, const char *name);

/* Time marks a step that a forecasting model takes, 0 where it takes none, and of how many steps of the look-back
 * beside the horizon its decoder takes them. Errors: CONFIG. */
pml_status pml_model_n_marks(const pml_model *model, size_t *n_marks, pml_error *error) PML_WARN_UNUSED;
pml_status pml_model_label_length(const pml_model *model, size_t *label_length, pml_error *error) PML_WARN_UNUSED;
/* Whether it does not compute without them. */
bool pml_model_needs_marks(const pml_model *model);

/* The point forecast [B, S, C] of the last run, which succeeded. Errors: NUMERIC (it alone is not finite), UNSUPPORTED
 * (the model does not forecast). */
pml_status pml_model_point_forecast(const pml_model *model, const pml_array **forecast,
                                    pml_error *error) PML_WARN_UNUSED;

/* ---- for `load` --------------------------------------------------------------------------------------------- */
/* "config.<key>". The schema has been checked, so absence means that the key is optional: NOT_FOUND. */
pml_status pml_model_config_size(const pml_model *model, const char *key, size_t *value,
                                 pml_error *error) PML_WARN_UNUSED;
pml_status pml_model_config_real(const pml_model *model, const char *key, double *value,
                                 pml_error *error) PML_WARN_UNUSED;
/* The same of a dropout's probability, which is 0 where the configuration says nothing. */
pml_status pml_model_config_dropout(const pml_model *model, const char *key, double *value,
                                    pml_error *error) PML_WARN_UNUSED;
pml_status pml_model_config_bool(const pml_model *model, const char *key, bool *value,
                                 pml_error *error) PML_WARN_UNUSED;
/* Index of the key's text in `choices`, NULL-terminated. Errors: CONFIG, when it is none of them. */
pml_status pml_model_config_choice(const pml_model *model, const char *key, const char *const *choices,
                                   size_t *i_choice, pml_error *error) PML_WARN_UNUSED;
/* Index of the text in the names of pml_activation: identity, relu, gelu, gelu_tanh, silu, tanh, sigmoid. */
pml_status pml_model_config_activation(const pml_model *model, const char *key, pml_activation *activation,
                                       pml_error *error) PML_WARN_UNUSED;

/* An expression over the configuration, where keys that may be absent stand for what the schema says. Errors: CONFIG,
 * NOT_FOUND; of sizes also below 0. */
pml_status pml_model_eval_size(const pml_model *model, const char *expression, size_t *value,
                               pml_error *error) PML_WARN_UNUSED;
pml_status pml_model_eval_flag(const pml_model *model, const char *expression, bool *value,
                               pml_error *error) PML_WARN_UNUSED;

/* A view of the weight of that canonical name, formatted as by printf. Errors: FORMAT, naming it. */
pml_status pml_model_weight(pml_model *model, pml_tensor *tensor, pml_error *error, const char *format,
                            ...) PML_WARN_UNUSED __attribute__((format(printf, 4, 5)));
/* A matrix that the model fills itself, F32 in layout row, kept as long as the model: a table that follows from the
 * configuration. Small weights may go with any configuration, so its size has a limit. Errors: UNSUPPORTED (above
 * PML_MAX_TABLE_BYTES), MEMORY. */
pml_status pml_model_table(pml_model *model, size_t n_rows, size_t n_columns, pml_tensor *table,
                           pml_error *error) PML_WARN_UNUSED;
/* The adapter of the weight "<layer>.weight", as long as the model; NULL: none. */
const pml_low_rank *pml_model_adapter(pml_model *model, const char *layer);
/* Whether the file has it. */
bool pml_model_has_weight(const pml_model *model, const char *name);

/* ---- for `plan` --------------------------------------------------------------------------------------------- */
/* Samples per forward of a batch where one takes `one_bytes`: as many as stay within the second-level cache of current
 * CPUs, in blocks of nearly equal size, at least 1. */
size_t pml_model_block(const pml_model *model, size_t batch, size_t one_bytes);

/* ---- for `begin` and `forward` ------------------------------------------------------------------------------ */
/* The tensor of that port; NULL for an absent optional input and for a port that the configured model does not have. */
const pml_tensor *pml_model_step_input(const pml_model *model, const pml_model_step *step, const char *name);
const pml_tensor *pml_model_step_output(const pml_model *model, const pml_model_step *step, const char *name);
/* Copies `value` (F32, or F64 rounded to F32) into the output of that name; does nothing if the configured model has
 * none. Errors: ARGUMENT (another element count). */
pml_status pml_model_step_store(pml_model *model, const pml_model_step *step, const char *name, const pml_tensor *value,
                                pml_error *error) PML_WARN_UNUSED;
/* In a recorded run of a whole batch, makes `value`, which a recorded op has made and whose elements are those of the
 * output in its order, the output itself, without a copy. False: it is not to be, and must be stored. */
bool pml_model_step_hand(pml_model *model, const pml_model_step *step, const char *name, const pml_tensor *value);
/* The scores of that output went to the context's taker: there is no output this time, and `loss`, which pml_op_score
 * has made, is what a backward pass begins with. */
void pml_model_step_taken(pml_model *model, const char *name, const pml_tensor *loss);
/* Rows first .. first+count-1 along axis 0. */
pml_tensor pml_model_rows(const pml_tensor *tensor, size_t first, size_t count);

#endif
