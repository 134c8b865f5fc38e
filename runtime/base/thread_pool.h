/* A few threads that wait for work: what one step of a computation is split over.
 *
 * The caller of pml_thread_pool_run is one of the threads. Between jobs the others first spin for some microseconds,
 * because the next job of a model comes soon, and then sleep. Each takes over the caller's float mode. They block all
 * signals but those of faults, so that handlers run in the host's own threads. */
#ifndef PML_RUNTIME_BASE_THREAD_POOL_H
#define PML_RUNTIME_BASE_THREAD_POOL_H

#include "runtime/base/error.h"

typedef struct pml_thread_pool pml_thread_pool;
typedef void pml_task_fn(void *user, size_t i_task);

/* A pool of `n_threads`, the caller's included: 1 to PML_MAX_THREADS. Where the operating system gives fewer threads
 * the pool is smaller, and a warning says so. Errors: ARGUMENT, MEMORY. */
pml_status pml_thread_pool_create(size_t n_threads, pml_thread_pool **pool, pml_error *error) PML_WARN_UNUSED;
/* Ends its threads. No job may be running. In a child of fork(), where they do not exist, only frees. NULL is allowed.
 */
void pml_thread_pool_destroy(pml_thread_pool *pool);

size_t pml_thread_pool_size(const pml_thread_pool *pool);
/* Whether this process is a child of the one that created the pool: its threads stayed behind, and run() does
 * everything itself. */
bool pml_thread_pool_is_foreign(const pml_thread_pool *pool);

/* Calls fn(user, i) for every i below n_tasks and returns when all are done. Thread t of T takes the tasks from t * n /
 * T up to (t + 1) * n / T, in order, whatever the others do; up to T tasks each have a thread of their own. Allocates
 * nothing. For one caller at a time, and not from within a task. */
void pml_thread_pool_run(pml_thread_pool *pool, size_t n_tasks, pml_task_fn *fn, void *user);

#endif
