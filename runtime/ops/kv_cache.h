/* Keys and values of the tokens that sequences already have, for attention over texts that grow token by token.
 *
 * A cache holds n sequences of `capacity` tokens. Keys lie in panels, [heads][capacity / 16][depth][16]: 16 tokens side
 * by side, so that the scores of a query against 16 of them are one chain of multiply-adds and nothing is packed per
 * step. Values lie [heads][capacity][depth]. */
#ifndef PML_RUNTIME_OPS_KV_CACHE_H
#define PML_RUNTIME_OPS_KV_CACHE_H

#include <stddef.h>

#define PML_KV_PANEL 16u

typedef struct pml_kv_cache {
    size_t capacity;         /* a multiple of PML_KV_PANEL */
    float *keys, *values;    /* of sequence 0, 64-byte aligned; nothing is read where no token is yet */
    size_t sequence_step;    /* floats from one sequence to the next, the same for both */
    const size_t *sequences; /* [n_sequences] which sequence of the cache each one of the op continues; distinct */
    const size_t *lengths;   /* [n_sequences] how many tokens it already has; the op leaves them: layers share them */
} pml_kv_cache;

#endif
