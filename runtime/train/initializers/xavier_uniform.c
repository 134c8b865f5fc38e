/* Variance 2 / (fan_in + fan_out), even (Glorot, Bengio 2010). */
#include <math.h>

#include "runtime/train/initializer.h"

enum { GAIN };
static const pml_plugin_option options[] = {{"gain", PML_PLUGIN_NUMBER, "1", "[0, inf)", "of the deviation"}, {0}};

static void fill(const pml_initializer_part *part) {
    const double fans = (double)part->target->fan_in + (double)part->target->fan_out;
    const double deviation = pml_setting(part->settings, GAIN) * sqrt(2 / fans);
    const double bound = sqrt(3) * deviation;
    pml_fill_uniform(part, -bound, bound);
}

const pml_initializer pml_initializer_xavier_uniform = {
    .plugin = {.name = "xavier_uniform", .help = "variance 2 / (fan_in + fan_out), even", .options = options},
    .needs_fans = true,
    .fill = fill,
};
