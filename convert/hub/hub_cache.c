#include "convert/hub/hub_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "convert/hub/hub_digest.h"
#include "convert/hub/hub_folder.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/base/process_mark.h"
#include "runtime/base/quote.h"

#define SCRATCH_TAIL ".incomplete"
#define SCRATCH_HEAD "pml."
enum { MAX_REF_BYTES = 4096, FOREIGN_AGE_SECONDS = 1800, PATH_BYTES = 2048 };

static const char cache_tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                                "# This folder can be made again from the hub; backups may leave it out.\n";

/* ---- open ---- */

/* "models--org--name" */
static pml_status folder_name(const char *repo, char name[PATH_BYTES], pml_error *error) {
    const char *slash = strchr(repo, '/');
    const int n = slash == NULL ? snprintf(name, PATH_BYTES, "models--%s", repo)
                                : snprintf(name, PATH_BYTES, "models--%.*s--%s", (int)(slash - repo), repo, slash + 1);
    return n > 0 && n <= NAME_MAX ? PML_OK : PML_FAIL(error, PML_E_ARGUMENT, "the repository's name is too long");
}

/* Makes the folder of the cache and those above it; these are the user's own and may be links. */
static pml_status make_root(const char *path, pml_error *error) {
    char made[PATH_MAX];
    const size_t length = strlen(path);
    if (length >= sizeof made) {
        return PML_FAIL(error, PML_E_ARGUMENT, "the path of the hub's cache is too long");
    }
    memcpy(made, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (made[i] == '/' || made[i] == '\0') {
            const char kept = made[i];
            made[i] = '\0';
            if (mkdir(made, 0777) != 0 && errno != EEXIST) {
                return PML_FAIL(error, PML_E_IO, "cannot make the folder %s of the hub's cache: %s", made,
                                strerror(errno));
            }
            made[i] = kept;
        }
    }
    return PML_OK;
}

/* File systems that are reached over a network or through a process. */
static bool is_remote(int fd) {
    static const unsigned long kinds[] = {0x6969,     /* NFS */
                                          0xFF534D42, /* CIFS */
                                          0xFE534D42, /* SMB2 */
                                          0x517B,     /* SMB */
                                          0x65735546, /* FUSE */
                                          0x0BD00BD3, /* Lustre */
                                          0x47504653, /* GPFS */
                                          0x00C36400, /* Ceph */
                                          0x01021997 /* 9P */};
    struct statfs info;
    for (size_t i = 0; fstatfs(fd, &info) == 0 && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (((unsigned long)info.f_type & 0xFFFFFFFF) == kinds[i]) {
            return true;
        }
    }
    return false;
}

static void tag_cache(int root_fd) {
    const int fd = openat(root_fd, "CACHEDIR.TAG", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd >= 0) {
        (void)!write(fd, cache_tag, sizeof cache_tag - 1);
        (void)close(fd);
    }
}

static pml_status open_folders(int root_fd, const char *name, bool create, pml_hub_cache *cache, pml_error *error) {
    pml_status status = PML_OK;
    char locks[PATH_BYTES + 16];
    PML_TRY(pml_hub_folder_open(root_fd, name, create, &cache->repo_fd, error));
    status = pml_hub_folder_open(cache->repo_fd, "blobs", create, &cache->blobs_fd, error);
    if (status == PML_E_NOT_FOUND) {
        status = PML_OK; /* without links there may be none */
    }
    PML_TRY(status);
    if (create) {
        tag_cache(root_fd);
        (void)snprintf(locks, sizeof locks, ".locks/%s", name);
        PML_TRY(pml_hub_folder_open(root_fd, locks, true, &cache->locks_fd, error));
    }
done:
    return status;
}

