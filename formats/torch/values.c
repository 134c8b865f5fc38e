/* The values of a pickle, and what calls among them stand for. */
#include <string.h>

#include "formats/torch/pickle.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"

enum { CHUNK_SHIFT = 9, CHUNK_VALUES = 1 << CHUNK_SHIFT };

pml_pickle_value *pml_pickle_at(const pml_pickle *pickle, uint32_t index) {
    return &pickle->chunks[index >> CHUNK_SHIFT][index & (CHUNK_VALUES - 1)];
}

pml_status pml_pickle_add(pml_pickle *pickle, pml_pickle_kind kind, uint32_t *index, pml_error *error) {
    pml_status status = PML_OK;
    if (pickle->n_values >= PML_MAX_PICKLE_VALUES) {
        PML_TRY(
            PML_FAIL(error, PML_E_FORMAT, "%s: a pickle of more than %u values", pickle->shown, PML_MAX_PICKLE_VALUES));
    }
    if ((pickle->n_values & (CHUNK_VALUES - 1)) == 0) {
        PML_TRY(pml_grow(&pickle->chunks, &pickle->chunk_capacity, pickle->n_chunks + 1, sizeof *pickle->chunks,
                         PML_MAX_PICKLE_VALUES, "values in a pickle", error));
        PML_TRY(pml_alloc(CHUNK_VALUES, sizeof **pickle->chunks, &pickle->chunks[pickle->n_chunks], error));
        pickle->n_chunks++;
    }
    *index = pickle->n_values++;
    *pml_pickle_at(pickle, *index) = (pml_pickle_value){.kind = (uint8_t)kind};
done:
    return status;
}

static bool has_items(const pml_pickle_value *value) {
    switch ((pml_pickle_kind)value->kind) {
    case PML_PICKLE_TUPLE:
    case PML_PICKLE_LIST:
    case PML_PICKLE_SET:
    case PML_PICKLE_DICT:
    case PML_PICKLE_OPAQUE:
        return true;
    default:
        return false;
    }
}

void pml_pickle_deinit(pml_pickle *pickle) {
    for (uint32_t i = 0; i < pickle->n_values; i++) {
        if (has_items(pml_pickle_at(pickle, i))) {
            pml_free(pml_pickle_at(pickle, i)->items);
        }
    }
    for (size_t i = 0; i < pickle->n_chunks; i++) {
        pml_free(pickle->chunks[i]);
    }
    pml_free(pickle->chunks);
    pml_free(pickle->storages);
    *pickle = (pml_pickle){0};
}

pml_status pml_pickle_append(pml_pickle_value *container, const uint32_t *items, size_t n_items, pml_error *error) {
    pml_status status = PML_OK;
    size_t capacity = container->capacity;
    if (n_items == 0) {
        goto done;
    }
    if (container->items == NULL) { /* most containers are filled at once: no room to spare */
        PML_TRY(pml_alloc(n_items, sizeof *items, &container->items, error));
        capacity = n_items;
    } else {
        PML_TRY(pml_grow(&container->items, &capacity, container->count + n_items, sizeof *items, PML_MAX_PICKLE_VALUES,
                         "items in a pickle's container", error));
    }
    container->capacity = (uint32_t)capacity;
    memcpy(container->items + container->count, items, n_items * sizeof *items);
    container->count += (uint32_t)n_items;
done:
    return status;
}

/* A dict of the pairs in a list, which it empties: so no list is copied twice. */
static pml_status take_pairs(pml_pickle *pickle, pml_pickle_value *list, pml_pickle_value *dict, const char **cause,
                             pml_error *error) {
    pml_status status = PML_OK;
    for (uint32_t i = 0; i < list->count; i++) {
        const pml_pickle_value *pair = pml_pickle_at(pickle, list->items[i]);
        bool is_pair = (pair->kind == PML_PICKLE_LIST || pair->kind == PML_PICKLE_TUPLE) && pair->count == 2;
        if (!is_pair) {
            *cause = "an OrderedDict is made from something else than pairs";
            break;
        }
        PML_TRY(pml_pickle_append(dict, pair->items, 2, error));
    }
    list->count = 0;
done:
    return status;
}

