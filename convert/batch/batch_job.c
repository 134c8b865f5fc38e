#include "convert/batch/batch_job.h"

#include <string.h>

static const char *const outcome_names[] = {
    [PML_JOB_NOT_STARTED] = "not started",
    [PML_JOB_PUBLISHED] = "published",
    [PML_JOB_UP_TO_DATE] = "up to date",
    [PML_JOB_FAILED] = "failed",
};

static const char *const cause_names[PML_CAUSE_COUNT] = {
    [PML_CAUSE_NONE] = "none",           [PML_CAUSE_INPUT] = "input",       [PML_CAUSE_REMOTE] = "remote",
    [PML_CAUSE_TRANSIENT] = "transient", [PML_CAUSE_RESOURCE] = "resource", [PML_CAUSE_BUG] = "bug",
};

const char *pml_job_outcome_name(pml_job_outcome outcome) {
    return outcome_names[outcome];
}

const char *pml_job_cause_name(pml_job_cause cause) {
    return cause_names[cause];
}

bool pml_job_cause_from_name(const char *name, pml_job_cause *cause) {
    for (int i = 0; i < (int)PML_CAUSE_COUNT; i++) {
        if (strcmp(cause_names[i], name) == 0) {
            *cause = (pml_job_cause)i;
            return true;
        }
    }
    return false;
}

bool pml_job_cause_is_final(pml_job_cause cause) {
    return cause == PML_CAUSE_INPUT || cause == PML_CAUSE_REMOTE || cause == PML_CAUSE_BUG;
}
