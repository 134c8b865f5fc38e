#include "convert/hub/hub_download.h"

#include <stdio.h>
#include <string.h>

#include "convert/hub/hub_api.h"
#include "convert/hub/hub_item.h"
#include "convert/hub/hub_url.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"

enum {
    CATCH_UP_BYTES = 1048576,
    MOST_RESTARTS = 3,
    IDLE_MS = 50,
    GOOD_PROGRESS_BYTES = 1048576,
    MOST_REFUSAL_BYTES = 65536
};

/* What has to be done when a request ended that we ended ourselves. */
typedef enum trouble { TROUBLE_NONE, TROUBLE_AGAIN, TROUBLE_RESTART } trouble;

/* One request for bytes [first, end) of an item. */
typedef struct lane {
    pml_http_transfer transfer;
    pml_hub_item *item; /* NULL: free */
    char *url;
    bool is_hub; /* the address is the hub's own */
    uint64_t first, next, end;
    trouble trouble;
} lane;

typedef struct engine {
    pml_hub_download *download;
    pml_hub_item *items;
    size_t n_items;
    lane *lanes;
    size_t n_lanes;
    char *buffer;
    uint64_t total_bytes;
} engine;

/* ---- replies ---- */

/* Ends the request for a reason that another one may not meet. */
static pml_status give_up(lane *l, trouble what, pml_error *error, const char *cause) {
    l->trouble = what;
    (void)snprintf(l->transfer.cause, sizeof l->transfer.cause, "%s", cause);
    return PML_FAIL(error, PML_E_NETWORK, "%s", cause);
}

/* A hash in a header that is not the file's: the file was changed under its commit, or a stranger answers. */
static bool is_other_hash(const char *etag, const pml_hub_file *file) {
    return strlen(etag) == strlen(file->hash) && pml_hub_is_hash(etag) && strcmp(etag, file->hash) != 0;
}

static pml_status check_content(lane *l, pml_error *error) {
    const pml_http_reply *reply = &l->transfer.reply;
    pml_hub_item *item = l->item;
    if (reply->is_encoded) {
        return give_up(l, TROUBLE_AGAIN, error, "the server sends compressed bytes, which were not asked for");
    }
    if (is_other_hash(reply->etag, item->file) ||
        (item->etag[0] != '\0' && reply->etag[0] != '\0' && strcmp(item->etag, reply->etag) != 0)) {
        return give_up(l, TROUBLE_RESTART, error, "the server's file has changed (another ETag)");
    }
    (void)snprintf(item->etag, sizeof item->etag, "%s", reply->etag);
    if (reply->has_length && reply->length != l->end - l->first) {
        return give_up(l, TROUBLE_AGAIN, error, "the server announces another number of bytes than the file has");
    }
    return PML_OK;
}

static pml_status on_reply(pml_http_transfer *transfer, pml_error *error) {
    lane *l = transfer->user;
    const pml_http_reply *reply = &transfer->reply;
    const uint64_t size_bytes = l->item->file->size_bytes;
    if (reply->status == 200 && transfer->has_range) {
        l->item->is_sequential = true;
        return give_up(l, TROUBLE_RESTART, error, "the server ignores ranges");
    }
    if (reply->status == 206 && !transfer->has_range) {
        return give_up(l, TROUBLE_AGAIN, error, "the server sends a part of the file where all of it was asked for");
    }
    if (reply->status == 206 && (!reply->has_range || reply->range_first != l->first ||
                                 reply->range_last != l->end - 1 || reply->range_total != size_bytes)) {
        return give_up(l, TROUBLE_AGAIN, error, "the server sends another range than was asked for");
    }
    if (reply->status == 416) {
        return give_up(l, TROUBLE_RESTART, error, "the server does not have the range that is missing");
    }
    return reply->status == 200 || reply->status == 206 ? check_content(l, error) : PML_OK;
}

