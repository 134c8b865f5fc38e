#include "convert/batch/batch_journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/batch/batch_manifest.h"
#include "convert/batch/json_fields.h"
#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/log.h"
#include "runtime/base/names.h"
#include "runtime/base/quote.h"
#include "runtime/base/version.h"

#define FILE_PREFIX "journal-"
#define FILE_SUFFIX ".jsonl"
enum { MOST_FILES = 65536, READ_BYTES = 1 << 16, MOST_LINE_BYTES = 1 << 20, LOOK_MS = 50 };

typedef struct journal_file { /* as far as it was read */
    char *path;
    uint64_t read_bytes;
} journal_file;

struct pml_journal {
    char *folder; /* ".../.pml-batch" */
    char *path;   /* of the file that is this process's own */
    int fd;
    char manifest_sha256[PML_SHA256_TEXT_BYTES];
    journal_file *files;
    size_t n_files, files_capacity;
    pml_names outputs; /* their numbers are those of the two lists below; both hold zeros for what is not known */
    pml_journal_entry *results;
    pml_journal_entry *resolved;
    size_t results_capacity, resolved_capacity;
    pml_arena texts;
};

static const char *or_empty(const char *text) {
    return text != NULL ? text : "";
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static pml_status remember(pml_journal *j, const pml_journal_entry *entry, pml_error *error) {
    pml_status status = PML_OK;
    size_t i = 0;
    bool is_new = false;
    const size_t before = pml_names_count(&j->outputs);
    /* Both lists have room before the name is added: a name without its places would be an error later. */
    PML_TRY(
        pml_grow(&j->results, &j->results_capacity, before + 1, sizeof *j->results, SIZE_MAX / 2, "entries", error));
    PML_TRY(
        pml_grow(&j->resolved, &j->resolved_capacity, before + 1, sizeof *j->resolved, SIZE_MAX / 2, "entries", error));
    PML_TRY(pml_names_add(&j->outputs, entry->output, strlen(entry->output), PML_MAX_BATCH_JOBS, "outputs", &i, &is_new,
                          error));
    if (is_new) {
        j->results[i] = (pml_journal_entry){0};
        j->resolved[i] = (pml_journal_entry){0};
    }
    if (strcmp(entry->event, "resolved") == 0) {
        j->resolved[i] = *entry;
    } else {
        j->results[i] = *entry;
    }
done:
    return status;
}

static pml_status read_line(pml_journal *j, const journal_file *file, const char *line, size_t length,
                            pml_error *error) {
    pml_journal_entry e = {0};
    const pml_json_field fields[] = {
        {"event", PML_FIELD_TEXT, &e.event},
        {"output", PML_FIELD_TEXT, &e.output},
        {"source", PML_FIELD_TEXT, &e.source},
        {"revision", PML_FIELD_TEXT, &e.revision},
        {"options", PML_FIELD_TEXT, &e.options},
        {"converter", PML_FIELD_TEXT, &e.converter},
        {"commit", PML_FIELD_TEXT, &e.identity},
        {"folder", PML_FIELD_TEXT, &e.folder},
        {"family", PML_FIELD_TEXT, &e.family},
        {"variant", PML_FIELD_TEXT, &e.variant},
        {"content_digest", PML_FIELD_TEXT, &e.content_digest},
        {"cause", PML_FIELD_TEXT, &e.cause},
        {"error", PML_FIELD_TEXT, &e.error},
        {"source_bytes", PML_FIELD_U64, &e.source_bytes},
        {"size_bytes", PML_FIELD_U64, &e.size_bytes},
        {"download_bytes", PML_FIELD_U64, &e.download_bytes},
        {"exit_code", PML_FIELD_U64, &e.exit_code},
        {"seconds", PML_FIELD_F64, &e.seconds},
    };
    pml_error cause = {0};
    pml_quoted quoted;
    pml_status status =
        pml_json_fields_read(line, length, file->path, fields, sizeof fields / sizeof fields[0], &j->texts, &cause);
    if (status == PML_E_MEMORY) {
        return PML_FAIL(error, PML_E_MEMORY, "%s", cause.message);
    }
    if (status != PML_OK || e.event == NULL) {
        /* What a line does not tell is found out again from the outputs. */
        pml_log(PML_LOG_WARNING, "%s: a damaged line is passed over", pml_quote(&quoted, file->path));
        return PML_OK;
    }
    if (strcmp(e.event, "end") == 0 && strcmp(file->path, j->path) == 0) {
        for (size_t i = 0; i < pml_names_count(&j->outputs); i++) {
            j->resolved[i] = (pml_journal_entry){0};
        }
    }
    return e.output != NULL ? remember(j, &e, error) : PML_OK;
}

/* Takes in the finished lines behind what was read before. */
static pml_status read_file(pml_journal *j, journal_file *file, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    char *buffer = NULL;
    size_t capacity = 0, used = 0;
    const int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", pml_quote(&quoted, file->path), strerror(errno)));
    }
    for (;;) {
        PML_TRY(pml_grow(&buffer, &capacity, used + READ_BYTES, 1, (size_t)MOST_LINE_BYTES + READ_BYTES,
                         "bytes in one line of a journal", error));
        const ssize_t n = pread(fd, buffer + used, READ_BYTES, (off_t)(file->read_bytes + used));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break; /* what is left is a line that somebody is writing, or never finished */
        }
        used += (size_t)n;
        size_t at = 0;
        for (char *stop; (stop = memchr(buffer + at, '\n', used - at)) != NULL;) {
            PML_TRY(read_line(j, file, buffer + at, (size_t)(stop - buffer) - at, error));
            at = (size_t)(stop - buffer) + 1;
        }
        memmove(buffer, buffer + at, used - at);
        used -= at;
        file->read_bytes += at;
    }
