#include "convert/hub/http.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/version.h"

#define RECEIVE_BYTES 524288L /* of libcurl's buffer: the most it allows */
#define MAX_HEADER_BYTES 131072u
#define MAX_FORGOTTEN_BYTES 65536u
#define MAX_IDLE 16u
#define LEAST_RATE_BYTES 1024u /* a second */

/* One libcurl handle at work. */
typedef struct pml_http_job {
    pml_http *http;
    pml_http_transfer *transfer;
    CURL *easy;
    struct curl_slist *headers;
    char *authorization; /* wiped when freed */
    size_t header_bytes;
    bool has_replied;
    bool was_refused;                 /* one of our own limits, described in transfer->cause */
    uint64_t heard_ms;                /* when the last byte came */
    uint64_t window_ms, window_bytes; /* where the slow-server check counts from */
    char error_text[CURL_ERROR_SIZE];
    struct pml_http_job *next;
} pml_http_job;

struct pml_http {
    pml_http_settings settings;
    CURLM *multi;
    pml_http_job *jobs; /* running */
    CURL *idle[MAX_IDLE];
    size_t n_idle;
};

uint64_t pml_http_now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

pml_status pml_http_create(const pml_http_settings *settings, pml_http **http, pml_error *error) {
    static bool is_started;
    pml_status status = PML_OK;
    pml_http *made = NULL;
    *http = NULL;
    if (!is_started && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        PML_TRY(PML_FAIL(error, PML_E_NETWORK, "libcurl does not start"));
    }
    is_started = true;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->settings = *settings;
    made->multi = curl_multi_init();
    if (made->multi == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for connections"));
    }
    *http = made;
    made = NULL;
done:
    pml_http_destroy(made);
    return status;
}

/* A connection that the other side closed must not end the program: TLS writes to it without asking for that. While
 * this lasts SIGPIPE is held, and dropped at its end. */
typedef struct pipe_guard {
    sigset_t before;
} pipe_guard;

static void guard_begin(pipe_guard *guard) {
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, &guard->before);
}

