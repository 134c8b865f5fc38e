/* Names of temporary files that tell who writes them: "<host>.<pid>.<16 hexadecimal digits>" at the end of a name, so
 * that what a killed process left can be told from what a living one needs, without trusting any lock. */
#ifndef PML_RUNTIME_BASE_PROCESS_MARK_H
#define PML_RUNTIME_BASE_PROCESS_MARK_H

#include "runtime/base/error.h"

#define PML_PROCESS_HOST_BYTES 33u
#define PML_PROCESS_MARK_BYTES 80u

/* This host's name as it stands in marks: letters, digits, '-' and '_' only. */
void pml_process_host(char host[PML_PROCESS_HOST_BYTES]);
/* A mark of this process that no other file has. Errors: IO. */
pml_status pml_process_mark(char mark[PML_PROCESS_MARK_BYTES], pml_error *error) PML_WARN_UNUSED;
/* Takes the first `length` bytes of a name apart that ends in ".<mark>": *n_before bytes stand before that point. False
 * for any other name. */
bool pml_process_mark_read(const char *name, size_t length, size_t *n_before, char host[PML_PROCESS_HOST_BYTES],
                           long *pid);
/* Whether a process of this host has ended. One that nobody waited for has ended too: the kernel keeps its number, but
 * none of its files. */
bool pml_process_has_ended(long pid);

#endif
