/* Writing deltas (convert/ship/delta.h): the new file is walked from front to back, in ranges of one tensor or of what
 * lies between two. */
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include "convert/ship/delta.h"
#include "convert/ship/delta_record.h"
#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/publish.h"
#include "runtime/file/reader.h"

typedef struct range { /* of the new file, and what resembles it in the old one */
    uint64_t offset_bytes, size_bytes;
    uint64_t old_offset, old_bytes; /* old_bytes 0: nothing does */
} range;

typedef struct writing {
    pml_file *new_file, *old_file;
    pml_file_map new_map, old_map;
    range *ranges;
    size_t n_ranges, range_capacity;
    pml_delta_record *records;
    size_t n_records, record_capacity;
    ZSTD_CCtx *context;
    uint8_t *packed;
    size_t packed_room;
    pml_publish *publish;
    pml_hash *hash;
    uint64_t end_bytes; /* of the packed bytes */
    uint64_t done_bytes;
    pml_ship_progress_fn *progress;
    void *user;
} writing;

/* ---- which bytes are compared with which ---- */
static pml_status add_range(writing *w, uint64_t offset_bytes, uint64_t size_bytes, uint64_t old_offset,
                            uint64_t old_bytes, pml_error *error) {
    pml_status status = PML_OK;
    if (size_bytes == 0) {
        goto done;
    }
    PML_TRY(
        pml_grow(&w->ranges, &w->range_capacity, w->n_ranges + 1, sizeof *w->ranges, PML_MAX_PIECES, "ranges", error));
    w->ranges[w->n_ranges++] = (range){offset_bytes, size_bytes, old_offset, old_bytes};
done:
    return status;
}

static int compare_ranges(const void *left, const void *right) {
    const range *a = left, *b = right;
    return a->offset_bytes < b->offset_bytes ? -1 : a->offset_bytes > b->offset_bytes;
}

/* One range per stored array; scales and sums of a quantized tensor too. */
static pml_status add_tensor(writing *w, const pml_file_tensor *tensor, pml_error *error) {
    pml_status status = PML_OK;
    const pml_file_tensor *old = pml_file_tensor_find(w->old_file, tensor->name);
    if (old != NULL && (old->dtype != tensor->dtype || old->layout != tensor->layout)) {
        old = NULL;
    }
    const pml_file_tensor none = {0};
    old = old != NULL ? old : &none;
    PML_TRY(add_range(w, tensor->offset_bytes, tensor->size_bytes, old->offset_bytes, old->size_bytes, error));
    PML_TRY(add_range(w, tensor->scales.offset_bytes, tensor->scales.size_bytes, old->scales.offset_bytes,
                      old->scales.size_bytes, error));
    PML_TRY(add_range(w, tensor->sums.offset_bytes, tensor->sums.size_bytes, old->sums.offset_bytes,
                      old->sums.size_bytes, error));
done:
    return status;
}

/* Ranges for all of the file: those of tensors, and what lies before, between and behind them. */
static pml_status plan_ranges(writing *w, pml_error *error) {
    pml_status status = PML_OK;
    const uint64_t old_bytes = w->old_map.size_bytes;
    uint64_t end_bytes = 0;
    for (size_t i = 0; i < pml_file_n_tensors(w->new_file); i++) {
        PML_TRY(add_tensor(w, pml_file_tensor_at(w->new_file, i), error));
    }
    const size_t n_arrays = w->n_ranges;
    if (n_arrays > 0) {
        qsort(w->ranges, n_arrays, sizeof *w->ranges, compare_ranges);
    }
    for (size_t i = 0; i <= n_arrays; i++) {
        const uint64_t next = i < n_arrays ? w->ranges[i].offset_bytes : w->new_map.size_bytes;
        /* The head resembles the old head; padding resembles anything. */
        const uint64_t n = next - end_bytes;
        const uint64_t old_offset = end_bytes < old_bytes ? end_bytes : old_bytes;
        const uint64_t left = old_bytes - old_offset;
        PML_TRY(add_range(w, end_bytes, n, old_offset, n < left ? n : left, error));
        end_bytes = i < n_arrays ? next + w->ranges[i].size_bytes : next;
    }
    qsort(w->ranges, w->n_ranges, sizeof *w->ranges, compare_ranges);
done:
    return status;
}

