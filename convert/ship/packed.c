#include "convert/ship/packed.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/bytes.h"
#include "runtime/base/cancel.h"
#include "runtime/base/checked.h"
#include "runtime/base/publish.h"

enum {
    SKIPPABLE_HEAD_BYTES = 8,
    TITLE_BYTES = 80,
    FIRST_BYTES = SKIPPABLE_HEAD_BYTES + TITLE_BYTES,
    ROW_BYTES = 12,
    FOOTER_BYTES = 9,
    WINDOW_LOG = 25 /* the whole of a frame; `zstd -d` takes up to 27 unasked */
};
#define FIRST_MAGIC 0x184D2A50u
#define TABLE_MAGIC 0x184D2A5Eu
#define FOOTER_MAGIC 0x8F92EAB1u
#define HAS_CHECKSUMS 0x80u
#define TITLE "PMLSHIP1"

/* ---- writing ---- */
typedef struct packing {
    ZSTD_CCtx *context;
    pml_publish *publish;
    pml_hash *hash;
    uint8_t *packed, *table;
    size_t packed_room, n_frames, table_capacity;
    uint64_t end_bytes; /* of what is written */
} packing;

static pml_status zstd_fail(const char *path, size_t code, pml_error *error) {
    return PML_FAIL(error, PML_E_MEMORY, "%s: cannot be packed: %s", path, ZSTD_getErrorName(code));
}

static pml_status prepare(packing *p, const char *path, int level, pml_error *error) {
    pml_status status = PML_OK;
    p->packed_room = ZSTD_compressBound((size_t)PML_FRAME_BYTES);
    PML_TRY(pml_alloc_aligned(p->packed_room, (void **)&p->packed, error));
    PML_TRY(pml_hash_create(&p->hash, error));
    p->context = ZSTD_createCCtx();
    if (p->context == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: out of memory", path));
    }
    const int settings[][2] = {{ZSTD_c_compressionLevel, level},
                               {ZSTD_c_windowLog, WINDOW_LOG},
                               {ZSTD_c_enableLongDistanceMatching, 1},
                               {ZSTD_c_checksumFlag, 1}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const size_t code = ZSTD_CCtx_setParameter(p->context, (ZSTD_cParameter)settings[i][0], settings[i][1]);
        if (ZSTD_isError(code)) {
            PML_TRY(zstd_fail(path, code, error));
        }
    }
done:
    return status;
}

static pml_status write_frame(packing *p, const char *path, const uint8_t *content, size_t size_bytes,
                              pml_error *error) {
    pml_status status = PML_OK;
    const size_t n = ZSTD_compress2(p->context, p->packed, p->packed_room, content, size_bytes);
    if (ZSTD_isError(n)) {
        PML_TRY(zstd_fail(path, n, error));
    }
    PML_TRY(pml_publish_write(p->publish, p->end_bytes, p->packed, n, error));
    p->end_bytes += n;
    PML_TRY(pml_hash_update(p->hash, content, size_bytes, error));
    PML_TRY(pml_grow(&p->table, &p->table_capacity, (p->n_frames + 1) * ROW_BYTES, 1,
                     (size_t)PML_MAX_PIECES * ROW_BYTES, "frames", error));
    uint8_t *row = p->table + p->n_frames++ * ROW_BYTES;
    pml_store_u32(row, (uint32_t)n);
    pml_store_u32(row + 4, (uint32_t)size_bytes);
    pml_store_u32(row + 8, (uint32_t)XXH64(content, size_bytes, 0));
done:
    return status;
}

