/* Threads of a library: they block all signals but those of faults, so that handlers run in the host's own threads. */
#ifndef PML_RUNTIME_BASE_THREAD_START_H
#define PML_RUNTIME_BASE_THREAD_START_H

#include <pthread.h>

/* A thread with a stack of 1 MiB. Returns 0, or the reason why there is none, as errno would say it. */
int pml_thread_start(pthread_t *thread, void *(*work)(void *user), void *user);

#endif
