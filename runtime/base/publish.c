#include "runtime/base/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/process_mark.h"

#define MAX_OPEN 32u               /* publications of one process at a time */
#define WRITE_CHUNK_BYTES 8388608u /* between two looks at the cancellation flag */
#define STALE_AGE_SECONDS 86400
#define TEMPORARY ".tmp" /* between the target's name and the mark */
#define NAME_ATTEMPTS 16

/* Temporaries that exist now, where a signal handler finds them. A slot is claimed, filled and armed, and
 * free again when its publication ends. */
enum slot_state { SLOT_FREE, SLOT_CLAIMED, SLOT_ARMED };
static struct {
    atomic_int state;
    pid_t pid; /* a forked child must leave its parent's files alone */
    char path[PATH_MAX];
} slots[MAX_OPEN];

struct pml_publish {
    int fd;
    int i_slot;
    bool replace;
    bool exists;  /* the temporary */
    bool is_kept; /* by abort: pml_publish_resume */
    bool is_synced;
    char *target;
    char *directory;
    char *temporary;
};

void pml_publish_unlink_all(void) {
    int kept_errno = errno;
    for (size_t i = 0; i < MAX_OPEN; i++) {
        if (atomic_load(&slots[i].state) == SLOT_ARMED && slots[i].pid == getpid()) {
            (void)unlink(slots[i].path);
        }
    }
    errno = kept_errno;
}

static pml_status claim_slot(int *i_slot, pml_error *error) {
    for (size_t i = 0; i < MAX_OPEN; i++) {
        int expected = SLOT_FREE;
        if (atomic_compare_exchange_strong(&slots[i].state, &expected, SLOT_CLAIMED)) {
            *i_slot = (int)i;
            return PML_OK;
        }
    }
    return PML_FAIL(error, PML_E_IO, "more than %u files are being written at once", MAX_OPEN);
}

/* ---- names of temporaries: .<name>.tmp.<host>.<pid>.<16 hexadecimal digits> ---- */

/* Fills `path` (PATH_MAX bytes) with a name that no other file has. */
static pml_status format_temporary(const char *directory, const char *target, char *path, pml_error *error) {
    char mark[PML_PROCESS_MARK_BYTES];
    pml_status status = pml_process_mark(mark, error);
    if (status != PML_OK) {
        return status;
    }
    const char *slash = strrchr(target, '/');
    const char *name = slash == NULL ? target : slash + 1;
    int name_room = NAME_MAX - 1 - (int)(strlen(TEMPORARY) + 1 + strlen(mark));
    int length = snprintf(path, PATH_MAX, "%s/.%.*s" TEMPORARY ".%s", directory, name_room, name, mark);
    if (length < 0 || length >= PATH_MAX) {
        return PML_FAIL(error, PML_E_ARGUMENT, "the path '%.200s...' is too long", target);
    }
    return PML_OK;
}

/* Who made a temporary of ours; false for any other name. */
static bool parse_temporary(const char *name, char host[PML_PROCESS_HOST_BYTES], long *pid) {
    const size_t n_ending = strlen(TEMPORARY);
    size_t n_before = 0;
    return name[0] == '.' && pml_process_mark_read(name, strlen(name), &n_before, host, pid) &&
           n_before > 1 + n_ending && strncmp(name + n_before - n_ending, TEMPORARY, n_ending) == 0;
}

/* Removes one temporary if its writer is surely gone: nobody holds its lock, and its process is dead (on this host) or
 * it has not been written for a day (a lock on a network file system may mean nothing). */
