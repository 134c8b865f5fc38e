#include "runtime/tensor/tensor.h"

#include <string.h>

#include "tests/harness.h"

static pml_tensor make_f32(pml_buffer *buffer, size_t offset_bytes, const size_t *shape, unsigned rank) {
    pml_tensor tensor = {
        .dtype = PML_DTYPE_F32, .layout = PML_LAYOUT_ROW, .rank = rank, .buffer = buffer, .offset_bytes = offset_bytes};
    for (unsigned i = 0; i < rank; i++) {
        tensor.shape[i] = shape[i];
    }
    return tensor;
}

static void counts_and_pointers(void) {
    float storage[30] = {0};
    pml_buffer buffer = {.host = storage, .size_bytes = sizeof storage};
    pml_tensor tensor = make_f32(&buffer, 6 * sizeof(float), (const size_t[]){2, 3, 4}, 3);
    CU_ASSERT_EQUAL(pml_tensor_count(&tensor), 24);
    CU_ASSERT_EQUAL(pml_tensor_rows(&tensor), 6);
    CU_ASSERT_EQUAL(pml_tensor_columns(&tensor), 4);
    CU_ASSERT_PTR_EQUAL(pml_tensor_f32(&tensor), storage + 6);
    CU_ASSERT_PTR_EQUAL(pml_tensor_f32_const(&tensor), storage + 6);
    CU_ASSERT_PTR_EQUAL(pml_tensor_bytes(&tensor), storage + 6);
    pml_tensor scalar = make_f32(&buffer, 0, NULL, 0);
    CU_ASSERT_EQUAL(pml_tensor_count(&scalar), 1);
    CU_ASSERT_EQUAL(pml_tensor_rows(&scalar), 1);
    CU_ASSERT_EQUAL(pml_tensor_columns(&scalar), 1);
    pml_tensor empty = make_f32(&buffer, sizeof storage, (const size_t[]){5, 0}, 2);
    CU_ASSERT_EQUAL(pml_tensor_count(&empty), 0);
    CU_ASSERT_EQUAL(pml_tensor_rows(&empty), 5);
}

static void reshape_keeps_bytes_and_refuses_other_counts(void) {
    float storage[24] = {0};
    pml_error error;
    pml_buffer buffer = {.host = storage, .size_bytes = sizeof storage};
    pml_tensor tensor = make_f32(&buffer, 0, (const size_t[]){2, 3, 4}, 3);
    tensor.is_constant = true;
    pml_tensor view;
    PML_ASSERT_OK(pml_tensor_reshape_view(&tensor, (const size_t[]){6, 4}, 2, &view, &error), &error);
    CU_ASSERT_EQUAL(view.rank, 2);
    CU_ASSERT_EQUAL(view.shape[0], 6);
    CU_ASSERT_TRUE(view.is_constant);
    CU_ASSERT_PTR_EQUAL(pml_tensor_bytes(&view), storage);
    PML_ASSERT_FAILS(pml_tensor_reshape_view(&tensor, (const size_t[]){5, 5}, 2, &view, &error), PML_E_ARGUMENT, &error,
                     "24 elements");
    const size_t wraps[] = {SIZE_MAX / 2 + 1, 2, 24};
    PML_ASSERT_FAILS(pml_tensor_reshape_view(&tensor, wraps, 3, &view, &error), PML_E_ARGUMENT, &error, NULL);
    const size_t ones[] = {24, 1, 1, 1, 1, 1, 1, 1, 1};
    PML_ASSERT_FAILS(pml_tensor_reshape_view(&tensor, ones, 9, &view, &error), PML_E_ARGUMENT, &error, "rank 9");
    tensor.layout = PML_LAYOUT_PANEL;
    PML_ASSERT_FAILS(pml_tensor_reshape_view(&tensor, (const size_t[]){6, 4}, 2, &view, &error), PML_E_ARGUMENT, &error,
                     "panel");
    CU_ASSERT_EQUAL(view.shape[0], 6);
}

/* The sizes that the file's own layout computes are the ones that matrices are walked with. */
static void matrices_have_the_size_of_their_layout(void) {
    static const pml_dtype dtypes[] = {PML_DTYPE_F32, PML_DTYPE_BF16, PML_DTYPE_I8};
    static const size_t shapes[][3] = {{1, 1, 1}, {3, 5, 17}, {2, 16, 16}, {4, 7, 33}};
    pml_error error;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
            for (int layout = PML_LAYOUT_ROW; layout <= PML_LAYOUT_PANEL; layout++) {
                if (dtypes[d] == PML_DTYPE_I8 && layout == PML_LAYOUT_ROW) {
                    continue; /* not a form of the file */
                }
                pml_buffer buffer = {0};
                pml_tensor tensor = {.dtype = dtypes[d], .layout = (pml_layout)layout, .rank = 3, .buffer = &buffer};
                memcpy(tensor.shape, shapes[s], sizeof shapes[s]);
                uint64_t shape[3] = {shapes[s][0], shapes[s][1], shapes[s][2]}, size_bytes = 0;
                PML_ASSERT_OK(pml_layout_size(tensor.layout, tensor.dtype, shape, 3, &size_bytes, &error), &error);
                CU_ASSERT_EQUAL(pml_tensor_n_matrices(&tensor), shapes[s][0]);
                CU_ASSERT_EQUAL(pml_tensor_matrix_bytes(&tensor) * shapes[s][0], size_bytes);
            }
        }
    }
    float storage[2 * 5 * 16] = {0};
    pml_buffer buffer = {.host = storage, .size_bytes = sizeof storage};
    pml_tensor tensor = {.dtype = PML_DTYPE_F32, .layout = PML_LAYOUT_PANEL, .rank = 3, .shape = {2, 5, 3}};
    tensor.buffer = &buffer;
    CU_ASSERT_PTR_EQUAL(pml_tensor_matrix(&tensor, 1), storage + 80);
}

PML_TESTS("tensor/tensor", PML_TEST(counts_and_pointers), PML_TEST(reshape_keeps_bytes_and_refuses_other_counts),
          PML_TEST(matrices_have_the_size_of_their_layout))
