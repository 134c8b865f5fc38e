#include "convert/hub/hub_item.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/base/quote.h"

enum { MOST_LOSSES = 3, LOCK_EVERY_MS = 100, DEADLINE_MS = 600000, LEAST_BYTES_PER_MS = 262 };

void pml_hub_item_show(const pml_hub_item *item, char *shown, size_t n_bytes) {
    pml_quoted path;
    const bool is_plain = strcspn(item->file->path, "'\\\x7f\x1b\n") == strlen(item->file->path);
    const char *text = pml_quote(&path, item->file->path);
    const size_t length = strlen(text);
    (void)snprintf(shown, n_bytes, "%s/%.*s", item->download->repo, (int)(is_plain ? length - 2 : length),
                   is_plain ? text + 1 : text);
}

/* ---- beginning and end ---- */

static uint64_t scaled_ms(const pml_hub_item *item, uint64_t ms) {
    return (uint64_t)((double)ms * item->download->session->environment->time_scale);
}

static void unlock(pml_hub_item *item) {
    if (item->lock_fd >= 0) {
        (void)close(item->lock_fd);
    }
    item->lock_fd = -1;
}

/* Tries the lock; *is_held also when waiting has been long enough. */
static pml_status lock(pml_hub_item *item, bool *is_held, pml_error *error) {
    const uint64_t now_ms = pml_http_now_ms();
    char shown[320];
    *is_held = true;
    pml_status status = pml_hub_cache_try_lock(item->download->cache, item->file->hash, &item->lock_fd, error);
    if (status != PML_OK || item->lock_fd >= 0) {
        return status;
    }
    if (item->lock_deadline_ms == 0) {
        pml_hub_item_show(item, shown, sizeof shown);
        pml_log(PML_LOG_INFO, "%s: another process is at it; waiting", shown);
        item->lock_deadline_ms = now_ms + scaled_ms(item, item->download->lock_ms) + 1;
    }
    *is_held = now_ms >= item->lock_deadline_ms;
    item->not_before_ms = now_ms + LOCK_EVERY_MS;
    return PML_OK;
}

static pml_status finish(pml_hub_item *item, pml_error *error) {
    const pml_status status = pml_hub_cache_link(item->download->cache, item->download->commit, item->file, error);
    unlock(item);
    item->state = PML_HUB_DONE;
    return status;
}

pml_status pml_hub_item_start(pml_hub_item *item, pml_error *error) {
    pml_status status = PML_OK;
    bool is_held = false, has = false;
    PML_TRY(lock(item, &is_held, error));
    PML_TRY(pml_hub_cache_has_blob(item->download->cache, item->file, is_held, &has, error));
    if (has) {
        PML_TRY(finish(item, error));
    } else if (is_held) {
        PML_TRY(pml_hub_partial_open(item->download->cache, item->file, &item->partial, error));
        PML_TRY(pml_hub_digest_create(item->file->hash, item->file->size_bytes, &item->digest, error));
        PML_TRY(pml_alloc(item->partial.n_segments, sizeof *item->claimed, &item->claimed, error));
        item->is_sequential = item->download->cache->is_remote;
        item->not_before_ms = 0;
        item->seen_ms = pml_http_now_ms();
        item->spent_ms = 0;
        item->most_ms = scaled_ms(item, DEADLINE_MS + item->file->size_bytes / LEAST_BYTES_PER_MS);
        item->tried_at_bytes = pml_hub_partial_done_bytes(&item->partial);
        item->state = PML_HUB_ACTIVE;
    }
done:
    return status;
}

void pml_hub_item_close(pml_hub_item *item) {
    pml_hub_partial_close(&item->partial);
    pml_hub_digest_destroy(item->digest);
    pml_free(item->claimed);
    pml_free(item->url);
    item->digest = NULL;
    item->claimed = NULL;
    item->url = NULL;
    unlock(item);
}

/* ---- what is missing ---- */

bool pml_hub_item_gap(const pml_hub_item *item, bool may_split, uint64_t *first, uint64_t *end) {
    const pml_hub_partial *p = &item->partial;
    size_t i = 0;
    while (i < p->n_segments && (item->claimed[i] || p->done[i] == pml_hub_partial_segment_bytes(p, i))) {
        i++;
    }
    if (i == p->n_segments) {
        return false;
    }
    *first = (uint64_t)i * PML_HUB_SEGMENT_BYTES + p->done[i];
    do {
        *end = (uint64_t)i * PML_HUB_SEGMENT_BYTES + pml_hub_partial_segment_bytes(p, i);
        i++;
    } while (!may_split && i < p->n_segments && !item->claimed[i] && p->done[i] == 0);
    return true;
}

