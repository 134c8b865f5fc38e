/* The steps of one job, without the order in which jobs run: looking at what is there, fetching, converting, judging
 * how a step ended. */
#ifndef PML_CONVERT_BATCH_BATCH_STEPS_H
#define PML_CONVERT_BATCH_BATCH_STEPS_H

#include "convert/batch/batch.h"
#include "convert/batch/child_process.h"
#include "convert/batch/output_lock.h"
#include "convert/batch/output_state.h"

typedef enum pml_task_state {
    PML_TASK_WAITING,
    PML_TASK_FETCHING,
    PML_TASK_READY, /* its source lies here, and it has to be converted */
    PML_TASK_CONVERTING,
    PML_TASK_ENDED
} pml_task_state;

typedef struct pml_task { /* zero with its job and target = waiting */
    pml_batch_job *job;
    pml_task_state state;
    const char *target; /* path of the output */
    char *scratch;      /* where the conversion goes when the output exists and has to be compared; NULL: target */
    pml_output_lock lock;
    pml_child child;
    bool replaces;    /* the conversion may replace the target */
    bool needs_alone; /* it ran out of its share of memory */
    bool was_alone;
    bool is_decided;   /* for the identity that its job has */
    uint64_t busy_ns;  /* since when the output is another's; 0: it is not */
    uint64_t retry_ns; /* not looked at before */
} pml_task;

/* Who is asked in all of them. */
typedef struct pml_steps {
    const pml_batch_settings *settings;
    pml_journal *journal;
    pml_arena *texts;
    pml_status journal_status; /* the first failure to write it */
    pml_error journal_error;
} pml_steps;

/* Takes the lock and finds out whether anything is to be done. Afterwards the task has ended, is READY (a local
 * source), waits for another process (`retry_ns`), or is WAITING with its lock held: it is to be fetched.
 * Errors: MEMORY. */
pml_status pml_steps_examine(pml_steps *steps, pml_task *task, pml_error *error) PML_WARN_UNUSED;

/* Start a process. A process that cannot be started ends the job. Errors: MEMORY. */
pml_status pml_steps_fetch(pml_steps *steps, pml_task *task, uint64_t memory_bytes, pml_error *error) PML_WARN_UNUSED;
pml_status pml_steps_convert(pml_steps *steps, pml_task *task, uint64_t memory_bytes, pml_error *error) PML_WARN_UNUSED;

/* Its process has ended: what that means. Errors: MEMORY. */
pml_status pml_steps_fetched(pml_steps *steps, pml_task *task, pml_error *error) PML_WARN_UNUSED;
pml_status pml_steps_converted(pml_steps *steps, pml_task *task, pml_error *error) PML_WARN_UNUSED;

/* Lets go of everything but the job. */
void pml_task_deinit(pml_task *task);

#endif