/* The table behind the frames, and, now that the hash is known, what stands before them. */
static pml_status write_ends(packing *p, pml_packed_report *report, pml_error *error) {
    pml_status status = PML_OK;
    uint8_t head[SKIPPABLE_HEAD_BYTES], footer[FOOTER_BYTES], first[FIRST_BYTES];
    const size_t table_bytes = p->n_frames * ROW_BYTES;
    pml_store_u32(head, TABLE_MAGIC);
    pml_store_u32(head + 4, (uint32_t)(table_bytes + FOOTER_BYTES));
    pml_store_u32(footer, (uint32_t)p->n_frames);
    footer[4] = HAS_CHECKSUMS;
    pml_store_u32(footer + 5, FOOTER_MAGIC);
    PML_TRY(pml_publish_write(p->publish, p->end_bytes, head, sizeof head, error));
    PML_TRY(pml_publish_write(p->publish, p->end_bytes + sizeof head, p->table, table_bytes, error));
    PML_TRY(pml_publish_write(p->publish, p->end_bytes + sizeof head + table_bytes, footer, sizeof footer, error));
    p->end_bytes += sizeof head + table_bytes + sizeof footer;
    PML_TRY(pml_hash_finish(p->hash, report->sha256, error));
    pml_store_u32(first, FIRST_MAGIC);
    pml_store_u32(first + 4, TITLE_BYTES);
    memcpy(first + SKIPPABLE_HEAD_BYTES, TITLE, 8);
    pml_store_u64(first + SKIPPABLE_HEAD_BYTES + 8, report->content_bytes);
    memcpy(first + SKIPPABLE_HEAD_BYTES + 16, report->sha256, 64);
    PML_TRY(pml_publish_write(p->publish, 0, first, sizeof first, error));
done:
    return status;
}

pml_status pml_packed_write(const char *path, const char *target, int level, bool replace,
                            pml_ship_progress_fn *progress, void *user, pml_packed_report *report, pml_error *error) {
    pml_status status = PML_OK;
    packing p = {.end_bytes = FIRST_BYTES};
    pml_file_map map = {0};
    PML_TRY(pml_file_map_open(path, PML_E_IO, &map, error));
    *report = (pml_packed_report){.content_bytes = map.size_bytes};
    PML_TRY(prepare(&p, path, level, error));
    PML_TRY(pml_publish_begin(target, 0, replace, &p.publish, error));
    for (uint64_t done_bytes = 0; done_bytes < map.size_bytes;) {
        const uint64_t left = map.size_bytes - done_bytes;
        const size_t n = (size_t)(left < PML_FRAME_BYTES ? left : PML_FRAME_BYTES);
        PML_TRY(pml_cancel_check(error));
        PML_TRY(write_frame(&p, path, map.data + done_bytes, n, error));
        done_bytes += n;
        if (progress != NULL) {
            progress(user, done_bytes);
        }
    }
    PML_TRY(write_ends(&p, report, error));
    report->packed_bytes = p.end_bytes;
    pml_publish *publish = p.publish;
    p.publish = NULL;
    PML_TRY(pml_publish_commit(publish, error));
done:
    pml_publish_abort(p.publish);
    pml_file_map_close(&map);
    pml_hash_destroy(p.hash);
    pml_free(p.packed);
    pml_free(p.table);
    (void)ZSTD_freeCCtx(p.context);
    return status;
}

/* ---- reading ---- */
typedef struct frame { /* where a piece's packed bytes lie */
    uint64_t offset_bytes, size_bytes;
} frame;

static pml_status make_frame(const pml_pieces *pieces, size_t i, uint8_t *content, pml_error *error) {
    const frame *f = (const frame *)pieces->rows + i;
    const size_t size_bytes = (size_t)pieces->items[i].size_bytes;
    const size_t n = ZSTD_decompressDCtx(pieces->context, content, size_bytes, pieces->map.data + f->offset_bytes,
                                         (size_t)f->size_bytes);
    if (ZSTD_isError(n) || n != size_bytes) {
        return PML_FAIL_AT(error, PML_E_FORMAT, f->offset_bytes, "%s: frame %zu of %zu is damaged: %s", pieces->path,
                           i + 1, pieces->count, ZSTD_isError(n) ? ZSTD_getErrorName(n) : "it is too short");
    }
    return PML_OK;
}

static bool is_intact(const pml_pieces *pieces, size_t i, const uint8_t *content) {
    const pml_piece *piece = &pieces->items[i];
    return (uint32_t)XXH64(content, (size_t)piece->size_bytes, 0) == piece->checksum;
}

static pml_status damaged(const pml_pieces *pieces, const char *cause, pml_error *error) {
    return PML_FAIL(error, PML_E_FORMAT, "%s: damaged or cut off: %s", pieces->path, cause);
}

