/* Removing from the hub's cache. References go first, then snapshots, then what only they used: whoever is stopped in
 * between leaves a valid cache. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/hub/hub_folder.h"
#include "convert/hub/hub_inventory.h"
#include "runtime/base/alloc.h"

enum { MAX_DEPTH = 32, MAX_USED = 10000000, PATH_BYTES = 2048 };

typedef struct removal {
    pml_hub_cache cache;
    const char *commit; /* of the snapshot that goes */
    pml_names used;     /* hashes of blobs that other snapshots use */
    char path[PATH_BYTES];
    unsigned depth;
    uint64_t freed_bytes;
} removal;

static uint64_t disk_bytes(const struct stat *info) {
    return S_ISREG(info->st_mode) ? (uint64_t)info->st_blocks * 512u : 0;
}

/* A file that a living process writes: the removal would pull it away under its hands. */
static pml_status look_for_writers(void *user, int folder_fd, const char *name, const struct stat *info,
                                   pml_error *error) {
    removal *r = user;
    size_t prefix_bytes = 0;
    (void)folder_fd;
    r->freed_bytes += disk_bytes(info);
    return strstr(name, ".incomplete") != NULL && strstr(name, "pml.") != NULL &&
                   !pml_hub_cache_scratch_is_free(name, info, &prefix_bytes)
               ? PML_FAIL(error, PML_E_BUSY, "%s: a process is downloading into it", r->cache.path)
               : PML_OK;
}

static pml_status remove_all(removal *r, int root_fd, const char *folder, pml_error *error) {
    static const char *const first[] = {"refs", "snapshots"};
    pml_status status = PML_OK;
    PML_TRY(pml_hub_folder_each_below(r->cache.repo_fd, "blobs", look_for_writers, r, error));
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        PML_TRY(pml_hub_folder_remove(r->cache.repo_fd, first[i], error));
    }
    PML_TRY(pml_hub_folder_remove(root_fd, folder, error));
done:
    return status;
}

/* ---- one snapshot ---- */

static pml_status remove_reference(void *user, int folder_fd, const char *name, const struct stat *info,
                                   pml_error *error) {
    removal *r = user;
    pml_status status = PML_OK;
    const size_t length = strlen(r->path);
    if (length + strlen(name) + 2 > sizeof r->path || r->depth == MAX_DEPTH) {
        return PML_OK;
    }
    memcpy(r->path + length, name, strlen(name) + 1);
    if (S_ISDIR(info->st_mode)) {
        memcpy(r->path + length + strlen(name), "/", 2);
        r->depth++;
        status = pml_hub_folder_each_below(folder_fd, name, remove_reference, r, error);
        r->depth--;
    } else {
        char commit[PML_HUB_COMMIT_TEXT_BYTES];
        bool found = false;
        status = pml_hub_cache_read_ref(&r->cache, r->path, commit, &found, error);
        if (status == PML_OK && found && strcmp(commit, r->commit) == 0) {
            status = pml_hub_folder_remove(folder_fd, name, error);
        }
    }
    r->path[length] = '\0';
    return status;
}

