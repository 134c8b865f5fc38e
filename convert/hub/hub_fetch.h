/* A repository of the hub as a folder on disk: the one call behind `download` and behind `org/name` as a source. */
#ifndef PML_CONVERT_HUB_FETCH_H
#define PML_CONVERT_HUB_FETCH_H

#include "convert/hub/hub_choose.h"
#include "convert/hub/hub_download.h"
#include "convert/hub/hub_environment.h"

typedef struct pml_hub_fetch_options { /* zero = defaults; borrowed */
    pml_hub_given given;
    pml_hub_filter filter;
    const char *const *names; /* exactly these files, by path, instead of what a conversion needs */
    size_t n_names;
    unsigned n_tries;       /* of each request; 0: 8 */
    unsigned n_connections; /* 0: 8 */
    bool has_lock_ms;
    uint64_t lock_ms;
    bool only_plan;                /* nothing but the lists is fetched, and nothing is written */
    pml_hub_progress_fn *progress; /* may be NULL */
    void *user;
} pml_hub_fetch_options;

typedef struct pml_hub_fetched { /* zero = safe to deinit */
    char *path;                  /* of the snapshot's folder */
    char commit[PML_HUB_COMMIT_TEXT_BYTES];
    pml_hub_listing listing;
    pml_hub_choice choice;   /* the files that are there now (only_plan: that would be) */
    uint64_t total_bytes;    /* of these files */
    uint64_t received_bytes; /* over the network, this time */
} pml_hub_fetched;

/* Brings the files of `repo` at `revision` (NULL: the default branch) into the cache and gives the folder that holds
 * them. Offline nothing is asked for: the folder must be whole by the list in the cache. A reference is written last.
 * Errors: ARGUMENT (names), CONFIG (the environment), NOT_FOUND (repository, revision, file; offline: what is not in
 * the cache), DENIED, BUSY, NETWORK, FORMAT (wrong bytes, hostile names), UNSUPPORTED (weights that leave a choice),
 * IO, INTERRUPTED, MEMORY. */
pml_status pml_hub_fetch(const char *repo, const char *revision, const pml_hub_fetch_options *options,
                         pml_hub_fetched *fetched, pml_error *error) PML_WARN_UNUSED;
void pml_hub_fetched_deinit(pml_hub_fetched *fetched);

#endif
