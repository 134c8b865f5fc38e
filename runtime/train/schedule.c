#include "runtime/train/schedule.h"

#include <math.h>

#define PML_SCHEDULE(name) extern const pml_schedule pml_schedule_##name;
#include "runtime/train/schedules/registry.def"
#undef PML_SCHEDULE

const pml_schedule *const pml_schedules[] = {
#define PML_SCHEDULE(name) &pml_schedule_##name,
#include "runtime/train/schedules/registry.def"
#undef PML_SCHEDULE
    NULL};

const pml_plugin *const pml_schedule_plugins[] = {
#define PML_SCHEDULE(name) &pml_schedule_##name.plugin,
#include "runtime/train/schedules/registry.def"
#undef PML_SCHEDULE
    NULL};

pml_status pml_schedule_choose(const char *spec, const pml_schedule **schedule, pml_settings *settings,
                               pml_error *error) {
    size_t i_schedule;
    const pml_status status = pml_plugin_choose("schedule", pml_schedule_plugins, spec, &i_schedule, settings, error);
    if (status == PML_OK) {
        *schedule = pml_schedules[i_schedule];
    }
    return status;
}

double pml_schedule_factor(const pml_schedule *schedule, const pml_settings *settings,
                           const pml_schedule_point *point) {
    return schedule->factor(settings, point);
}

double pml_schedule_time(double by, const pml_schedule_point *point, double *total) {
    *total = (double)(by == 0 ? point->n_steps : point->n_epochs);
    return (double)(by == 0 ? point->i_step : point->i_epoch);
}

double pml_schedule_warmup(double warmup, const pml_schedule_point *point) {
    return warmup < 1 ? ceil(warmup * (double)point->n_steps) : warmup;
}
