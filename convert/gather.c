#include "convert/gather.h"

#include <string.h>

#include "convert/lines.h"
#include "convert/pack.h"
#include "runtime/base/checked.h"
#include "runtime/base/quote.h"

/* Appends a factor; one that continues the factor before it is joined with it. */
static void axis_append(pml_gather_axis *axis, uint64_t size, uint64_t stride) {
    unsigned n = axis->n_factors;
    axis->count *= size;
    if (size == 1) {
        return;
    }
    if (n > 0 && axis->stride[n - 1] == stride * size) {
        axis->size[n - 1] *= size;
        axis->stride[n - 1] = stride;
        return;
    }
    axis->size[n] = size;
    axis->stride[n] = stride;
    axis->n_factors = n + 1;
}

static uint64_t axis_offset(const pml_gather_axis *axis, uint64_t i) {
    uint64_t offset = 0;
    for (unsigned k = axis->n_factors; k-- > 0;) {
        offset += i % axis->size[k] * axis->stride[k];
        i /= axis->size[k];
    }
    return offset;
}

/* The greatest offset of `n` indexes from `start` on, or a bound above it. */
static uint64_t axis_last_offset(const pml_gather_axis *axis, uint64_t start, uint64_t n) {
    if (axis->n_factors == 0) {
        return 0;
    }
    if (axis->n_factors == 1) {
        return (start + n - 1) * axis->stride[0];
    }
    uint64_t offset = 0;
    for (unsigned k = 0; k < axis->n_factors; k++) {
        offset += (axis->size[k] - 1) * axis->stride[k];
    }
    return offset;
}

static uint64_t inner_stride(const pml_gather_axis *axis) {
    return axis->n_factors == 0 ? UINT64_MAX : axis->stride[axis->n_factors - 1];
}

/* Every element that the view can reach lies inside its tensor: checked here, once, so that the loops need not. */
static pml_status check_bounds(const pml_view *view, const pml_source_tensor *tensor, pml_error *error) {
    uint64_t last = view->offset, n_elements, step;
    bool fits = pml_ck_product(tensor->shape, tensor->rank, &n_elements);
    for (unsigned k = 0; fits && k < view->n_factors; k++) {
        fits = view->factor_size[k] > 0 && pml_ck_mul(view->factor_size[k] - 1, view->factor_stride[k], &step) &&
               pml_ck_add(last, step, &last);
    }
    if (!fits || last >= n_elements) {
        return PML_FAIL(error, PML_E_FORMAT, "tensor %s: its transforms reach beyond its elements",
                        pml_quote(&(pml_quoted){{0}}, tensor->name));
    }
    return PML_OK;
}

/* Distributes the view's factors over its axes. */
static pml_status split_axes(const pml_view *view, const pml_source_tensor *tensor, pml_gather_axis axes[PML_MAX_RANK],
                             pml_error *error) {
    unsigned k = 0;
    for (unsigned a = 0; a < view->rank; a++) {
        axes[a] = (pml_gather_axis){.count = 1};
        while (k < view->n_factors && axes[a].count < view->shape[a]) {
            axis_append(&axes[a], view->factor_size[k], view->factor_stride[k]);
            k++;
        }
        if (axes[a].count != view->shape[a]) {
            return PML_FAIL(error, PML_E_FORMAT, "tensor %s: its transforms do not divide into axes",
                            pml_quote(&(pml_quoted){{0}}, tensor->name));
        }
    }
    return PML_OK;
}