static void sweep_one(int directory_fd, const char *name, const char *this_host) {
    char host[PML_PROCESS_HOST_BYTES];
    long pid;
    struct stat info, again;
    if (!parse_temporary(name, host, &pid)) {
        return;
    }
    int fd = openat(directory_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
        flock(fd, LOCK_EX | LOCK_NB) == 0) {
        bool is_dead = strcmp(host, this_host) == 0 && pml_process_has_ended(pid);
        bool is_old = time(NULL) - info.st_mtime > STALE_AGE_SECONDS;
        if ((is_dead || is_old) && fstatat(directory_fd, name, &again, AT_SYMLINK_NOFOLLOW) == 0 &&
            again.st_ino == info.st_ino && again.st_dev == info.st_dev) {
            (void)unlinkat(directory_fd, name, 0);
        }
    }
    (void)close(fd);
}

/* What an earlier, killed process left in the directory. Failure to tidy up is not an error of this publication. */
static void sweep(const char *directory) {
    DIR *stream = opendir(directory);
    if (stream == NULL) {
        return;
    }
    char host[PML_PROCESS_HOST_BYTES];
    pml_process_host(host);
    for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        sweep_one(dirfd(stream), entry->d_name, host);
    }
    (void)closedir(stream);
}

/* ---- begin ---- */

static pml_status check_target(const pml_publish *p, pml_error *error) {
    struct stat info;
    if (lstat(p->target, &info) != 0) {
        return errno == ENOENT ? PML_OK
                               : PML_FAIL(error, PML_E_IO, "cannot look at '%s': %s", p->target, strerror(errno));
    }
    if (S_ISDIR(info.st_mode)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "'%s' is a directory, not a regular file", p->target);
    }
    if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "'%s' is not a regular file and cannot be replaced", p->target);
    }
    if (!p->replace) {
        return PML_FAIL(error, PML_E_ARGUMENT, "'%s' exists already", p->target);
    }
    return PML_OK;
}

/* Whether a file can be made there: creating the temporary would fail too, but only then. */
static pml_status check_directory(const pml_publish *p, pml_error *error) {
    struct stat info;
    int cause = 0;
    if (stat(p->directory, &info) != 0) {
        cause = errno;
    } else if (!S_ISDIR(info.st_mode)) {
        cause = ENOTDIR;
    } else if (faccessat(AT_FDCWD, p->directory, W_OK | X_OK, AT_EACCESS) != 0) {
        cause = errno;
    }
    return cause == 0 ? PML_OK
                      : PML_FAIL(error, PML_E_IO, "cannot create a file in '%s' for '%s': %s", p->directory, p->target,
                                 strerror(cause));
}

static pml_status split_target(pml_publish *p, const char *target, pml_error *error) {
    const char *slash = strrchr(target, '/');
    const char *name = slash == NULL ? target : slash + 1;
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return PML_FAIL(error, PML_E_ARGUMENT, "'%s' does not name a file", target);
    }
    if (strlen(name) > NAME_MAX) {
        return PML_FAIL(error, PML_E_ARGUMENT, "the file name '%.100s...' is longer than %d bytes", name, NAME_MAX);
    }
    pml_status status = pml_string_copy(target, strlen(target), &p->target, error);
    if (status != PML_OK) {
        return status;
    }
    if (slash == NULL) {
        return pml_string_copy(".", 1, &p->directory, error);
    }
    return pml_string_copy(target, slash == target ? 1 : (size_t)(slash - target), &p->directory, error);
}

static pml_status check(pml_publish *p, const char *target, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(split_target(p, target, error));
    PML_TRY(check_target(p, error));
    PML_TRY(check_directory(p, error));
done:
    return status;
}

pml_status pml_publish_check(const char *target, bool replace, pml_error *error) {
    pml_publish p = {.replace = replace};
    pml_status status = check(&p, target, error);
    pml_free(p.target);
    pml_free(p.directory);
    return status;
}

pml_status pml_publish_scratch_path(const char *target, char **path, pml_error *error) {
    pml_status status = PML_OK;
    pml_publish p = {0};
    *path = NULL;
    PML_TRY(split_target(&p, target, error));
    PML_TRY(pml_alloc(PATH_MAX, 1, path, error));
    PML_TRY(format_temporary(p.directory, target, *path, error));
done:
    if (status != PML_OK) {
        pml_free(*path);
        *path = NULL;
    }
    pml_free(p.target);
    pml_free(p.directory);
    return status;
}

