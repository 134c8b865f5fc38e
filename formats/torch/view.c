#include "formats/torch/view.h"

#include <string.h>

#include "runtime/base/checked.h"

enum { ID_WORD, ID_TYPE, ID_KEY, ID_LOCATION, ID_COUNT, ID_VIEW };
enum {
    ARG_STORAGE,
    ARG_OFFSET,
    ARG_SHAPE,
    ARG_STRIDES,
    ARG_GRADIENT,
    ARG_HOOKS,
    ARG_METADATA_V2,
    ARG_DTYPE_V3 = 6,
    ARG_METADATA_V3
};

static const pml_pickle_value *item(const pml_pickle *pickle, const pml_pickle_value *container, uint32_t i) {
    return pml_pickle_at(pickle, container->items[i]);
}

/* A size or offset: no negative integer. */
static bool read_count(const pml_pickle_value *value, uint64_t *count) {
    if (value->kind != PML_PICKLE_INTEGER || value->integer < 0) {
        return false;
    }
    *count = (uint64_t)value->integer;
    return true;
}

pml_status pml_torch_storage_read(const pml_pickle *pickle, uint32_t value, pml_torch_storage *storage,
                                  pml_error *error) {
    const pml_pickle_value *self = pml_pickle_at(pickle, value);
    if (self->kind != PML_PICKLE_STORAGE) {
        return PML_FAIL(error, PML_E_FORMAT, "something else stands in the place of its storage");
    }
    const pml_pickle_value *id = pml_pickle_at(pickle, self->origin);
    uint64_t n_elements;
    if (id->kind != PML_PICKLE_TUPLE || id->count <= ID_COUNT || id->count > ID_VIEW + 1 ||
        !pml_pickle_is_text(item(pickle, id, ID_WORD), "storage") ||
        item(pickle, id, ID_KEY)->kind != PML_PICKLE_TEXT || !read_count(item(pickle, id, ID_COUNT), &n_elements)) {
        return PML_FAIL(error, PML_E_FORMAT, "its storage has a malformed identity");
    }
    const pml_pickle_value *type = item(pickle, id, ID_TYPE), *key = item(pickle, id, ID_KEY);
    if (type->kind != PML_PICKLE_GLOBAL || type->global != PML_GLOBAL_STORAGE) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "its storage is of a type that is not supported");
    }
    if (id->count > ID_VIEW && item(pickle, id, ID_VIEW)->kind != PML_PICKLE_NONE) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "its storage is a view of another one, which is not supported");
    }
    storage->element = pml_torch_element_of(type);
    storage->key = key->text;
    storage->key_bytes = key->count;
    if (!pml_ck_mul(n_elements, storage->element.size_bytes, &storage->size_bytes)) {
        return PML_FAIL(error, PML_E_FORMAT, "the size of its storage overflows 64 bits");
    }
    return PML_OK;
}

/* Shape and strides. */
static pml_status read_extents(const pml_pickle *pickle, const pml_pickle_value *arguments, pml_torch_view *view,
                               pml_error *error) {
    const pml_pickle_value *shape = item(pickle, arguments, ARG_SHAPE), *strides = item(pickle, arguments, ARG_STRIDES);
    if (shape->kind != PML_PICKLE_TUPLE || strides->kind != PML_PICKLE_TUPLE || shape->count != strides->count) {
        return PML_FAIL(error, PML_E_FORMAT, "its shape and strides do not belong together");
    }
    if (shape->count > PML_MAX_RANK - (view->element.is_pair ? 1u : 0u)) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "has %u dimensions; at most %u are supported", shape->count,
                        PML_MAX_RANK);
    }
    view->rank = shape->count;
    for (uint32_t i = 0; i < shape->count; i++) {
        if (!read_count(item(pickle, shape, i), &view->shape[i]) ||
            !read_count(item(pickle, strides, i), &view->strides[i])) {
            return PML_FAIL(error, PML_E_FORMAT, "its shape or strides hold something else than sizes");
        }
    }
    return PML_OK;
}

/* Sizes, and that the last element still lies in the storage. */
static pml_status check_extents(pml_torch_view *view, uint64_t offset, pml_error *error) {
    uint64_t element_bytes = view->element.size_bytes, n_elements, last = offset, end, run = 1;
    if (!pml_ck_product(view->shape, view->rank, &n_elements) ||
        !pml_ck_mul(n_elements, element_bytes, &view->size_bytes)) {
        return PML_FAIL(error, PML_E_FORMAT, "the size of its shape overflows 64 bits");
    }
    view->is_contiguous = true;
    view->offset_bytes = 0;
    if (n_elements == 0) {
        return PML_OK;
    }
    for (unsigned i = view->rank; i-- > 0;) {
        uint64_t reach;
        if (!pml_ck_mul(view->shape[i] - 1, view->strides[i], &reach) || !pml_ck_add(last, reach, &last)) {
            return PML_FAIL(error, PML_E_FORMAT, "its strides overflow 64 bits");
        }
        view->is_contiguous = view->is_contiguous && (view->shape[i] == 1 || view->strides[i] == run);
        (void)pml_ck_mul(run, view->shape[i], &run); /* at most n_elements */
    }
    if (!pml_ck_add(last, 1, &end) || !pml_ck_mul(end, element_bytes, &end) || end > view->storage.size_bytes) {
        return PML_FAIL(error, PML_E_FORMAT, "its elements reach past the end of its storage of %llu bytes",
                        (unsigned long long)view->storage.size_bytes);
    }
    if (view->size_bytes > view->storage.size_bytes && view->size_bytes > PML_MAX_EXPANDED_BYTES) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%llu bytes are repeated from a storage of only %llu",
                        (unsigned long long)view->size_bytes, (unsigned long long)view->storage.size_bytes);
    }
    return pml_ck_mul(offset, element_bytes, &view->offset_bytes)
               ? PML_OK
               : PML_FAIL(error, PML_E_FORMAT, "its offset overflows 64 bits");
}

