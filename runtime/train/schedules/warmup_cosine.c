/* A linear rise, then a fall to 0 along a cosine: Hugging Face's `cosine`. */
#include <math.h>

#include "runtime/train/schedule.h"

#define PI 3.14159265358979323846

enum { WARMUP, CYCLES };
static const pml_plugin_option options[] = {
    PML_SCHEDULE_WARMUP, {"cycles", PML_PLUGIN_NUMBER, "0.5", "(0, inf)", "of the cosine after the rise"}, {0}};

static double factor(const pml_settings *settings, const pml_schedule_point *point) {
    const double warmup = pml_schedule_warmup(pml_setting(settings, WARMUP), point);
    const double t = (double)point->i_step, total = (double)point->n_steps;
    if (t < warmup) {
        return t / fmax(1, warmup);
    }
    const double progress = (t - warmup) / fmax(1, total - warmup);
    return fmax(0, .5 * (1 + cos(PI * pml_setting(settings, CYCLES) * 2 * progress)));
}

const pml_schedule pml_schedule_warmup_cosine = {
    .plugin = {.name = "warmup_cosine", .help = "linear rise, fall along a cosine", .options = options},
    .factor = factor,
};
