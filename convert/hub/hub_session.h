/* Talking to one hub: connections, the token, how often and how fast to ask. What every request shares. */
#ifndef PML_CONVERT_HUB_SESSION_H
#define PML_CONVERT_HUB_SESSION_H

#include "convert/hub/http.h"
#include "convert/hub/hub_environment.h"

#define PML_HUB_MAX_HOPS 10u
#define PML_HUB_DEFAULT_TRIES 8u

/* The hub counts these apart. */
typedef enum pml_hub_budget { PML_HUB_API, PML_HUB_RESOLVE, PML_HUB_N_BUDGETS } pml_hub_budget;

typedef struct pml_hub_session {            /* zero = safe to deinit */
    const pml_hub_environment *environment; /* borrowed */
    pml_http *http;
    unsigned n_tries;
    uint64_t next_ms[PML_HUB_N_BUDGETS];     /* of pml_http_now_ms: no request of that budget before */
    uint64_t pace_ms[PML_HUB_N_BUDGETS];     /* between two requests; 0: as fast as they go */
    uint64_t pace_end_ms[PML_HUB_N_BUDGETS]; /* when the budget is full again, and the pace no longer counts */
    uint64_t n_requests[PML_HUB_N_BUDGETS];
} pml_hub_session;

/* Opens no connection yet. `n_tries` 0: the default. Errors: MEMORY, NETWORK. */
pml_status pml_hub_session_init(pml_hub_session *session, const pml_hub_environment *environment, unsigned n_tries,
                                pml_error *error) PML_WARN_UNUSED;
void pml_hub_session_deinit(pml_hub_session *session);

/* The token for that address: NULL unless it has the endpoint's scheme, host and port. */
const char *pml_hub_session_token(const pml_hub_session *session, const char *url);

/* Milliseconds until a request of that budget may start; 0: now. */
uint64_t pml_hub_session_wait_ms(const pml_hub_session *session, pml_hub_budget budget);
/* A request of that budget starts now. */
void pml_hub_session_spend(pml_hub_session *session, pml_hub_budget budget);
/* Counts a request, and learns from the reply how fast the next ones may follow. */
void pml_hub_session_heed(pml_hub_session *session, pml_hub_budget budget, const pml_http_reply *reply);

/* ---- what an ended transfer means ---- */
typedef enum pml_hub_verdict { PML_HUB_GOOD, PML_HUB_AGAIN, PML_HUB_BAD } pml_hub_verdict;

/* GOOD: a complete reply of status 2xx or 3xx. AGAIN: another try makes sense, after *wait_ms. BAD: *error says why,
 * its code is the status to return. `what` names repository and file; `i_try` counts from 0. */
pml_hub_verdict pml_hub_session_judge(const pml_hub_session *session, const pml_http_transfer *transfer,
                                      const char *what, unsigned i_try, uint64_t *wait_ms, pml_error *error);
/* The wait before try i_try + 1 when nobody says how long: random, doubling, 60 s at most. */
uint64_t pml_hub_session_backoff_ms(const pml_hub_session *session, unsigned i_try);

/* Sleeps, unless interrupted. Errors: INTERRUPTED. */
pml_status pml_hub_sleep(uint64_t wait_ms, pml_error *error) PML_WARN_UNUSED;

/* ---- a call that is answered by text ---- */
typedef struct pml_hub_text { /* zero = safe to deinit */
    char *bytes;
    size_t size_bytes, capacity;
    char *next_link; /* the address of the next page; NULL: none */
} pml_hub_text;

/* GET with all tries and redirects. Errors: NOT_FOUND, DENIED, BUSY, NETWORK, FORMAT (more than `most_bytes`),
 * INTERRUPTED, MEMORY. */
pml_status pml_hub_session_get(pml_hub_session *session, const char *url, const char *what, size_t most_bytes,
                               pml_hub_text *text, pml_error *error) PML_WARN_UNUSED;
void pml_hub_text_deinit(pml_hub_text *text);

#endif
