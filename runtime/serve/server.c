#include "runtime/serve/server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/serve/server_parts.h"

enum { BACKLOG = 128, HEADER_BYTES = 32768 };

bool pml_server_reserve(pml_server *server, size_t size_bytes) {
    (void)pthread_mutex_lock(&server->lock);
    const bool fits = size_bytes <= server->settings.max_memory_bytes - server->used_bytes;
    server->used_bytes += fits ? size_bytes : 0;
    (void)pthread_mutex_unlock(&server->lock);
    return fits;
}

void pml_server_unreserve(pml_server *server, size_t size_bytes) {
    (void)pthread_mutex_lock(&server->lock);
    server->used_bytes -= size_bytes;
    (void)pthread_mutex_unlock(&server->lock);
}

bool pml_server_is_closed(pml_server *server) {
    (void)pthread_mutex_lock(&server->lock);
    const bool is_closed = server->is_closed;
    (void)pthread_mutex_unlock(&server->lock);
    return is_closed;
}

/* With the lock. */
static void tell_when_done(pml_server *server) {
    const uint64_t one = 1;
    if (server->is_closed && server->n_requests == 0 && write(server->done_fd, &one, sizeof one) < 0) {
        return; /* the counter is full: it is readable already */
    }
}

void pml_server_begin_request(pml_server *server) {
    (void)pthread_mutex_lock(&server->lock);
    server->n_requests++;
    (void)pthread_mutex_unlock(&server->lock);
}

void pml_server_end_request(pml_server *server) {
    (void)pthread_mutex_lock(&server->lock);
    server->n_requests--;
    tell_when_done(server);
    (void)pthread_mutex_unlock(&server->lock);
}

/* ---- the address ----------------------------------------------------------------------------------------------------
 */

/* A listening socket of the first address of the host that can be had. */
static pml_status listen_at(const char *host, uint16_t port, int *fd, pml_error *error) {
    pml_status status = PML_OK;
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    pml_quoted quoted;
    char service[8];
    int code = 0, made = -1;
    (void)snprintf(service, sizeof service, "%u", port);
    const int found = getaddrinfo(host, service, &hints, &list);
    if (found != 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "host %s: %s", pml_quote(&quoted, host), gai_strerror(found)));
    }
    for (const struct addrinfo *at = list; at != NULL && made < 0; at = at->ai_next) {
        const int one = 1;
        made = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
        if (made < 0 || setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
            bind(made, at->ai_addr, at->ai_addrlen) != 0 || listen(made, BACKLOG) != 0) {
            code = errno;
            if (made >= 0) {
                (void)close(made);
            }
            made = -1;
        }
    }
    if (made < 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "cannot listen at %s, port %u: %s", pml_quote(&quoted, host), port,
                         strerror(code)));
    }
    *fd = made;
done:
    if (list != NULL) {
        freeaddrinfo(list);
    }
    return status;
}

static uint16_t port_of(int fd) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    socklen_t length = sizeof address;
    if (getsockname(fd, &address.any, &length) != 0) {
        return 0;
    }
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

/* ---- its threads ----------------------------------------------------------------------------------------------------
 */
static void *work(void *user) {
    const pml_server *server = user;
    pml_worker_run(&server->worker);
    return NULL;
}

static pml_status start(pml_server *server, pml_error *error) {
    pml_status status = PML_OK;
    const pml_server_settings *s = &server->settings;
    const unsigned silence = s->read_seconds > s->idle_seconds ? s->read_seconds : s->idle_seconds;
    int fd = -1;
    if (pthread_create(&server->worker_thread, NULL, work, server) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "cannot start a thread"));
    }
    server->has_worker = true;
    PML_TRY(listen_at(s->host, s->port, &fd, error));
    server->port = port_of(fd);
    server->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0,
                         NULL, NULL, pml_exchange_handle, server, MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->max_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)HEADER_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, silence + 1, MHD_OPTION_URI_LOG_CALLBACK,
                         pml_exchange_begin, server, MHD_OPTION_NOTIFY_COMPLETED, pml_exchange_end, server,
                         MHD_OPTION_NOTIFY_CONNECTION, pml_exchange_connect, server, MHD_OPTION_END);
    if (server->daemon == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "the HTTP server does not start: %s", strerror(errno)));
    }
done:
    return status;
}

pml_status pml_server_create(const pml_server_settings *settings, pml_serve_model *model, pml_server **server,
                             pml_error *error) {
    pml_status status = PML_OK;
    const pml_server_settings *s = settings;
    const pml_job_limits limits = {s->max_queue, s->batch_texts, s->batch_tokens};
    const unsigned seconds[PML_N_PHASES] = {[PML_PHASE_FIRST] = s->read_seconds,
                                            [PML_PHASE_READING] = s->read_seconds,
                                            [PML_PHASE_BUSY] = s->total_seconds + s->idle_seconds,
                                            [PML_PHASE_IDLE] = s->idle_seconds};
    pml_server *made = NULL;
    *server = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->settings = *s;
    made->quiet_fd = -1;
    made->model = model;
    made->started = (uint64_t)time(NULL);
    (void)pthread_mutex_init(&made->lock, NULL);
    made->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->done_fd < 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "eventfd: %s", strerror(errno)));
    }
    PML_TRY(pml_serve_metrics_create(pml_route_names, PML_N_ROUTES, &made->metrics, error));
    PML_TRY(pml_connections_create(seconds, made->metrics, &made->connections, error));
    PML_TRY(pml_job_queue_create(&limits, &made->queue, error));
    made->worker = (pml_worker){model, made->queue, made->metrics};
    PML_TRY(start(made, error));
    *server = made;
    made = NULL;
done:
    pml_server_destroy(made);
    return status;
}

uint16_t pml_server_port(const pml_server *server) {
    return server->port;
}

int pml_server_done_fd(const pml_server *server) {
    return server->done_fd;
}

void pml_server_close(pml_server *server) {
    const MHD_socket fd = MHD_quiesce_daemon(server->daemon);
    if (fd != MHD_INVALID_SOCKET) {
        server->quiet_fd = fd; /* its number may still be in use by the other thread: it is closed at the end */
        (void)shutdown(fd, SHUT_RDWR);
    }
    pml_job_queue_close(server->queue, false);
    (void)pthread_mutex_lock(&server->lock);
    server->is_closed = true;
    tell_when_done(server);
    (void)pthread_mutex_unlock(&server->lock);
}

void pml_server_destroy(pml_server *server) {
    if (server == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&server->lock);
    server->is_closed = true;
    (void)pthread_mutex_unlock(&server->lock);
    if (server->queue != NULL) {
        pml_job_queue_close(server->queue, true);
    }
    if (server->has_worker) {
        (void)pthread_join(server->worker_thread, NULL); /* then no connection waits for anything */
    }
    if (server->daemon != NULL) {
        MHD_stop_daemon(server->daemon);
    }
    if (server->quiet_fd >= 0) {
        (void)close(server->quiet_fd);
    }
    pml_job_queue_destroy(server->queue);
    pml_connections_destroy(server->connections);
    pml_serve_metrics_destroy(server->metrics);
    if (server->done_fd >= 0) {
        (void)close(server->done_fd);
    }
    (void)pthread_mutex_destroy(&server->lock);
    pml_free(server);
}