void pml_hub_item_claim(pml_hub_item *item, uint64_t first, uint64_t end, bool claimed) {
    for (uint64_t i = first / PML_HUB_SEGMENT_BYTES; i < item->partial.n_segments && i * PML_HUB_SEGMENT_BYTES < end;
         i++) {
        item->claimed[i] = claimed;
    }
}

/* ---- bytes ---- */

pml_status pml_hub_item_store(pml_hub_item *item, uint64_t offset_bytes, const void *bytes, size_t size_bytes,
                              pml_error *error) {
    pml_status status = pml_hub_partial_write(&item->partial, offset_bytes, bytes, size_bytes, error);
    if (status == PML_OK && offset_bytes == item->hashed_bytes) {
        status = pml_hub_digest_update(item->digest, bytes, size_bytes, error);
        item->hashed_bytes += size_bytes;
    }
    return status;
}

pml_status pml_hub_item_catch_up(pml_hub_item *item, char *buffer, size_t buffer_bytes, bool *is_behind,
                                 pml_error *error) {
    const pml_hub_partial *p = &item->partial;
    const uint64_t i_segment = item->hashed_bytes / PML_HUB_SEGMENT_BYTES;
    if (i_segment >= p->n_segments) {
        return PML_OK;
    }
    const uint64_t stored = i_segment * PML_HUB_SEGMENT_BYTES + p->done[i_segment];
    if (stored <= item->hashed_bytes) {
        return PML_OK;
    }
    const uint64_t left = stored - item->hashed_bytes;
    const ssize_t n =
        pread(p->fd, buffer, left < buffer_bytes ? (size_t)left : buffer_bytes, (off_t)item->hashed_bytes);
    if (n < 0 && errno == EINTR) {
        return PML_OK;
    }
    if (n <= 0) {
        return PML_FAIL(error, PML_E_IO, "the hub's cache: what was written cannot be read again: %s",
                        n == 0 ? "the file became shorter" : strerror(errno));
    }
    item->hashed_bytes += (uint64_t)n;
    *is_behind = true;
    return pml_hub_digest_update(item->digest, buffer, (size_t)n, error);
}

bool pml_hub_item_is_whole(const pml_hub_item *item) {
    return item->n_active == 0 && item->hashed_bytes == item->file->size_bytes &&
           pml_hub_partial_done_bytes(&item->partial) == item->file->size_bytes;
}

pml_status pml_hub_item_restart(pml_hub_item *item, pml_error *error) {
    item->hashed_bytes = 0;
    item->tried_at_bytes = 0;
    item->etag[0] = '\0';
    pml_free(item->url);
    item->url = NULL;
    item->n_hops = 0;
    pml_status status = pml_hub_partial_restart(&item->partial, error);
    return status == PML_OK ? pml_hub_digest_restart(item->digest, error) : status;
}

/* The hash is right: from here on the file exists for everybody. */
static pml_status publish(pml_hub_item *item, pml_error *error) {
    pml_status status = PML_OK;
    struct stat info;
    const bool is_known = fstat(item->partial.fd, &info) == 0;
    const int fd = dup(item->partial.fd); /* the time of change is that after the last write */
    status = pml_hub_partial_commit(&item->partial, error);
    if (status == PML_OK && is_known && fd >= 0 && fstat(fd, &info) == 0) {
        pml_hub_verified_add(item->download->cache, item->file->hash, &info);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return status == PML_OK ? finish(item, error) : status;
}

pml_status pml_hub_item_conclude(pml_hub_item *item, pml_error *error) {
    pml_status status = PML_OK;
    char hash[PML_HUB_HASH_TEXT_BYTES], shown[320];
    PML_TRY(pml_hub_digest_finish(item->digest, hash, error));
    if (strcmp(hash, item->file->hash) == 0) {
        status = publish(item, error);
        if (status == PML_E_NOT_FOUND) { /* the partial file was taken away: all again, with a new one */
            pml_hub_item_close(item);
            item->state = PML_HUB_WAITING;
            item->hashed_bytes = 0;
            status = ++item->n_restarts <= MOST_LOSSES
                         ? PML_OK
                         : PML_FAIL(error, PML_E_IO, "the hub's cache: files are taken away again and again");
        }
        goto done;
    }
    pml_hub_item_show(item, shown, sizeof shown);
    if (++item->n_mismatches > 1) {
        PML_TRY(pml_hub_item_restart(item, error)); /* wrong bytes are no start for another time */
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: twice the bytes that came do not have the hash %s, but %s", shown,
                         item->file->hash, hash));
    }
    pml_log(PML_LOG_WARNING, "%s: the bytes that came do not have the hash %s; fetching it once more", shown,
            item->file->hash);
    item->is_sequential = true;
    PML_TRY(pml_hub_item_restart(item, error));
done:
    return status;
}