/* Reads the view of part `i_part` into the gather. */
static pml_status load_part(pml_gather *gather, size_t i_part, pml_error *error) {
    pml_status status = PML_OK;
    const pml_weight_instance *weight = gather->weight->weight;
    const pml_source_tensor *tensor = gather->weight->parts[i_part].source;
    const unsigned n_stacked = gather->stack == PML_STACK_NONE ? 0 : 1;
    pml_view view;
    pml_gather_axis axes[PML_MAX_RANK];
    const void *bytes;
    gather->i_part = SIZE_MAX;
    PML_TRY(pml_pack_check_dtype(gather->source, tensor, error));
    PML_TRY(pml_transform_view(gather->weight->transform, tensor->shape, tensor->rank, &view, error));
    if (view.rank + n_stacked != weight->rank ||
        memcmp(view.shape, weight->shape + n_stacked, view.rank * sizeof view.shape[0]) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tensor %s does not have the shape of '%s' after its transforms",
                         pml_quote(&(pml_quoted){{0}}, tensor->name), weight->name));
    }
    PML_TRY(check_bounds(&view, tensor, error));
    PML_TRY(split_axes(&view, tensor, axes, error));
    PML_TRY(pml_source_tensor_view(gather->source, tensor, &bytes, error));
    gather->tensor = tensor;
    gather->bytes = bytes;
    gather->element_bytes = pml_dtype_bits(tensor->dtype) / 8;
    gather->offset = view.offset;
    gather->columns = view.rank > 0 ? axes[view.rank - 1] : (pml_gather_axis){.count = 1};
    gather->rows = view.rank > 1 ? axes[view.rank - 2] : (pml_gather_axis){.count = 1};
    gather->n_batch_axes = view.rank > 2 ? view.rank - 2 : 0;
    memcpy(gather->batch_axes, axes, gather->n_batch_axes * sizeof axes[0]);
    gather->by_columns = gather->rows.n_factors > 0 && inner_stride(&gather->rows) < inner_stride(&gather->columns);
    gather->i_part = i_part;
done:
    return status;
}

/* Makes `i_part` the current part. */
static pml_status select_part(pml_gather *gather, size_t i_part, pml_error *error) {
    return i_part == gather->i_part ? PML_OK : load_part(gather, i_part, error);
}

pml_status pml_gather_init(pml_gather *gather, pml_source *source, const pml_mapped_weight *weight, pml_error *error) {
    pml_status status = PML_OK;
    const unsigned rank = weight->weight->rank;
    const uint64_t *shape = weight->weight->shape;
    pml_view view;
    gather->source = source;
    gather->weight = weight;
    gather->i_part = SIZE_MAX;
    memset(gather->zeros, 0, sizeof gather->zeros);
    gather->n_columns = rank > 0 ? shape[rank - 1] : 1;
    gather->n_rows = rank > 1 ? shape[rank - 2] : 1;
    gather->n_batches = 1;
    if (rank > 2 && !pml_ck_product(shape, rank - 2, &gather->n_batches)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "weight '%s' is too large", weight->weight->name));
    }
    gather->stack = PML_STACK_NONE;
    if (weight->n_parts == 0) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "weight '%s' has no source", weight->weight->name));
    }
    PML_TRY(pml_transform_view(weight->transform, weight->parts[0].source->shape, weight->parts[0].source->rank, &view,
                               error));
    if (view.is_stacked) {
        gather->stack = rank > 2 ? PML_STACK_BATCHES : rank == 2 ? PML_STACK_ROWS : PML_STACK_COLUMNS;
    }
    if (rank == 0 ? view.is_stacked : (view.is_stacked ? shape[0] : 1) != weight->n_parts) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "weight '%s' has %zu sources", weight->weight->name, weight->n_parts));
    }
    for (size_t i = 0; i < weight->n_parts; i++) {
        if (view.is_stacked && weight->parts[i].i_stack != i) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "weight '%s' lacks its part %zu", weight->weight->name, i));
        }
    }
    PML_TRY(select_part(gather, 0, error));
done:
    return status;
}

