/* Creating a model: family, configuration, weights and ports, each checked before the family's code sees it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/shape_text.h"
#include "runtime/models/model_private.h"

#define PML_FAMILY(name) extern const pml_model_family pml_model_##name;
#include "runtime/schema/registry.def"
#undef PML_FAMILY

static const struct {
    const char *name;
    const pml_model_family *family;
} families[] = {
#define PML_FAMILY(name) {#name, &pml_model_##name},
#include "runtime/schema/registry.def"
#undef PML_FAMILY
};

static pml_status find_family(pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    const pml_metadata *metadata = pml_file_metadata(model->file);
    const char *name = NULL;
    if (pml_file_get_kind(model->file) != PML_KIND_MODEL) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "the file is not of kind model"));
    }
    PML_TRY(pml_metadata_get_string(metadata, "general.family", &name, error));
    model->schema = pml_schema_find(name);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (strcmp(families[i].name, name) == 0) {
            model->family = families[i].family;
        }
    }
    if (model->schema == NULL || model->family == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "this build does not know the model family '%s'", name));
    }
    PML_TRY(pml_schema_check_config(model->schema, metadata, error));

done:
    return status;
}

/* ---- weights ---- */
static pml_status check_weight(pml_model *model, const pml_weight_instance *weight, pml_error *error) {
    pml_status status = PML_OK;
    const pml_file_tensor *tensor = pml_file_tensor_find(model->file, weight->name);
    if (tensor == NULL) {
        PML_TRY(
            PML_FAIL(error, PML_E_FORMAT, "tensor '%s', which the configuration calls for, is missing", weight->name));
    }
    if (tensor->rank != weight->rank ||
        memcmp(tensor->shape, weight->shape, weight->rank * sizeof weight->shape[0]) != 0) {
        char has[PML_SHAPE_TEXT_BYTES], wants[PML_SHAPE_TEXT_BYTES];
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, tensor->offset_bytes,
                            "tensor '%s' has shape %s; the configuration calls for %s", weight->name,
                            pml_shape_text(tensor->shape, tensor->rank, has),
                            pml_shape_text(weight->shape, weight->rank, wants)));
    }
    bool is_matrix = weight->spec->role == PML_ROLE_MATRIX || weight->spec->role == PML_ROLE_CONVOLUTION;
    const bool is_embedding = weight->spec->role == PML_ROLE_EMBEDDING, is_i8 = tensor->dtype == PML_DTYPE_I8;
    bool fits = tensor->dtype == PML_DTYPE_F32 || (is_matrix && tensor->dtype == PML_DTYPE_BF16) ||
                (is_i8 && (is_matrix || is_embedding));
    fits = fits && (is_i8 || tensor->layout == PML_LAYOUT_ROW || (is_matrix && tensor->layout == PML_LAYOUT_PANEL));
    if (!fits) {
        PML_TRY(PML_FAIL_AT(
            error, PML_E_FORMAT, tensor->offset_bytes, "tensor '%s' is %s in layout %s; a %s may not be", weight->name,
            pml_dtype_name(tensor->dtype), pml_layout_name(tensor->layout), is_matrix ? "matrix" : "vector or table"));
    }
    model->has_bf16 = model->has_bf16 || tensor->dtype == PML_DTYPE_BF16;
    const bool is_coarse = is_i8 && is_matrix && tensor->group_rows == 0;
    model->has_i8 = model->has_i8 || is_coarse;
    model->has_grouped_i8 = model->has_grouped_i8 || (is_i8 && !is_coarse);

done:
    return status;
}

static pml_status check_weights(pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    pml_weight_list list = {0};
    /* One more than there are: then the message names the one that is missing. */
    const size_t most = pml_file_n_tensors(model->file) + 1;
    PML_TRY(pml_schema_weights(model->schema, pml_file_metadata(model->file), most, &list, error));
    for (size_t i = 0; i < list.count; i++) {
        PML_TRY(check_weight(model, &list.items[i], error));
    }
    for (size_t i = 0, n = pml_file_n_tensors(model->file); n != list.count && i < n; i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(model->file, i);
        if (pml_weight_list_find(&list, tensor->name) == NULL) {
            PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, tensor->offset_bytes,
                                "tensor '%s' has no place in the configured model", tensor->name));
        }
    }

done:
    pml_weight_list_deinit(&list);
    return status;
}

/* ---- ports ---- */
/* What the schema says about values that are indexes. */
static pml_status load_index(const pml_model *model, const pml_port_spec *spec, pml_model_port *port,
                             pml_error *error) {
    pml_status status = PML_OK;
    const pml_index_spec *index = model->schema->indexes;
    while (index != NULL && index->input != NULL && strcmp(index->input, spec->name) != 0) {
        index++;
    }
    if (index != NULL && index->input != NULL) {
        int64_t bound;
        PML_TRY(pml_schema_eval(model->schema, pml_file_metadata(model->file), index->below, -1, &bound, error));
        if (bound < 1 || bound > PML_MODEL_MAX_INDEX) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "port '%s' has %" PRId64 " indexes; 1 to %d can be told apart in F32",
                             spec->name, bound, PML_MODEL_MAX_INDEX));
        }
        port->index_below = (uint64_t)bound;
    }

