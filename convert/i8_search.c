#include "convert/i8_search.h"

#include <math.h>
#include <string.h>

enum { LANES = PML_PANEL_COLUMNS, BLOCK = 64, DEPTH = 4 };

enum { PASS_GREATEST, PASS_TRY, PASS_FIT, PASS_CHECK };

/* A scale below this would have an inverse that is not finite. */
#define LEAST_SCALE 0x1p-120f

/* Steps that the greatest magnitude is divided into. Up to 127.5 it rounds to 127; what is beyond is cut off, for
 * finer steps elsewhere. */
static const float steps[PML_I8_CANDIDATES] = {127.0f, 126.4f, 127.25f, 127.5f, 128.0f, 128.75f};

static float round_scale(const pml_i8_search *search, float scale) {
    if (search->factor != 0) {
        scale = pml_f32_from_f16(pml_f16_from_f32(scale / search->factor)) * search->factor;
    }
    return scale >= LEAST_SCALE ? scale : 0;
}

static void invert(const float scales[LANES], float inverses[LANES]) {
    for (size_t c = 0; c < LANES; c++) {
        inverses[c] = scales[c] > 0 ? 1.0f / scales[c] : 0;
    }
}

/* To the nearest integer within 127, ties to even: at 1.5 * 2^23 a float has no places after the point. */
static inline float nearest(float x) {
    const float above = x < 127.0f ? x : 127.0f, within = above > -127.0f ? above : -127.0f;
    return (within + 12582912.0f) - 12582912.0f;
}

void pml_i8_search_begin(pml_i8_search *search, float factor) {
    memset(search, 0, sizeof *search);
    search->factor = factor;
}

static void add_greatest(pml_i8_search *search, const float *lines, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < LANES; c++) {
            const float magnitude = fabsf(lines[i * LANES + c]);
            search->greatest[c] = search->greatest[c] > magnitude ? search->greatest[c] : magnitude;
        }
    }
}

/* Squared errors of one scale, in steps: floats within a block, then doubles. */
static void add_errors(const float scales[LANES], const float *lines, size_t n, double errors[LANES]) {
    float inverses[LANES];
    invert(scales, inverses);
    for (size_t first = 0; first < n; first += BLOCK) {
        const size_t last = n - first < BLOCK ? n : first + BLOCK;
        float sums[LANES] = {0};
        for (size_t i = first; i < last; i++) {
            for (size_t c = 0; c < LANES; c++) {
                const float x = lines[i * LANES + c] * inverses[c], error = x - nearest(x);
                sums[c] += error * error;
            }
        }
        for (size_t c = 0; c < LANES; c++) {
            errors[c] += (double)sums[c];
        }
    }
}

static void add_fit(pml_i8_search *search, const float *lines, size_t n) {
    float inverses[LANES];
    invert(search->scales, inverses);
    for (size_t first = 0; first < n; first += BLOCK) {
        const size_t last = n - first < BLOCK ? n : first + BLOCK;
        float products[LANES] = {0}, squares[LANES] = {0};
        for (size_t i = first; i < last; i++) {
            for (size_t c = 0; c < LANES; c++) {
                const float x = lines[i * LANES + c] * inverses[c], q = nearest(x);
                products[c] += x * q;
                squares[c] += q * q;
            }
        }
        for (size_t c = 0; c < LANES; c++) {
            search->products[c] += (double)products[c];
            search->squares[c] += (double)squares[c];
        }
    }
}

void pml_i8_search_add(pml_i8_search *search, const float *lines, size_t n) {
    switch (search->i_pass) {
    case PASS_GREATEST:
        add_greatest(search, lines, n);
        break;
    case PASS_TRY:
        for (size_t k = 0; k < PML_I8_CANDIDATES; k++) {
            add_errors(search->tried[k], lines, n, search->errors[k]);
        }
        break;
    case PASS_FIT:
        add_fit(search, lines, n);
        break;
    default:
        add_errors(search->tried[0], lines, n, search->errors[0]);
        break;
    }
}