static pml_status make_ordered(pml_pickle *pickle, uint32_t arguments, uint32_t *result, const char **cause,
                               pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_pickle_add(pickle, PML_PICKLE_DICT, result, error));
    const pml_pickle_value *given = pml_pickle_at(pickle, arguments);
    pml_pickle_value *dict = pml_pickle_at(pickle, *result);
    dict->is_ordered = true;
    if (given->count == 1 && pml_pickle_at(pickle, given->items[0])->kind == PML_PICKLE_LIST) {
        PML_TRY(take_pairs(pickle, pml_pickle_at(pickle, given->items[0]), dict, cause, error));
    } else if (given->count != 0) {
        *cause = "an OrderedDict is made from something else than pairs";
    }
done:
    return status;
}

/* The one argument of torch.Size, or the text of _codecs.encode(text, encoding) as bytes. */
static pml_status take_first(pml_pickle *pickle, const pml_pickle_value *arguments, pml_pickle_kind kind,
                             uint32_t *result, const char **cause, pml_error *error) {
    pml_status status = PML_OK;
    if (arguments->count == 0 || pml_pickle_at(pickle, arguments->items[0])->kind != (uint8_t)kind) {
        *cause = "a size or encoded text is made from something else";
        goto done;
    }
    *result = arguments->items[0];
    if (kind == PML_PICKLE_TEXT) {
        const pml_pickle_value *text = pml_pickle_at(pickle, arguments->items[0]);
        PML_TRY(pml_pickle_add(pickle, PML_PICKLE_BYTES, result, error));
        pml_pickle_at(pickle, *result)->text = text->text;
        pml_pickle_at(pickle, *result)->count = text->count;
    }
done:
    return status;
}

static pml_status make_referring(pml_pickle *pickle, pml_pickle_kind kind, uint8_t global, uint32_t origin,
                                 uint32_t *result, pml_error *error) {
    pml_status status = pml_pickle_add(pickle, kind, result, error);
    if (status == PML_OK) {
        pml_pickle_at(pickle, *result)->global = global;
        pml_pickle_at(pickle, *result)->origin = origin;
    }
    return status;
}

pml_status pml_pickle_reduce(pml_pickle *pickle, uint32_t callable, uint32_t arguments, uint32_t *result,
                             const char **cause, pml_error *error) {
    const pml_pickle_value *called = pml_pickle_at(pickle, callable), *given = pml_pickle_at(pickle, arguments);
    *cause = NULL;
    if (given->kind != PML_PICKLE_TUPLE) {
        *cause = "the arguments of a call are no tuple";
        return PML_OK;
    }
    if (called->kind == PML_PICKLE_OPAQUE) {
        return make_referring(pickle, PML_PICKLE_OPAQUE, 0, called->origin, result, error);
    }
    if (called->kind != PML_PICKLE_GLOBAL) {
        *cause = "something that is no function is called";
        return PML_OK;
    }
    switch ((pml_pickle_global)called->global) {
    case PML_GLOBAL_ORDERED_DICT:
        return make_ordered(pickle, arguments, result, cause, error);
    case PML_GLOBAL_TENSOR_V2:
    case PML_GLOBAL_TENSOR_V3:
    case PML_GLOBAL_PARAMETER:
        return make_referring(pickle, PML_PICKLE_TENSOR, called->global, arguments, result, error);
    case PML_GLOBAL_SIZE:
        return take_first(pickle, given, PML_PICKLE_TUPLE, result, cause, error);
    case PML_GLOBAL_ENCODE:
        return take_first(pickle, given, PML_PICKLE_TEXT, result, cause, error);
    default:
        return make_referring(pickle, PML_PICKLE_OPAQUE, 0, callable, result, error);
    }
}
