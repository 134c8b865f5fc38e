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

const pml_trial_sampler pml_trial_sampler_random = {
    .plugin = {.name = "random", .help = "every value by chance, whatever came before"},
    .draw = draw,
};
