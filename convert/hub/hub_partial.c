#include "convert/hub/hub_partial.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"

/* The record, at the first page behind the bytes: a head, then `done` of each segment. */
typedef struct record_head {
    char magic[8];
    uint64_t size_bytes;
    uint64_t segment_bytes;
} record_head;
static const char record_magic[8] = {'p', 'm', 'l', 'p', 'a', 'r', 't', '1'};
enum { PAGE_BYTES = 4096, RECORD_EVERY_BYTES = 1048576, ABANDONED_AGE_SECONDS = 30 * 86400 };

static uint64_t record_offset(const pml_hub_partial *p) {
    return (p->size_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static uint64_t record_end(const pml_hub_partial *p) {
    return record_offset(p) + sizeof(record_head) + p->n_segments * sizeof(uint64_t);
}

static pml_status fail(const pml_hub_partial *p, const char *deed, int code, pml_error *error) {
    struct statvfs space;
    const bool is_full = code == ENOSPC || code == EDQUOT || code == EFBIG;
    if (is_full && fstatvfs(p->cache->blobs_fd, &space) == 0) {
        return PML_FAIL(error, PML_E_IO, "the hub's cache %s: cannot %s a file of %llu bytes: %s (%llu bytes are free)",
                        p->cache->path, deed, (unsigned long long)p->size_bytes, strerror(code),
                        (unsigned long long)space.f_bavail * space.f_frsize);
    }
    return PML_FAIL(error, PML_E_IO, "the hub's cache %s: cannot %s a blob: %s", p->cache->path, deed, strerror(code));
}

/* 0 or errno. */
static int write_at(int fd, const void *bytes, size_t size_bytes, uint64_t offset_bytes) {
    const char *at = bytes;
    while (size_bytes > 0) {
        const ssize_t n = pwrite(fd, at, size_bytes, (off_t)offset_bytes);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? EIO : errno;
        }
        at += n;
        size_bytes -= (size_t)n;
        offset_bytes += (uint64_t)n;
    }
    return 0;
}

uint64_t pml_hub_partial_segment_bytes(const pml_hub_partial *p, size_t i_segment) {
    const uint64_t start = (uint64_t)i_segment * PML_HUB_SEGMENT_BYTES;
    return p->size_bytes - start < PML_HUB_SEGMENT_BYTES ? p->size_bytes - start : PML_HUB_SEGMENT_BYTES;
}

uint64_t pml_hub_partial_done_bytes(const pml_hub_partial *p) {
    uint64_t sum = 0;
    for (size_t i = 0; i < p->n_segments; i++) {
        sum += p->done[i];
    }
    return sum;
}

/* ---- beginning ---- */

static int write_record(pml_hub_partial *p) {
    record_head head = {.size_bytes = p->size_bytes, .segment_bytes = PML_HUB_SEGMENT_BYTES};
    memcpy(head.magic, record_magic, sizeof head.magic);
    int code = write_at(p->fd, p->done, p->n_segments * sizeof *p->done, record_offset(p) + sizeof head);
    code = code == 0 ? write_at(p->fd, &head, sizeof head, record_offset(p)) : code;
    memcpy(p->recorded, p->done, p->n_segments * sizeof *p->done);
    return code;
}

/* Space for all of it, so that a full disk shows now. */
static int reserve(pml_hub_partial *p) {
    int result;
    do {
        result = fallocate(p->fd, 0, 0, (off_t)record_end(p));
    } while (result != 0 && errno == EINTR);
    if (result != 0 && (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS)) {
        result = ftruncate(p->fd, (off_t)record_end(p));
    }
    return result == 0 ? 0 : errno;
}

static pml_status begin(pml_hub_partial *p, pml_error *error) {
    char prefix[PML_HUB_HASH_TEXT_BYTES + 1];
    (void)snprintf(prefix, sizeof prefix, "%s.", p->hash);
    const pml_status status = pml_hub_cache_scratch(prefix, p->name, error);
    if (status != PML_OK) {
        return status;
    }
    p->fd = openat(p->cache->blobs_fd, p->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (p->fd < 0) {
        return fail(p, "begin", errno, error);
    }
    (void)flock(p->fd, LOCK_EX | LOCK_NB); /* for those who look at locks; the name is what counts */
    int code = reserve(p);
    code = code == 0 ? write_record(p) : code;
    return code == 0 ? PML_OK : fail(p, "reserve space for", code, error);
}

/* Reads what the record says; false when there is none that fits this blob. */
static bool read_record(pml_hub_partial *p) {
    struct stat info;
    record_head head;
    const size_t n_bytes = p->n_segments * sizeof *p->done;
    if (fstat(p->fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return false;
    }
    if ((uint64_t)info.st_size == p->size_bytes) { /* it was about to become the blob */
        for (size_t i = 0; i < p->n_segments; i++) {
            p->done[i] = pml_hub_partial_segment_bytes(p, i);
        }
        return ftruncate(p->fd, (off_t)record_end(p)) == 0 && write_record(p) == 0;
    }
    bool fits = (uint64_t)info.st_size == record_end(p) &&
                pread(p->fd, &head, sizeof head, (off_t)record_offset(p)) == (ssize_t)sizeof head &&
                memcmp(head.magic, record_magic, sizeof head.magic) == 0 && head.size_bytes == p->size_bytes &&
                head.segment_bytes == PML_HUB_SEGMENT_BYTES &&
                pread(p->fd, p->done, n_bytes, (off_t)(record_offset(p) + sizeof head)) == (ssize_t)n_bytes;
    for (size_t i = 0; fits && i < p->n_segments; i++) {
        fits = p->done[i] <= pml_hub_partial_segment_bytes(p, i);
    }
    memcpy(p->recorded, p->done, n_bytes);
    return fits;
}

/* Makes the file `name` of a dead process ours. False, with nothing open, when somebody else was faster or it is no
 * good; in the latter case it is removed. */
static bool take_over(pml_hub_partial *p, const char *name) {
    char prefix[PML_HUB_HASH_TEXT_BYTES + 1];
    (void)snprintf(prefix, sizeof prefix, "%s.", p->hash);
    const int fd = openat(p->cache->blobs_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        (void)close(fd);
        return false;
    }
    if (pml_hub_cache_scratch(prefix, p->name, NULL) != PML_OK ||
        renameat2(p->cache->blobs_fd, name, p->cache->blobs_fd, p->name, 0) != 0) {
        (void)close(fd);
        return false;
    }
    p->fd = fd;
    if (read_record(p)) {
        return true;
    }
    (void)unlinkat(p->cache->blobs_fd, p->name, 0);
    (void)close(fd);
    p->fd = -1;
    memset(p->done, 0, p->n_segments * sizeof *p->done);
    return false;
}

/* Calls `visit` for the files in blobs/ that a dead process left; what it returns true for ends the walk. */
typedef bool visit_fn(void *user, const char *name, size_t prefix_bytes, const struct stat *info);
static void for_each_left(const pml_hub_cache *cache, visit_fn *visit, void *user) {
    const int fd = openat(cache->blobs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return;
    }
    for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        struct stat info;
        size_t prefix_bytes = 0;
        if (strstr(entry->d_name, ".incomplete") != NULL &&
            fstatat(cache->blobs_fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            pml_hub_cache_scratch_is_free(entry->d_name, &info, &prefix_bytes) &&
            visit(user, entry->d_name, prefix_bytes, &info)) {
            break;
        }
    }
    (void)closedir(stream);
}

static bool is_partial_of(const char *name, size_t prefix_bytes, const char *hash) {
    const size_t n = strlen(hash);
    return prefix_bytes == n + 1 && strncmp(name, hash, n) == 0 && name[n] == '.';
}

/* Of several that were left the first good one is taken; the others go. */
static bool consider(void *user, const char *name, size_t prefix_bytes, const struct stat *info) {
    pml_hub_partial *p = user;
    (void)info;
    if (!is_partial_of(name, prefix_bytes, p->hash)) {
        return false;
    }
    return take_over(p, name);
}

pml_status pml_hub_partial_open(const pml_hub_cache *cache, const pml_hub_file *file, pml_hub_partial *partial,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_partial made = {.cache = cache, .fd = -1, .is_open = true, .size_bytes = file->size_bytes};
    memcpy(made.hash, file->hash, sizeof made.hash);
    made.n_segments = (size_t)((file->size_bytes + PML_HUB_SEGMENT_BYTES - 1) / PML_HUB_SEGMENT_BYTES);
    PML_TRY(pml_alloc(made.n_segments, sizeof *made.done, &made.done, error));
    PML_TRY(pml_alloc(made.n_segments, sizeof *made.recorded, &made.recorded, error));
    for_each_left(cache, consider, &made);
    if (made.fd < 0) {
        PML_TRY(begin(&made, error));
    }
    *partial = made;
    made.is_open = false;
done:
    pml_hub_partial_close(&made);
    return status;
}

void pml_hub_partial_close(pml_hub_partial *p) {
    if (!p->is_open) {
        return;
    }
    if (p->fd >= 0) {
        if (pml_hub_partial_done_bytes(p) == 0) {
            (void)unlinkat(p->cache->blobs_fd, p->name, 0);
        } else {
            (void)write_record(p);
        }
        (void)close(p->fd);
    }
    pml_free(p->done);
    pml_free(p->recorded);
    *p = (pml_hub_partial){0};
}

/* ---- filling ---- */

static int record_segment(pml_hub_partial *p, size_t i_segment) {
    if (p->done[i_segment] - p->recorded[i_segment] < RECORD_EVERY_BYTES &&
        p->done[i_segment] < pml_hub_partial_segment_bytes(p, i_segment)) {
        return 0;
    }
    p->recorded[i_segment] = p->done[i_segment];
    return write_at(p->fd, &p->done[i_segment], sizeof *p->done,
                    record_offset(p) + sizeof(record_head) + i_segment * sizeof *p->done);
}

pml_status pml_hub_partial_write(pml_hub_partial *p, uint64_t offset_bytes, const void *bytes, size_t size_bytes,
                                 pml_error *error) {
    if (offset_bytes > p->size_bytes || size_bytes > p->size_bytes - offset_bytes) {
        return PML_FAIL(error, PML_E_NETWORK, "the server sends more bytes than the file has");
    }
    int code = write_at(p->fd, bytes, size_bytes, offset_bytes);
    while (code == 0 && size_bytes > 0) {
        const size_t i_segment = (size_t)(offset_bytes / PML_HUB_SEGMENT_BYTES);
        const uint64_t inside = offset_bytes % PML_HUB_SEGMENT_BYTES;
        const uint64_t room = pml_hub_partial_segment_bytes(p, i_segment) - inside;
        const size_t n = size_bytes < room ? size_bytes : (size_t)room;
        if (p->done[i_segment] < inside + n) {
            p->done[i_segment] = inside + n;
        }
        code = record_segment(p, i_segment);
        offset_bytes += n;
        size_bytes -= n;
    }
    return code == 0 ? PML_OK : fail(p, "write", code, error);
}

pml_status pml_hub_partial_restart(pml_hub_partial *p, pml_error *error) {
    memset(p->done, 0, p->n_segments * sizeof *p->done);
    const int code = write_record(p);
    return code == 0 ? PML_OK : fail(p, "write", code, error);
}

/* ---- the end ---- */

pml_status pml_hub_partial_commit(pml_hub_partial *p, pml_error *error) {
    pml_status status = PML_OK;
    if (ftruncate(p->fd, (off_t)p->size_bytes) != 0 || fsync(p->fd) != 0) {
        PML_TRY(fail(p, "write", errno, error));
    }
    if (renameat(p->cache->blobs_fd, p->name, p->cache->blobs_fd, p->hash) != 0) {
        const int code = errno;
        PML_TRY(code == ENOENT ? PML_FAIL(error, PML_E_NOT_FOUND,
                                          "the hub's cache: a file was taken away while it was "
                                          "written")
                               : fail(p, "name", code, error));
    }
    if (fsync(p->cache->blobs_fd) != 0 && errno != EINVAL) {
        PML_TRY(fail(p, "keep", errno, error));
    }
done:
    if (status != PML_OK) { /* what could not be written is no start for another time */
        (void)unlinkat(p->cache->blobs_fd, p->name, 0);
    }
    (void)close(p->fd);
    p->fd = -1;
    pml_hub_partial_close(p);
    return status;
}

typedef struct sweep {
    const pml_hub_cache *cache;
    const pml_hub_file *const *files;
    size_t n_files;
    uint64_t kept_bytes;
} sweep;

/* Whether a partial file may still be gone on with. */
static bool is_wanted(const sweep *s, const char *name, size_t prefix_bytes, const struct stat *info, bool *is_asked) {
    char hash[PML_HUB_HASH_TEXT_BYTES];
    if (prefix_bytes == 0 || prefix_bytes > sizeof hash) {
        return false;
    }
    memcpy(hash, name, prefix_bytes - 1);
    hash[prefix_bytes - 1] = '\0';
    for (size_t i = 0; i < s->n_files; i++) {
        *is_asked = *is_asked || strcmp(s->files[i]->hash, hash) == 0;
    }
    return faccessat(s->cache->blobs_fd, hash, F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
           time(NULL) - info->st_mtime < ABANDONED_AGE_SECONDS;
}

static bool sweep_one(void *user, const char *name, size_t prefix_bytes, const struct stat *info) {
    sweep *s = user;
    bool is_asked = false;
    if (!is_wanted(s, name, prefix_bytes, info, &is_asked)) {
        (void)unlinkat(s->cache->blobs_fd, name, 0);
    } else if (is_asked) {
        s->kept_bytes += (uint64_t)info->st_blocks * 512u;
    }
    return false;
}

void pml_hub_partial_sweep(const pml_hub_cache *cache, const pml_hub_file *const *files, size_t n_files,
                           uint64_t *kept_bytes) {
    sweep s = {.cache = cache, .files = files, .n_files = n_files};
    for_each_left(cache, sweep_one, &s);
    *kept_bytes = s.kept_bytes;
}
