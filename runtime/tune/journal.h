/* A file of lines to which many processes append, in Optuna's protocol (`JournalFileBackend`): a line is one record of
 * JSON, what is there never changes, and whoever appends holds the lock (journal_lock.h) until its bytes are on the
 * disk.
 *
 * A last line without its end is a write that was interrupted: it is not read, and cut off before the next append.
 * Without a file the lines are kept by nobody but the receiver. */
#ifndef PML_RUNTIME_TUNE_JOURNAL_H
#define PML_RUNTIME_TUNE_JOURNAL_H

#include "runtime/base/error.h"

typedef struct pml_journal pml_journal;

/* Takes one line, without its end; `number` counts from 1. */
typedef pml_status pml_journal_line_fn(void *user, const char *line, size_t size_bytes, uint64_t number,
                                       pml_error *error);

/* Opens a file for reading and appending; creates it where there is none, unless it `must_exist`. NULL: no file.
 * `mark` is who writes; borrowed. Errors: NOT_FOUND, IO, ARGUMENT (no regular file), MEMORY. */
pml_status pml_journal_open(const char *path, bool must_exist, const char *mark, pml_journal_line_fn *receive,
                            void *user, pml_journal **journal, pml_error *error) PML_WARN_UNUSED;
void pml_journal_close(pml_journal *journal); /* NULL is allowed */
/* Gives the receiver every whole line that it has not had. A line that it refuses is given again the next time.
 * Errors: the receiver's; IO; FORMAT (a line that is too long, or the file became shorter). */
pml_status pml_journal_sync(pml_journal *journal, pml_error *error) PML_WARN_UNUSED;
/* What is between lock and unlock sees nobody else's lines but those before; lock reads them. Errors: as sync;
 * INTERRUPTED. */
pml_status pml_journal_lock_begin(pml_journal *journal, pml_error *error) PML_WARN_UNUSED;
void pml_journal_lock_end(pml_journal *journal);
/* Appends whole lines (`text` ends with a line's end), puts them on the disk and reads them back. Takes the lock for
 * the time unless it is held. Errors: as sync; INTERRUPTED only before anything was written. */
pml_status pml_journal_append(pml_journal *journal, const char *text, size_t size_bytes,
                              pml_error *error) PML_WARN_UNUSED;
/* What messages call it. */
const char *pml_journal_name(const pml_journal *journal);

#endif
