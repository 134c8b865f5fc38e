/* The papers' `type3` (PatchTST, Time-Series-Library): nine tenths after each epoch from the fourth on. */
#include <math.h>

#include "runtime/train/schedule.h"

static double factor(const pml_settings *settings, const pml_schedule_point *point) {
    (void)settings;
    return point->i_epoch < 3 ? 1 : pow(.9, (double)(point->i_epoch - 3));
}

const pml_schedule pml_schedule_type3 = {
    .plugin = {.name = "type3", .help = "the papers': nine tenths after each epoch but the first three"},
    .factor = factor,
};