/* ---- pieces ---- */
static pml_status advance(writing *w, uint64_t size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    const uint64_t end_bytes = w->done_bytes + size_bytes;
    while (w->done_bytes < end_bytes) {
        const uint64_t left = end_bytes - w->done_bytes;
        const size_t n = (size_t)(left < PML_DELTA_PIECE_BYTES ? left : PML_DELTA_PIECE_BYTES);
        PML_TRY(pml_cancel_check(error));
        PML_TRY(pml_hash_update(w->hash, w->new_map.data + w->done_bytes, n, error));
        w->done_bytes += n;
        if (w->progress != NULL) {
            w->progress(w->user, w->done_bytes);
        }
    }
done:
    return status;
}

static pml_status add_record(writing *w, const pml_delta_record *record, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_grow(&w->records, &w->record_capacity, w->n_records + 1, sizeof *w->records, PML_MAX_PIECES, "pieces",
                     error));
    w->records[w->n_records] = *record;
    w->records[w->n_records++].checksum = XXH3_64bits(w->new_map.data + w->done_bytes, (size_t)record->size_bytes);
    PML_TRY(advance(w, record->size_bytes, error));
done:
    return status;
}

static pml_status pack_piece(writing *w, pml_delta_record *record, pml_error *error) {
    pml_status status = PML_OK;
    size_t code = ZSTD_CCtx_reset(w->context, ZSTD_reset_session_only);
    if (!ZSTD_isError(code) && record->kind == PML_DELTA_PREFIXED) {
        code = ZSTD_CCtx_refPrefix(w->context, w->old_map.data + record->old_offset, (size_t)record->old_bytes);
    }
    if (!ZSTD_isError(code)) {
        code = ZSTD_compress2(w->context, w->packed, w->packed_room, w->new_map.data + w->done_bytes,
                              (size_t)record->size_bytes);
    }
    if (ZSTD_isError(code)) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: cannot be packed: %s", pml_file_path(w->new_file),
                         ZSTD_getErrorName(code)));
    }
    record->packed_bytes = code;
    PML_TRY(pml_publish_write(w->publish, w->end_bytes, w->packed, code, error));
    w->end_bytes += code;
    PML_TRY(add_record(w, record, error));
done:
    return status;
}

static pml_status write_range(writing *w, const range *r, pml_delta_report *report, pml_error *error) {
    pml_status status = PML_OK;
    for (uint64_t at = 0; at < r->size_bytes;) {
        const uint64_t left = r->size_bytes - at, old_left = at < r->old_bytes ? r->old_bytes - at : 0;
        const uint64_t n = left < PML_DELTA_PIECE_BYTES ? left : PML_DELTA_PIECE_BYTES;
        const uint64_t n_old = old_left < n ? old_left : n;
        pml_delta_record record = {.kind = n_old > 0 ? PML_DELTA_PREFIXED : PML_DELTA_PACKED,
                                   .size_bytes = n,
                                   .old_offset = n_old > 0 ? r->old_offset + at : 0,
                                   .old_bytes = n_old};
        if (n_old == n &&
            memcmp(w->new_map.data + r->offset_bytes + at, w->old_map.data + record.old_offset, (size_t)n) == 0) {
            record.kind = PML_DELTA_REFERENCE;
            report->same_bytes += n;
            PML_TRY(add_record(w, &record, error));
        } else {
            PML_TRY(pack_piece(w, &record, error));
        }
        at += n;
    }
done:
    return status;
}

/* ---- the file ---- */
static pml_status open_inputs(writing *w, const char *path, const char *old_path, int level, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_file_open(path, &w->new_file, error));
    PML_TRY(pml_file_open(old_path, &w->old_file, error));
    PML_TRY(pml_file_map_open(path, PML_E_IO, &w->new_map, error));
    PML_TRY(pml_file_map_open(old_path, PML_E_IO, &w->old_map, error));
    PML_TRY(pml_hash_create(&w->hash, error));
    w->packed_room = ZSTD_compressBound((size_t)PML_DELTA_PIECE_BYTES);
    PML_TRY(pml_alloc_aligned(w->packed_room, (void **)&w->packed, error));
    w->context = ZSTD_createCCtx();
    /* The window reaches back over a whole piece and its prefix. */
    if (w->context == NULL || ZSTD_isError(ZSTD_CCtx_setParameter(w->context, ZSTD_c_compressionLevel, level)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(w->context, ZSTD_c_windowLog, 25)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(w->context, ZSTD_c_enableLongDistanceMatching, 1))) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: cannot be packed at level %d", path, level));
    }
