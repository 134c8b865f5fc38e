/* The feed-forward layer under a tape, as one op that keeps at most what lies before the activation. Private to
 * runtime/ops. */
#ifndef PML_RUNTIME_OPS_FEED_FORWARD_RECORDED_H
#define PML_RUNTIME_OPS_FEED_FORWARD_RECORDED_H

#include "runtime/ops/ops.h"

/* Operands have been checked, and y is there. Errors: MEMORY, UNSUPPORTED. */
pml_status pml_feed_forward_record(pml_context *context, const pml_tensor *x, const pml_feed_forward *layer,
                                   const pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

#endif
