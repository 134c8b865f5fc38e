/* Less by a factor in equal intervals. */
#include <math.h>

#include "runtime/train/schedule.h"

enum { SIZE, GAMMA, BY };
static const pml_plugin_option options[] = {
    {"size", PML_PLUGIN_INTEGER, NULL, "[1, inf)", "length of an interval"},
    {"gamma", PML_PLUGIN_NUMBER, "0.1", "[0, inf)", "factor from one to the next"},
    PML_SCHEDULE_BY("epoch"),
    {0}};

static double factor(const pml_settings *settings, const pml_schedule_point *point) {
    double total;
    const double t = pml_schedule_time(pml_setting(settings, BY), point, &total);
    return pow(pml_setting(settings, GAMMA), floor(t / pml_setting(settings, SIZE)));
}

const pml_schedule pml_schedule_step = {
    .plugin = {.name = "step", .help = "times gamma after every interval", .options = options},
    .factor = factor,
};
