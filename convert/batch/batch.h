/* Running a batch: every job of a shard ends as a published file, as one that was there already, or with a named cause.
 *
 * Each step of a job is a process of its own (pml-convert download, pml-convert convert), so that a crash, a full
 * memory or an endless loop ends one job. Downloads run beside conversions. */
#ifndef PML_CONVERT_BATCH_BATCH_H
#define PML_CONVERT_BATCH_BATCH_H

#include "convert/batch/batch_journal.h"
#include "convert/batch/batch_manifest.h"

typedef struct pml_batch_settings {
    const char *program;                 /* what the steps run: pml-convert */
    const char *folder;                  /* of outputs, journal and report; exists */
    unsigned n_conversions, n_downloads; /* at once, both above 0 */
    uint64_t memory_bytes;               /* private memory of all processes together; see pml_batch_least_memory */
    uint64_t step_seconds;               /* a step that takes longer is ended */
    uint64_t lock_seconds;               /* how long to wait for outputs that another process makes */
    const char *const *download_options; /* of every download, "--name=value" */
    size_t n_download_options;
    pml_shard shard;
    /* Failures of one job after the other that are not the job's own (disk, network) end the batch early, unless: */
    bool keep_going;
    bool retry_failed;                                    /* tries again what failed for good before */
    bool replace;                                         /* an output that differs is replaced, not an error */
    void (*on_end)(void *user, const pml_batch_job *job); /* told as jobs end */
    void *user;
} pml_batch_settings;

/* The least memory_bytes for so many processes. */
uint64_t pml_batch_least_memory(unsigned n_conversions, unsigned n_downloads);

/* Runs the jobs of the shard and fills in how they ended; failures of jobs are no error here. Errors: INTERRUPTED
 * (children are ended, the journal tells where to go on), NETWORK or IO (ended early), IO (the journal could not be
 * written; all jobs were tried), MEMORY. */
pml_status pml_batch_run(const pml_batch_settings *settings, pml_manifest *manifest, pml_journal *journal,
                         pml_error *error) PML_WARN_UNUSED;

#endif
