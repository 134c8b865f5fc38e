/* Publishing a file whole or not at all: unique temporary beside the target, space reserved, written, fsynced,
 * renamed, directory fsynced. Used by every writer of pml. */
#ifndef PML_RUNTIME_BASE_PUBLISH_H
#define PML_RUNTIME_BASE_PUBLISH_H

#include "runtime/base/error.h"

typedef struct pml_publish pml_publish;

/* Creates ".<name>.tmp.<host>.<pid>.<random>" (O_EXCL, flocked) in the directory of `target`; reserves `reserve_bytes`
 * (0: none). `replace` false: an existing target is PML_E_ARGUMENT here and at commit. Errors: IO, ARGUMENT, MEMORY. */
pml_status pml_publish_begin(const char *target, uint64_t reserve_bytes, bool replace, pml_publish **publish,
                             pml_error *error) PML_WARN_UNUSED;
/* The same for work that an interrupted process leaves half done on purpose: the temporary is ".<name>.part", kept by
 * abort and by signals, and opened again with what it holds; *have_bytes is how long it is. What of that is right is
 * the caller's to find out. Errors also: BUSY (another process holds it). */
pml_status pml_publish_resume(const char *target, bool replace, pml_publish **publish, uint64_t *have_bytes,
                              pml_error *error) PML_WARN_UNUSED;
/* Reads back bytes of the temporary; all of them must be there. Errors: IO. */
pml_status pml_publish_read(const pml_publish *publish, uint64_t offset_bytes, void *bytes, size_t size_bytes,
                            pml_error *error) PML_WARN_UNUSED;
/* Sets the temporary's size, and reserves the space for it. Errors: IO. */
pml_status pml_publish_set_size(pml_publish *publish, uint64_t size_bytes, pml_error *error) PML_WARN_UNUSED;
/* Ends the publication and removes what pml_publish_resume would have kept; NULL is allowed. */
void pml_publish_discard(pml_publish *publish);
/* What pml_publish_begin would refuse, found without writing anything: for programs that work long before they write.
 */
pml_status pml_publish_check(const char *target, bool replace, pml_error *error) PML_WARN_UNUSED;
/* A free name beside `target`, for a file that its maker removes itself: should the maker die before, the next
 * publication in that directory sweeps it away. *path is the caller's (pml_free). */
pml_status pml_publish_scratch_path(const char *target, char **path, pml_error *error) PML_WARN_UNUSED;
const char *pml_publish_temporary_path(const pml_publish *publish);
/* Writes all bytes at an offset, whatever short writes and EINTR do. Checks for cancellation. */
pml_status pml_publish_write(pml_publish *publish, uint64_t offset_bytes, const void *bytes, size_t size_bytes,
                             pml_error *error) PML_WARN_UNUSED;
/* fsync of the temporary (never retried); call before checks that reread it. */
pml_status pml_publish_sync(pml_publish *publish, pml_error *error) PML_WARN_UNUSED;
/* Syncs if needed, renames, syncs the directory, frees. On error removes the temporary and frees too. */
pml_status pml_publish_commit(pml_publish *publish, pml_error *error) PML_WARN_UNUSED;
/* Removes the temporary and frees; NULL is allowed. */
void pml_publish_abort(pml_publish *publish);

/* Unlinks every temporary of this process. Async-signal-safe: for handlers that are about to end the process. */
void pml_publish_unlink_all(void);

#endif
