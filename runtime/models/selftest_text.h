/* Recorded texts of a language model, judged for runtime/models/selftest.c, and what both files share. */
#ifndef PML_RUNTIME_MODELS_SELFTEST_TEXT_H
#define PML_RUNTIME_MODELS_SELFTEST_TEXT_H

#include "runtime/models/model.h"
#include "runtime/models/selftest.h"

/* Whether that output records a text, as runtime/models/selftest.h describes them, of a model that goes on with texts.
 */
bool pml_selftest_is_text(const pml_model *model, const pml_vector *vectors, size_t n_vectors, const char *name);
/* Judges it; *is_judged is false where it is no text (`name` may be NULL), or cannot be judged. Errors: ARGUMENT
 * (shapes or tokens that the model does not take), those of pml_session_feed and pml_model_run. */
pml_status pml_selftest_judge_text(pml_model *model, const pml_vector *vectors, size_t n_vectors, const char *name,
                                   pml_selftest_result *result, bool *is_judged, pml_error *error) PML_WARN_UNUSED;

/* ---- in runtime/models/selftest.c ---- */
/* The vector named prefix, then name; NULL: there is none. */
const pml_vector *pml_vector_find(const pml_vector *vectors, size_t n_vectors, const char *prefix, const char *name);
/* Errors: ARGUMENT (no numbers, or too many). */
pml_status pml_vector_count(const pml_vector *vector, size_t *count, pml_error *error) PML_WARN_UNUSED;
double pml_vector_element(const pml_vector *vector, size_t i);
/* Fills all of *result but the name: `output` has `count` elements, as many as `recorded` and `truth`, of which one may
 * be NULL. `mask` NULL: every element counts. */
void pml_selftest_judge(const pml_model *model, const pml_array *output, const pml_vector *recorded,
                        const pml_vector *truth, size_t count, const pml_vector *mask, pml_selftest_result *result);

#endif
