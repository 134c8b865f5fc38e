/* Files of one commit into the cache: several at once, large ones in several ranges at once, gone on with where an
 * earlier run ended, each verified by its hash before it becomes a blob. */
#ifndef PML_CONVERT_HUB_DOWNLOAD_H
#define PML_CONVERT_HUB_DOWNLOAD_H

#include "convert/hub/hub_cache.h"
#include "convert/hub/hub_session.h"

/* `finished` names the file that just became whole, or is NULL. Bytes count all files of the download. */
typedef void pml_hub_progress_fn(void *user, const char *finished, uint64_t done_bytes, uint64_t total_bytes);

typedef struct pml_hub_download { /* storage of the caller */
    pml_hub_session *session;
    pml_hub_cache *cache; /* opened to create */
    const char *repo, *commit;
    unsigned n_connections; /* 0: the default */
    uint64_t lock_ms;       /* how long to wait for another process that fetches the same file; then without its lock */
    pml_hub_progress_fn *progress; /* may be NULL */
    void *user;
    uint64_t received_bytes; /* result: what came over the network */
} pml_hub_download;

#define PML_HUB_DEFAULT_CONNECTIONS 8u
#define PML_HUB_MAX_CONNECTIONS 32u
#define PML_HUB_DEFAULT_LOCK_MS 1800000u

/* Brings those files into the cache and links them into the snapshot; files that are there already are only linked.
 * Errors: NOT_FOUND, DENIED, BUSY, NETWORK (each after all tries), FORMAT (the bytes do not have the hash, twice), IO
 * (no space too), INTERRUPTED, MEMORY. What was received by then stays for another time. */
pml_status pml_hub_download_run(pml_hub_download *download, const pml_hub_file *const *files, size_t n_files,
                                pml_error *error) PML_WARN_UNUSED;

#endif
