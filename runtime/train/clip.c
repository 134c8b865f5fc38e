#include "runtime/train/clip.h"

#include <math.h>

#define COST_NS 0.3 /* of an element */
enum { N_LANES = 8 };

static void add_squares(void *user, size_t i_view, size_t begin, size_t count, double *sum) {
    const float *gradient = ((const pml_parameter_set *)user)->views[i_view].gradient + begin;
    double lanes[N_LANES] = {0};
    size_t i = 0;
    for (; count - i >= N_LANES; i += N_LANES) {
        for (size_t k = 0; k < N_LANES; k++) {
            const double g = (double)gradient[i + k];
            lanes[k] += g * g;
        }
    }
    for (; i < count; i++) {
        lanes[i % N_LANES] += (double)gradient[i] * (double)gradient[i];
    }
    for (size_t k = 0; k < N_LANES; k++) {
        *sum += lanes[k];
    }
}

double pml_gradient_norm(pml_parameter_set *set, pml_context *context) {
    return sqrt(pml_parameter_set_run(set, context, COST_NS, add_squares, set));
}

typedef struct bound {
    const pml_parameter_set *set;
    float value;
} bound;

static void multiply(void *user, size_t i_view, size_t begin, size_t count, double *sum) {
    const bound *b = user;
    float *gradient = b->set->views[i_view].gradient + begin;
    (void)sum;
    for (size_t i = 0; i < count; i++) {
        gradient[i] *= b->value;
    }
}

double pml_clip_gradient_norm(pml_parameter_set *set, double max_norm, pml_context *context) {
    const double norm = pml_gradient_norm(set, context), factor = max_norm / (norm + 1e-6);
    if (isfinite(norm) && factor < 1) {
        bound b = {set, (float)factor};
        (void)pml_parameter_set_run(set, context, COST_NS, multiply, &b);
    }
    return norm;
}

static void clamp(void *user, size_t i_view, size_t begin, size_t count, double *sum) {
    const bound *b = user;
    float *gradient = b->set->views[i_view].gradient + begin;
    const float most = b->value;
    (void)sum;
    for (size_t i = 0; i < count; i++) {
        const float g = gradient[i];
        gradient[i] = g > most ? most : g < -most ? -most : g;
    }
}

void pml_clip_gradient_value(pml_parameter_set *set, float most, pml_context *context) {
    bound b = {set, most};
    (void)pml_parameter_set_run(set, context, COST_NS, clamp, &b);
}
