#include "convert/hub/hub_session.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "convert/hub/hub_pace.h"
#include "convert/hub/hub_url.h"
#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/log.h"

enum {
    CONNECT_MS = 10000,
    DRIP_MS = 60000,
    API_SILENCE_MS = 60000,
    NAP_MS = 50,
    MOST_PACE_S = 600,
    LONG_WAIT_MS = 10000,
    MAX_STRING_BYTES = 65536
};

pml_status pml_hub_session_init(pml_hub_session *session, const pml_hub_environment *environment, unsigned n_tries,
                                pml_error *error) {
    const double drip_ms = DRIP_MS * environment->time_scale;
    const pml_http_settings settings = {.http_proxy = environment->http_proxy,
                                        .https_proxy = environment->https_proxy,
                                        .no_proxy = environment->no_proxy,
                                        .ca_file = environment->ca_file,
                                        .ca_directory = environment->ca_directory,
                                        .allow_http = !pml_hub_url_is_https(environment->endpoint),
                                        .connect_ms = CONNECT_MS,
                                        .drip_ms = drip_ms > 2000 ? (uint64_t)drip_ms : 2000};
    *session = (pml_hub_session){.environment = environment, .n_tries = n_tries != 0 ? n_tries : PML_HUB_DEFAULT_TRIES};
    pml_hub_pace_load(session);
    return pml_http_create(&settings, &session->http, error);
}

void pml_hub_session_deinit(pml_hub_session *session) {
    pml_http_destroy(session->http);
    *session = (pml_hub_session){0};
}

const char *pml_hub_session_token(const pml_hub_session *session, const char *url) {
    const pml_hub_environment *environment = session->environment;
    return environment->token != NULL && pml_hub_url_same_origin(environment->endpoint, url) ? environment->token
                                                                                             : NULL;
}

uint64_t pml_hub_session_wait_ms(const pml_hub_session *session, pml_hub_budget budget) {
    const uint64_t now_ms = pml_http_now_ms();
    return session->next_ms[budget] > now_ms ? session->next_ms[budget] - now_ms : 0;
}

void pml_hub_session_spend(pml_hub_session *session, pml_hub_budget budget) {
    const uint64_t now_ms = pml_http_now_ms();
    session->next_ms[budget] = now_ms + session->pace_ms[budget];
    if (session->pace_ms[budget] > 0 && session->pace_end_ms[budget] > now_ms) {
        pml_hub_pace_store(session, budget, session->pace_end_ms[budget] - now_ms);
    }
}

/* Once four fifths of a budget are used, what is left is spread over the time that is left. */
void pml_hub_session_heed(pml_hub_session *session, pml_hub_budget budget, const pml_http_reply *reply) {
    const pml_http_rate *rate = &reply->rate;
    session->n_requests[budget]++;
    if (!rate->is_known || (rate->quota > 0 && rate->left > rate->quota / 5) || (rate->quota == 0 && rate->left > 0)) {
        session->pace_ms[budget] = 0;
        return;
    }
    const uint64_t reset_s = rate->reset_s < MOST_PACE_S ? rate->reset_s + 1 : MOST_PACE_S;
    const double wait_ms = (double)reset_s * 1000 / (double)(rate->left + 1) * session->environment->time_scale;
    const double lasts_ms = (double)reset_s * 1000 * session->environment->time_scale;
    session->pace_ms[budget] = (uint64_t)wait_ms;
    session->next_ms[budget] = pml_http_now_ms() + (uint64_t)wait_ms;
    session->pace_end_ms[budget] = pml_http_now_ms() + (uint64_t)lasts_ms;
    pml_hub_pace_store(session, budget, (uint64_t)lasts_ms);
    if (wait_ms >= LONG_WAIT_MS) {
        pml_log(PML_LOG_WARNING, "the hub's limit is near: %llu requests are left for %llu s; waiting %.0f s",
                (unsigned long long)rate->left, (unsigned long long)rate->reset_s, wait_ms / 1000);
    }
}

