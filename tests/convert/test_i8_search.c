#include "convert/i8_search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"

enum { LANES = 16, MOST = 400 };

static float numbers[MOST * LANES];

/* Numbers like weights; column 5 is zeros, column 6 has one that is far out, column 7 is tiny. */
static void fill(size_t n, unsigned seed) {
    uint64_t state = seed;
    for (size_t i = 0; i < n * LANES; i++) {
        float sum = 0;
        for (unsigned k = 0; k < 6; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            sum += (float)(state >> 40) / (float)(1u << 24) - 0.5f;
        }
        numbers[i] = i % LANES == 5 ? 0 : i % LANES == 7 ? sum * 1e-30f : sum;
    }
    numbers[6] = 30;
}

static double error_with(float scale, size_t n, size_t column) {
    double error = 0;
    for (size_t i = 0; i < n; i++) {
        const double value = (double)numbers[i * LANES + column];
        double q = scale > 0 ? nearbyint(value / (double)scale) : 0;
        q = q > 127 ? 127 : q < -127 ? -127 : q;
        error += (value - q * (double)scale) * (value - q * (double)scale);
    }
    return error;
}

static void search(pml_i8_search *found, float factor, size_t n, size_t piece) {
    pml_i8_search_begin(found, &pml_i8_loops_scalar, factor);
    do {
        for (size_t i = 0; i < n; i += piece) {
            pml_i8_search_add(found, numbers + i * LANES, n - i < piece ? n - i : piece);
        }
    } while (pml_i8_search_next(found));
}

/* Never worse than the greatest magnitude over 127, better for most, and not far from the best of 2000 scales. */
static void beats_the_greatest_magnitude(void) {
    size_t n_better = 0;
    for (unsigned seed = 1; seed <= 12; seed++) {
        const size_t n = seed * 31;
        pml_i8_search found;
        fill(n, seed);
        search(&found, 0, n, n);
        for (size_t c = 0; c < LANES; c++) {
            const double plain = error_with(found.greatest[c] / 127, n, c), ours = error_with(found.scales[c], n, c);
            double best = plain;
            for (unsigned k = 0; k < 2000; k++) {
                best = fmin(best, error_with(found.greatest[c] / (100 + 0.02f * (float)k), n, c));
            }
            CU_ASSERT_TRUE(ours <= plain * (1 + 1e-5));
            CU_ASSERT_TRUE(n < 60 || ours <= 1.35 * best);
            n_better += ours < plain * 0.995;
        }
    }
    CU_ASSERT_TRUE(n_better > 12 * 14 / 2);
}

static void does_not_depend_on_pieces_of_64(void) {
    pml_i8_search whole, pieces;
    fill(MOST, 99);
    search(&whole, 0, MOST, MOST);
    search(&pieces, 0, MOST, 64);
    CU_ASSERT_EQUAL(memcmp(whole.scales, pieces.scales, sizeof whole.scales), 0);
    CU_ASSERT_EQUAL(whole.scales[5], 0);
}

static void half_scales_are_what_f16_holds(void) {
    pml_i8_search found;
    fill(64, 3);
    float greatest = 0;
    for (size_t i = 0; i < (size_t)64 * LANES; i++) {
        greatest = fmaxf(greatest, fabsf(numbers[i]));
    }
    const float factor = pml_i8_factor(greatest);
    search(&found, factor, 64, 64);
    for (size_t c = 0; c < LANES; c++) {
        const float scale = found.scales[c] / factor;
        CU_ASSERT_EQUAL(pml_f32_from_f16(pml_f16_from_f32(scale)), scale);
        CU_ASSERT_TRUE(c == 5 || c == 7 ||
                       error_with(found.scales[c], 64, c) <= 1.02 * error_with(found.greatest[c] / 127, 64, c));
    }
}

static void factors_put_the_greatest_scale_near_the_top(void) {
    static const float greatest[] = {1, 127, 3.4e38f, 1e-30f, 0.3f};
    for (size_t i = 0; i < sizeof greatest / sizeof greatest[0]; i++) {
        const float factor = pml_i8_factor(greatest[i]), scale = greatest[i] / 127 / factor;
        int exponent;
        CU_ASSERT_EQUAL(frexpf(factor, &exponent), 0.5f);
        CU_ASSERT_TRUE(scale >= 16384 && scale < 32768);
    }
    CU_ASSERT_EQUAL(pml_i8_factor(0), 1);
    CU_ASSERT_TRUE(pml_i8_factor(1e-45f) > 0);
}

PML_TESTS("convert/i8_search", PML_TEST(beats_the_greatest_magnitude), PML_TEST(does_not_depend_on_pieces_of_64),
          PML_TEST(half_scales_are_what_f16_holds), PML_TEST(factors_put_the_greatest_scale_near_the_top))
