#include "runtime/tune/journal_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/log.h"
#include "runtime/tune/worker_mark.h"

enum { GRACE_MS = 30000, FIRST_WAIT_MS = 1, MOST_WAIT_MS = 100, PATIENCE_MS = 10000 };

static uint64_t now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

pml_status pml_journal_lock_init(pml_journal_lock *lock, const char *journal, int journal_fd, const char *mark,
                                 pml_error *error) {
    const size_t room = strlen(journal) + sizeof ".lock";
    *lock = (pml_journal_lock){.journal_fd = journal_fd, .mark = mark, .grace_ms = GRACE_MS};
    const pml_status status = pml_alloc(room, 1, &lock->path, error);
    if (status == PML_OK) {
        (void)snprintf(lock->path, room, "%s.lock", journal);
    }
    return status;
}

void pml_journal_lock_deinit(pml_journal_lock *lock) {
    pml_free(lock->path);
    *lock = (pml_journal_lock){0};
}

/* The mark in the lock; empty for a lock of Optuna's, and for one that is just being made. */
static void read_mark(const pml_journal_lock *lock, char mark[PML_WORKER_MARK_BYTES]) {
    const int fd = open(lock->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    const ssize_t length = fd >= 0 ? read(fd, mark, PML_WORKER_MARK_BYTES - 1) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    mark[length > 0 ? length : 0] = '\0';
}

/* Removes the lock of a worker that has ended. Only one process at a time looks and removes, so that none removes the
 * lock that another one has taken meanwhile. */
static bool remove_ended(const pml_journal_lock *lock) {
    char mark[PML_WORKER_MARK_BYTES];
    bool removed = false;
    read_mark(lock, mark);
    if (!pml_worker_has_ended(mark) || flock(lock->journal_fd, LOCK_EX | LOCK_NB) != 0) {
        return false;
    }
    read_mark(lock, mark);
    if (pml_worker_has_ended(mark)) {
        removed = unlink(lock->path) == 0;
    }
    (void)flock(lock->journal_fd, LOCK_UN);
    return removed;
}

/* A lock that is as it was 30 s ago belongs to nobody who will come back; it goes by way of another name, as Optuna's
 * does, so that of several that give up waiting only one removes it. */
static void remove_stale(const pml_journal_lock *lock) {
    char aside[4096];
    if (snprintf(aside, sizeof aside, "%s%s.rename", lock->path, lock->mark) < (int)sizeof aside &&
        rename(lock->path, aside) == 0) {
        (void)unlink(aside);
        pml_log(PML_LOG_WARNING, "%s: nobody has released this lock for %llu s: removed", lock->path,
                (unsigned long long)lock->grace_ms / 1000);
    }
}

static pml_status create(const pml_journal_lock *lock, bool *taken, pml_error *error) {
    const int fd = open(lock->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST) {
        return PML_OK;
    }
    const size_t length = strlen(lock->mark);
    const bool wrote = fd >= 0 && write(fd, lock->mark, length) == (ssize_t)length;
    const int code = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (!wrote) {
        if (fd >= 0) {
            (void)unlink(lock->path);
        }
        return PML_FAIL(error, PML_E_IO, "%s: %s", lock->path, strerror(code));
    }
    *taken = true;
    return PML_OK;
}

pml_status pml_journal_lock_take(pml_journal_lock *lock, pml_error *error) {
    pml_status status = PML_OK;
    struct stat seen = {0};
    uint64_t seen_ms = now_ms(), told_ms = seen_ms, wait_ms = FIRST_WAIT_MS;
    bool taken = false;
    for (;;) {
        struct stat now;
        PML_TRY(create(lock, &taken, error));
        if (taken) {
            break;
        }
        PML_TRY(pml_cancel_check(error));
        if (remove_ended(lock) || lstat(lock->path, &now) != 0) {
            continue;
        }
        if (now.st_ino != seen.st_ino || now.st_ctim.tv_sec != seen.st_ctim.tv_sec ||
            now.st_ctim.tv_nsec != seen.st_ctim.tv_nsec) {
            seen = now;
            seen_ms = now_ms();
        }
        if (now_ms() - seen_ms > lock->grace_ms) {
            remove_stale(lock);
            continue;
        }
        if (now_ms() - told_ms > PATIENCE_MS) {
            pml_log(PML_LOG_WARNING, "%s: waiting for whoever holds this lock", lock->path);
            told_ms = now_ms();
        }
        const struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)wait_ms * 1000000};
        (void)nanosleep(&pause, NULL);
        wait_ms = wait_ms * 2 < MOST_WAIT_MS ? wait_ms * 2 : MOST_WAIT_MS;
    }
done:
    return status;
}

void pml_journal_lock_release(pml_journal_lock *lock) {
    char mark[PML_WORKER_MARK_BYTES];
    read_mark(lock, mark);
    if (strcmp(mark, lock->mark) == 0) { /* else somebody removed ours as stale, and this one is theirs */
        (void)unlink(lock->path);
    }
}
