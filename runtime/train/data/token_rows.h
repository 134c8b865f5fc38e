/* Texts as tokens, kept one behind the other: what data sets of texts are made of. */
#ifndef PML_RUNTIME_TRAIN_DATA_TOKEN_ROWS_H
#define PML_RUNTIME_TRAIN_DATA_TOKEN_ROWS_H

#include "runtime/text/tokenizer.h"
#include "runtime/train/data/dataset.h"

#define PML_FIELD_IDS "input_ids"
#define PML_FIELD_MASK "attention_mask"
#define PML_FIELD_TYPES "token_type_ids"
#define PML_FIELD_LABELS "labels"
#define PML_IGNORED_LABEL (-100) /* of a token that the loss passes over, as in PyTorch */

typedef struct pml_token_rows { /* zero = valid, empty */
    uint32_t *ids, *types;      /* of all rows */
    size_t *ends;               /* [n_rows]: row i ends before ids[ends[i]], where row i + 1 begins */
    size_t n_rows, n_ids, n_longest;
    size_t ids_capacity, types_capacity, ends_capacity;
} pml_token_rows;

void pml_token_rows_deinit(pml_token_rows *rows);
/* Appends a row. Errors: MEMORY. */
pml_status pml_token_rows_add(pml_token_rows *rows, const pml_encoding *encoding, pml_error *error) PML_WARN_UNUSED;
static inline size_t pml_token_rows_begin(const pml_token_rows *rows, size_t i_row) {
    return i_row > 0 ? rows->ends[i_row - 1] : 0;
}
uint64_t pml_token_rows_digest(const pml_token_rows *rows);

/* Three fields of a data set, of up to n_longest tokens: input_ids, attention_mask and token_type_ids, F32 and ragged;
 * `pad_id` fills up the first, 0 where it is PML_NO_TOKEN. */
void pml_token_rows_describe(const pml_token_rows *rows, uint32_t pad_id, pml_dataset *dataset);
/* Writes them of one row: values[0 .. 2]. */
void pml_token_rows_fetch(const pml_token_rows *rows, size_t i_row, void *const *values, size_t *length);

#endif
