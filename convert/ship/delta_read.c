/* Reading deltas (convert/ship/delta.h), which trust nothing: every range is checked against both files first. */
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include "convert/ship/delta.h"
#include "convert/ship/delta_record.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"

typedef struct source_range { /* of a piece */
    pml_delta_record record;
    uint64_t packed_offset;
} source_range;

pml_status pml_delta_probe(const char *path, bool *is_delta, pml_error *error) {
    pml_status status = PML_OK;
    pml_file_map map = {0};
    PML_TRY(pml_file_map_open(path, PML_E_IO, &map, error));
    *is_delta = map.size_bytes >= 8 && memcmp(map.data, PML_DELTA_MAGIC, 8) == 0;
done:
    pml_file_map_close(&map);
    return status;
}

static pml_status damaged(const pml_pieces *pieces, const char *cause, pml_error *error) {
    return PML_FAIL(error, PML_E_FORMAT, "%s: damaged or cut off: %s", pieces->path, cause);
}

static bool read_hash(const uint8_t *bytes, char text[PML_SHA256_TEXT_BYTES]) {
    memcpy(text, bytes, 64);
    text[64] = '\0';
    return strspn(text, "0123456789abcdef") == 64;
}

static pml_status make_piece(const pml_pieces *pieces, size_t i, uint8_t *content, pml_error *error) {
    const source_range *source = (const source_range *)pieces->rows + i;
    const pml_delta_record *record = &source->record;
    if (record->kind == PML_DELTA_REFERENCE) {
        memcpy(content, pieces->old.data + record->old_offset, (size_t)record->size_bytes);
        return PML_OK;
    }
    size_t code = 0;
    if (record->kind == PML_DELTA_PREFIXED) {
        code = ZSTD_DCtx_refPrefix(pieces->context, pieces->old.data + record->old_offset, (size_t)record->old_bytes);
    }
    if (!ZSTD_isError(code)) {
        code = ZSTD_decompressDCtx(pieces->context, content, (size_t)record->size_bytes,
                                   pieces->map.data + source->packed_offset, (size_t)record->packed_bytes);
    }
    if (ZSTD_isError(code) || code != record->size_bytes) {
        return PML_FAIL_AT(error, PML_E_FORMAT, source->packed_offset, "%s: piece %zu of %zu is damaged: %s",
                           pieces->path, i + 1, pieces->count,
                           ZSTD_isError(code) ? ZSTD_getErrorName(code) : "it is too short");
    }
    return PML_OK;
}

static bool is_intact(const pml_pieces *pieces, size_t i, const uint8_t *content) {
    const pml_piece *piece = &pieces->items[i];
    return XXH3_64bits(content, (size_t)piece->size_bytes) == piece->checksum;
}

static bool is_possible(const pml_delta_record *record, uint64_t old_bytes) {
    switch (record->kind) {
    case PML_DELTA_PACKED:
        return record->old_bytes == 0 && record->packed_bytes > 0;
    case PML_DELTA_PREFIXED:
        return record->packed_bytes > 0 && record->old_bytes <= PML_DELTA_PIECE_BYTES &&
               pml_ck_range(record->old_offset, record->old_bytes, old_bytes);
    case PML_DELTA_REFERENCE:
        return record->packed_bytes == 0 && record->old_bytes == record->size_bytes &&
               pml_ck_range(record->old_offset, record->old_bytes, old_bytes);
    default:
        return false;
    }
}

