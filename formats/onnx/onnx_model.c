/* From the file's bytes to messages (protobuf-c, fed with what pml_onnx_filter leaves) and tensors. */
#include "formats/onnx/onnx_model.h"

#include <stdio.h>
#include <string.h>

#include "formats/onnx/onnx_external.h"
#include "formats/onnx/onnx_typed.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/quote.h"

enum { LEAST_OPSET = 11 };

/* ---- messages ---- */
static void *allocate(void *context, size_t size_bytes) {
    void *memory = NULL;
    (void)context;
    return pml_alloc(size_bytes, 1, &memory, NULL) == PML_OK ? memory : NULL;
}

static void release(void *context, void *memory) {
    (void)context;
    pml_free(memory);
}

static ProtobufCAllocator allocator = {.alloc = allocate, .free = release};

/* The message is well-formed already: only memory can be short. */
static pml_status unpack(pml_onnx_model *model, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    model->proto = onnx__model_proto__unpack(&allocator, model->filtered.n_bytes, model->filtered.bytes);
    if (model->proto == NULL) {
        PML_TRY(
            PML_FAIL(error, PML_E_MEMORY, "%s: no memory for the graph's %zu bytes", path, model->filtered.n_bytes));
    }
    pml_free(model->filtered.bytes);
    model->filtered.bytes = NULL;
done:
    return status;
}

static pml_status check_opset(const Onnx__ModelProto *proto, const char *path, pml_error *error) {
    for (size_t i = 0; i < proto->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *set = proto->opset_import[i];
        if (set->domain == NULL || set->domain[0] == '\0' || strcmp(set->domain, "ai.onnx") == 0) {
            if (set->version < LEAST_OPSET) {
                return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: uses ONNX operator set %lld; %d and later are supported",
                                path, (long long)set->version, LEAST_OPSET);
            }
            return PML_OK;
        }
    }
    return PML_FAIL(error, PML_E_FORMAT, "%s: names no ONNX operator set", path);
}

/* ---- tensors ---- */
typedef struct type_row {
    const char *name;
    pml_dtype dtype;
} type_row;

/* By TensorProto.DataType. */
static const type_row types[] = {
    {"UNDEFINED", PML_DTYPE_NONE},
    {"FLOAT", PML_DTYPE_F32},
    {"UINT8", PML_DTYPE_U8},
    {"INT8", PML_DTYPE_I8},
    {"UINT16", PML_DTYPE_U16},
    {"INT16", PML_DTYPE_I16},
    {"INT32", PML_DTYPE_I32},
    {"INT64", PML_DTYPE_I64},
    {"STRING", PML_DTYPE_NONE},
    {"BOOL", PML_DTYPE_BOOL},
    {"FLOAT16", PML_DTYPE_F16},
    {"DOUBLE", PML_DTYPE_F64},
    {"UINT32", PML_DTYPE_U32},
    {"UINT64", PML_DTYPE_U64},
    {"COMPLEX64", PML_DTYPE_C64},
    {"COMPLEX128", PML_DTYPE_NONE},
    {"BFLOAT16", PML_DTYPE_BF16},
    {"FLOAT8E4M3FN", PML_DTYPE_F8_E4M3},
    {"FLOAT8E4M3FNUZ", PML_DTYPE_NONE},
    {"FLOAT8E5M2", PML_DTYPE_F8_E5M2},
    {"FLOAT8E5M2FNUZ", PML_DTYPE_NONE},
    {"UINT4", PML_DTYPE_NONE},
    {"INT4", PML_DTYPE_NONE},
    {"FLOAT4E2M1", PML_DTYPE_NONE},
    {"FLOAT8E8M0", PML_DTYPE_F8_E8M0},
    {"UINT2", PML_DTYPE_NONE},
    {"INT2", PML_DTYPE_NONE},
    {"FLOAT6E2M3", PML_DTYPE_NONE},
    {"FLOAT6E3M2", PML_DTYPE_NONE},
};
enum { N_TYPES = sizeof types / sizeof types[0] };

typedef struct tensor_reader {
    pml_source *source;
    size_t i_file;
    pml_onnx_model *model;
    pml_wire wire; /* of the file */
} tensor_reader;

/* "path: byte N: tensor 'name': cause". */
static pml_status tensor_fail(const tensor_reader *r, const pml_onnx_tensor *tensor, pml_status code, const char *cause,
                              pml_error *error) {
    pml_quoted name;
    return PML_FAIL_AT(error, code, tensor->data->begin, "%s: byte %llu: tensor %s: %s", r->wire.path,
                       (unsigned long long)tensor->data->begin, pml_quote(&name, tensor->name), cause);
}

