/* The papers' `type1` (Informer's code and its descendants): half after each epoch from the second on. They adjust the
 * rate when an epoch is over, so the first two have the same. */
#include <math.h>

#include "runtime/train/schedule.h"

static double factor(const pml_settings *settings, const pml_schedule_point *point) {
    (void)settings;
    return point->i_epoch < 2 ? 1 : pow(.5, (double)(point->i_epoch - 1));
}

const pml_schedule pml_schedule_type1 = {
    .plugin = {.name = "type1", .help = "the papers': half after each epoch but the first"},
    .factor = factor,
};
