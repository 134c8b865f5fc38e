/* Diagnostics go to one callback of the caller's; without one they go nowhere. Results never pass through here. */
#ifndef PML_RUNTIME_BASE_LOG_H
#define PML_RUNTIME_BASE_LOG_H

#include "runtime/pml.h"

/* Formats and hands one line (no newline) to the callback that pml_log_set installed, if it wants `level`. */
void pml_log(pml_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
