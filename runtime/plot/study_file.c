#include "runtime/plot/study_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"

enum { MOST_PARAMETERS = 4096 };

bool pml_study_file_fits(const pml_plot_request *request) {
    return pml_plot_is_json(request) && pml_plot_has_member(request, "op_code");
}

static pml_status read_line(const pml_plot_request *request, const char *line, size_t size_bytes, size_t number,
                            pml_study_log *log, pml_error *error) {
    pml_status status = PML_OK;
    pml_journal_record record = {0};
    char name[256];
    (void)snprintf(name, sizeof name, "%.200s, line %zu", request->path, number);
    PML_TRY(pml_journal_record_read(line, size_bytes, name, &record, error));
    PML_TRY(pml_study_log_apply(log, &record, error));
done:
    pml_journal_record_deinit(&record);
    return status;
}

/* A last line without an end is one that is still being written. */
static pml_status read_lines(const pml_plot_request *request, pml_study_log *log, pml_error *error) {
    pml_status status = PML_OK;
    const char *at = request->bytes, *end = request->bytes + request->size_bytes;
    for (size_t number = 1; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL) {
            break;
        }
        PML_TRY(read_line(request, at, (size_t)(stop - at), number, log, error));
        at = stop + 1;
    }
done:
    return status;
}

static pml_status choose_study(const pml_plot_request *request, pml_study_file *file, pml_error *error) {
    pml_quoted quoted;
    size_t n_studies = 0;
    for (size_t i = 0; i < file->log.n_studies; i++) {
        const pml_study_entry *study = &file->log.studies[i];
        if (study->is_deleted || (request->study != NULL && strcmp(study->name, request->study) != 0)) {
            continue;
        }
        n_studies++;
        file->study = study;
    }
    if (n_studies == 0 && request->study != NULL) {
        return PML_FAIL(error, PML_E_CONFIG, "%s has no study %s", request->path, pml_quote(&quoted, request->study));
    }
    if (n_studies != 1) {
        return PML_FAIL(error, PML_E_CONFIG,
                        n_studies == 0 ? "%s has no study" : "%s has several studies, such as %s: --study",
                        request->path, n_studies == 0 ? "" : pml_quote(&quoted, file->study->name));
    }
    if (file->study->n_directions > 1) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: study %s has several objectives", request->path,
                        pml_quote(&quoted, file->study->name));
    }
    return PML_OK;
}

static pml_status choose_trials(const pml_plot_request *request, pml_study_file *file, pml_error *error) {
    pml_status status = PML_OK;
    const pml_study_entry *study = file->study;
    pml_quoted quoted;
    size_t i_name = 0;
    bool is_new = false;
    PML_TRY(pml_alloc(study->n_trials, sizeof *file->trials, &file->trials, error));
    for (size_t i = 0; i < study->n_trials; i++) {
        const pml_trial *trial = study->trials[i];
        if (trial->state != PML_TRIAL_COMPLETE || !trial->has_value || !isfinite(trial->value)) {
            continue;
        }
        file->trials[file->n_trials++] = trial;
        for (size_t k = 0; k < trial->n_parameters; k++) {
            const char *name = trial->parameters[k].name;
            PML_TRY(pml_names_add(&file->known, name, strlen(name), MOST_PARAMETERS, "parameters", &i_name, &is_new,
                                  error));
        }
    }
    if (file->n_trials == 0) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: study %s has no complete trial", request->path,
                         pml_quote(&quoted, study->name)));
    }
    file->n_names = pml_names_count(&file->known);
    PML_TRY(pml_alloc(file->n_names, sizeof *file->names, &file->names, error));
    for (size_t k = 0; k < file->n_names; k++) {
        file->names[k] = pml_names_at(&file->known, k);
    }
done:
    return status;
}

pml_status pml_study_file_parse(const pml_plot_request *request, pml_study_file *file, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(read_lines(request, &file->log, error));
    PML_TRY(choose_study(request, file, error));
    PML_TRY(choose_trials(request, file, error));
done:
    return status;
}

void pml_study_file_deinit(pml_study_file *file) {
    pml_free(file->trials);
    pml_free(file->names);
    pml_names_deinit(&file->known);
    pml_study_log_deinit(&file->log);
    *file = (pml_study_file){0};
}
