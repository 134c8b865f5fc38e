/* One pass over tensors and nodes. Walks from value to value are bounded, so a cycle does no harm. */
#include "formats/onnx/onnx_graph.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"

enum { MAX_HOPS = 4 };

static pml_status add_value(pml_onnx_graph *graph, const char *name, pml_onnx_value **value, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_value;
    bool is_new;
    PML_TRY(pml_grow(&graph->values, &graph->capacity, graph->n_values + 1, sizeof *graph->values, PML_MAX_GRAPH_PARTS,
                     "values in a graph", error));
    PML_TRY(pml_names_add(&graph->names, name, strlen(name), PML_MAX_GRAPH_PARTS, "values in a graph", &i_value,
                          &is_new, error));
    if (is_new) {
        graph->values[graph->n_values++] = (pml_onnx_value){0};
    }
    *value = &graph->values[i_value];
done:
    return status;
}

pml_status pml_onnx_graph_build(const pml_onnx_model *model, const char *path, pml_onnx_graph *graph,
                                pml_error *error) {
    pml_status status = PML_OK;
    const Onnx__GraphProto *proto = model->proto->graph;
    pml_onnx_value *value;
    graph->model = model;
    for (size_t i = 0; i < model->n_tensors; i++) {
        PML_TRY(add_value(graph, model->tensors[i].name, &value, error));
        if (value->tensor != NULL) {
            pml_quoted name;
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: tensor %s: the name stands twice in this file", path,
                             pml_quote(&name, model->tensors[i].name)));
        }
        value->tensor = &model->tensors[i];
    }
    for (size_t i = 0; i < proto->n_node; i++) {
        for (size_t j = 0; j < proto->node[i]->n_input; j++) {
            PML_TRY(add_value(graph, proto->node[i]->input[j], &value, error));
            if (value->first_user == NULL) {
                value->first_user = proto->node[i];
                value->i_input = j;
            }
        }
    }
done:
    return status;
}

void pml_onnx_graph_deinit(pml_onnx_graph *graph) {
    pml_names_deinit(&graph->names);
    pml_free(graph->values);
    *graph = (pml_onnx_graph){0};
}

const pml_onnx_value *pml_onnx_graph_find(const pml_onnx_graph *graph, const char *name) {
    size_t i_value;
    return pml_names_find(&graph->names, name, strlen(name), &i_value) ? &graph->values[i_value] : NULL;
}

bool pml_onnx_node_is(const Onnx__NodeProto *node, const char *op_type) {
    return node->op_type != NULL && strcmp(node->op_type, op_type) == 0;
}

static bool is_among(const Onnx__NodeProto *node, const char *const *op_types) {
    while (*op_types != NULL && !pml_onnx_node_is(node, *op_types)) {
        op_types++;
    }
    return *op_types != NULL;
}

const Onnx__NodeProto *pml_onnx_graph_user(const pml_onnx_graph *graph, const char *name, const char *const *passed,
                                           size_t *i_input) {
    for (size_t hop = 0; hop <= MAX_HOPS; hop++) {
        const pml_onnx_value *value = pml_onnx_graph_find(graph, name);
        const Onnx__NodeProto *user = value == NULL ? NULL : value->first_user;
        if (user == NULL) {
            return NULL;
        }
        if (!is_among(user, passed)) {
            *i_input = value->i_input;
            return user;
        }
        if (user->n_output == 0) {
            return NULL;
        }
        name = user->output[0];
    }
    return NULL;
}

int64_t pml_onnx_node_integer(const Onnx__NodeProto *node, const char *name, int64_t fallback) {
    for (size_t i = 0; i < node->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = node->attribute[i];
        if (attribute->name != NULL && strcmp(attribute->name, name) == 0) {
            return attribute->has_i ? attribute->i : fallback;
        }
    }
    return fallback;
}