static pml_status on_body(pml_http_transfer *transfer, const void *bytes, size_t size_bytes, pml_error *error) {
    lane *l = transfer->user;
    if (transfer->reply.status != 200 && transfer->reply.status != 206) {
        return transfer->n_received <= MOST_REFUSAL_BYTES
                   ? PML_OK
                   : give_up(l, TROUBLE_AGAIN, error, "the server explains itself at too great length");
    }
    if (size_bytes > l->end - l->next) {
        return give_up(l, TROUBLE_AGAIN, error, "the server sends more bytes than the file has");
    }
    const pml_status status = pml_hub_item_store(l->item, l->next, bytes, size_bytes, error);
    l->next += status == PML_OK ? size_bytes : 0;
    l->item->download->received_bytes += size_bytes;
    return status;
}

/* ---- requests ---- */

static void lane_free(engine *e, lane *l) {
    pml_http_finish(e->download->session->http, &l->transfer);
    if (l->item != NULL && l->item->state == PML_HUB_ACTIVE) {
        pml_hub_item_claim(l->item, l->first, l->end, false);
        l->item->n_active--;
    }
    pml_free(l->url);
    *l = (lane){0};
}

static pml_status lane_start(engine *e, lane *l, pml_hub_item *item, uint64_t first, uint64_t end, pml_error *error) {
    pml_status status = PML_OK;
    const pml_hub_download *d = e->download;
    const char *endpoint = d->session->environment->endpoint;
    if (item->url == NULL) {
        PML_TRY(pml_hub_api_file_url(d->session, d->repo, d->commit, item->file->path, &item->url, error));
        item->is_far = false;
    }
    PML_TRY(pml_string_copy(item->url, strlen(item->url), &l->url, error));
    l->item = item;
    l->first = l->next = first;
    l->end = end;
    l->is_hub = pml_hub_url_same_origin(endpoint, l->url);
    l->transfer = (pml_http_transfer){.url = l->url,
                                      .token = pml_hub_session_token(d->session, l->url),
                                      .has_range = first != 0 || end != item->file->size_bytes,
                                      .first = first,
                                      .last = end - 1,
                                      .silence_ms = d->session->environment->read_ms,
                                      .on_reply = on_reply,
                                      .on_body = on_body,
                                      .user = l};
    item->n_active++;
    if (l->is_hub) {
        pml_hub_session_spend(d->session, PML_HUB_RESOLVE);
    }
    pml_hub_item_claim(item, first, end, true);
    PML_TRY(pml_http_start(d->session->http, &l->transfer, error));
done:
    return status;
}

/* Finds work for a free lane: first files that stand still, then new ones, then further ranges of large ones. */
static pml_status lane_fill(engine *e, lane *l, bool *filled, pml_error *error) {
    pml_status status = PML_OK;
    const uint64_t now_ms = pml_http_now_ms();
    const bool may_ask = pml_hub_session_wait_ms(e->download->session, PML_HUB_RESOLVE) == 0;
    size_t n_active = 0;
    *filled = false;
    for (size_t i = 0; i < e->n_items; i++) {
        pml_hub_item *item = &e->items[i];
        uint64_t first, end;
        n_active += item->state == PML_HUB_ACTIVE;
        if (item->state == PML_HUB_ACTIVE && item->n_active == 0 && now_ms >= item->not_before_ms &&
            (item->is_far || may_ask) && pml_hub_item_gap(item, item->is_far && !item->is_sequential, &first, &end)) {
            *filled = true;
            PML_TRY(lane_start(e, l, item, first, end, error));
            goto done;
        }
    }
    for (size_t i = 0; i < e->n_items && n_active < e->n_lanes && may_ask; i++) {
        pml_hub_item *item = &e->items[i];
        if (item->state == PML_HUB_WAITING && now_ms >= item->not_before_ms) {
            PML_TRY(pml_hub_item_start(item, error));
            *filled = item->state != PML_HUB_WAITING; /* the next look finds it active */
            if (*filled) {
                goto done;
            }
        }
    }
    for (size_t i = 0; i < e->n_items; i++) {
        pml_hub_item *item = &e->items[i];
        uint64_t first, end;
        if (item->state == PML_HUB_ACTIVE && item->n_active > 0 && item->is_far && !item->is_sequential &&
            now_ms >= item->not_before_ms && pml_hub_item_gap(item, true, &first, &end)) {
            *filled = true;
            PML_TRY(lane_start(e, l, item, first, end, error));
            goto done;
        }
    }
done:
    return status;
}

