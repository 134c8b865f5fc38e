#include "convert/pack.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "convert/pack_parts.h"
#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/quote.h"
#include "runtime/kernels/kernels.h"

pml_status pml_packer_create(pml_packer **packer, pml_error *error) {
    pml_status status = PML_OK;
    pml_packer *created = NULL;
    uint32_t allowed = 0;
    *packer = NULL;
    PML_TRY(pml_isa_allowed(&allowed, error));
    PML_TRY(pml_alloc(1, sizeof *created, &created, error));
    created->loops = pml_i8_loops_choose(allowed);
    PML_TRY(pml_alloc_aligned(PML_CHUNK_FLOATS * sizeof *created->values, (void **)&created->values, error));
    PML_TRY(pml_alloc_aligned(PML_CHUNK_FLOATS * sizeof *created->rounded, (void **)&created->rounded, error));
    PML_TRY(pml_alloc(PML_I8_CHUNK_ENTRIES, sizeof *created->scales, &created->scales, error));
    PML_TRY(pml_alloc(PML_I8_CHUNK_ENTRIES, sizeof *created->sums, &created->sums, error));
    *packer = created;
    created = NULL;
done:
    pml_packer_destroy(created);
    return status;
}

void pml_packer_destroy(pml_packer *packer) {
    if (packer != NULL) {
        pml_free(packer->values);
        pml_free(packer->rounded);
        pml_free(packer->scales);
        pml_free(packer->sums);
        pml_free(packer);
    }
}

uint64_t pml_packer_buffer_bytes(void) {
    return sizeof(pml_packer) + PML_CHUNK_FLOATS * (sizeof(float) + sizeof(uint16_t)) +
           PML_I8_CHUNK_ENTRIES * 2 * sizeof(uint32_t);
}

void pml_pack_choose(const pml_weight_spec *spec, pml_dtype dtype, pml_layout layout, pml_dtype *stored_dtype,
                     pml_layout *stored_layout) {
    const bool is_operand = spec->role == PML_ROLE_MATRIX || spec->role == PML_ROLE_CONVOLUTION ||
                            (spec->role == PML_ROLE_EMBEDDING && dtype == PML_DTYPE_I8);
    *stored_dtype = is_operand ? dtype : PML_DTYPE_F32;
    *stored_layout = is_operand ? layout : PML_LAYOUT_ROW;
}

pml_status pml_pack_check_dtype(const pml_source *source, const pml_source_tensor *tensor, pml_error *error) {
    if (pml_dtype_is_float(tensor->dtype)) {
        return PML_OK;
    }
    return PML_FAIL_AT(error, PML_E_UNSUPPORTED, tensor->offset_bytes,
                       "%s: tensor %s is %s; weights are converted from F64, F32, F16 and BF16",
                       pml_source_file_name(source, tensor->i_file), pml_quote(&(pml_quoted){{0}}, tensor->name),
                       pml_dtype_name(tensor->dtype));
}

/* "[3, 17]" */
static void describe_index(const pml_source_tensor *tensor, uint64_t i_element, char text[256]) {
    uint64_t coordinates[PML_MAX_RANK];
    size_t used = 0;
    for (unsigned a = tensor->rank; a-- > 0;) {
        coordinates[a] = i_element % tensor->shape[a];
        i_element /= tensor->shape[a];
    }
    text[used++] = '[';
    for (unsigned a = 0; a < tensor->rank; a++) {
        used += (size_t)snprintf(text + used, 256 - used, "%s%" PRIu64, a > 0 ? ", " : "", coordinates[a]);
    }
    (void)snprintf(text + used, 256 - used, "]");
}

/* The value of a source element before any rounding. */
static double exact_value(const pml_gather *gather, uint64_t i_element) {
    const uint8_t *bytes = gather->bytes + i_element * gather->element_bytes;
    double exact;
    float widened;
    if (gather->tensor->dtype == PML_DTYPE_F64) {
        memcpy(&exact, bytes, sizeof exact);
        return exact;
    }
    pml_lines_widen(gather->tensor->dtype, bytes, 1, 1, &widened);
    return (double)widened;
}

