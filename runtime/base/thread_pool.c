#include "runtime/base/thread_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cpu_count.h"
#include "runtime/base/float_mode.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/base/thread_start.h"

/* How long a thread spins before it sleeps: longer than what a model does between two jobs, shorter than a time slice.
 */
#define SPIN_NS 50000
#define SPINS_PER_LOOK 32 /* at the clock */
#define LINE_BYTES 64 /* what two threads write lies on different lines of the cache */

/* Something that one thread waits for and others announce. */
typedef struct gate {
    atomic_bool has_sleeper;
    pthread_mutex_t mutex;
    pthread_cond_t moved;
} gate;

typedef struct worker {
    _Alignas(LINE_BYTES) atomic_uint round; /* changes when there is a job for it */
    gate gate;
    pthread_t thread;
    pml_thread_pool *pool;
    size_t i_thread;
} worker;

struct pml_thread_pool {
    size_t n_threads; /* the caller's included: one more than workers */
    unsigned fork_count;
    uint64_t spin_ns;
    /* The job. Written before the workers' rounds change, read after. */
    pml_task_fn *fn; /* NULL: end */
    void *user;
    size_t n_tasks, n_shares;
    uint64_t float_mode;
    _Alignas(LINE_BYTES) atomic_uint n_left; /* workers that are not done */
    gate gate;
    worker workers[];
};

/* ---- children of fork() ---- */
static atomic_uint fork_count;

static void count_fork(void) {
    atomic_fetch_add(&fork_count, 1);
}

static void watch_forks(void) {
    (void)pthread_atfork(NULL, NULL, count_fork);
}

bool pml_thread_pool_is_foreign(const pml_thread_pool *pool) {
    return pool->fork_count != atomic_load_explicit(&fork_count, memory_order_relaxed);
}

/* ---- waiting ---- */
static void gate_init(gate *g) {
    atomic_init(&g->has_sleeper, false);
    (void)pthread_mutex_init(&g->mutex, NULL);
    (void)pthread_cond_init(&g->moved, NULL);
}

