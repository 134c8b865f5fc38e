#include "runtime/train/logs/tf_event.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/bytes.h"
#include "runtime/base/crc32c.h"

enum { HEAD_BYTES = 12, MOST_BYTES = 1 << 24, MOST_VARINT_BYTES = 10 };
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static pml_status put(pml_tf_event *e, const void *bytes, size_t size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_grow(&e->bytes, &e->capacity, e->size_bytes + size_bytes, 1, MOST_BYTES, "bytes of an event", error));
    memcpy(e->bytes + e->size_bytes, bytes, size_bytes);
    e->size_bytes += size_bytes;
done:
    return status;
}

static size_t varint(uint64_t value, uint8_t bytes[MOST_VARINT_BYTES]) {
    size_t n = 0;
    for (; value >= 0x80; value >>= 7) {
        bytes[n++] = (uint8_t)(value | 0x80);
    }
    bytes[n++] = (uint8_t)value;
    return n;
}

static pml_status put_varint(pml_tf_event *e, uint64_t value, pml_error *error) {
    uint8_t bytes[MOST_VARINT_BYTES];
    return put(e, bytes, varint(value, bytes), error);
}

static pml_status put_key(pml_tf_event *e, unsigned field, unsigned wire, pml_error *error) {
    return put_varint(e, (uint64_t)field << 3 | wire, error);
}

static pml_status begin(pml_tf_event *e, double wall_time, uint64_t step, pml_error *error) {
    pml_status status = PML_OK;
    static const uint8_t head[HEAD_BYTES] = {0};
    e->size_bytes = 0;
    PML_TRY(put(e, head, sizeof head, error));
    PML_TRY(put_key(e, 1, WIRE_FIXED64, error));
    PML_TRY(put(e, &wall_time, sizeof wall_time, error));
    if (step != 0) { /* zero is what readers take for a missing one */
        PML_TRY(put_key(e, 2, WIRE_VARINT, error));
        PML_TRY(put_varint(e, step, error));
    }
done:
    return status;
}

pml_status pml_tf_event_version(pml_tf_event *e, double wall_time, pml_error *error) {
    static const char version[] = "brain.Event:2";
    pml_status status = PML_OK;
    PML_TRY(begin(e, wall_time, 0, error));
    PML_TRY(put_key(e, 3, WIRE_BYTES, error));
    PML_TRY(put_varint(e, strlen(version), error));
    PML_TRY(put(e, version, strlen(version), error));
done:
    return status;
}

pml_status pml_tf_event_start(pml_tf_event *e, double wall_time, uint64_t step, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(begin(e, wall_time, step, error));
    PML_TRY(put_key(e, 7, WIRE_BYTES, error));
    PML_TRY(put_varint(e, 2, error));
    PML_TRY(put_key(e, 1, WIRE_VARINT, error));
    PML_TRY(put_varint(e, 1, error));
done:
    return status;
}

pml_status pml_tf_event_scalar(pml_tf_event *e, double wall_time, uint64_t step, const char *before, const char *name,
                               double value, pml_error *error) {
    pml_status status = PML_OK;
    uint8_t length[MOST_VARINT_BYTES];
    const size_t tag_bytes = strlen(before) + strlen(name);
    const size_t value_bytes = 1 + varint(tag_bytes, length) + tag_bytes + 1 + sizeof(float);
    const float narrow = (float)value;
    PML_TRY(begin(e, wall_time, step, error));
    PML_TRY(put_key(e, 5, WIRE_BYTES, error));
    PML_TRY(put_varint(e, 1 + varint(value_bytes, length) + value_bytes, error));
    PML_TRY(put_key(e, 1, WIRE_BYTES, error));
    PML_TRY(put_varint(e, value_bytes, error));
    PML_TRY(put_key(e, 1, WIRE_BYTES, error));
    PML_TRY(put_varint(e, tag_bytes, error));
    PML_TRY(put(e, before, strlen(before), error));
    PML_TRY(put(e, name, strlen(name), error));
    PML_TRY(put_key(e, 2, WIRE_FIXED32, error));
    PML_TRY(put(e, &narrow, sizeof narrow, error));
done:
    return status;
}

pml_status pml_tf_event_finish(pml_tf_event *e, const uint8_t **bytes, size_t *size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    uint8_t tail[4];
    const size_t message_bytes = e->size_bytes - HEAD_BYTES;
    pml_store_u64(e->bytes, message_bytes);
    pml_store_u32(e->bytes + 8, pml_crc32c_mask(pml_crc32c_extend(0, e->bytes, 8)));
    pml_store_u32(tail, pml_crc32c_mask(pml_crc32c_extend(0, e->bytes + HEAD_BYTES, message_bytes)));
    PML_TRY(put(e, tail, sizeof tail, error));
    *bytes = e->bytes;
    *size_bytes = e->size_bytes;
done:
    return status;
}

void pml_tf_event_deinit(pml_tf_event *e) {
    pml_free(e->bytes);
    *e = (pml_tf_event){0};
}
