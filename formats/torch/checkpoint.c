/* A checkpoint is a dict of tensors, or a dict that has one under a known key. Beside it, what is known to hold no
 * weights may hold anything; everything else must be made of values that are understood. */
#include "formats/torch/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/base/utf8.h"

enum { MOST_WRAPPERS = 4 };

/* Keys of the weights, best first. */
static const char *const wrappers[] = {"state_dict", "model_state_dict", "model", "module"};

/* Keys that hold no weights: what is below them is never looked at. */
static const struct {
    const char *key;
    bool is_settings; /* its plain values become an attribute */
} companions[] = {
    {"hyper_parameters", true}, /* Lightning */
    {"datamodule_hyper_parameters", false},
    {"hparams", true},
    {"model_args", true}, /* nanoGPT */
    {"config", true},
    {"args", true},
    {"optimizer", false},
    {"optimizer_states", false},
    {"optimizer_state_dict", false},
    {"opt", false},
    {"lr_schedulers", false},
    {"lr_scheduler", false},
    {"scheduler", false},
    {"callbacks", false},
    {"loops", false},
};
enum { N_COMPANIONS = sizeof companions / sizeof companions[0] };

typedef struct taker {
    pml_source *source;
    size_t i_file;
    pml_torch_container *container;
    const pml_pickle *pickle;
    pml_torch_state *state;
    uint32_t *pending; /* of the walk that looks for values */
    size_t n_pending, pending_capacity;
} taker;

/* Text of a pickle as a message or name takes it: cut to PML_MAX_NAME_BYTES, ended. */
typedef struct short_text {
    char text[PML_MAX_NAME_BYTES + 1];
} short_text;

static const char *shorten(short_text *out, const pml_pickle_value *value) {
    size_t length = value->count < PML_MAX_NAME_BYTES ? value->count : PML_MAX_NAME_BYTES;
    memcpy(out->text, value->text, length);
    out->text[length] = '\0';
    return out->text;
}

/* ---- looking for what must not be there --------------------------------------------------------------------- */
static pml_status refuse_unknown(const taker *t, const pml_pickle_value *global, pml_error *error) {
    short_text module, name;
    char whole[sizeof module + sizeof name];
    pml_quoted quoted;
    (void)snprintf(whole, sizeof whole, "%s.%s", shorten(&module, pml_pickle_at(t->pickle, global->origin)),
                   shorten(&name, global));
    return PML_FAIL(error, PML_E_UNSUPPORTED,
                    "%s: unsupported global %s: only tensors and plain values are read, and nothing is ever run",
                    t->container->path, pml_quote(&quoted, whole));
}

static pml_status wait_for(taker *t, uint32_t i_value, pml_error *error) {
    pml_status status = PML_OK;
    pml_pickle_value *value = pml_pickle_at(t->pickle, i_value);
    if (!value->is_seen) {
        value->is_seen = true;
        PML_TRY(pml_grow(&t->pending, &t->pending_capacity, t->n_pending + 1, sizeof *t->pending, PML_MAX_PICKLE_VALUES,
                         "values in a pickle", error));
        t->pending[t->n_pending++] = i_value;
    }
done:
    return status;
}

/* Walks everything below a value that was not walked yet, and refuses unknown globals. *has_tensor: one was met. */
static pml_status inspect(taker *t, uint32_t i_value, bool *has_tensor, pml_error *error) {
    pml_status status = PML_OK;
    *has_tensor = false;
    PML_TRY(wait_for(t, i_value, error));
    while (t->n_pending > 0) {
        const pml_pickle_value *value = pml_pickle_at(t->pickle, t->pending[--t->n_pending]);
        switch ((pml_pickle_kind)value->kind) {
        case PML_PICKLE_TENSOR:
        case PML_PICKLE_STORAGE:
            *has_tensor = true;
            break;
        case PML_PICKLE_GLOBAL:
            if (value->global == PML_GLOBAL_UNKNOWN) {
                PML_TRY(refuse_unknown(t, value, error));
            }
            break;
        case PML_PICKLE_OPAQUE:
            PML_TRY(refuse_unknown(t, pml_pickle_at(t->pickle, value->origin), error));
            break;
        case PML_PICKLE_TUPLE:
        case PML_PICKLE_LIST:
        case PML_PICKLE_SET:
        case PML_PICKLE_DICT:
            for (uint32_t i = 0; i < value->count; i++) {
                PML_TRY(wait_for(t, value->items[i], error));
            }
            break;
        default:
            break;
        }
    }
done:
    return status;
}

