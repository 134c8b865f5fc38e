/* Schedules: what the learning rate is multiplied with, as a pure function of where a run is. There is no state to
 * save: a run that is taken up again finds the same factors. specs/training.md has the formulas. */
#ifndef PML_RUNTIME_TRAIN_SCHEDULE_H
#define PML_RUNTIME_TRAIN_SCHEDULE_H

#include "runtime/base/plugin.h"

/* Where a run is: updates and passes over the data that are behind it, and how many there will be. */
typedef struct pml_schedule_point {
    uint64_t i_step, n_steps;
    uint64_t i_epoch, n_epochs;
} pml_schedule_point;

typedef struct pml_schedule {
    pml_plugin plugin;
    double (*factor)(const pml_settings *settings, const pml_schedule_point *point);
} pml_schedule;

extern const pml_schedule *const pml_schedules[]; /* in the registry's order, ends with NULL */
extern const pml_plugin *const pml_schedule_plugins[];

/* Reads "one_cycle:pct_start=0.3". Errors: NOT_FOUND, ARGUMENT. */
pml_status pml_schedule_choose(const char *spec, const pml_schedule **schedule, pml_settings *settings,
                               pml_error *error) PML_WARN_UNUSED;
/* The factor of the update that comes next. */
double pml_schedule_factor(const pml_schedule *schedule, const pml_settings *settings, const pml_schedule_point *point);

/* ---- for schedules ---- */
/* The option that says what time is counted in; choices in this order. */
#define PML_SCHEDULE_BY(fallback)                                                                                      \
    { "by", PML_PLUGIN_CHOICE, fallback, "step|epoch", "what time is counted in" }
/* Time by that option, from 0 on, and how much there is. */
double pml_schedule_time(double by, const pml_schedule_point *point, double *total);

/* The option of those that begin with a rise; below 1 it is a share of all steps. */
#define PML_SCHEDULE_WARMUP                                                                                            \
    { "warmup", PML_PLUGIN_NUMBER, "0", "[0, inf)", "steps of linear rise; below 1: share of all steps" }
/* In steps, a share rounded up. */
double pml_schedule_warmup(double warmup, const pml_schedule_point *point);

#endif