pml_status pml_hub_sleep(uint64_t wait_ms, pml_error *error) {
    const uint64_t end_ms = pml_http_now_ms() + wait_ms;
    for (uint64_t now_ms = pml_http_now_ms(); now_ms < end_ms; now_ms = pml_http_now_ms()) {
        const uint64_t nap_ms = end_ms - now_ms < NAP_MS ? end_ms - now_ms : NAP_MS;
        const struct timespec nap = {.tv_nsec = (long)nap_ms * 1000000};
        const pml_status status = pml_cancel_check(error);
        if (status != PML_OK) {
            return status;
        }
        (void)nanosleep(&nap, NULL);
    }
    return pml_cancel_check(error);
}

/* ---- a call that is answered by text ---- */

typedef struct call {
    pml_hub_text *text;
    size_t most_bytes;
    const char *what;
} call;

static pml_status on_text(pml_http_transfer *transfer, const void *bytes, size_t size_bytes, pml_error *error) {
    const call *c = transfer->user;
    pml_hub_text *text = c->text;
    if (transfer->reply.status != 200) {
        return transfer->n_received <= 65536 ? PML_OK
                                             : PML_FAIL(error, PML_E_NETWORK,
                                                        "%s: the server answers %u with more than "
                                                        "64 KiB",
                                                        c->what, transfer->reply.status);
    }
    if (size_bytes > c->most_bytes - text->size_bytes) {
        return PML_FAIL(error, PML_E_FORMAT, "%s: the answer is larger than %zu bytes", c->what, c->most_bytes);
    }
    pml_status status = pml_grow(&text->bytes, &text->capacity, text->size_bytes + size_bytes + 1, 1, c->most_bytes + 1,
                                 "bytes of an answer", error);
    if (status == PML_OK) {
        memcpy(text->bytes + text->size_bytes, bytes, size_bytes);
        text->size_bytes += size_bytes;
        text->bytes[text->size_bytes] = '\0';
    }
    return status;
}

static pml_status on_text_reply(pml_http_transfer *transfer, pml_error *error) {
    const call *c = transfer->user;
    c->text->size_bytes = 0;
    return transfer->reply.status == 200 && transfer->reply.is_encoded
               ? PML_FAIL(error, PML_E_NETWORK, "%s: the answer is compressed, which was not asked for", c->what)
               : PML_OK;
}

/* One request, waited for. */
static pml_status run_transfer(pml_hub_session *session, pml_http_transfer *transfer, pml_error *error) {
    pml_status status = PML_OK;
    const uint64_t deadline_ms =
        pml_http_now_ms() + (uint64_t)(MOST_PACE_S * 1000 * session->environment->time_scale) + API_SILENCE_MS;
    PML_TRY(pml_hub_sleep(pml_hub_session_wait_ms(session, PML_HUB_API), error));
    pml_hub_session_spend(session, PML_HUB_API);
    PML_TRY(pml_http_start(session->http, transfer, error));
    while (transfer->end == PML_HTTP_RUNNING) {
        PML_TRY(pml_http_poll(session->http, 200, error));
        if (pml_http_now_ms() > deadline_ms) {
            PML_TRY(
                PML_FAIL(error, PML_E_NETWORK, "%s: the answer takes too long", ((const call *)transfer->user)->what));
        }
    }
    pml_hub_session_heed(session, PML_HUB_API, &transfer->reply);
done:
    return status;
}