static pml_status read_type(const tensor_reader *r, const Onnx__TensorProto *proto, pml_onnx_tensor *tensor,
                            pml_error *error) {
    char cause[96];
    const bool is_known = proto->data_type > 0 && proto->data_type < N_TYPES;
    tensor->dtype = is_known ? types[proto->data_type].dtype : PML_DTYPE_NONE;
    if (tensor->dtype == PML_DTYPE_NONE) {
        (void)snprintf(cause, sizeof cause, "elements of type %d%s%s are not supported", (int)proto->data_type,
                       is_known ? ", " : "", is_known ? types[proto->data_type].name : "");
        return tensor_fail(r, tensor, PML_E_UNSUPPORTED, cause, error);
    }
    return PML_OK;
}

static pml_status read_shape(const tensor_reader *r, const Onnx__TensorProto *proto, pml_onnx_tensor *tensor,
                             pml_error *error) {
    uint64_t n_bits;
    if (proto->n_dims > PML_MAX_RANK) {
        return tensor_fail(r, tensor, PML_E_UNSUPPORTED, "has more than 8 dimensions", error);
    }
    tensor->rank = (unsigned)proto->n_dims;
    for (size_t i = 0; i < proto->n_dims; i++) {
        if (proto->dims[i] < 0) {
            return tensor_fail(r, tensor, PML_E_FORMAT, "a dimension is negative", error);
        }
        tensor->shape[i] = (uint64_t)proto->dims[i];
    }
    if (!pml_ck_product(tensor->shape, tensor->rank, &tensor->n_elements) ||
        !pml_ck_mul(tensor->n_elements, pml_dtype_bits(tensor->dtype), &n_bits)) {
        return tensor_fail(r, tensor, PML_E_FORMAT, "the size of its shape overflows 64 bits", error);
    }
    tensor->size_bytes = n_bits / 8; /* every type of the table fills bytes */
    return PML_OK;
}

/* Elements beside the model: data_location says so. */
static pml_status read_external(const tensor_reader *r, const Onnx__TensorProto *proto, pml_onnx_tensor *tensor,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_onnx_place place;
    if (tensor->data->has_raw || tensor->data->typed_field != 0) {
        PML_TRY(tensor_fail(r, tensor, PML_E_FORMAT, "has its elements here and in a file of its own", error));
    }
    tensor->data = NULL;
    PML_TRY(pml_onnx_place_read(r->source, r->model, proto, tensor->size_bytes, &place, error));
    tensor->i_file = place.i_file;
    tensor->offset = place.offset;
done:
    return status;
}

static pml_status read_raw(const tensor_reader *r, pml_onnx_tensor *tensor, pml_error *error) {
    const pml_onnx_data *data = tensor->data;
    char cause[160];
    if (data->typed_field != 0) {
        return tensor_fail(r, tensor, PML_E_FORMAT, "has its elements in raw_data and in a typed field", error);
    }
    if (data->raw_bytes != tensor->size_bytes) {
        (void)snprintf(cause, sizeof cause, "its shape needs %llu bytes of %s, raw_data has %llu",
                       (unsigned long long)tensor->size_bytes, pml_dtype_name(tensor->dtype),
                       (unsigned long long)data->raw_bytes);
        return tensor_fail(r, tensor, PML_E_FORMAT, cause, error);
    }
    tensor->offset = data->raw_offset;
    return PML_OK;
}

static pml_status read_typed(const tensor_reader *r, pml_onnx_tensor *tensor, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t size_bytes;
    if (tensor->data->typed_field == 0 && tensor->n_elements == 0) {
        goto done; /* an empty tensor needs no field */
    }
    if (tensor->data->typed_field == 0) {
        PML_TRY(tensor_fail(r, tensor, PML_E_FORMAT, "has no elements", error));
    }
    if (tensor->data->typed_field != pml_onnx_typed_field(tensor->dtype)) {
        PML_TRY(tensor_fail(r, tensor, PML_E_FORMAT, "its elements stand in a field of another type", error));
    }
    if (pml_onnx_typed_is_plain(tensor->data, &tensor->offset, &size_bytes)) {
        if (size_bytes != tensor->size_bytes) {
            PML_TRY(tensor_fail(r, tensor, PML_E_FORMAT, "its typed field holds another number of elements", error));
        }
        goto done;
    }
    tensor->is_typed = true;
    tensor->offset = tensor->data->begin;
    status = pml_onnx_typed_decode(&r->wire, tensor->data, tensor->dtype, tensor->n_elements, NULL, error);
done:
    return status;
}

