/* One vector for a text: the model's own sentence embedding, or its tokens' hidden states made into one. */
#ifndef PML_RUNTIME_TEXT_TEXT_POOL_H
#define PML_RUNTIME_TEXT_TEXT_POOL_H

#include "runtime/text/text_model.h"

typedef struct pml_text_pool {
    const char *how;  /* "cls", "mean" or "max"; NULL: the model pools */
    bool normalizes;  /* gives vectors unit length; the caller may set it */
    size_t width;     /* values of a vector */
    pml_text_run run; /* what pml_text_model_run is asked for; the caller may set its limits */
} pml_text_pool;

/* `how` NULL: what the model says or, where it says nothing, the mean. Errors: UNSUPPORTED (a model without vectors).
 */
pml_status pml_text_pool_choose(const pml_model *model, const char *how, pml_text_pool *pool,
                                pml_error *error) PML_WARN_UNUSED;
/* The vector [width] of a result of that run. */
void pml_text_pool_take(const pml_text_pool *pool, const pml_text_result *result, float *vector);

#endif