/* ---- tensors ------------------------------------------------------------------------------------------------ */
static pml_status keep_made(taker *t, const char *name, const pml_torch_view *view, const pml_torch_place *place,
                            pml_error *error) {
    pml_status status = PML_OK;
    pml_torch_state *state = t->state;
    size_t i_made;
    bool is_new;
    PML_TRY(pml_names_add(&state->names, name, strlen(name), PML_MAX_TENSORS, "tensors", &i_made, &is_new, error));
    PML_TRY(pml_grow(&state->made, &state->made_capacity, i_made + 1, sizeof *state->made, PML_MAX_TENSORS, "tensors",
                     error));
    state->made[i_made] = (pml_torch_made){.view = *view, .place = *place, .i_file = (unsigned)t->i_file};
done:
    return status;
}

static bool is_utf8(const uint8_t *text, size_t size_bytes) {
    for (size_t at = 0; at < size_bytes;) {
        size_t length = pml_utf8_length(text + at, size_bytes - at);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

/* The tensor's name: its key; a pair of numbers for which there is no complex dtype becomes a dimension of its own. */
static pml_status name_tensor(const taker *t, const pml_pickle_value *key, bool is_pair, short_text *name,
                              pml_error *error) {
    static const char ending[] = ".real_imag";
    size_t ending_bytes = is_pair ? sizeof ending - 1 : 0;
    if (key->kind != PML_PICKLE_TEXT || key->count > PML_MAX_NAME_BYTES - ending_bytes ||
        memchr(key->text, 0, key->count) != NULL || !is_utf8(key->text, key->count)) {
        return PML_FAIL(error, PML_E_FORMAT, "%s: the name of a tensor is no text, too long or malformed",
                        t->container->path);
    }
    (void)shorten(name, key);
    if (is_pair) {
        memcpy(name->text + key->count, ending, sizeof ending);
    }
    return PML_OK;
}

static pml_status take_tensor(taker *t, const pml_pickle_value *key, uint32_t i_value, pml_error *error) {
    pml_status status = PML_OK;
    pml_torch_view view = {0};
    pml_torch_place place = {0};
    short_text name;
    PML_TRY(name_tensor(t, key, false, &name, error));
    status = pml_torch_view_read(t->pickle, i_value, &view, error);
    if (status == PML_OK) {
        status = pml_torch_container_place(t->container, &view.storage, &place, error);
    }
    if (status == PML_E_FORMAT || status == PML_E_UNSUPPORTED) {
        pml_quoted quoted;
        PML_TRY(pml_error_prefix(error, status, "%s: tensor %s", t->container->path, pml_quote(&quoted, name.text)));
    }
    PML_TRY(status);
    PML_TRY(name_tensor(t, key, view.element.is_pair, &name, error));
    pml_source_tensor tensor = {
        .name = name.text,
        .dtype = view.element.dtype,
        .rank = view.rank,
        .i_file = (unsigned)t->i_file,
        .offset_bytes = place.data_offset,
        .size_bytes = view.size_bytes,
        .is_made = view.size_bytes > 0 && (!view.is_contiguous || place.deflated != NULL),
    };
    memcpy(tensor.shape, view.shape, sizeof tensor.shape);
    if (view.element.is_pair) {
        tensor.shape[tensor.rank++] = 2;
    }
    if (!tensor.is_made) {
        tensor.offset_bytes += view.offset_bytes;
    }
    PML_TRY(pml_source_add_tensor(t->source, &tensor, error));
    if (tensor.is_made) {
        PML_TRY(keep_made(t, name.text, &view, &place, error));
    }
done:
    return status;
}

/* ---- finding them ------------------------------------------------------------------------------------------- */
static bool holds_tensors(const pml_pickle *pickle, const pml_pickle_value *dict) {
    for (uint32_t i = 0; dict->kind == PML_PICKLE_DICT && i + 1 < dict->count; i += 2) {
        if (pml_pickle_at(pickle, dict->items[i + 1])->kind == PML_PICKLE_TENSOR) {
            return true;
        }
    }
    return false;
}

/* The value of the one entry of that key; *is_there tells whether there is one. */
static pml_status find_entry(const taker *t, const pml_pickle_value *dict, const char *key, bool *is_there,
                             uint32_t *i_value, pml_error *error) {
    *is_there = false;
    for (uint32_t i = 0; i + 1 < dict->count; i += 2) {
        if (!pml_pickle_is_text(pml_pickle_at(t->pickle, dict->items[i]), key)) {
            continue;
        }
        if (*is_there) {
            return PML_FAIL(error, PML_E_FORMAT, "%s: the key %s stands twice", t->container->path, key);
        }
        *is_there = true;
        *i_value = dict->items[i + 1];
    }
    return PML_OK;
}

/* The dict that the weights are in below `dict`, if it has one under a known key. */
static pml_status find_inner(const taker *t, const pml_pickle_value *dict, bool *is_there, uint32_t *i_inner,
                             pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++) {
        PML_TRY(find_entry(t, dict, wrappers[i], is_there, i_inner, error));
        if (*is_there && pml_pickle_at(t->pickle, *i_inner)->kind == PML_PICKLE_DICT) {
            goto done;
        }
    }
    *is_there = false;
done:
    return status;
}

static pml_status take_tensors(taker *t, const pml_pickle_value *dict, pml_error *error) {
    pml_status status = PML_OK;
    bool has_tensor;
    for (uint32_t i = 0; i + 1 < dict->count; i += 2) {
        const pml_pickle_value *key = pml_pickle_at(t->pickle, dict->items[i]);
        if (pml_pickle_at(t->pickle, dict->items[i + 1])->kind == PML_PICKLE_TENSOR) {
            PML_TRY(take_tensor(t, key, dict->items[i + 1], error));
            continue;
        }
        PML_TRY(inspect(t, dict->items[i + 1], &has_tensor, error));
        if (has_tensor) {
            short_text name;
            pml_quoted quoted;
            PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                             "%s: tensors lie below %s, which is no key of weights that pml knows", t->container->path,
                             pml_quote(&quoted, key->kind == PML_PICKLE_TEXT ? shorten(&name, key) : "a number")));
        }
    }
    if (!holds_tensors(t->pickle, dict)) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: holds no dict of tensors", t->container->path));
    }
