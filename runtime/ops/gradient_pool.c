#include "runtime/ops/gradient_pool.h"

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"

/* A free buffer serves what needs at least half of it: larger ones wait for larger gradients. */
#define MOST_SPARE 2u

void pml_gradient_pool_deinit(pml_gradient_pool *pool) {
    for (size_t i = 0; i < pool->n_buffers; i++) {
        pml_free(pool->buffers[i].floats);
    }
    pml_free(pool->buffers);
    *pool = (pml_gradient_pool){0};
}

static pml_status add(pml_gradient_pool *pool, size_t count, pml_pool_buffer **buffer, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t size_bytes = 0;
    float *floats = NULL;
    if (!pml_ck_mul(count, sizeof *floats, &size_bytes) || size_bytes > SIZE_MAX / 2) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "a gradient of %zu values does not fit into memory", count));
    }
    PML_TRY(pml_grow(&pool->buffers, &pool->capacity, pool->n_buffers + 1, sizeof *pool->buffers,
                     SIZE_MAX / sizeof *pool->buffers, "gradients", error));
    PML_TRY(pml_alloc_aligned((size_t)size_bytes, (void **)&floats, error));
    *buffer = &pool->buffers[pool->n_buffers++];
    **buffer = (pml_pool_buffer){.floats = floats, .count = count};
    pool->held_bytes += (size_t)size_bytes;

done:
    return status;
}

/* The smallest free buffer that is large enough, and not far too large. */
static pml_status take(pml_gradient_pool *pool, size_t count, pml_pool_use use, float **floats, pml_error *error) {
    pml_status status = PML_OK;
    pml_pool_buffer *best = NULL;
    count = count == 0 ? 1 : count;
    for (size_t i = 0; i < pool->n_buffers; i++) {
        pml_pool_buffer *at = &pool->buffers[i];
        if (at->use == PML_POOL_FREE && at->count >= count && at->count / MOST_SPARE <= count &&
            (best == NULL || at->count < best->count)) {
            best = at;
        }
    }
    if (best == NULL) {
        PML_TRY(add(pool, count, &best, error));
    }
    best->use = use;
    *floats = best->floats;

done:
    return status;
}

pml_status pml_gradient_pool_take(pml_gradient_pool *pool, size_t count, float **floats, pml_error *error) {
    return take(pool, count, PML_POOL_TAKEN, floats, error);
}

pml_status pml_gradient_pool_scratch(pml_gradient_pool *pool, size_t count, float **floats, pml_error *error) {
    return take(pool, count, PML_POOL_SCRATCH, floats, error);
}

void pml_gradient_pool_give(pml_gradient_pool *pool, const float *floats) {
    for (size_t i = 0; i < pool->n_buffers; i++) {
        if (pool->buffers[i].floats == floats) {
            pool->buffers[i].use = PML_POOL_FREE;
            return;
        }
    }
}

void pml_gradient_pool_end_scratch(pml_gradient_pool *pool) {
    for (size_t i = 0; i < pool->n_buffers; i++) {
        if (pool->buffers[i].use == PML_POOL_SCRATCH) {
            pool->buffers[i].use = PML_POOL_FREE;
        }
    }
}

void pml_gradient_pool_give_all(pml_gradient_pool *pool) {
    for (size_t i = 0; i < pool->n_buffers; i++) {
        pool->buffers[i].use = PML_POOL_FREE;
    }
}
