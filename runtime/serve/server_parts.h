/* What the parts of the server share among themselves. */
#ifndef PML_RUNTIME_SERVE_SERVER_PARTS_H
#define PML_RUNTIME_SERVE_SERVER_PARTS_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "runtime/serve/connections.h"
#include "runtime/serve/routes.h"
#include "runtime/serve/server.h"
#include "runtime/serve/worker.h"

struct pml_server {
    pml_server_settings settings;
    pml_serve_model *model;
    pml_serve_metrics *metrics;
    pml_connections *connections;
    pml_job_queue *queue;
    pml_worker worker;
    struct MHD_Daemon *daemon;
    pthread_t worker_thread;
    bool has_worker;
    uint16_t port;
    int done_fd;
    int quiet_fd;     /* the listening socket, once it takes no more connections; otherwise -1 */
    uint64_t started; /* seconds since 1970 */

    pthread_mutex_t lock;
    size_t n_requests; /* that are under way */
    size_t used_bytes; /* of bodies, jobs and answers, at most max_memory_bytes */
    bool is_closed;
};

/* Reserves bytes of the server's memory; false where it is used up. */
bool pml_server_reserve(pml_server *server, size_t size_bytes);
void pml_server_unreserve(pml_server *server, size_t size_bytes);
bool pml_server_is_closed(pml_server *server);
/* Counts requests under way. */
void pml_server_begin_request(pml_server *server);
void pml_server_end_request(pml_server *server);

/* Callbacks of libmicrohttpd (exchange.c), with the server as their closure. */
enum MHD_Result pml_exchange_handle(void *server, struct MHD_Connection *connection, const char *path,
                                    const char *method, const char *version, const char *upload, size_t *upload_bytes,
                                    void **request);
void *pml_exchange_begin(void *server, const char *path, struct MHD_Connection *connection);
void pml_exchange_end(void *server, struct MHD_Connection *connection, void **request,
                      enum MHD_RequestTerminationCode code);
void pml_exchange_connect(void *server, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code);

#endif