done:
    return status;
}

static pml_status load_port(const pml_model *model, const pml_port_spec *spec, pml_model_port *port, pml_error *error) {
    pml_status status = PML_OK;
    const pml_metadata *metadata = pml_file_metadata(model->file);
    uint64_t one[PML_MAX_RANK], two[PML_MAX_RANK], longer[PML_MAX_RANK];
    *port = (pml_model_port){.name = spec->name, .optional = spec->optional};
    PML_TRY(pml_schema_port_dims(model->schema, metadata, spec->dims, 1, 1, one, &port->rank, error));
    PML_TRY(pml_schema_port_dims(model->schema, metadata, spec->dims, 2, 1, two, &port->rank, error));
    PML_TRY(pml_schema_port_dims(model->schema, metadata, spec->dims, 1, 2, longer, &port->rank, error));
    bool fits = port->rank > 0 && one[0] == 1 && two[0] == 2;
    uint64_t count = sizeof(float);
    for (unsigned axis = 0; axis < port->rank; axis++) {
        fits = fits && (axis == 0 || one[axis] == two[axis]) && pml_ck_size(one[axis], &port->shape[axis]) &&
               pml_ck_mul(count, one[axis], &count) && count <= SIZE_MAX / 4;
        if (longer[axis] != one[axis]) {
            fits = fits && axis > 0 && port->token_axis == 0 && one[axis] == 1 && longer[axis] == 2;
            port->token_axis = axis;
        }
    }
    if (!fits) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG,
                         "port '%s' is too large, or B is not its first axis alone, or T not one "
                         "axis alone",
                         spec->name));
    }
    PML_TRY(load_index(model, spec, port, error));

done:
    return status;
}

static pml_status load_ports(const pml_model *model, const pml_port_spec *specs, pml_model_port *ports, size_t *n_ports,
                             pml_error *error) {
    pml_status status = PML_OK;
    for (const pml_port_spec *spec = specs; spec->name != NULL; spec++) {
        int64_t exists = 1;
        if (spec->when != NULL) {
            PML_TRY(pml_schema_eval(model->schema, pml_file_metadata(model->file), spec->when, -1, &exists, error));
        }
        if (exists == 0) {
            continue;
        }
        if (*n_ports == PML_MODEL_MAX_PORTS) {
            PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "more than %u inputs or outputs", PML_MODEL_MAX_PORTS));
        }
        PML_TRY(load_port(model, spec, &ports[*n_ports], error));
        (*n_ports)++;
    }

done:
    return status;
}

pml_status pml_model_create_with(pml_file *file, const char *backend, pml_model_training *training,
                                 pml_model_adapters *adapters, pml_model **model, pml_error *error) {
    pml_status status = PML_OK;
    pml_model *made = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->file = file;
    made->training = training;
    made->adapters = adapters;
    training = NULL;
    adapters = NULL;
    PML_TRY(find_family(made, error));
    PML_TRY(check_weights(made, error));
    PML_TRY(load_ports(made, made->schema->inputs, made->inputs, &made->n_inputs, error));
    PML_TRY(load_ports(made, made->schema->outputs, made->outputs, &made->n_outputs, error));
    for (size_t i = 0; i < made->n_outputs; i++) {
        made->results[i] = (pml_array){.name = made->outputs[i].name, .rank = made->outputs[i].rank};
        memcpy(made->results[i].shape, made->outputs[i].shape, sizeof made->results[i].shape);
        made->results[i].shape[0] = 0;
        made->results[i].shape[made->outputs[i].token_axis] = 0;
    }
    PML_TRY(pml_context_init(&made->context, backend, error));
    PML_TRY(pml_alloc(1, made->family->data_bytes, &made->data, error));
    PML_TRY(made->family->load(made, error));
    PML_TRY(pml_model_adapters_check(made, error));
    *model = made;
    made = NULL;

done:
    if (made != NULL) {
        pml_error_prefix(error, status, "%s", pml_file_path(file));
        pml_model_destroy(made);
    }
    pml_model_training_destroy(training);
    pml_model_adapters_destroy(adapters);
    return status;
}

pml_status pml_model_create(pml_file *file, const char *backend, pml_model **model, pml_error *error) {
    return pml_model_create_with(file, backend, NULL, NULL, model, error);
}

void pml_model_destroy(pml_model *model) {
    if (model != NULL) {
        pml_window_units_deinit(&model->forecast_units);
        pml_free(model->forecast_values);
        pml_free(model->forecast_mask);
        pml_free(model->data);
        pml_context_deinit(&model->context);
        pml_model_training_destroy(model->training);
        pml_model_adapters_destroy(model->adapters);
        pml_free(model);
    }
}