/* The slot is armed before the file exists: a signal in between unlinks a name that nobody else can have. */
static pml_status create_temporary(pml_publish *p, pml_error *error) {
    for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
        char *path = slots[p->i_slot].path;
        pml_status status = format_temporary(p->directory, p->target, path, error);
        if (status != PML_OK) {
            return status;
        }
        slots[p->i_slot].pid = getpid();
        atomic_store(&slots[p->i_slot].state, SLOT_ARMED);
        p->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        int cause = errno;
        if (p->fd >= 0) {
            p->exists = true;
            /* Where locks do not exist the name alone marks the owner. */
            (void)flock(p->fd, LOCK_EX | LOCK_NB);
            return pml_string_copy(path, strlen(path), &p->temporary, error);
        }
        atomic_store(&slots[p->i_slot].state, SLOT_CLAIMED);
        if (cause != EEXIST && cause != EINTR) {
            return PML_FAIL(error, PML_E_IO, "cannot create a file in '%s' for '%s': %s", p->directory, p->target,
                            strerror(cause));
        }
    }
    return PML_FAIL(error, PML_E_IO, "cannot find a free temporary name in '%s'", p->directory);
}

static pml_status reserve(const pml_publish *p, uint64_t size_bytes, pml_error *error) {
    if (size_bytes == 0) {
        return PML_OK;
    }
    if (size_bytes > INT64_MAX) {
        return PML_FAIL(error, PML_E_IO, "'%s' would need %llu bytes", p->target, (unsigned long long)size_bytes);
    }
    int cause;
    do {
        cause = posix_fallocate(p->fd, 0, (off_t)size_bytes);
    } while (cause == EINTR);
    if (cause == EOPNOTSUPP || cause == EINVAL) {
        cause = ftruncate(p->fd, (off_t)size_bytes) == 0 ? 0 : errno;
    }
    if (cause == 0) {
        return PML_OK;
    }
    struct statvfs space;
    unsigned long long free_bytes =
        fstatvfs(p->fd, &space) == 0 ? (unsigned long long)space.f_bavail * space.f_frsize : 0;
    return PML_FAIL(error, PML_E_IO, "cannot reserve %llu bytes for '%s': %s (%llu bytes are free)",
                    (unsigned long long)size_bytes, p->target, strerror(cause), free_bytes);
}

pml_status pml_publish_begin(const char *target, uint64_t reserve_bytes, bool replace, pml_publish **publish,
                             pml_error *error) {
    pml_status status;
    pml_publish *p = NULL;
    PML_TRY(pml_alloc(1, sizeof *p, &p, error));
    p->fd = -1;
    p->i_slot = -1;
    p->replace = replace;
    PML_TRY(check(p, target, error));
    PML_TRY(claim_slot(&p->i_slot, error));
    sweep(p->directory);
    PML_TRY(create_temporary(p, error));
    PML_TRY(reserve(p, reserve_bytes, error));
    *publish = p;
    p = NULL;
done:
    pml_publish_abort(p);
    return status;
}

/* The lock is the owner's mark: without it two processes would write one file. A file that vanished or was renamed
 * while the lock was taken is not the one at the path any more. */
