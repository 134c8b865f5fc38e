/* Checkpoints of TensorFlow made in memory, whole or with one fault: what the test and the fuzz harness write. */
#ifndef PML_TESTS_FORMATS_TF_BUILDER_H
#define PML_TESTS_FORMATS_TF_BUILDER_H

#include <string.h>

#include "formats/tensorflow/tf_table.h"
#include "runtime/base/bytes.h"
#include "runtime/base/crc32c.h"

typedef struct tf_buffer {
    uint8_t bytes[32768];
    size_t used;
} tf_buffer;

static inline void tf_put(tf_buffer *b, const void *bytes, size_t size_bytes) {
    if (b->used + size_bytes <= sizeof b->bytes) {
        memcpy(b->bytes + b->used, bytes, size_bytes);
        b->used += size_bytes;
    }
}

static inline void tf_put_varint(tf_buffer *b, uint64_t value) {
    do {
        uint8_t byte = (uint8_t)((value & 0x7f) | (value >= 0x80 ? 0x80 : 0));
        tf_put(b, &byte, 1);
        value >>= 7;
    } while (value != 0);
}

static inline void tf_put_number(tf_buffer *b, unsigned field, uint64_t value) {
    tf_put_varint(b, field << 3);
    tf_put_varint(b, value);
}

static inline void tf_put_message(tf_buffer *b, unsigned field, const tf_buffer *message) {
    tf_put_varint(b, field << 3 | 2);
    tf_put_varint(b, message->used);
    tf_put(b, message->bytes, message->used);
}

static inline void tf_put_u32(tf_buffer *b, uint32_t value) {
    tf_put(b, &value, sizeof value);
}

/* An entry of a block that shares `n_shared` bytes of the key before it. */
static inline void tf_put_entry(tf_buffer *b, size_t n_shared, const void *own, size_t n_own, const tf_buffer *value) {
    tf_put_varint(b, n_shared);
    tf_put_varint(b, n_own);
    tf_put_varint(b, value->used);
    tf_put(b, own, n_own);
    tf_put(b, value->bytes, value->used);
}

/* A block's trailer; *handle takes its place. */
static inline void tf_put_block(tf_buffer *table, const void *contents, size_t size_bytes, uint8_t kind,
                                tf_buffer *handle) {
    handle->used = 0;
    tf_put_varint(handle, table->used);
    tf_put_varint(handle, size_bytes);
    tf_put(table, contents, size_bytes);
    tf_put(table, &kind, 1);
    uint32_t crc = pml_crc32c_extend(pml_crc32c_extend(0, contents, size_bytes), &kind, 1);
    tf_put_u32(table, pml_crc32c_mask(crc));
}

static inline void tf_put_footer(tf_buffer *table, const tf_buffer *metaindex, const tf_buffer *index) {
    size_t begin = table->used;
    static const uint8_t zeros[40], magic[] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};
    tf_put(table, metaindex->bytes, metaindex->used);
    tf_put(table, index->bytes, index->used);
    tf_put(table, zeros, sizeof zeros - (table->used - begin));
    tf_put(table, magic, sizeof magic);
}

/* The table of one data block, whose contents (entries and restart points) are given. */
static inline void tf_build_table(tf_buffer *table, const void *contents, size_t size_bytes, uint8_t kind) {
    static tf_buffer handle, metaindex, index;
    static const uint8_t empty[] = {0, 0, 0, 0, 1, 0, 0, 0}, last[] = {0xff, 0xff};
    tf_buffer *block = &index;
    table->used = 0;
    tf_put_block(table, contents, size_bytes, kind, &handle);
    tf_put_block(table, empty, sizeof empty, 0, &metaindex);
    block->used = 0;
    tf_put_entry(block, 0, last, sizeof last, &handle);
    tf_put(block, empty, sizeof empty);
    static tf_buffer copy;
    copy = *block;
    tf_put_block(table, copy.bytes, copy.used, 0, &handle);
    tf_put_footer(table, &metaindex, &handle);
}

#endif
