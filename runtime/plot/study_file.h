/* A study out of the text of a journal (Optuna's JournalFileBackend, ours and theirs), for looking at only. */
#ifndef PML_RUNTIME_PLOT_STUDY_FILE_H
#define PML_RUNTIME_PLOT_STUDY_FILE_H

#include "runtime/plot/plot_kind.h"
#include "runtime/tune/study_log.h"

typedef struct pml_study_file { /* zero = safe to deinit */
    pml_study_log log;
    const pml_study_entry *study;
    const pml_trial **trials; /* [n_trials] complete ones with a finite value, by number; at least one */
    size_t n_trials;
    const char **names; /* [n_names] of the parameters that they have, in the order in which they first came */
    size_t n_names;
    pml_names known; /* what `names` points into */
} pml_study_file;

/* The study that request->study names, or the only one. Errors: FORMAT (file, line, cause), CONFIG (several studies,
 * their names; none of that name; no trial that can be drawn), UNSUPPORTED (several objectives), MEMORY; the file must
 * be deinitialised in any case. */
pml_status pml_study_file_parse(const pml_plot_request *request, pml_study_file *file,
                                pml_error *error) PML_WARN_UNUSED;
void pml_study_file_deinit(pml_study_file *file);
/* Whether the first line is a journal's. */
bool pml_study_file_fits(const pml_plot_request *request);

#endif
