/* Half the squared distance up to delta, linear beyond (Huber 1964). */
#include <math.h>

#include "runtime/train/losses/term.h"

enum { DELTA };
static const pml_plugin_option options[] = {
    {"delta", PML_PLUGIN_NUMBER, "1", "(0, inf)", "distance up to which it is half the square"}, {0}};

static inline double term(const pml_loss_part *part, size_t i, const double *p, double target, double *slopes) {
    (void)i;
    const double delta = pml_setting(part->settings, DELTA), distance = p[0] - target;
    if (fabs(distance) > delta) {
        slopes[0] = copysign(delta, distance);
        return delta * (fabs(distance) - delta / 2);
    }
    slopes[0] = distance;
    return distance * distance / 2;
}

static void compute(pml_loss_part *part) {
    pml_loss_terms(part, 1, term);
}

const pml_loss pml_loss_huber = {
    .plugin = {.name = "huber",
               .help = "half the square up to delta, delta times the distance beyond",
               .options = options},
    .n_predictions = 1,
    .compute = compute,
};