done:
    if (fd >= 0) {
        (void)close(fd);
    }
    pml_free(buffer);
    return status;
}

static journal_file *find_file(pml_journal *j, const char *name, pml_error *error) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", j->folder, name) >= (int)sizeof path) {
        (void)PML_FAIL(error, PML_E_IO, "%s: the path is too long", j->folder);
        return NULL;
    }
    for (size_t i = 0; i < j->n_files; i++) {
        if (strcmp(j->files[i].path, path) == 0) {
            return &j->files[i];
        }
    }
    if (pml_grow(&j->files, &j->files_capacity, j->n_files + 1, sizeof *j->files, MOST_FILES, "journals", error) !=
        PML_OK) {
        return NULL;
    }
    j->files[j->n_files] = (journal_file){0};
    if (pml_string_copy(path, strlen(path), &j->files[j->n_files].path, error) != PML_OK) {
        return NULL;
    }
    return &j->files[j->n_files++];
}

pml_status pml_journal_refresh(pml_journal *j, pml_error *error) {
    pml_status status = PML_OK;
    pml_error cause = {0};
    DIR *folder = opendir(j->folder);
    if (folder == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", j->folder, strerror(errno)));
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        const size_t length = strlen(entry->d_name), n_suffix = strlen(FILE_SUFFIX);
        if (strncmp(entry->d_name, FILE_PREFIX, strlen(FILE_PREFIX)) != 0 || length < n_suffix ||
            strcmp(entry->d_name + length - n_suffix, FILE_SUFFIX) != 0) {
            continue;
        }
        journal_file *file = find_file(j, entry->d_name, &cause);
        if (file == NULL) {
            PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s", cause.message));
        }
        PML_TRY(read_file(j, file, error));
    }
done:
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return status;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static pml_status make_folder(const char *path, pml_error *error) {
    pml_quoted quoted;
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        return PML_FAIL(error, PML_E_IO, "%s: %s", pml_quote(&quoted, path), strerror(errno));
    }
    return PML_OK;
}

pml_status pml_journal_make_folder(const char *folder, pml_error *error) {
    pml_status status = PML_OK;
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/" PML_BATCH_FOLDER, folder) >= (int)sizeof path) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "the path of the output folder is too long"));
    }
    PML_TRY(make_folder(folder, error));
    PML_TRY(make_folder(path, error));
done:
    return status;
}

