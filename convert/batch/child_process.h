/* A child process with limits, its output collected: a crash, an endless loop or a full memory in it stays there. */
#ifndef PML_CONVERT_BATCH_CHILD_PROCESS_H
#define PML_CONVERT_BATCH_CHILD_PROCESS_H

#include <poll.h>
#include <sys/types.h>

#include "runtime/base/error.h"

typedef struct pml_child_limits { /* 0: none */
    uint64_t memory_bytes;        /* private memory; mapped files do not count. Not enforced under sanitizers */
    uint64_t seconds;             /* from start to end; then it is killed */
} pml_child_limits;

typedef struct pml_child_text { /* the last bytes of a stream, zero-terminated */
    char *bytes;
    size_t size_bytes, capacity;
    bool was_cut;
} pml_child_text;

typedef struct pml_child { /* zero = none, safe to deinit */
    pid_t pid;             /* 0: none, or it has ended */
    int out_fd, err_fd;    /* -1: closed */
    pml_child_text out, err;
    uint64_t start_ns, deadline_ns; /* CLOCK_MONOTONIC; deadline 0: none */
    uint64_t kill_ns;               /* when a polite request becomes an order; 0: none was made */
    bool timed_out;

    /* Once it has ended: */
    int exit_code;     /* 128 + signal when it was ended by one */
    int signal_number; /* 0: none */
    double seconds;
} pml_child;

/* Starts `program` with the arguments (a NULL at the end; the first is its name). It ends with this process, whatever
 * ends that. stdin is empty. Errors: IO (no process, no pipe), MEMORY. */
pml_status pml_child_start(const char *program, const char *const *arguments, const pml_child_limits *limits,
                           pml_child *child, pml_error *error) PML_WARN_UNUSED;
/* What to wait for: fills up to two entries and returns how many. */
size_t pml_child_poll(const pml_child *child, struct pollfd *entries);
/* Collects what it wrote, keeps its deadlines, and tells whether it has ended (then it is deinit's turn). Output that
 * finds no memory is dropped: `was_cut`. */
bool pml_child_advance(pml_child *child);
/* Asks it to end; after some seconds it is killed. */
void pml_child_stop(pml_child *child);
/* Kills it if it still runs, and frees. */
void pml_child_deinit(pml_child *child);

uint64_t pml_now_ns(void); /* CLOCK_MONOTONIC */

#endif
