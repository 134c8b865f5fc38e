/* What became of every job: a table for people, report.jsonl for programs. */
#ifndef PML_CONVERT_BATCH_BATCH_REPORT_H
#define PML_CONVERT_BATCH_BATCH_REPORT_H

#include <stdio.h>

#include "convert/batch/batch_journal.h"
#include "convert/batch/batch_manifest.h"

typedef struct pml_batch_counts {                                                     /* of the jobs of one shard */
    uint64_t n_jobs, n_published, n_up_to_date, n_failed, n_transient, n_not_started; /* transient: of the failed */
    uint64_t source_bytes, size_bytes, download_bytes;                                /* of what was published */
} pml_batch_counts;

pml_batch_counts pml_batch_count(const pml_manifest *manifest, const pml_shard *shard);

/* Writes FOLDER/report.jsonl, a line for every job of the manifest in its order, whatever its shard: what other shards
 * did is read from the journal. Shards that end at the same time take turns. *path is the caller's (pml_free).
 * Errors: IO, MEMORY. */
pml_status pml_batch_report_write(const char *folder, const pml_manifest *manifest, const pml_shard *shard,
                                  pml_journal *journal, char **path, pml_error *error) PML_WARN_UNUSED;

/* The jobs of the shard, a row each. Errors: MEMORY. */
pml_status pml_batch_report_print(const pml_manifest *manifest, const pml_shard *shard, FILE *stream,
                                  pml_error *error) PML_WARN_UNUSED;

#endif
