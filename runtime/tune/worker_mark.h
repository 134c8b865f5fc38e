/* Who writes a journal: names of workers that tell, on the same host, whether the process behind one has ended. */
#ifndef PML_RUNTIME_TUNE_WORKER_MARK_H
#define PML_RUNTIME_TUNE_WORKER_MARK_H

#include "runtime/base/error.h"

#define PML_WORKER_MARK_BYTES 160u

/* "pml.HOST.BOOT.NAMESPACE.PID.START.RANDOM" of this process: a number that the kernel gives again has another start, a
 * host that was started again another boot. Errors: IO. */
pml_status pml_worker_mark(char mark[PML_WORKER_MARK_BYTES], pml_error *error) PML_WARN_UNUSED;
/* True only where it is certain: a mark of ours, of this host, whose process is gone. */
bool pml_worker_has_ended(const char *mark);

#endif
