/* Open connections and how long each may take: a thread of its own ends those that are over, also where bytes trickle
 * in just often enough not to count as silent. */
#ifndef PML_RUNTIME_SERVE_CONNECTIONS_H
#define PML_RUNTIME_SERVE_CONNECTIONS_H

#include "runtime/serve/serve_metrics.h"

typedef enum pml_phase {
    PML_PHASE_FIRST,   /* connected; nothing of a request is known */
    PML_PHASE_READING, /* a request is on its way */
    PML_PHASE_BUSY,    /* the request is here; its answer is made and sent */
    PML_PHASE_IDLE,    /* between requests */
    PML_N_PHASES
} pml_phase;

typedef struct pml_connection pml_connection;
typedef struct pml_connections pml_connections;

/* `seconds` [PML_N_PHASES] of each phase. Starts the thread. Errors: MEMORY, IO. */
pml_status pml_connections_create(const unsigned seconds[PML_N_PHASES], pml_serve_metrics *metrics,
                                  pml_connections **connections, pml_error *error) PML_WARN_UNUSED;
/* Ends the thread; all connections were removed. NULL is allowed. */
void pml_connections_destroy(pml_connections *connections);

/* Errors: MEMORY. */
pml_status pml_connections_add(pml_connections *connections, int fd, pml_connection **connection,
                               pml_error *error) PML_WARN_UNUSED;
/* Before the descriptor is closed. */
void pml_connections_remove(pml_connections *connections, pml_connection *connection);
/* Its time begins anew. False: it was over already. */
bool pml_connections_enter(pml_connections *connections, pml_connection *connection, pml_phase phase);
size_t pml_connections_count(pml_connections *connections);

#endif
