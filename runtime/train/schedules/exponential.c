/* Less by the same factor each time. */
#include <math.h>

#include "runtime/train/schedule.h"

enum { GAMMA, BY };
static const pml_plugin_option options[] = {
    {"gamma", PML_PLUGIN_NUMBER, NULL, "[0, inf)", "factor from one to the next"}, PML_SCHEDULE_BY("epoch"), {0}};

static double factor(const pml_settings *settings, const pml_schedule_point *point) {
    double total;
    return pow(pml_setting(settings, GAMMA), pml_schedule_time(pml_setting(settings, BY), point, &total));
}

const pml_schedule pml_schedule_exponential = {
    .plugin = {.name = "exponential", .help = "times gamma each time", .options = options},
    .factor = factor,
};