static double error_of(const pml_i8_search *search, size_t k, size_t c) {
    return search->errors[k][c] * (double)search->tried[k][c] * (double)search->tried[k][c];
}

/* The best of what was tried becomes the scale of column c; its error moves to place 1 for the last comparison. */
static void choose(pml_i8_search *search, size_t c) {
    size_t best = 0;
    for (size_t k = 1; k < PML_I8_CANDIDATES; k++) {
        const bool exists = search->tried[k][c] > 0 || search->greatest[c] == 0;
        best = exists && error_of(search, k, c) < error_of(search, best, c) ? k : best;
    }
    search->scales[c] = search->tried[best][c];
    search->errors[1][c] = search->errors[best][c];
    search->tried[1][c] = search->tried[best][c];
}

bool pml_i8_search_next(pml_i8_search *search) {
    for (size_t c = 0; c < LANES; c++) {
        switch (search->i_pass) {
        case PASS_GREATEST:
            for (size_t k = 0; k < PML_I8_CANDIDATES; k++) {
                search->tried[k][c] = round_scale(search, search->greatest[c] / steps[k]);
            }
            break;
        case PASS_TRY:
            choose(search, c);
            break;
        case PASS_FIT: {
            const double fit = search->squares[c] > 0 ? search->products[c] / search->squares[c] : 1;
            search->tried[0][c] = round_scale(search, (float)((double)search->scales[c] * fit));
            search->errors[0][c] = 0;
            break;
        }
        default:
            if (search->tried[0][c] > 0 && error_of(search, 0, c) < error_of(search, 1, c)) {
                search->scales[c] = search->tried[0][c];
            }
            break;
        }
    }
    return search->i_pass++ < PASS_CHECK;
}

void pml_i8_round(const float scales[LANES], const float *lines, size_t n, int8_t *out, int32_t sums[LANES],
                  pml_rounding *rounding) {
    static const float zeros[LANES];
    float inverses[LANES];
    double errors[LANES] = {0}, signals[LANES] = {0};
    invert(scales, inverses);
    for (size_t first = 0; first < n; first += DEPTH, out += DEPTH * LANES) {
        for (size_t d = 0; d < DEPTH; d++) {
            const float *line = first + d < n ? lines + (first + d) * LANES : zeros;
            float rounded[LANES];
            for (size_t c = 0; c < LANES; c++) {
                rounded[c] = nearest(line[c] * inverses[c]);
            }
            for (size_t c = 0; c < LANES; c++) {
                const int32_t value = (int32_t)rounded[c];
                out[c * DEPTH + d] = (int8_t)value;
                sums[c] += value;
            }
            for (size_t c = 0; c < LANES; c++) {
                const double value = (double)line[c], difference = (double)(rounded[c] * scales[c]) - value;
                errors[c] += difference * difference;
                signals[c] += value * value;
            }
        }
    }
    for (size_t c = 0; c < LANES; c++) {
        rounding->error += errors[c];
        rounding->signal += signals[c];
    }
}

float pml_i8_factor(float greatest) {
    int exponent;
    if (!(greatest > 0)) {
        return 1;
    }
    (void)frexpf(greatest / 127.0f, &exponent); /* the scale lies in [2^(exponent - 1), 2^exponent) */
    exponent -= 15;
    return ldexpf(1.0f, exponent < -126 ? -126 : exponent);
}

float pml_i8_greatest(const float *values, size_t n) {
    float greatest[LANES] = {0};
    size_t i = 0;
    for (; n - i >= LANES; i += LANES) {
        for (size_t c = 0; c < LANES; c++) {
            const float magnitude = fabsf(values[i + c]);
            greatest[c] = greatest[c] > magnitude ? greatest[c] : magnitude;
        }
    }
    for (; i < n; i++) {
        greatest[0] = fmaxf(greatest[0], fabsf(values[i]));
    }
    for (size_t c = 1; c < LANES; c++) {
        greatest[0] = fmaxf(greatest[0], greatest[c]);
    }
    return greatest[0];
}
