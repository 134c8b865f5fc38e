#include "runtime/base/thread_pool.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/float_mode.h"
#include "runtime/base/limits.h"
#include "tests/harness.h"

static pml_error error;

static pml_thread_pool *make(size_t n_threads) {
    pml_thread_pool *pool = NULL;
    PML_ASSERT_OK(pml_thread_pool_create(n_threads, &pool, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
    CU_ASSERT_EQUAL(pml_thread_pool_size(pool), n_threads);
    return pool;
}

enum { MOST_TASKS = 300 };

typedef struct record {
    unsigned counts[MOST_TASKS]; /* plain: tasks do not share them, and the end of a run makes them visible */
    pthread_t threads[MOST_TASKS];
    uint64_t modes[MOST_TASKS];
    sigset_t masks[MOST_TASKS];
} record;

static void note(void *user, size_t i_task) {
    record *r = user;
    r->counts[i_task]++;
    r->threads[i_task] = pthread_self();
    r->modes[i_task] = pml_float_mode_get();
    (void)pthread_sigmask(SIG_SETMASK, NULL, &r->masks[i_task]);
}

static void every_task_runs_once_on_the_same_thread_each_time(void) {
    static const size_t sizes[] = {1, 2, 3, 5, 8};
    static record first, second;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        pml_thread_pool *pool = make(sizes[s]);
        for (size_t n = 0; n <= MOST_TASKS; n = n < 20 ? n + 1 : n + 93) {
            memset(&first, 0, sizeof first);
            memset(&second, 0, sizeof second);
            pml_thread_pool_run(pool, n, note, &first);
            pml_thread_pool_run(pool, n, note, &second);
            size_t n_threads = n > 0;
            for (size_t i = 0; i < n; i++) {
                CU_ASSERT_EQUAL(first.counts[i], 1);
                CU_ASSERT_TRUE(pthread_equal(first.threads[i], second.threads[i]) != 0);
                n_threads += i > 0 && !pthread_equal(first.threads[i], first.threads[i - 1]);
            }
            CU_ASSERT_EQUAL(n_threads, n < sizes[s] ? n : sizes[s]);
            CU_ASSERT_TRUE(n == 0 || pthread_equal(first.threads[0], pthread_self()));
            CU_ASSERT_EQUAL(n == MOST_TASKS ? 0 : first.counts[n], 0);
        }
        pml_thread_pool_destroy(pool);
    }
    pml_thread_pool_destroy(NULL);
}

static void add(void *user, size_t i_task) {
    ((size_t *)user)[i_task] += i_task;
}

static void many_short_jobs_follow_each_other(void) {
    pml_thread_pool *pool = make(3);
    size_t sums[3] = {0};
    const uint64_t before = pml_allocation_count();
    for (size_t i = 0; i < 20000; i++) {
        pml_thread_pool_run(pool, 1 + i % 3, add, sums);
        if (i % 5000 == 0) {
            (void)usleep(2000); /* long enough for the threads to go to sleep */
        }
    }
    CU_ASSERT_EQUAL(pml_allocation_count(), before);
    CU_ASSERT_EQUAL(sums[1], 20000 / 3 * 2 + 1);
    CU_ASSERT_EQUAL(sums[2], 20000 / 3 * 2);
    pml_thread_pool_destroy(pool);
}

/* Denormals to zero on x86-64, or rounding upwards elsewhere: anything that is not the usual. */
static void every_thread_computes_in_the_callers_float_mode(void) {
    static record r;
    const uint64_t usual = pml_float_mode_get();
#if defined(__x86_64__)
    const uint64_t other = usual | 0x8040;
#elif defined(__aarch64__)
    const uint64_t other = usual | (uint64_t)1 << 24;
#else
    const uint64_t other = FE_UPWARD;
#endif
    pml_thread_pool *pool = make(4);
    pml_float_mode_set(other);
    pml_thread_pool_run(pool, 4, note, &r);
    pml_float_mode_set(usual);
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(r.modes[i], other);
    }
    pml_thread_pool_run(pool, 4, note, &r);
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(r.modes[i], usual);
    }
    pml_thread_pool_destroy(pool);
}

static void threads_leave_signals_to_the_host(void) {
    static record r;
    pml_thread_pool *pool = make(2);
    pml_thread_pool_run(pool, 2, note, &r);
    CU_ASSERT_EQUAL(sigismember(&r.masks[0], SIGINT), 0);
    CU_ASSERT_EQUAL(sigismember(&r.masks[1], SIGINT), 1);
    CU_ASSERT_EQUAL(sigismember(&r.masks[1], SIGTERM), 1);
    CU_ASSERT_EQUAL(sigismember(&r.masks[1], SIGBUS), 0); /* a truncated file: the host's handler must see it */
    pml_thread_pool_destroy(pool);
}