pml_status pml_hub_cache_open(const pml_hub_environment *environment, const char *repo, bool create,
                              pml_hub_cache *cache, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_cache made = {.repo_fd = -1, .blobs_fd = -1, .locks_fd = -1, .is_open = true};
    char name[PATH_BYTES];
    char *resolved = NULL;
    int root_fd = -1;
    PML_TRY(folder_name(repo, name, error));
    if (create) {
        PML_TRY(make_root(environment->cache_dir, error));
    }
    root_fd = open(environment->cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0) {
        PML_TRY(PML_FAIL(error, errno == ENOENT ? PML_E_NOT_FOUND : PML_E_IO, "the hub's cache %s: %s",
                         environment->cache_dir, strerror(errno)));
    }
    status = open_folders(root_fd, name, create, &made, error);
    if (status == PML_E_NOT_FOUND) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "%s is not in the hub's cache %s", repo, environment->cache_dir));
    }
    PML_TRY(status);
    resolved = realpath(environment->cache_dir, NULL);
    const char *root = resolved != NULL ? resolved : environment->cache_dir;
    const size_t n_bytes = strlen(root) + strlen(name) + 2;
    PML_TRY(pml_alloc(n_bytes, 1, &made.path, error));
    (void)snprintf(made.path, n_bytes, "%s/%s", root, name);
    made.copies = environment->no_symlinks;
    made.is_remote = is_remote(made.repo_fd);
    PML_TRY(pml_hub_verified_load(&made, error));
    *cache = made;
    made.is_open = false;
done:
    pml_hub_cache_close(&made);
    free(resolved);
    if (root_fd >= 0) {
        (void)close(root_fd);
    }
    return status;
}

