/* First come the tensors that stand for themselves, then those whose name is worked out: a name that is there is never
 * given twice. */
#include "formats/onnx/onnx_weights.h"

#include <stdio.h>
#include <string.h>

#include "formats/file_map.h"
#include "formats/onnx/onnx_names.h"
#include "formats/onnx/onnx_quantized.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/quote.h"

static const char CONSTANT[] = "Constant:";

typedef struct adder {
    const pml_onnx_model *model;
    pml_onnx_graph graph;
    pml_source *source;
    pml_onnx_weights *weights;
    bool *is_used;       /* by tensor: a scale or a zero point */
    uint64_t n_compared; /* bytes, so far */
} adder;

static pml_status add_weight(adder *a, const char *name, const pml_onnx_weight *weight, pml_error *error) {
    pml_status status = PML_OK;
    const pml_onnx_tensor *stored = weight->stored;
    size_t i_weight;
    bool is_new;
    pml_source_tensor tensor = {.name = name,
                                .dtype = weight->scale != NULL ? PML_DTYPE_F32 : stored->dtype,
                                .rank = stored->rank,
                                .i_file = stored->i_file,
                                .offset_bytes = stored->offset,
                                .size_bytes = stored->size_bytes,
                                .is_made = stored->is_typed || weight->is_transposed || weight->scale != NULL};
    memcpy(tensor.shape, stored->shape, sizeof tensor.shape);
    if (weight->scale != NULL) {
        PML_TRY(pml_onnx_quantized_size(stored, &tensor.size_bytes, error));
    }
    if (weight->is_transposed) {
        tensor.shape[0] = stored->shape[1];
        tensor.shape[1] = stored->shape[0];
    }
    PML_TRY(pml_source_add_tensor(a->source, &tensor, error));
    PML_TRY(pml_grow(&a->weights->items, &a->weights->capacity, a->weights->n_items + 1, sizeof *a->weights->items,
                     PML_MAX_TENSORS, "tensors", error));
    PML_TRY(
        pml_names_add(&a->weights->names, name, strlen(name), PML_MAX_TENSORS, "tensors", &i_weight, &is_new, error));
    a->weights->items[a->weights->n_items++] = *weight;
done:
    return status;
}

/* Under its own name; a Constant node's tensor has none that a framework would know. */
static pml_status add_stored(adder *a, const pml_onnx_weight *weight, const char *base, pml_error *error) {
    pml_status status = PML_OK;
    char *name = NULL;
    const char *prefix = weight->stored->is_constant ? CONSTANT : "";
    const size_t n_bytes = strlen(prefix) + strlen(base) + 1;
    PML_TRY(pml_alloc(n_bytes, 1, &name, error));
    (void)snprintf(name, n_bytes, "%s%s", prefix, base);
    PML_TRY(add_weight(a, name, weight, error));
done:
    pml_free(name);
    return status;
}

/* True when the name is the framework's own, a path in its tree of modules. */
static bool is_own_name(const pml_onnx_tensor *tensor, const char *base) {
    return !tensor->is_constant && !pml_onnx_name_is_made_up(base) && strchr(base, '.') != NULL &&
           !pml_name_ends_with(base, "_Transposed");
}

/* Integers and single numbers without a name of the framework: shapes, indices, masks, factors. */
static bool is_steering(const pml_onnx_weight *weight) {
    return weight->scale == NULL && (!pml_dtype_is_float(weight->stored->dtype) || weight->stored->n_elements <= 1);
}

/* True when both hold the same bytes in the same way: a weight that an exporter wrote once per use. Tensors may share
 * the bytes of a file, so what is compared is bounded by what the files hold. */
static bool is_same(adder *a, const pml_onnx_weight *left, const pml_onnx_weight *right) {
    const pml_onnx_tensor *x = left->stored, *y = right->stored;
    if (left->scale != NULL || right->scale != NULL || x->is_typed || y->is_typed || x->dtype != y->dtype ||
        x->rank != y->rank || left->is_transposed != right->is_transposed ||
        memcmp(x->shape, y->shape, sizeof x->shape) != 0) {
        return false;
    }
    uint64_t n_held = 0;
    for (size_t i = 0; i < pml_source_n_files(a->source); i++) {
        n_held += pml_source_file_size(a->source, i);
    }
    if (!pml_ck_add(a->n_compared, x->size_bytes, &a->n_compared) || a->n_compared > n_held) {
        return false;
    }
    return memcmp(pml_source_file_data(a->source, x->i_file) + x->offset,
                  pml_source_file_data(a->source, y->i_file) + y->offset, (size_t)x->size_bytes) == 0;
}

