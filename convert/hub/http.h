/* Transfers over HTTP(S), several at once, driven by one loop: what libcurl does, with everything refused that turns a
 * broken reply into a good one (specs/command-line.md, download). Knows nothing of hubs, redirects or tries.
 *
 * Every wait is bounded: connecting, a silent server (`silence_ms`), a server that drips (less than 1 KiB/s over
 * `drip_ms`). Loops call pml_http_poll, which sleeps at most as long as it is told. */
#ifndef PML_CONVERT_HTTP_H
#define PML_CONVERT_HTTP_H

#include "convert/hub/http_reply.h"

typedef struct pml_http pml_http;

typedef struct pml_http_settings { /* texts are borrowed until destroy; NULL: none */
    const char *http_proxy, *https_proxy, *no_proxy;
    const char *ca_file, *ca_directory;
    bool allow_http; /* an http endpoint was asked for */
    uint64_t connect_ms;
    uint64_t drip_ms;
} pml_http_settings;

/* How a transfer ended. */
typedef enum pml_http_end {
    PML_HTTP_RUNNING,
    PML_HTTP_COMPLETE, /* all of a reply; its status may be anything */
    PML_HTTP_BROKEN,   /* the network or the server failed; `cause` says how; a later try may work */
    PML_HTTP_HOPELESS, /* so did it, but no try will help: a proxy's name, a certificate */
    PML_HTTP_STOPPED   /* a callback failed with `status` and `error` */
} pml_http_end;

typedef struct pml_http_transfer pml_http_transfer;
struct pml_http_transfer {
    /* Filled in by the caller, zero otherwise, and left alone while it runs. */
    const char *url;
    const char *token; /* NULL: none; goes to this address and nowhere else */
    bool has_range;
    uint64_t first, last; /* with has_range; last UINT64_MAX: to the end */
    uint64_t silence_ms;
    /* Called once when the header is complete, before any byte of the body. An error stops the transfer. May be NULL.
     */
    pml_status (*on_reply)(pml_http_transfer *transfer, pml_error *error);
    /* The body, piece by piece. NULL: it is counted and forgotten, 64 KiB of it at most. */
    pml_status (*on_body)(pml_http_transfer *transfer, const void *bytes, size_t size_bytes, pml_error *error);
    void *user;
    /* Results. */
    pml_http_end end;
    pml_http_reply reply;
    uint64_t n_received; /* bytes of the body */
    char cause[320];     /* BROKEN, HOPELESS: one phrase */
    pml_status status;   /* STOPPED */
    pml_error error;
    /* Private. */
    struct pml_http_job *job;
};

/* `settings` is copied. Errors: MEMORY, NETWORK (libcurl does not start). */
pml_status pml_http_create(const pml_http_settings *settings, pml_http **http, pml_error *error) PML_WARN_UNUSED;
void pml_http_destroy(pml_http *http); /* ends what runs; NULL is allowed */

/* Errors: MEMORY, NETWORK. */
pml_status pml_http_start(pml_http *http, pml_http_transfer *transfer, pml_error *error) PML_WARN_UNUSED;
/* Moves all transfers on; waits for the network up to `most_ms` if nothing is to be done. Callbacks run inside. Those
 * whose `end` is no longer RUNNING are over. Errors: NETWORK (libcurl itself failed), INTERRUPTED. */
pml_status pml_http_poll(pml_http *http, uint64_t most_ms, pml_error *error) PML_WARN_UNUSED;
/* Ends a transfer that runs; nothing happens to others. Frees what its reply owns. */
void pml_http_finish(pml_http *http, pml_http_transfer *transfer);

/* Milliseconds of a clock that never goes back. */
uint64_t pml_http_now_ms(void);

#endif
