#include "runtime/tune/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/tune/journal_lock.h"

enum { READ_BYTES = 65536, MOST_LINE_BYTES = 64 << 20 };

struct pml_journal {
    char *path; /* NULL: no file */
    int fd;
    pml_journal_lock lock;
    bool is_locked;
    uint64_t offset_bytes; /* behind the last whole line that was taken */
    uint64_t n_lines;
    char *line; /* what was read behind it */
    size_t capacity;
    pml_journal_line_fn *receive;
    void *user;
};

const char *pml_journal_name(const pml_journal *journal) {
    return journal->path != NULL ? journal->path : "the study";
}

static pml_status fail_io(const pml_journal *journal, pml_error *error) {
    return PML_FAIL(error, PML_E_IO, "%s: %s", journal->path, strerror(errno));
}

static pml_status open_file(pml_journal *journal, bool must_exist, pml_error *error) {
    struct stat info;
    const int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (must_exist ? 0 : O_CREAT);
    journal->fd = open(journal->path, flags, 0666);
    if (journal->fd < 0 && must_exist && (errno == EACCES || errno == EROFS)) { /* good for looking */
        journal->fd = open(journal->path, (flags & ~(O_RDWR | O_APPEND)) | O_RDONLY);
    }
    if (journal->fd < 0) {
        return PML_FAIL(error, errno == ENOENT ? PML_E_NOT_FOUND : PML_E_IO, "%s: %s", journal->path, strerror(errno));
    }
    if (fstat(journal->fd, &info) != 0) {
        return fail_io(journal, error);
    }
    return S_ISREG(info.st_mode) ? PML_OK : PML_FAIL(error, PML_E_ARGUMENT, "%s is not a file", journal->path);
}

pml_status pml_journal_open(const char *path, bool must_exist, const char *mark, pml_journal_line_fn *receive,
                            void *user, pml_journal **journal, pml_error *error) {
    pml_status status = PML_OK;
    pml_journal *made = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->fd = -1;
    made->receive = receive;
    made->user = user;
    if (path != NULL) {
        PML_TRY(pml_string_copy(path, strlen(path), &made->path, error));
        PML_TRY(open_file(made, must_exist, error));
        PML_TRY(pml_journal_lock_init(&made->lock, path, made->fd, mark, error));
    }
    *journal = made;
    made = NULL;
done:
    pml_journal_close(made);
    return status;
}

void pml_journal_close(pml_journal *journal) {
    if (journal != NULL) {
        if (journal->is_locked) {
            pml_journal_lock_end(journal);
        }
        if (journal->fd >= 0) {
            (void)close(journal->fd);
        }
        pml_journal_lock_deinit(&journal->lock);
        pml_free(journal->line);
        pml_free(journal->path);
        pml_free(journal);
    }
}

/* Gives the whole lines among the first `size_bytes` of `text`; *used is how much they are. */
static pml_status give(pml_journal *journal, const char *text, size_t size_bytes, size_t *used, pml_error *error) {
    pml_status status = PML_OK;
    *used = 0;
    for (;;) {
        const char *start = text + *used;
        const char *end = memchr(start, '\n', size_bytes - *used);
        if (end == NULL) {
            break;
        }
        size_t length = (size_t)(end - start);
        length -= length > 0 && start[length - 1] == '\r';
        PML_TRY(journal->receive(journal->user, start, length, journal->n_lines + 1, error));
        journal->n_lines++;
        *used += (size_t)(end - start) + 1;
    }
done:
    return status;
}

pml_status pml_journal_sync(pml_journal *journal, pml_error *error) {
    pml_status status = PML_OK;
    struct stat info;
    if (journal->path == NULL) {
        goto done;
    }
    if (fstat(journal->fd, &info) != 0) {
        PML_TRY(fail_io(journal, error));
    }
    const uint64_t end = (uint64_t)info.st_size;
    if (end < journal->offset_bytes) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s became shorter: a journal only grows", journal->path));
    }
    for (size_t have = 0; journal->offset_bytes + have < end;) {
        size_t used = 0;
        const uint64_t at = journal->offset_bytes + have;
        const size_t want = end - at < READ_BYTES ? (size_t)(end - at) : READ_BYTES;
        PML_TRY(
            pml_grow(&journal->line, &journal->capacity, have + want, 1, MOST_LINE_BYTES, "bytes in a line", error));
        const ssize_t got = pread(journal->fd, journal->line + have, want, (off_t)at);
        if (got < 0 && errno != EINTR) {
            PML_TRY(fail_io(journal, error));
        }
        if (got == 0) {
            break; /* an interrupted line was cut off meanwhile */
        }
        have += got > 0 ? (size_t)got : 0;
        status = give(journal, journal->line, have, &used, error);
        journal->offset_bytes += used;
        PML_TRY(status);
        have -= used;
        memmove(journal->line, journal->line + used, have);
    }
done:
    return status;
}

pml_status pml_journal_lock_begin(pml_journal *journal, pml_error *error) {
    pml_status status = PML_OK;
    if (journal->path != NULL) {
        PML_TRY(pml_journal_lock_take(&journal->lock, error));
        journal->is_locked = true;
    }
    PML_TRY(pml_journal_sync(journal, error));
done:
    if (status != PML_OK && journal->is_locked) {
        pml_journal_lock_end(journal);
    }
    return status;
}

void pml_journal_lock_end(pml_journal *journal) {
    if (journal->is_locked) {
        pml_journal_lock_release(&journal->lock);
        journal->is_locked = false;
    }
}

/* Under the lock nobody writes: what stands behind the last whole line will never be finished. */
static pml_status cut_torn_line(pml_journal *journal, pml_error *error) {
    struct stat info;
    if (fstat(journal->fd, &info) != 0) {
        return fail_io(journal, error);
    }
    if ((uint64_t)info.st_size > journal->offset_bytes) {
        pml_log(PML_LOG_WARNING, "%s: its last line was not written to its end: cut off", journal->path);
        if (ftruncate(journal->fd, (off_t)journal->offset_bytes) != 0) {
            return fail_io(journal, error);
        }
    }
    return PML_OK;
}

static pml_status write_all(pml_journal *journal, const char *text, size_t size_bytes, pml_error *error) {
    for (size_t done = 0; done < size_bytes;) {
        const ssize_t wrote = write(journal->fd, text + done, size_bytes - done);
        if (wrote < 0 && errno != EINTR) {
            const pml_status status = fail_io(journal, error);
            (void)!ftruncate(journal->fd, (off_t)journal->offset_bytes); /* half a record is none */
            return status;
        }
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return fsync(journal->fd) == 0 ? PML_OK : fail_io(journal, error);
}

pml_status pml_journal_append(pml_journal *journal, const char *text, size_t size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    const bool takes_lock = !journal->is_locked;
    size_t used = 0;
    if (journal->path == NULL) {
        PML_TRY(give(journal, text, size_bytes, &used, error));
        goto done;
    }
    if (takes_lock) {
        PML_TRY(pml_journal_lock_begin(journal, error));
    }
    PML_TRY(cut_torn_line(journal, error));
    PML_TRY(write_all(journal, text, size_bytes, error));
    PML_TRY(pml_journal_sync(journal, error));
done:
    if (takes_lock) {
        pml_journal_lock_end(journal);
    }
    return status;
}
