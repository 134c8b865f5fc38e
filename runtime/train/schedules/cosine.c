/* Down along half a cosine, once or again and again (Loshchilov, Hutter 2017). */
#include <math.h>

#include "runtime/train/schedule.h"

#define PI 3.14159265358979323846

enum { PERIOD, LEAST, RESTARTS, GROWTH, BY };
static const pml_plugin_option options[] = {
    {"period", PML_PLUGIN_INTEGER, "0", "[0, inf)", "time from top to bottom; 0: the whole run"},
    {"min", PML_PLUGIN_NUMBER, "0", "[0, 1]", "factor at the bottom"},
    {"restarts", PML_PLUGIN_SWITCH, "false", NULL, "begin at the top again; false: back up along the cosine"},
    {"growth", PML_PLUGIN_INTEGER, "1", "[1, inf)", "of the period from restart to restart"},
    PML_SCHEDULE_BY("step"),
    {0}};

static double factor(const pml_settings *settings, const pml_schedule_point *point) {
    double total;
    double t = pml_schedule_time(pml_setting(settings, BY), point, &total);
    double period = pml_setting(settings, PERIOD) > 0 ? pml_setting(settings, PERIOD) : total;
    const double least = pml_setting(settings, LEAST), growth = pml_setting(settings, GROWTH);
    if (period < 1) {
        return 1;
    }
    if (pml_setting(settings, RESTARTS) != 0 && growth == 1) {
        t = fmod(t, period);
    } else if (pml_setting(settings, RESTARTS) != 0) {
        for (; t >= period; period *= growth) {
            t -= period;
        }
    }
    return least + (1 - least) * (1 + cos(PI * t / period)) / 2;
}

const pml_schedule pml_schedule_cosine = {
    .plugin = {.name = "cosine", .help = "down along half a cosine", .options = options},
    .factor = factor,
};
