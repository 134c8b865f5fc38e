#include "runtime/train/reducer.h"

#include <limits.h>
#include <string.h>

#include "runtime/base/alloc.h"

/* Buckets are a function of the sizes alone: sums have the same order in every step and every run. */
#define MOST_BUCKETS (PML_RANKS_MAX_SUMS / 2)

pml_status pml_reducer_init(pml_reducer *reducer, const pml_ranks *ranks, const pml_parameter_view *views,
                            size_t n_views, size_t bucket_count, pml_error *error) {
    pml_status status = PML_OK;
    const size_t total = (size_t)(views[n_views - 1].gradient + views[n_views - 1].count - views[0].gradient);
    const size_t least = total / MOST_BUCKETS > bucket_count ? total / MOST_BUCKETS : bucket_count;
    *reducer = (pml_reducer){.ranks = ranks};
    PML_TRY(pml_alloc(n_views, sizeof *reducer->buckets, &reducer->buckets, error));
    for (size_t i = n_views; i-- > 0;) {
        pml_bucket *bucket = reducer->n_buckets == 0 ? NULL : &reducer->buckets[reducer->n_buckets - 1];
        if (bucket == NULL || bucket->count >= least) {
            bucket = &reducer->buckets[reducer->n_buckets++];
            *bucket = (pml_bucket){.begin = views[i].gradient, .count = views[i].count};
        } else {
            bucket->count += (size_t)(bucket->begin - views[i].gradient);
            bucket->begin = views[i].gradient;
        }
        bucket->n_parameters++;
        bucket->n_left++;
        if (bucket->count > INT_MAX) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "parameter '%s' is too large for several ranks", views[i].name));
        }
    }
    PML_TRY(pml_alloc(reducer->n_buckets, sizeof *reducer->order, &reducer->order, error));
    PML_TRY(pml_alloc(reducer->n_buckets, sizeof *reducer->seen, &reducer->seen, error));
    for (size_t i = 0; i < reducer->n_buckets; i++) {
        reducer->order[i] = i;
    }

done:
    return status;
}

void pml_reducer_deinit(pml_reducer *reducer) {
    pml_free(reducer->buckets);
    pml_free(reducer->order);
    pml_free(reducer->seen);
    *reducer = (pml_reducer){0};
}

static void begin_next(pml_reducer *reducer) {
    const pml_bucket *bucket = &reducer->buckets[reducer->order[reducer->n_begun++]];
    reducer->ranks->module->sum_begin(bucket->begin, bucket->count);
}

void pml_reducer_done(void *user, pml_parameter *parameter) {
    pml_reducer *reducer = user;
    size_t i = 0;
    while (i < reducer->n_buckets && parameter->gradient < reducer->buckets[i].begin) {
        i++; /* they lie from the last to the first */
    }
    if (i == reducer->n_buckets || reducer->buckets[i].n_left == 0) {
        return;
    }
    if (--reducer->buckets[i].n_left == 0) {
        reducer->seen[reducer->n_seen++] = i;
    }
    while (reducer->n_begun < reducer->n_buckets && reducer->buckets[reducer->order[reducer->n_begun]].n_left == 0) {
        begin_next(reducer);
    }
    reducer->ranks->module->sums_go_on();
}

/* All ranks take over the order in which rank 0 had full buckets, once it had one. */
static void learn_order(pml_reducer *reducer) {
    uint64_t is_known = reducer->n_seen == reducer->n_buckets;
    pml_ranks_broadcast(reducer->ranks, &is_known, sizeof is_known);
    if (is_known) {
        if (reducer->ranks->i_rank == 0) {
            memcpy(reducer->order, reducer->seen, reducer->n_buckets * sizeof *reducer->order);
        }
        pml_ranks_broadcast(reducer->ranks, reducer->order, reducer->n_buckets * sizeof *reducer->order);
        reducer->is_ordered = true;
    }
}

void pml_reducer_finish(pml_reducer *reducer) {
    while (reducer->n_begun < reducer->n_buckets) {
        begin_next(reducer);
    }
    reducer->ranks->module->sums_wait();
    if (!reducer->is_ordered) {
        learn_order(reducer);
    }
    for (size_t i = 0; i < reducer->n_buckets; i++) {
        reducer->buckets[i].n_left = reducer->buckets[i].n_parameters;
    }
    reducer->n_begun = 0;
    reducer->n_seen = 0;
}