static pml_status take_part(pml_publish *p, uint64_t *have_bytes, pml_error *error) {
    struct stat info, again;
    p->fd = open(p->temporary, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (p->fd < 0) {
        return PML_FAIL(error, PML_E_IO, "cannot create '%s': %s", p->temporary, strerror(errno));
    }
    if (flock(p->fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? PML_FAIL(error, PML_E_BUSY, "'%s' is being written by another process", p->target)
                                    : PML_FAIL(error, PML_E_IO, "cannot lock '%s': %s", p->temporary, strerror(errno));
    }
    if (fstat(p->fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return PML_FAIL(error, PML_E_IO, "'%s' is not a regular file", p->temporary);
    }
    if (lstat(p->temporary, &again) != 0 || again.st_ino != info.st_ino || again.st_dev != info.st_dev) {
        return PML_FAIL(error, PML_E_BUSY, "'%s' is being written by another process", p->target);
    }
    *have_bytes = (uint64_t)info.st_size;
    return PML_OK;
}

pml_status pml_publish_resume(const char *target, bool replace, pml_publish **publish, uint64_t *have_bytes,
                              pml_error *error) {
    pml_status status;
    pml_publish *p = NULL;
    PML_TRY(pml_alloc(1, sizeof *p, &p, error));
    p->fd = -1;
    p->i_slot = -1;
    p->replace = replace;
    p->is_kept = true;
    PML_TRY(check(p, target, error));
    const char *slash = strrchr(target, '/');
    const char *name = slash == NULL ? target : slash + 1;
    const size_t room = strlen(p->directory) + strlen(name) + sizeof "/..part";
    if (strlen(name) + sizeof "..part" > NAME_MAX) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the file name '%.100s...' is too long", name));
    }
    PML_TRY(pml_alloc(room, 1, &p->temporary, error));
    (void)snprintf(p->temporary, room, "%s/.%s.part", p->directory, name);
    PML_TRY(take_part(p, have_bytes, error));
    p->exists = true;
    *publish = p;
    p = NULL;
done:
    pml_publish_abort(p);
    return status;
}

pml_status pml_publish_read(const pml_publish *publish, uint64_t offset_bytes, void *bytes, size_t size_bytes,
                            pml_error *error) {
    char *next = bytes;
    while (size_bytes > 0) {
        const ssize_t n = pread(publish->fd, next, size_bytes, (off_t)offset_bytes);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return PML_FAIL(error, PML_E_IO, "cannot read '%s' back: %s", publish->temporary,
                            n < 0 ? strerror(errno) : "it became shorter");
        }
        next += n;
        offset_bytes += (uint64_t)n;
        size_bytes -= (size_t)n;
    }
    return PML_OK;
}

pml_status pml_publish_set_size(pml_publish *publish, uint64_t size_bytes, pml_error *error) {
    if (size_bytes > INT64_MAX || ftruncate(publish->fd, (off_t)size_bytes) != 0) {
        return PML_FAIL(error, PML_E_IO, "cannot make '%s' %llu bytes long: %s", publish->target,
                        (unsigned long long)size_bytes, size_bytes > INT64_MAX ? "too large" : strerror(errno));
    }
    publish->is_synced = false;
    return reserve(publish, size_bytes, error);
}

void pml_publish_discard(pml_publish *publish) {
    if (publish != NULL) {
        publish->is_kept = false;
    }
    pml_publish_abort(publish);
}

const char *pml_publish_temporary_path(const pml_publish *publish) {
    return publish->temporary;
}

pml_status pml_publish_write(pml_publish *publish, uint64_t offset_bytes, const void *bytes, size_t size_bytes,
                             pml_error *error) {
    const char *next = bytes;
    if (offset_bytes > INT64_MAX || size_bytes > INT64_MAX - offset_bytes) {
        return PML_FAIL(error, PML_E_ARGUMENT, "'%s': a write at byte %llu is out of range", publish->target,
                        (unsigned long long)offset_bytes);
    }
    publish->is_synced = false;
    while (size_bytes > 0) {
        pml_status status = pml_cancel_check(error);
        if (status != PML_OK) {
            return status;
        }
        size_t chunk_bytes = size_bytes < WRITE_CHUNK_BYTES ? size_bytes : WRITE_CHUNK_BYTES;
        ssize_t written = pwrite(publish->fd, next, chunk_bytes, (off_t)offset_bytes);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            int cause = written == 0 ? EIO : errno;
            return PML_FAIL_AT(error, PML_E_IO, offset_bytes, "cannot write %zu bytes at byte %llu of '%s': %s",
                               size_bytes, (unsigned long long)offset_bytes, publish->target, strerror(cause));
        }
        next += written;
        offset_bytes += (uint64_t)written;
        size_bytes -= (size_t)written;
    }
    return PML_OK;
}