/* Selects the part that holds a batch and row, and gives the element at which that batch (and stacked row) begins. */
static pml_status begin_batch(pml_gather *gather, uint64_t batch, uint64_t row, uint64_t column, uint64_t *base,
                              pml_error *error) {
    pml_status status = PML_OK;
    uint64_t rest = batch;
    size_t i_part = 0;
    if (gather->stack == PML_STACK_BATCHES) {
        const uint64_t per_part = gather->n_batches / gather->weight->n_parts;
        i_part = (size_t)(batch / per_part);
        rest = batch % per_part;
    } else if (gather->stack == PML_STACK_ROWS) {
        i_part = (size_t)row;
    } else if (gather->stack == PML_STACK_COLUMNS) {
        i_part = (size_t)column;
    }
    PML_TRY(select_part(gather, i_part, error));
    *base = gather->offset;
    for (unsigned a = gather->n_batch_axes; a-- > 0;) {
        const pml_gather_axis *axis = &gather->batch_axes[a];
        *base += axis_offset(axis, rest % axis->count);
        rest /= axis->count;
    }
done:
    return status;
}

/* Widens `n` elements along an axis. */
static void read_run(const pml_gather *gather, uint64_t base, const pml_gather_axis *axis, uint64_t start, size_t n,
                     float *out) {
    if (axis->n_factors == 0) {
        pml_lines_widen(gather->tensor->dtype, gather->bytes + base * gather->element_bytes, 1, n, out);
        return;
    }
    const uint64_t size = axis->size[axis->n_factors - 1], stride = axis->stride[axis->n_factors - 1];
    while (n > 0) {
        const uint64_t left = size - start % size;
        const size_t n_run = left < n ? (size_t)left : n;
        const uint8_t *bytes = gather->bytes + (base + axis_offset(axis, start)) * gather->element_bytes;
        pml_lines_widen(gather->tensor->dtype, bytes, stride, n_run, out);
        out += n_run;
        start += n_run;
        n -= n_run;
    }
}

/* Up to 16 columns, runs along the rows. */
static void read_columns(pml_gather *gather, uint64_t base, const pml_gather_block *block, bool pad, float *out,
                         size_t stride) {
    const uint8_t *runs[PML_PANEL_COLUMNS];
    const bool in_place =
        gather->tensor->dtype == PML_DTYPE_F32 && gather->rows.n_factors == 1 && gather->rows.stride[0] == 1;
    const bool direct = pad || block->n_columns == PML_PANEL_COLUMNS;
    for (size_t i = 0; i < block->n_rows; i += PML_GATHER_RUN) {
        const size_t n = block->n_rows - i < PML_GATHER_RUN ? block->n_rows - i : PML_GATHER_RUN;
        for (size_t c = 0; c < PML_PANEL_COLUMNS; c++) {
            if (c >= block->n_columns) {
                runs[c] = (const uint8_t *)gather->zeros;
                continue;
            }
            const uint64_t column = base + axis_offset(&gather->columns, block->column + c);
            if (in_place) {
                runs[c] = gather->bytes + (column + block->row + i) * sizeof(float);
            } else {
                read_run(gather, column, &gather->rows, block->row + i, n, gather->runs[c]);
                runs[c] = (const uint8_t *)gather->runs[c];
            }
        }
        if (direct) {
            pml_lines_transpose(runs, n, out + i * stride, stride);
            continue;
        }
        pml_lines_transpose(runs, n, gather->lines, PML_PANEL_COLUMNS);
        for (size_t k = 0; k < n; k++) {
            memcpy(out + (i + k) * stride, gather->lines + k * PML_PANEL_COLUMNS, block->n_columns * sizeof *out);
        }
    }
}

