/* A child process that reads a file nobody trusts with a library that nobody should trust with it. It is a copy of this
 * process (fork without exec: the mapped file comes along, nothing has to be found on disk) that gives up every right
 * before the library sees a byte: no new descriptors (so no files, no network), no memory, time or output beyond a
 * limit, no system calls but those of computing (seccomp, where the kernel has it). What it says comes through a pipe
 * and is checked like any foreign file. A crash in it is a message here. */
#ifndef PML_FORMATS_HDF5_HDF5_CHILD_H
#define PML_FORMATS_HDF5_HDF5_CHILD_H

#include <sys/types.h>

#include "formats/hdf5/hdf5_record.h"
#include "runtime/base/error.h"

typedef struct pml_hdf5_limits {
    uint64_t memory_bytes; /* beyond what this process has mapped */
    unsigned seconds;      /* of computing */
} pml_hdf5_limits;

typedef struct pml_hdf5_child { /* all zero = none, safe to end */
    pid_t pid;
    int fd;
    const char *path; /* for messages, borrowed */
    unsigned seconds;
} pml_hdf5_child;

/* Starts a child that runs work(context, fd) and ends. It may be started from a process with threads: the work must not
 * need what other threads do. Errors: IO (no process, no pipe). */
pml_status pml_hdf5_child_start(const char *path, const pml_hdf5_limits *limits,
                                void (*work)(const void *context, int fd), const void *context, pml_hdf5_child *child,
                                pml_error *error) PML_WARN_UNUSED;
/* The next bytes that the child says, all of them. Errors: FORMAT (it ended before, or went silent: what the file did
 * to it is in the message), IO. */
pml_status pml_hdf5_child_read(pml_hdf5_child *child, void *bytes, size_t size_bytes, pml_error *error) PML_WARN_UNUSED;
/* Ends it, whatever it is doing. */
void pml_hdf5_child_end(pml_hdf5_child *child);

#endif
