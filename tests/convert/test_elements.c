/* Logical order of stored tensors, against layouts written out by hand. */
#include <string.h>

#include "convert/elements.h"
#include "tests/harness.h"

static pml_file_tensor tensor_of(pml_dtype dtype, pml_layout layout, unsigned rank, const uint64_t *shape) {
    pml_file_tensor tensor = {.name = "w", .dtype = dtype, .layout = layout, .rank = rank};
    memcpy(tensor.shape, shape, rank * sizeof *shape);
    pml_error error = {0};
    PML_ASSERT_OK(pml_layout_size(layout, dtype, shape, rank, &tensor.size_bytes, &error), &error);
    return tensor;
}

static void row_is_as_it_lies(void) {
    static const float data[6] = {1, 2, 3, 4, 5, 6};
    pml_file_tensor tensor = tensor_of(PML_DTYPE_F32, PML_LAYOUT_ROW, 2, (const uint64_t[]){2, 3});
    pml_error error = {0};
    double values[4] = {0};
    PML_ASSERT_OK(pml_elements_read(&tensor, data, 1, 4, values, &error), &error);
    CU_ASSERT_TRUE(values[0] == 2 && values[3] == 5);
    CU_ASSERT_EQUAL(pml_elements_count(&tensor), 6);
    PML_ASSERT_FAILS(pml_elements_read(&tensor, data, 3, 4, values, &error), PML_E_ARGUMENT, &error, "range");
}

/* Two matrices of 3 rows and 17 columns: two panels each, the second with one real column. */
static void panel_of_f32(void) {
    enum { N_BATCH = 2, N_IN = 3, N_OUT = 17 };
    static float data[N_BATCH][2][N_IN][16];
    for (int b = 0; b < N_BATCH; b++) {
        for (int r = 0; r < N_IN; r++) {
            for (int c = 0; c < N_OUT; c++) {
                data[b][c / 16][r][c % 16] = (float)(1000 * b + 100 * r + c);
            }
        }
    }
    pml_file_tensor tensor = tensor_of(PML_DTYPE_F32, PML_LAYOUT_PANEL, 3, (const uint64_t[]){N_BATCH, N_IN, N_OUT});
    CU_ASSERT_EQUAL(tensor.size_bytes, sizeof data);
    pml_error error = {0};
    double values[N_BATCH * N_IN * N_OUT];
    PML_ASSERT_OK(pml_elements_read(&tensor, data, 0, N_BATCH * N_IN * N_OUT, values, &error), &error);
    unsigned wrong = 0;
    for (int i = 0; i < N_BATCH * N_IN * N_OUT; i++) {
        wrong += values[i] != 1000 * (i / (N_IN * N_OUT)) + 100 * (i / N_OUT % N_IN) + i % N_OUT;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* BF16 lines hold two rows of 16 columns; an odd number of rows leaves half a line of padding. */
static void panel_of_bf16(void) {
    enum { N_IN = 3, N_OUT = 5 };
    static uint16_t data[2][16][2];
    for (int r = 0; r < N_IN; r++) {
        for (int c = 0; c < N_OUT; c++) {
            data[r / 2][c][r % 2] = pml_bf16_from_f32((float)(10 * r + c));
        }
    }
    pml_file_tensor tensor = tensor_of(PML_DTYPE_BF16, PML_LAYOUT_PANEL, 2, (const uint64_t[]){N_IN, N_OUT});
    CU_ASSERT_EQUAL(tensor.size_bytes, sizeof data);
    pml_error error = {0};
    double values[N_IN * N_OUT];
    PML_ASSERT_OK(pml_elements_read(&tensor, data, 0, N_IN * N_OUT, values, &error), &error);
    unsigned wrong = 0;
    for (int i = 0; i < N_IN * N_OUT; i++) {
        wrong += values[i] != 10 * (i / N_OUT) + i % N_OUT;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* Every stored byte is either the one place of one element, or padding. */
static void bytes_and_elements_agree(void) {
    static const pml_dtype dtypes[] = {PML_DTYPE_F32, PML_DTYPE_BF16};
    for (size_t i = 0; i < 2; i++) {
        unsigned element_bytes = pml_dtype_bits(dtypes[i]) / 8;
        pml_file_tensor tensor = tensor_of(dtypes[i], PML_LAYOUT_PANEL, 3, (const uint64_t[]){2, 5, 19});
        uint64_t n_data_bytes = 0, wrong = 0;
        for (uint64_t byte = 0; byte < tensor.size_bytes; byte++) {
            uint64_t element = 0;
            if (pml_element_at_byte(&tensor, byte, &element)) {
                n_data_bytes++;
                wrong += pml_element_offset_bytes(&tensor, element) != byte / element_bytes * element_bytes;
            }
        }
        CU_ASSERT_EQUAL(wrong, 0);
        CU_ASSERT_EQUAL(n_data_bytes, 2 * 5 * 19 * element_bytes);
    }
}

static void only_plain_numbers_have_values(void) {
    static const pml_dtype others[] = {PML_DTYPE_NONE, PML_DTYPE_C64, PML_DTYPE_F4, PML_DTYPE_F8_E4M3};
    for (size_t i = 0; i < 4; i++) {
        pml_error error = {0};
        double value = 0;
        static const uint8_t zeros[8];
        const pml_file_tensor tensor = {
            .name = "x", .dtype = others[i], .layout = PML_LAYOUT_ROW, .rank = 1, .shape = {1}};
        PML_ASSERT_FAILS(pml_elements_read(&tensor, zeros, 0, 1, &value, &error), PML_E_UNSUPPORTED, &error,
                         "cannot be compared by value");
    }
}

PML_TESTS("convert/elements", PML_TEST(row_is_as_it_lies), PML_TEST(panel_of_f32), PML_TEST(panel_of_bf16),
          PML_TEST(bytes_and_elements_agree), PML_TEST(only_plain_numbers_have_values))