/* Cuts off a line that was not finished. */
static pml_status cut_torn_line(const pml_journal *j, pml_error *error) {
    struct stat info;
    char byte = '\n';
    off_t end = fstat(j->fd, &info) == 0 ? info.st_size : -1;
    const off_t before = end;
    while (end > 0 && pread(j->fd, &byte, 1, end - 1) == 1 && byte != '\n') {
        end--;
    }
    if (end < 0 || (end != before && ftruncate(j->fd, end) != 0)) {
        return PML_FAIL(error, PML_E_IO, "%s: %s", j->path, strerror(errno));
    }
    return PML_OK;
}

/* Where there are no locks, each output's own lock still keeps two processes apart. */
static pml_status lock_own(const pml_journal *j, const pml_shard *shard, uint64_t wait_ms, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    for (uint64_t waited_ms = 0; flock(j->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; waited_ms += LOOK_MS) {
        if (waited_ms >= wait_ms) {
            PML_TRY(PML_FAIL(error, PML_E_BUSY, "another process works on shard %llu of %llu in %s",
                             (unsigned long long)shard->index, (unsigned long long)shard->count,
                             pml_quote(&quoted, j->folder)));
        }
        PML_TRY(pml_cancel_check(error));
        (void)poll(NULL, 0, LOOK_MS);
    }
done:
    return status;
}

static pml_status open_own(pml_journal *j, const pml_shard *shard, uint64_t wait_ms, pml_error *error) {
    char path[PATH_MAX];
    pml_status status = PML_OK;
    pml_quoted quoted;
    if (snprintf(path, sizeof path, "%s/" FILE_PREFIX "%llu-of-%llu" FILE_SUFFIX, j->folder,
                 (unsigned long long)shard->index, (unsigned long long)shard->count) >= (int)sizeof path) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "%s: the path is too long", j->folder));
    }
    PML_TRY(pml_string_copy(path, strlen(path), &j->path, error));
    j->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (j->fd < 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", pml_quote(&quoted, path), strerror(errno)));
    }
    PML_TRY(lock_own(j, shard, wait_ms, error));
    PML_TRY(cut_torn_line(j, error));
done:
    return status;
}

pml_status pml_journal_open(const char *folder, const pml_shard *shard, const char *manifest_sha256, uint64_t wait_ms,
                            pml_journal **journal, pml_error *error) {
    pml_status status = PML_OK;
    pml_journal *made = NULL;
    char path[PATH_MAX];
    *journal = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->fd = -1;
    (void)snprintf(made->manifest_sha256, sizeof made->manifest_sha256, "%s", manifest_sha256);
    PML_TRY(pml_journal_make_folder(folder, error));
    (void)snprintf(path, sizeof path, "%s/" PML_BATCH_FOLDER, folder);
    PML_TRY(pml_string_copy(path, strlen(path), &made->folder, error));
    PML_TRY(open_own(made, shard, wait_ms, error));
    PML_TRY(pml_journal_refresh(made, error));
    *journal = made;
    made = NULL;
done:
    pml_journal_close(made);
    return status;
}

void pml_journal_close(pml_journal *journal) {
    if (journal == NULL) {
        return;
    }
    if (journal->fd >= 0) {
        (void)close(journal->fd);
    }
    for (size_t i = 0; i < journal->n_files; i++) {
        pml_free(journal->files[i].path);
    }
    pml_free(journal->files);
    pml_free(journal->folder);
    pml_free(journal->path);
    pml_free(journal->results);
    pml_free(journal->resolved);
    pml_names_deinit(&journal->outputs);
    pml_arena_deinit(&journal->texts);
    pml_free(journal);
}

/* ---- looking up -------------------------------------------------------------------------------------------------- */

static const pml_journal_entry *find_in(const pml_journal *j, const pml_journal_entry *entries,
                                        const pml_batch_job *job) {
    size_t i = 0;
    if (!pml_names_find(&j->outputs, job->output, strlen(job->output), &i) || entries[i].event == NULL) {
        return NULL;
    }
    const pml_journal_entry *e = &entries[i];
    const bool fits =
        strcmp(or_empty(e->source), job->source) == 0 && strcmp(or_empty(e->revision), or_empty(job->revision)) == 0 &&
        strcmp(or_empty(e->options), job->options.key) == 0 && strcmp(or_empty(e->converter), pml_version()) == 0;
    return fits ? e : NULL;
}