void pml_hub_cache_close(pml_hub_cache *cache) {
    if (!cache->is_open) {
        return;
    }
    const int fds[] = {cache->repo_fd, cache->blobs_fd, cache->locks_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    pml_free(cache->path);
    pml_free(cache->verified);
    *cache = (pml_hub_cache){0};
}

/* ---- names of files that are being written ---- */

pml_status pml_hub_cache_scratch(const char *prefix, char name[PML_HUB_SCRATCH_BYTES], pml_error *error) {
    char mark[PML_PROCESS_MARK_BYTES];
    const pml_status status = pml_process_mark(mark, error);
    if (status == PML_OK) {
        (void)snprintf(name, PML_HUB_SCRATCH_BYTES, "%s" SCRATCH_HEAD "%s" SCRATCH_TAIL, prefix, mark);
    }
    return status;
}

bool pml_hub_cache_scratch_is_free(const char *name, const struct stat *info, size_t *prefix_bytes) {
    char host[PML_PROCESS_HOST_BYTES], this_host[PML_PROCESS_HOST_BYTES];
    const size_t length = strlen(name), n_tail = strlen(SCRATCH_TAIL), n_head = strlen(SCRATCH_HEAD);
    size_t n_before = 0;
    long pid = 0;
    if (length <= n_tail || strcmp(name + length - n_tail, SCRATCH_TAIL) != 0 ||
        !pml_process_mark_read(name, length - n_tail, &n_before, host, &pid) || n_before + 1 < n_head ||
        strncmp(name + n_before + 1 - n_head, SCRATCH_HEAD, n_head) != 0) {
        return false;
    }
    *prefix_bytes = n_before + 1 - n_head;
    pml_process_host(this_host);
    return strcmp(host, this_host) == 0 ? pml_process_has_ended(pid)
                                        : time(NULL) - info->st_mtime > FOREIGN_AGE_SECONDS;
}

static pml_status write_small(const pml_hub_cache *cache, const char *path, const void *bytes, size_t size_bytes,
                              pml_error *error) {
    char scratch[PML_HUB_SCRATCH_BYTES];
    const pml_status status = pml_hub_cache_scratch("", scratch, error);
    return status == PML_OK
               ? pml_hub_folder_write(cache->repo_fd, path, bytes, size_bytes, cache->blobs_fd, scratch, error)
               : status;
}

/* ---- references and listings ---- */

static pml_status format_path(char path[PATH_BYTES], const char *folder, const char *a, const char *b,
                              pml_error *error) {
    const int n = snprintf(path, PATH_BYTES, "%s/%s%s", folder, a, b);
    return n > 0 && n < PATH_BYTES ? PML_OK : PML_FAIL(error, PML_E_ARGUMENT, "a path in the hub's cache is too long");
}

static pml_status format_entry(char path[PATH_BYTES], const char *folder, const char *commit, const char *entry,
                               pml_error *error) {
    const int n = snprintf(path, PATH_BYTES, "%s/%s/%s", folder, commit, entry);
    return n > 0 && n < PATH_BYTES ? PML_OK : PML_FAIL(error, PML_E_ARGUMENT, "a path in the hub's cache is too long");
}

/* Reads a small file of the cache; *bytes is NULL when there is none that can be used. */
static pml_status read_small(const pml_hub_cache *cache, const char *path, size_t most_bytes, char **bytes,
                             size_t *size_bytes, pml_error *error) {
    const pml_status status = pml_hub_folder_read(cache->repo_fd, path, most_bytes, bytes, size_bytes, error);
    return status == PML_E_NOT_FOUND || status == PML_E_FORMAT ? PML_OK : status;
}

pml_status pml_hub_cache_read_ref(const pml_hub_cache *cache, const char *revision,
                                  char commit[PML_HUB_COMMIT_TEXT_BYTES], bool *found, pml_error *error) {
    pml_status status = PML_OK;
    char path[PATH_BYTES];
    char *text = NULL;
    size_t length = 0;
    *found = false;
    PML_TRY(format_path(path, "refs", revision, "", error));
    PML_TRY(read_small(cache, path, MAX_REF_BYTES, &text, &length, error));
    if (text != NULL) {
        text[strcspn(text, "\r\n \t")] = '\0';
        *found = pml_hub_is_commit(text);
    }
    if (*found) {
        memcpy(commit, text, PML_HUB_COMMIT_TEXT_BYTES);
    }
done:
    pml_free(text);
    return status;
}

pml_status pml_hub_cache_write_ref(const pml_hub_cache *cache, const char *revision, const char *commit,
                                   pml_error *error) {
    pml_status status = PML_OK;
    char path[PATH_BYTES], known[PML_HUB_COMMIT_TEXT_BYTES];
    bool found = false;
    PML_TRY(pml_hub_cache_read_ref(cache, revision, known, &found, error));
    if (!found || strcmp(known, commit) != 0) {
        PML_TRY(format_path(path, "refs", revision, "", error));
        PML_TRY(write_small(cache, path, commit, strlen(commit), error));
    }
done:
    return status;
}

pml_status pml_hub_cache_read_listing(const pml_hub_cache *cache, const char *commit, pml_hub_listing *listing,
                                      bool *found, pml_error *error) {
    pml_status status = PML_OK;
    char path[PATH_BYTES];
    char *text = NULL;
    size_t length = 0;
    *found = false;
    PML_TRY(format_path(path, "trees", commit, ".json", error));
    PML_TRY(read_small(cache, path, PML_HUB_MAX_LISTING_BYTES, &text, &length, error));
    if (text != NULL) {
        pml_error why = {0};
        const pml_status read = pml_hub_listing_read(text, length, path, listing, &why);
        *found = read == PML_OK;
        if (read == PML_E_MEMORY) {
            PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s", why.message));
        }
        if (!*found) { /* it is fetched again */
            pml_log(PML_LOG_INFO, "%s", why.message);
            pml_hub_listing_deinit(listing);
        }
    }
done:
    pml_free(text);
    return status;
}

pml_status pml_hub_cache_write_listing(const pml_hub_cache *cache, const char *commit, const pml_hub_listing *listing,
                                       pml_error *error) {
    pml_status status = PML_OK;
    char path[PATH_BYTES];
    char *text = NULL;
    size_t length = 0;
    FILE *stream = NULL;
    PML_TRY(format_path(path, "trees", commit, ".json", error));
    stream = open_memstream(&text, &length);
    if (stream == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for a list of files"));
    }
    PML_TRY(pml_hub_listing_write(listing, stream, error));
    const int closed = fclose(stream);
    stream = NULL;
    if (closed != 0) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for a list of files"));
    }
    PML_TRY(write_small(cache, path, text, length, error));
done:
    if (stream != NULL) {
        (void)fclose(stream);
    }
    free(text);
    return status;
}

void pml_hub_cache_forget_listing(const pml_hub_cache *cache, const char *commit) {
    char path[PATH_BYTES];
    const char *base = NULL;
    int parent_fd = -1;
    if (format_path(path, "trees", commit, ".json", NULL) == PML_OK &&
        pml_hub_folder_parent(cache->repo_fd, path, false, &parent_fd, &base, NULL) == PML_OK) {
        (void)unlinkat(parent_fd, base, 0);
        (void)close(parent_fd);
    }
}

