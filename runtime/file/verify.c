/* What opening leaves unchecked because it would touch every byte: checksums of tensors and blobs, the content digest,
 * and that padding is zero, between extents and inside panels. */
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/file/file.h"

typedef unsigned long long ull; /* for messages */

static pml_status check_zero(const pml_file *file, uint64_t offset_bytes, uint64_t size_bytes, const char *what,
                             const char *name, pml_error *error) {
    size_t zero_bytes = pml_zero_prefix(file->bytes + offset_bytes, (size_t)size_bytes);
    if (zero_bytes == size_bytes) {
        return PML_OK;
    }
    uint64_t at = offset_bytes + zero_bytes;
    return PML_FAIL_AT(error, PML_E_MISMATCH, at, "%s: padding %s '%.200s' is not zero at byte %llu", file->path, what,
                       name, (ull)at);
}

static pml_status check_extent(const pml_file *file, const char *what, const char *name, uint64_t offset_bytes,
                               uint64_t size_bytes, uint64_t expected, uint64_t *end, pml_error *error) {
    pml_status status;
    PML_TRY(check_zero(file, *end, offset_bytes - *end, "before", name, error));
    uint64_t checksum = pml_bytes_checksum(file->bytes + offset_bytes, (size_t)size_bytes);
    if (checksum != expected) {
        PML_TRY(
            PML_FAIL_AT(error, PML_E_MISMATCH, offset_bytes,
                        "%s: %s '%.200s' (%llu bytes at byte %llu) has checksum %016llx, not %016llx: it is damaged",
                        file->path, what, name, (ull)size_bytes, (ull)offset_bytes, (ull)checksum, (ull)expected));
    }
    *end = offset_bytes + size_bytes;
done:
    return status;
}

/* One panelled matrix of `in` x `out` elements: rows past `in` and columns past `out` must be zero. Only lines that
 * hold padding are looked at. */
static pml_status check_matrix(const pml_file *file, const pml_file_tensor *tensor, uint64_t offset_bytes,
                               unsigned depth, pml_error *error) {
    uint64_t in = tensor->shape[tensor->rank - 2], out = tensor->shape[tensor->rank - 1];
    uint64_t n_lines = (in + depth - 1) / depth, n_panels = (out + PML_PANEL_COLUMNS - 1) / PML_PANEL_COLUMNS;
    uint64_t element_bytes = 4 / depth;
    pml_status status = PML_OK;
    if (out % PML_PANEL_COLUMNS != 0) {
        uint64_t used_bytes = out % PML_PANEL_COLUMNS * 4;
        uint64_t panel = offset_bytes + (n_panels - 1) * n_lines * 64;
        for (uint64_t i = 0; i < n_lines; i++) {
            PML_TRY(check_zero(file, panel + 64 * i + used_bytes, 64 - used_bytes, "in", tensor->name, error));
        }
    }
    if (in % depth != 0) {
        uint64_t used_bytes = in % depth * element_bytes;
        for (uint64_t i = 0; i < n_panels; i++) {
            uint64_t line = offset_bytes + ((i + 1) * n_lines - 1) * 64;
            for (uint64_t j = 0; j < PML_PANEL_COLUMNS; j++) {
                PML_TRY(check_zero(file, line + 4 * j + used_bytes, 4 - used_bytes, "in", tensor->name, error));
            }
        }
    }
done:
    return status;
}

static pml_status check_panels(const pml_file *file, const pml_file_tensor *tensor, pml_error *error) {
    unsigned depth = tensor->dtype == PML_DTYPE_C64 ? 1 : pml_panel_depth(tensor->dtype);
    uint64_t in = tensor->shape[tensor->rank - 2], out = tensor->shape[tensor->rank - 1];
    uint64_t matrix_bytes =
        (in + depth - 1) / depth * ((out + PML_PANEL_COLUMNS - 1) / PML_PANEL_COLUMNS) * PML_TENSOR_ALIGNMENT_BYTES;
    pml_status status = PML_OK;
    /* Opening proved that size_bytes is a multiple of this; a complex tensor is twice as many matrices. */
    for (uint64_t offset = 0; offset < tensor->size_bytes; offset += matrix_bytes) {
        PML_TRY(check_matrix(file, tensor, tensor->offset_bytes + offset, depth, error));
    }
done:
    return status;
}

