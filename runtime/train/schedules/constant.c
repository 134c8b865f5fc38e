/* The same throughout, after a rise if one is wanted. */
#include "runtime/train/schedule.h"

enum { WARMUP };
static const pml_plugin_option options[] = {PML_SCHEDULE_WARMUP, {0}};

static double factor(const pml_settings *settings, const pml_schedule_point *point) {
    const double warmup = pml_schedule_warmup(pml_setting(settings, WARMUP), point), t = (double)point->i_step;
    return t < warmup ? t / (warmup > 1 ? warmup : 1) : 1;
}

const pml_schedule pml_schedule_constant = {
    .plugin = {.name = "constant", .help = "the same throughout", .options = options},
    .factor = factor,
};