/* A link of a snapshot that stays: its blob is used. */
static pml_status note_use(void *user, int folder_fd, const char *name, const struct stat *info, pml_error *error) {
    removal *r = user;
    char text[PATH_BYTES];
    if (S_ISDIR(info->st_mode) && r->depth < MAX_DEPTH) {
        r->depth++;
        const pml_status status = pml_hub_folder_each_below(folder_fd, name, note_use, r, error);
        r->depth--;
        return status;
    }
    const ssize_t n = readlinkat(folder_fd, name, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    const char *slash = strrchr(text, '/');
    size_t i_name;
    bool is_new;
    return slash == NULL
               ? PML_OK
               : pml_names_add(&r->used, slash + 1, strlen(slash + 1), MAX_USED, "blobs", &i_name, &is_new, error);
}

static pml_status remove_unused(void *user, int folder_fd, const char *name, const struct stat *info,
                                pml_error *error) {
    removal *r = user;
    size_t i_name;
    if (!pml_hub_is_hash(name) || pml_names_find(&r->used, name, strlen(name), &i_name)) {
        return PML_OK;
    }
    const pml_status status = pml_hub_folder_remove(folder_fd, name, error);
    r->freed_bytes += status == PML_OK ? disk_bytes(info) : 0;
    return status;
}

static pml_status remove_below(const removal *r, const char *folder, const char *name, pml_error *error) {
    int fd = -1;
    pml_status status = pml_hub_folder_open(r->cache.repo_fd, folder, false, &fd, error);
    if (status == PML_OK) {
        status = pml_hub_folder_remove(fd, name, error);
        (void)close(fd);
        return status;
    }
    return status == PML_E_NOT_FOUND ? PML_OK : status;
}

static pml_status remove_snapshot(removal *r, pml_error *error) {
    pml_status status = PML_OK;
    char listing[PML_HUB_COMMIT_TEXT_BYTES + 8];
    (void)snprintf(listing, sizeof listing, "%s.json", r->commit);
    PML_TRY(pml_hub_folder_each_below(r->cache.repo_fd, "blobs", look_for_writers, r, error));
    r->freed_bytes = 0;
    PML_TRY(pml_hub_folder_each_below(r->cache.repo_fd, "refs", remove_reference, r, error));
    PML_TRY(remove_below(r, "snapshots", r->commit, error));
    PML_TRY(remove_below(r, "trees", listing, error));
    PML_TRY(remove_below(r, ".no_exist", r->commit, error));
    PML_TRY(pml_hub_folder_each_below(r->cache.repo_fd, "snapshots", note_use, r, error));
    PML_TRY(pml_hub_folder_each_below(r->cache.repo_fd, "blobs", remove_unused, r, error));
done:
    return status;
}

/* The commit that a reference or commit means; it must have a snapshot. */
static pml_status find_commit(const removal *r, const char *repo, const char *revision,
                              char commit[PML_HUB_COMMIT_TEXT_BYTES], pml_error *error) {
    bool found = pml_hub_is_commit(revision);
    char path[PML_HUB_COMMIT_TEXT_BYTES + 16];
    int fd = -1;
    pml_status status = PML_OK;
    if (found) {
        memcpy(commit, revision, PML_HUB_COMMIT_TEXT_BYTES);
    } else {
        PML_TRY(pml_hub_revision_check(revision, error));
        PML_TRY(pml_hub_cache_read_ref(&r->cache, revision, commit, &found, error));
    }
    if (found) {
        (void)snprintf(path, sizeof path, "snapshots/%s", commit);
        found = pml_hub_folder_open(r->cache.repo_fd, path, false, &fd, NULL) == PML_OK;
    }
    if (!found) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "%s@%s is not in the hub's cache", repo, revision));
    }
done:
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

pml_status pml_hub_inventory_remove(const pml_hub_environment *environment, const char *repo, const char *revision,
                                    uint64_t *freed_bytes, pml_error *error) {
    pml_status status = PML_OK;
    removal r = {0};
    char commit[PML_HUB_COMMIT_TEXT_BYTES];
    int root_fd = -1;
    PML_TRY(pml_hub_repo_check(repo, error));
    PML_TRY(pml_hub_cache_open(environment, repo, false, &r.cache, error));
    if (revision != NULL) {
        PML_TRY(find_commit(&r, repo, revision, commit, error));
        r.commit = commit;
        PML_TRY(remove_snapshot(&r, error));
    } else {
        root_fd = open(environment->cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0) {
            PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "the hub's cache %s is not there", environment->cache_dir));
        }
        PML_TRY(remove_all(&r, root_fd, strrchr(r.cache.path, '/') + 1, error));
    }
    *freed_bytes = r.freed_bytes;
done:
    if (root_fd >= 0) {
        (void)close(root_fd);
    }
    pml_names_deinit(&r.used);
    pml_hub_cache_close(&r.cache);
    return status;
}
