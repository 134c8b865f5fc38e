/* Private to loader.c: the batch at a position, made into storage that is used again and again. */
#ifndef PML_RUNTIME_TRAIN_DATA_BATCH_MAKER_H
#define PML_RUNTIME_TRAIN_DATA_BATCH_MAKER_H

#include "runtime/train/data/draw_order.h"
#include "runtime/train/data/loader.h"

typedef struct pml_batch_maker { /* zero = safe to deinit; used by one thread at a time */
    const pml_dataset *dataset;
    size_t batch_size, n_all; /* of this rank, of all ranks together */
    size_t i_rank, n_ranks;
    bool drop_last, is_ragged;
    uint64_t seed;
    pml_draw_order order;
    size_t sample_bytes[PML_MAX_DATA_FIELDS]; /* of a field, at its longest */
} pml_batch_maker;

typedef struct pml_batch_slot { /* zero = safe to deinit */
    pml_batch batch;
    bool is_end; /* of an epoch, in place of a batch */
    pml_status status;
    pml_error error;
    void *values[PML_MAX_DATA_FIELDS];
    size_t *samples, *lengths;
    pml_batch_field fields[PML_MAX_DATA_FIELDS];
} pml_batch_slot;

/* Errors: those of pml_loader_create. */
pml_status pml_batch_maker_init(pml_batch_maker *maker, const pml_dataset *dataset, const pml_loader_options *options,
                                pml_error *error) PML_WARN_UNUSED;
void pml_batch_maker_deinit(pml_batch_maker *maker);
pml_status pml_batch_slot_init(pml_batch_slot *slot, const pml_batch_maker *maker, pml_error *error) PML_WARN_UNUSED;
void pml_batch_slot_deinit(pml_batch_slot *slot);

/* Whether the epoch ends at a position. */
bool pml_batch_maker_ends(const pml_batch_maker *maker, const pml_loader_position *position);
/* What follows a position: the next batch, or the next epoch behind an end. */
pml_loader_position pml_batch_maker_after(const pml_batch_maker *maker, pml_loader_position position);
/* Fills the slot with the batch, the end or the error at a position. Allocates nothing. */
void pml_batch_maker_run(pml_batch_maker *maker, pml_loader_position position, pml_batch_slot *slot);

#endif
