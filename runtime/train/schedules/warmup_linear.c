/* A linear rise, then a linear fall to 0 at the last step: Hugging Face's `linear`. */
#include <math.h>

#include "runtime/train/schedule.h"

enum { WARMUP };
static const pml_plugin_option options[] = {PML_SCHEDULE_WARMUP, {0}};

static double factor(const pml_settings *settings, const pml_schedule_point *point) {
    const double warmup = pml_schedule_warmup(pml_setting(settings, WARMUP), point);
    const double t = (double)point->i_step, total = (double)point->n_steps;
    return t < warmup ? t / fmax(1, warmup) : fmax(0, (total - t) / fmax(1, total - warmup));
}

const pml_schedule pml_schedule_warmup_linear = {
    .plugin = {.name = "warmup_linear", .help = "linear rise, linear fall to 0", .options = options},
    .factor = factor,
};