/* True when the argument `i`, where there is one, is None or an empty dict: no conjugate or negative view. */
static bool has_no_metadata(const pml_pickle *pickle, const pml_pickle_value *arguments, uint32_t i) {
    if (arguments->count <= i) {
        return true;
    }
    const pml_pickle_value *metadata = item(pickle, arguments, i);
    return metadata->kind == PML_PICKLE_NONE || (metadata->kind == PML_PICKLE_DICT && metadata->count == 0);
}

pml_status pml_torch_view_read(const pml_pickle *pickle, uint32_t value, pml_torch_view *view, pml_error *error) {
    pml_status status = PML_OK;
    const pml_pickle_value *self = pml_pickle_at(pickle, value);
    const pml_pickle_value *arguments = pml_pickle_at(pickle, self->origin);
    uint64_t offset = 0;
    if (self->global == PML_GLOBAL_PARAMETER && arguments->count > 0) {
        self = item(pickle, arguments, 0);
        if (self->kind == PML_PICKLE_TENSOR) {
            arguments = pml_pickle_at(pickle, self->origin);
        }
    }
    bool is_v3 = self->global == PML_GLOBAL_TENSOR_V3;
    if (self->kind != PML_PICKLE_TENSOR || self->global == PML_GLOBAL_PARAMETER ||
        arguments->count <= (is_v3 ? ARG_DTYPE_V3 : ARG_HOOKS) ||
        !read_count(item(pickle, arguments, ARG_OFFSET), &offset)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "its description is malformed"));
    }
    PML_TRY(pml_torch_storage_read(pickle, arguments->items[ARG_STORAGE], &view->storage, error));
    view->element = view->storage.element;
    if (is_v3) {
        const pml_pickle_value *dtype = item(pickle, arguments, ARG_DTYPE_V3);
        if (dtype->kind != PML_PICKLE_GLOBAL || dtype->global != PML_GLOBAL_DTYPE) {
            PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "has a dtype that is not supported"));
        }
        view->element = pml_torch_element_of(dtype);
    }
    if (view->element.dtype == PML_DTYPE_NONE) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "has no dtype"));
    }
    if (!has_no_metadata(pickle, arguments, is_v3 ? ARG_METADATA_V3 : ARG_METADATA_V2)) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "is a conjugate or negative view, which is not supported"));
    }
    PML_TRY(read_extents(pickle, arguments, view, error));
    PML_TRY(check_extents(view, offset, error));
done:
    return status;
}

/* Elements of 1, 2, 4, 8 or 16 bytes; the last dimension in one loop. */
static void gather_row(uint8_t *to, const uint8_t *from, uint64_t count, size_t element_bytes, size_t step_bytes) {
    for (uint64_t i = 0; i < count; i++) {
        memcpy(to, from, element_bytes);
        to += element_bytes;
        from += step_bytes;
    }
}

void pml_torch_view_gather(const pml_torch_view *view, const uint8_t *storage, uint8_t *buffer) {
    const size_t element_bytes = view->element.size_bytes;
    const uint8_t *from = storage + view->offset_bytes;
    uint64_t at[PML_MAX_RANK] = {0}, step_bytes[PML_MAX_RANK];
    if (view->is_contiguous) {
        memcpy(buffer, from, (size_t)view->size_bytes);
        return;
    }
    for (unsigned i = 0; i < view->rank; i++) { /* within the storage where it is used: check_extents */
        step_bytes[i] =
            view->shape[i] == 1 || !pml_ck_mul(view->strides[i], element_bytes, &step_bytes[i]) ? 0 : step_bytes[i];
    }
    const unsigned last = view->rank - 1;
    const size_t row_bytes = (size_t)(view->shape[last]) << __builtin_ctzll(element_bytes);
    for (uint64_t done_bytes = 0; done_bytes < view->size_bytes; done_bytes += row_bytes) {
        gather_row(buffer + done_bytes, from, view->shape[last], element_bytes, (size_t)step_bytes[last]);
        for (unsigned i = last; i-- > 0;) {
            from += step_bytes[i];
            if (++at[i] < view->shape[i]) {
                break;
            }
            uint64_t back = 0;
            (void)pml_ck_mul(step_bytes[i], view->shape[i], &back);
            from -= back;
            at[i] = 0;
        }
    }
}
