/* Which frequencies FEDformer's blocks keep. Upstream draws them when it builds a network and stores them nowhere: they
 * are drawn again from the seed of numpy's generator, or read from a file. */
#ifndef PML_MAPPERS_FEDFORMER_FREQUENCY_MODES_H
#define PML_MAPPERS_FEDFORMER_FREQUENCY_MODES_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

/* numpy's legacy generator (MT19937, Matsumoto and Nishimura 1998) as numpy.random.seed(seed) leaves it. */
typedef struct pml_numpy_random {
    uint32_t state[624];
    size_t at;
} pml_numpy_random;
void pml_numpy_random_seed(pml_numpy_random *random, uint32_t seed);
uint32_t pml_numpy_random_next(pml_numpy_random *random);

/* min(n_modes, n_steps / 2) of the numbers 0 .. n_steps / 2 - 1, ascending: the lowest (random NULL), or the first of
 * the list as numpy.random.shuffle leaves it. *modes is the caller's (pml_free). Errors: ARGUMENT (fewer than two
 * steps, no modes), MEMORY. */
pml_status pml_frequency_modes_choose(pml_numpy_random *random, size_t n_steps, size_t n_modes, int64_t **modes,
                                      size_t *count, pml_error *error) PML_WARN_UNUSED;

#endif
