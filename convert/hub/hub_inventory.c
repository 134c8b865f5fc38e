#include "convert/hub/hub_inventory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/hub/hub_folder.h"
#include "runtime/base/alloc.h"

#define REPO_PREFIX "models--"
enum { MAX_DEPTH = 32, MAX_SNAPSHOTS = 100000, MAX_REPOS = 1000000, PATH_BYTES = 2048 };

void pml_hub_inventory_deinit(pml_hub_inventory *inventory) {
    for (size_t i = 0; i < inventory->count; i++) {
        pml_hub_stored *stored = &inventory->repos[i];
        for (size_t k = 0; k < stored->n_snapshots; k++) {
            pml_free(stored->snapshots[k].revisions);
        }
        pml_free(stored->snapshots);
        pml_free(stored->repo);
    }
    pml_free(inventory->repos);
    *inventory = (pml_hub_inventory){0};
}

/* ---- one repository ---- */

static pml_status count_blob(void *user, int folder_fd, const char *name, const struct stat *info, pml_error *error) {
    pml_hub_stored *stored = user;
    (void)folder_fd;
    (void)error;
    if (S_ISREG(info->st_mode) && pml_hub_is_hash(name)) {
        stored->size_bytes += (uint64_t)info->st_size;
        stored->n_blobs++;
    } else if (S_ISREG(info->st_mode)) {
        stored->partial_bytes += (uint64_t)info->st_blocks * 512u;
    }
    return PML_OK;
}

typedef struct counter {
    pml_hub_stored *stored;
    size_t n_files;
    unsigned depth;
} counter;

static pml_status count_file(void *user, int folder_fd, const char *name, const struct stat *info, pml_error *error) {
    counter *c = user;
    if (S_ISDIR(info->st_mode) && c->depth < MAX_DEPTH) {
        c->depth++;
        const pml_status status = pml_hub_folder_each_below(folder_fd, name, count_file, c, error);
        c->depth--;
        return status;
    }
    c->n_files++;
    c->stored->size_bytes += S_ISREG(info->st_mode) && info->st_nlink == 1 ? (uint64_t)info->st_size : 0;
    return PML_OK;
}

static pml_status add_snapshot(void *user, int folder_fd, const char *name, const struct stat *info, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_stored *stored = user;
    counter c = {.stored = stored};
    if (!S_ISDIR(info->st_mode) || !pml_hub_is_commit(name)) {
        goto done;
    }
    PML_TRY(pml_hub_folder_each_below(folder_fd, name, count_file, &c, error));
    PML_TRY(pml_grow(&stored->snapshots, &stored->snapshot_capacity, stored->n_snapshots + 1, sizeof *stored->snapshots,
                     MAX_SNAPSHOTS, "snapshots", error));
    pml_hub_snapshot *snapshot = &stored->snapshots[stored->n_snapshots];
    *snapshot = (pml_hub_snapshot){.n_files = c.n_files};
    memcpy(snapshot->commit, name, PML_HUB_COMMIT_TEXT_BYTES);
    PML_TRY(pml_string_copy("", 0, &snapshot->revisions, error));
    stored->n_snapshots++;
done:
    return status;
}

/* References lie below refs/, some in folders of their own ("refs/pr/1"). */
typedef struct reference_walk {
    const pml_hub_cache *cache;
    char path[PATH_BYTES]; /* below refs/; "" at the top, else with '/' at its end */
    unsigned depth;
    pml_status (*visit)(void *user, const char *revision, const char *commit, pml_error *error);
    void *user;
} reference_walk;

static pml_status visit_reference(void *user, int folder_fd, const char *name, const struct stat *info,
                                  pml_error *error) {
    reference_walk *w = user;
    const size_t length = strlen(w->path);
    pml_status status = PML_OK;
    if (length + strlen(name) + 2 > sizeof w->path) {
        return PML_OK; /* no reference has such a name */
    }
    memcpy(w->path + length, name, strlen(name) + 1);
    if (S_ISDIR(info->st_mode) && w->depth < MAX_DEPTH) {
        memcpy(w->path + length + strlen(name), "/", 2);
        w->depth++;
        status = pml_hub_folder_each_below(folder_fd, name, visit_reference, w, error);
        w->depth--;
    } else if (S_ISREG(info->st_mode)) {
        char commit[PML_HUB_COMMIT_TEXT_BYTES];
        bool found = false;
        status = pml_hub_cache_read_ref(w->cache, w->path, commit, &found, error);
        status = status == PML_OK && found ? w->visit(w->user, w->path, commit, error) : status;
    }
    w->path[length] = '\0';
    return status;
}