static void sizes_out_of_range_are_refused(void) {
    pml_thread_pool *pool = NULL;
    PML_ASSERT_FAILS(pml_thread_pool_create(0, &pool, &error), PML_E_ARGUMENT, &error, "0 threads");
    PML_ASSERT_FAILS(pml_thread_pool_create(PML_MAX_THREADS + 1, &pool, &error), PML_E_ARGUMENT, &error, "1 to 1024");
    PML_ASSERT_FAILS(pml_thread_pool_create(SIZE_MAX, &pool, &error), PML_E_ARGUMENT, &error, NULL);
    pml_test_fail_allocation(1, false);
    PML_ASSERT_FAILS(pml_thread_pool_create(2, &pool, &error), PML_E_MEMORY, &error, NULL);
    pml_test_fail_allocation(0, false);
    CU_ASSERT_PTR_NULL(pool);
}

static void a_child_computes_alone(void) {
    if (pml_test_cannot_fork()) {
        return;
    }
    static record r;
    pml_thread_pool *pool = make(3);
    pml_thread_pool_run(pool, 3, note, &r);
    CU_ASSERT_FALSE(pml_thread_pool_is_foreign(pool));
    const pid_t child = fork();
    CU_ASSERT_TRUE_FATAL(child >= 0);
    if (child == 0) {
        pml_thread_pool *own = NULL;
        memset(&r, 0, sizeof r);
        pml_thread_pool_run(pool, 5, note, &r);
        bool is_right = pml_thread_pool_is_foreign(pool) && r.counts[0] == 1 && r.counts[4] == 1;
        pml_thread_pool_destroy(pool);
        is_right = is_right && pml_thread_pool_create(2, &own, NULL) == PML_OK && !pml_thread_pool_is_foreign(own);
        if (is_right) {
            pml_thread_pool_run(own, 2, note, &r);
            is_right = r.counts[1] == 2;
        }
        pml_thread_pool_destroy(own);
        _exit(is_right ? 0 : 1);
    }
    int status = 1;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    memset(r.counts, 0, sizeof r.counts);
    pml_thread_pool_run(pool, 5, note, &r);
    CU_ASSERT_TRUE(r.counts[0] == 1 && r.counts[4] == 1);
    pml_thread_pool_destroy(pool);
}

#if !defined(PML_TEST_SANITIZED) /* a sanitizer has its own pthread_create in front */
static int n_threads_left = -1;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (real == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "pthread_create");
        memcpy(&real, &symbol, sizeof real);
    }
    if (n_threads_left == 0) {
        return EAGAIN;
    }
    n_threads_left -= n_threads_left > 0;
    return real(thread, attributes, start, argument);
}

static unsigned n_warnings;
static void count_warning(void *user, pml_log_level level, const char *line) {
    (void)user;
    n_warnings += level == PML_LOG_WARNING && strstr(line, "threads") != NULL;
}

static void fewer_threads_than_wanted_do_the_same(void) {
    static record r;
    pml_log_set(count_warning, NULL, PML_LOG_WARNING);
    for (int n = 0; n < 3; n++) {
        pml_thread_pool *pool = NULL;
        n_threads_left = n;
        PML_ASSERT_OK(pml_thread_pool_create(4, &pool, &error), &error);
        n_threads_left = -1;
        CU_ASSERT_EQUAL(n_warnings, (unsigned)n + 1);
        CU_ASSERT_EQUAL(pml_thread_pool_size(pool), (size_t)n + 1);
        memset(&r, 0, sizeof r);
        pml_thread_pool_run(pool, 7, note, &r);
        for (size_t i = 0; i < 7; i++) {
            CU_ASSERT_EQUAL(r.counts[i], 1);
        }
        pml_thread_pool_destroy(pool);
    }
    pml_log_set(NULL, NULL, PML_LOG_WARNING);
}
#else
static void fewer_threads_than_wanted_do_the_same(void) {
}
#endif

PML_TESTS("runtime/base/thread_pool", PML_TEST(every_task_runs_once_on_the_same_thread_each_time),
          PML_TEST(many_short_jobs_follow_each_other), PML_TEST(every_thread_computes_in_the_callers_float_mode),
          PML_TEST(threads_leave_signals_to_the_host), PML_TEST(sizes_out_of_range_are_refused),
          PML_TEST(a_child_computes_alone), PML_TEST(fewer_threads_than_wanted_do_the_same))