done:
    return status;
}

/* What stands beside the weights. */
static pml_status take_companions(taker *t, const pml_pickle_value *dict, uint32_t i_inner, pml_error *error) {
    pml_status status = PML_OK;
    bool has_tensor;
    for (uint32_t i = 0; i + 1 < dict->count; i += 2) {
        const pml_pickle_value *key = pml_pickle_at(t->pickle, dict->items[i]);
        uint32_t i_value = dict->items[i + 1];
        size_t i_companion = 0;
        while (i_companion < N_COMPANIONS && !pml_pickle_is_text(key, companions[i_companion].key)) {
            i_companion++;
        }
        if (i_companion == N_COMPANIONS) {
            PML_TRY(i_value == i_inner ? PML_OK : inspect(t, i_value, &has_tensor, error));
        } else if (companions[i_companion].is_settings) {
            PML_TRY(pml_torch_settings_add(t->source, t->pickle, companions[i_companion].key, i_value, error));
        }
    }
done:
    return status;
}

pml_status pml_torch_checkpoint_take(pml_source *source, size_t i_file, pml_torch_container *container,
                                     pml_torch_state *state, pml_error *error) {
    pml_status status = PML_OK;
    taker t = {
        .source = source, .i_file = i_file, .container = container, .pickle = &container->pickle, .state = state};
    uint32_t chain[MOST_WRAPPERS] = {container->root};
    size_t length = 1;
    bool is_there, has_tensor;
    const pml_pickle_value *root = pml_pickle_at(t.pickle, container->root);
    if (root->kind != PML_PICKLE_DICT) {
        PML_TRY(inspect(&t, container->root, &has_tensor, error));
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: holds no dict of tensors", container->path));
    }
    while (length < MOST_WRAPPERS) {
        PML_TRY(find_inner(&t, pml_pickle_at(t.pickle, chain[length - 1]), &is_there, &chain[length], error));
        if (!is_there) {
            break;
        }
        length++;
    }
    PML_TRY(take_tensors(&t, pml_pickle_at(t.pickle, chain[length - 1]), error));
    for (size_t i = 0; i + 1 < length; i++) {
        PML_TRY(take_companions(&t, pml_pickle_at(t.pickle, chain[i]), chain[i + 1], error));
    }
done:
    pml_free(t.pending);
    return status;
}