static pml_status add_tensor(const tensor_reader *r, const Onnx__TensorProto *proto, const char *name, bool is_constant,
                             pml_error *error) {
    pml_status status = PML_OK;
    pml_onnx_model *model = r->model;
    size_t i_data = 0;
    for (size_t i = proto->raw_data.len; i-- > 0;) {
        i_data = i_data << 8 | proto->raw_data.data[i];
    }
    pml_onnx_tensor tensor = {
        .name = name, .is_constant = is_constant, .i_file = (unsigned)r->i_file, .data = &model->filtered.data[i_data]};
    tensor.offset = tensor.data->begin;
    PML_TRY(read_type(r, proto, &tensor, error));
    PML_TRY(read_shape(r, proto, &tensor, error));
    if (proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
        PML_TRY(read_external(r, proto, &tensor, error));
    } else if (tensor.data->has_raw) {
        PML_TRY(read_raw(r, &tensor, error));
    } else {
        PML_TRY(read_typed(r, &tensor, error));
    }
    PML_TRY(pml_grow(&model->tensors, &model->tensor_capacity, model->n_tensors + 1, sizeof *model->tensors,
                     PML_MAX_GRAPH_PARTS, "tensors in a graph", error));
    model->tensors[model->n_tensors++] = tensor;
done:
    return status;
}

/* The tensor that a Constant node gives; NULL where the node is another, or its value a single number or a list, or
 * text.
 */
static pml_status find_constant(const tensor_reader *r, const Onnx__NodeProto *node, const Onnx__TensorProto **proto,
                                pml_error *error) {
    const bool is_constant = node->op_type != NULL && strcmp(node->op_type, "Constant") == 0 && node->n_output == 1;
    *proto = NULL;
    for (size_t i = 0; is_constant && i < node->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = node->attribute[i];
        if (attribute->name == NULL || strcmp(attribute->name, "value") != 0) {
            continue;
        }
        const bool is_tensor = !attribute->has_type || attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
        if (*proto != NULL || attribute->t == NULL || !is_tensor) {
            pml_quoted name;
            return PML_FAIL(error, PML_E_FORMAT, "%s: the value of the Constant node that gives %s is no single tensor",
                            r->wire.path, pml_quote(&name, node->output[0]));
        }
        *proto = attribute->t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__STRING ? NULL : attribute->t;
    }
    return PML_OK;
}

static pml_status add_tensors(const tensor_reader *r, pml_error *error) {
    pml_status status = PML_OK;
    const Onnx__GraphProto *graph = r->model->proto->graph;
    for (size_t i = 0; i < graph->n_initializer; i++) {
        const Onnx__TensorProto *proto = graph->initializer[i];
        if (proto->name == NULL || proto->name[0] == '\0') {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: initializer %zu has no name", r->wire.path, i));
        }
        PML_TRY(add_tensor(r, proto, proto->name, false, error));
    }
    for (size_t i = 0; i < graph->n_node; i++) {
        const Onnx__TensorProto *proto;
        PML_TRY(find_constant(r, graph->node[i], &proto, error));
        if (proto != NULL) {
            PML_TRY(add_tensor(r, proto, graph->node[i]->output[0], true, error));
        }
    }
done:
    return status;
}

pml_status pml_onnx_model_read(pml_source *source, size_t i_file, pml_onnx_model *model, pml_error *error) {
    pml_status status = PML_OK;
    tensor_reader reader = {.source = source, .i_file = i_file, .model = model};
    const char *path = pml_source_file_path(source, i_file);
    reader.wire = (pml_wire){
        .bytes = pml_source_file_data(source, i_file), .end = pml_source_file_size(source, i_file), .path = path};
    PML_TRY(pml_onnx_filter(&reader.wire, &model->filtered, error));
    PML_TRY(unpack(model, path, error));
    if (model->proto->graph == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: holds no graph", path));
    }
    PML_TRY(check_opset(model->proto, path, error));
    PML_TRY(add_tensors(&reader, error));
done:
    return status;
}

void pml_onnx_model_deinit(pml_onnx_model *model) {
    if (model->proto != NULL) {
        onnx__model_proto__free_unpacked(model->proto, &allocator);
    }
    pml_onnx_filtered_deinit(&model->filtered);
    pml_names_deinit(&model->external);
    pml_free(model->external_files);
    pml_free(model->tensors);
    *model = (pml_onnx_model){0};
}
