/* What lies where a job's output belongs. */
#ifndef PML_CONVERT_BATCH_OUTPUT_STATE_H
#define PML_CONVERT_BATCH_OUTPUT_STATE_H

#include "convert/batch/batch_job.h"

typedef struct pml_output_state { /* texts are in the arena */
    bool exists;                  /* something of that name, a .pml or not */
    bool is_model;                /* a .pml file with an intact head; only then: */
    uint64_t size_bytes;
    const char *content_digest; /* 32 hexadecimal digits */
    const char *family, *variant;
    const char *source;    /* "provenance.source", "" if not recorded */
    const char *converter; /* "provenance.converter", likewise */
    const char *options;   /* "provenance.options", joined by newlines */
} pml_output_state;

/* Looks at `path` without reading tensors. Errors: MEMORY. */
pml_status pml_output_look(const char *path, pml_arena *texts, pml_output_state *state,
                           pml_error *error) PML_WARN_UNUSED;

/* The identity of a local source: "files:" and a hash over the names, sizes and times of the files in the folder (and
 * those below, a few levels deep), or of the folder that a file lies in. Errors: NOT_FOUND, IO, MEMORY. */
pml_status pml_local_identity(const char *source, pml_arena *texts, const char **identity,
                              pml_error *error) PML_WARN_UNUSED;

#endif
