/* Texts with classes, from JSON lines: {"text": "...", "text_pair": "...", "label": ...} a line, blank lines aside. The
 * pair may be missing; other members are passed over. A label is a class's name or its number; where classes do not
 * exclude each other, a list of those.
 *
 * Fields: input_ids, attention_mask, token_type_ids [T], F32, ragged; labels, I64, one number, or with
 * `is_multi_label` [n_labels], F32, 0 or 1. */
#ifndef PML_RUNTIME_TRAIN_DATA_LABELLED_TEXTS_H
#define PML_RUNTIME_TRAIN_DATA_LABELLED_TEXTS_H

#include "runtime/text/tokenizer.h"
#include "runtime/train/data/dataset.h"

#define PML_MAX_LABELS 65536u
#define PML_MAX_LABELLED_TEXT_BYTES 16777216u /* of one text */

typedef struct pml_labelled_options {
    size_t max_tokens; /* of a text or pair, template included: longer ones are cut */
    pml_truncation truncation;
    /* Names of the classes by number; NULL: the file's, in the order of their bytes, or as many numbers as it needs. */
    const char *const *labels;
    size_t n_labels; /* without names: classes are numbers below it; 0: as many as the file has */
    bool is_multi_label;
} pml_labelled_options;

/* Errors: those of pml_text_file_open and pml_tokenizer_run; FORMAT with file, line and column (not JSON, no text, no
 * label, a member twice, a label of another kind, an unknown label, names where numbers are, no line at all);
 * INTERRUPTED, MEMORY. */
pml_status pml_labelled_texts_create(const pml_tokenizer *tokenizer, const char *path,
                                     const pml_labelled_options *options, pml_dataset **dataset,
                                     pml_error *error) PML_WARN_UNUSED;

/* How many classes there are, and their names (borrowed from the data set; NULL: numbers only). */
size_t pml_labelled_texts_n_labels(const pml_dataset *dataset);
const char *pml_labelled_texts_label(const pml_dataset *dataset, size_t i_label);

#endif
