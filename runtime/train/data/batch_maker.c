#include "runtime/train/data/batch_maker.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/checked.h"

static pml_status check_ranks(pml_batch_maker *m, const pml_loader_options *options, pml_error *error) {
    uint64_t n_all;
    if (options->batch_size == 0) {
        return PML_FAIL(error, PML_E_ARGUMENT, "the batch size must be at least 1");
    }
    m->n_ranks = options->n_ranks > 0 ? options->n_ranks : 1;
    if (options->i_rank >= m->n_ranks) {
        return PML_FAIL(error, PML_E_ARGUMENT, "rank %zu of %zu", options->i_rank, m->n_ranks);
    }
    if (!pml_ck_mul(options->batch_size, m->n_ranks, &n_all) || !pml_ck_size(n_all, &m->n_all)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "a batch of %zu x %zu samples", m->n_ranks, options->batch_size);
    }
    return PML_OK;
}

/* Sizes of a sample's fields; a batch of them must fit into memory's addresses. */
static pml_status measure(pml_batch_maker *m, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t f = 0; f < m->dataset->n_fields; f++) {
        const pml_data_field *field = &m->dataset->fields[f];
        size_t count = 0;
        uint64_t sample_bytes = 0, batch_bytes = 0;
        PML_TRY(pml_data_field_count(field, &count, error));
        if (!pml_ck_mul(count, pml_dtype_bits(field->dtype) / 8, &sample_bytes) ||
            !pml_ck_mul(sample_bytes, m->batch_size, &batch_bytes) || batch_bytes > SIZE_MAX / 2) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a batch of %zu samples is too large", m->batch_size));
        }
        m->sample_bytes[f] = (size_t)sample_bytes;
        m->is_ragged = m->is_ragged || field->is_ragged;
    }
done:
    return status;
}

/* A weight for every sample, of its class's. */
static pml_status spread_weights(const pml_dataset *dataset, const pml_loader_options *options, double **weights,
                                 pml_error *error) {
    pml_status status = PML_OK;
    if (dataset->classes == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "weights by class, and the samples have no classes"));
    }
    if (options->weights != NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "weights by sample and by class exclude each other"));
    }
    if (options->n_class_weights != dataset->n_classes) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%zu weights of %zu classes", options->n_class_weights,
                         dataset->n_classes));
    }
    PML_TRY(pml_alloc(dataset->n_samples, sizeof **weights, weights, error));
    for (size_t i = 0; i < dataset->n_samples; i++) {
        (*weights)[i] = options->class_weights[dataset->classes[i]];
    }
done:
    return status;
}

pml_status pml_batch_maker_init(pml_batch_maker *maker, const pml_dataset *dataset, const pml_loader_options *options,
                                pml_error *error) {
    pml_status status = PML_OK;
    double *weights = NULL;
    *maker = (pml_batch_maker){.dataset = dataset,
                               .batch_size = options->batch_size,
                               .i_rank = options->i_rank,
                               .drop_last = options->drop_last,
                               .seed = options->seed};
    PML_TRY(check_ranks(maker, options, error));
    PML_TRY(measure(maker, error));
    if (options->class_weights != NULL) {
        PML_TRY(spread_weights(dataset, options, &weights, error));
    }
    PML_TRY(pml_draw_order_init(&maker->order, dataset->n_samples, options->shuffle,
                                weights != NULL ? weights : options->weights, options->n_draws, options->seed, error));
    if (options->drop_last && maker->order.n_draws < maker->n_all) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "fewer samples (%zu) than a batch (%zu), and the rest is dropped",
                         maker->order.n_draws, maker->n_all));
    }
done:
    pml_free(weights);
    if (status != PML_OK) {
        pml_batch_maker_deinit(maker);
    }
    return status;
}

void pml_batch_maker_deinit(pml_batch_maker *maker) {
    pml_draw_order_deinit(&maker->order);
    *maker = (pml_batch_maker){0};
}

pml_status pml_batch_slot_init(pml_batch_slot *slot, const pml_batch_maker *maker, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_alloc(maker->batch_size, sizeof *slot->samples, &slot->samples, error));
    PML_TRY(pml_alloc(maker->batch_size, sizeof *slot->lengths, &slot->lengths, error));
    for (size_t f = 0; f < maker->dataset->n_fields; f++) {
        PML_TRY(pml_alloc_aligned(maker->batch_size * maker->sample_bytes[f], &slot->values[f], error));
    }
done:
    if (status != PML_OK) {
        pml_batch_slot_deinit(slot);
    }
    return status;
}

void pml_batch_slot_deinit(pml_batch_slot *slot) {
    for (size_t f = 0; f < PML_MAX_DATA_FIELDS; f++) {
        pml_free(slot->values[f]);
    }
    pml_free(slot->samples);
    pml_free(slot->lengths);
    *slot = (pml_batch_slot){0};
}

static size_t left(const pml_batch_maker *m, const pml_loader_position *position) {
    return m->order.n_draws - (size_t)position->i_draw;
}