static float stored_value(double exact, pml_dtype dtype) {
    const float value = (float)exact;
    return dtype == PML_DTYPE_BF16 ? pml_f32_from_bf16(pml_bf16_from_f32(value)) : value;
}

static void describe_value(double exact, pml_dtype dtype, char text[64]) {
    if (isnan(exact)) {
        (void)snprintf(text, 64, "NaN");
    } else if (isinf(exact)) {
        (void)snprintf(text, 64, "%sinfinity", exact < 0 ? "-" : "");
    } else {
        (void)snprintf(text, 64, "%.9g, beyond the range of %s,", exact, pml_dtype_name(dtype));
    }
}

pml_status pml_pack_examine(pml_packer *packer, const pml_pack_job *job, const pml_gather_block *block,
                            pml_pack_result *result, pml_error *error) {
    pml_status status = PML_OK;
    pml_gather *gather = &packer->gather;
    for (uint64_t i = 0; i < block->n_rows; i++) {
        for (uint64_t c = 0; c < block->n_columns; c++) {
            uint64_t i_element;
            PML_TRY(pml_gather_locate(gather, block->batch, block->row + i, block->column + c, &i_element, error));
            const double exact = exact_value(gather, i_element);
            if (isfinite((double)stored_value(exact, job->dtype))) {
                continue;
            }
            const bool overflowed = isfinite(exact);
            result->n_overflowed += overflowed ? 1 : 0;
            result->n_nonfinite += overflowed ? 0 : 1;
            if (!job->allow_nonfinite || job->dtype == PML_DTYPE_I8) {
                char index[256], value[64];
                describe_index(gather->tensor, i_element, index);
                describe_value(exact, job->dtype, value);
                PML_TRY(PML_FAIL_AT(
                    error, PML_E_NUMERIC, gather->tensor->offset_bytes + i_element * gather->element_bytes,
                    "%s: tensor %s holds %s at index %" PRIu64 " %s (%s)",
                    pml_source_file_name(gather->source, gather->tensor->i_file),
                    pml_quote(&(pml_quoted){{0}}, gather->tensor->name), value, i_element, index,
                    job->dtype == PML_DTYPE_I8 ? "I8 cannot hold it" : "--allow-nonfinite converts such values too"));
            }
        }
    }
done:
    return status;
}

pml_status pml_pack_announce(pml_packer *packer, const pml_pack_job *job, const pml_gather_block *block,
                             pml_error *error) {
    pml_status status = PML_OK;
    pml_gather_block one = *block;
    uint64_t end_bytes;
    /* Where rows or columns come from a tensor each, every one of them is announced. */
    const pml_gather_stack stack = packer->gather.stack;
    const size_t n = stack == PML_STACK_ROWS ? block->n_rows : stack == PML_STACK_COLUMNS ? block->n_columns : 1;
    for (size_t k = 0; job->before_read != NULL && k < n; k++) {
        one.row = block->row + (stack == PML_STACK_ROWS ? k : 0);
        one.column = block->column + (stack == PML_STACK_COLUMNS ? k : 0);
        PML_TRY(pml_gather_end(&packer->gather, &one, &end_bytes, error));
        PML_TRY(job->before_read(job->user, packer->gather.tensor, end_bytes, error));
    }
done:
    return status;
}

