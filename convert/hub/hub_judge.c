/* What a reply means for its request: good, worth another try, or an error that says what the user can do. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "convert/hub/hub_session.h"
#include "convert/hub/hub_url.h"
#include "runtime/base/log.h"
#include "runtime/base/quote.h"

enum { FIRST_BACKOFF_MS = 1000, MOST_BACKOFF_MS = 60000, MOST_WAIT_S = 600, LONG_WAIT_MS = 10000 };

static uint64_t scaled(const pml_hub_session *session, uint64_t ms) {
    return (uint64_t)((double)ms * session->environment->time_scale);
}

uint64_t pml_hub_session_backoff_ms(const pml_hub_session *session, unsigned i_try) {
    uint64_t most_ms = i_try < 6 ? (uint64_t)FIRST_BACKOFF_MS << i_try : MOST_BACKOFF_MS, random = 0;
    most_ms = most_ms < MOST_BACKOFF_MS ? most_ms : MOST_BACKOFF_MS;
    (void)getrandom(&random, sizeof random, 0);
    return scaled(session, random % (most_ms + 1)) + 1;
}

/* What the server asks to wait, as far as that is reasonable; else our own choice. */
static uint64_t wait_before(const pml_hub_session *session, const pml_http_reply *reply, unsigned i_try) {
    uint64_t seconds = 0;
    if (reply->has_retry_after) {
        seconds = reply->retry_after_s < MOST_WAIT_S ? reply->retry_after_s + 1 : MOST_WAIT_S;
    } else if (reply->status == 429 && reply->rate.is_known && reply->rate.left == 0) {
        seconds = reply->rate.reset_s < MOST_WAIT_S ? reply->rate.reset_s + 1 : MOST_WAIT_S;
    }
    return seconds > 0 ? scaled(session, seconds * 1000) + 1 : pml_hub_session_backoff_ms(session, i_try);
}

/* ", request abc" where the server told one. */
static const char *request_text(const pml_http_reply *reply, char text[224]) {
    pml_quoted id;
    text[0] = '\0';
    if (reply->request_id[0] != '\0') {
        (void)snprintf(text, 224, "; request %s", pml_quote(&id, reply->request_id));
    }
    return text;
}

static bool is_code(const pml_http_reply *reply, const char *code) {
    return strcmp(reply->error_code, code) == 0;
}

static pml_status fail(const char *what, const pml_http_reply *reply, pml_status code, const char *cause,
                       pml_error *error) {
    char id[224];
    return PML_FAIL(error, code, "%s: %s (HTTP %u%s)", what, cause, reply->status, request_text(reply, id));
}

static pml_status fail_unknown_repository(const char *what, const pml_http_transfer *transfer, pml_error *error) {
    const char *cause =
        transfer->token != NULL
            ? "the repository does not exist, is private, or is gated; the token that was sent opens no such "
              "repository"
            : "the repository does not exist, is private, or is gated; no token was sent (set HF_TOKEN, or "
              "log in)";
    return fail(what, &transfer->reply, PML_E_NOT_FOUND, cause, error);
}

/* A reply of status 4xx that no other try changes, in the order in which the hub's own client looks. */
static void explain_refusal(const pml_http_transfer *transfer, const char *what, pml_error *error) {
    const pml_http_reply *reply = &transfer->reply;
    const bool no_credentials = strstr(reply->error_message, "Invalid credentials") != NULL;
    if (is_code(reply, "RevisionNotFound")) {
        (void)fail(what, reply, PML_E_NOT_FOUND, "the revision does not exist", error);
    } else if (is_code(reply, "EntryNotFound")) {
        (void)fail(what, reply, PML_E_NOT_FOUND, "the file does not exist", error);
    } else if (is_code(reply, "GatedRepo")) {
        (void)fail(
            what, reply, PML_E_DENIED,
            transfer->token != NULL
                ? "the repository is gated, and the token that was sent has no access: accept its terms on the "
                  "repository's page first"
                : "the repository is gated and no token was sent: accept its terms on the repository's page, then "
                  "set HF_TOKEN",
            error);
    } else if (strstr(reply->error_message, "Access to this resource is disabled") != NULL) {
        (void)fail(what, reply, PML_E_DENIED, "the hub has disabled this repository", error);
    } else if (is_code(reply, "RepoNotFound")) {
        fail_unknown_repository(what, transfer, error);
    } else if (reply->status == 401 && no_credentials) {
        (void)fail(what, reply, PML_E_DENIED, "the token that was sent is not valid", error);
    } else if (reply->status == 401) {
        fail_unknown_repository(what, transfer, error);
    } else if (reply->status == 404 || reply->status == 410) {
        (void)fail(what, reply, PML_E_NOT_FOUND, "not found", error);
    } else {
        pml_quoted quoted;
        char cause[300];
        (void)snprintf(cause, sizeof cause, "the server refuses%s%s", reply->error_message[0] != '\0' ? ": " : "",
                       reply->error_message[0] != '\0' ? pml_quote(&quoted, reply->error_message) : "");
        (void)fail(what, reply, PML_E_DENIED, cause, error);
    }
}

/* A failure that another try may not meet: AGAIN, or BAD when the tries are used up. */
static pml_hub_verdict again(const pml_hub_session *session, const pml_http_transfer *transfer, const char *what,
                             unsigned i_try, uint64_t *wait_ms, pml_error *error) {
    const pml_http_reply *reply = &transfer->reply;
    char cause[400], id[224], where[160];
    if (transfer->end == PML_HTTP_COMPLETE) {
        (void)snprintf(cause, sizeof cause, "the server answers %u%s", reply->status,
                       reply->status == 429 ? ": too many requests" : "");
    } else {
        (void)snprintf(cause, sizeof cause, "%s", transfer->cause);
    }
    (void)request_text(reply, id);
    pml_hub_url_show(transfer->url, where, sizeof where);
    if (i_try + 1 >= session->n_tries) {
        (void)PML_FAIL(error, reply->status == 429 ? PML_E_BUSY : PML_E_NETWORK, "%s: %s, after %u tries (%s%s)", what,
                       cause, i_try + 1, where, id);
        return PML_HUB_BAD;
    }
    *wait_ms = wait_before(session, reply, i_try);
    pml_log(*wait_ms >= LONG_WAIT_MS ? PML_LOG_WARNING : PML_LOG_INFO, "%s: %s (%s%s); try %u of %u follows in %.1f s",
            what, cause, where, id, i_try + 2, session->n_tries, (double)*wait_ms / 1000);
    return PML_HUB_AGAIN;
}

pml_hub_verdict pml_hub_session_judge(const pml_hub_session *session, const pml_http_transfer *transfer,
                                      const char *what, unsigned i_try, uint64_t *wait_ms, pml_error *error) {
    const unsigned code = transfer->reply.status;
    char where[160];
    if (transfer->end == PML_HTTP_STOPPED) {
        if (error != NULL) {
            *error = transfer->error;
        }
        return PML_HUB_BAD;
    }
    if (transfer->end == PML_HTTP_HOPELESS) {
        pml_hub_url_show(transfer->url, where, sizeof where);
        (void)PML_FAIL(error, PML_E_NETWORK, "%s: %s (%s)", what, transfer->cause, where);
        return PML_HUB_BAD;
    }
    if (transfer->end == PML_HTTP_BROKEN || code == 408 || code == 429 || code >= 500 || code < 200) {
        return again(session, transfer, what, i_try, wait_ms, error);
    }
    if (code >= 400) {
        explain_refusal(transfer, what, error);
        return PML_HUB_BAD;
    }
    return PML_HUB_GOOD;
}
