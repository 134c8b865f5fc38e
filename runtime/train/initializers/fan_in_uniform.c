/* Evenly up to 1 / sqrt(fan_in) both ways: what PyTorch gives weights and biases of Linear and Conv where nothing is
 * said (kaiming_uniform with a = sqrt 5, which comes to the same). */
#include <math.h>

#include "runtime/train/initializer.h"

static void fill(const pml_initializer_part *part) {
    const double bound = 1 / sqrt((double)part->target->fan_in);
    pml_fill_uniform(part, -bound, bound);
}

const pml_initializer pml_initializer_fan_in_uniform = {
    .plugin = {.name = "fan_in_uniform", .help = "up to 1 / sqrt(fan_in): PyTorch's default for Linear and Conv"},
    .needs_fans = true,
    .fill = fill,
};
