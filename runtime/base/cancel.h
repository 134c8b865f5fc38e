/* Cooperative cancellation: pml_cancel_request (runtime/pml.h) sets a flag, long loops ask here. */
#ifndef PML_RUNTIME_BASE_CANCEL_H
#define PML_RUNTIME_BASE_CANCEL_H

#include "runtime/base/error.h"

/* PML_E_INTERRUPTED once cancellation was requested. */
pml_status pml_cancel_check(pml_error *error) PML_WARN_UNUSED;

#endif