/* ---- ends of requests ---- */

/* All other requests for the item end; it begins anew, unless that was so too often. */
static pml_status restart(engine *e, pml_hub_item *item, const char *cause, pml_error *error) {
    char shown[320];
    for (size_t i = 0; i < e->n_lanes; i++) {
        if (e->lanes[i].item == item) {
            lane_free(e, &e->lanes[i]);
        }
    }
    pml_hub_item_show(item, shown, sizeof shown);
    if (++item->n_restarts > MOST_RESTARTS) {
        return PML_FAIL(error, PML_E_NETWORK, "%s: %s, again and again", shown, cause);
    }
    pml_log(PML_LOG_INFO, "%s: %s; beginning again", shown, cause);
    return pml_hub_item_restart(item, error);
}

/* What the hub's own replies tell about the file must be what its list says. */
static pml_status check_metadata(const lane *l, const char *shown, pml_error *error) {
    const pml_http_reply *reply = &l->transfer.reply;
    const pml_hub_file *file = l->item->file;
    if (reply->commit[0] != '\0' && strcmp(reply->commit, l->item->download->commit) != 0) {
        return PML_FAIL(error, PML_E_FORMAT, "%s: the server's X-Repo-Commit names another commit", shown);
    }
    if (is_other_hash(reply->linked_etag, file)) {
        return PML_FAIL(error, PML_E_FORMAT,
                        "%s: the server's X-Linked-Etag is not the hash that its list of files tells", shown);
    }
    if (reply->has_linked_size && reply->linked_size != file->size_bytes) {
        return PML_FAIL(error, PML_E_FORMAT,
                        "%s: the server's X-Linked-Size is not the size that its list of files tells", shown);
    }
    return PML_OK;
}

static pml_status follow(engine *e, lane *l, const char *shown, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_item *item = l->item;
    char *to = NULL;
    const char *endpoint = e->download->session->environment->endpoint;
    const char *location = l->transfer.reply.location;
    if (l->is_hub) {
        PML_TRY(check_metadata(l, shown, error));
    }
    if (location == NULL || ++item->n_hops > PML_HUB_MAX_HOPS) {
        PML_TRY(PML_FAIL(error, PML_E_NETWORK, "%s: the server redirects %s", shown,
                         location == NULL ? "to nowhere" : "in a circle"));
    }
    status = pml_hub_url_redirect(l->url, location, !pml_hub_url_is_https(endpoint), &to, error);
    if (status != PML_OK) {
        PML_TRY(pml_error_prefix(error, status, "%s", shown));
    }
    pml_free(item->url);
    item->url = to;
    item->is_far = !pml_hub_url_same_origin(endpoint, to);
done:
    return status;
}

/* A request failed in a way that another may not; the item rests before the next one. */
static pml_status try_again(engine *e, lane *l, const char *shown, pml_error *error) {
    pml_hub_item *item = l->item;
    const uint64_t now_ms = pml_http_now_ms();
    uint64_t wait_ms = 0;
    pml_error why = {0};
    if (l->trouble == TROUBLE_AGAIN) {
        l->transfer.end = PML_HTTP_BROKEN;
    }
    if (now_ms < item->not_before_ms) {
        return PML_OK; /* one of several requests that met the same failure */
    }
    const uint64_t done_bytes = pml_hub_partial_done_bytes(&item->partial);
    if (done_bytes >= item->tried_at_bytes + GOOD_PROGRESS_BYTES) {
        item->i_try = 0;
    }
    item->tried_at_bytes = done_bytes;
    const pml_hub_verdict verdict =
        pml_hub_session_judge(e->download->session, &l->transfer, shown, item->i_try++, &wait_ms, &why);
    if (verdict == PML_HUB_BAD) {
        *error = why;
        return why.code;
    }
    item->not_before_ms = now_ms + wait_ms;
    return PML_OK;
}

