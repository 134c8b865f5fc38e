/* Deviation gain / sqrt(fan), even (He, Zhang, Ren, Sun 2015). */
#include <math.h>

#include "runtime/train/initializer.h"

static void fill(const pml_initializer_part *part) {
    const double deviation = pml_kaiming_deviation(part);
    const double bound = sqrt(3) * deviation;
    pml_fill_uniform(part, -bound, bound);
}

const pml_initializer pml_initializer_kaiming_uniform = {
    .plugin = {.name = "kaiming_uniform", .help = "deviation gain / sqrt(fan), even", .options = pml_kaiming_options},
    .needs_fans = true,
    .fill = fill,
};
