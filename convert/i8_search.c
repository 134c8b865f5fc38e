#include "convert/i8_search.h"

#include <math.h>
#include <string.h>

enum { LANES = PML_PANEL_COLUMNS };

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

void pml_i8_search_begin(pml_i8_search *search, const pml_i8_loops *loops, float factor) {
    memset(search, 0, sizeof *search);
    search->loops = loops;
    search->factor = factor;
}

void pml_i8_search_add(pml_i8_search *search, const float *lines, size_t n) {
    const float(*tried)[LANES] = (const float(*)[LANES])search->tried;
    switch (search->i_pass) {
    case PASS_GREATEST:
        search->loops->add_greatest(lines, n, search->greatest);
        break;
    case PASS_TRY:
        search->loops->add_errors(tried, PML_I8_CANDIDATES, lines, n, search->errors);
        break;
    case PASS_FIT:
        search->loops->add_fit(search->scales, lines, n, search->products, search->squares);
        break;
    default:
        search->loops->add_errors(tried, 1, lines, n, search->errors);
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

float pml_i8_factor(float greatest) {
    int exponent;
    if (!(greatest > 0)) {
        return 1;
    }
    (void)frexpf(greatest / 127.0f, &exponent); /* the scale lies in [2^(exponent - 1), 2^exponent) */
    exponent -= 15;
    return ldexpf(1.0f, exponent < -126 ? -126 : exponent);
}