static pml_status name_snapshot(void *user, const char *revision, const char *commit, pml_error *error) {
    pml_status status = PML_OK;
    const pml_hub_stored *stored = user;
    for (size_t i = 0; i < stored->n_snapshots; i++) {
        pml_hub_snapshot *snapshot = &stored->snapshots[i];
        if (strcmp(snapshot->commit, commit) == 0) {
            char *longer = NULL;
            const size_t n_bytes = strlen(snapshot->revisions) + strlen(revision) + 3;
            PML_TRY(pml_alloc(n_bytes, 1, &longer, error));
            (void)snprintf(longer, n_bytes, "%s%s%s", snapshot->revisions, snapshot->revisions[0] != '\0' ? ", " : "",
                           revision);
            pml_free(snapshot->revisions);
            snapshot->revisions = longer;
        }
    }
done:
    return status;
}

static pml_status look_at(const pml_hub_environment *environment, pml_hub_stored *stored, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_cache cache = {0};
    PML_TRY(pml_hub_cache_open(environment, stored->repo, false, &cache, error));
    PML_TRY(pml_hub_folder_each_below(cache.repo_fd, "blobs", count_blob, stored, error));
    PML_TRY(pml_hub_folder_each_below(cache.repo_fd, "snapshots", add_snapshot, stored, error));
    reference_walk w = {.cache = &cache, .visit = name_snapshot, .user = stored};
    PML_TRY(pml_hub_folder_each_below(cache.repo_fd, "refs", visit_reference, &w, error));
done:
    pml_hub_cache_close(&cache);
    return status;
}

/* ---- the cache ---- */

typedef struct reader {
    const pml_hub_environment *environment;
    pml_hub_inventory *inventory;
} reader;

static pml_status add_repo(reader *r, const char *repo, size_t length, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_inventory *inventory = r->inventory;
    PML_TRY(pml_grow(&inventory->repos, &inventory->capacity, inventory->count + 1, sizeof *inventory->repos, MAX_REPOS,
                     "repositories", error));
    pml_hub_stored *stored = &inventory->repos[inventory->count++];
    *stored = (pml_hub_stored){0};
    PML_TRY(pml_string_copy(repo, length, &stored->repo, error));
    PML_TRY(look_at(r->environment, stored, error));
done:
    return status;
}

/* "models--org--name" becomes "org/name"; others are not ours. */
static pml_status visit_repo(void *user, int folder_fd, const char *name, const struct stat *info, pml_error *error) {
    char repo[PATH_BYTES];
    (void)folder_fd;
    if (!S_ISDIR(info->st_mode) || strncmp(name, REPO_PREFIX, strlen(REPO_PREFIX)) != 0) {
        return PML_OK;
    }
    const char *text = name + strlen(REPO_PREFIX), *split = strstr(text, "--");
    const int n = split == NULL ? snprintf(repo, sizeof repo, "%s", text)
                                : snprintf(repo, sizeof repo, "%.*s/%s", (int)(split - text), text, split + 2);
    if (n < 0 || (size_t)n >= sizeof repo || pml_hub_repo_check(repo, NULL) != PML_OK) {
        return PML_OK;
    }
    return add_repo(user, repo, (size_t)n, error);
}

pml_status pml_hub_inventory_read(const pml_hub_environment *environment, const char *repo,
                                  pml_hub_inventory *inventory, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_inventory made = {0};
    reader r = {.environment = environment, .inventory = &made};
    int root_fd = -1;
    if (repo != NULL) {
        PML_TRY(pml_hub_repo_check(repo, error));
        PML_TRY(add_repo(&r, repo, strlen(repo), error));
    } else {
        root_fd = open(environment->cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root_fd >= 0) {
            PML_TRY(pml_hub_folder_each(root_fd, visit_repo, &r, error));
        } else if (errno != ENOENT) {
            PML_TRY(PML_FAIL(error, PML_E_IO, "the hub's cache %s: %s", environment->cache_dir, strerror(errno)));
        }
    }
    *inventory = made;
    made = (pml_hub_inventory){0};
done:
    if (root_fd >= 0) {
        (void)close(root_fd);
    }
    pml_hub_inventory_deinit(&made);
    return status;
}
