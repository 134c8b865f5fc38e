#include "convert/batch/batch_report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "convert/text_table.h"
#include "runtime/base/alloc.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/publish.h"
#include "runtime/base/quote.h"
#include "runtime/cli/command.h"

pml_batch_counts pml_batch_count(const pml_manifest *manifest, const pml_shard *shard) {
    pml_batch_counts counts = {0};
    for (size_t i = shard->index; i < manifest->n_jobs; i += shard->count) {
        const pml_batch_job *job = &manifest->jobs[i];
        counts.n_jobs++;
        counts.n_published += job->outcome == PML_JOB_PUBLISHED;
        counts.n_up_to_date += job->outcome == PML_JOB_UP_TO_DATE;
        counts.n_failed += job->outcome == PML_JOB_FAILED;
        counts.n_transient += job->outcome == PML_JOB_FAILED && job->cause == PML_CAUSE_TRANSIENT;
        counts.n_not_started += job->outcome == PML_JOB_NOT_STARTED;
        if (job->outcome == PML_JOB_PUBLISHED) {
            counts.source_bytes += job->source_bytes;
            counts.size_bytes += job->size_bytes;
            counts.download_bytes += job->download_bytes;
        }
    }
    return counts;
}

/* ---- report.jsonl ------------------------------------------------------------------------------------------------ */

/* How the job of another shard ended, as far as its journal tells. */
static pml_batch_job from_journal(const pml_batch_job *job, const pml_journal *journal) {
    pml_batch_job told = *job;
    const pml_journal_entry *e = pml_journal_find(journal, job);
    if (e == NULL) {
        return told;
    }
    told.outcome = strcmp(e->event, "failed") == 0 ? PML_JOB_FAILED : PML_JOB_PUBLISHED;
    told.identity = e->identity;
    told.family = e->family;
    told.variant = e->variant;
    told.content_digest = e->content_digest;
    told.source_bytes = e->source_bytes;
    told.size_bytes = e->size_bytes;
    told.download_bytes = e->download_bytes;
    told.seconds = e->seconds;
    told.error = e->error;
    told.exit_code = (int)e->exit_code;
    if (e->cause != NULL) {
        (void)pml_job_cause_from_name(e->cause, &told.cause);
    }
    return told;
}

static void write_options(pml_json_writer *w, const char *key) {
    char option[4096];
    pml_json_begin_array(w, "options");
    for (const char *at = key; *at != '\0';) {
        const size_t length = strcspn(at, "\n");
        (void)snprintf(option, sizeof option, "%.*s", (int)(length < sizeof option ? length : sizeof option - 1), at);
        pml_json_string(w, NULL, option);
        at += length + (at[length] == '\n');
    }
    pml_json_end_array(w);
}

static pml_status write_job(FILE *stream, const pml_batch_job *job, const pml_manifest *manifest, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stream, false);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "id", job->id);
    pml_json_string(&w, "status", pml_job_outcome_name(job->outcome));
    pml_json_string(&w, "source", job->source);
    pml_json_string(&w, "revision", job->revision);
    pml_json_string(&w, "commit", job->identity);
    write_options(&w, job->options.key);
    pml_json_string(&w, "output", job->output);
    pml_json_string(&w, "family", job->family);
    pml_json_string(&w, "variant", job->variant);
    pml_json_string(&w, "content_digest", job->content_digest);
    pml_json_u64(&w, "source_bytes", job->source_bytes);
    pml_json_u64(&w, "size_bytes", job->size_bytes);
    pml_json_u64(&w, "download_bytes", job->download_bytes);
    pml_json_f64(&w, "seconds", job->seconds);
    if (job->outcome == PML_JOB_FAILED) {
        pml_json_string(&w, "cause", pml_job_cause_name(job->cause));
        pml_json_i64(&w, "exit_code", job->exit_code);
        pml_json_string(&w, "error", job->error);
        pml_json_bool(&w, "tried_now", !job->is_recorded);
    }
    pml_json_string(&w, "manifest_sha256", manifest->sha256);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static pml_status write_lines(const pml_manifest *manifest, const pml_shard *shard, const pml_journal *journal,
                              char **text, size_t *size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    FILE *stream = open_memstream(text, size_bytes);
    if (stream == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for the report"));
    }
    for (size_t i = 0; i < manifest->n_jobs; i++) {
        const bool is_own = i % shard->count == shard->index;
        const pml_batch_job job = is_own ? manifest->jobs[i] : from_journal(&manifest->jobs[i], journal);
        PML_TRY(write_job(stream, &job, manifest, error));
    }
done:
    if (stream != NULL && fclose(stream) != 0 && status == PML_OK) {
        status = PML_FAIL(error, PML_E_MEMORY, "out of memory for the report");
    }
    return status;
}

