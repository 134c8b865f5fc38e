#include "runtime/base/thread_start.h"

#include <signal.h>
#include <stddef.h>

#define STACK_BYTES ((size_t)1 << 20)

/* Signals that the host handles stay with its threads; those that a fault in this thread raises must come through. */
static void block_signals(sigset_t *before) {
    static const int faults[] = {SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    sigset_t set;
    (void)sigfillset(&set);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        (void)sigdelset(&set, faults[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &set, before);
}

int pml_thread_start(pthread_t *thread, void *(*work)(void *user), void *user) {
    pthread_attr_t attributes;
    sigset_t before;
    int reason = pthread_attr_init(&attributes);
    if (reason != 0) {
        return reason;
    }
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    block_signals(&before); /* a thread begins with its maker's mask */
    reason = pthread_create(thread, &attributes, work, user);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return reason;
}
