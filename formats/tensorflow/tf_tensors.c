#include "formats/tensorflow/tf_tensors.h"

#include <stdio.h>
#include <string.h>

#include "formats/tensorflow/tf_slices.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/crc32c.h"

static size_t file_of(const pml_tf_checkpoint *c, const pml_tf_entry *entry) {
    return c->i_first_shard + entry->i_shard;
}

static pml_status check_range(const pml_tf_checkpoint *c, const pml_source *source, const pml_tf_entry *entry,
                              pml_error *error) {
    uint64_t file_bytes = pml_source_file_size(source, file_of(c, entry));
    if (!pml_ck_range(entry->offset_bytes, entry->size_bytes, file_bytes)) {
        char cause[160];
        (void)snprintf(cause, sizeof cause, "its %llu bytes at byte %llu reach past the end of its data file (%llu)",
                       (unsigned long long)entry->size_bytes, (unsigned long long)entry->offset_bytes,
                       (unsigned long long)file_bytes);
        return pml_tf_entry_fail(&c->bundle, entry, PML_E_FORMAT, cause, error);
    }
    return PML_OK;
}

static bool size_of(const pml_tf_entry *entry, uint64_t *size_bytes) {
    unsigned element_bytes = pml_dtype_bits(pml_tf_dtype(entry->type)) / 8;
    return pml_ck_product(entry->shape, entry->rank, size_bytes) && pml_ck_mul(*size_bytes, element_bytes, size_bytes);
}

/* A divided tensor: its slices must be all of it, and each must have its size. */
static pml_status describe_divided(const pml_tf_checkpoint *c, const pml_source *source, const pml_tf_entry *entry,
                                   pml_source_tensor *tensor, pml_error *error) {
    pml_status status = PML_OK;
    pml_tf_division division = {0};
    PML_TRY(pml_tf_division_read(&c->bundle, entry, &division, error));
    for (size_t i = 0; i < division.count; i++) {
        const pml_tf_entry *slice = division.items[i].entry;
        uint64_t size_bytes;
        PML_TRY(check_range(c, source, slice, error));
        if (!size_of(slice, &size_bytes) || size_bytes != slice->size_bytes) {
            PML_TRY(pml_tf_entry_fail(&c->bundle, entry, PML_E_FORMAT,
                                      "the bytes of a slice are not those of its shape and type", error));
        }
    }
    if (!size_of(entry, &tensor->size_bytes)) {
        PML_TRY(pml_tf_entry_fail(&c->bundle, entry, PML_E_FORMAT, "the size of its shape overflows 64 bits", error));
    }
    const pml_tf_entry *first = division.items[0].entry; /* the field is there, so one slice is */
    tensor->is_made = true;
    tensor->i_file = (unsigned)file_of(c, first);
    tensor->offset_bytes = first->offset_bytes;
done:
    pml_tf_division_deinit(&division);
    return status;
}

static pml_status add_tensor(pml_tf_checkpoint *c, pml_source *source, size_t i_entry, pml_error *error) {
    pml_status status = PML_OK;
    const pml_tf_entry *entry = &c->bundle.entries[i_entry];
    char key[PML_MAX_NAME_BYTES + 1];
    size_t i_tensor;
    bool is_new;
    if (entry->key.size_bytes > PML_MAX_NAME_BYTES || memchr(entry->key.bytes, 0, entry->key.size_bytes) != NULL) {
        PML_TRY(pml_tf_entry_fail(&c->bundle, entry, PML_E_FORMAT, "the name is too long, or has zeros in it", error));
    }
    memcpy(key, entry->key.bytes, entry->key.size_bytes);
    key[entry->key.size_bytes] = '\0';
    pml_source_tensor tensor = {.name = pml_tf_names_find(&c->variables, key),
                                .dtype = pml_tf_dtype(entry->type),
                                .rank = entry->rank,
                                .i_file = (unsigned)file_of(c, entry),
                                .offset_bytes = entry->offset_bytes,
                                .size_bytes = entry->size_bytes};
    memcpy(tensor.shape, entry->shape, sizeof tensor.shape);
    if (entry->type == PML_TF_STRING) {
        PML_TRY(check_range(c, source, entry, error));
        goto done;
    }
    if (tensor.dtype == PML_DTYPE_NONE) {
        char cause[96];
        (void)snprintf(cause, sizeof cause, "has TensorFlow's type number %u, which is no weight's",
                       (unsigned)entry->type);
        PML_TRY(pml_tf_entry_fail(&c->bundle, entry, PML_E_UNSUPPORTED, cause, error));
    }
    if (entry->is_divided) {
        PML_TRY(describe_divided(c, source, entry, &tensor, error));
    }
    PML_TRY(pml_source_add_tensor(source, &tensor, error));
    PML_TRY(pml_grow(&c->i_entries, &c->capacity, pml_names_count(&c->tensors) + 1, sizeof *c->i_entries,
                     PML_MAX_TENSORS, "tensors", error));
    PML_TRY(pml_names_add(&c->tensors, tensor.name, strlen(tensor.name), PML_MAX_TENSORS, "tensors", &i_tensor, &is_new,
                          error));
    c->i_entries[i_tensor] = (uint32_t)i_entry;
done:
    return status;
}

