#include "runtime/ops/fourier.h"

#include <math.h>

static const double two_pi = 6.283185307179586476925286766559;

/* Angles are reduced as integers, so that their error does not grow with the product. */
static double angle(int64_t mode, size_t step, size_t n_steps) {
    return two_pi * (double)((uint64_t)mode * step % n_steps) / (double)n_steps;
}

void pml_fourier_table(const int64_t *modes, size_t n_modes, size_t n_steps, float *table) {
    const size_t n_half = n_steps / 2 + 1;
    for (size_t i = 0; i < n_modes; i++) {
        const bool is_there = (uint64_t)modes[i] <= n_steps / 2;
        for (size_t t = 0; t < n_half; t++) {
            const double a = angle(modes[i], t, n_steps);
            table[i * n_half + t] = is_there ? (float)cos(a) : 0;
            table[(n_modes + i) * n_half + t] = is_there ? (float)-sin(a) : 0;
        }
    }
}

void pml_fourier_inverse_table(const int64_t *bins, size_t n_modes, size_t n_steps, double factor, float *table) {
    const size_t n_half = n_steps / 2 + 1;
    for (size_t i = 0; i < n_modes; i++) {
        const uint64_t bin = (uint64_t)bins[i];
        const bool is_single = bin == 0 || 2 * bin == n_steps;
        const double weight = bin > n_steps / 2 ? 0 : (is_single ? 1 : 2) * factor / (double)n_steps;
        for (size_t t = 0; t < n_half; t++) {
            const double a = angle(bins[i], t, n_steps);
            table[i * n_half + t] = (float)(weight * cos(a));
            table[(n_modes + i) * n_half + t] = is_single ? 0 : (float)(-weight * sin(a));
        }
    }
}
