/* The spectrum of an odd number of steps, read as that of one step less. */
#include <math.h>

#include "runtime/ops/signal.h"

/* cos and sin of 2 pi j / n, [n] each. */
static void fill_circle(size_t n, double *cosines, double *sines) {
    static const double turn = 6.283185307179586;
    for (size_t j = 0; j < n; j++) {
        cosines[j] = cos(turn * (double)j / (double)n);
        sines[j] = sin(turn * (double)j / (double)n);
    }
}

void pml_correlation_round(double *r, size_t n_steps, double *work) {
    const size_t n_lags = n_steps - 1, last = n_lags / 2; /* frequencies 0 .. last */
    double *real = work, *imaginary = work + last + 1, *cosines = work + n_steps + 1, *sines = cosines + n_steps;
    fill_circle(n_steps, cosines, sines);
    for (size_t k = 0; k <= last; k++) {
        real[k] = imaginary[k] = 0;
        for (size_t u = 0; u < n_steps; u++) {
            real[k] += r[u] * cosines[k * u % n_steps];
            imaginary[k] -= r[u] * sines[k * u % n_steps];
        }
    }
    fill_circle(n_lags, cosines, sines);
    for (size_t u = 0; u < n_lags; u++) {
        double sum = real[0] + (u % 2 == 0 ? real[last] : -real[last]);
        for (size_t k = 1; k < last; k++) {
            sum += 2 * (real[k] * cosines[k * u % n_lags] - imaginary[k] * sines[k * u % n_lags]);
        }
        r[u] = sum / (double)n_lags;
    }
    r[n_lags] = 0;
}

/* The transpose of both transforms. */
void pml_correlation_round_back(double *d, size_t n_steps, double *work) {
    const size_t n_lags = n_steps - 1, last = n_lags / 2;
    double *real = work, *imaginary = work + last + 1, *cosines = work + n_steps + 1, *sines = cosines + n_steps;
    fill_circle(n_lags, cosines, sines);
    for (size_t k = 0; k <= last; k++) {
        const double weight = (k == 0 || k == last ? 1.0 : 2.0) / (double)n_lags;
        real[k] = imaginary[k] = 0;
        for (size_t u = 0; u < n_lags; u++) {
            real[k] += weight * d[u] * cosines[k * u % n_lags];
            imaginary[k] -= k == 0 || k == last ? 0 : weight * d[u] * sines[k * u % n_lags];
        }
    }
    fill_circle(n_steps, cosines, sines);
    for (size_t u = 0; u < n_steps; u++) {
        d[u] = 0;
        for (size_t k = 0; k <= last; k++) {
            d[u] += real[k] * cosines[k * u % n_steps] - imaginary[k] * sines[k * u % n_steps];
        }
    }
}
