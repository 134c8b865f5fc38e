#include "convert/i8_loops.h"

#include <math.h>
#include <string.h>

#include "runtime/kernels/kernels.h"
#include "tests/harness.h"

enum { LANES = 16, MOST = 200, N_SCALES = 3 };

/* One float more, so that lines can begin anywhere. */
static float numbers[MOST * LANES + 1];

typedef struct results {
    float greatest[LANES];
    double errors[N_SCALES][LANES], products[LANES], squares[LANES];
    int8_t bytes[(MOST + 3) / 4 * 64];
    int32_t sums[LANES];
    pml_i8_losses losses;
} results;

/* Everything that one set of loops says about n lines. */
static void run(const pml_i8_loops *loops, const float *lines, size_t n, results *found) {
    float scales[N_SCALES][LANES];
    memset(found, 0, sizeof *found);
    loops->add_greatest(lines, n, found->greatest);
    for (size_t c = 0; c < LANES; c++) {
        scales[0][c] = found->greatest[c] / 127;
        scales[1][c] = found->greatest[c] / 140; /* cuts off */
        scales[2][c] = c % 3 == 0 ? 0 : 0.01f;
    }
    loops->add_errors((const float(*)[LANES])scales, N_SCALES, lines, n, found->errors);
    loops->add_fit(scales[1], lines, n, found->products, found->squares);
    loops->round(scales[1], lines, n, found->bytes, found->sums, &found->losses);
}

/* The same bits on every instruction set that this machine has: whole files are compared by their bytes. */
static void every_instruction_set_says_the_same(void) {
    static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 63, 64, 65, 127, MOST};
    static results plain, other;
    uint64_t state = 7;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        numbers[i] = (float)(int32_t)(state >> 32) * 0x1p-31f;
        numbers[i] *= state >> 20 & 1 ? 1 : state >> 21 & 1 ? 1e-38f : 1e20f;
        numbers[i] = i % LANES == 5 ? -0.0f : numbers[i];
    }
    for (size_t k = 0; pml_i8_loops_at(k) != NULL; k++) {
        const pml_i8_loops *loops = pml_i8_loops_at(k);
        if ((loops->needs & ~pml_isa_detect()) != 0) {
            continue;
        }
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            for (size_t shift = 0; shift < 2; shift++) {
                run(&pml_i8_loops_scalar, numbers + shift, sizes[i], &plain);
                run(loops, numbers + shift, sizes[i], &other);
                CU_ASSERT_EQUAL(memcmp(&plain, &other, sizeof plain), 0);
            }
        }
    }
}

static void the_best_that_is_allowed_is_chosen(void) {
    CU_ASSERT_PTR_EQUAL(pml_i8_loops_choose(PML_ISA_scalar), &pml_i8_loops_scalar);
#if defined(__x86_64__)
    CU_ASSERT_PTR_EQUAL(pml_i8_loops_choose(PML_ISA_avxvnni), &pml_i8_loops_avx2);
    CU_ASSERT_PTR_EQUAL(pml_i8_loops_choose(PML_ISA_avx512vnni), &pml_i8_loops_avx512);
#endif
}

static void rounds_into_lines_and_adds_up(void) {
    enum { N = 7 };
    int8_t out[2 * 64];
    int32_t sums[LANES] = {0};
    float scales[LANES];
    pml_i8_losses losses = {0};
    for (size_t i = 0; i < (size_t)N * LANES; i++) {
        numbers[i] = (float)((int)(i * 37 % 301) - 150) * 0.5f;
    }
    for (size_t c = 0; c < LANES; c++) {
        scales[c] = c == 3 ? 0 : 0.5f;
    }
    pml_i8_loops_scalar.round(scales, numbers, N, out, sums, &losses);
    for (size_t c = 0; c < LANES; c++) {
        int32_t sum = 0;
        double error = 0, signal = 0, greatest = 0;
        for (size_t r = 0; r < 8; r++) {
            const double value = r < N ? (double)numbers[r * LANES + c] : 0;
            double q = c == 3 ? 0 : value * 2;
            q = q > 127 ? 127 : q < -127 ? -127 : q;
            CU_ASSERT_EQUAL(out[r / 4 * 64 + c * 4 + r % 4], (int8_t)q);
            sum += (int32_t)q;
            error += (value - q / 2) * (value - q / 2);
            signal += value * value;
            greatest = fmax(greatest, fabs(value - q / 2));
        }
        CU_ASSERT_EQUAL(sums[c], sum);
        CU_ASSERT_EQUAL(losses.errors[c], error);
        CU_ASSERT_EQUAL(losses.signals[c], signal);
        CU_ASSERT_EQUAL(losses.greatest[c], greatest);
    }
}

PML_TESTS("convert/i8_loops", PML_TEST(every_instruction_set_says_the_same),
          PML_TEST(the_best_that_is_allowed_is_chosen), PML_TEST(rounds_into_lines_and_adds_up))