bool pml_batch_maker_ends(const pml_batch_maker *maker, const pml_loader_position *position) {
    const size_t n_left = left(maker, position);
    return n_left == 0 || (maker->drop_last && n_left < maker->n_all);
}

pml_loader_position pml_batch_maker_after(const pml_batch_maker *maker, pml_loader_position position) {
    if (pml_batch_maker_ends(maker, &position)) {
        return (pml_loader_position){position.epoch + 1, 0};
    }
    const size_t n_left = left(maker, &position);
    return (pml_loader_position){position.epoch, position.i_draw + (n_left < maker->n_all ? n_left : maker->n_all)};
}

/* i n / n_ranks without overflow. */
static size_t share(const pml_batch_maker *m, size_t i_rank, size_t n) {
    return n / m->n_ranks * i_rank + n % m->n_ranks * i_rank / m->n_ranks;
}

static void fill_padding(const pml_data_field *field, char *values, size_t n_bytes) {
    if (field->dtype == PML_DTYPE_I64) {
        const int64_t padding = (int64_t)field->padding;
        for (size_t i = 0; i < n_bytes; i += sizeof padding) {
            memcpy(values + i, &padding, sizeof padding);
        }
    } else {
        const float padding = (float)field->padding;
        for (size_t i = 0; i < n_bytes; i += sizeof padding) {
            memcpy(values + i, &padding, sizeof padding);
        }
    }
}

/* Samples of a ragged field move together to the length of the longest, and are filled up. A sample's new place ends
 * where the next one's old place begins, or before. */
static void close_ranks(const pml_batch_maker *m, pml_batch_slot *slot, size_t f, size_t n_longest) {
    const pml_data_field *field = &m->dataset->fields[f];
    const size_t row_bytes = m->sample_bytes[f] / field->shape[0], new_bytes = n_longest * row_bytes;
    char *values = slot->values[f];
    for (size_t i = 0; i < slot->batch.n_samples; i++) {
        const size_t used_bytes = slot->lengths[i] * row_bytes;
        memmove(values + i * new_bytes, values + i * m->sample_bytes[f], used_bytes);
        fill_padding(field, values + i * new_bytes + used_bytes, new_bytes - used_bytes);
    }
}

/* Shapes of the batch, once its samples are there. */
static void describe(const pml_batch_maker *m, pml_batch_slot *slot) {
    size_t n_longest = 0;
    for (size_t i = 0; m->is_ragged && i < slot->batch.n_samples; i++) {
        n_longest = slot->lengths[i] > n_longest ? slot->lengths[i] : n_longest;
    }
    for (size_t f = 0; f < m->dataset->n_fields; f++) {
        const pml_data_field *field = &m->dataset->fields[f];
        pml_batch_field *made = &slot->fields[f];
        *made = (pml_batch_field){
            .name = field->name, .dtype = field->dtype, .data = slot->values[f], .rank = field->rank + 1};
        made->shape[0] = slot->batch.n_samples;
        memcpy(made->shape + 1, field->shape, field->rank * sizeof field->shape[0]);
        if (field->is_ragged) {
            made->shape[1] = n_longest;
            close_ranks(m, slot, f, n_longest);
        }
    }
}

static pml_status fetch(const pml_batch_maker *m, uint64_t epoch, pml_batch_slot *slot, pml_error *error) {
    pml_status status = PML_OK;
    const pml_data_key key = {m->seed, epoch};
    PML_TRY(pml_cancel_check(error));
    for (size_t i = 0; i < slot->batch.n_samples; i++) {
        void *values[PML_MAX_DATA_FIELDS];
        for (size_t f = 0; f < m->dataset->n_fields; f++) {
            values[f] = (char *)slot->values[f] + i * m->sample_bytes[f];
        }
        PML_TRY(pml_dataset_fetch(m->dataset, slot->samples[i], &key, values, &slot->lengths[i], error));
    }
done:
    return status;
}

void pml_batch_maker_run(pml_batch_maker *maker, pml_loader_position position, pml_batch_slot *slot) {
    slot->status = PML_OK;
    slot->is_end = pml_batch_maker_ends(maker, &position);
    if (slot->is_end) {
        return;
    }
    const size_t n_left = left(maker, &position), n_all = n_left < maker->n_all ? n_left : maker->n_all;
    const size_t begin = share(maker, maker->i_rank, n_all), end = share(maker, maker->i_rank + 1, n_all);
    slot->batch = (pml_batch){.epoch = position.epoch,
                              .i_first = position.i_draw,
                              .n_all = n_all,
                              .n_samples = end - begin,
                              .samples = slot->samples,
                              .lengths = maker->is_ragged ? slot->lengths : NULL,
                              .n_fields = maker->dataset->n_fields,
                              .fields = slot->fields};
    pml_draw_order_begin(&maker->order, position.epoch);
    for (size_t i = begin; i < end; i++) {
        slot->samples[i - begin] = pml_draw_order_at(&maker->order, (size_t)position.i_draw + i);
    }
    slot->status = fetch(maker, position.epoch, slot, &slot->error);
    if (slot->status == PML_OK) {
        describe(maker, slot);
    }
}
