/* What a batch has done, kept through any end: a folder ".pml-batch" in the output folder with one file of JSON lines
 * per shard, each appended to by one process and synced line by line; all of them are read. A last line that was not
 * finished is cut off.
 *
 * The newest line about an output counts. Jobs are told apart by their output, and a line speaks of a job only while
 * its source, revision and options are those of the line. */
#ifndef PML_CONVERT_BATCH_BATCH_JOURNAL_H
#define PML_CONVERT_BATCH_BATCH_JOURNAL_H

#include "convert/batch/batch_job.h"
#include "convert/batch/shard.h"

#define PML_BATCH_FOLDER ".pml-batch"

typedef struct pml_journal pml_journal;

typedef struct pml_journal_entry { /* texts are the journal's; NULL: not recorded */
    const char *output, *event;    /* event: "resolved", "published", "failed" */
    const char *source, *revision, *options, *converter, *identity, *folder;
    const char *family, *variant, *content_digest, *cause, *error;
    uint64_t source_bytes, size_bytes, download_bytes, exit_code;
    double seconds;
} pml_journal_entry;

/* Makes `folder` and the journal's folder in it where they are missing. Errors: IO. */
pml_status pml_journal_make_folder(const char *folder, pml_error *error) PML_WARN_UNUSED;

/* Creates the folder where needed, takes the shard's file for itself and reads all. A process that was killed a moment
 * ago may need another one to let go of it: so long is waited. Errors: BUSY (another process works on this shard), IO,
 * INTERRUPTED, MEMORY. */
pml_status pml_journal_open(const char *folder, const pml_shard *shard, const char *manifest_sha256, uint64_t wait_ms,
                            pml_journal **journal, pml_error *error) PML_WARN_UNUSED;
void pml_journal_close(pml_journal *journal); /* NULL is allowed */

/* Reads what other processes have added since. Errors: IO, MEMORY. */
pml_status pml_journal_refresh(pml_journal *journal, pml_error *error) PML_WARN_UNUSED;

/* The newest "published" or "failed" line about the job's output, if it is about the job's source, revision, options
 * and this version of the converter; else NULL. Valid until the journal is refreshed or appended to. */
const pml_journal_entry *pml_journal_find(const pml_journal *journal, const pml_batch_job *job);
/* The newest "resolved" line about it, of a batch that did not come to its end; else NULL. */
const pml_journal_entry *pml_journal_find_resolved(const pml_journal *journal, const pml_batch_job *job);

/* Appends and syncs a line: "resolved", or the job's outcome. Errors: IO (nothing of the line is left in the file). */
pml_status pml_journal_append(pml_journal *journal, const pml_batch_job *job, const char *event,
                              pml_error *error) PML_WARN_UNUSED;
/* The batch came to its end: what was resolved is asked again the next time. Errors: IO. */
pml_status pml_journal_end(pml_journal *journal, pml_error *error) PML_WARN_UNUSED;

#endif
