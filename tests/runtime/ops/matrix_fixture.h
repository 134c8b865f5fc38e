/* Random matrices in every form that products take. Include after op_test.h. */
#ifndef PML_TESTS_RUNTIME_OPS_MATRIX_FIXTURE_H
#define PML_TESTS_RUNTIME_OPS_MATRIX_FIXTURE_H

#include "runtime/base/dtype.h"
#include "runtime/ops/op.h"
#include "tests/runtime/ops/op_test.h"

typedef struct matrix_form {
    pml_dtype dtype;
    pml_layout layout;
    uint32_t group_rows; /* of I8 */
} matrix_form;

static const matrix_form matrix_forms[] = {
    {PML_DTYPE_F32, PML_LAYOUT_ROW, 0},    {PML_DTYPE_BF16, PML_LAYOUT_ROW, 0}, {PML_DTYPE_F32, PML_LAYOUT_PANEL, 0},
    {PML_DTYPE_BF16, PML_LAYOUT_PANEL, 0}, {PML_DTYPE_I8, PML_LAYOUT_PANEL, 0}, {PML_DTYPE_I8, PML_LAYOUT_PANEL, 32},
    {PML_DTYPE_I8, PML_LAYOUT_PANEL, 64},
};
enum { MATRIX_FORMS = sizeof matrix_forms / sizeof matrix_forms[0] };

/* Storage of `size_bytes` as long as the step. */
static inline void *step_bytes(size_t size_bytes) {
    pml_tensor tensor = {0};
    PML_ASSERT_OK(
        pml_context_step_tensor(&context, PML_DTYPE_F32, SHAPE(size_bytes / sizeof(float) + 1), &tensor, &error),
        &error);
    memset(pml_tensor_f32(&tensor), 0, size_bytes);
    return pml_tensor_f32(&tensor);
}

static inline void store_weight(const pml_tensor *w, size_t at, size_t entry, float value) {
    void *bytes = w->buffer->host;
    if (w->dtype == PML_DTYPE_F32) {
        ((float *)bytes)[at] = value;
    } else if (w->dtype == PML_DTYPE_BF16) {
        ((uint16_t *)bytes)[at] = pml_bf16_from_f32(value);
    } else {
        const int8_t q = (int8_t)(int)(value * 127);
        ((int8_t *)bytes)[at] = q;
        if (w->quantization.group_rows == 0) {
            ((int32_t *)(uintptr_t)w->quantization.sums)[entry] += q;
        } else {
            int16_t *sum = (int16_t *)(uintptr_t)w->quantization.sums + entry;
            *sum = (int16_t)(*sum + q);
        }
    }
}

/* A matrix [k, n] of values in [-1, 1), scaled by 1/128 and, as I8, by a scale of its own per column and group. */
static inline pml_tensor make_matrix(const matrix_form *form, size_t k, size_t n, pml_buffer *buffer) {
    const bool is_panel = form->layout == PML_LAYOUT_PANEL;
    const size_t depth = is_panel ? pml_panel_depth(form->dtype) : 1, n_lines = (k + depth - 1) / depth;
    const size_t n_panels = (n + 15) / 16, group = form->group_rows == 0 ? k : form->group_rows;
    const size_t n_groups = (k + group - 1) / group, n_entries = n_panels * n_groups * 16;
    const size_t count = is_panel ? n_panels * n_lines * depth * 16 : k * n;
    pml_tensor w = pml_context_view(step_bytes(count * sizeof(float)), form->dtype, SHAPE(k, n), buffer);
    w.layout = form->layout;
    if (form->dtype == PML_DTYPE_I8) {
        float *scales = step_bytes(n_entries * sizeof *scales);
        for (size_t i = 0; i < n_entries; i++) {
            const float scale = 0x1p-7f + 0x1p-9f * next_value();
            if (form->group_rows == 0) {
                scales[i] = scale / 127;
            } else {
                ((uint16_t *)(void *)scales)[i] = pml_f16_from_f32(scale);
            }
        }
        w.quantization = (pml_quantization){.scales = scales,
                                            .sums = step_bytes(n_entries * sizeof(int32_t)),
                                            .group_rows = form->group_rows,
                                            .scale_factor = form->group_rows == 0 ? 0 : 1.0f / 127};
    }
    for (size_t r = 0; r < k; r++) {
        for (size_t c = 0; c < n; c++) {
            const size_t at = is_panel ? ((c / 16 * n_lines + r / depth) * 16 + c % 16) * depth + r % depth : r * n + c;
            const float value = next_value();
            store_weight(&w, at, (c / 16 * n_groups + r / group) * 16 + c % 16,
                         form->dtype == PML_DTYPE_I8 ? value : value / 128);
        }
    }
    return w;
}

static inline bool same_bits(const pml_tensor *a, const pml_tensor *b) {
    return pml_op_same_shape(a, b) &&
           memcmp(pml_tensor_f32_const(a), pml_tensor_f32_const(b), pml_tensor_count(a) * sizeof(float)) == 0;
}

#endif
