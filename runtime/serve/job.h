/* What one request asks of the model: made by the thread that talks to clients, done by the worker, and shared by both
 * until each has let go of it. */
#ifndef PML_RUNTIME_SERVE_JOB_H
#define PML_RUNTIME_SERVE_JOB_H

#include <pthread.h>

#include "runtime/serve/serve_request.h"
#include "runtime/text/tokenizer.h"

typedef enum pml_job_kind { PML_JOB_EMBED, PML_JOB_COMPLETE } pml_job_kind;

typedef enum pml_job_end { /* why there is no more to come */
                           PML_JOB_OPEN,
                           PML_JOB_DONE,
                           PML_JOB_FAILED,
                           PML_JOB_LATE,   /* its time is over */
                           PML_JOB_CLOSING /* the server ends */
} pml_job_end;

typedef struct pml_job_owner { /* of what a job is for; called with the job's lock held */
    void *user;
    void (*wake)(void *user);    /* there is more to take, or an end */
    bool (*is_gone)(void *user); /* nobody waits for it any more */
} pml_job_owner;

typedef struct pml_job_usage {
    uint64_t prompt_tokens, completion_tokens;
} pml_job_usage;

typedef struct pml_job {
    /* Fixed from pml_job_queue_put on. */
    pml_job_kind kind;
    char id[48]; /* "req-…" */
    uint64_t created;
    int64_t queued_ns, deadline_ns; /* of pml_serve_now_ns; deadline 0: none */
    pml_encoding *encodings;        /* [count] of the texts or prompts; of a prompt that gets its tokens as they are */
    size_t count;
    pml_embed_request embed;
    pml_completion_request completion;
    size_t width; /* of a vector */

    /* The worker's. */
    float *vectors; /* [count][width] */
    size_t n_taken; /* texts that are in a batch, or were */
    size_t n_done;
    int64_t started_ns;

    /* Under the lock. */
    pthread_mutex_t lock;
    unsigned n_holders;
    pml_job_owner owner; /* user NULL: nobody */
    bool is_cancelled;   /* whatever is still done for it is of no use */
    pml_job_end end;
    pml_status
        status; /* why it failed; its message is for the log, and for the client where it is the client's fault */
    char message[256];
    char *out; /* bytes of the answer from the first that was not taken on */
    size_t n_out, out_capacity;
    pml_job_usage usage;
} pml_job;

int64_t pml_serve_now_ns(void); /* CLOCK_MONOTONIC */

/* A job with one holder, room for `count` texts, and a new id. Errors: MEMORY. */
pml_status pml_job_create(pml_job_kind kind, size_t count, pml_job **job, pml_error *error) PML_WARN_UNUSED;
void pml_job_hold(pml_job *job);
void pml_job_release(pml_job *job); /* NULL is allowed; the last one frees it */

/* Whether anybody still wants it: its end is open, nobody cancelled it, its owner is there and its time is not over. */
bool pml_job_is_wanted(pml_job *job);
/* Appends to the answer and wakes the owner. Errors: INTERRUPTED (nobody wants it; a stream whose reader does not keep
 * up counts as that), MEMORY. */
pml_status pml_job_send(pml_job *job, const void *bytes, size_t size_bytes, pml_error *error) PML_WARN_UNUSED;
/* Ends it and wakes the owner; only the first end counts. */
void pml_job_finish(pml_job *job, pml_job_end end, pml_status status, const pml_error *error);
void pml_job_cancel(pml_job *job);
/* Who does not wait any more is not woken. */
void pml_job_disown(pml_job *job);

#endif
