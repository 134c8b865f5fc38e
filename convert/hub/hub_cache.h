/* One repository's folder in the hub's cache, in the layout that all its clients share:
 *
 *     <cache>/models--org--name/{blobs/<hash>, refs/<revision>, trees/<commit>.json, snapshots/<commit>/<path>,
 *                                .no_exist/<commit>/<path>}     and <cache>/.locks/models--org--name/<hash>.lock
 *
 * Correct without any lock: blobs are named by their hash and appear whole, links and references are replaced whole.
 * Locks save work only. */
#ifndef PML_CONVERT_HUB_CACHE_H
#define PML_CONVERT_HUB_CACHE_H

#include "convert/hub/hub_environment.h"
#include "convert/hub/hub_listing.h"

typedef struct pml_hub_cache {       /* zero = closed, safe to close */
    char *path;                      /* of the repository's folder */
    int repo_fd, blobs_fd, locks_fd; /* -1: not there; all set when opened to create */
    bool is_open;
    bool copies;    /* snapshots hold files instead of links */
    bool is_remote; /* on a file system where writing at several places at once is not safe */
    char *verified; /* what earlier runs have verified: convert/hub/hub_verified.c */
    size_t verified_bytes;
} pml_hub_cache;

/* `create` makes what is missing. Errors: NOT_FOUND (nothing there, without `create`), IO, ARGUMENT (path too long),
 * MEMORY. */
pml_status pml_hub_cache_open(const pml_hub_environment *environment, const char *repo, bool create,
                              pml_hub_cache *cache, pml_error *error) PML_WARN_UNUSED;
void pml_hub_cache_close(pml_hub_cache *cache);

/* refs/: which commit a revision was, when it was last asked for. *found is false where there is none, or none that can
 * be. Errors: IO, MEMORY. */
pml_status pml_hub_cache_read_ref(const pml_hub_cache *cache, const char *revision,
                                  char commit[PML_HUB_COMMIT_TEXT_BYTES], bool *found,
                                  pml_error *error) PML_WARN_UNUSED;
pml_status pml_hub_cache_write_ref(const pml_hub_cache *cache, const char *revision, const char *commit,
                                   pml_error *error) PML_WARN_UNUSED;
/* trees/: *found is false, and the listing empty, where there is none that can be read. Errors: IO, MEMORY. */
pml_status pml_hub_cache_read_listing(const pml_hub_cache *cache, const char *commit, pml_hub_listing *listing,
                                      bool *found, pml_error *error) PML_WARN_UNUSED;
pml_status pml_hub_cache_write_listing(const pml_hub_cache *cache, const char *commit, const pml_hub_listing *listing,
                                       pml_error *error) PML_WARN_UNUSED;
/* Away with it, if it is there: the hub is asked again the next time. */
void pml_hub_cache_forget_listing(const pml_hub_cache *cache, const char *commit);

/* What a snapshot holds, for commits without a list: its links to blobs, with the size of what is there. *listing must
 * be empty. Whether files are missing cannot be told from it. Errors: IO, MEMORY, FORMAT. */
pml_status pml_hub_cache_list_snapshot(const pml_hub_cache *cache, const char *commit, pml_hub_listing *listing,
                                       pml_error *error) PML_WARN_UNUSED;

/* Whether the blob is there and right: its size each time, its hash unless an earlier run has verified this very file.
 * A wrong blob is removed if `may_remove` (and is then not there), otherwise an error. Errors: IO, FORMAT, INTERRUPTED,
 * MEMORY. */
pml_status pml_hub_cache_has_blob(pml_hub_cache *cache, const pml_hub_file *file, bool may_remove, bool *has,
                                  pml_error *error) PML_WARN_UNUSED;
/* Whether the snapshot holds the file: a link to its blob, or the bytes themselves. Errors: as before. */
pml_status pml_hub_cache_has_file(pml_hub_cache *cache, const char *commit, const pml_hub_file *file, bool may_remove,
                                  bool *has, pml_error *error) PML_WARN_UNUSED;
/* Puts the link (or copy) into the snapshot; the blob must be there. Errors: IO, MEMORY. */
pml_status pml_hub_cache_link(const pml_hub_cache *cache, const char *commit, const pml_hub_file *file,
                              pml_error *error) PML_WARN_UNUSED;
/* .no_exist/: remembers that the commit has no such file. Errors: IO. */
pml_status pml_hub_cache_mark_absent(const pml_hub_cache *cache, const char *commit, const char *path,
                                     pml_error *error) PML_WARN_UNUSED;

/* The folder of a snapshot, absolute if the cache's path is; the caller's. Errors: MEMORY. */
pml_status pml_hub_cache_snapshot_path(const pml_hub_cache *cache, const char *commit, char **path,
                                       pml_error *error) PML_WARN_UNUSED;

/* Tries to take the lock of a blob without waiting: *fd, or -1 when another process has it. Closing frees it; where
 * locks do not work *fd is a file all the same. Errors: IO. */
pml_status pml_hub_cache_try_lock(const pml_hub_cache *cache, const char *hash, int *fd,
                                  pml_error *error) PML_WARN_UNUSED;

/* A name in blobs/ for a file of this process: "<prefix>pml.<mark>.incomplete". Errors: IO. */
#define PML_HUB_SCRATCH_BYTES 240u
pml_status pml_hub_cache_scratch(const char *prefix, char name[PML_HUB_SCRATCH_BYTES],
                                 pml_error *error) PML_WARN_UNUSED;
/* Whether `name` is such a name, of a process that has ended: "free" to be taken over or removed. *prefix_bytes of it
 * are the prefix. `info` is the file's state. */
struct stat;
bool pml_hub_cache_scratch_is_free(const char *name, const struct stat *info, size_t *prefix_bytes);

/* ---- convert/hub/hub_verified.c ---- */
pml_status pml_hub_verified_load(pml_hub_cache *cache, pml_error *error) PML_WARN_UNUSED;
/* Whether this very file (by number, size and time of change) was found right before. */
bool pml_hub_verified_has(const pml_hub_cache *cache, const char *hash, const struct stat *info);
/* Remembers it; a cache that cannot be written forgets, which costs time only. */
void pml_hub_verified_add(pml_hub_cache *cache, const char *hash, const struct stat *info);

#endif