const pml_journal_entry *pml_journal_find(const pml_journal *journal, const pml_batch_job *job) {
    return find_in(journal, journal->results, job);
}

const pml_journal_entry *pml_journal_find_resolved(const pml_journal *journal, const pml_batch_job *job) {
    return find_in(journal, journal->resolved, job);
}

/* ---- appending --------------------------------------------------------------------------------------------------- */

static pml_status write_line(pml_journal *j, const char *line, size_t length, pml_error *error) {
    struct stat info;
    const off_t before = fstat(j->fd, &info) == 0 ? info.st_size : -1;
    int cause = 0;
    for (size_t used = 0; used < length && cause == 0;) {
        const ssize_t n = write(j->fd, line + used, length - used);
        if (n > 0) {
            used += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            cause = n == 0 ? EIO : errno;
        }
    }
    if (cause == 0 && fsync(j->fd) != 0) {
        cause = errno;
    }
    if (cause == 0) {
        return PML_OK;
    }
    if (before >= 0 && ftruncate(j->fd, before) != 0) {
        pml_log(PML_LOG_WARNING, "%s: a line that is not whole stays at its end", j->path);
    }
    return PML_FAIL(error, PML_E_IO, "cannot write to %s: %s", j->path, strerror(cause));
}

static void describe(pml_json_writer *w, const pml_journal *j, const pml_batch_job *job, const char *event) {
    pml_json_string(w, "event", event);
    pml_json_string(w, "output", job->output);
    pml_json_string(w, "source", job->source);
    pml_json_string(w, "revision", job->revision);
    pml_json_string(w, "options", job->options.key);
    pml_json_string(w, "converter", pml_version());
    pml_json_string(w, "commit", job->identity);
    pml_json_string(w, "folder", job->is_local ? NULL : job->folder);
    pml_json_string(w, "manifest_sha256", j->manifest_sha256);
    if (strcmp(event, "resolved") == 0) {
        return;
    }
    pml_json_string(w, "family", job->family);
    pml_json_string(w, "variant", job->variant);
    pml_json_string(w, "content_digest", job->content_digest);
    pml_json_u64(w, "source_bytes", job->source_bytes);
    pml_json_u64(w, "size_bytes", job->size_bytes);
    pml_json_u64(w, "download_bytes", job->download_bytes);
    pml_json_f64(w, "seconds", job->seconds);
    if (job->outcome == PML_JOB_FAILED) {
        pml_json_string(w, "cause", pml_job_cause_name(job->cause));
        pml_json_u64(w, "exit_code", (uint64_t)job->exit_code);
        pml_json_string(w, "error", job->error);
    }
}

static pml_status append(pml_journal *j, const pml_batch_job *job, const char *event, pml_error *error) {
    pml_status status = PML_OK;
    char *line = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&line, &length);
    if (stream == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for a line of the journal"));
    }
    pml_json_writer w;
    pml_json_writer_init(&w, stream, false);
    pml_json_begin_object(&w, NULL);
    if (job != NULL) {
        describe(&w, j, job, event);
    } else {
        pml_json_string(&w, "event", event);
        pml_json_string(&w, "manifest_sha256", j->manifest_sha256);
    }
    pml_json_end_object(&w);
    PML_TRY(pml_json_finish(&w, error));
    const int closed = fclose(stream);
    stream = NULL;
    if (closed != 0) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for a line of the journal"));
    }
    PML_TRY(write_line(j, line, length, error));
done:
    if (stream != NULL) {
        (void)fclose(stream);
    }
    free(line);
    return status;
}

pml_status pml_journal_append(pml_journal *journal, const pml_batch_job *job, const char *event, pml_error *error) {
    return append(journal, job, event, error);
}

pml_status pml_journal_end(pml_journal *journal, pml_error *error) {
    return append(journal, NULL, "end", error);
}
