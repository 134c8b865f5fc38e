/* What all tests of schedules share: the factors of PyTorch's and transformers' over 100 steps. */
#ifndef PML_TESTS_RUNTIME_TRAIN_SCHEDULES_SCHEDULE_CASE_H
#define PML_TESTS_RUNTIME_TRAIN_SCHEDULES_SCHEDULE_CASE_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/train/schedule.h"
#include "tests/harness.h"

typedef struct oracle {
    const char *spec;
    double factors[100];
} oracle;
#define PML_ORACLE(spec, ...) {spec, {__VA_ARGS__}},
static const oracle oracles[] = {
#include "tests/runtime/train/schedules/oracle.def"
};
#undef PML_ORACLE

static inline double factor_at(const char *spec, uint64_t i_step, uint64_t i_epoch) {
    const pml_schedule *schedule;
    pml_settings settings;
    pml_error error;
    const pml_schedule_point point = {i_step, 100, i_epoch, 20};
    PML_ASSERT_OK(pml_schedule_choose(spec, &schedule, &settings, &error), &error);
    return pml_schedule_factor(schedule, &settings, &point);
}

/* All recorded cases of one schedule; a step may be asked for at any time, so from the last to the first. */
static inline void check_schedule(const char *name) {
    const size_t length = strlen(name);
    size_t n_checked = 0;
    for (const oracle *o = oracles; o < oracles + sizeof oracles / sizeof oracles[0]; o++) {
        if (strncmp(o->spec, name, length) != 0 || (o->spec[length] != ':' && o->spec[length] != '\0')) {
            continue;
        }
        n_checked++;
        for (uint64_t i = 100; i-- > 0;) {
            const double factor = factor_at(o->spec, i, 0);
            const bool is_right = fabs(factor - o->factors[i]) <= 1e-9;
            if (!is_right) {
                (void)printf("\n  %s, step %llu: %.12g, PyTorch %.12g", o->spec, (unsigned long long)i, factor,
                             o->factors[i]);
            }
            CU_ASSERT_TRUE(is_right);
        }
    }
    CU_ASSERT_TRUE(n_checked > 0);
}

#endif
