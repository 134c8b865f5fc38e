/* Archives made in memory, for tests that then damage them: where each part's headers lie is kept. */
#ifndef PML_TESTS_FORMATS_ZIP_BUILDER_H
#define PML_TESTS_FORMATS_ZIP_BUILDER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PML_ZIP_BUILDER_PARTS = 16 };

typedef struct pml_zip_part {
    const char *name;
    const void *bytes;
    size_t size_bytes;
    bool is_deflated;
} pml_zip_part;

typedef struct pml_zip_builder {
    uint8_t *bytes; /* free() */
    size_t size_bytes;
    size_t local_at[PML_ZIP_BUILDER_PARTS], data_at[PML_ZIP_BUILDER_PARTS], central_at[PML_ZIP_BUILDER_PARTS];
    size_t directory_at, end_at;
} pml_zip_builder;

static inline void pml_zip_put(pml_zip_builder *b, uint64_t value, unsigned n_bytes) {
    memcpy(b->bytes + b->size_bytes, &value, n_bytes);
    b->size_bytes += n_bytes;
}

/* What local and central headers share, from the version to the lengths of name and extra field. */
static inline void pml_zip_put_fields(pml_zip_builder *b, const pml_zip_part *part, size_t stored_bytes) {
    pml_zip_put(b, 20, 2);
    pml_zip_put(b, 0, 2); /* flags */
    pml_zip_put(b, part->is_deflated ? 8 : 0, 2);
    pml_zip_put(b, 0, 4); /* time */
    pml_zip_put(b, crc32_z(0, part->bytes, part->size_bytes), 4);
    pml_zip_put(b, stored_bytes, 4);
    pml_zip_put(b, part->size_bytes, 4);
    pml_zip_put(b, strlen(part->name), 2);
    pml_zip_put(b, 0, 2);
}

/* Writes the part's data at the end; its length in the archive. */
static inline size_t pml_zip_put_data(pml_zip_builder *b, const pml_zip_part *part, size_t room_bytes) {
    if (!part->is_deflated) {
        memcpy(b->bytes + b->size_bytes, part->bytes, part->size_bytes);
        return part->size_bytes;
    }
    z_stream stream = {.next_in = (z_const Bytef *)(uintptr_t)part->bytes,
                       .avail_in = (uInt)part->size_bytes,
                       .next_out = b->bytes + b->size_bytes,
                       .avail_out = (uInt)room_bytes};
    (void)deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    (void)deflate(&stream, Z_FINISH);
    (void)deflateEnd(&stream);
    return stream.total_out;
}

static inline void pml_zip_build(pml_zip_builder *b, const pml_zip_part *parts, size_t n_parts) {
    size_t room_bytes = 1024, stored_bytes[PML_ZIP_BUILDER_PARTS];
    for (size_t i = 0; i < n_parts; i++) {
        room_bytes += parts[i].size_bytes + parts[i].size_bytes / 8 + 2 * strlen(parts[i].name) + 256;
    }
    *b = (pml_zip_builder){.bytes = calloc(room_bytes, 1)};
    for (size_t i = 0; i < n_parts; i++) {
        size_t name_bytes = strlen(parts[i].name);
        b->local_at[i] = b->size_bytes;
        b->data_at[i] = b->size_bytes + 30 + name_bytes;
        b->size_bytes = b->data_at[i];
        stored_bytes[i] = pml_zip_put_data(b, &parts[i], parts[i].size_bytes + 256);
        b->size_bytes = b->local_at[i];
        pml_zip_put(b, 0x04034b50, 4);
        pml_zip_put_fields(b, &parts[i], stored_bytes[i]);
        memcpy(b->bytes + b->size_bytes, parts[i].name, name_bytes);
        b->size_bytes = b->data_at[i] + stored_bytes[i];
    }
    b->directory_at = b->size_bytes;
    for (size_t i = 0; i < n_parts; i++) {
        size_t name_bytes = strlen(parts[i].name);
        b->central_at[i] = b->size_bytes;
        pml_zip_put(b, 0x02014b50, 4);
        pml_zip_put(b, 20, 2);
        pml_zip_put_fields(b, &parts[i], stored_bytes[i]);
        pml_zip_put(b, 0, 2); /* comment */
        pml_zip_put(b, 0, 2); /* disk */
        pml_zip_put(b, 0, 6); /* attributes */
        pml_zip_put(b, b->local_at[i], 4);
        memcpy(b->bytes + b->size_bytes, parts[i].name, name_bytes);
        b->size_bytes += name_bytes;
    }
    b->end_at = b->size_bytes;
    pml_zip_put(b, 0x06054b50, 4);
    pml_zip_put(b, 0, 4);
    pml_zip_put(b, n_parts, 2);
    pml_zip_put(b, n_parts, 2);
    pml_zip_put(b, b->end_at - b->directory_at, 4);
    pml_zip_put(b, b->directory_at, 4);
    pml_zip_put(b, 0, 2);
}

#endif
