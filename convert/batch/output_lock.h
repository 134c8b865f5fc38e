/* Locks of outputs: two processes, on one machine or several, do not make the same file at once. Losing one to a broken
 * network does no harm beyond work done twice: outputs appear whole, and never over another's. */
#ifndef PML_CONVERT_BATCH_OUTPUT_LOCK_H
#define PML_CONVERT_BATCH_OUTPUT_LOCK_H

#include "runtime/base/error.h"

/* A file beside the journal that holds host, process and start, made with O_EXCL; its time says that the holder lives.
 * zero = not held. */
typedef struct pml_output_lock {
    char *path;
} pml_output_lock;

/* Takes the lock of `output` (a path below `folder`). A lock whose holder ended is taken over: on this host at once, on
 * another once its time is 15 minutes old. Errors: BUSY (held; the message says by whom), IO, MEMORY. */
pml_status pml_output_lock_take(const char *folder, const char *output, pml_output_lock *lock,
                                pml_error *error) PML_WARN_UNUSED;
/* Says that the holder lives: once a minute is enough. */
void pml_output_lock_refresh(const pml_output_lock *lock);
void pml_output_lock_release(pml_output_lock *lock);

#endif
