/* Sum of a range's words, compiled for the bundle avx2. */
#include "runtime/kernels/read_words_body.h"

uint64_t pml_read_words_avx2(const pml_read *job) {
    return read_words_body(job);
}
