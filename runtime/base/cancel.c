#include "runtime/base/cancel.h"

#include <signal.h>

static volatile sig_atomic_t requested, held;

void pml_cancel_request(void) {
    requested = 1;
}

void pml_cancel_reset(void) {
    requested = 0;
}

pml_status pml_cancel_check(pml_error *error) {
    return requested && !held ? PML_FAIL(error, PML_E_INTERRUPTED, "interrupted") : PML_OK;
}

void pml_cancel_hold(bool is_held) {
    held = is_held;
}

bool pml_cancel_is_requested(void) {
    return requested != 0;
}
