#include "runtime/ops/blocks.h"

#include <string.h>

#include "runtime/ops/parallel.h"

#define SHORT 32u /* floats of a run that are sooner moved one by one */

typedef struct job {
    const pml_blocks *blocks;
    const float *x;
    float *y;
} job;

static size_t each(const size_t *strides, size_t i, size_t k) {
    return i * strides[0] + k * strides[1];
}

/* Items are pairs of indexes on the first two axes. */
static void copy_runs(void *user, size_t begin, size_t end) {
    const job *it = user;
    const pml_blocks *b = it->blocks;
    for (size_t item = begin; item < end; item++) {
        const float *x = it->x + b->first_x + each(b->from, item / b->n[1], item % b->n[1]);
        float *y = it->y + b->first_y + each(b->to, item / b->n[1], item % b->n[1]);
        if (b->count == 1) {
            for (size_t i = 0; i < b->n[2]; i++) {
                y[i * b->to[2]] = x[i * b->from[2]];
            }
            continue;
        }
        for (size_t i = 0; i < b->n[2]; i++, x += b->from[2], y += b->to[2]) {
            if (b->count > SHORT) {
                memcpy(y, x, b->count * sizeof *y);
                continue;
            }
            for (size_t c = 0; c < b->count; c++) {
                y[c] = x[c];
            }
        }
    }
}

/* The same from y's gradient, which is `x` here, to x's. */
static void add_runs(void *user, size_t begin, size_t end) {
    const job *it = user;
    const pml_blocks *b = it->blocks;
    for (size_t item = begin; item < end; item++) {
        const float *g = it->x + b->first_y + each(b->to, item / b->n[1], item % b->n[1]);
        float *dx = it->y + b->first_x + each(b->from, item / b->n[1], item % b->n[1]);
        for (size_t i = 0; i < b->n[2]; i++, dx += b->from[2], g += b->to[2]) {
            for (size_t c = 0; c < b->count; c++) {
                dx[c] += g[c];
            }
        }
    }
}

static size_t count_of(const pml_blocks *blocks) {
    return blocks->n[0] * blocks->n[1] * blocks->n[2] * blocks->count;
}

static double cost(const pml_blocks *blocks) {
    return PML_COST_VALUES(count_of(blocks)) / 4;
}

void pml_blocks_copy(pml_context *context, const pml_blocks *blocks, const pml_tensor *x, const pml_tensor *y) {
    if (count_of(blocks) > 0) {
        pml_context_ranges(context, blocks->n[0] * blocks->n[1], 1, cost(blocks), copy_runs,
                           &(job){blocks, pml_tensor_f32_const(x), pml_tensor_f32(y)});
    }
}

pml_status pml_blocks_backward(pml_context *context, pml_gradients *gradients, const pml_blocks *blocks,
                               const pml_tensor *x, const float *g, pml_error *error) {
    pml_status status = PML_OK;
    const bool is_repeated = blocks->n[2] > 1 && blocks->from[2] == 0;
    const bool is_whole = !is_repeated && count_of(blocks) == pml_tensor_count(x);
    float *dx;
    bool is_new = false;
    if (is_whole) {
        PML_TRY(pml_gradient_begin(gradients, x, &dx, &is_new, error));
    } else {
        PML_TRY(pml_gradient_of(gradients, x, &dx, error));
    }
    if (dx == NULL || count_of(blocks) == 0) {
        goto done;
    }
    if (is_new) { /* every value has one place to come from */
        const pml_blocks back = {.n = {blocks->n[0], blocks->n[1], blocks->n[2]},
                                 .count = blocks->count,
                                 .from = {blocks->to[0], blocks->to[1], blocks->to[2]},
                                 .to = {blocks->from[0], blocks->from[1], blocks->from[2]},
                                 .first_x = blocks->first_y,
                                 .first_y = blocks->first_x};
        pml_context_ranges(context, back.n[0] * back.n[1], 1, cost(blocks), copy_runs, &(job){&back, g, dx});
    } else {
        pml_context_ranges(context, blocks->n[0] * blocks->n[1], 1, cost(blocks), add_runs, &(job){blocks, g, dx});
    }

done:
    return status;
}