/* A signed address may have run out: the hub is asked once more. */
static bool may_refresh(const lane *l) {
    const unsigned code = l->transfer.reply.status;
    return l->transfer.end == PML_HTTP_COMPLETE && !l->is_hub && l->item->n_refreshes == 0 &&
           (code == 400 || code == 401 || code == 403 || code == 404 || code == 410);
}

/* The hub was asked anew while this request was on. */
static bool is_outdated(const lane *l) {
    return l->transfer.end == PML_HTTP_COMPLETE && l->transfer.reply.status >= 400 && !l->is_hub &&
           (l->item->url == NULL || strcmp(l->item->url, l->url) != 0);
}

static pml_status lane_end(engine *e, lane *l, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_item *item = l->item;
    const unsigned code = l->transfer.reply.status;
    char shown[320], cause[sizeof l->transfer.cause];
    pml_hub_item_show(item, shown, sizeof shown);
    if (l->is_hub) {
        pml_hub_session_heed(e->download->session, PML_HUB_RESOLVE, &l->transfer.reply);
    }
    if (l->trouble == TROUBLE_RESTART) {
        memcpy(cause, l->transfer.cause, sizeof cause);
        PML_TRY(restart(e, item, cause, error)); /* frees this lane too */
        goto done;
    }
    if (l->transfer.end == PML_HTTP_STOPPED && l->trouble == TROUBLE_NONE) {
        *error = l->transfer.error;
        PML_TRY(l->transfer.status);
    }
    if (l->transfer.end == PML_HTTP_COMPLETE && l->trouble == TROUBLE_NONE && code >= 300 && code < 400) {
        PML_TRY(follow(e, l, shown, error));
    } else if (l->transfer.end == PML_HTTP_COMPLETE && (code == 200 || code == 206)) {
        if (l->is_hub) {
            PML_TRY(check_metadata(l, shown, error));
        }
        if (l->next == l->end) {
            item->n_refreshes = item->n_hops = item->i_try = 0;
        } else { /* without a length a cut looks like an end */
            l->trouble = TROUBLE_AGAIN;
            (void)snprintf(l->transfer.cause, sizeof l->transfer.cause, "the connection ended %llu bytes early",
                           (unsigned long long)(l->end - l->next));
            PML_TRY(try_again(e, l, shown, error));
        }
    } else if (is_outdated(l)) {
        pml_log(PML_LOG_DEBUG, "%s: an address ran out", shown);
    } else if (may_refresh(l)) {
        item->n_refreshes++;
        item->n_hops = 0;
        item->etag[0] = '\0'; /* another server may tag the same bytes differently */
        pml_free(item->url);
        item->url = NULL;
        item->is_far = false;
    } else {
        PML_TRY(try_again(e, l, shown, error));
    }
    lane_free(e, l);
done:
    return status;
}

/* ---- the loop ---- */

static uint64_t done_bytes(const engine *e) {
    uint64_t sum = 0;
    for (size_t i = 0; i < e->n_items; i++) {
        const pml_hub_item *item = &e->items[i];
        sum += item->state == PML_HUB_DONE     ? item->file->size_bytes
               : item->state == PML_HUB_ACTIVE ? pml_hub_partial_done_bytes(&item->partial)
                                               : 0;
    }
    return sum;
}

static void tell(const engine *e, const pml_hub_item *finished) {
    if (e->download->progress != NULL) {
        e->download->progress(e->download->user, finished != NULL ? finished->file->path : NULL, done_bytes(e),
                              e->total_bytes);
    }
}