static pml_status read_title(pml_pieces *pieces, pml_error *error) {
    const uint8_t *bytes = pieces->map.data;
    if (pieces->map.size_bytes < FIRST_BYTES || pml_load_u32(bytes) != FIRST_MAGIC ||
        pml_load_u32(bytes + 4) != TITLE_BYTES || memcmp(bytes + SKIPPABLE_HEAD_BYTES, TITLE, 8) != 0) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: was not packed by pml-convert ship (zstd -d may unpack it)",
                        pieces->path);
    }
    const uint8_t *title = bytes + SKIPPABLE_HEAD_BYTES;
    pieces->content_bytes = pml_load_u64(title + 8);
    memcpy(pieces->sha256, title + 16, 64);
    pieces->sha256[64] = '\0';
    return strspn(pieces->sha256, "0123456789abcdef") == 64 ? PML_OK : damaged(pieces, "no SHA-256 in front", error);
}

/* Finds the table at the end; *rows and the number of frames. */
static pml_status find_table(pml_pieces *pieces, const uint8_t **rows, uint64_t *table_at, pml_error *error) {
    const uint64_t total = pieces->map.size_bytes;
    const uint8_t *footer = pieces->map.data + total - FOOTER_BYTES;
    uint64_t table_bytes;
    if (total < FIRST_BYTES + SKIPPABLE_HEAD_BYTES + FOOTER_BYTES || pml_load_u32(footer + 5) != FOOTER_MAGIC ||
        footer[4] != HAS_CHECKSUMS) {
        return damaged(pieces, "no table of frames at the end", error);
    }
    pieces->count = pml_load_u32(footer);
    if (!pml_ck_mul(pieces->count, ROW_BYTES, &table_bytes) || pieces->count > PML_MAX_PIECES ||
        table_bytes > total - FIRST_BYTES - SKIPPABLE_HEAD_BYTES - FOOTER_BYTES) {
        return damaged(pieces, "the table of frames is larger than the file", error);
    }
    *table_at = total - FOOTER_BYTES - table_bytes - SKIPPABLE_HEAD_BYTES;
    const uint8_t *head = pieces->map.data + *table_at;
    if (pml_load_u32(head) != TABLE_MAGIC || pml_load_u32(head + 4) != table_bytes + FOOTER_BYTES) {
        return damaged(pieces, "the table of frames does not begin where it should", error);
    }
    *rows = head + SKIPPABLE_HEAD_BYTES;
    return PML_OK;
}

static pml_status read_table(pml_pieces *pieces, pml_error *error) {
    pml_status status = PML_OK;
    const uint8_t *row = NULL;
    frame *frames = NULL;
    uint64_t table_at = 0, packed_end = FIRST_BYTES, content_end = 0;
    PML_TRY(find_table(pieces, &row, &table_at, error));
    PML_TRY(pml_alloc(pieces->count, sizeof *pieces->items, &pieces->items, error));
    PML_TRY(pml_alloc(pieces->count, sizeof *frames, &frames, error));
    pieces->rows = frames;
    for (size_t i = 0; i < pieces->count; i++, row += ROW_BYTES) {
        const uint32_t packed_bytes = pml_load_u32(row), size_bytes = pml_load_u32(row + 4);
        if (size_bytes == 0 || size_bytes > PML_FRAME_BYTES || packed_bytes > table_at - packed_end) {
            PML_TRY(damaged(pieces, "a frame is larger than it can be", error));
        }
        frames[i] = (frame){packed_end, packed_bytes};
        pieces->items[i] = (pml_piece){size_bytes, pml_load_u32(row + 8)};
        pieces->most_bytes = size_bytes > pieces->most_bytes ? size_bytes : pieces->most_bytes;
        packed_end += packed_bytes;
        content_end += size_bytes;
    }
    if (packed_end != table_at || content_end != pieces->content_bytes) {
        PML_TRY(damaged(pieces, "the frames do not add up to the file", error));
    }
done:
    return status;
}

pml_status pml_packed_open(const char *path, pml_pieces *pieces, pml_error *error) {
    pml_status status = PML_OK;
    pml_pieces opened = {.path = path, .make = make_frame, .is_intact = is_intact};
    PML_TRY(pml_file_map_open(path, PML_E_IO, &opened.map, error));
    PML_TRY(read_title(&opened, error));
    PML_TRY(read_table(&opened, error));
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
