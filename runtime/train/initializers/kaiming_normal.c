/* Deviation gain / sqrt(fan), normal (He, Zhang, Ren, Sun 2015). */
#include "runtime/train/initializer.h"

static void fill(const pml_initializer_part *part) {
    const double deviation = pml_kaiming_deviation(part);
    pml_fill_normal(part, 0, deviation);
}

const pml_initializer pml_initializer_kaiming_normal = {
    .plugin = {.name = "kaiming_normal", .help = "deviation gain / sqrt(fan), normal", .options = pml_kaiming_options},
    .needs_fans = true,
    .fill = fill,
};