pml_status pml_publish_sync(pml_publish *publish, pml_error *error) {
    if (publish->is_synced) {
        return PML_OK;
    }
    /* After a failed fsync the kernel may have dropped the pages: a second call would lie, so there is none. */
    if (fsync(publish->fd) != 0) {
        return PML_FAIL(error, PML_E_IO, "cannot write '%s' to disk: %s", publish->target, strerror(errno));
    }
    publish->is_synced = true;
    return PML_OK;
}

/* ---- commit ---- */

/* rename without replacing, for file systems that lack the flag: a hard link is as atomic. */
static int link_in_place(const char *temporary, const char *target) {
    if (link(temporary, target) == 0) {
        (void)unlink(temporary);
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) {
        return -1;
    }
    struct stat info;
    if (lstat(target, &info) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(temporary, target);
}

static pml_status rename_in_place(pml_publish *p, pml_error *error) {
    int result;
    if (p->replace) {
        result = rename(p->temporary, p->target);
    } else {
        result = renameat2(AT_FDCWD, p->temporary, AT_FDCWD, p->target, RENAME_NOREPLACE);
        if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
            result = link_in_place(p->temporary, p->target);
        }
    }
    if (result == 0) {
        p->exists = false;
        return PML_OK;
    }
    return errno == EEXIST
               ? PML_FAIL(error, PML_E_ARGUMENT, "'%s' exists already", p->target)
               : PML_FAIL(error, PML_E_IO, "cannot rename the finished file to '%s': %s", p->target, strerror(errno));
}

static pml_status sync_directory(const pml_publish *p, pml_error *error) {
    int fd = open(p->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 ? -1 : fsync(fd);
    int cause = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    /* EINVAL: this file system has no fsync for directories, so there is nothing that could be done better. */
    if (result != 0 && cause != EINVAL) {
        return PML_FAIL(error, PML_E_IO, "'%s' is complete, but its directory could not be written to disk: %s",
                        p->target, strerror(cause));
    }
    return PML_OK;
}

static pml_status close_temporary(pml_publish *p, pml_error *error) {
    const int closed = p->fd >= 0 ? close(p->fd) : 0;
    p->fd = -1;
    return closed == 0 ? PML_OK : PML_FAIL(error, PML_E_IO, "cannot close '%s': %s", p->target, strerror(errno));
}

pml_status pml_publish_commit(pml_publish *publish, pml_error *error) {
    pml_status status;
    PML_TRY(pml_cancel_check(error));
    PML_TRY(pml_publish_sync(publish, error));
    /* Closed before the rename, since a network file system may report a failed write only here; but where the lock on
     * the descriptor is what keeps others from writing, it lasts until the name is gone that they would open. */
    if (!publish->is_kept) {
        PML_TRY(close_temporary(publish, error));
    }
    PML_TRY(rename_in_place(publish, error));
    PML_TRY(close_temporary(publish, error));
    PML_TRY(sync_directory(publish, error));
done:
    pml_publish_abort(publish);
    return status;
}

void pml_publish_abort(pml_publish *publish) {
    if (publish == NULL) {
        return;
    }
    if (publish->exists && !publish->is_kept) {
        (void)unlink(publish->i_slot >= 0 ? slots[publish->i_slot].path : publish->temporary);
    }
    if (publish->fd >= 0) {
        (void)close(publish->fd);
    }
    if (publish->i_slot >= 0) {
        atomic_store(&slots[publish->i_slot].state, SLOT_FREE);
    }
    pml_free(publish->target);
    pml_free(publish->directory);
    pml_free(publish->temporary);
    pml_free(publish);
}
