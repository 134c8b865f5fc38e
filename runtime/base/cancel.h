/* Cooperative cancellation: pml_cancel_request (runtime/pml.h) sets a flag, long loops ask here. */
#ifndef PML_RUNTIME_BASE_CANCEL_H
#define PML_RUNTIME_BASE_CANCEL_H

#include <stdbool.h>

#include "runtime/base/error.h"

/* PML_E_INTERRUPTED once cancellation was requested. */
pml_status pml_cancel_check(pml_error *error) PML_WARN_UNUSED;

/* While held, pml_cancel_check says nothing: for work that other processes wait for, which ends where all of them
 * agreed. Nothing is forgotten: pml_cancel_is_requested tells, held or not. */
void pml_cancel_hold(bool is_held);
bool pml_cancel_is_requested(void);

#endif
