/* A snapshot as the list of its own files: what can be known offline of a commit whose list no client kept. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/hub/hub_cache.h"
#include "convert/hub/hub_folder.h"

enum { MAX_DEPTH = 32 };

typedef struct walk {
    const pml_hub_cache *cache;
    pml_hub_listing *listing;
    char path[PML_HUB_MAX_PATH_BYTES + 1]; /* "" at the top, else with '/' at its end */
    unsigned depth;
} walk;

/* A link to a blob counts with that blob's size; anything else there is left out, as if it were missing. */
static pml_status add_link(walk *w, int folder_fd, const char *name, pml_error *error) {
    char text[PML_HUB_MAX_PATH_BYTES];
    struct stat info;
    const ssize_t n = readlinkat(folder_fd, name, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    const char *slash = strrchr(text, '/');
    if (slash == NULL || !pml_hub_is_hash(slash + 1) || pml_hub_path_check(w->path, NULL) != PML_OK ||
        w->cache->blobs_fd < 0 || fstatat(w->cache->blobs_fd, slash + 1, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return PML_OK;
    }
    return pml_hub_listing_add(w->listing, w->path, slash + 1, (uint64_t)info.st_size, error);
}

static pml_status visit(void *user, int folder_fd, const char *name, const struct stat *info, pml_error *error) {
    walk *w = user;
    const size_t length = strlen(w->path);
    pml_status status = PML_OK;
    if (length + strlen(name) + 2 > sizeof w->path || w->depth == MAX_DEPTH) {
        return PML_OK;
    }
    memcpy(w->path + length, name, strlen(name) + 1);
    if (S_ISDIR(info->st_mode)) {
        memcpy(w->path + length + strlen(name), "/", 2);
        w->depth++;
        status = pml_hub_folder_each_below(folder_fd, name, visit, w, error);
        w->depth--;
    } else {
        status = add_link(w, folder_fd, name, error);
    }
    w->path[length] = '\0';
    return status;
}

pml_status pml_hub_cache_list_snapshot(const pml_hub_cache *cache, const char *commit, pml_hub_listing *listing,
                                       pml_error *error) {
    char path[PML_HUB_COMMIT_TEXT_BYTES + 16];
    walk w = {.cache = cache, .listing = listing};
    (void)snprintf(path, sizeof path, "snapshots/%s", commit);
    return pml_hub_folder_each_below(cache->repo_fd, path, visit, &w, error);
}
