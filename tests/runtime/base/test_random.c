/* Random numbers: the generator's published answers, the same numbers by whatever way, and their distributions. */
#include "runtime/base/random.h"

#include <math.h>
#include <string.h>

#include "tests/harness.h"

/* The vectors that come with the authors' library (Random123, kat_vectors). */
static void gives_the_published_answers(void) {
    static const struct {
        uint32_t counter[4], key[2], words[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t words[4];
        pml_random_philox(cases[i].counter, cases[i].key, words);
        CU_ASSERT_TRUE(memcmp(words, cases[i].words, sizeof words) == 0);
    }
    /* Seed is the key, stream the counter's high half, block number its low half. */
    const uint64_t seed = 0x299f31d0a4093822u, stream = 0x0370734413198a2eu;
    const uint32_t counter[4] = {5, 1, 0x13198a2e, 0x03707344}, key[2] = {0xa4093822, 0x299f31d0};
    uint32_t words[4];
    pml_random_philox(counter, key, words);
    CU_ASSERT_EQUAL(pml_random_word(seed, stream, (((uint64_t)1 << 32) + 5) * 4 + 3), words[3]);
    CU_ASSERT_EQUAL(pml_random_word(0, 0, 2), 0xbc57ac4cu);
}

static void ranges_hold_the_single_words(void) {
    enum { N = 203 };
    uint32_t one[N], many[N];
    const uint64_t far = (uint64_t)1 << 34; /* the block's number crosses 32 bits inside */
    for (uint64_t first = far - 101; first < far - 96; first++) {
        for (size_t i = 0; i < N; i++) {
            one[i] = pml_random_word(7, 9, first + i);
        }
        for (size_t n = 0; n <= N; n += 29) {
            memset(many, 0, sizeof many);
            pml_random_words(7, 9, first, n, many);
            CU_ASSERT_TRUE(memcmp(one, many, n * sizeof one[0]) == 0);
            CU_ASSERT_TRUE(n == N || many[n] == 0);
        }
    }
}

static void seeds_and_streams_differ(void) {
    CU_ASSERT_NOT_EQUAL(pml_random_word(1, 0, 0), pml_random_word(2, 0, 0));
    CU_ASSERT_NOT_EQUAL(pml_random_word(1, 0, 0), pml_random_word(1, 1, 0));
    CU_ASSERT_NOT_EQUAL(pml_random_word(1, 0, 0), pml_random_word((uint64_t)1 << 32 | 1, 0, 0));
    CU_ASSERT_NOT_EQUAL(pml_random_word(1, 0, 0), pml_random_word(1, (uint64_t)1 << 32, 0));
}

enum { N_DRAWS = 100000 };

/* Mean, variance, skewness and excess of draws, against those of the distribution, within 5 deviations. */
static void check_moments(double (*at)(uint64_t, uint64_t, uint64_t), const double expected[4],
                          const double deviation[4]) {
    double sums[4] = {0};
    for (uint64_t i = 0; i < N_DRAWS; i++) {
        const double x = at(3, 4, i) - expected[0];
        double power = 1;
        for (unsigned k = 0; k < 4; k++) {
            power *= x;
            sums[k] += power / N_DRAWS;
        }
    }
    sums[0] += expected[0];
    for (unsigned k = 0; k < 4; k++) {
        CU_ASSERT_TRUE(fabs(sums[k] - expected[k]) <= 5 * deviation[k] / sqrt(N_DRAWS));
    }
}

static double float_at(uint64_t seed, uint64_t stream, uint64_t index) {
    return (double)pml_random_float(seed, stream, index);
}

static void uniform_and_normal_have_their_moments(void) {
    /* Central moments of U[0, 1): 1/12, 0, 1/80; the deviation of x^k is sqrt(m_2k - m_k^2). */
    const double uniform[4] = {.5, 1 / 12., 0, 1 / 80.};
    const double uniform_deviation[4] = {.2887, .0745, .0472, .0167};
    check_moments(float_at, uniform, uniform_deviation);
    check_moments(pml_random_double, uniform, uniform_deviation);
    const double normal[4] = {0, 1, 0, 3}, normal_deviation[4] = {1, 1.4143, 3.873, 9.798};
    check_moments(pml_random_normal, normal, normal_deviation);
}

static void units_stay_below_one(void) {
    CU_ASSERT_TRUE(pml_random_unit(UINT32_MAX) < 1.0f);
    CU_ASSERT_EQUAL(pml_random_unit(0), 0.0f);
    for (uint64_t i = 0; i < 1000; i++) {
        const double x = pml_random_double(5, 6, i);
        CU_ASSERT_TRUE(x >= 0 && x < 1);
    }
}

static void neighbours_are_not_alike(void) {
    double product = 0;
    for (uint64_t i = 0; i < N_DRAWS; i++) {
        product += pml_random_normal(8, 1, i) * pml_random_normal(8, 1, i + 1) / N_DRAWS;
    }
    CU_ASSERT_TRUE(fabs(product) < 5 / sqrt(N_DRAWS));
}

static void a_sequence_gives_the_same_and_can_be_taken_up(void) {
    pml_random random = {.seed = 11, .stream = 12};
    for (uint64_t i = 0; i < 9; i++) {
        CU_ASSERT_EQUAL(pml_random_draw_double(&random), pml_random_double(11, 12, i));
    }
    CU_ASSERT_EQUAL(pml_random_draw_normal(&random), pml_random_normal(11, 12, 9));
    pml_random saved = random;
    CU_ASSERT_EQUAL(pml_random_draw(&random), pml_random_draw(&saved));
    CU_ASSERT_EQUAL(pml_random_draw_below(&random, 1000), pml_random_draw_below(&saved, 1000));
    const uint64_t words = pml_random_draw(&random);
    CU_ASSERT_EQUAL((uint32_t)words, pml_random_word(11, 12, 2 * (random.next - 1)));
    CU_ASSERT_EQUAL((uint32_t)(words >> 32), pml_random_word(11, 12, 2 * random.next - 1));
}

static void bounded_draws_are_even(void) {
    pml_random random = {.seed = 21};
    unsigned counts[7] = {0};
    for (unsigned i = 0; i < N_DRAWS; i++) {
        const uint64_t value = pml_random_draw_below(&random, 7);
        CU_ASSERT_TRUE_FATAL(value < 7);
        counts[value]++;
    }
    double chi = 0;
    for (unsigned i = 0; i < 7; i++) {
        const double expected = N_DRAWS / 7.0;
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    CU_ASSERT_TRUE(chi < 27.9); /* 6 degrees, 1 in 10000 */
    CU_ASSERT_EQUAL(pml_random_draw_below(&random, 1), 0);
    /* Of 2^64 words 3/4 2^64 values could come: without refusals each third value would come twice as often. */
    unsigned n_low = 0;
    const uint64_t most = (uint64_t)3 << 62;
    for (unsigned i = 0; i < N_DRAWS; i++) {
        n_low += pml_random_draw_below(&random, most) % 3 == 0;
    }
    CU_ASSERT_TRUE(fabs(n_low / (double)N_DRAWS - 1 / 3.) < 5 * sqrt(2 / 9. / N_DRAWS));
}

static void shuffles_are_permutations_and_each_is_as_likely(void) {
    pml_random random = {.seed = 31};
    unsigned counts[24] = {0};
    for (unsigned i = 0; i < 24000; i++) {
        uint64_t items[4] = {0, 1, 2, 3};
        pml_random_shuffle(&random, items, 4);
        unsigned seen = 0, rank = 0;
        for (unsigned k = 0; k < 4; k++) {
            seen |= 1u << items[k];
            unsigned smaller = 0;
            for (unsigned l = k + 1; l < 4; l++) {
                smaller += items[l] < items[k];
            }
            rank = rank * (4 - k) + smaller;
        }
        CU_ASSERT_EQUAL_FATAL(seen, 15);
        counts[rank]++;
    }
    double chi = 0;
    for (unsigned i = 0; i < 24; i++) {
        chi += (counts[i] - 1000.0) * (counts[i] - 1000.0) / 1000;
    }
    CU_ASSERT_TRUE(chi < 58); /* 23 degrees, 1 in 10000 */
    pml_random_shuffle(&random, NULL, 0);
}

PML_TESTS("base/random", PML_TEST(gives_the_published_answers), PML_TEST(ranges_hold_the_single_words),
          PML_TEST(seeds_and_streams_differ), PML_TEST(uniform_and_normal_have_their_moments),
          PML_TEST(units_stay_below_one), PML_TEST(neighbours_are_not_alike),
          PML_TEST(a_sequence_gives_the_same_and_can_be_taken_up), PML_TEST(bounded_draws_are_even),
          PML_TEST(shuffles_are_permutations_and_each_is_as_likely))
