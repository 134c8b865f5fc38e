/* Address arithmetic of `row` and `panel`, element by element: written to be obviously right. */
#include "convert/elements.h"

#include "runtime/base/checked.h"

/* A panel tensor [batch...][in][out], seen as `batches` matrices. */
typedef struct panel_shape {
    uint64_t n_in, n_out;
    uint64_t depth;        /* rows of a line */
    uint64_t panel_bytes;  /* one panel of one matrix */
    uint64_t matrix_bytes; /* all panels of one matrix */
    uint64_t element_bytes;
} panel_shape;

static panel_shape panel_of(const pml_file_tensor *tensor) {
    panel_shape panel = {
        .n_in = tensor->shape[tensor->rank - 2],
        .n_out = tensor->shape[tensor->rank - 1],
        .depth = pml_panel_depth(tensor->dtype),
        .element_bytes = pml_dtype_bits(tensor->dtype) / 8,
    };
    uint64_t lines = (panel.n_in + panel.depth - 1) / panel.depth;
    uint64_t panels = (panel.n_out + PML_PANEL_COLUMNS - 1) / PML_PANEL_COLUMNS;
    panel.panel_bytes = lines * PML_PANEL_COLUMNS * panel.depth * panel.element_bytes;
    panel.matrix_bytes = panels * panel.panel_bytes;
    return panel;
}

uint64_t pml_elements_count(const pml_file_tensor *tensor) {
    uint64_t count = 0;
    return pml_ck_product(tensor->shape, tensor->rank, &count) ? count : 0;
}

static uint64_t panel_offset(const panel_shape *panel, uint64_t i_element) {
    uint64_t column = i_element % panel->n_out;
    uint64_t row = i_element / panel->n_out % panel->n_in;
    uint64_t batch = i_element / panel->n_out / panel->n_in;
    uint64_t in_panel =
        (row / panel->depth * PML_PANEL_COLUMNS + column % PML_PANEL_COLUMNS) * panel->depth + row % panel->depth;
    return batch * panel->matrix_bytes + column / PML_PANEL_COLUMNS * panel->panel_bytes +
           in_panel * panel->element_bytes;
}

uint64_t pml_element_offset_bytes(const pml_file_tensor *tensor, uint64_t i_element) {
    if (tensor->layout == PML_LAYOUT_PANEL) {
        panel_shape panel = panel_of(tensor);
        return panel_offset(&panel, i_element);
    }
    return i_element * (pml_dtype_bits(tensor->dtype) / 8);
}

bool pml_element_at_byte(const pml_file_tensor *tensor, uint64_t offset_bytes, uint64_t *i_element) {
    if (tensor->layout != PML_LAYOUT_PANEL) {
        unsigned element_bytes = pml_dtype_bits(tensor->dtype) / 8;
        *i_element = element_bytes == 0 ? 0 : offset_bytes / element_bytes;
        return element_bytes != 0 && *i_element < pml_elements_count(tensor);
    }
    panel_shape panel = panel_of(tensor);
    if (offset_bytes >= tensor->size_bytes) {
        return false;
    }
    uint64_t batch = offset_bytes / panel.matrix_bytes, rest = offset_bytes % panel.matrix_bytes;
    uint64_t i_panel = rest / panel.panel_bytes, place = rest % panel.panel_bytes / panel.element_bytes;
    uint64_t row = place / (PML_PANEL_COLUMNS * panel.depth) * panel.depth + place % panel.depth;
    uint64_t column = i_panel * PML_PANEL_COLUMNS + place / panel.depth % PML_PANEL_COLUMNS;
    *i_element = (batch * panel.n_in + row) * panel.n_out + column;
    return row < panel.n_in && column < panel.n_out;
}

double pml_element_scale(const pml_file *file, const pml_file_tensor *tensor, uint64_t i_element) {
    if (tensor->dtype != PML_DTYPE_I8) {
        return 1;
    }
    const panel_shape panel = panel_of(tensor);
    const uint64_t column = i_element % panel.n_out, row = i_element / panel.n_out % panel.n_in;
    const uint64_t batch = i_element / panel.n_out / panel.n_in, group = tensor->group_rows;
    const uint64_t n_groups = group == 0 ? 1 : (panel.n_in + group - 1) / group;
    const uint64_t n_panels = (panel.n_out + PML_PANEL_COLUMNS - 1) / PML_PANEL_COLUMNS;
    const uint64_t run = (batch * n_panels + column / PML_PANEL_COLUMNS) * n_groups + (group == 0 ? 0 : row / group);
    const uint64_t entry = run * PML_PANEL_COLUMNS + column % PML_PANEL_COLUMNS;
    const uint8_t *scales = pml_file_extent_data(file, &tensor->scales);
    return group == 0 ? pml_dtype_value(PML_DTYPE_F32, scales + 4 * entry)
                      : pml_dtype_value(PML_DTYPE_F16, scales + 2 * entry) * (double)tensor->scale_factor;
}

pml_status pml_elements_read(const pml_file_tensor *tensor, const void *data, uint64_t first, size_t count,
                             double *values, pml_error *error) {
    pml_status status = PML_OK;
    if (!pml_ck_range(first, count, pml_elements_count(tensor))) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "tensor %s: elements %llu + %zu are out of range", tensor->name,
                         (unsigned long long)first, count));
    }
    if (!pml_dtype_is_number(tensor->dtype)) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "numbers of dtype %s cannot be compared by value",
                         pml_dtype_name(tensor->dtype)));
    }
    const uint8_t *bytes = data;
    bool is_panel = tensor->layout == PML_LAYOUT_PANEL;
    panel_shape panel = is_panel ? panel_of(tensor) : (panel_shape){.element_bytes = pml_dtype_bits(tensor->dtype) / 8};
    for (size_t i = 0; i < count; i++) {
        uint64_t at = is_panel ? panel_offset(&panel, first + i) : (first + i) * panel.element_bytes;
        values[i] = pml_dtype_value(tensor->dtype, bytes + at);
    }
done:
    return status;
}

pml_status pml_elements_values(const pml_file *file, const pml_file_tensor *tensor, uint64_t first, size_t count,
                               double *values, pml_error *error) {
    pml_status status = pml_elements_read(tensor, pml_file_tensor_data(file, tensor), first, count, values, error);
    for (size_t i = 0; status == PML_OK && tensor->dtype == PML_DTYPE_I8 && i < count; i++) {
        values[i] *= pml_element_scale(file, tensor, first + i);
    }
    return status;
}