/* One try: follows redirects. *transfer then holds the last reply; the caller finishes it. */
static pml_status run_try(pml_hub_session *session, const char *url, pml_http_transfer *transfer, char **owned_url,
                          pml_error *error) {
    pml_status status = PML_OK;
    const bool allow_http = !pml_hub_url_is_https(session->environment->endpoint);
    const char *what = ((const call *)transfer->user)->what;
    char *next = NULL;
    transfer->url = url;
    for (unsigned hop = 0;; hop++) {
        transfer->token = pml_hub_session_token(session, transfer->url);
        PML_TRY(run_transfer(session, transfer, error));
        const unsigned code = transfer->reply.status;
        if (transfer->end != PML_HTTP_COMPLETE || code < 300 || code >= 400) {
            break;
        }
        if (transfer->reply.location == NULL || hop == PML_HUB_MAX_HOPS) {
            PML_TRY(PML_FAIL(error, PML_E_NETWORK, "%s: %s", what,
                             hop == PML_HUB_MAX_HOPS ? "the server redirects in a circle"
                                                     : "the server redirects to nowhere"));
        }
        status = pml_hub_url_redirect(transfer->url, transfer->reply.location, allow_http, &next, error);
        if (status != PML_OK) {
            PML_TRY(pml_error_prefix(error, status, "%s", what));
        }
        pml_free(*owned_url);
        *owned_url = next;
        transfer->url = next;
        next = NULL;
    }
done:
    pml_free(next);
    return status;
}

/* An answer that is not whole looks complete when its length is not told; what it lacks shows in its grammar. */
static void check_text(pml_http_transfer *transfer) {
    const pml_hub_text *text = ((const call *)transfer->user)->text;
    if (transfer->end == PML_HTTP_COMPLETE && transfer->reply.status == 200 &&
        pml_json_validate(text->bytes != NULL ? text->bytes : "", text->size_bytes, "answer", MAX_STRING_BYTES, NULL) !=
            PML_OK) {
        transfer->end = PML_HTTP_BROKEN;
        (void)snprintf(transfer->cause, sizeof transfer->cause, "the answer is cut short, or no JSON");
    }
}

pml_status pml_hub_session_get(pml_hub_session *session, const char *url, const char *what, size_t most_bytes,
                               pml_hub_text *text, pml_error *error) {
    pml_status status = PML_OK;
    call c = {.text = text, .most_bytes = most_bytes, .what = what};
    pml_http_transfer transfer = {
        .silence_ms = API_SILENCE_MS, .on_reply = on_text_reply, .on_body = on_text, .user = &c};
    char *owned_url = NULL;
    if (session->environment->reply_ms > transfer.silence_ms ||
        session->environment->time_scale < 1) { /* tests shorten it */
        transfer.silence_ms = session->environment->reply_ms;
    }
    pml_hub_verdict verdict = PML_HUB_AGAIN;
    for (unsigned i_try = 0; verdict == PML_HUB_AGAIN; i_try++) {
        uint64_t wait_ms = 0;
        PML_TRY(run_try(session, url, &transfer, &owned_url, error));
        check_text(&transfer);
        pml_error why = {0};
        verdict = pml_hub_session_judge(session, &transfer, what, i_try, &wait_ms, &why);
        if (verdict == PML_HUB_BAD) {
            if (error != NULL) {
                *error = why;
            }
            PML_TRY(why.code);
        }
        if (verdict == PML_HUB_AGAIN) {
            PML_TRY(pml_hub_sleep(wait_ms, error));
        }
    }
    if (transfer.reply.status != 200) {
        PML_TRY(PML_FAIL(error, PML_E_NETWORK, "%s: the server answers %u", what, transfer.reply.status));
    }
    pml_free(text->next_link);
    text->next_link = NULL;
    if (transfer.reply.next_link != NULL) {
        PML_TRY(pml_hub_url_redirect(transfer.url, transfer.reply.next_link,
                                     !pml_hub_url_is_https(session->environment->endpoint), &text->next_link, error));
    }
done:
    pml_http_finish(session->http, &transfer);
    pml_free(owned_url);
    return status;
}

void pml_hub_text_deinit(pml_hub_text *text) {
    pml_free(text->bytes);
    pml_free(text->next_link);
    *text = (pml_hub_text){0};
}