pml_status pml_tf_tensors_add(pml_tf_checkpoint *c, pml_source *source, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < c->bundle.n_entries; i++) {
        if (!c->bundle.entries[i].is_slice) {
            PML_TRY(add_tensor(c, source, i, error));
        }
    }
    for (size_t i = 0; i < c->bundle.n_entries; i++) {
        pml_tf_entry *entry = &c->bundle.entries[i];
        if (entry->is_slice && !entry->is_claimed) {
            PML_TRY(pml_tf_entry_fail(&c->bundle, entry, PML_E_FORMAT, "is a slice that no tensor names", error));
        }
        entry->is_claimed = false; /* joining claims anew */
    }
done:
    return status;
}

static pml_tf_entry *entry_of(const pml_tf_checkpoint *c, const pml_source_tensor *tensor) {
    size_t i_tensor;
    return pml_names_find(&c->tensors, tensor->name, strlen(tensor->name), &i_tensor)
               ? &c->bundle.entries[c->i_entries[i_tensor]]
               : NULL;
}

/* The range of the entry was compared with the file when its tensor was added. */
static pml_status check_entry(const pml_tf_checkpoint *c, const pml_source *source, pml_tf_entry *entry,
                              const uint8_t **bytes, pml_error *error) {
    *bytes = pml_source_file_data(source, file_of(c, entry)) + entry->offset_bytes;
    if (!entry->is_checked && pml_crc32c_mask(pml_crc32c_extend(0, *bytes, (size_t)entry->size_bytes)) != entry->crc) {
        return pml_tf_entry_fail(&c->bundle, entry, PML_E_FORMAT,
                                 "the checksum of its bytes is wrong: the data file is damaged", error);
    }
    entry->is_checked = true;
    return PML_OK;
}

pml_status pml_tf_tensor_check(pml_tf_checkpoint *c, const pml_source *source, const pml_source_tensor *tensor,
                               pml_error *error) {
    const uint8_t *bytes;
    pml_tf_entry *entry = entry_of(c, tensor);
    return entry != NULL ? check_entry(c, source, entry, &bytes, error)
                         : PML_FAIL(error, PML_E_ARGUMENT, "no tensor of this source");
}

pml_status pml_tf_tensor_join(pml_tf_checkpoint *c, const pml_source *source, const pml_source_tensor *tensor,
                              void *buffer, pml_error *error) {
    pml_status status = PML_OK;
    pml_tf_division division = {0};
    uint8_t *target = buffer;
    uint64_t n_rows = 0;
    const pml_tf_entry *entry = entry_of(c, tensor);
    if (entry == NULL || !entry->is_divided) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "no divided tensor of this source"));
    }
    PML_TRY(pml_tf_division_read(&c->bundle, entry, &division, error));
    /* The tensor is n_rows rows, in each of which every slice has one run of bytes. */
    if (!pml_ck_product(entry->shape, division.axis < entry->rank ? division.axis : 0, &n_rows)) {
        PML_TRY(pml_tf_entry_fail(&c->bundle, entry, PML_E_FORMAT, "the size of its shape overflows 64 bits", error));
    }
    size_t row_bytes = n_rows == 0 ? 0 : (size_t)(tensor->size_bytes / n_rows), begin = 0;
    for (size_t i = 0; i < division.count; i++) {
        pml_tf_entry *slice = division.items[i].entry;
        const uint8_t *bytes;
        PML_TRY(check_entry(c, source, slice, &bytes, error));
        size_t run_bytes = n_rows == 0 ? 0 : (size_t)(slice->size_bytes / n_rows);
        size_t to = begin;
        for (uint64_t row = 0; row < n_rows && run_bytes > 0; row++) {
            memcpy(target + to, bytes, run_bytes);
            bytes += run_bytes;
            to += row_bytes;
        }
        begin += run_bytes;
    }
done:
    for (size_t i = 0; i < division.count; i++) {
        division.items[i].entry->is_claimed = false;
    }
    pml_tf_division_deinit(&division);
    return status;
}

void pml_tf_checkpoint_deinit(pml_tf_checkpoint *c) {
    pml_tf_bundle_deinit(&c->bundle);
    pml_tf_names_deinit(&c->variables);
    pml_names_deinit(&c->tensors);
    pml_free(c->i_entries);
    *c = (pml_tf_checkpoint){0};
}
