/* All 0. */
#include "runtime/train/initializer.h"

static void fill(const pml_initializer_part *part) {
    for (size_t i = part->begin; i < part->end; i++) {
        part->values[i] = 0;
    }
}

const pml_initializer pml_initializer_zeros = {
    .plugin = {.name = "zeros", .help = "all 0"},
    .fill = fill,
};