/* Gives a tensor the name that its use tells, where it tells one and no other tensor has it. */
static pml_status add_by_use(adder *a, pml_onnx_weight weight, const char *base, pml_error *error) {
    pml_status status = PML_OK;
    pml_onnx_name name;
    size_t i_other;
    if (is_steering(&weight)) {
        a->weights->n_left_out++;
        goto done;
    }
    if (!pml_onnx_name_recover(&a->graph, weight.stored, base, &name)) {
        PML_TRY(add_stored(a, &weight, base, error));
        goto done;
    }
    const bool was_transposed = weight.is_transposed;
    weight.is_transposed = name.is_transposed;
    if (!pml_names_find(&a->weights->names, name.text, strlen(name.text), &i_other)) {
        PML_TRY(add_weight(a, name.text, &weight, error));
        a->weights->n_recovered++;
    } else if (!is_same(a, &weight, &a->weights->items[i_other])) {
        weight.is_transposed = was_transposed;
        PML_TRY(add_stored(a, &weight, base, error));
    }
done:
    return status;
}

/* One of two passes: the tensors with names of their own, or the rest. */
static pml_status add_named(adder *a, bool is_first, pml_error *error) {
    pml_status status = PML_OK;
    char *base = NULL;
    for (size_t i = 0; i < a->model->n_tensors; i++) {
        const pml_onnx_tensor *tensor = &a->model->tensors[i];
        pml_onnx_weight weight = {.stored = tensor};
        if (a->is_used[i]) {
            continue;
        }
        pml_free(base);
        base = NULL;
        PML_TRY(pml_onnx_quantized_find(&a->graph, tensor, pml_source_path(a->source), &weight, &base, error));
        if (is_own_name(tensor, base) != is_first) {
            continue;
        }
        if (weight.scale != NULL) {
            a->weights->n_quantized++;
        }
        PML_TRY(is_first ? add_stored(a, &weight, base, error) : add_by_use(a, weight, base, error));
    }
done:
    pml_free(base);
    return status;
}

/* Marks scales and zero points, which are no weights. */
static pml_status mark_used(adder *a, pml_error *error) {
    pml_status status = PML_OK;
    char *base = NULL;
    PML_TRY(pml_onnx_quantized_refuse(a->model, pml_source_path(a->source), error));
    PML_TRY(pml_alloc(a->model->n_tensors, sizeof *a->is_used, &a->is_used, error));
    for (size_t i = 0; i < a->model->n_tensors; i++) {
        pml_onnx_weight weight = {.stored = &a->model->tensors[i]};
        pml_free(base);
        base = NULL;
        PML_TRY(pml_onnx_quantized_find(&a->graph, weight.stored, pml_source_path(a->source), &weight, &base, error));
        if (weight.scale != NULL) {
            a->is_used[weight.scale - a->model->tensors] = true;
        }
        if (weight.zero != NULL) {
            a->is_used[weight.zero - a->model->tensors] = true;
        }
    }
done:
    pml_free(base);
    return status;
}

pml_status pml_onnx_weights_add(const pml_onnx_model *model, pml_onnx_view view, pml_source *source,
                                pml_onnx_weights *weights, pml_error *error) {
    pml_status status = PML_OK;
    adder a = {.model = model, .source = source, .weights = weights};
    PML_TRY(pml_onnx_graph_build(model, pml_source_path(source), &a.graph, error));
    if (view == PML_ONNX_AS_STORED) {
        for (size_t i = 0; i < model->n_tensors; i++) {
            const pml_onnx_weight weight = {.stored = &model->tensors[i]};
            PML_TRY(add_stored(&a, &weight, model->tensors[i].name, error));
        }
        goto done;
    }
    PML_TRY(mark_used(&a, error));
    PML_TRY(add_named(&a, true, error));
    PML_TRY(add_named(&a, false, error));
done:
    pml_onnx_graph_deinit(&a.graph);
    pml_free(a.is_used);
    return status;
}

void pml_onnx_weights_deinit(pml_onnx_weights *weights) {
    pml_names_deinit(&weights->names);
    pml_free(weights->items);
    *weights = (pml_onnx_weights){0};
}
