/* How likely a language model finds a text. */
#ifndef PML_RUNTIME_TEXT_TEXT_SCORE_H
#define PML_RUNTIME_TEXT_TEXT_SCORE_H

#include "runtime/models/model.h"

typedef struct pml_text_score {
    double log_likelihood; /* natural logarithm, of the tokens that were scored */
    size_t n_scored;       /* all but the first */
} pml_text_score;
/* How likely a language model finds the tokens: read in windows of `window` of them (0: as many as the model has
 * positions for), each scored on the tokens that follow its own. Errors: UNSUPPORTED (no language model), ARGUMENT
 * (fewer than two tokens, a window that is too long), those of pml_model_run. */
pml_status pml_text_score_run(pml_model *model, const uint32_t *ids, size_t n_ids, size_t window, pml_text_score *score,
                              pml_error *error) PML_WARN_UNUSED;

#endif
