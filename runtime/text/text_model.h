/* A model that reads text: its tokenizer, how much it can take, and running it over many texts without padding work. */
#ifndef PML_RUNTIME_TEXT_TEXT_MODEL_H
#define PML_RUNTIME_TEXT_TEXT_MODEL_H

#include "runtime/models/model.h"
#include "runtime/text/tokenizer.h"

typedef struct pml_text_model { /* zero = safe to close */
    pml_model *model;           /* borrowed; NULL: tokenizer only */
    pml_tokenizer *tokenizer;
    size_t max_tokens;         /* of one text or pair, template included; 0: no limit is known */
    const char *head;          /* "config.head"; "" where there is none */
    const char *const *labels; /* [n_labels] "text.labels"; NULL: none */
    size_t n_labels;
    bool is_multi_label; /* "text.multi_label": classes do not exclude one another */
} pml_text_model;

/* Takes the tokenizer out of `file`, which must stay open until close. Errors: UNSUPPORTED (the file has no tokenizer),
 * FORMAT, MEMORY. */
pml_status pml_text_model_open(const pml_file *file, pml_model *model, pml_text_model *opened,
                               pml_error *error) PML_WARN_UNUSED;
void pml_text_model_close(pml_text_model *model);

/* The label of a class: its name or, without names, its number in `text`. */
const char *pml_text_model_label(const pml_text_model *model, size_t i_label, char text[32]);

typedef struct pml_text_item { /* borrowed */
    const char *text;
    size_t text_bytes;
    const char *pair; /* NULL: none */
    size_t pair_bytes;
    const pml_encoding *encoding; /* NULL: to be made of the texts; otherwise what they were made into, or tokens of
                                   * the caller's */
} pml_text_item;

typedef struct pml_text_result { /* of one text; valid during the call that hands it over */
    size_t i_item;
    const pml_encoding *encoding;
    const float *values; /* row of the output: [D] or, of outputs with a token axis, the first of count rows */
    const float *second; /* the same of the second output; NULL: none was asked for */
    size_t row_values;   /* values of a row: D, or those of one token; 1 for outputs [B, T] */
} pml_text_result;
typedef pml_status pml_text_result_fn(void *user, const pml_text_result *result, pml_error *error);

typedef struct pml_text_run {
    size_t max_tokens; /* 0: the model's */
    pml_truncation truncation;
    const char *output; /* port whose rows are handed over */
    const char *second; /* a further port of the same shape; NULL: none */
    bool per_token;     /* the output has an axis of tokens behind that of texts */
} pml_text_run;

/* Runs the model on all items, those of similar length together, and hands over each result; in which order is not
 * said. Items that are cut because the model takes no more are counted in a warning to the log. Errors: ARGUMENT
 * (max_tokens, or tokens of an item, beyond the model's), those of pml_tokenizer_run, of pml_model_run and of `result`.
 */
pml_status pml_text_model_run(const pml_text_model *model, const pml_text_item *items, size_t n_items,
                              const pml_text_run *run, pml_text_result_fn *result, void *user,
                              pml_error *error) PML_WARN_UNUSED;

#endif
