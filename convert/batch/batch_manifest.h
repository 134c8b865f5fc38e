/* The list of what a batch converts: one job per line, in any of three spellings.
 *
 *     org/name@revision                                a source, as pml-convert takes it; or a path
 *     source <TAB> revision <TAB> dtype <TAB> options <TAB> output      "" or "-": not given; or under a header line
 *     {"source": "org/name", "revision": "…", "dtype": "bf16", "options": ["--layout=row"], "output": "x.pml"}
 *
 * Blank lines and lines that begin with '#' are passed over. Jobs are counted from 0 in the order of the lines. */
#ifndef PML_CONVERT_BATCH_BATCH_MANIFEST_H
#define PML_CONVERT_BATCH_BATCH_MANIFEST_H

#include "convert/batch/batch_job.h"
#include "convert/hash.h"

#define PML_MAX_BATCH_JOBS 4000000u

typedef struct pml_manifest { /* zero = safe to deinit */
    pml_batch_job *jobs;
    size_t n_jobs, capacity;
    char sha256[PML_SHA256_TEXT_BYTES]; /* of the text */
    pml_arena texts;
} pml_manifest;

/* `options` hold for every job that does not say otherwise. Every job gets its id and output: by default the name of
 * the repository or folder, "org--name", and that with the dtype behind it unless it is f32, ".pml".
 * Errors: CONFIG with the line (not understood; an output that leaves the folder, or that two jobs share), those of
 * pml_input_read and pml_job_options_read. */
pml_status pml_manifest_read(const char *path, const char *const *options, size_t n_options, pml_manifest *manifest,
                             pml_error *error) PML_WARN_UNUSED;
/* The same of a text in memory; `name` is what messages call it. */
pml_status pml_manifest_parse(const char *text, size_t size_bytes, const char *name, const char *const *options,
                              size_t n_options, pml_manifest *manifest, pml_error *error) PML_WARN_UNUSED;
void pml_manifest_deinit(pml_manifest *manifest);

#endif
