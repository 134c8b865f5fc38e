#include "convert/ship/pieces.h"

#include <stdio.h>
#include <string.h>

#include <zstd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/publish.h"

void pml_pieces_close(pml_pieces *pieces) {
    pml_file_map_close(&pieces->map);
    pml_file_map_close(&pieces->old);
    pml_free(pieces->items);
    pml_free(pieces->rows);
    (void)ZSTD_freeDCtx(pieces->context);
    *pieces = (pml_pieces){0};
}

typedef struct restoring {
    const pml_pieces *pieces;
    pml_publish *publish;
    pml_hash *hash;
    uint8_t *content; /* room for the largest piece */
    uint64_t done_bytes, have_bytes;
    bool goes_on; /* everything so far was found right */
} restoring;

/* Whether piece i lies there already, from an earlier run. */
static pml_status find_piece(restoring *r, size_t i, bool *is_there, pml_error *error) {
    pml_status status = PML_OK;
    const pml_piece *piece = &r->pieces->items[i];
    *is_there = false;
    if (r->goes_on && piece->size_bytes <= r->have_bytes - r->done_bytes) {
        PML_TRY(pml_publish_read(r->publish, r->done_bytes, r->content, (size_t)piece->size_bytes, error));
        *is_there = r->pieces->is_intact(r->pieces, i, r->content);
    }
    r->goes_on = *is_there;
done:
    return status;
}

static pml_status make_piece(restoring *r, size_t i, pml_error *error) {
    pml_status status = PML_OK;
    const pml_pieces *pieces = r->pieces;
    PML_TRY(pieces->make(pieces, i, r->content, error));
    if (!pieces->is_intact(pieces, i, r->content)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: piece %zu of %zu is damaged: its checksum is wrong", pieces->path,
                         i + 1, pieces->count));
    }
    PML_TRY(pml_publish_write(r->publish, r->done_bytes, r->content, (size_t)pieces->items[i].size_bytes, error));
done:
    return status;
}

static pml_status check_hash(restoring *r, pml_error *error) {
    pml_status status = PML_OK;
    char found[PML_SHA256_TEXT_BYTES];
    PML_TRY(pml_hash_finish(r->hash, found, error));
    if (strcmp(found, r->pieces->sha256) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "%s: what it restores has the SHA-256 %s instead of %s",
                         r->pieces->path, found, r->pieces->sha256));
    }
done:
    return status;
}

pml_status pml_pieces_restore(const pml_pieces *pieces, const char *target, bool replace,
                              void (*progress)(void *user, uint64_t done_bytes), void *user, pml_restore_report *report,
                              pml_error *error) {
    pml_status status = PML_OK;
    restoring r = {.pieces = pieces, .goes_on = true};
    *report = (pml_restore_report){0};
    PML_TRY(pml_publish_resume(target, replace, &r.publish, &r.have_bytes, error));
    PML_TRY(pml_alloc_aligned((size_t)pieces->most_bytes, (void **)&r.content, error));
    PML_TRY(pml_hash_create(&r.hash, error));
    if (r.have_bytes > pieces->content_bytes) {
        r.have_bytes = 0;
    }
    for (size_t i = 0; i < pieces->count; i++) {
        const size_t size_bytes = (size_t)pieces->items[i].size_bytes;
        bool is_there;
        PML_TRY(pml_cancel_check(error));
        PML_TRY(find_piece(&r, i, &is_there, error));
        if (!is_there) {
            PML_TRY(make_piece(&r, i, error));
        }
        report->kept_bytes += is_there ? size_bytes : 0;
        PML_TRY(pml_hash_update(r.hash, r.content, size_bytes, error));
        r.done_bytes += size_bytes;
        if (progress != NULL) {
            progress(user, r.done_bytes);
        }
    }
    PML_TRY(pml_publish_set_size(r.publish, pieces->content_bytes, error));
    status = check_hash(&r, error);
    if (status == PML_E_MISMATCH) { /* going on from it would end here again */
        pml_publish_discard(r.publish);
        r.publish = NULL;
    }
    PML_TRY(status);
    pml_publish *publish = r.publish;
    r.publish = NULL;
    PML_TRY(pml_publish_commit(publish, error));
done:
    pml_hash_destroy(r.hash);
    pml_free(r.content);
    pml_publish_abort(r.publish);
    return status;
}