/* Between the real and the imaginary part of a row-major complex tensor. */
static pml_status check_complex_row(const pml_file *file, const pml_file_tensor *tensor, pml_error *error) {
    uint64_t part_bytes = 0;
    pml_status status = pml_layout_size(PML_LAYOUT_ROW, PML_DTYPE_F32, tensor->shape, tensor->rank, &part_bytes, error);
    if (status == PML_OK) {
        status = check_zero(file, tensor->offset_bytes + part_bytes, tensor->size_bytes - 2 * part_bytes, "in",
                            tensor->name, error);
    }
    return status;
}

/* Scales and sums of columns past `out`: runs of 16 entries, of which the last of each row of panels is partial. */
static pml_status check_side(const pml_file *file, const pml_file_tensor *tensor, const pml_file_extent *extent,
                             pml_error *error) {
    uint64_t in = tensor->shape[tensor->rank - 2], out = tensor->shape[tensor->rank - 1];
    uint64_t n_groups = tensor->group_rows == 0 ? 1 : (in + tensor->group_rows - 1) / tensor->group_rows;
    uint64_t entry_bytes = tensor->group_rows == 0 ? 4 : 2, run_bytes = PML_PANEL_COLUMNS * entry_bytes;
    uint64_t n_panels = (out + PML_PANEL_COLUMNS - 1) / PML_PANEL_COLUMNS;
    uint64_t used_bytes = out % PML_PANEL_COLUMNS * entry_bytes;
    pml_status status = PML_OK;
    uint64_t matrix_bytes = n_panels * n_groups * run_bytes;
    for (uint64_t matrix = 0; used_bytes > 0 && matrix < extent->size_bytes; matrix += matrix_bytes) {
        uint64_t last_panel = extent->offset_bytes + matrix + (n_panels - 1) * n_groups * run_bytes;
        for (uint64_t i = 0; i < n_groups; i++) {
            PML_TRY(check_zero(file, last_panel + i * run_bytes + used_bytes, run_bytes - used_bytes, "in",
                               tensor->name, error));
        }
    }
done:
    return status;
}

static pml_status check_tensor(const pml_file *file, const pml_file_tensor *tensor, uint64_t *end, pml_error *error) {
    pml_status status;
    PML_TRY(check_extent(file, "tensor", tensor->name, tensor->offset_bytes, tensor->size_bytes, tensor->checksum, end,
                         error));
    if (tensor->layout == PML_LAYOUT_PANEL) {
        PML_TRY(check_panels(file, tensor, error));
    } else if (tensor->dtype == PML_DTYPE_C64) {
        PML_TRY(check_complex_row(file, tensor, error));
    }
    const pml_file_extent *sides[] = {&tensor->scales, &tensor->sums};
    for (unsigned i = 0; i < 2 && tensor->dtype == PML_DTYPE_I8; i++) {
        PML_TRY(check_extent(file, i == 0 ? "scales of" : "sums of", tensor->name, sides[i]->offset_bytes,
                             sides[i]->size_bytes, sides[i]->checksum, end, error));
        PML_TRY(check_side(file, tensor, sides[i], error));
    }
    if (tensor->dtype == PML_DTYPE_I8) {
        PML_TRY(pml_file_verify_i8(file, tensor, error));
    }
done:
    return status;
}

static pml_status check_digest(const pml_file *file, pml_error *error) {
    uint8_t *metadata = NULL, digest[16];
    size_t metadata_bytes;
    pml_status status;
    PML_TRY(pml_metadata_encode(file->metadata, false, &metadata, &metadata_bytes, error));
    PML_TRY(pml_content_digest(metadata, metadata_bytes, file->tensors, file->header.n_tensors, digest, error));
    if (memcmp(digest, file->header.content_digest, 16) != 0) {
        PML_TRY(PML_FAIL_AT(error, PML_E_MISMATCH, 48, "%s: the content digest does not belong to the content",
                            file->path));
    }
done:
    pml_free(metadata);
    return status;
}

pml_status pml_file_verify(const pml_file *file, pml_error *error) {
    pml_status status;
    uint64_t end = file->header.sections[PML_SECTION_BLOB_DATA].offset_bytes;
    PML_TRY(check_digest(file, error));
    for (size_t i = 0; i < file->header.n_blobs; i++) {
        const pml_file_blob *blob = &file->blobs[i];
        PML_TRY(pml_cancel_check(error));
        PML_TRY(
            check_extent(file, "blob", blob->name, blob->offset_bytes, blob->size_bytes, blob->checksum, &end, error));
    }
    for (size_t i = 0; i < file->header.n_tensors; i++) {
        PML_TRY(pml_cancel_check(error));
        PML_TRY(check_tensor(file, &file->tensors[i], &end, error));
    }
    PML_TRY(check_zero(file, end, file->size_bytes - end, "after", "the last tensor", error));
done:
    return status;
}
