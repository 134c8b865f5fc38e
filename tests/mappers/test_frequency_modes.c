#include "mappers/fedformer/frequency_modes.h"

#include "runtime/base/alloc.h"
#include "tests/harness.h"

static pml_error error;

/* The generator's published test: the 10000th number of seed 5489. */
static void numbers_are_those_of_the_generator(void) {
    pml_numpy_random random;
    pml_numpy_random_seed(&random, 5489);
    uint32_t last = pml_numpy_random_next(&random);
    CU_ASSERT_EQUAL(last, 3499211612u);
    for (int i = 1; i < 10000; i++) {
        last = pml_numpy_random_next(&random);
    }
    CU_ASSERT_EQUAL(last, 4123659995u);
}

/* Whether the next draw keeps all of 0 .. n_steps / 2 - 1 but these. */
static bool lacks(pml_numpy_random *random, size_t n_steps, size_t n_modes, const int64_t *missing, size_t n_missing) {
    int64_t *modes;
    size_t count;
    PML_ASSERT_OK(pml_frequency_modes_choose(random, n_steps, n_modes, &modes, &count, &error), &error);
    bool is_right = count + n_missing == n_steps / 2;
    size_t at = 0;
    for (int64_t i = 0; i < (int64_t)(n_steps / 2); i++) {
        bool is_missing = false;
        for (size_t k = 0; k < n_missing; k++) {
            is_missing = is_missing || missing[k] == i;
        }
        is_right = is_right && (is_missing || (at < count && modes[at++] == i));
    }
    pml_free(modes);
    return is_right;
}

/* numpy.random.seed(2021), the lengths and modes of the official ETTh1 run: what its constructor was seen to draw. */
static void draws_are_those_of_numpy(void) {
    static const int64_t self[] = {11, 15, 17, 19, 33, 40, 50, 53}, cross[] = {11, 12, 25, 26, 32, 38, 67, 70};
    pml_numpy_random random;
    pml_numpy_random_seed(&random, 2021);
    CU_ASSERT_TRUE(lacks(&random, 96, 64, NULL, 0));
    CU_ASSERT_TRUE(lacks(&random, 144, 64, self, 8));
    CU_ASSERT_TRUE(lacks(&random, 144, 64, cross, 8));
    CU_ASSERT_TRUE(lacks(&random, 96, 64, NULL, 0));
}

static void lowest_modes_need_no_numbers(void) {
    int64_t *modes;
    size_t count;
    PML_ASSERT_OK(pml_frequency_modes_choose(NULL, 49, 3, &modes, &count, &error), &error);
    CU_ASSERT_EQUAL(count, 3);
    for (int64_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(modes[i], i);
    }
    pml_free(modes);
    PML_ASSERT_FAILS(pml_frequency_modes_choose(NULL, 1, 3, &modes, &count, &error), PML_E_ARGUMENT, &error, "1 steps");
    PML_ASSERT_FAILS(pml_frequency_modes_choose(NULL, 9, 0, &modes, &count, &error), PML_E_ARGUMENT, &error, "0 modes");
    CU_ASSERT_PTR_NULL(modes);
}

PML_TESTS("mappers/frequency_modes", PML_TEST(numbers_are_those_of_the_generator), PML_TEST(draws_are_those_of_numpy),
          PML_TEST(lowest_modes_need_no_numbers))