static void guard_end(const pipe_guard *guard) {
    static const struct timespec no_time;
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    while (sigismember(&guard->before, SIGPIPE) == 0 && sigtimedwait(&set, NULL, &no_time) == SIGPIPE) {
    }
    (void)pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

static void job_destroy(pml_http *http, pml_http_job *job) {
    pipe_guard guard;
    if (job == NULL) {
        return;
    }
    if (job->easy != NULL) {
        guard_begin(&guard);
        (void)curl_multi_remove_handle(http->multi, job->easy);
        guard_end(&guard);
        curl_easy_reset(job->easy);
        if (http->n_idle < MAX_IDLE) {
            http->idle[http->n_idle++] = job->easy;
        } else {
            curl_easy_cleanup(job->easy);
        }
    }
    for (struct curl_slist *at = job->headers; at != NULL; at = at->next) {
        explicit_bzero(at->data, strlen(at->data)); /* a token is among them */
    }
    curl_slist_free_all(job->headers);
    if (job->authorization != NULL) {
        explicit_bzero(job->authorization, strlen(job->authorization));
    }
    pml_free(job->authorization);
    pml_free(job);
}

void pml_http_destroy(pml_http *http) {
    pipe_guard guard;
    if (http == NULL) {
        return;
    }
    while (http->jobs != NULL) {
        pml_http_finish(http, http->jobs->transfer);
    }
    guard_begin(&guard);
    for (size_t i = 0; i < http->n_idle; i++) {
        curl_easy_cleanup(http->idle[i]);
    }
    if (http->multi != NULL) {
        (void)curl_multi_cleanup(http->multi);
    }
    guard_end(&guard);
    pml_free(http);
}

/* Ends the transfer for a reason of ours, from inside a callback. */
static size_t refuse(pml_http_job *job, const char *cause) {
    (void)snprintf(job->transfer->cause, sizeof job->transfer->cause, "%s", cause);
    job->was_refused = true;
    return 0;
}

static size_t stop(pml_http_job *job, pml_status status) {
    job->transfer->status = status;
    return 0;
}

static size_t on_header(char *line, size_t each_bytes, size_t count, void *user) {
    pml_http_job *job = user;
    pml_http_transfer *transfer = job->transfer;
    const size_t length = each_bytes * count;
    if (job->has_replied) {
        return length; /* trailers behind the body tell nothing that counts */
    }
    job->header_bytes += length;
    job->heard_ms = pml_http_now_ms();
    if (job->header_bytes > MAX_HEADER_BYTES) {
        return refuse(job, "the header of the reply is larger than 128 KiB");
    }
    const bool is_end = length <= 2 && (line[0] == '\r' || line[0] == '\n');
    if (!is_end) {
        const pml_status status = pml_http_reply_line(&transfer->reply, line, length, &transfer->error);
        return status == PML_OK ? length : stop(job, status);
    }
    if (transfer->reply.status < 200) {
        return length; /* 100 Continue: the reply follows */
    }
    job->has_replied = true;
    const pml_status status = transfer->on_reply != NULL ? transfer->on_reply(transfer, &transfer->error) : PML_OK;
    return status == PML_OK ? length : stop(job, status);
}

static size_t on_body(char *bytes, size_t each_bytes, size_t count, void *user) {
    pml_http_job *job = user;
    pml_http_transfer *transfer = job->transfer;
    const size_t size_bytes = each_bytes * count;
    job->heard_ms = pml_http_now_ms();
    transfer->n_received += size_bytes;
    if (transfer->on_body == NULL) {
        return transfer->n_received <= MAX_FORGOTTEN_BYTES
                   ? size_bytes
                   : refuse(job, "the body of a reply without content is large");
    }
    const pml_status status = transfer->on_body(transfer, bytes, size_bytes, &transfer->error);
    return status == PML_OK ? size_bytes : stop(job, status);
}

static pml_status add_header(pml_http_job *job, const char *line, pml_error *error) {
    struct curl_slist *longer = curl_slist_append(job->headers, line);
    if (longer == NULL) {
        return PML_FAIL(error, PML_E_MEMORY, "out of memory for a request");
    }
    job->headers = longer;
    return PML_OK;
}

static pml_status set_headers(pml_http_job *job, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t id[2] = {0, 0};
    char line[128];
    (void)getrandom(id, sizeof id, 0);
    (void)snprintf(line, sizeof line, "X-Amzn-Trace-Id: %08llx-%04llx-4%03llx-8%03llx-%012llx",
                   (unsigned long long)(id[0] >> 32), (unsigned long long)(id[0] >> 16 & 0xffff),
                   (unsigned long long)(id[0] & 0xfff), (unsigned long long)(id[1] >> 52),
                   (unsigned long long)(id[1] & 0xffffffffffff));
    PML_TRY(add_header(job, "Accept-Encoding: identity", error));
    PML_TRY(add_header(job, line, error));
    if (job->transfer->token != NULL) {
        static const char start[] = "Authorization: Bearer ";
        const size_t n_bytes = sizeof start + strlen(job->transfer->token);
        PML_TRY(pml_alloc(n_bytes, 1, &job->authorization, error));
        (void)snprintf(job->authorization, n_bytes, "%s%s", start, job->transfer->token);
        PML_TRY(add_header(job, job->authorization, error));
    }
done:
    return status;
}

/* A row of libcurl's options; what a build of it lacks is an error, since each of them guards something. */
#define SET(option, value)                                                                                             \
    do {                                                                                                               \
        code = code != CURLE_OK ? code : curl_easy_setopt(easy, option, value);                                        \
    } while (0)

static CURLcode set_transport(const pml_http_settings *s, const pml_http_transfer *transfer, CURL *easy) {
    CURLcode code = CURLE_OK;
    const bool is_https = strncasecmp(transfer->url, "https:", 6) == 0;
    const char *proxy = is_https ? s->https_proxy : s->http_proxy;
    SET(CURLOPT_PROTOCOLS_STR, s->allow_http ? "http,https" : "https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION,
        (long)CURL_HTTP_VERSION_1_1);               /* a connection each: several at once, none behind another */
    SET(CURLOPT_PROXY, proxy != NULL ? proxy : ""); /* "": libcurl looks for none by itself */
    SET(CURLOPT_NOPROXY, s->no_proxy != NULL ? s->no_proxy : "");
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* the token is not the proxy's */
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (s->ca_file != NULL) {
        SET(CURLOPT_CAINFO, s->ca_file);
    }
    if (s->ca_directory != NULL) {
        SET(CURLOPT_CAPATH, s->ca_directory);
    }
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_ms);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* an interrupt does not wait for the resolver */
    SET(CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    return code;
}

static CURLcode set_request(pml_http_job *job, CURL *easy) {
    CURLcode code = CURLE_OK;
    const pml_http_transfer *transfer = job->transfer;
    char range[64];
    if (transfer->has_range) {
        if (transfer->last == UINT64_MAX) {
            (void)snprintf(range, sizeof range, "%llu-", (unsigned long long)transfer->first);
        } else {
            (void)snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)transfer->first,
                           (unsigned long long)transfer->last);
        }
        SET(CURLOPT_RANGE, range);
    }
    SET(CURLOPT_URL, transfer->url);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_USERAGENT, "pml/" PML_VERSION);
    SET(CURLOPT_HTTPHEADER, job->headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, job);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, job);
    SET(CURLOPT_PRIVATE, job);
    SET(CURLOPT_ERRORBUFFER, job->error_text);
    return code;
}

