/* Buffers of floats that are taken and given back in any order, and kept. Private to runtime/ops. */
#ifndef PML_RUNTIME_OPS_GRADIENT_POOL_H
#define PML_RUNTIME_OPS_GRADIENT_POOL_H

#include "runtime/base/error.h"

typedef enum pml_pool_use { PML_POOL_FREE, PML_POOL_TAKEN, PML_POOL_SCRATCH } pml_pool_use;

typedef struct pml_pool_buffer {
    float *floats; /* 64-byte aligned */
    size_t count;  /* that it has room for */
    pml_pool_use use;
} pml_pool_buffer;

typedef struct pml_gradient_pool { /* all zero = empty, safe to deinit */
    pml_pool_buffer *buffers;
    size_t n_buffers, capacity;
    size_t held_bytes; /* in all buffers */
} pml_gradient_pool;

void pml_gradient_pool_deinit(pml_gradient_pool *pool);
/* Room for `count` floats, not initialised. Errors: MEMORY. */
pml_status pml_gradient_pool_take(pml_gradient_pool *pool, size_t count, float **floats,
                                  pml_error *error) PML_WARN_UNUSED;
/* The same, given back by the next end_scratch. */
pml_status pml_gradient_pool_scratch(pml_gradient_pool *pool, size_t count, float **floats,
                                     pml_error *error) PML_WARN_UNUSED;
void pml_gradient_pool_give(pml_gradient_pool *pool, const float *floats);
void pml_gradient_pool_end_scratch(pml_gradient_pool *pool);
void pml_gradient_pool_give_all(pml_gradient_pool *pool);

#endif