/* 16 neighbouring F32 columns of rows that are evenly spaced: a line is a copy of constant size. */
static bool copy_lines(const pml_gather *gather, uint64_t base, const pml_gather_block *block, float *out,
                       size_t stride) {
    const pml_gather_axis *rows = &gather->rows, *columns = &gather->columns;
    if (gather->tensor->dtype != PML_DTYPE_F32 || block->n_columns != PML_PANEL_COLUMNS || rows->n_factors != 1 ||
        columns->n_factors != 1 || columns->stride[0] != 1) {
        return false;
    }
    const uint8_t *bytes = gather->bytes + (base + block->row * rows->stride[0] + block->column) * sizeof(float);
    const uint64_t row_bytes = rows->stride[0] * sizeof(float);
    for (size_t i = 0; i < block->n_rows; i++, bytes += row_bytes) {
        memcpy(out + i * stride, bytes, PML_PANEL_COLUMNS * sizeof *out);
    }
    return true;
}

/* One rectangle that lies in one part. */
static void read_part(pml_gather *gather, uint64_t base, const pml_gather_block *block, bool pad, float *out,
                      size_t stride) {
    if (!gather->by_columns && copy_lines(gather, base, block, out, stride)) {
        return;
    }
    if (!gather->by_columns) {
        for (size_t i = 0; i < block->n_rows; i++) {
            const uint64_t row = base + axis_offset(&gather->rows, block->row + i);
            float *line = out + i * stride;
            read_run(gather, row, &gather->columns, block->column, block->n_columns, line);
            for (size_t c = block->n_columns; pad && c < PML_PANEL_COLUMNS; c++) {
                line[c] = 0;
            }
        }
        return;
    }
    pml_gather_block strip = *block;
    for (size_t c = 0; c < block->n_columns; c += PML_PANEL_COLUMNS) {
        strip.column = block->column + c;
        strip.n_columns = block->n_columns - c < PML_PANEL_COLUMNS ? block->n_columns - c : PML_PANEL_COLUMNS;
        read_columns(gather, base, &strip, pad, out + c, stride);
    }
}

pml_status pml_gather_read(pml_gather *gather, const pml_gather_block *block, bool pad, float *out, size_t stride,
                           pml_error *error) {
    pml_status status = PML_OK;
    uint64_t base;
    if (gather->stack == PML_STACK_ROWS) {
        for (size_t i = 0; i < block->n_rows; i++) {
            const pml_gather_block line = {0, 0, block->column, 1, block->n_columns};
            PML_TRY(begin_batch(gather, 0, block->row + i, 0, &base, error));
            read_part(gather, base, &line, pad, out + i * stride, stride);
        }
    } else if (gather->stack == PML_STACK_COLUMNS) {
        for (size_t c = 0; c < block->n_columns; c++) {
            PML_TRY(begin_batch(gather, 0, 0, block->column + c, &base, error));
            read_part(gather, base, &(pml_gather_block){0, 0, 0, 1, 1}, false, out + c, stride);
        }
        for (size_t c = block->n_columns; pad && c < PML_PANEL_COLUMNS; c++) {
            out[c] = 0;
        }
    } else {
        PML_TRY(begin_batch(gather, block->batch, block->row, block->column, &base, error));
        read_part(gather, base, block, pad, out, stride);
    }
done:
    return status;
}

pml_status pml_gather_locate(pml_gather *gather, uint64_t batch, uint64_t row, uint64_t column, uint64_t *i_element,
                             pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(begin_batch(gather, batch, row, column, i_element, error));
    *i_element += gather->stack == PML_STACK_ROWS ? 0 : axis_offset(&gather->rows, row);
    *i_element += gather->stack == PML_STACK_COLUMNS ? 0 : axis_offset(&gather->columns, column);
done:
    return status;
}

pml_status pml_gather_end(pml_gather *gather, const pml_gather_block *block, uint64_t *end_bytes, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t last;
    PML_TRY(begin_batch(gather, block->batch, block->row, block->column, &last, error));
    if (gather->stack != PML_STACK_ROWS) {
        last += axis_last_offset(&gather->rows, block->row, block->n_rows);
    }
    if (gather->stack != PML_STACK_COLUMNS) {
        last += axis_last_offset(&gather->columns, block->column, block->n_columns);
    }
    *end_bytes = (last + 1) * gather->element_bytes;
done:
    return status;
}
