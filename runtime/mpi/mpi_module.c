/* Ranks joined by MPI. A failure of MPI itself ends all ranks, with MPI's message: its default. */
#include <limits.h>
#include <mpi.h>
#include <time.h>

#include "runtime/train/rank_module.h"

/* Sums that have begun have a communicator of their own, so that their order among the other calls does not matter; so
 * has the last meeting, which a rank that failed goes to while others are elsewhere. */
static MPI_Comm sums, calls, meetings;
static MPI_Request requests[PML_RANKS_MAX_SUMS];
static int n_requests;

/* Bytes of one call: its count is an int. */
#define MOST_BYTES ((size_t)1 << 30)

static pml_status open_ranks(size_t *i_rank, size_t *n_ranks, pml_error *error) {
    int rank = 0, size = 0, level = MPI_THREAD_SINGLE;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS || level < MPI_THREAD_FUNNELED) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "MPI does not start in a program with threads");
    }
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &size);
    (void)MPI_Comm_dup(MPI_COMM_WORLD, &sums);
    (void)MPI_Comm_dup(MPI_COMM_WORLD, &calls);
    (void)MPI_Comm_dup(MPI_COMM_WORLD, &meetings);
    *i_rank = (size_t)rank;
    *n_ranks = (size_t)size;
    return PML_OK;
}

static void sums_wait(void) {
    (void)MPI_Waitall(n_requests, requests, MPI_STATUSES_IGNORE);
    n_requests = 0;
}

static void sum_begin(float *values, size_t count) {
    if (n_requests == (int)PML_RANKS_MAX_SUMS) {
        sums_wait();
    }
    (void)MPI_Iallreduce(MPI_IN_PLACE, values, (int)count, MPI_FLOAT, MPI_SUM, sums, &requests[n_requests++]);
}

static void sums_go_on(void) {
    int are_done = 0;
    if (n_requests > 0) {
        (void)MPI_Testall(n_requests, requests, &are_done, MPI_STATUSES_IGNORE);
    }
}

static void sum(double *values, size_t count) {
    (void)MPI_Allreduce(MPI_IN_PLACE, values, (int)count, MPI_DOUBLE, MPI_SUM, calls);
}

static void gather(const void *mine, size_t size_bytes, void *all) {
    (void)MPI_Allgather(mine, (int)size_bytes, MPI_BYTE, all, (int)size_bytes, MPI_BYTE, calls);
}

static void broadcast(void *bytes, size_t size_bytes) {
    char *at = bytes;
    for (size_t left = size_bytes; left > 0;) {
        const size_t part = left < MOST_BYTES ? left : MOST_BYTES;
        (void)MPI_Bcast(at, (int)part, MPI_BYTE, 0, calls);
        at += part;
        left -= part;
    }
}

/* Naps in place of waiting inside of MPI, which would take a processor from those that still work. */
static bool meet(const void *mine, size_t size_bytes, void *all, double seconds) {
    static const struct timespec nap = {0, 1000000};
    const double begin = MPI_Wtime();
    MPI_Request request;
    int is_done = 0;
    (void)MPI_Iallgather(mine, (int)size_bytes, MPI_BYTE, all, (int)size_bytes, MPI_BYTE, meetings, &request);
    for (;;) {
        (void)MPI_Test(&request, &is_done, MPI_STATUS_IGNORE);
        if (is_done || (seconds > 0 && MPI_Wtime() - begin > seconds)) {
            return is_done != 0;
        }
        (void)nanosleep(&nap, NULL);
    }
}

static void close_ranks(void) {
    (void)MPI_Finalize();
}

static void abort_ranks(int exit_code) {
    (void)MPI_Abort(MPI_COMM_WORLD, exit_code);
}

__attribute__((visibility("default"))) extern const pml_rank_module pml_rank_module_mpi;
const pml_rank_module pml_rank_module_mpi = {.version = PML_RANK_MODULE_VERSION,
                                             .open = open_ranks,
                                             .sum_begin = sum_begin,
                                             .sums_go_on = sums_go_on,
                                             .sums_wait = sums_wait,
                                             .sum = sum,
                                             .gather = gather,
                                             .broadcast = broadcast,
                                             .meet = meet,
                                             .close = close_ranks,
                                             .abort = abort_ranks};
