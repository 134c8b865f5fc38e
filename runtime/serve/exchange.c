/* One request and its answer, as libmicrohttpd's thread walks through them: head, body, work, answer.
 *
 * While the model works the connection is suspended; the worker wakes it through the job's owner, under the job's
 * lock. Whatever is wrong with a request is kept as a fault and answered once its body has come in, so that clients
 * that send before they read get to see the answer; only a body that is too large to wait for is not read. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/serve/serve_response.h"
#include "runtime/serve/server_parts.h"

#define MOST_UNREAD_BYTES 16777216u /* of a body that is refused but read, so that the answer arrives */
enum { STREAM_BLOCK_BYTES = 4096 };

typedef struct exchange {
    pml_server *server;
    struct MHD_Connection *connection;
    int fd;
    int64_t begin_ns;
    pml_route_kind route;
    const char *method; /* static storage */
    const char *model;  /* of /v1/models/<name>; owned */
    bool has_head, is_whole, is_suspended, has_answer;
    pml_serve_fault fault;
    uint8_t *body;
    size_t n_body, body_capacity, n_unread;
    size_t reserved_bytes;
    pml_job *job;
    unsigned http_status;
    char id[48];
} exchange;

static pml_connection *row_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static int fd_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL ? info->connect_fd : -1;
}

/* False: the time of the connection is over. */
static bool enter(const exchange *x, pml_phase phase) {
    pml_connection *row = row_of(x->connection);
    return row == NULL || pml_connections_enter(x->server->connections, row, phase);
}

/* ---- faults ---------------------------------------------------------------------------------------------------------
 */
#define INVALID "invalid_request_error"

static void set_fault(exchange *x, unsigned http_status, const char *type, const char *param, const char *code,
                      const char *message) {
    if (x->fault.http_status == 0) {
        x->fault = (pml_serve_fault){http_status, type, param, code, ""};
        (void)snprintf(x->fault.message, sizeof x->fault.message, "%s", message);
    }
}

/* What a failure is to a client. */
static void set_failure(exchange *x, pml_status status, const char *param, const char *message) {
    switch (status) {
    case PML_E_ARGUMENT:
    case PML_E_FORMAT:
        set_fault(x, 400, INVALID, param, NULL, message);
        break;
    case PML_E_UNSUPPORTED:
        set_fault(x, 400, INVALID, param, "unsupported", message);
        break;
    case PML_E_NOT_FOUND:
        set_fault(x, 404, INVALID, param, "model_not_found", message);
        break;
    case PML_E_BUSY:
        set_fault(x, 503, "server_error", NULL, "overloaded", message);
        break;
    case PML_E_INTERRUPTED:
        set_fault(x, 503, "server_error", NULL, "closing", "the server ends");
        break;
    default: /* the client learns nothing of our insides; the log does */
        pml_log(PML_LOG_WARNING, "request %s: %s", x->id, message);
        set_fault(x, 500, "server_error", NULL, "internal_error", "the server could not compute this");
        break;
    }
}

static void set_job_end(exchange *x, pml_job_end end) {
    if (end == PML_JOB_LATE) {
        set_fault(x, 408, "server_error", NULL, "timeout", "the answer took too long");
    } else if (end == PML_JOB_CLOSING) {
        set_failure(x, PML_E_INTERRUPTED, NULL, "");
    } else {
        set_failure(x, x->job->status, NULL, x->job->message);
    }
}

/* ---- answers --------------------------------------------------------------------------------------------------------
 */
static void add_headers(const exchange *x, struct MHD_Response *response, const char *type) {
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)MHD_add_response_header(response, "X-Request-Id", x->id);
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (x->http_status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, pml_routes[x->route].methods);
    }
    if (x->http_status == MHD_HTTP_UNAUTHORIZED) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    }
    if (x->http_status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    }
}

static enum MHD_Result send_response(exchange *x, struct MHD_Response *response, const char *type) {
    if (response == NULL) {
        return MHD_NO;
    }
    add_headers(x, response, type);
    const enum MHD_Result result = MHD_queue_response(x->connection, x->http_status, response);
    MHD_destroy_response(response);
    x->has_answer = true;
    return result;
}

