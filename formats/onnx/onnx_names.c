/* The weight of a linear layer is the second operand of a product. Its name is that of the bias which is added next, or
 * else that of the module which the product's node belongs to: in the node's own name ("/encoder/layer.0/query/MatMul",
 * the TorchScript exporter), or in its metadata (the newer exporter's name scopes). */
#include "formats/onnx/onnx_names.h"

#include <stdio.h>
#include <string.h>

#include "formats/file_map.h"

static const char TRANSPOSED[] = "_Transposed"; /* what onnxruntime's quantization appends to a Gemm's weight */
static const char SCOPES[] = "pkg.torch.onnx.name_scopes";

/* "val_50", "_val_50". */
static bool is_numbered_value(const char *name) {
    name += name[0] == '_' ? 1 : 0;
    return strncmp(name, "val_", 4) == 0 && name[4] != '\0' && strspn(name + 4, "0123456789") == strlen(name + 4);
}

bool pml_onnx_name_is_made_up(const char *name) {
    return strncmp(name, "onnx::", 6) == 0 || name[0] == '/' || is_numbered_value(name);
}

/* Writes "<prefix of length bytes><ending>"; false when it is empty or too long. */
static bool set_name(pml_onnx_name *name, const char *prefix, size_t length, const char *ending) {
    if (length == 0 || length + strlen(ending) > PML_MAX_NAME_BYTES) {
        return false;
    }
    memcpy(name->text, prefix, length);
    memcpy(name->text + length, ending, strlen(ending) + 1);
    return true;
}

/* ---- the module of a node ---- */
/* "/encoder/layer.0/query/MatMul" -> "encoder.layer.0.query". */
static bool module_of_path(const char *node_name, pml_onnx_name *module) {
    const char *last = strrchr(node_name, '/');
    if (node_name[0] != '/' ||
        !set_name(module, node_name + 1, last > node_name ? (size_t)(last - node_name - 1) : 0, "")) {
        return false;
    }
    for (char *at = module->text; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '.';
        }
    }
    return true;
}

/* "['', 'encoder', 'encoder.query', 'linear']" -> "encoder.query": the last but one, without its quotes. */
static bool module_of_scopes(const char *scopes, pml_onnx_name *module) {
    const char *begin = NULL, *previous = NULL;
    size_t length = 0, previous_length = 0;
    for (const char *at = strchr(scopes, '\''); at != NULL; at = strchr(at + length + 1, '\'')) {
        previous = begin;
        previous_length = length;
        begin = at + 1;
        length = strcspn(begin, "'");
        if (begin[length] == '\0') {
            return false;
        }
        at = begin;
    }
    return previous != NULL && set_name(module, previous, previous_length, "");
}

/* `by_path`: the node's own name will do, too. */
static bool module_of(const Onnx__NodeProto *node, bool by_path, pml_onnx_name *module) {
    for (size_t i = 0; i < node->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *entry = node->metadata_props[i];
        if (entry->key != NULL && entry->value != NULL && strcmp(entry->key, SCOPES) == 0) {
            return module_of_scopes(entry->value, module);
        }
    }
    return by_path && node->name != NULL && module_of_path(node->name, module);
}

/* ---- the bias of a product ---- */
/* The module of the bias that is added to the result of `product`, whose columns are `n_columns`. */
static bool module_of_bias(const pml_onnx_graph *graph, const Onnx__NodeProto *product, uint64_t n_columns,
                           pml_onnx_name *module) {
    static const char *const plain[] = {"Cast", "Identity", NULL};
    static const char *const integer[] = {"Cast", "Identity", "Mul", NULL};
    size_t i_input;
    if (product->n_output == 0) {
        return false;
    }
    const Onnx__NodeProto *sum = pml_onnx_graph_user(
        graph, product->output[0], pml_onnx_node_is(product, "MatMulInteger") ? integer : plain, &i_input);
    if (sum == NULL || !pml_onnx_node_is(sum, "Add") || sum->n_input != 2 || i_input > 1) {
        return false;
    }
    const pml_onnx_value *other = pml_onnx_graph_find(graph, sum->input[1 - i_input]);
    const pml_onnx_tensor *bias = other == NULL ? NULL : other->tensor;
    static const char ending[] = ".bias";
    return bias != NULL && bias->rank == 1 && bias->shape[0] == n_columns && pml_name_ends_with(bias->name, ending) &&
           set_name(module, bias->name, strlen(bias->name) - strlen(ending), "");
}

/* ---- weights of linear layers ---- */
/* True when the tensor is the matrix that rows are multiplied with; *is_transposed as in pml_onnx_name. */
static bool is_linear(const Onnx__NodeProto *user, size_t i_input, const pml_onnx_tensor *stored, bool *is_transposed) {
    if (stored->rank != 2 || i_input != 1) {
        return false;
    }
    *is_transposed = true;
    if (pml_onnx_node_is(user, "Gemm")) {
        *is_transposed = pml_onnx_node_integer(user, "transB", 0) == 0;
        return true;
    }
    return pml_onnx_node_is(user, "MatMul") || pml_onnx_node_is(user, "MatMulInteger");
}

bool pml_onnx_name_recover(const pml_onnx_graph *graph, const pml_onnx_tensor *stored, const char *base,
                           pml_onnx_name *name) {
    static const char *const passed[] = {"DequantizeLinear", "Cast", "Identity", NULL};
    size_t i_input;
    *name = (pml_onnx_name){{0}, false};
    if (pml_name_ends_with(base, TRANSPOSED) && stored->rank == 2) {
        name->is_transposed = true;
        return set_name(name, base, strlen(base) - strlen(TRANSPOSED), "");
    }
    const Onnx__NodeProto *user = pml_onnx_graph_user(graph, stored->name, passed, &i_input);
    if (user == NULL) {
        return false;
    }
    pml_onnx_name module;
    if (is_linear(user, i_input, stored, &name->is_transposed)) {
        const uint64_t n_columns = stored->shape[name->is_transposed ? 1 : 0];
        return pml_onnx_name_is_made_up(base) &&
               (module_of_bias(graph, user, n_columns, &module) || module_of(user, true, &module)) &&
               set_name(name, module.text, strlen(module.text), ".weight");
    }
    /* The newer exporter's name for a result that it computed once ("embedding_2"): what is left is where it is used.
     */
    if (pml_onnx_name_is_made_up(base) || !module_of(user, false, &module)) {
        return false;
    }
    const size_t length = strlen(module.text);
    module.text[length] = '.';
    return length + 1 < PML_MAX_NAME_BYTES && set_name(name, module.text, length + 1, base);
}
