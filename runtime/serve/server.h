/* An HTTP server for one model, in the manner of OpenAI's: specs/serve.md has what it answers. One thread talks to all
 * clients, one computes, one watches the clock. */
#ifndef PML_RUNTIME_SERVE_SERVER_H
#define PML_RUNTIME_SERVE_SERVER_H

#include "runtime/serve/serve_model.h"

typedef struct pml_served {          /* one request and its answer, for a log: nothing in it was chosen by a client */
    const char *id, *route, *method; /* method "other" where it is not a usual one */
    unsigned http_status;            /* 499: the client went away */
    double seconds, wait_seconds;    /* wait: in the queue; 0 where it never was */
    uint64_t texts, prompt_tokens, completion_tokens;
} pml_served;
typedef void pml_served_fn(void *user, const pml_served *served);

typedef struct pml_server_settings {
    const char *host;    /* a name or an address */
    uint16_t port;       /* 0: any that is free */
    const char *api_key; /* NULL: none is asked for */
    size_t max_queue, max_body_bytes, max_connections, max_memory_bytes;
    size_t batch_texts, batch_tokens;
    unsigned read_seconds;  /* a request may take to come in */
    unsigned idle_seconds;  /* a connection may be silent */
    unsigned total_seconds; /* a request may take until its answer is made */
    pml_served_fn *served;  /* called by the thread that talks to clients; NULL: nobody */
    void *user;
} pml_server_settings;

typedef struct pml_server pml_server;
/* Listens, and answers from now on. `settings` is copied, its texts and `model` are borrowed until destroy. Errors:
 * ARGUMENT (no such host), IO (the address is in use, threads), MEMORY. */
pml_status pml_server_create(const pml_server_settings *settings, pml_serve_model *model, pml_server **server,
                             pml_error *error) PML_WARN_UNUSED;
uint16_t pml_server_port(const pml_server *server);
/* Takes no more connections and no more work; what is under way goes on. */
void pml_server_close(pml_server *server);
/* A descriptor that becomes readable once the server was closed and no request is under way. */
int pml_server_done_fd(const pml_server *server);
/* Ends what is still under way, with an answer that says so, and releases everything. NULL is allowed. */
void pml_server_destroy(pml_server *server);

#endif