static void gate_deinit(gate *g) {
    (void)pthread_cond_destroy(&g->moved);
    (void)pthread_mutex_destroy(&g->mutex);
}

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint64_t now_ns(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Whether *value is `wanted`, or is not, as `equal` says. */
static inline bool has_come(atomic_uint *value, unsigned wanted, bool equal) {
    return (atomic_load(value) == wanted) == equal;
}

/* Returns when has_come. Whoever changes the value calls `announce` afterwards: of the sleeper's flag and the value,
 * each side writes one before it reads the other, so that one of them sees the other. */
static void wait_for(gate *g, atomic_uint *value, unsigned wanted, bool equal, uint64_t spin_ns) {
    const uint64_t end = spin_ns == 0 ? 0 : now_ns() + spin_ns;
    do {
        for (int i = 0; i < SPINS_PER_LOOK; i++) {
            if (has_come(value, wanted, equal)) {
                return;
            }
            relax();
        }
    } while (spin_ns != 0 && now_ns() < end);
    (void)pthread_mutex_lock(&g->mutex);
    atomic_store(&g->has_sleeper, true);
    while (!has_come(value, wanted, equal)) {
        (void)pthread_cond_wait(&g->moved, &g->mutex);
    }
    atomic_store(&g->has_sleeper, false);
    (void)pthread_mutex_unlock(&g->mutex);
}

static void announce(gate *g) {
    if (atomic_load(&g->has_sleeper)) {
        (void)pthread_mutex_lock(&g->mutex);
        (void)pthread_cond_signal(&g->moved);
        (void)pthread_mutex_unlock(&g->mutex);
    }
}

/* ---- work ---- */
static void run_share(const pml_thread_pool *pool, size_t i_share) {
    const size_t n = pool->n_tasks, n_shares = pool->n_shares;
    const size_t each = n / n_shares, rest = n % n_shares;
    /* i * n / n_shares without a product that could overflow */
    const size_t begin = i_share * each + i_share * rest / n_shares;
    const size_t end = (i_share + 1) * each + (i_share + 1) * rest / n_shares;
    for (size_t i = begin; i < end; i++) {
        pool->fn(pool->user, i);
    }
}

static void *work(void *user) {
    worker *self = user;
    pml_thread_pool *pool = self->pool;
    for (unsigned round = 0;;) {
        wait_for(&self->gate, &self->round, round, false, pool->spin_ns);
        round = atomic_load(&self->round);
        if (pool->fn == NULL) {
            return NULL;
        }
        if (pml_float_mode_get() != pool->float_mode) {
            pml_float_mode_set(pool->float_mode);
        }
        run_share(pool, self->i_thread);
        if (atomic_fetch_sub(&pool->n_left, 1) == 1) {
            announce(&pool->gate);
        }
    }
}

/* Lets worker t, counted from 1, begin the job that the pool holds. */
static void send(pml_thread_pool *pool, size_t i_thread) {
    worker *w = &pool->workers[i_thread - 1];
    atomic_fetch_add(&w->round, 1);
    announce(&w->gate);
}

void pml_thread_pool_run(pml_thread_pool *pool, size_t n_tasks, pml_task_fn *fn, void *user) {
    const size_t most = pml_thread_pool_is_foreign(pool) ? 1 : pool->n_threads;
    const size_t n_shares = n_tasks < most ? n_tasks : most;
    if (n_shares <= 1) {
        for (size_t i = 0; i < n_tasks; i++) {
            fn(user, i);
        }
        return;
    }
    pool->fn = fn;
    pool->user = user;
    pool->n_tasks = n_tasks;
    pool->n_shares = n_shares;
    pool->float_mode = pml_float_mode_get();
    atomic_store(&pool->n_left, (unsigned)(n_shares - 1));
    for (size_t t = 1; t < n_shares; t++) {
        send(pool, t);
    }
    run_share(pool, 0);
    wait_for(&pool->gate, &pool->n_left, 0, true, pool->spin_ns);
}

/* ---- life ---- */
/* Starts as many of the workers as the system gives; returns why it stopped, or 0. */
static int start_workers(pml_thread_pool *pool, size_t n_threads) {
    int reason = 0;
    while (reason == 0 && pool->n_threads < n_threads) {
        worker *w = &pool->workers[pool->n_threads - 1];
        w->pool = pool;
        w->i_thread = pool->n_threads;
        atomic_init(&w->round, 0);
        gate_init(&w->gate);
        reason = pml_thread_start(&w->thread, work, w);
        if (reason == 0) {
            pool->n_threads++;
        } else {
            gate_deinit(&w->gate);
        }
    }
    return reason;
}

pml_status pml_thread_pool_create(size_t n_threads, pml_thread_pool **pool, pml_error *error) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pml_status status = PML_OK;
    void *storage = NULL;
    *pool = NULL;
    if (n_threads < 1 || n_threads > PML_MAX_THREADS) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%zu threads: there may be 1 to %u", n_threads, PML_MAX_THREADS));
    }
    (void)pthread_once(&once, watch_forks);
    const size_t size_bytes = sizeof **pool + (n_threads - 1) * sizeof(worker);
    PML_TRY(pml_alloc_aligned(size_bytes, &storage, error));
    memset(storage, 0, size_bytes);
    pml_thread_pool *made = storage;
    made->n_threads = 1;
    made->fork_count = atomic_load(&fork_count);
    /* Who spins where there are fewer processors than threads keeps another one from working. */
    made->spin_ns = n_threads <= pml_cpu_count() ? SPIN_NS : 0;
    atomic_init(&made->n_left, 0);
    gate_init(&made->gate);
    const int reason = start_workers(made, n_threads);
    if (reason != 0) {
        pml_log(PML_LOG_WARNING, "the system gives %zu of %zu threads: %s", made->n_threads, n_threads,
                strerror(reason));
    }
    *pool = made;

done:
    return status;
}

void pml_thread_pool_destroy(pml_thread_pool *pool) {
    if (pool == NULL) {
        return;
    }
    if (!pml_thread_pool_is_foreign(pool)) {
        pool->fn = NULL;
        for (size_t t = 1; t < pool->n_threads; t++) {
            send(pool, t);
        }
        for (size_t t = 1; t < pool->n_threads; t++) {
            (void)pthread_join(pool->workers[t - 1].thread, NULL);
            gate_deinit(&pool->workers[t - 1].gate);
        }
        gate_deinit(&pool->gate);
    }
    pml_free(pool);
}

size_t pml_thread_pool_size(const pml_thread_pool *pool) {
    return pool->n_threads;
}
