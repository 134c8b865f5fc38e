/* Every value by itself and as likely as the others: uniform in the range (by logarithm where it is one; steps get
 * equal shares), a choice like any other. */
#include <math.h>

#include "runtime/tune/tuner.h"

static pml_status draw(const pml_study_view *view, const char *name, const pml_distribution *distribution,
                       double *value, pml_error *error) {
    (void)name;
    (void)error;
    if (distribution->kind == PML_DISTRIBUTION_CATEGORICAL) {
        *value = (double)pml_random_draw_below(view->random, distribution->n_choices);
        return PML_OK;
    }
    double low, high;
    pml_distribution_bounds(distribution, &low, &high);
    const double drawn = low + pml_random_draw_double(view->random) * (high - low);
    *value = pml_distribution_nearest(distribution, distribution->log ? exp(drawn) : drawn);
    return PML_OK;
}

static const pml_tuner_setting settings[] = {{NULL, 0, 0, 0, false, NULL}};

const pml_trial_sampler pml_trial_sampler_random = {
    .name = "random",
    .summary = "every value by chance, whatever came before",
    .settings = settings,
    .draw = draw,
};
