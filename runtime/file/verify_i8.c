/* What the bytes of an I8 tensor promise beyond their checksums (specs/pml-format.md §10): no value of -128, finite
 * scales, and sums that are those of the values. */
#include "runtime/file/file.h"

enum { LINE_BYTES = 64, DEPTH = 4 };

/* Sums of 16 columns over n_lines lines; false when a value is -128. */
static bool sum_lines(const int8_t *lines, size_t n_lines, int32_t sums[PML_PANEL_COLUMNS]) {
    int32_t lanes[LINE_BYTES] = {0};
    int8_t least = 0;
    for (size_t i = 0; i < n_lines; i++) {
        for (size_t j = 0; j < LINE_BYTES; j++) {
            const int8_t value = lines[i * LINE_BYTES + j];
            lanes[j] += value;
            least = value < least ? value : least;
        }
    }
    for (size_t c = 0; c < PML_PANEL_COLUMNS; c++) {
        sums[c] = lanes[DEPTH * c] + lanes[DEPTH * c + 1] + lanes[DEPTH * c + 2] + lanes[DEPTH * c + 3];
    }
    return least > -128;
}

static bool scale_is_finite(const uint8_t *scales, size_t entry, bool grouped) {
    const uint32_t exponent = grouped ? 0x7c00u : 0x7f800000u;
    const uint32_t bits = grouped ? pml_load_u16(scales + 2 * entry) : pml_load_u32(scales + 4 * entry);
    return (bits & exponent) != exponent;
}

static int32_t sum_of(const uint8_t *sums, size_t entry, bool grouped) {
    return grouped ? (int16_t)pml_load_u16(sums + 2 * entry) : (int32_t)pml_load_u32(sums + 4 * entry);
}

/* One group of 16 columns: entries first .. first + 15 of scales and sums. */
static pml_status check_group(const pml_file *file, const pml_file_tensor *tensor, size_t line_offset, size_t n_lines,
                              size_t first, pml_error *error) {
    const bool grouped = tensor->group_rows != 0;
    const uint8_t *data = file->bytes + tensor->offset_bytes + line_offset;
    int32_t sums[PML_PANEL_COLUMNS];
    if (!sum_lines((const int8_t *)data, n_lines, sums)) {
        return PML_FAIL_AT(error, PML_E_MISMATCH, tensor->offset_bytes + line_offset,
                           "%s: tensor '%.200s' holds the value -128, which quantized weights never have", file->path,
                           tensor->name);
    }
    for (size_t c = 0; c < PML_PANEL_COLUMNS; c++) {
        const int32_t stored = sum_of(file->bytes + tensor->sums.offset_bytes, first + c, grouped);
        if (!scale_is_finite(file->bytes + tensor->scales.offset_bytes, first + c, grouped)) {
            return PML_FAIL_AT(error, PML_E_MISMATCH, tensor->scales.offset_bytes,
                               "%s: scale %zu of tensor '%.200s' is not finite", file->path, first + c, tensor->name);
        }
        if (stored != sums[c]) {
            return PML_FAIL_AT(error, PML_E_MISMATCH, tensor->sums.offset_bytes,
                               "%s: sum %zu of tensor '%.200s' is %d, its values add up to %d", file->path, first + c,
                               tensor->name, stored, sums[c]);
        }
    }
    return PML_OK;
}

pml_status pml_file_verify_i8(const pml_file *file, const pml_file_tensor *tensor, pml_error *error) {
    const uint64_t in = tensor->shape[tensor->rank - 2];
    const uint64_t n_lines = (in + DEPTH - 1) / DEPTH;
    const uint64_t group_lines = tensor->group_rows == 0 ? n_lines : tensor->group_rows / DEPTH;
    pml_status status = PML_OK;
    size_t first = 0;
    /* Opening proved that data, scales and sums have the sizes that the shape asks for. */
    for (uint64_t panel = 0; panel < tensor->size_bytes; panel += n_lines * LINE_BYTES) {
        for (uint64_t line = 0; line < n_lines; line += group_lines, first += PML_PANEL_COLUMNS) {
            const uint64_t rest = n_lines - line;
            PML_TRY(check_group(file, tensor, (size_t)(panel + line * LINE_BYTES),
                                (size_t)(rest < group_lines ? rest : group_lines), first, error));
        }
    }
done:
    return status;
}
