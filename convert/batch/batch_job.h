/* One line of a manifest on its way to a .pml file: what was asked, what was found out, how it ended. */
#ifndef PML_CONVERT_BATCH_BATCH_JOB_H
#define PML_CONVERT_BATCH_BATCH_JOB_H

#include "convert/batch/job_options.h"

typedef enum pml_job_outcome {
    PML_JOB_NOT_STARTED, /* the batch ended before its turn */
    PML_JOB_PUBLISHED,
    PML_JOB_UP_TO_DATE,
    PML_JOB_FAILED
} pml_job_outcome;

/* Whose fault a failure is, and so whether another try can help. */
typedef enum pml_job_cause {
    PML_CAUSE_NONE,
    PML_CAUSE_INPUT,     /* the model, or what the manifest says about it */
    PML_CAUSE_REMOTE,    /* a server says no: not there, gated */
    PML_CAUSE_TRANSIENT, /* a server or another process does not answer now */
    PML_CAUSE_RESOURCE,  /* this machine: disk, memory, time */
    PML_CAUSE_BUG,       /* a crash, or an answer that no program should give */
    PML_CAUSE_COUNT
} pml_job_cause;

typedef struct pml_batch_job { /* texts belong to the manifest's or the batch's arena */
    size_t i_line;             /* of the manifest, from 1 */
    const char *id;
    const char *source;   /* a path, or a repository without revision */
    const char *revision; /* NULL: the repository's default */
    const char *output;   /* relative to the batch's folder */
    bool is_local;
    pml_job_options options;

    /* What the source was: a commit of 40 hexadecimal digits, or "files:" and a hash over names, sizes and times of a
     * local source. NULL: not known yet. */
    const char *identity;
    const char *folder; /* what the conversion reads; NULL: not known yet */

    pml_job_outcome outcome;
    pml_job_cause cause;
    int exit_code;     /* of the step that failed, as specs/command-line.md lists them */
    const char *error; /* NULL: none */
    bool is_recorded;  /* the failure is an earlier run's: nothing was tried */
    const char *family, *variant, *content_digest;
    uint64_t source_bytes, size_bytes, download_bytes;
    double seconds; /* of its steps */
} pml_batch_job;

/* "published", "input", …: what journal and report call them. */
const char *pml_job_outcome_name(pml_job_outcome outcome);
const char *pml_job_cause_name(pml_job_cause cause);
bool pml_job_cause_from_name(const char *name, pml_job_cause *cause);
/* Whether trying again without any change can only fail again. */
bool pml_job_cause_is_final(pml_job_cause cause);

#endif