static pml_status read_records(pml_pieces *pieces, pml_error *error) {
    pml_status status = PML_OK;
    const uint8_t *head = pieces->map.data;
    source_range *ranges = NULL;
    const uint64_t total = pieces->map.size_bytes, old_bytes = pieces->old.size_bytes;
    uint64_t records_bytes = 0, packed_end, content_end = 0;
    if (!pml_ck_mul(pieces->count, PML_DELTA_RECORD_BYTES, &records_bytes) || pieces->count > PML_MAX_PIECES ||
        records_bytes > total - PML_DELTA_HEAD_BYTES ||
        XXH3_64bits(head + PML_DELTA_HEAD_BYTES, (size_t)records_bytes) != pml_load_u64(head + 160)) {
        PML_TRY(damaged(pieces, "the checksum of its records is wrong", error));
    }
    PML_TRY(pml_alloc(pieces->count, sizeof *pieces->items, &pieces->items, error));
    PML_TRY(pml_alloc(pieces->count, sizeof *ranges, &ranges, error));
    pieces->rows = ranges;
    packed_end = PML_DELTA_HEAD_BYTES + records_bytes;
    for (size_t i = 0; i < pieces->count; i++) {
        const pml_delta_record record =
            pml_delta_record_decode(head + PML_DELTA_HEAD_BYTES + i * PML_DELTA_RECORD_BYTES);
        if (record.size_bytes == 0 || record.size_bytes > PML_DELTA_PIECE_BYTES || !is_possible(&record, old_bytes) ||
            record.packed_bytes > total - packed_end || !pml_ck_add(content_end, record.size_bytes, &content_end)) {
            PML_TRY(damaged(pieces, "a piece lies outside the files", error));
        }
        ranges[i] = (source_range){record, packed_end};
        pieces->items[i] = (pml_piece){record.size_bytes, record.checksum};
        pieces->most_bytes = record.size_bytes > pieces->most_bytes ? record.size_bytes : pieces->most_bytes;
        packed_end += record.packed_bytes;
    }
    if (packed_end != total || content_end != pieces->content_bytes) {
        PML_TRY(damaged(pieces, "the pieces do not add up to the file", error));
    }
done:
    return status;
}

static pml_status check_old(const pml_pieces *pieces, const char *old_path, pml_error *error) {
    pml_status status = PML_OK;
    const uint8_t *head = pieces->map.data;
    char found[PML_SHA256_TEXT_BYTES], expected[PML_SHA256_TEXT_BYTES];
    if (!read_hash(head + 96, expected)) {
        PML_TRY(damaged(pieces, "no SHA-256 in front", error));
    }
    bool is_same = pieces->old.size_bytes == pml_load_u64(head + 24);
    if (is_same) {
        PML_TRY(pml_hash_bytes(pieces->old.data, pieces->old.size_bytes, found, error));
        is_same = strcmp(found, expected) == 0;
    }
    if (!is_same) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "%s: was made against another file than %s (SHA-256 %s)", pieces->path,
                         old_path, expected));
    }
done:
    return status;
}

pml_status pml_delta_open(const char *path, const char *old_path, pml_pieces *pieces, pml_error *error) {
    pml_status status = PML_OK;
    pml_pieces opened = {.path = path, .make = make_piece, .is_intact = is_intact};
    PML_TRY(pml_file_map_open(path, PML_E_IO, &opened.map, error));
    PML_TRY(pml_file_map_open(old_path, PML_E_IO, &opened.old, error));
    const uint8_t *head = opened.map.data;
    if (opened.map.size_bytes < PML_DELTA_HEAD_BYTES || memcmp(head, PML_DELTA_MAGIC, 8) != 0) {
        PML_TRY(damaged(&opened, "it does not begin as a delta does", error));
    }
    if (pml_load_u32(head + 8) != PML_DELTA_VERSION) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: is a delta of version %u; this program reads version %u", path,
                         pml_load_u32(head + 8), PML_DELTA_VERSION));
    }
    opened.count = pml_load_u32(head + 12);
    opened.content_bytes = pml_load_u64(head + 16);
    if (!read_hash(head + 32, opened.sha256)) {
        PML_TRY(damaged(&opened, "no SHA-256 in front", error));
    }
    PML_TRY(check_old(&opened, old_path, error));
    PML_TRY(read_records(&opened, error));
    opened.context = ZSTD_createDCtx();
    if (opened.context == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: out of memory", path));
    }
    *pieces = opened;
    opened = (pml_pieces){0};
done:
    pml_pieces_close(&opened);
    return status;
}
