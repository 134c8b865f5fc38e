/* Walks the output in C order; a step of an axis is so many elements of the input further. */
#include "formats/numpy/npy_order.h"

#include <string.h>

#include "runtime/base/checked.h"

static void copy_numbers(const uint8_t *in, size_t n_bytes, unsigned swap_bytes, uint8_t *out) {
    if (swap_bytes == 0) {
        memcpy(out, in, n_bytes);
        return;
    }
    for (size_t i = 0; i < n_bytes; i += swap_bytes) {
        for (unsigned j = 0; j < swap_bytes; j++) {
            out[i + j] = in[i + swap_bytes - 1 - j];
        }
    }
}

void pml_npy_order(const pml_npy_header *header, const uint8_t *in, uint64_t n_elements, uint8_t *out) {
    const size_t element_bytes = pml_dtype_bits(header->dtype) / 8;
    uint64_t step[PML_MAX_RANK], extent[PML_MAX_RANK], index[PML_MAX_RANK] = {0}; /* step and extent in bytes */
    uint64_t run = element_bytes;
    if (n_elements == 0) {
        return;
    }
    for (unsigned i = 0; i < header->rank; i++) { /* all of them lie in memory: nothing overflows */
        const unsigned axis = header->is_fortran ? i : header->rank - 1 - i;
        step[axis] = run;
        (void)pml_ck_mul(run, header->shape[axis], &run);
        extent[axis] = run;
    }
    for (uint64_t i = 0; i < n_elements; i++) {
        copy_numbers(in, element_bytes, header->swap_bytes, out);
        out += element_bytes;
        for (unsigned axis = header->rank; axis-- > 0;) {
            in += step[axis];
            if (++index[axis] < header->shape[axis]) {
                break;
            }
            index[axis] = 0;
            in -= extent[axis];
        }
    }
}
