/* How the research code bases turn the steps of a series into D features: a convolution over three steps that wraps
 * around (TokenEmbedding), what the time marks add, and for some a table of positions. */
#ifndef PML_RUNTIME_MODELS_DATA_EMBEDDING_H
#define PML_RUNTIME_MODELS_DATA_EMBEDDING_H

#include "runtime/models/layers.h"

/* Calendar tables in the order of their columns among the marks: month, day, weekday, hour, minute. */
#define PML_CALENDAR_TABLES 5u

typedef struct pml_data_embedding {
    pml_linear value;                       /* [3 C, D] */
    pml_linear time;                        /* [marks, D], if has_time */
    pml_tensor tables[PML_CALENDAR_TABLES]; /* [n, D], the first n_tables */
    pml_tensor position;                    /* [T, D], if has_position */
    bool has_time, has_position;
    size_t n_tables;
    double dropout; /* of the sum, in training */
} pml_data_embedding;

/* "<name>.value.weight" and what else the file has of "<name>.time.weight", "<name>.month.weight" and so on, and
 * "<name>.position"; the key dropout. Errors: FORMAT, naming the tensor. */
pml_status pml_data_embedding_load(pml_model *model, const char *name, pml_data_embedding *embedding,
                                   pml_error *error) PML_WARN_UNUSED;

/* y [B, T, D] from x [B, T, C] and marks [B, T, n] (NULL: nothing is added for them). Marks of tables are integers.
 * Errors: ARGUMENT (a mark outside its table), those of the ops. */
pml_status pml_data_embedding_run(pml_context *context, const pml_data_embedding *embedding, const pml_tensor *x,
                                  const pml_tensor *marks, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;
/* Bound of what it holds at a time, y included. */
size_t pml_data_embedding_bytes(const pml_data_embedding *embedding, size_t n_samples, size_t n_steps);

#endif