/* Takes the body over. */
static enum MHD_Result send_body(exchange *x, unsigned http_status, const char *type, pml_body *body) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->size_bytes, body->bytes, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(body->bytes); /* open_memstream's own */
    }
    x->http_status = http_status;
    return send_response(x, response, type);
}

#define JSON_TYPE "application/json"

static enum MHD_Result send_fault(exchange *x) {
    pml_body body;
    return pml_body_fault(&x->fault, &body, NULL) == PML_OK ? send_body(x, x->fault.http_status, JSON_TYPE, &body)
                                                            : MHD_NO;
}

static enum MHD_Result send_metrics(exchange *x) {
    pml_server *server = x->server;
    pml_serve_gauges gauges = {.queue_depth = pml_job_queue_depth(server->queue),
                               .connections = pml_connections_count(server->connections)};
    pml_body body = {0};
    (void)pthread_mutex_lock(&server->lock);
    gauges.memory_bytes = server->used_bytes;
    (void)pthread_mutex_unlock(&server->lock);
    FILE *stream = open_memstream(&body.bytes, &body.size_bytes);
    if (stream == NULL) {
        return MHD_NO;
    }
    pml_serve_metrics_write(server->metrics, &gauges, stream);
    if (fclose(stream) != 0) {
        free(body.bytes);
        return MHD_NO;
    }
    return send_body(x, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static enum MHD_Result send_model(exchange *x) {
    pml_body body;
    const bool is_list = x->route == PML_ROUTE_MODELS;
    if (!is_list && strcmp(x->model, x->server->model->name) != 0) {
        set_failure(x, PML_E_NOT_FOUND, "model", "this model is not here");
        return send_fault(x);
    }
    return pml_body_models(x->server->model->name, x->server->started, is_list, &body, NULL) == PML_OK
               ? send_body(x, MHD_HTTP_OK, JSON_TYPE, &body)
               : MHD_NO;
}

static enum MHD_Result send_health(exchange *x) {
    const bool is_closed = pml_server_is_closed(x->server);
    pml_body body;
    return pml_body_health(is_closed, &body, NULL) == PML_OK
               ? send_body(x, is_closed ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, JSON_TYPE, &body)
               : MHD_NO;
}

/* ---- the job --------------------------------------------------------------------------------------------------------
 */
static void wake(void *user) {
    exchange *x = user;
    if (x->is_suspended) {
        x->is_suspended = false;
        MHD_resume_connection(x->connection);
    }
}

static bool is_gone(void *user) {
    const exchange *x = user;
    struct pollfd one = {.fd = x->fd, .events = POLLRDHUP};
    return poll(&one, 1, 0) > 0 && (one.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static pml_status make_job(exchange *x, const char **param, pml_error *error) {
    pml_status status = PML_OK;
    pml_embed_request embed = {0};
    pml_completion_request completion = {0};
    if (x->route == PML_ROUTE_EMBEDDINGS) {
        PML_TRY(pml_embed_request_read(x->body, x->n_body, &embed, param, error));
        PML_TRY(pml_serve_model_embed_job(x->server->model, &embed, &x->job, param, error));
    } else {
        PML_TRY(pml_completion_request_read(x->body, x->n_body, &completion, param, error));
        PML_TRY(pml_serve_model_completion_job(x->server->model, &completion, &x->job, param, error));
    }
done:
    pml_embed_request_deinit(&embed);
    pml_completion_request_deinit(&completion);
    return status;
}

/* The bytes of the body are given back; those of the job are reserved instead. */
static bool reserve_for_job(exchange *x) {
    const size_t needed = pml_serve_job_bytes(x->job);
    pml_free(x->body);
    x->body = NULL;
    pml_server_unreserve(x->server, x->reserved_bytes);
    x->reserved_bytes = 0;
    if (!pml_server_reserve(x->server, needed)) {
        return false;
    }
    x->reserved_bytes = needed;
    return true;
}

/* Makes a job of the body and hands it to the worker; the connection is suspended then. */
static enum MHD_Result submit(exchange *x) {
    pml_status status = PML_OK;
    const char *param = NULL;
    pml_error error = {0};
    bool was_suspended = false;
    PML_TRY(make_job(x, &param, &error));
    if (!reserve_for_job(x)) {
        PML_TRY(PML_FAIL(&error, PML_E_BUSY, "the memory for requests is used up"));
    }
    x->job->queued_ns = pml_serve_now_ns();
    x->job->deadline_ns = x->begin_ns + (int64_t)x->server->settings.total_seconds * 1000000000;
    x->job->owner = (pml_job_owner){x, wake, is_gone};
    x->is_suspended = was_suspended = true;
    MHD_suspend_connection(x->connection);
    PML_TRY(pml_job_queue_put(x->server->queue, x->job, &error));
done:
    if (status != PML_OK) {
        set_failure(x, status, param, error.message);
    }
    if (status != PML_OK && was_suspended) {
        x->is_suspended = false;
        MHD_resume_connection(x->connection); /* the next call finds the fault */
    }
    return status != PML_OK && !was_suspended ? send_fault(x) : MHD_YES;
}

static ssize_t read_stream(void *user, uint64_t position, char *bytes, size_t most) {
    exchange *x = user;
    pml_job *job = x->job;
    ssize_t result;
    (void)position;
    (void)pthread_mutex_lock(&job->lock);
    if (job->n_out > 0) {
        const size_t n = job->n_out < most ? job->n_out : most;
        memcpy(bytes, job->out, n);
        job->n_out -= n;
        memmove(job->out, job->out + n, job->n_out);
        result = (ssize_t)n;
    } else if (job->end == PML_JOB_OPEN) {
        x->is_suspended = true;
        MHD_suspend_connection(x->connection);
        result = 0;
    } else if (job->end == PML_JOB_DONE || x->fault.http_status != 0) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else { /* it failed behind its head: an event says so, and is the last */
        pml_body body;
        set_job_end(x, job->end);
        result = MHD_CONTENT_READER_END_WITH_ERROR;
        if (pml_body_fault_event(&x->fault, &body, NULL) == PML_OK) {
            const size_t n = body.size_bytes < most ? body.size_bytes : most;
            memcpy(bytes, body.bytes, n);
            free(body.bytes);
            result = (ssize_t)n;
        }
    }
    (void)pthread_mutex_unlock(&job->lock);
    return result;
}

/* The worker has woken the connection: there is an answer, or the beginning of one. */
static enum MHD_Result send_job(exchange *x) {
    pml_job *job = x->job;
    enum MHD_Result result = MHD_YES;
    (void)pthread_mutex_lock(&job->lock);
    const bool has_out = job->n_out > 0, is_stream = job->completion.is_stream;
    const pml_job_end end = job->end;
    if (end == PML_JOB_OPEN && !(has_out && is_stream)) {
        x->is_suspended = true;
        MHD_suspend_connection(x->connection);
        (void)pthread_mutex_unlock(&job->lock);
        return MHD_YES;
    }
    (void)pthread_mutex_unlock(&job->lock);
    x->http_status = MHD_HTTP_OK;
    if (!has_out || (end != PML_JOB_OPEN && end != PML_JOB_DONE && !is_stream)) {
        set_job_end(x, end);
        result = send_fault(x);
    } else if (is_stream) {
        result = send_response(
            x, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, read_stream, x, NULL),
            "text/event-stream");
    } else {
        /* The job lives as long as the exchange, and that ends after its answer. */
        result =
            send_response(x, MHD_create_response_from_buffer(job->n_out, job->out, MHD_RESPMEM_PERSISTENT), JSON_TYPE);
    }
    return result;
}

/* ---- the request ----------------------------------------------------------------------------------------------------
 */
static const char *known_method(const char *method) {
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(method, known[i]) == 0) {
            return known[i];
        }
    }
    return "other";
}

static const char *header_of(const exchange *x, const char *name) {
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

/* Bodies are JSON, said to be so: pages of foreign sites can make a browser send anything else without asking. */
static bool says_json(const char *type) {
    static const char json[] = JSON_TYPE;
    const size_t length = sizeof json - 1;
    return type != NULL && strncasecmp(type, json, length) == 0 &&
           (type[length] == '\0' || type[length] == ';' || type[length] == ' ');
}

static void check_head(exchange *x, const char *path, const char *method) {
    const pml_server_settings *s = &x->server->settings;
    const char *rest;
    x->route = pml_route_find(path, &rest);
    x->method = known_method(method);
    if (s->api_key != NULL && pml_routes[x->route].needs_key &&
        !pml_route_key_fits(header_of(x, MHD_HTTP_HEADER_AUTHORIZATION), s->api_key)) {
        set_fault(x, 401, INVALID, NULL, "invalid_api_key", "a valid API key is missing: Authorization: Bearer KEY");
    } else if (x->route == PML_ROUTE_OTHER) {
        set_fault(x, 404, INVALID, NULL, "unknown_url", "there is nothing at this path");
    } else if (!pml_route_allows(x->route, method)) {
        set_fault(x, 405, INVALID, NULL, "method_not_allowed", "this path does not take that method");
    } else if (strcmp(method, "POST") == 0 && !says_json(header_of(x, MHD_HTTP_HEADER_CONTENT_TYPE))) {
        set_fault(x, 415, INVALID, NULL, "content_type", "the header Content-Type must be application/json");
    }
    if (x->route == PML_ROUTE_MODEL && x->fault.http_status == 0) {
        char *copy = NULL;
        if (pml_string_copy(rest, strlen(rest), &copy, NULL) != PML_OK) {
            set_failure(x, PML_E_MEMORY, NULL, "no memory for a path");
        }
        x->model = copy;
    }
}

/* A body that is larger than is read at all is refused at once, and so is one that its client asks about before sending
 * it; the connection ends then. */
static enum MHD_Result take_head(exchange *x, const char *path, const char *method) {
    const char *length = header_of(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const unsigned long long size_bytes = length != NULL ? strtoull(length, NULL, 10) : 0;
    x->has_head = true;
    check_head(x, path, method);
    if (size_bytes > x->server->settings.max_body_bytes) {
        set_fault(x, 413, INVALID, NULL, "body_too_large", "the body of the request is too large");
    }
    const bool asks = x->fault.http_status != 0 && header_of(x, MHD_HTTP_HEADER_EXPECT) != NULL;
    return asks || size_bytes > MOST_UNREAD_BYTES ? send_fault(x) : MHD_YES;
}

static enum MHD_Result take_body(exchange *x, const char *bytes, size_t n_bytes) {
    if (x->fault.http_status == 0 && n_bytes > x->server->settings.max_body_bytes - x->n_body) {
        set_fault(x, 413, INVALID, NULL, "body_too_large", "the body of the request is too large");
    }
    if (x->fault.http_status == 0 && !pml_server_reserve(x->server, n_bytes)) {
        set_failure(x, PML_E_BUSY, NULL, "the memory for requests is used up");
    } else if (x->fault.http_status == 0) {
        x->reserved_bytes += n_bytes;
        if (pml_grow(&x->body, &x->body_capacity, x->n_body + n_bytes, 1, x->server->settings.max_body_bytes, "bytes",
                     NULL) != PML_OK) {
            set_failure(x, PML_E_MEMORY, NULL, "no memory for the body of a request");
        } else {
            memcpy(x->body + x->n_body, bytes, n_bytes);
            x->n_body += n_bytes;
        }
    }
    x->n_unread += n_bytes;
    return x->n_unread > MOST_UNREAD_BYTES ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer(exchange *x) {
    if (x->fault.http_status != 0) {
        return send_fault(x);
    }
    switch (x->route) {
    case PML_ROUTE_HEALTH:
        return send_health(x);
    case PML_ROUTE_METRICS:
        return send_metrics(x);
    case PML_ROUTE_MODELS:
    case PML_ROUTE_MODEL:
        return send_model(x);
    default:
        return x->job != NULL ? send_job(x) : submit(x);
    }
}

enum MHD_Result pml_exchange_handle(void *server, struct MHD_Connection *connection, const char *path,
                                    const char *method, const char *version, const char *upload, size_t *upload_bytes,
                                    void **request) {
    exchange *x = *request;
    (void)server;
    (void)connection;
    (void)version;
    if (x == NULL) {
        return MHD_NO; /* there was no memory for it */
    }
    if (!x->has_head) {
        return take_head(x, path, method);
    }
    if (*upload_bytes > 0) {
        const enum MHD_Result result = take_body(x, upload, *upload_bytes);
        *upload_bytes = 0;
        return result;
    }
    if (!x->is_whole) {
        x->is_whole = true;
        if (!enter(x, PML_PHASE_BUSY)) {
            return MHD_NO; /* too late: that was said already */
        }
    }
    return x->has_answer ? MHD_YES : answer(x);
}

/* ---- its beginning and end ------------------------------------------------------------------------------------------
 */
void *pml_exchange_begin(void *server, const char *path, struct MHD_Connection *connection) {
    static atomic_uint_fast64_t counter;
    exchange *x = NULL;
    (void)path;
    if (pml_alloc(1, sizeof *x, &x, NULL) != PML_OK) {
        return NULL;
    }
    x->server = server;
    x->connection = connection;
    x->fd = fd_of(connection);
    x->begin_ns = pml_serve_now_ns();
    x->method = "other";
    (void)snprintf(x->id, sizeof x->id, "req-%llx-%llx", (unsigned long long)x->server->started,
                   (unsigned long long)atomic_fetch_add(&counter, 1));
    pml_server_begin_request(x->server);
    (void)enter(x, PML_PHASE_READING);
    return x;
}

static void tell(exchange *x, const pml_served *served) {
    if (x->server->settings.served != NULL) {
        x->server->settings.served(x->server->settings.user, served);
    }
}

void pml_exchange_end(void *closure, struct MHD_Connection *connection, void **request,
                      enum MHD_RequestTerminationCode code) {
    exchange *x = *request;
    pml_server *server = closure;
    (void)connection;
    if (x == NULL) {
        return;
    }
    const bool is_whole = code == MHD_REQUEST_TERMINATED_COMPLETED_OK && x->has_answer;
    pml_served served = {.id = x->id,
                         .route = pml_routes[x->route].name,
                         .method = x->method,
                         .http_status = is_whole ? x->http_status : 499,
                         .seconds = (double)(pml_serve_now_ns() - x->begin_ns) * 1e-9};
    if (x->job != NULL) {
        pml_job_disown(x->job);
        (void)pthread_mutex_lock(&x->job->lock);
        if (x->job->end != PML_JOB_OPEN) {
            served.texts = x->job->count;
            served.prompt_tokens = x->job->usage.prompt_tokens;
            served.completion_tokens = x->job->usage.completion_tokens;
            served.wait_seconds = x->job->started_ns > 0 ? (double)(x->job->started_ns - x->job->queued_ns) * 1e-9 : 0;
        }
        (void)pthread_mutex_unlock(&x->job->lock);
    }
    pml_serve_metrics_request(server->metrics, x->route, served.http_status, served.seconds);
    tell(x, &served);
    (void)enter(x, PML_PHASE_IDLE);
    pml_job_release(x->job);
    pml_server_unreserve(server, x->reserved_bytes);
    pml_free(x->body);
    pml_free((char *)x->model);
    pml_free(x);
    *request = NULL;
    pml_server_end_request(server);
}

void pml_exchange_connect(void *closure, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    pml_server *server = closure;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        pml_connection *row = NULL;
        if (pml_connections_add(server->connections, fd_of(connection), &row, NULL) == PML_OK) {
            *socket_context = row;
        }
    } else if (*socket_context != NULL) {
        pml_connections_remove(server->connections, *socket_context);
        *socket_context = NULL;
    }
}
