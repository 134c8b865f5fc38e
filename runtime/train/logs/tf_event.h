/* Records of TensorBoard's event files: a TFRecord (length, masked CRC-32C of the length, message, masked CRC-32C of
 * the message) around one message `tensorflow.Event`. The few fields that we write are encoded by hand after the
 * protocol buffer wire format (protobuf.dev/programming-guides/encoding), so libpml links no library for them.
 *
 * Event: 1 wall_time double, 2 step int64, 3 file_version string, 5 summary, 7 session_log.
 * Summary: 1 value: 1 tag string, 2 simple_value float. SessionLog: 1 status, START = 1. */
#ifndef PML_RUNTIME_TRAIN_LOGS_TF_EVENT_H
#define PML_RUNTIME_TRAIN_LOGS_TF_EVENT_H

#include "runtime/base/error.h"

typedef struct pml_tf_event { /* zero = empty, reusable, safe to deinit; private */
    uint8_t *bytes;
    size_t size_bytes, capacity;
} pml_tf_event;

/* Each begins a message anew. Errors: MEMORY. */
pml_status pml_tf_event_version(pml_tf_event *event, double wall_time, pml_error *error) PML_WARN_UNUSED;
/* A run begins at `step`: readers forget what earlier files say of it and of later ones. */
pml_status pml_tf_event_start(pml_tf_event *event, double wall_time, uint64_t step, pml_error *error) PML_WARN_UNUSED;
/* A scalar, narrowed to float; its tag is `before` and `name` together. */
pml_status pml_tf_event_scalar(pml_tf_event *event, double wall_time, uint64_t step, const char *before,
                               const char *name, double value, pml_error *error) PML_WARN_UNUSED;
/* The record around the message; *bytes is valid until the next call. */
pml_status pml_tf_event_finish(pml_tf_event *event, const uint8_t **bytes, size_t *size_bytes,
                               pml_error *error) PML_WARN_UNUSED;
void pml_tf_event_deinit(pml_tf_event *event);

#endif
