#include "mappers/fedformer/frequency_modes.h"

#include <stdbool.h>
#include <stdlib.h>

#include "runtime/base/alloc.h"

#define STATE 624u
#define PERIOD 397u

void pml_numpy_random_seed(pml_numpy_random *random, uint32_t seed) {
    random->state[0] = seed;
    for (uint32_t i = 1; i < STATE; i++) {
        const uint32_t before = random->state[i - 1];
        random->state[i] = 1812433253u * (before ^ (before >> 30)) + i;
    }
    random->at = STATE;
}

static void refill(pml_numpy_random *random) {
    uint32_t *state = random->state;
    for (size_t i = 0; i < STATE; i++) {
        const uint32_t y = (state[i] & 0x80000000u) | (state[(i + 1) % STATE] & 0x7fffffffu);
        state[i] = state[(i + PERIOD) % STATE] ^ (y >> 1) ^ ((y & 1u) != 0 ? 0x9908b0dfu : 0u);
    }
    random->at = 0;
}

uint32_t pml_numpy_random_next(pml_numpy_random *random) {
    if (random->at >= STATE) {
        refill(random);
    }
    uint32_t y = random->state[random->at++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

/* 0 .. most, each equally likely: the lowest bits that can hold it, drawn until they are not greater. */
static uint32_t draw_below(pml_numpy_random *random, uint32_t most) {
    uint32_t mask = most, value;
    for (unsigned shift = 1; shift < 32; shift *= 2) {
        mask |= mask >> shift;
    }
    do {
        value = pml_numpy_random_next(random) & mask;
    } while (value > most);
    return value;
}

static int compare(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

pml_status pml_frequency_modes_choose(pml_numpy_random *random, size_t n_steps, size_t n_modes, int64_t **modes,
                                      size_t *count, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n = n_steps / 2;
    int64_t *list = NULL;
    *modes = NULL;
    if (n == 0 || n_modes == 0 || n > UINT32_MAX) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%zu modes of %zu steps", n_modes, n_steps));
    }
    PML_TRY(pml_alloc(n, sizeof *list, &list, error));
    for (size_t i = 0; i < n; i++) {
        list[i] = (int64_t)i;
    }
    for (size_t i = n - 1; random != NULL && i > 0; i--) {
        const uint32_t other = draw_below(random, (uint32_t)i);
        const int64_t swapped = list[i];
        list[i] = list[other];
        list[other] = swapped;
    }
    *count = n_modes < n ? n_modes : n;
    qsort(list, *count, sizeof *list, compare);
    *modes = list;

done:
    return status;
}
