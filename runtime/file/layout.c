#include "runtime/file/layout.h"

#include <string.h>

#include "runtime/base/checked.h"
#include "runtime/base/limits.h"

const char *pml_layout_name(pml_layout layout) {
    switch (layout) {
    case PML_LAYOUT_ROW:
        return "row";
    case PML_LAYOUT_PANEL:
        return "panel";
    default:
        return "?";
    }
}

pml_status pml_layout_from_name(const char *name, pml_layout *layout, pml_error *error) {
    if (strcmp(name, "row") == 0) {
        *layout = PML_LAYOUT_ROW;
    } else if (strcmp(name, "panel") == 0) {
        *layout = PML_LAYOUT_PANEL;
    } else {
        return PML_FAIL(error, PML_E_ARGUMENT, "unknown layout '%.40s': row and panel are known", name);
    }
    return PML_OK;
}

unsigned pml_panel_depth(pml_dtype dtype) {
    switch (dtype) {
    case PML_DTYPE_F32:
        return 1;
    case PML_DTYPE_BF16:
        return 2;
    case PML_DTYPE_I8:
        return 4;
    default:
        return 0;
    }
}

static pml_status too_large(pml_error *error) {
    return PML_FAIL(error, PML_E_FORMAT, "the product of the dimensions overflows");
}

static pml_status check_shape(const uint64_t *shape, unsigned rank, pml_error *error) {
    if (rank > PML_MAX_RANK) {
        return PML_FAIL(error, PML_E_FORMAT, "rank %u is above %u", rank, PML_MAX_RANK);
    }
    for (unsigned i = 0; i < rank; i++) {
        if (shape[i] == 0) {
            return PML_FAIL(error, PML_E_FORMAT, "dimension %u is 0", i);
        }
    }
    return PML_OK;
}

/* Matrices before the last two axes. */
static bool count_batches(const uint64_t *shape, unsigned rank, uint64_t *n_batches) {
    return pml_ck_product(shape, rank - 2, n_batches);
}

static pml_status panel_size(pml_dtype dtype, const uint64_t *shape, unsigned rank, uint64_t *size_bytes,
                             pml_error *error) {
    if (rank < 2) {
        return PML_FAIL(error, PML_E_FORMAT, "layout panel needs a matrix, not rank %u", rank);
    }
    /* A line of 64 bytes holds `depth` rows of 16 columns, so n lines are ceil(in / depth) * ceil(out / 16). */
    uint64_t depth = pml_panel_depth(dtype);
    uint64_t padded_in, padded_out, n_batches, total;
    if (!pml_ck_pad(shape[rank - 2], depth, &padded_in) ||
        !pml_ck_pad(shape[rank - 1], PML_PANEL_COLUMNS, &padded_out) || !count_batches(shape, rank, &n_batches) ||
        !pml_ck_mul(padded_in / depth, padded_out / PML_PANEL_COLUMNS, &total) ||
        !pml_ck_mul(total, PML_TENSOR_ALIGNMENT_BYTES, &total) || !pml_ck_mul(total, n_batches, &total)) {
        return too_large(error);
    }
    *size_bytes = total;
    return PML_OK;
}

static pml_status row_size(pml_dtype dtype, const uint64_t *shape, unsigned rank, uint64_t *size_bytes,
                           pml_error *error) {
    uint64_t total;
    if (!pml_ck_product(shape, rank, &total) || !pml_ck_mul(total, pml_dtype_bits(dtype) / 8, &total)) {
        return too_large(error);
    }
    *size_bytes = total;
    return PML_OK;
}

/* Two real tensors of the same layout; the second begins on the next 64-byte line. */
static pml_status complex_size(pml_layout layout, const uint64_t *shape, unsigned rank, uint64_t *size_bytes,
                               pml_error *error) {
    uint64_t part, total;
    pml_status status = pml_layout_size(layout, PML_DTYPE_F32, shape, rank, &part, error);
    if (status != PML_OK) {
        return status;
    }
    if (!pml_ck_pad(part, PML_TENSOR_ALIGNMENT_BYTES, &total) || !pml_ck_add(total, part, &total)) {
        return too_large(error);
    }
    *size_bytes = total;
    return PML_OK;
}

pml_status pml_layout_size(pml_layout layout, pml_dtype dtype, const uint64_t *shape, unsigned rank,
                           uint64_t *size_bytes, pml_error *error) {
    pml_status status = check_shape(shape, rank, error);
    if (status != PML_OK) {
        return status;
    }
    if (layout != PML_LAYOUT_ROW && layout != PML_LAYOUT_PANEL) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "layout %u is not known to this version", (unsigned)layout);
    }
    if (dtype == PML_DTYPE_C64) {
        return complex_size(layout, shape, rank, size_bytes, error);
    }
    bool is_known =
        dtype == PML_DTYPE_F32 || dtype == PML_DTYPE_BF16 || (dtype == PML_DTYPE_I8 && layout == PML_LAYOUT_PANEL);
    if (!is_known) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "layout %s is not defined for dtype %s", pml_layout_name(layout),
                        pml_dtype_name(dtype));
    }
    return layout == PML_LAYOUT_ROW ? row_size(dtype, shape, rank, size_bytes, error)
                                    : panel_size(dtype, shape, rank, size_bytes, error);
}

pml_status pml_layout_scales(pml_dtype dtype, const uint64_t *shape, unsigned rank, uint32_t group_rows,
                             uint64_t *scales_bytes, uint64_t *sums_bytes, pml_error *error) {
    if (dtype != PML_DTYPE_I8) {
        if (group_rows != 0) {
            return PML_FAIL(error, PML_E_FORMAT, "dtype %s has groups of %u rows; only I8 is quantized in groups",
                            pml_dtype_name(dtype), group_rows);
        }
        *scales_bytes = 0;
        *sums_bytes = 0;
        return PML_OK;
    }
    pml_status status = check_shape(shape, rank, error);
    if (status != PML_OK) {
        return status;
    }
    if (rank < 2) {
        return PML_FAIL(error, PML_E_FORMAT, "dtype I8 needs a matrix, not rank %u", rank);
    }
    if (group_rows != 0 && group_rows != 32 && group_rows != 64) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "groups of %u rows are not known to this version", group_rows);
    }
    uint64_t n_entries, padded_out, padded_in, n_batches;
    uint64_t rows = group_rows == 0 ? shape[rank - 2] : group_rows;
    if (!pml_ck_pad(shape[rank - 2], rows, &padded_in) ||
        !pml_ck_pad(shape[rank - 1], PML_PANEL_COLUMNS, &padded_out) || !count_batches(shape, rank, &n_batches) ||
        !pml_ck_mul(padded_in / rows, padded_out, &n_entries) || !pml_ck_mul(n_entries, n_batches, &n_entries) ||
        !pml_ck_mul(n_entries, group_rows == 0 ? 4 : 2, scales_bytes)) {
        return too_large(error);
    }
    *sums_bytes = *scales_bytes;
    return PML_OK;
}