pml_status pml_http_start(pml_http *http, pml_http_transfer *transfer, pml_error *error) {
    pml_status status = PML_OK;
    pml_http_job *job = NULL;
    PML_TRY(pml_alloc(1, sizeof *job, &job, error));
    job->http = http;
    job->transfer = transfer;
    job->heard_ms = job->window_ms = pml_http_now_ms();
    transfer->end = PML_HTTP_RUNNING;
    transfer->n_received = 0;
    transfer->cause[0] = '\0';
    transfer->status = PML_OK;
    pml_http_reply_deinit(&transfer->reply);
    job->easy = http->n_idle > 0 ? http->idle[--http->n_idle] : curl_easy_init();
    if (job->easy == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for a connection"));
    }
    PML_TRY(set_headers(job, error));
    CURLcode code = set_transport(&http->settings, transfer, job->easy);
    code = code == CURLE_OK ? set_request(job, job->easy) : code;
    if (code != CURLE_OK) {
        PML_TRY(PML_FAIL(error, code == CURLE_OUT_OF_MEMORY ? PML_E_MEMORY : PML_E_NETWORK,
                         "libcurl does not take the request: %s", curl_easy_strerror(code)));
    }
    if (curl_multi_add_handle(http->multi, job->easy) != CURLM_OK) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for a connection"));
    }
    job->next = http->jobs;
    http->jobs = job;
    transfer->job = job;
    job = NULL;
done:
    job_destroy(http, job);
    return status;
}

/* Failures that the next try would meet again. */
static bool is_hopeless(CURLcode code) {
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return true;
    default:
        return false;
    }
}

/* libcurl's words, in which a server's may be quoted. */
static void describe(pml_http_transfer *transfer, const char *text) {
    size_t n = 0;
    for (; text[n] != '\0' && n + 1 < sizeof transfer->cause; n++) {
        transfer->cause[n] = text[n] >= ' ' && text[n] < 0x7F ? text[n] : '?';
    }
    transfer->cause[n] = '\0';
}

static void end_job(pml_http *http, pml_http_job *job, CURLcode code) {
    pml_http_transfer *transfer = job->transfer;
    if (transfer->status != PML_OK) {
        transfer->end = PML_HTTP_STOPPED;
    } else if (code == CURLE_OK) {
        transfer->end = PML_HTTP_COMPLETE;
    } else {
        transfer->end = is_hopeless(code) && !job->was_refused ? PML_HTTP_HOPELESS : PML_HTTP_BROKEN;
        if (!job->was_refused) {
            describe(transfer, job->error_text[0] != '\0' ? job->error_text : curl_easy_strerror(code));
        }
    }
    pml_http_job **at = &http->jobs;
    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
    transfer->job = NULL;
    job_destroy(http, job);
}

/* Why a running transfer has to end, or NULL. */
static const char *what_is_slow(const pml_http *http, pml_http_job *job, uint64_t now_ms, char text[96]) {
    if (now_ms - job->heard_ms > job->transfer->silence_ms) {
        (void)snprintf(text, 96, "no byte came for %.1f s", (double)(now_ms - job->heard_ms) / 1000);
        return text;
    }
    if (now_ms - job->window_ms < http->settings.drip_ms) {
        return NULL;
    }
    const uint64_t received = job->transfer->n_received + job->header_bytes;
    const bool drips = received - job->window_bytes < LEAST_RATE_BYTES * ((now_ms - job->window_ms) / 1000);
    job->window_ms = now_ms;
    job->window_bytes = received;
    return drips ? "less than 1 KiB/s came" : NULL;
}

static void end_slow_jobs(pml_http *http) {
    const uint64_t now_ms = pml_http_now_ms();
    for (pml_http_job *job = http->jobs, *next; job != NULL; job = next) {
        char text[96];
        const char *slow = what_is_slow(http, job, now_ms, text);
        next = job->next;
        if (slow != NULL) {
            (void)refuse(job, slow);
            end_job(http, job, CURLE_OPERATION_TIMEDOUT);
        }
    }
}

pml_status pml_http_poll(pml_http *http, uint64_t most_ms, pml_error *error) {
    pml_status status = PML_OK;
    pipe_guard guard;
    int n_running = 0, n_messages = 0;
    PML_TRY(pml_cancel_check(error));
    CURLMcode code = curl_multi_poll(http->multi, NULL, 0, (int)(most_ms < 200 ? most_ms : 200), NULL);
    guard_begin(&guard);
    code = code == CURLM_OK ? curl_multi_perform(http->multi, &n_running) : code;
    guard_end(&guard);
    if (code != CURLM_OK) {
        PML_TRY(PML_FAIL(error, code == CURLM_OUT_OF_MEMORY ? PML_E_MEMORY : PML_E_NETWORK, "libcurl failed: %s",
                         curl_multi_strerror(code)));
    }
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &n_messages)) != NULL;) {
        char *job = NULL;
        if (message->msg == CURLMSG_DONE) {
            const CURLcode result = message->data.result;
            (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &job);
            end_job(http, (pml_http_job *)(void *)job, result);
        }
    }
    end_slow_jobs(http);
    PML_TRY(pml_cancel_check(error));
done:
    return status;
}

void pml_http_finish(pml_http *http, pml_http_transfer *transfer) {
    if (transfer->job != NULL) {
        (void)refuse(transfer->job, "given up");
        end_job(http, transfer->job, CURLE_ABORTED_BY_CALLBACK);
    }
    pml_http_reply_deinit(&transfer->reply);
}
