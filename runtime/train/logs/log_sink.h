/* The interface of a form of training log: one file here, one line in registry.def. */
#ifndef PML_RUNTIME_TRAIN_LOGS_LOG_SINK_H
#define PML_RUNTIME_TRAIN_LOGS_LOG_SINK_H

#include "runtime/train/logs/train_log.h"

typedef struct pml_log_sink {
    const char *name;    /* the registry's */
    const char *summary; /* what it writes, one line */
    /* Begins, or goes on behind setup->state->global_step where the run is resumed. *self goes to the others, and to
     * close if open succeeded. */
    pml_status (*open)(const pml_train_log_setup *setup, void **self, pml_error *error);
    /* A record, already in the history, goes to the operating system. NULL: the sink writes at flush only. */
    pml_status (*write)(void *self, const pml_log_record *record, pml_error *error);
    /* Everything is readable as of now. NULL: it always is. */
    pml_status (*flush)(void *self, pml_error *error);
    void (*close)(void *self);
} pml_log_sink;

/* "<folder>/<name>"; the caller's (pml_free). Errors: MEMORY. */
pml_status pml_log_path(const char *folder, const char *name, char **path, pml_error *error) PML_WARN_UNUSED;

#endif
