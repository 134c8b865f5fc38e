#include "runtime/train/average.h"

#define COST_NS 0.5 /* of an element */

typedef struct averaging {
    const pml_parameter_set *set;
    float *const *averages;
    float share;
} averaging;

/* As PyTorch interpolates: from the nearer end. */
static void follow(void *user, size_t i_view, size_t begin, size_t count, double *sum) {
    const averaging *a = user;
    const float *restrict value = a->set->views[i_view].value + begin;
    float *restrict average = a->averages[i_view] + begin;
    const float share = a->share, rest = 1.0f - share;
    (void)sum;
    if (share < 0.5f) {
        for (size_t i = 0; i < count; i++) {
            average[i] += share * (value[i] - average[i]);
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            average[i] = value[i] - (value[i] - average[i]) * rest;
        }
    }
}

void pml_average_update(pml_parameter_set *set, float *const *averages, double decay, pml_context *context) {
    averaging a = {set, averages, (float)(1 - decay)};
    (void)pml_parameter_set_run(set, context, COST_NS, follow, &a);
}

static void exchange(void *user, size_t i_view, size_t begin, size_t count, double *sum) {
    const averaging *a = user;
    float *value = a->set->views[i_view].value + begin, *average = a->averages[i_view] + begin;
    (void)sum;
    for (size_t i = 0; i < count; i++) {
        const float v = value[i];
        value[i] = average[i];
        average[i] = v;
    }
}

void pml_average_swap(pml_parameter_set *set, float *const *averages, pml_context *context) {
    averaging a = {set, averages, 0};
    (void)pml_parameter_set_run(set, context, COST_NS, exchange, &a);
}
