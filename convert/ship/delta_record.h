/* The byte form of a delta (convert/ship/delta.h), shared by its writer and its reader. */
#ifndef PML_CONVERT_DELTA_RECORD_H
#define PML_CONVERT_DELTA_RECORD_H

#include "runtime/base/bytes.h"

#define PML_DELTA_MAGIC "\x89PMD\r\n\x1a\n"
#define PML_DELTA_VERSION 1u
#define PML_DELTA_HEAD_BYTES 168u
#define PML_DELTA_RECORD_BYTES 48u

enum { PML_DELTA_PACKED = 0, PML_DELTA_PREFIXED = 1, PML_DELTA_REFERENCE = 2 };

typedef struct pml_delta_record {
    uint32_t kind;
    uint64_t size_bytes, checksum;
    uint64_t old_offset, old_bytes;
    uint64_t packed_bytes;
} pml_delta_record;

static inline void pml_delta_record_encode(const pml_delta_record *record, uint8_t *bytes) {
    pml_store_u32(bytes, record->kind);
    pml_store_u32(bytes + 4, 0);
    pml_store_u64(bytes + 8, record->size_bytes);
    pml_store_u64(bytes + 16, record->checksum);
    pml_store_u64(bytes + 24, record->old_offset);
    pml_store_u64(bytes + 32, record->old_bytes);
    pml_store_u64(bytes + 40, record->packed_bytes);
}

static inline pml_delta_record pml_delta_record_decode(const uint8_t *bytes) {
    return (pml_delta_record){.kind = pml_load_u32(bytes),
                              .size_bytes = pml_load_u64(bytes + 8),
                              .checksum = pml_load_u64(bytes + 16),
                              .old_offset = pml_load_u64(bytes + 24),
                              .old_bytes = pml_load_u64(bytes + 32),
                              .packed_bytes = pml_load_u64(bytes + 40)};
}

#endif
