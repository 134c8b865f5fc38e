#include "runtime/train/data/draw_order.h"

#include <math.h>

#include "runtime/base/alloc.h"
#include "runtime/base/random.h"
#include "runtime/train/data/dataset.h"

static pml_status add_up(pml_draw_order *order, const double *weights, pml_error *error) {
    pml_status status = PML_OK;
    double sum = 0;
    PML_TRY(pml_alloc(order->n_samples, sizeof *order->sums, &order->sums, error));
    for (size_t i = 0; i < order->n_samples; i++) {
        if (!(weights[i] >= 0) || !isfinite(weights[i])) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the weight of sample %zu is %g", i, weights[i]));
        }
        sum += weights[i];
        order->sums[i] = sum;
        order->i_last = weights[i] > 0 ? i : order->i_last;
    }
    if (!(sum > 0) || !isfinite(sum)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the weights of the samples add up to %g", sum));
    }
done:
    return status;
}

pml_status pml_draw_order_init(pml_draw_order *order, size_t n_samples, bool shuffles, const double *weights,
                               size_t n_draws, uint64_t seed, pml_error *error) {
    pml_status status = PML_OK;
    *order = (pml_draw_order){
        .n_samples = n_samples, .n_draws = n_draws > 0 ? n_draws : n_samples, .shuffles = shuffles, .seed = seed};
    if (n_samples == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "there are no samples"));
    }
    if (weights == NULL && n_draws > 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a number of draws goes with weights of the samples"));
    }
    if (weights != NULL) {
        PML_TRY(add_up(order, weights, error));
    }
    if (weights != NULL || shuffles) {
        PML_TRY(pml_alloc(order->n_draws, sizeof *order->order, &order->order, error));
    }
done:
    if (status != PML_OK) {
        pml_draw_order_deinit(order);
    }
    return status;
}

void pml_draw_order_deinit(pml_draw_order *order) {
    pml_free(order->sums);
    pml_free(order->order);
    *order = (pml_draw_order){0};
}

/* The first sample whose running sum is above `place`. */
static size_t find(const pml_draw_order *order, double place) {
    size_t low = 0, high = order->i_last; /* the answer lies in [low, high]: rounding cannot pass the last */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (order->sums[middle] > place) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

void pml_draw_order_begin(pml_draw_order *order, uint64_t epoch) {
    if (order->order == NULL || (order->is_drawn && order->epoch == epoch)) {
        return;
    }
    pml_random random = {.seed = order->seed, .stream = pml_data_stream_of(PML_DATA_STREAM_ORDER, epoch)};
    for (size_t i = 0; i < order->n_draws; i++) {
        order->order[i] =
            order->sums == NULL ? i : find(order, pml_random_draw_double(&random) * order->sums[order->n_samples - 1]);
    }
    if (order->sums == NULL) {
        pml_random_shuffle(&random, order->order, order->n_draws);
    }
    order->epoch = epoch;
    order->is_drawn = true;
}

size_t pml_draw_order_at(const pml_draw_order *order, size_t i_draw) {
    return order->order != NULL ? (size_t)order->order[i_draw] : i_draw;
}
