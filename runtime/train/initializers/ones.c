/* All 1. */
#include "runtime/train/initializer.h"

static void fill(const pml_initializer_part *part) {
    for (size_t i = part->begin; i < part->end; i++) {
        part->values[i] = 1;
    }
}

const pml_initializer pml_initializer_ones = {
    .plugin = {.name = "ones", .help = "all 1"},
    .fill = fill,
};
