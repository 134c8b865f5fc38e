/* Journals of studies: whatever the lines, what they add up to keeps its bounds, and can be searched on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tune/study_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_trial(const pml_trial *trial) {
    if ((unsigned)trial->state >= PML_TRIAL_STATES) {
        abort();
    }
    for (size_t i = 0; i < trial->n_parameters; i++) {
        const pml_trial_parameter *p = &trial->parameters[i];
        if (p->distribution->kind == PML_DISTRIBUTION_CATEGORICAL &&
            !pml_distribution_contains(p->distribution, p->value)) {
            abort();
        }
        if (pml_trial_find(trial, p->name) != p) {
            abort();
        }
    }
    for (size_t i = 0; i < trial->n_reports; i++) {
        for (size_t j = 0; j < i && j < 64; j++) {
            if (trial->reports[i].step == trial->reports[j].step) {
                abort();
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pml_study_log log = {.worker = "me"};
    const char *at = (const char *)data, *end = at + size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const size_t length = (size_t)((stop != NULL ? stop : end) - at);
        pml_journal_record record = {0};
        pml_error error = {0};
        pml_status status = pml_journal_record_read(at, length, "fuzz", &record, &error);
        if (status == PML_OK) {
            status = pml_study_log_apply(&log, &record, &error);
        }
        if (status != PML_OK && error.message[0] == '\0') {
            abort();
        }
        pml_journal_record_deinit(&record);
        at += length + 1;
    }
    for (size_t i = 0; i < log.n_trials; i++) {
        check_trial(log.trials[i].trial);
    }
    pml_study_log_deinit(&log);
    return 0;
}