/* ---- blobs and snapshots ---- */

/* Whether an open file has the size and hash of `file`. */
static pml_status verify(pml_hub_cache *cache, int fd, const pml_hub_file *file, bool *is_right, pml_error *error) {
    struct stat info;
    char hash[PML_HUB_HASH_TEXT_BYTES];
    *is_right = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_size == file->size_bytes;
    if (!*is_right || pml_hub_verified_has(cache, file->hash, &info)) {
        return PML_OK;
    }
    const pml_status status = pml_hub_digest_file(fd, file->hash, file->size_bytes, hash, error);
    if (status != PML_OK) {
        return status;
    }
    *is_right = strcmp(hash, file->hash) == 0;
    if (*is_right) {
        pml_hub_verified_add(cache, file->hash, &info);
    }
    return PML_OK;
}

/* Looks at the file `name` below `parent_fd`, which must not be a link. */
static pml_status check_file(pml_hub_cache *cache, int parent_fd, const char *name, const pml_hub_file *file,
                             bool may_remove, bool *has, pml_error *error) {
    pml_status status = PML_OK;
    *has = false;
    const int fd = openat(parent_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && (errno == ENOENT || errno == ELOOP)) {
        goto done;
    }
    if (fd < 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "the hub's cache: %s: %s", name, strerror(errno)));
    }
    PML_TRY(verify(cache, fd, file, has, error));
    if (!*has) {
        pml_quoted path;
        if (!may_remove) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT,
                             "the hub's cache: %s is damaged: its hash or size is not %s of %llu bytes",
                             pml_quote(&path, file->path), file->hash, (unsigned long long)file->size_bytes));
        }
        pml_log(PML_LOG_WARNING, "the hub's cache: %s was damaged (hash or size is wrong); it is fetched again",
                pml_quote(&path, file->path));
        if (unlinkat(parent_fd, name, 0) != 0 && errno != ENOENT) {
            PML_TRY(PML_FAIL(error, PML_E_IO, "the hub's cache: cannot remove the damaged %s: %s",
                             pml_quote(&path, file->path), strerror(errno)));
        }
    }
done:
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

pml_status pml_hub_cache_has_blob(pml_hub_cache *cache, const pml_hub_file *file, bool may_remove, bool *has,
                                  pml_error *error) {
    *has = false;
    return cache->blobs_fd < 0 ? PML_OK : check_file(cache, cache->blobs_fd, file->hash, file, may_remove, has, error);
}

/* "../../blobs/<hash>", with one more "../" for each folder in the path. */
static pml_status link_text(const pml_hub_file *file, char text[PATH_BYTES], pml_error *error) {
    size_t n = 0;
    (void)snprintf(text, PATH_BYTES, "../../");
    n = strlen(text);
    for (const char *at = strchr(file->path, '/'); at != NULL && n + 80 < PATH_BYTES; at = strchr(at + 1, '/')) {
        memcpy(text + n, "../", 4);
        n += 3;
    }
    const int length = snprintf(text + n, PATH_BYTES - n, "blobs/%s", file->hash);
    return length > 0 && n + (size_t)length < PATH_BYTES
               ? PML_OK
               : PML_FAIL(error, PML_E_IO, "the hub's cache: a path has too many folders");
}

static bool is_link_to(int parent_fd, const char *name, const char *text) {
    char found[PATH_BYTES];
    const ssize_t n = readlinkat(parent_fd, name, found, sizeof found);
    return n >= 0 && (size_t)n == strlen(text) && memcmp(found, text, (size_t)n) == 0;
}

pml_status pml_hub_cache_has_file(pml_hub_cache *cache, const char *commit, const pml_hub_file *file, bool may_remove,
                                  bool *has, pml_error *error) {
    pml_status status = PML_OK;
    char path[PATH_BYTES], text[PATH_BYTES];
    int parent_fd = -1;
    const char *base = NULL;
    *has = false;
    PML_TRY(format_entry(path, "snapshots", commit, file->path, error));
    PML_TRY(link_text(file, text, error));
    status = pml_hub_folder_parent(cache->repo_fd, path, false, &parent_fd, &base, error);
    if (status == PML_E_NOT_FOUND) {
        status = PML_OK;
        goto done;
    }
    PML_TRY(status);
    if (is_link_to(parent_fd, base, text)) {
        PML_TRY(pml_hub_cache_has_blob(cache, file, may_remove, has, error));
    } else {
        PML_TRY(check_file(cache, parent_fd, base, file, may_remove, has, error));
    }
done:
    if (parent_fd >= 0) {
        (void)close(parent_fd);
    }
    return status;
}

