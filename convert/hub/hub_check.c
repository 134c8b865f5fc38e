/* Verifying what lies in the hub's cache: every blob against its name, every snapshot against its commit's list. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/hub/hub_digest.h"
#include "convert/hub/hub_folder.h"
#include "convert/hub/hub_inventory.h"

enum { MAX_DEPTH = 32, PATH_BYTES = 2048 };

typedef struct check {
    pml_hub_cache cache;
    pml_hub_finding_fn *found;
    void *user;
    size_t n_checked;
    /* Of the snapshot that is looked at. */
    const char *commit;
    const pml_hub_listing *listing; /* NULL: there is none */
    char path[PATH_BYTES];          /* below the snapshot; "" at its top, else with '/' at its end */
    unsigned depth;
} check;

static void tell(const check *c, const char *folder, const char *name, const char *cause) {
    char path[2 * PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    c->found(c->user, path, cause);
}

static pml_status check_blob(void *user, int folder_fd, const char *name, const struct stat *info, pml_error *error) {
    check *c = user;
    char hash[PML_HUB_HASH_TEXT_BYTES];
    if (!pml_hub_is_hash(name)) {
        return PML_OK; /* a download that is not complete, or a stranger's */
    }
    c->n_checked++;
    const int fd =
        S_ISREG(info->st_mode) ? openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    if (fd < 0) {
        tell(c, "blobs", name, S_ISREG(info->st_mode) ? strerror(errno) : "no regular file");
        return PML_OK;
    }
    const pml_status status = pml_hub_digest_file(fd, name, (uint64_t)info->st_size, hash, error);
    (void)close(fd);
    if (status == PML_E_IO) {
        tell(c, "blobs", name, "cannot be read");
        return PML_OK;
    }
    if (status == PML_OK && strcmp(hash, name) != 0) {
        tell(c, "blobs", name, "its bytes have another hash");
    } else if (status == PML_OK) {
        pml_hub_verified_add(&c->cache, name, info);
    }
    return status;
}

/* What is wrong with a file of a snapshot, or NULL. */
static pml_status find_fault(check *c, int folder_fd, const char *name, const pml_hub_file *file, const char **cause,
                             pml_error *error) {
    struct stat behind;
    bool has = false;
    *cause = NULL;
    if (file == NULL) {
        *cause = c->listing != NULL                          ? "the commit has no such file"
                 : fstatat(folder_fd, name, &behind, 0) != 0 ? "a link to nothing"
                                                             : NULL;
        return PML_OK;
    }
    const pml_status status = pml_hub_cache_has_file(&c->cache, c->commit, file, false, &has, error);
    if (status == PML_OK && !has) {
        *cause = "not a link to the blob of its hash, or that blob is not there";
    } else if (status == PML_E_FORMAT) {
        *cause = "its size or hash is not that of the commit's file";
    }
    return status == PML_E_FORMAT ? PML_OK : status;
}

static pml_status check_entry(void *user, int folder_fd, const char *name, const struct stat *info, pml_error *error) {
    check *c = user;
    pml_status status = PML_OK;
    const size_t length = strlen(c->path);
    if (length + strlen(name) + 2 > sizeof c->path || c->depth == MAX_DEPTH) {
        tell(c, c->commit, name, "its path is too long");
        return PML_OK;
    }
    memcpy(c->path + length, name, strlen(name) + 1);
    if (S_ISDIR(info->st_mode)) {
        memcpy(c->path + length + strlen(name), "/", 2);
        c->depth++;
        status = pml_hub_folder_each_below(folder_fd, name, check_entry, c, error);
        c->depth--;
    } else {
        const char *cause = NULL;
        const pml_hub_file *file = c->listing != NULL ? pml_hub_listing_find(c->listing, c->path) : NULL;
        status = find_fault(c, folder_fd, name, file, &cause, error);
        if (cause != NULL) {
            char folder[PML_HUB_COMMIT_TEXT_BYTES + 16];
            (void)snprintf(folder, sizeof folder, "snapshots/%s", c->commit);
            tell(c, folder, c->path, cause);
        }
    }
    c->path[length] = '\0';
    return status;
}

static pml_status check_snapshot(void *user, int folder_fd, const char *name, const struct stat *info,
                                 pml_error *error) {
    check *c = user;
    pml_status status = PML_OK;
    pml_hub_listing listing = {0};
    bool found = false;
    if (!S_ISDIR(info->st_mode) || !pml_hub_is_commit(name)) {
        goto done;
    }
    PML_TRY(pml_hub_cache_read_listing(&c->cache, name, &listing, &found, error));
    c->commit = name;
    c->listing = found ? &listing : NULL;
    c->path[0] = '\0';
    PML_TRY(pml_hub_folder_each_below(folder_fd, name, check_entry, c, error));
done:
    pml_hub_listing_deinit(&listing);
    return status;
}

pml_status pml_hub_inventory_verify(const pml_hub_environment *environment, const char *repo, pml_hub_finding_fn *found,
                                    void *user, size_t *n_checked, pml_error *error) {
    pml_status status = PML_OK;
    check c = {.found = found, .user = user};
    PML_TRY(pml_hub_repo_check(repo, error));
    PML_TRY(pml_hub_cache_open(environment, repo, false, &c.cache, error));
    PML_TRY(pml_hub_folder_each_below(c.cache.repo_fd, "blobs", check_blob, &c, error));
    PML_TRY(pml_hub_folder_each_below(c.cache.repo_fd, "snapshots", check_snapshot, &c, error));
    *n_checked = c.n_checked;
done:
    pml_hub_cache_close(&c.cache);
    return status;
}
