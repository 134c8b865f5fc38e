/* How many threads may compute here side by side. */
#ifndef PML_RUNTIME_BASE_CPU_COUNT_H
#define PML_RUNTIME_BASE_CPU_COUNT_H

#include "runtime/base/error.h"

/* The least of: physical cores that this thread may run on (sched_getaffinity; hardware threads of one core count once)
 * and whole processors of the control group's quota and of every group above it (cgroup v1 and v2), both divided by the
 * number of ranks that an MPI or torchrun launcher starts on this host; SLURM_CPUS_PER_TASK; OMP_NUM_THREADS. At least
 * 1. */
size_t pml_cpu_count(void);

/* What the user asks for: the environment variable PML_THREADS, a whole number from 1 to PML_MAX_THREADS; unset or
 * empty: pml_cpu_count(), at most PML_MAX_THREADS. Errors: ARGUMENT. */
pml_status pml_cpu_threads(size_t *n_threads, pml_error *error) PML_WARN_UNUSED;
/* That error alone, without counting. */
pml_status pml_cpu_threads_check(pml_error *error) PML_WARN_UNUSED;

/* The parts of it that read files, below the folder `root` ("" is the real one). */
/* Physical cores among the `n_cpus` CPUs whose bits are set in `mask` (bit i % 8 of byte i / 8). */
size_t pml_cpu_cores(const char *root, const unsigned char *mask, size_t n_cpus);
/* Whole processors that the quota allows, at least 1; SIZE_MAX: no quota. cpu_quota.c */
size_t pml_cpu_quota(const char *root);

#endif
