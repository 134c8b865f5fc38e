/* Every way in which a .pml file can be wrong that has a name: one row each, applied to build_base(). The same rows
 * make the invalid golden files. */
#ifndef PML_TESTS_RUNTIME_FILE_FAULTS_H
#define PML_TESTS_RUNTIME_FILE_FAULTS_H

#include "tests/runtime/file/build.h"

typedef enum fault_place {
    AT_HEADER,
    AT_METADATA,
    AT_TENSORS,
    AT_STRINGS,
    AT_BLOBS,
    AT_BLOB_DATA,
    AT_TENSOR_DATA
} fault_place;

typedef struct fault {
    const char *name;
    fault_place place;
    int delta;      /* from the start of the place */
    unsigned width; /* bytes of `value` that are stored, 0 to 8 */
    uint64_t value;
    int resize;       /* bytes added to the end (zeros), or taken from it */
    bool keeps_seal;  /* the checksum is left as it was */
    bool verify_only; /* opening accepts it */
    pml_status status;
    const char *message; /* part of it */
} fault;

#define TENSOR_A 0
#define TENSOR_B 192
#define TENSOR_C 384
#define HUGE_64 UINT64_MAX

static const fault faults[] = {
    /* header */
    {"empty", AT_HEADER, 0, 0, 0, -1000000, true, false, PML_E_FORMAT, "too few"},
    {"header-truncated", AT_HEADER, 0, 0, 0, -100000, true, false, PML_E_FORMAT, "too few"},
    {"magic-wrong", AT_HEADER, 0, 4, 0x46554747, 0, false, false, PML_E_FORMAT, "not a .pml file"},
    {"magic-damaged-by-text-mode", AT_HEADER, 4, 4, 0x0a1a0a0a, 0, false, false, PML_E_FORMAT, "text mode"},
    {"version-0", AT_HEADER, 8, 2, 0, 0, false, false, PML_E_FORMAT, "version 0"},
    {"version-2", AT_HEADER, 8, 2, 2, 0, false, false, PML_E_UNSUPPORTED, "a newer pml is needed"},
    {"version-byte-swapped", AT_HEADER, 8, 4, 0x00000100, 0, false, false, PML_E_FORMAT, "swapped"},
    {"header-bytes-0", AT_HEADER, 12, 4, 0, 0, false, false, PML_E_FORMAT, "a header of 0 bytes"},
    {"header-bytes-longer-than-version", AT_HEADER, 12, 4, 320, 0, false, false, PML_E_FORMAT, "a header of 320 bytes"},
    {"kind-0", AT_HEADER, 16, 4, 0, 0, false, false, PML_E_FORMAT, "kind 0"},
    {"kind-unknown", AT_HEADER, 16, 4, 9, 0, false, false, PML_E_UNSUPPORTED, "kind 9"},
    {"flags-unknown", AT_HEADER, 20, 4, 1, 0, false, false, PML_E_FORMAT, "flags 00000001"},
    {"file-bytes-too-large", AT_HEADER, 24, 8, 1u << 20, 0, false, false, PML_E_FORMAT, "truncated"},
    {"file-bytes-huge", AT_HEADER, 24, 8, HUGE_64, 0, false, false, PML_E_FORMAT, "truncated"},
    {"file-bytes-too-small", AT_HEADER, 24, 8, 320, 0, false, false, PML_E_FORMAT, "foreign bytes"},
    {"trailing-byte", AT_HEADER, 0, 0, 0, 1, false, false, PML_E_FORMAT, "foreign bytes"},
    {"truncated-by-1", AT_HEADER, 0, 0, 0, -1, false, false, PML_E_FORMAT, "truncated"},
    {"part-0", AT_HEADER, 32, 4, 0, 0, false, false, PML_E_FORMAT, "part 0 of 1"},
    {"part-2-of-1", AT_HEADER, 32, 4, 2, 0, false, false, PML_E_FORMAT, "part 2 of 1"},
    {"parts-2", AT_HEADER, 36, 4, 2, 0, false, false, PML_E_UNSUPPORTED, "several parts"},
    {"checksum-wrong", AT_HEADER, 40, 8, 1, 0, true, false, PML_E_FORMAT, "checksum of header"},
    {"content-digest-wrong", AT_HEADER, 48, 8, 1, 0, false, true, PML_E_MISMATCH, "content digest"},
    {"base-digest-of-model", AT_HEADER, 64, 8, 1, 0, false, false, PML_E_FORMAT, "base digest"},
    {"reserved-not-zero", AT_HEADER, 192, 1, 1, 0, false, false, PML_E_FORMAT, "reserved bytes of the header"},
    /* sections: misplaced, wrapping sums, wrapping padding */
    {"metadata-offset-unaligned", AT_HEADER, 80, 8, 257, 0, false, false, PML_E_FORMAT, "'metadata' is at byte 257"},
    {"metadata-inside-header", AT_HEADER, 80, 8, 64, 0, false, false, PML_E_FORMAT, "'metadata' is at byte 64"},
    {"metadata-size-past-end", AT_HEADER, 88, 8, 1u << 20, 0, false, false, PML_E_FORMAT, "'metadata' of 1048576"},
    {"metadata-size-wraps", AT_HEADER, 88, 8, HUGE_64 - 255, 0, false, false, PML_E_FORMAT, "'metadata' of 18446"},
    {"metadata-padding-wraps", AT_HEADER, 88, 8, HUGE_64 - 256, 0, false, false, PML_E_FORMAT, "'metadata' of 18446"},
    {"metadata-size-odd", AT_HEADER, 88, 8, 199, 0, false, false, PML_E_FORMAT, "multiple of 8"},
    {"metadata-size-0", AT_HEADER, 88, 8, 0, 0, false, false, PML_E_FORMAT, NULL},
    {"metadata-size-short-by-8", AT_HEADER, 88, 8, 192, 0, false, false, PML_E_FORMAT, NULL},
    {"table-overlaps-metadata", AT_HEADER, 96, 8, 256, 0, false, false, PML_E_FORMAT, "'tensor table' is at byte 256"},
    {"strings-offset-huge", AT_HEADER, 112, 8, HUGE_64 - 63, 0, false, false, PML_E_FORMAT,
     "'strings' is at byte 18446"},
    {"strings-size-0", AT_HEADER, 120, 8, 0, 0, false, false, PML_E_FORMAT, NULL},
    {"blob-data-size-past-end", AT_HEADER, 152, 8, HUGE_64, 0, false, false, PML_E_FORMAT, "'blob data' of 18446"},
    {"tensor-data-size-short", AT_HEADER, 168, 8, 64, 0, false, false, PML_E_FORMAT, "follow the last section"},
    {"tensor-count-wrong", AT_HEADER, 176, 4, 2, 0, false, false, PML_E_FORMAT, "2 records do not fit"},
    {"tensor-count-huge", AT_HEADER, 176, 4, UINT32_MAX, 0, false, false, PML_E_FORMAT, "4294967295 records"},
    {"tensor-record-bytes-0", AT_HEADER, 180, 4, 0, 0, false, false, PML_E_FORMAT, "records of 0 bytes"},
    {"tensor-record-bytes-short", AT_HEADER, 180, 4, 184, 0, false, false, PML_E_FORMAT, "records of 184 bytes"},
    {"tensor-record-bytes-huge", AT_HEADER, 180, 4, 0x80000000, 0, false, false, PML_E_FORMAT, "records of 2147483648"},
    {"blob-count-wrong", AT_HEADER, 184, 4, 3, 0, false, false, PML_E_FORMAT, "3 records do not fit"},
    {"blob-record-bytes-wrong", AT_HEADER, 188, 4, 72, 0, false, false, PML_E_FORMAT, "records of 72 bytes"},
    {"padding-before-table", AT_TENSORS, -1, 1, 1, 0, false, false, PML_E_FORMAT,
     "padding before section 'tensor table'"},
    /* metadata */
    {"metadata-count-huge", AT_METADATA, 0, 4, UINT32_MAX, 0, false, false, PML_E_FORMAT, "4294967295 entries"},
    {"metadata-count-too-large", AT_METADATA, 0, 4, 5, 0, false, false, PML_E_FORMAT, "ends within an entry"},
    {"metadata-count-too-small", AT_METADATA, 0, 4, 3, 0, false, false, PML_E_FORMAT, "bytes follow the last entry"},
    {"metadata-reserved", AT_METADATA, 4, 4, 1, 0, false, false, PML_E_FORMAT, "must be 0"},
    {"metadata-key-empty", AT_METADATA, 8, 4, 0, 0, false, false, PML_E_FORMAT, "key is empty"},
    {"metadata-key-huge", AT_METADATA, 8, 4, UINT32_MAX, 0, false, false, PML_E_FORMAT, "longer than 1024"},
    {"metadata-key-past-end", AT_METADATA, 8, 4, 1024, 0, false, false, PML_E_FORMAT, "past the end of the section"},
    {"metadata-key-not-utf8", AT_METADATA, 24, 1, 0xff, 0, false, false, PML_E_FORMAT, "not valid UTF-8"},
    {"metadata-key-control-character", AT_METADATA, 24, 1, 0x1b, 0, false, false, PML_E_FORMAT, "not allowed"},
    {"metadata-key-with-zero", AT_METADATA, 26, 1, 0, 0, false, false, PML_E_FORMAT, "not allowed"},
    {"metadata-key-padding", AT_METADATA, 39, 1, 1, 0, false, false, PML_E_FORMAT, "padding after text"},
    {"metadata-keys-unsorted", AT_METADATA, 24, 1, 'z', 0, false, false, PML_E_FORMAT, "keys are not in order"},
    {"metadata-type-0", AT_METADATA, 12, 4, 0, 0, false, false, PML_E_FORMAT, "type 0"},
    {"metadata-type-unknown", AT_METADATA, 12, 4, 8, 0, false, false, PML_E_UNSUPPORTED, "type 8"},
    {"metadata-scalar-count-2", AT_METADATA, 16, 8, 2, 0, false, false, PML_E_FORMAT, "a scalar has a count"},
    {"metadata-bool-2", AT_METADATA, 40, 8, 2, 0, false, false, PML_E_FORMAT, "neither 0 nor 1"},
    {"metadata-array-count-huge", AT_METADATA, 52, 8, 0xffffffff00000005u, 0, false, false, PML_E_FORMAT, NULL},
    {"metadata-string-length-huge", AT_METADATA, 120, 8, HUGE_64, 0, false, false, PML_E_FORMAT, "past the end"},
    {"metadata-string-length-past-end", AT_METADATA, 120, 8, 72, 0, false, false, PML_E_FORMAT, "past the end"},
    {"metadata-string-unterminated", AT_METADATA, 120, 8, 3, 0, false, false, PML_E_FORMAT, "padding after text"},
    {"metadata-strings-count-huge", AT_METADATA, 144, 8, HUGE_64 / 8, 0, false, false, PML_E_FORMAT, "more values"},
    {"metadata-strings-count-wraps", AT_METADATA, 144, 8, 1ull << 60, 0, false, false, PML_E_FORMAT, "more values"},
    {"metadata-strings-count-3", AT_METADATA, 144, 8, 3, 0, false, false, PML_E_FORMAT, NULL},
    /* tensors */
    {"name-offset-huge", AT_TENSORS, TENSOR_A, 8, HUGE_64, 0, false, false, PML_E_FORMAT, "not where it belongs"},
    {"name-empty", AT_TENSORS, TENSOR_A + 8, 4, 0, 0, false, false, PML_E_FORMAT, "a tensor name has 0 bytes"},
    {"name-length-huge", AT_TENSORS, TENSOR_A + 8, 4, UINT32_MAX, 0, false, false, PML_E_FORMAT, "4294967295 bytes"},
    {"name-past-strings", AT_TENSORS, TENSOR_A + 8, 4, 1000, 0, false, false, PML_E_FORMAT, "not where it belongs"},
    {"name-with-zero", AT_TENSORS, TENSOR_A + 8, 4, 3, 0, false, false, PML_E_FORMAT, "zero-terminated"},
    {"name-duplicate", AT_STRINGS, 3, 1, 'a', 0, false, false, PML_E_FORMAT, "'a' occurs twice"},
    {"names-unsorted", AT_STRINGS, 3, 1, 'A', 0, false, false, PML_E_FORMAT, "'A' is not in the order"},
    {"name-not-utf8", AT_STRINGS, 0, 1, 0xc0, 0, false, false, PML_E_FORMAT, "zero-terminated UTF-8"},
    {"name-escape-sequence", AT_STRINGS, 0, 1, 0x1b, 0, false, false, PML_E_FORMAT, "control characters"},
    {"transforms-overlap-name", AT_TENSORS, TENSOR_A + 16, 8, 0, 0, false, false, PML_E_FORMAT, "not where it belongs"},
    {"strings-unowned", AT_HEADER, 120, 8, 30, 0, false, false, PML_E_FORMAT, "belong to nothing"},
    {"dtype-0", AT_TENSORS, TENSOR_A + 24, 4, 0, 0, false, false, PML_E_FORMAT, "0 does not exist"},
    {"dtype-unknown", AT_TENSORS, TENSOR_A + 24, 4, 99, 0, false, false, PML_E_UNSUPPORTED, "dtype 99"},
    {"dtype-not-stored", AT_TENSORS, TENSOR_A + 24, 4, 4, 0, false, false, PML_E_UNSUPPORTED,
     "not defined for dtype F16"},
    {"dtype-i8-in-rows", AT_TENSORS, TENSOR_A + 24, 4, 3, 0, false, false, PML_E_UNSUPPORTED,
     "not defined for dtype I8"},
    {"layout-0", AT_TENSORS, TENSOR_B + 28, 4, 0, 0, false, false, PML_E_FORMAT, "0 does not exist"},
    {"layout-unknown", AT_TENSORS, TENSOR_B + 28, 4, 3, 0, false, false, PML_E_UNSUPPORTED, "'b' has layout 3"},
    {"layout-panel-of-vector", AT_TENSORS, TENSOR_A + 28, 4, 2, 0, false, false, PML_E_FORMAT, "needs a matrix"},
    {"layout-row-of-panel-size", AT_TENSORS, TENSOR_B + 28, 4, 1, 0, false, false, PML_E_FORMAT, "stored in 384 bytes"},
    {"rank-9", AT_TENSORS, TENSOR_A + 32, 4, 9, 0, false, false, PML_E_FORMAT, "rank 9"},
    {"rank-huge", AT_TENSORS, TENSOR_A + 32, 4, UINT32_MAX, 0, false, false, PML_E_FORMAT, "rank 4294967295"},
    {"rank-below-shape", AT_TENSORS, TENSOR_B + 32, 4, 1, 0, false, false, PML_E_FORMAT, "of rank 1 has a dimension 1"},
    {"tensor-flags", AT_TENSORS, TENSOR_A + 36, 4, 1, 0, false, false, PML_E_FORMAT, "flags 00000001"},
    {"dimension-0", AT_TENSORS, TENSOR_B + 40, 8, 0, 0, false, false, PML_E_FORMAT, "dimension 0 is 0"},
    {"dimension-past-rank", AT_TENSORS, TENSOR_A + 48, 8, 2, 0, false, false, PML_E_FORMAT, "has a dimension 1"},
    {"shape-larger-than-data", AT_TENSORS, TENSOR_A + 40, 8, 6, 0, false, false, PML_E_FORMAT, "need 24"},
    {"shape-bytes-wrap", AT_TENSORS, TENSOR_A + 40, 8, (1ull << 62) + 5, 0, false, false, PML_E_FORMAT, "overflows"},
    {"shape-product-wraps", AT_TENSORS, TENSOR_B + 40, 8, 1ull << 62, 0, false, false, PML_E_FORMAT, "overflows"},
    {"shape-padding-wraps", AT_TENSORS, TENSOR_B + 48, 8, HUGE_64, 0, false, false, PML_E_FORMAT, "overflows"},
    {"data-offset-unaligned", AT_TENSORS, TENSOR_A + 104, 8, 1, 0, false, false, PML_E_FORMAT, "first aligned byte"},
    {"data-offset-huge", AT_TENSORS, TENSOR_A + 104, 8, HUGE_64 - 63, 0, false, false, PML_E_FORMAT,
     "first aligned byte"},
    {"data-in-header", AT_TENSORS, TENSOR_A + 104, 8, 0, 0, false, false, PML_E_FORMAT, "first aligned byte"},
    {"data-bytes-short", AT_TENSORS, TENSOR_B + 112, 8, 320, 0, false, false, PML_E_FORMAT, "'b' is stored in 320"},
    {"data-bytes-huge", AT_TENSORS, TENSOR_B + 112, 8, HUGE_64, 0, false, false, PML_E_FORMAT, "stored in 18446"},
    {"scales-of-f32", AT_TENSORS, TENSOR_B + 136, 8, 64, 0, false, false, PML_E_FORMAT, "64 bytes of scales"},
    {"scales-place-without-scales", AT_TENSORS, TENSOR_B + 128, 8, 64, 0, false, false, PML_E_FORMAT, "has no scales"},
    {"scales-short", AT_TENSORS, TENSOR_C + 136, 8, 64, 0, false, false, PML_E_FORMAT, "it needs 128"},
    {"scales-missing", AT_TENSORS, TENSOR_C + 136, 8, 0, 0, false, false, PML_E_FORMAT, "0 bytes of scales"},
    {"sums-over-scales", AT_TENSORS, TENSOR_C + 152, 8, 0, 0, false, false, PML_E_FORMAT, "its sums begins at byte 0"},
    {"quantization-error-nan", AT_TENSORS, TENSOR_A + 176, 8, 0x7ff8000000000000u, 0, false, false, PML_E_FORMAT,
     "not finite"},
    {"quantization-error-negative", AT_TENSORS, TENSOR_A + 176, 8, 0xbff0000000000000u, 0, false, false, PML_E_FORMAT,
     "negative"},
    {"groups-of-f32", AT_TENSORS, TENSOR_A + 184, 4, 64, 0, false, false, PML_E_FORMAT, "only I8"},
    {"groups-of-16", AT_TENSORS, TENSOR_C + 184, 4, 16, 0, false, false, PML_E_UNSUPPORTED, "groups of 16 rows"},
    {"groups-change-sizes", AT_TENSORS, TENSOR_C + 184, 4, 32, 0, false, false, PML_E_FORMAT, "bytes of scales"},
    {"scale-factor-without-groups", AT_TENSORS, TENSOR_A + 188, 4, 0x3f800000, 0, false, false, PML_E_FORMAT,
     "scale factor"},
    /* blobs */
    {"blob-name-duplicate", AT_BLOBS, 64, 8, 18, 0, false, false, PML_E_FORMAT, "a blob name"},
    {"blob-names-unsorted", AT_STRINGS, 27, 1, 'a', 0, false, false, PML_E_FORMAT, "blob 'a' is not in the order"},
    {"blob-flags", AT_BLOBS, 12, 4, 0x10000, 0, false, false, PML_E_FORMAT, "flags 00010000"},
    {"blob-offset-unaligned", AT_BLOBS, 16, 8, 1, 0, false, false, PML_E_FORMAT, "run past the blob data"},
    {"blob-size-past-end", AT_BLOBS, 24, 8, 1u << 20, 0, false, false, PML_E_FORMAT, "run past the blob data"},
    {"blob-size-huge", AT_BLOBS, 64 + 24, 8, HUGE_64, 0, false, false, PML_E_FORMAT, "run past the blob data"},
    {"blob-size-short", AT_BLOBS, 64 + 24, 8, 2, 0, false, false, PML_E_FORMAT, "their section does not"},
    {"blob-reserved", AT_BLOBS, 40, 1, 1, 0, false, false, PML_E_FORMAT, "reserved bytes"},
    /* what only verifying sees */
    {"blob-byte-flipped", AT_BLOB_DATA, 2, 1, 'X', 0, false, true, PML_E_MISMATCH, "blob 'selftest'"},
    {"padding-between-blobs", AT_BLOB_DATA, 5, 1, 1, 0, false, true, PML_E_MISMATCH, "padding before 'x'"},
    {"tensor-byte-flipped", AT_TENSOR_DATA, 3, 1, 1, 0, false, true, PML_E_MISMATCH, "tensor 'a'"},
    {"padding-between-tensors", AT_TENSOR_DATA, 63, 1, 1, 0, false, true, PML_E_MISMATCH, "padding before 'b'"},
};
#define FAULT_COUNT (sizeof faults / sizeof faults[0])

static inline size_t fault_position(const uint8_t *bytes, const fault *f) {
    uint64_t start = f->place == AT_HEADER ? 0 : pml_load_u64(bytes + 80 + 16 * ((int)f->place - 1));
    return (size_t)start + (size_t)(int64_t)f->delta;
}

/* build_base() with that fault; the caller frees .bytes. */
static inline built fault_make(const fault *f) {
    built base = build_base();
    size_t position = fault_position(base.bytes, f);
    for (unsigned i = 0; i < f->width; i++) {
        base.bytes[position + i] = (uint8_t)(f->value >> (8 * i));
    }
    built result = base;
    if (f->resize != 0) {
        int64_t size = (int64_t)base.size_bytes + f->resize;
        result.size_bytes = size < 0 ? (f->resize < -500000 ? 0 : 100) : (size_t)size;
        result.bytes = build_zeros(result.size_bytes);
        memcpy(result.bytes, base.bytes, result.size_bytes < base.size_bytes ? result.size_bytes : base.size_bytes);
        free(base.bytes);
    }
    if (!f->keeps_seal) {
        build_reseal(result.bytes, result.size_bytes);
    }
    return result;
}

#endif
