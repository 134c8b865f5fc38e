/* Batches of a data set, epoch after epoch: shuffled, shared out to ranks, made ahead of time on a thread. What comes
 * is a function of the data set, the options and the position, and of neither threads nor time: a run that is resumed
 * at a saved position sees the same batches bit for bit. */
#ifndef PML_RUNTIME_TRAIN_DATA_LOADER_H
#define PML_RUNTIME_TRAIN_DATA_LOADER_H

#include "runtime/train/data/dataset.h"

#define PML_MAX_PREFETCH 64u

typedef struct pml_loader_options { /* zero but for batch_size = samples as they stand, in this thread */
    size_t batch_size;              /* of each rank, >= 1 */
    uint64_t seed;                  /* of the order, and of what data sets draw */
    bool shuffle;
    bool drop_last; /* what does not fill a batch of all ranks is left out of the epoch */
    /* Weighted sampling, with replacement (WeightedRandomSampler of PyTorch), in place of every sample once. */
    const double *weights;       /* [n_samples]; NULL: none */
    const double *class_weights; /* [n_class_weights], of samples by the data set's `classes`; NULL: none */
    size_t n_class_weights;
    size_t n_draws;    /* samples of an epoch, with weights; 0: n_samples */
    size_t i_rank;     /* < n_ranks: which share of every batch is this loader's */
    size_t n_ranks;    /* 0: 1 */
    size_t n_prefetch; /* batches made ahead on a thread, up to PML_MAX_PREFETCH; 0: made when they are asked for */
} pml_loader_options;

typedef struct pml_batch_field { /* [B, ...] */
    const char *name;
    pml_dtype dtype;
    const void *data;
    size_t rank;
    size_t shape[PML_MAX_RANK];
} pml_batch_field;

typedef struct pml_batch {
    uint64_t epoch;
    uint64_t i_first;      /* of the epoch's draws: the first of all ranks' batch */
    size_t n_all;          /* samples of all ranks' batch: losses of ranks are weighed by n_samples / n_all */
    size_t n_samples;      /* B: this rank's share; 0 where a last batch has fewer samples than there are ranks */
    const size_t *samples; /* [n_samples] their numbers in the data set */
    const size_t *lengths; /* [n_samples] of ragged fields; NULL: there are none */
    size_t n_fields;
    const pml_batch_field *fields; /* in the data set's order; those of B = 0 have no elements */
} pml_batch;
/* NULL: there is no such field. */
const pml_batch_field *pml_batch_find(const pml_batch *batch, const char *name);

/* Where a loader stands: the next batch is of this epoch and begins with this draw. All that there is to save. It does
 * not depend on the numbers of ranks and of samples in a batch. */
typedef struct pml_loader_position {
    uint64_t epoch, i_draw;
} pml_loader_position;

typedef struct pml_loader pml_loader;
/* At the start of epoch 0. A loader is used by one thread at a time, and not in a child of fork(), where its own thread
 * does not exist. `dataset` is borrowed until destroy; weights are copied. Where a last batch is not full,
 * rank r of N takes the draws from r n / N up to (r + 1) n / N of its n; of a full one that is its batch. One rank
 * with batches of N B sees in the same order what N ranks with batches of B see.
 * Errors: ARGUMENT (no such rank, sizes, weights, weights by class of data that have none, an epoch without a batch),
 * MEMORY. */
pml_status pml_loader_create(const pml_dataset *dataset, const pml_loader_options *options, pml_loader **loader,
                             pml_error *error) PML_WARN_UNUSED;
/* Ends the thread. NULL is allowed. */
void pml_loader_destroy(pml_loader *loader);

/* The next batch, valid until the next call of a function of this loader that is not const; NULL in its place at the
 * end of each epoch, after which the next epoch follows. After an error the loader stands where it stood: the next call
 * tries the same batch again. Errors: INTERRUPTED, those of the data set's `fetch`. */
pml_status pml_loader_next(pml_loader *loader, const pml_batch **batch, pml_error *error) PML_WARN_UNUSED;

size_t pml_loader_n_batches(const pml_loader *loader); /* of an epoch from its start, >= 1 */
pml_loader_position pml_loader_tell(const pml_loader *loader);
/* Goes to a position; what was made ahead is made anew unless the loader stands there already. Errors: ARGUMENT (behind
 * the end of an epoch). */
pml_status pml_loader_seek(pml_loader *loader, pml_loader_position position, pml_error *error) PML_WARN_UNUSED;

#endif
