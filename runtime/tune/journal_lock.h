/* The lock of a journal file: the file "JOURNAL.lock", which whoever writes creates and removes again.
 *
 * It excludes Optuna's own locks (`JournalFileSymlinkLock`, `JournalFileOpenLock`), which create the same name as a
 * link or a file and wait while there is one. Ours holds the mark of its worker (worker_mark.h). A lock whose worker
 * has ended is removed at once; any other one that has not changed for 30 s is removed as Optuna does it. */
#ifndef PML_RUNTIME_TUNE_JOURNAL_LOCK_H
#define PML_RUNTIME_TUNE_JOURNAL_LOCK_H

#include "runtime/base/error.h"

typedef struct pml_journal_lock {
    char *path;       /* of the lock, owned */
    int journal_fd;   /* borrowed: workers that remove a lock take turns by flock on it */
    const char *mark; /* borrowed */
    uint64_t grace_ms;
} pml_journal_lock;

/* Errors: MEMORY. */
pml_status pml_journal_lock_init(pml_journal_lock *lock, const char *journal, int journal_fd, const char *mark,
                                 pml_error *error) PML_WARN_UNUSED;
void pml_journal_lock_deinit(pml_journal_lock *lock);
/* Waits for it, as long as it takes. Errors: IO, INTERRUPTED. */
pml_status pml_journal_lock_take(pml_journal_lock *lock, pml_error *error) PML_WARN_UNUSED;
void pml_journal_lock_release(pml_journal_lock *lock);

#endif
