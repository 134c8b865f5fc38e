#include "convert/batch/output_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "convert/batch/batch_journal.h"
#include "convert/hash.h"
#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"

enum { STALE_SECONDS = 900, NAMELESS_SECONDS = 10, HOLDER_BYTES = 512, ATTEMPTS = 8 };

/* When a process began, in ticks since the machine did: with it a number names one process only. 0: it is not there. */
static unsigned long long start_of(long pid) {
    char path[64], text[1024];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (n <= 0) {
        return 0;
    }
    text[n] = '\0';
    const char *at = strrchr(text, ')'); /* the name before it may hold anything */
    if (at == NULL || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X') {
        return 0;
    }
    for (int i = 2; i < 22 && at != NULL; i++) { /* start time is field 22, ')' ends field 2 */
        at = strchr(at + 1, ' ');
    }
    return at != NULL ? strtoull(at + 1, NULL, 10) : 0;
}

static void describe_self(char text[HOLDER_BYTES]) {
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(text, HOLDER_BYTES, "%s %ld %llu\n", host, (long)getpid(), start_of(getpid()));
}

/* Whether the holder that a lock names has ended, as far as can be told from here. */
static bool is_stale(const char *holder, const struct stat *info) {
    char self_host[256] = "", host[256] = "";
    long pid = 0;
    unsigned long long start = 0;
    (void)gethostname(self_host, sizeof self_host - 1);
    if (sscanf(holder, "%255s %ld %llu", host, &pid, &start) == 3 && strcmp(host, self_host) == 0 && pid > 0) {
        return start_of(pid) != start;
    }
    /* Of another host; or without a name, which a living holder writes at once. */
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec - info->st_mtim.tv_sec > (holder[0] == '\0' ? NAMELESS_SECONDS : STALE_SECONDS);
}

/* Moves a dead holder's lock out of the way. Somebody else may do the same at this moment and already hold a new one:
 * what was moved is looked at again, and put back if it is not the dead one. */
static void clear_stale(const char *path, const struct stat *seen) {
    char aside[PATH_MAX];
    struct stat moved;
    unsigned number = 0;
    (void)getrandom(&number, sizeof number, 0);
    if (snprintf(aside, sizeof aside, "%s.%ld.%08x", path, (long)getpid(), number) >= (int)sizeof aside ||
        rename(path, aside) != 0) {
        return;
    }
    if (stat(aside, &moved) == 0 && (moved.st_dev != seen->st_dev || moved.st_ino != seen->st_ino)) {
        (void)link(aside, path);
    }
    (void)unlink(aside);
}

static pml_status format_path(const char *folder, const char *output, char path[PATH_MAX], pml_error *error) {
    char hash[PML_SHA256_TEXT_BYTES];
    pml_status status = pml_hash_bytes(output, strlen(output), hash, error);
    if (status == PML_OK && snprintf(path, PATH_MAX, "%s/" PML_BATCH_FOLDER "/lock-%.32s", folder, hash) >= PATH_MAX) {
        status = PML_FAIL(error, PML_E_IO, "the path of the output folder is too long");
    }
    return status;
}

pml_status pml_output_lock_take(const char *folder, const char *output, pml_output_lock *lock, pml_error *error) {
    pml_status status = PML_OK;
    char path[PATH_MAX], text[HOLDER_BYTES];
    pml_quoted quoted, quoted_holder;
    *lock = (pml_output_lock){0};
    PML_TRY(format_path(folder, output, path, error));
    PML_TRY(pml_string_copy(path, strlen(path), &lock->path, error));
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd >= 0) {
            describe_self(text);
            const ssize_t n = write(fd, text, strlen(text)); /* without a name it only grows old more slowly */
            (void)n;
            (void)close(fd);
            goto done;
        }
        if (errno != EEXIST) {
            PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", pml_quote(&quoted, path), strerror(errno)));
        }
        struct stat info;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        const ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
        const bool is_known = n >= 0 && fstat(fd, &info) == 0;
        if (fd >= 0) {
            (void)close(fd);
        }
        if (!is_known) {
            continue; /* released a moment ago */
        }
        text[n] = '\0';
        if (!is_stale(text, &info)) {
            text[strcspn(text, "\n")] = '\0';
            PML_TRY(PML_FAIL(error, PML_E_BUSY, "%s is being made by another process (%s)", pml_quote(&quoted, output),
                             pml_quote(&quoted_holder, text)));
        }
        clear_stale(path, &info);
    }
    status = PML_FAIL(error, PML_E_BUSY, "%s is being made by another process", pml_quote(&quoted, output));
done:
    if (status != PML_OK) {
        pml_free(lock->path);
        lock->path = NULL;
    }
    return status;
}

void pml_output_lock_refresh(const pml_output_lock *lock) {
    if (lock->path != NULL) {
        (void)utimensat(AT_FDCWD, lock->path, NULL, 0);
    }
}

void pml_output_lock_release(pml_output_lock *lock) {
    if (lock->path != NULL) {
        (void)unlink(lock->path);
    }
    pml_free(lock->path);
    lock->path = NULL;
}