pml_status pml_batch_report_write(const char *folder, const pml_manifest *manifest, const pml_shard *shard,
                                  pml_journal *journal, char **path, pml_error *error) {
    pml_status status = PML_OK;
    char target[PATH_MAX], turn[PATH_MAX];
    char *text = NULL;
    size_t size_bytes = 0;
    pml_publish *publish = NULL;
    pml_quoted quoted;
    int fd = -1;
    *path = NULL;
    if (snprintf(target, sizeof target, "%s/report.jsonl", folder) >= (int)sizeof target ||
        snprintf(turn, sizeof turn, "%s/" PML_BATCH_FOLDER "/report.lock", folder) >= (int)sizeof turn) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "the path of the output folder is too long"));
    }
    fd = open(turn, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", pml_quote(&quoted, turn), strerror(errno)));
    }
    /* Without locks a report could miss what another shard did meanwhile; the next run writes it again. */
    while (flock(fd, LOCK_EX) != 0 && errno == EINTR) {
    }
    PML_TRY(pml_journal_refresh(journal, error));
    PML_TRY(write_lines(manifest, shard, journal, &text, &size_bytes, error));
    PML_TRY(pml_publish_begin(target, size_bytes, true, &publish, error));
    PML_TRY(pml_publish_write(publish, 0, text, size_bytes, error));
    pml_publish *finished = publish;
    publish = NULL; /* commit frees it whatever happens */
    PML_TRY(pml_publish_commit(finished, error));
    PML_TRY(pml_string_copy(target, strlen(target), path, error));
done:
    pml_publish_abort(publish);
    free(text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const char *or_dash(const char *text) {
    return text != NULL && text[0] != '\0' ? text : "-";
}

pml_status pml_batch_report_print(const pml_manifest *manifest, const pml_shard *shard, FILE *stream,
                                  pml_error *error) {
    static const char *const titles[] = {"STATUS", "MODEL", "FAMILY", "SOURCE", "SIZE", "SECONDS", "CODE", "ERROR"};
    pml_status status = PML_OK;
    pml_text_table table;
    pml_text_table_init(&table, 8, 0x78);
    PML_TRY(pml_text_table_row(&table, titles, error));
    for (size_t i = shard->index; i < manifest->n_jobs; i += shard->count) {
        const pml_batch_job *job = &manifest->jobs[i];
        char source[32] = "-", size[32] = "-", seconds[32] = "-", code[16] = "";
        const bool is_there = job->outcome == PML_JOB_PUBLISHED || job->outcome == PML_JOB_UP_TO_DATE;
        if (is_there) {
            (void)pml_cli_size_text(job->size_bytes, size);
        }
        if (job->source_bytes > 0) {
            (void)pml_cli_size_text(job->source_bytes, source);
        }
        if (job->seconds > 0) {
            (void)snprintf(seconds, sizeof seconds, "%.2f", job->seconds);
        }
        if (job->outcome == PML_JOB_FAILED) {
            (void)snprintf(code, sizeof code, "%d", job->exit_code);
        }
        const char *cells[] = {
            pml_job_outcome_name(job->outcome),  job->id, or_dash(job->family), source, size, seconds, code,
            job->error != NULL ? job->error : ""};
        PML_TRY(pml_text_table_row(&table, cells, error));
    }
    pml_text_table_print(&table, stream, 0);
done:
    pml_text_table_deinit(&table);
    return status;
}