/* Whether the item's requests took longer than they may; rests between them, which servers ask for, do not count. */
static bool is_late(pml_hub_item *item) {
    const uint64_t now_ms = pml_http_now_ms();
    item->spent_ms += item->n_active > 0 ? now_ms - item->seen_ms : 0;
    item->seen_ms = now_ms;
    return item->spent_ms > item->most_ms;
}

/* Hashes what lies ready, and ends what is whole. */
static pml_status move_items(engine *e, bool *is_busy, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < e->n_items; i++) {
        pml_hub_item *item = &e->items[i];
        if (item->state != PML_HUB_ACTIVE) {
            continue;
        }
        PML_TRY(pml_hub_item_catch_up(item, e->buffer, CATCH_UP_BYTES, is_busy, error));
        if (pml_hub_item_is_whole(item)) {
            PML_TRY(pml_hub_item_conclude(item, error));
            *is_busy = true;
            if (item->state == PML_HUB_DONE) {
                pml_hub_item_close(item);
                tell(e, item);
            }
        } else if (is_late(item)) {
            char shown[320];
            pml_hub_item_show(item, shown, sizeof shown);
            PML_TRY(PML_FAIL(error, PML_E_NETWORK, "%s: it came too slowly: %llu of %llu bytes within its time", shown,
                             (unsigned long long)pml_hub_partial_done_bytes(&item->partial),
                             (unsigned long long)item->file->size_bytes));
        }
    }
done:
    return status;
}

static bool is_all_done(const engine *e) {
    for (size_t i = 0; i < e->n_items; i++) {
        if (e->items[i].state != PML_HUB_DONE) {
            return false;
        }
    }
    return true;
}

static pml_status run(engine *e, pml_error *error) {
    pml_status status = PML_OK;
    while (!is_all_done(e)) {
        bool is_busy = false, filled = true;
        for (size_t i = 0; i < e->n_lanes && filled; i++) {
            while (e->lanes[i].item == NULL && filled) {
                PML_TRY(lane_fill(e, &e->lanes[i], &filled, error));
            }
        }
        PML_TRY(move_items(e, &is_busy, error));
        PML_TRY(pml_http_poll(e->download->session->http, is_busy ? 0 : IDLE_MS, error));
        for (size_t i = 0; i < e->n_lanes; i++) {
            if (e->lanes[i].item != NULL && e->lanes[i].transfer.end != PML_HTTP_RUNNING) {
                PML_TRY(lane_end(e, &e->lanes[i], error));
            }
        }
        tell(e, NULL);
    }
done:
    return status;
}

pml_status pml_hub_download_run(pml_hub_download *download, const pml_hub_file *const *files, size_t n_files,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_error unused = {0};
    engine e = {.download = download, .n_items = n_files};
    error = error != NULL ? error : &unused;
    e.n_lanes = download->n_connections != 0 ? download->n_connections : PML_HUB_DEFAULT_CONNECTIONS;
    e.n_lanes = e.n_lanes < PML_HUB_MAX_CONNECTIONS ? e.n_lanes : PML_HUB_MAX_CONNECTIONS;
    PML_TRY(pml_alloc(n_files, sizeof *e.items, &e.items, error));
    for (size_t i = 0; i < n_files; i++) {
        e.items[i] = (pml_hub_item){.download = download, .file = files[i], .lock_fd = -1};
        e.total_bytes += files[i]->size_bytes;
    }
    PML_TRY(pml_alloc(e.n_lanes, sizeof *e.lanes, &e.lanes, error));
    PML_TRY(pml_alloc(CATCH_UP_BYTES, 1, &e.buffer, error));
    PML_TRY(run(&e, error));
done:
    for (size_t i = 0; e.lanes != NULL && i < e.n_lanes; i++) {
        lane_free(&e, &e.lanes[i]);
    }
    for (size_t i = 0; e.items != NULL && i < n_files; i++) {
        pml_hub_item_close(&e.items[i]);
    }
    pml_free(e.lanes);
    pml_free(e.items);
    pml_free(e.buffer);
    return status;
}
