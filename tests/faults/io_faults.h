/* The faults that the shim (tests/faults/io_shim.c) can make, in rows, and the loop over every N. */
#ifndef PML_TESTS_FAULTS_IO_FAULTS_H
#define PML_TESTS_FAULTS_IO_FAULTS_H

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/harness.h"

typedef struct io_fault {
    const char *call;
    int error;        /* 0: fewer bytes than asked for */
    bool is_overcome; /* the program goes on and ends well */
} io_fault;

static const io_fault io_faults[] = {
    {"open", EIO, false},       {"open", EMFILE, false},   {"read", EIO, false},     {"read", EINTR, true},
    {"read", 0, true},          {"pread", EIO, false},     {"pread", EINTR, true},   {"pread", 0, true},
    {"write", EIO, false},      {"write", ENOSPC, false},  {"pwrite", EIO, false},   {"pwrite", ENOSPC, false},
    {"pwrite", EDQUOT, false},  {"pwrite", EINTR, true},   {"pwrite", 0, true},      {"fallocate", ENOSPC, false},
    {"fallocate", EINTR, true}, {"ftruncate", EIO, false}, {"fsync", EIO, false},    {"close", EIO, false},
    {"rename", EIO, false},     {"rename", ENOSPC, false}, {"mkdir", ENOSPC, false}, {"symlink", ENOSPC, false},
    {"mmap", ENOMEM, false},
};
enum { N_IO_FAULTS = sizeof io_faults / sizeof io_faults[0] };

/* "LD_PRELOAD=… PML_FAULT=… PML_FAULT_MARK=…" for the Nth call. */
static inline const char *io_fault_variables(const io_fault *fault, unsigned n, const char *mark) {
    return fault->error == 0
               ? pml_test_path("LD_PRELOAD=%s/tests/libio_shim.so PML_FAULT=%s:%u:short PML_FAULT_MARK=%s",
                               pml_test_binary_dir(), fault->call, n, mark)
               : pml_test_path("LD_PRELOAD=%s/tests/libio_shim.so PML_FAULT=%s:%u:%d PML_FAULT_MARK=%s",
                               pml_test_binary_dir(), fault->call, n, fault->error, mark);
}

/* Whether the fault of the last run happened; forgets it. */
static inline bool io_fault_happened(const char *mark) {
    return unlink(mark) == 0;
}

#endif
