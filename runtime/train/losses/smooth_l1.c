/* The distance, rounded off below beta: Huber's loss divided by beta (Girshick 2015). */
#include <math.h>

#include "runtime/train/losses/term.h"

enum { BETA };
static const pml_plugin_option options[] = {
    {"beta", PML_PLUGIN_NUMBER, "1", "[0, inf)", "distance below which it is rounded off; 0: l1"}, {0}};

static inline double term(const pml_loss_part *part, size_t i, const double *p, double target, double *slopes) {
    (void)i;
    const double beta = pml_setting(part->settings, BETA), distance = p[0] - target;
    if (fabs(distance) < beta) {
        slopes[0] = distance / beta;
        return distance * distance / (2 * beta);
    }
    slopes[0] = pml_loss_sign(distance);
    return fabs(distance) - beta / 2;
}

static void compute(pml_loss_part *part) {
    pml_loss_terms(part, 1, term);
}

const pml_loss pml_loss_smooth_l1 = {
    .plugin = {.name = "smooth_l1", .help = "the distance, a parabola below beta", .options = options},
    .n_predictions = 1,
    .compute = compute,
};
