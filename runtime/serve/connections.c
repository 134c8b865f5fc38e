#include "runtime/serve/connections.h"

#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/serve/job.h"

struct pml_connection {
    int fd;
    pml_phase phase;
    int64_t deadline_ns; /* INT64_MAX: over */
    pml_connection *previous, *next;
};

struct pml_connections {
    int64_t limits_ns[PML_N_PHASES];
    pml_serve_metrics *metrics;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    pml_connection *first;
    size_t count;
    int64_t waits_until_ns; /* of the thread */
    bool ends;
};

/* A request that did not come in is answered, as far as that goes without waiting; any other connection just ends. */
static void end_connection(pml_connections *c, pml_connection *connection) {
    static const char answer[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                                 "Content-Type: application/json\r\nContent-Length: 107\r\n\r\n"
                                 "{\"error\":{\"message\":\"the request took too long\",\"type\":"
                                 "\"invalid_request_error\",\"param\":null,\"code\":\"timeout\"}}\n";
    if (connection->phase == PML_PHASE_FIRST || connection->phase == PML_PHASE_READING) {
        (void)send(connection->fd, answer, sizeof answer - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (connection->phase != PML_PHASE_IDLE) {
        pml_serve_metrics_count(c->metrics, PML_COUNTER_TIMEOUTS, 1);
    }
    (void)shutdown(connection->fd, SHUT_RDWR);
    connection->deadline_ns = INT64_MAX;
}

static void *watch(void *user) {
    pml_connections *c = user;
    (void)pthread_mutex_lock(&c->lock);
    while (!c->ends) {
        const int64_t now_ns = pml_serve_now_ns();
        c->waits_until_ns = INT64_MAX;
        for (pml_connection *one = c->first; one != NULL; one = one->next) {
            if (one->deadline_ns <= now_ns) {
                end_connection(c, one);
            }
            c->waits_until_ns = one->deadline_ns < c->waits_until_ns ? one->deadline_ns : c->waits_until_ns;
        }
        if (c->waits_until_ns == INT64_MAX) {
            (void)pthread_cond_wait(&c->changed, &c->lock);
        } else {
            const struct timespec until = {c->waits_until_ns / 1000000000, c->waits_until_ns % 1000000000};
            (void)pthread_cond_timedwait(&c->changed, &c->lock, &until);
        }
    }
    (void)pthread_mutex_unlock(&c->lock);
    return NULL;
}

pml_status pml_connections_create(const unsigned seconds[PML_N_PHASES], pml_serve_metrics *metrics,
                                  pml_connections **connections, pml_error *error) {
    pml_status status = PML_OK;
    pml_connections *made = NULL;
    pthread_condattr_t attributes;
    *connections = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    for (size_t i = 0; i < PML_N_PHASES; i++) {
        made->limits_ns[i] = (int64_t)seconds[i] * 1000000000;
    }
    made->metrics = metrics;
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&made->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (pthread_create(&made->thread, NULL, watch, made) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "cannot start a thread"));
    }
    *connections = made;
    made = NULL;
done:
    pml_free(made);
    return status;
}

void pml_connections_destroy(pml_connections *connections) {
    if (connections == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&connections->lock);
    connections->ends = true;
    (void)pthread_cond_signal(&connections->changed);
    (void)pthread_mutex_unlock(&connections->lock);
    (void)pthread_join(connections->thread, NULL);
    (void)pthread_cond_destroy(&connections->changed);
    (void)pthread_mutex_destroy(&connections->lock);
    pml_free(connections);
}

/* With the lock. */
static void set_phase(pml_connections *c, pml_connection *connection, pml_phase phase) {
    connection->phase = phase;
    connection->deadline_ns = pml_serve_now_ns() + c->limits_ns[phase];
    if (connection->deadline_ns < c->waits_until_ns) {
        (void)pthread_cond_signal(&c->changed);
    }
}

pml_status pml_connections_add(pml_connections *connections, int fd, pml_connection **connection, pml_error *error) {
    pml_status status = PML_OK;
    pml_connection *made = NULL;
    *connection = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->fd = fd;
    (void)pthread_mutex_lock(&connections->lock);
    made->next = connections->first;
    if (made->next != NULL) {
        made->next->previous = made;
    }
    connections->first = made;
    connections->count++;
    set_phase(connections, made, PML_PHASE_FIRST);
    (void)pthread_mutex_unlock(&connections->lock);
    *connection = made;
done:
    return status;
}

void pml_connections_remove(pml_connections *connections, pml_connection *connection) {
    (void)pthread_mutex_lock(&connections->lock);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        connections->first = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    connections->count--;
    (void)pthread_mutex_unlock(&connections->lock);
    pml_free(connection);
}

bool pml_connections_enter(pml_connections *connections, pml_connection *connection, pml_phase phase) {
    (void)pthread_mutex_lock(&connections->lock);
    const bool is_open = connection->deadline_ns != INT64_MAX;
    if (is_open) {
        set_phase(connections, connection, phase);
    }
    (void)pthread_mutex_unlock(&connections->lock);
    return is_open;
}

size_t pml_connections_count(pml_connections *connections) {
    (void)pthread_mutex_lock(&connections->lock);
    const size_t count = connections->count;
    (void)pthread_mutex_unlock(&connections->lock);
    return count;
}