done:
    return status;
}

/* Now that all is known, what stands in front of the packed bytes. */
static pml_status write_head(writing *w, pml_delta_report *report, uint64_t head_bytes, pml_error *error) {
    pml_status status = PML_OK;
    uint8_t *head = NULL;
    char old_sha256[PML_SHA256_TEXT_BYTES];
    const size_t records_bytes = w->n_records * PML_DELTA_RECORD_BYTES;
    PML_TRY(pml_hash_finish(w->hash, report->packed.sha256, error));
    PML_TRY(pml_hash_bytes(w->old_map.data, w->old_map.size_bytes, old_sha256, error));
    PML_TRY(pml_alloc((size_t)head_bytes, 1, &head, error));
    for (size_t i = 0; i < w->n_records; i++) {
        pml_delta_record_encode(&w->records[i], head + PML_DELTA_HEAD_BYTES + i * PML_DELTA_RECORD_BYTES);
    }
    memcpy(head, PML_DELTA_MAGIC, 8);
    pml_store_u32(head + 8, PML_DELTA_VERSION);
    pml_store_u32(head + 12, (uint32_t)w->n_records);
    pml_store_u64(head + 16, w->new_map.size_bytes);
    pml_store_u64(head + 24, w->old_map.size_bytes);
    memcpy(head + 32, report->packed.sha256, 64);
    memcpy(head + 96, old_sha256, 64);
    pml_store_u64(head + 160, XXH3_64bits(head + PML_DELTA_HEAD_BYTES, records_bytes));
    PML_TRY(pml_publish_write(w->publish, 0, head, (size_t)head_bytes, error));
done:
    pml_free(head);
    return status;
}

/* How many pieces the ranges make: the packed bytes stand behind their records. */
static uint64_t count_pieces(const writing *w) {
    uint64_t n = 0;
    for (size_t i = 0; i < w->n_ranges; i++) {
        n += (w->ranges[i].size_bytes + PML_DELTA_PIECE_BYTES - 1) / PML_DELTA_PIECE_BYTES;
    }
    return n;
}

static void writing_deinit(writing *w) {
    pml_publish_abort(w->publish);
    pml_hash_destroy(w->hash);
    (void)ZSTD_freeCCtx(w->context);
    pml_free(w->packed);
    pml_free(w->records);
    pml_free(w->ranges);
    pml_file_map_close(&w->new_map);
    pml_file_map_close(&w->old_map);
    pml_file_close(w->old_file);
    pml_file_close(w->new_file);
}

pml_status pml_delta_write(const char *path, const char *old_path, const char *target, int level, bool replace,
                           pml_ship_progress_fn *progress, void *user, pml_delta_report *report, pml_error *error) {
    pml_status status = PML_OK;
    writing w = {.progress = progress, .user = user};
    *report = (pml_delta_report){0};
    PML_TRY(open_inputs(&w, path, old_path, level, error));
    PML_TRY(plan_ranges(&w, error));
    PML_TRY(pml_publish_begin(target, 0, replace, &w.publish, error));
    const uint64_t head_bytes = PML_DELTA_HEAD_BYTES + count_pieces(&w) * PML_DELTA_RECORD_BYTES;
    w.end_bytes = head_bytes;
    for (size_t i = 0; i < w.n_ranges; i++) {
        PML_TRY(write_range(&w, &w.ranges[i], report, error));
    }
    PML_TRY(write_head(&w, report, head_bytes, error));
    report->packed.content_bytes = w.new_map.size_bytes;
    report->packed.packed_bytes = w.end_bytes;
    pml_publish *publish = w.publish;
    w.publish = NULL;
    PML_TRY(pml_publish_commit(publish, error));
done:
    writing_deinit(&w);
    return status;
}
