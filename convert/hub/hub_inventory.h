/* What is in the hub's cache, whoever put it there: looking, verifying, removing. */
#ifndef PML_CONVERT_HUB_INVENTORY_H
#define PML_CONVERT_HUB_INVENTORY_H

#include "convert/hub/hub_cache.h"
#include "runtime/base/names.h"

typedef struct pml_hub_snapshot {
    char commit[PML_HUB_COMMIT_TEXT_BYTES];
    char *revisions; /* the references that name it, joined by ", "; "" for none; owned */
    size_t n_files;
} pml_hub_snapshot;

typedef struct pml_hub_stored { /* one repository */
    char *repo;                 /* "org/name" */
    uint64_t size_bytes;        /* of blobs, and of files in snapshots without links */
    uint64_t partial_bytes;     /* on disk, of downloads that are not complete */
    size_t n_blobs;
    pml_hub_snapshot *snapshots;
    size_t n_snapshots, snapshot_capacity;
} pml_hub_stored;

typedef struct pml_hub_inventory { /* zero = empty, safe to deinit */
    pml_hub_stored *repos;         /* in the order of their folders' names */
    size_t count, capacity;
} pml_hub_inventory;

/* Looks at all repositories, or the one named. A cache that is not there is empty. Errors: IO, MEMORY, INTERRUPTED,
 * NOT_FOUND (that repository is not there), ARGUMENT. */
pml_status pml_hub_inventory_read(const pml_hub_environment *environment, const char *repo,
                                  pml_hub_inventory *inventory, pml_error *error) PML_WARN_UNUSED;
void pml_hub_inventory_deinit(pml_hub_inventory *inventory);

/* Told of everything that is wrong: `path` below the repository's folder. */
typedef void pml_hub_finding_fn(void *user, const char *path, const char *cause);
/* Hashes every blob of a repository, and holds every snapshot against the commit's list where there is one. *n_checked
 * counts blobs. Errors: IO, MEMORY, INTERRUPTED, NOT_FOUND. */
pml_status pml_hub_inventory_verify(const pml_hub_environment *environment, const char *repo, pml_hub_finding_fn *found,
                                    void *user, size_t *n_checked, pml_error *error) PML_WARN_UNUSED;

/* Removes a repository, or (`revision` not NULL: a reference or commit) one snapshot with its references and the blobs
 * that no other snapshot uses. *freed_bytes is what that gave back. Errors: IO, MEMORY, INTERRUPTED, NOT_FOUND, BUSY (a
 * process is downloading into it). */
pml_status pml_hub_inventory_remove(const pml_hub_environment *environment, const char *repo, const char *revision,
                                    uint64_t *freed_bytes, pml_error *error) PML_WARN_UNUSED;

#endif