/* A link, or a second name of the blob, in the place of whatever is there. 0 or errno. */
static int place(const pml_hub_cache *cache, int parent_fd, const char *base, const char *hash, const char *text) {
    char scratch[PML_HUB_SCRATCH_BYTES];
    if (!cache->copies && symlinkat(text, parent_fd, base) == 0) {
        return 0;
    }
    if (cache->copies && linkat(cache->blobs_fd, hash, parent_fd, base, 0) == 0) {
        return 0;
    }
    if (errno != EEXIST) {
        return errno;
    }
    if (!cache->copies && is_link_to(parent_fd, base, text)) {
        return 0;
    }
    if (pml_hub_cache_scratch("", scratch, NULL) != PML_OK) {
        return EIO;
    }
    const int made = cache->copies ? linkat(cache->blobs_fd, hash, cache->blobs_fd, scratch, 0)
                                   : symlinkat(text, cache->blobs_fd, scratch);
    if (made != 0) {
        return errno;
    }
    const int code = renameat(cache->blobs_fd, scratch, parent_fd, base) != 0 ? errno : 0;
    (void)unlinkat(cache->blobs_fd, scratch, 0); /* gone, unless the rename failed or both were one file */
    return code;
}

pml_status pml_hub_cache_link(const pml_hub_cache *cache, const char *commit, const pml_hub_file *file,
                              pml_error *error) {
    pml_status status = PML_OK;
    char path[PATH_BYTES], text[PATH_BYTES];
    int parent_fd = -1;
    const char *base = NULL;
    PML_TRY(format_entry(path, "snapshots", commit, file->path, error));
    PML_TRY(link_text(file, text, error));
    PML_TRY(pml_hub_folder_parent(cache->repo_fd, path, true, &parent_fd, &base, error));
    const int code = place(cache, parent_fd, base, file->hash, text);
    if (code != 0) {
        pml_quoted quoted;
        PML_TRY(PML_FAIL(error, PML_E_IO, "the hub's cache: cannot link %s: %s", pml_quote(&quoted, file->path),
                         strerror(code)));
    }
    if (fsync(parent_fd) != 0 && errno != EINVAL) {
        PML_TRY(
            PML_FAIL(error, PML_E_IO, "the hub's cache: a folder could not be written to disk: %s", strerror(errno)));
    }
done:
    if (parent_fd >= 0) {
        (void)close(parent_fd);
    }
    return status;
}

pml_status pml_hub_cache_mark_absent(const pml_hub_cache *cache, const char *commit, const char *path,
                                     pml_error *error) {
    char marker[PATH_BYTES];
    const pml_status status = format_entry(marker, ".no_exist", commit, path, error);
    return status == PML_OK ? write_small(cache, marker, "", 0, error) : status;
}

pml_status pml_hub_cache_snapshot_path(const pml_hub_cache *cache, const char *commit, char **path, pml_error *error) {
    const size_t n_bytes = strlen(cache->path) + strlen(commit) + 16;
    const pml_status status = pml_alloc(n_bytes, 1, path, error);
    if (status == PML_OK) {
        (void)snprintf(*path, n_bytes, "%s/snapshots/%s", cache->path, commit);
    }
    return status;
}

pml_status pml_hub_cache_try_lock(const pml_hub_cache *cache, const char *hash, int *fd, pml_error *error) {
    char name[PML_HUB_HASH_TEXT_BYTES + 8];
    (void)snprintf(name, sizeof name, "%s.lock", hash);
    *fd = openat(cache->locks_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0664);
    if (*fd < 0) {
        return PML_FAIL(error, PML_E_IO, "the hub's cache: cannot open the lock %s: %s", name, strerror(errno));
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        (void)close(*fd);
        *fd = -1;
    }
    return PML_OK;
}
