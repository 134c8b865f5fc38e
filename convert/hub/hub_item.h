/* One file of a download: its lock, its partial file, how far its hash has come, and where its bytes are to be had.
 * Private to convert/hub/hub_download.c. */
#ifndef PML_CONVERT_HUB_ITEM_H
#define PML_CONVERT_HUB_ITEM_H

#include "convert/hub/hub_digest.h"
#include "convert/hub/hub_download.h"
#include "convert/hub/hub_partial.h"

typedef enum pml_hub_item_state { PML_HUB_WAITING, PML_HUB_ACTIVE, PML_HUB_DONE } pml_hub_item_state;

typedef struct pml_hub_item { /* lock_fd -1, otherwise zero = safe to close */
    pml_hub_download *download;
    const pml_hub_file *file;
    pml_hub_item_state state;
    int lock_fd;
    uint64_t lock_deadline_ms;           /* 0: not asked for yet */
    uint64_t not_before_ms;              /* of the next request, or look at the lock */
    uint64_t seen_ms, spent_ms, most_ms; /* time in which requests were on, and how much of it there may be */
    pml_hub_partial partial;
    pml_hub_digest *digest;
    uint64_t hashed_bytes; /* from byte 0 */
    bool *claimed;         /* segments that a request is on */
    char *url;             /* where the bytes are; NULL: the hub has to be asked */
    bool is_far;           /* url is not the hub's own: ranges may be asked for at will */
    bool is_sequential;    /* one request at a time */
    unsigned n_active;     /* requests */
    unsigned n_hops, n_refreshes;
    unsigned i_try;
    unsigned n_restarts;     /* because of another ETag, ignored ranges, 416 */
    unsigned n_mismatches;   /* of the hash */
    uint64_t tried_at_bytes; /* what was there when the last try failed */
    char etag[160];          /* of the bytes; "": none seen */
} pml_hub_item;

/* "org/name/path", quoted where needed. */
void pml_hub_item_show(const pml_hub_item *item, char *shown, size_t n_bytes);

/* Begins, if no other process is at it: the item is ACTIVE, DONE (the blob is there by now), or still WAITING until
 * not_before_ms. Errors: IO, MEMORY. */
pml_status pml_hub_item_start(pml_hub_item *item, pml_error *error) PML_WARN_UNUSED;
void pml_hub_item_close(pml_hub_item *item);

/* A stretch of bytes that nobody has or fetches: [*first, *end). With `may_split` it stays inside one segment;
 * otherwise it goes on to the next segment that is begun. False: there is none. */
bool pml_hub_item_gap(const pml_hub_item *item, bool may_split, uint64_t *first, uint64_t *end);
/* Marks the segments of [first, end) as fetched by a request, or no longer. */
void pml_hub_item_claim(pml_hub_item *item, uint64_t first, uint64_t end, bool claimed);

/* Stores bytes, and hashes them if their turn has come. Errors: IO, NETWORK (too many), MEMORY. */
pml_status pml_hub_item_store(pml_hub_item *item, uint64_t offset_bytes, const void *bytes, size_t size_bytes,
                              pml_error *error) PML_WARN_UNUSED;
/* Hashes some more of what was stored out of turn; *is_behind: there is more. Errors: IO, MEMORY. */
pml_status pml_hub_item_catch_up(pml_hub_item *item, char *buffer, size_t buffer_bytes, bool *is_behind,
                                 pml_error *error) PML_WARN_UNUSED;
bool pml_hub_item_is_whole(const pml_hub_item *item);
/* Forgets all bytes. No request may be on. Errors: IO, MEMORY. */
pml_status pml_hub_item_restart(pml_hub_item *item, pml_error *error) PML_WARN_UNUSED;
/* Of an item that is whole: its hash decides. It becomes DONE, or begins once more, one request at a time. Errors:
 * FORMAT (wrong for the second time), IO, MEMORY. */
pml_status pml_hub_item_conclude(pml_hub_item *item, pml_error *error) PML_WARN_UNUSED;

#endif