/* Hands over n_floats of packer->values, rounded where asked. */
static pml_status emit(pml_packer *packer, const pml_pack_job *job, const pml_gather_block *block, size_t n_floats,
                       pml_pack_result *result, pml_rounding *rounding, pml_error *error) {
    pml_status status = PML_OK;
    const bool as_bf16 = job->dtype == PML_DTYPE_BF16;
    if (!pml_lines_are_finite(packer->values, n_floats, as_bf16)) {
        PML_TRY(pml_pack_examine(packer, job, block, result, error));
    }
    if (!as_bf16) {
        PML_TRY(job->sink(job->user, packer->values, n_floats * sizeof *packer->values, error));
    } else if (job->layout == PML_LAYOUT_ROW) {
        pml_lines_to_bf16(packer->values, n_floats, packer->rounded, rounding);
        PML_TRY(job->sink(job->user, packer->rounded, n_floats * sizeof *packer->rounded, error));
    } else {
        /* An odd number of rows ends only at the end of a panel: each panel of the chunk is completed on its own. */
        const size_t n_panels = n_floats / (block->n_rows * PML_PANEL_COLUMNS);
        const size_t n_lines = (block->n_rows + 1) / 2 * 2;
        for (size_t p = 0; p < n_panels; p++) {
            pml_lines_to_bf16_panel(packer->values + p * block->n_rows * PML_PANEL_COLUMNS, block->n_rows,
                                    packer->rounded + p * n_lines * PML_PANEL_COLUMNS, rounding);
        }
        PML_TRY(job->sink(job->user, packer->rounded, n_panels * n_lines * PML_PANEL_COLUMNS * sizeof *packer->rounded,
                          error));
    }
done:
    return status;
}

pml_status pml_pack_read_panels(pml_packer *packer, const pml_gather_block *block, pml_error *error) {
    pml_status status = PML_OK;
    pml_gather *gather = &packer->gather;
    const size_t n_panels = (block->n_columns + PML_PANEL_COLUMNS - 1) / PML_PANEL_COLUMNS;
    const size_t n_strip = gather->by_columns ? block->n_rows : PML_PANEL_COLUMNS;
    for (size_t i = 0; i < block->n_rows; i += n_strip) {
        for (size_t p = 0; p < n_panels; p++) {
            const size_t n_before = p * PML_PANEL_COLUMNS, n_left = block->n_columns - n_before;
            const pml_gather_block strip = {block->batch, block->row + i, block->column + n_before,
                                            block->n_rows - i < n_strip ? block->n_rows - i : n_strip,
                                            n_left < PML_PANEL_COLUMNS ? n_left : PML_PANEL_COLUMNS};
            PML_TRY(pml_gather_read(gather, &strip, true, packer->values + (p * block->n_rows + i) * PML_PANEL_COLUMNS,
                                    PML_PANEL_COLUMNS, error));
        }
    }
done:
    return status;
}

/* One batch in panels: as many whole panels at a time as a chunk holds, or a piece of one. */
static pml_status pack_panels(pml_packer *packer, const pml_pack_job *job, uint64_t batch, pml_pack_result *result,
                              pml_rounding *rounding, pml_error *error) {
    pml_status status = PML_OK;
    pml_gather *gather = &packer->gather;
    const size_t n_floats = gather->by_columns ? PML_PANEL_CHUNK_FLOATS : PML_CHUNK_FLOATS;
    const uint64_t n_lines = n_floats / PML_PANEL_COLUMNS;
    const size_t most_rows = (size_t)(gather->n_rows < n_lines ? gather->n_rows : n_lines);
    /* Odd row counts are padded per panel when rounded: the padded form must fit as well. */
    const size_t most_panels = most_rows == gather->n_rows ? (size_t)(n_lines / ((gather->n_rows + 1) / 2 * 2)) : 1;
    const size_t most_columns = (most_panels > 0 ? most_panels : 1) * PML_PANEL_COLUMNS;
    for (uint64_t column = 0; column < gather->n_columns; column += most_columns) {
        const uint64_t columns_left = gather->n_columns - column;
        for (uint64_t row = 0; row < gather->n_rows; row += most_rows) {
            const uint64_t rows_left = gather->n_rows - row;
            const pml_gather_block chunk = {batch, row, column, rows_left < most_rows ? (size_t)rows_left : most_rows,
                                            columns_left < most_columns ? (size_t)columns_left : most_columns};
            const size_t n_panels = (chunk.n_columns + PML_PANEL_COLUMNS - 1) / PML_PANEL_COLUMNS;
            PML_TRY(pml_cancel_check(error));
            PML_TRY(pml_pack_announce(packer, job, &chunk, error));
            PML_TRY(pml_pack_read_panels(packer, &chunk, error));
            PML_TRY(emit(packer, job, &chunk, n_panels * chunk.n_rows * PML_PANEL_COLUMNS, result, rounding, error));
        }
    }
done:
    return status;
}