pml_status pml_model_threads_set(pml_model *model, size_t n_threads, pml_error *error) {
    return pml_context_threads_set(&model->context, n_threads, error);
}

size_t pml_model_threads(pml_model *model) {
    return pml_context_threads(&model->context);
}

/* ---- what families see ---- */
void *pml_model_data(const pml_model *model) {
    return model->data;
}

pml_context *pml_model_context(pml_model *model) {
    return &model->context;
}

const pml_schema *pml_model_schema(const pml_model *model) {
    return model->schema;
}

const pml_metadata *pml_model_metadata(const pml_model *model) {
    return pml_file_metadata(model->file);
}

bool pml_model_is_trainable(const pml_model *model) {
    return model->training != NULL;
}

bool pml_model_has_bf16(const pml_model *model) {
    return model->has_bf16;
}

void pml_model_batch_wide_set(pml_model *model, bool batch_wide) {
    model->planned_batch = model->context.batch_wide == batch_wide ? model->planned_batch : 0;
    model->context.batch_wide = batch_wide;
}

bool pml_model_is_batch_wide(const pml_model *model) {
    return model->context.batch_wide;
}

bool pml_model_has_i8(const pml_model *model) {
    return model->has_i8;
}

bool pml_model_has_grouped_i8(const pml_model *model) {
    return model->has_grouped_i8;
}

size_t pml_model_n_tokens(const pml_model *model) {
    return model->n_tokens;
}

size_t pml_model_n_inputs(const pml_model *model) {
    return model->n_inputs;
}

const pml_model_port *pml_model_input_at(const pml_model *model, size_t i_input) {
    return i_input < model->n_inputs ? &model->inputs[i_input] : NULL;
}

static const pml_model_port *find_port(const pml_model_port *ports, size_t n_ports, const char *name) {
    for (size_t i = 0; i < n_ports; i++) {
        if (strcmp(ports[i].name, name) == 0) {
            return &ports[i];
        }
    }
    return NULL;
}

/* The port of that name or, failing that, of that alias. */
static const pml_model_port *find_named(const pml_model *model, const pml_model_port *ports, size_t n_ports,
                                        const char *name) {
    const pml_model_port *port = find_port(ports, n_ports, name);
    const pml_port_alias *at = model->schema->aliases;
    for (; port == NULL && at != NULL && at->alias != NULL; at++) {
        port = strcmp(at->alias, name) == 0 ? find_port(ports, n_ports, at->port) : NULL;
    }
    return port;
}

const pml_model_port *pml_model_find_input(const pml_model *model, const char *name) {
    return find_named(model, model->inputs, model->n_inputs, name);
}

const pml_model_port *pml_model_find_output(const pml_model *model, const char *name) {
    return find_named(model, model->outputs, model->n_outputs, name);
}

bool pml_model_has_weight(const pml_model *model, const char *name) {
    return pml_file_tensor_find(model->file, name) != NULL;
}

pml_status pml_model_weight(pml_model *model, pml_tensor *tensor, pml_error *error, const char *format, ...) {
    pml_status status = PML_OK;
    char name[PML_MAX_NAME_BYTES + 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    pml_buffer *buffer;
    /* What an adapter has whole stands for the model's. */
    const pml_file *file = model->adapters != NULL && model->adapters->file != NULL &&
                                   pml_file_tensor_find(model->adapters->file, name) != NULL
                               ? model->adapters->file
                               : model->file;
    const pml_file_tensor *found = pml_file_tensor_find(file, name);
    if (model->training != NULL && pml_model_training_weight(model->training, name, tensor)) {
        goto done;
    }
    if (found == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tensor '%s' is missing", name));
    }
    PML_TRY(pml_arena_alloc(&model->context.model, 1, sizeof *buffer, &buffer, error));
    PML_TRY(pml_tensor_view_file(file, found, buffer, tensor, error));

done:
    return status;
}

pml_status pml_model_table(pml_model *model, size_t n_rows, size_t n_columns, pml_tensor *table, pml_error *error) {
    pml_status status = PML_OK;
    const size_t shape[] = {n_rows, n_columns}, size_bytes = pml_context_floats(shape, 2);
    float *values = NULL;
    pml_buffer *buffer = NULL;
    if (size_bytes > PML_MAX_TABLE_BYTES) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "the configuration needs a table of %zu x %zu numbers: at most %u MiB", n_rows, n_columns,
                         PML_MAX_TABLE_BYTES >> 20));
    }
    PML_TRY(pml_arena_alloc(&model->context.model, size_bytes, 1, &values, error));
    PML_TRY(pml_arena_alloc(&model->context.model, 1, sizeof *buffer, &buffer, error));
    *table = pml_context_view(values, PML_DTYPE_F32, shape, 2, buffer);
    table->is_constant = false; /* whoever asks for it fills it */

done:
    return status;
}
