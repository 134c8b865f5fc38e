#include "runtime/train/data/loader.h"

#include <pthread.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/base/thread_start.h"
#include "runtime/train/data/batch_maker.h"

/* A ring of slots. The thread fills them in order, at most n_slots - 1 ahead of the one that the caller holds. It has
 * the maker to itself while it runs; what both sides touch is behind the mutex. */
struct pml_loader {
    pml_batch_maker maker;
    pml_loader_position position; /* of the next batch that the caller gets */
    pml_batch_slot *slots;
    size_t n_slots, i_held; /* i_held: which slot the caller has, and the thread leaves alone */
    bool is_running, is_threadless;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t has_filled, has_room;
    size_t n_filled; /* slots behind i_held that are ready */
    bool must_stop;
};

const pml_batch_field *pml_batch_find(const pml_batch *batch, const char *name) {
    for (size_t f = 0; f < batch->n_fields; f++) {
        if (strcmp(batch->fields[f].name, name) == 0) {
            return &batch->fields[f];
        }
    }
    return NULL;
}

/* ---- the thread ---- */
static void *fill_slots(void *user) {
    pml_loader *loader = user;
    pml_loader_position position = loader->position;
    size_t i_slot = loader->i_held;
    bool goes_on = true;
    while (goes_on) {
        i_slot = (i_slot + 1) % loader->n_slots;
        (void)pthread_mutex_lock(&loader->mutex);
        while (!loader->must_stop && loader->n_filled + 1 == loader->n_slots) {
            (void)pthread_cond_wait(&loader->has_room, &loader->mutex);
        }
        goes_on = !loader->must_stop;
        (void)pthread_mutex_unlock(&loader->mutex);
        if (!goes_on) {
            break;
        }
        pml_batch_slot *slot = &loader->slots[i_slot];
        pml_batch_maker_run(&loader->maker, position, slot);
        goes_on = slot->status == PML_OK; /* behind an error there is nothing to make */
        position = pml_batch_maker_after(&loader->maker, position);
        (void)pthread_mutex_lock(&loader->mutex);
        loader->n_filled++;
        (void)pthread_cond_signal(&loader->has_filled);
        (void)pthread_mutex_unlock(&loader->mutex);
    }
    return NULL;
}

static void stop(pml_loader *loader) {
    if (!loader->is_running) {
        return;
    }
    (void)pthread_mutex_lock(&loader->mutex);
    loader->must_stop = true;
    (void)pthread_cond_signal(&loader->has_room);
    (void)pthread_mutex_unlock(&loader->mutex);
    (void)pthread_join(loader->thread, NULL);
    loader->is_running = false;
    loader->must_stop = false;
    loader->n_filled = 0;
}

static void start(pml_loader *loader) {
    const int reason = pml_thread_start(&loader->thread, fill_slots, loader);
    loader->is_running = reason == 0;
    loader->is_threadless = reason != 0;
    if (reason != 0) {
        pml_log(PML_LOG_WARNING, "no thread to make batches ahead of time: %s", strerror(reason));
    }
}

/* The next slot of the ring, filled. */
static pml_batch_slot *take(pml_loader *loader) {
    (void)pthread_mutex_lock(&loader->mutex);
    while (loader->n_filled == 0) {
        (void)pthread_cond_wait(&loader->has_filled, &loader->mutex);
    }
    loader->n_filled--;
    loader->i_held = (loader->i_held + 1) % loader->n_slots;
    (void)pthread_cond_signal(&loader->has_room);
    (void)pthread_mutex_unlock(&loader->mutex);
    return &loader->slots[loader->i_held];
}

/* ---- the caller's side ---- */
pml_status pml_loader_create(const pml_dataset *dataset, const pml_loader_options *options, pml_loader **loader,
                             pml_error *error) {
    pml_status status = PML_OK;
    pml_loader *made = NULL;
    *loader = NULL;
    if (options->n_prefetch > PML_MAX_PREFETCH) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%zu batches ahead: there may be up to %u", options->n_prefetch,
                         PML_MAX_PREFETCH));
    }
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    (void)pthread_mutex_init(&made->mutex, NULL);
    (void)pthread_cond_init(&made->has_filled, NULL);
    (void)pthread_cond_init(&made->has_room, NULL);
    made->is_threadless = options->n_prefetch == 0;
    PML_TRY(pml_batch_maker_init(&made->maker, dataset, options, error));
    PML_TRY(pml_alloc(options->n_prefetch + 1, sizeof *made->slots, &made->slots, error));
    for (; made->n_slots <= options->n_prefetch; made->n_slots++) {
        PML_TRY(pml_batch_slot_init(&made->slots[made->n_slots], &made->maker, error));
    }
    *loader = made;
    made = NULL;
done:
    pml_loader_destroy(made);
    return status;
}

void pml_loader_destroy(pml_loader *loader) {
    if (loader == NULL) {
        return;
    }
    stop(loader);
    for (size_t i = 0; i < loader->n_slots; i++) {
        pml_batch_slot_deinit(&loader->slots[i]);
    }
    pml_free(loader->slots);
    pml_batch_maker_deinit(&loader->maker);
    (void)pthread_cond_destroy(&loader->has_room);
    (void)pthread_cond_destroy(&loader->has_filled);
    (void)pthread_mutex_destroy(&loader->mutex);
    pml_free(loader);
}

pml_status pml_loader_next(pml_loader *loader, const pml_batch **batch, pml_error *error) {
    pml_batch_slot *slot = &loader->slots[loader->i_held];
    *batch = NULL;
    if (!loader->is_threadless && !loader->is_running) {
        start(loader);
    }
    if (loader->is_running) {
        slot = take(loader);
    } else {
        pml_batch_maker_run(&loader->maker, loader->position, slot);
    }
    if (slot->status != PML_OK) {
        stop(loader);
        if (error != NULL) {
            *error = slot->error;
        }
        return slot->status;
    }
    *batch = slot->is_end ? NULL : &slot->batch;
    loader->position = pml_batch_maker_after(&loader->maker, loader->position);
    return PML_OK;
}

size_t pml_loader_n_batches(const pml_loader *loader) {
    const size_t n_draws = loader->maker.order.n_draws, n_all = loader->maker.n_all;
    return n_draws / n_all + (!loader->maker.drop_last && n_draws % n_all != 0);
}

pml_loader_position pml_loader_tell(const pml_loader *loader) {
    return loader->position;
}

pml_status pml_loader_seek(pml_loader *loader, pml_loader_position position, pml_error *error) {
    if (position.i_draw > loader->maker.order.n_draws) {
        return PML_FAIL(error, PML_E_ARGUMENT, "an epoch of %zu samples has no sample %llu",
                        loader->maker.order.n_draws, (unsigned long long)position.i_draw);
    }
    if (position.epoch != loader->position.epoch || position.i_draw != loader->position.i_draw) {
        stop(loader);
        loader->position = position;
    }
    return PML_OK;
}