/* One batch row by row: as many whole rows at a time as a chunk holds, or a piece of one. */
static pml_status pack_rows(pml_packer *packer, const pml_pack_job *job, uint64_t batch, pml_pack_result *result,
                            pml_rounding *rounding, pml_error *error) {
    pml_status status = PML_OK;
    pml_gather *gather = &packer->gather;
    const size_t most_columns = (size_t)(gather->n_columns < PML_CHUNK_FLOATS ? gather->n_columns : PML_CHUNK_FLOATS);
    const size_t most_rows = PML_CHUNK_FLOATS / most_columns;
    for (uint64_t row = 0; row < gather->n_rows; row += most_rows) {
        const uint64_t rows_left = gather->n_rows - row;
        for (uint64_t column = 0; column < gather->n_columns; column += most_columns) {
            const uint64_t columns_left = gather->n_columns - column;
            const pml_gather_block chunk = {batch, row, column, rows_left < most_rows ? (size_t)rows_left : most_rows,
                                            columns_left < most_columns ? (size_t)columns_left : most_columns};
            PML_TRY(pml_cancel_check(error));
            PML_TRY(pml_pack_announce(packer, job, &chunk, error));
            PML_TRY(pml_gather_read(gather, &chunk, false, packer->values, chunk.n_columns, error));
            PML_TRY(emit(packer, job, &chunk, chunk.n_rows * chunk.n_columns, result, rounding, error));
        }
    }
done:
    return status;
}

void pml_pack_set_losses(pml_pack_result *result, const pml_rounding *rounding) {
    result->quantization_error = rounding->error > 0 ? sqrt(rounding->error / rounding->signal) : 0;
    result->greatest_error = rounding->greatest;
}

pml_status pml_packer_run(pml_packer *packer, const pml_pack_job *job, pml_pack_result *result, pml_error *error) {
    pml_status status = PML_OK;
    pml_rounding rounding = {0};
    *result = (pml_pack_result){0};
    const bool is_i8 = job->dtype == PML_DTYPE_I8;
    if ((job->dtype != PML_DTYPE_F32 && job->dtype != PML_DTYPE_BF16 && !is_i8) ||
        (job->layout == PML_LAYOUT_PANEL && job->weight->weight->rank < 2) ||
        (is_i8 && job->layout != PML_LAYOUT_PANEL)) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "weight '%s' cannot be packed as %s %s", job->weight->weight->name,
                         pml_dtype_name(job->dtype), pml_layout_name(job->layout)));
    }
    PML_TRY(pml_gather_init(&packer->gather, job->source, job->weight, error));
    if (is_i8) {
        PML_TRY(pml_pack_i8(packer, job, result, error));
        goto done;
    }
    for (uint64_t batch = 0; batch < packer->gather.n_batches; batch++) {
        PML_TRY(job->layout == PML_LAYOUT_PANEL ? pack_panels(packer, job, batch, result, &rounding, error)
                                                : pack_rows(packer, job, batch, result, &rounding, error));
    }
    pml_pack_set_losses(result, &rounding);
done:
    for (size_t k = 0; k < job->weight->n_parts; k++) {
        pml_source_tensor_release(job->source, job->weight->parts[k].source);
    }
    return status;
}
