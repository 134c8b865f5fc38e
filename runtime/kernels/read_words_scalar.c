/* Sum of a range's words: the twin that the others are tested against. */
#include "runtime/kernels/read_words_body.h"

uint64_t pml_read_words_scalar(const pml_read *job) {
    return read_words_body(job);
}
