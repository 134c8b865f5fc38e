/* Running a model: inputs matched to ports, storage planned, the batch taken in blocks, outputs checked. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "runtime/base/cancel.h"
#include "runtime/base/checked.h"
#include "runtime/models/model_private.h"

#define EXPONENT_BITS 0x7f800000u

size_t pml_model_first_nonfinite(const float *values, size_t count) {
    enum { CHUNK = 4096 };
    for (size_t begin = 0; begin < count; begin += CHUNK) {
        size_t n = count - begin < CHUNK ? count - begin : CHUNK;
        uint32_t greatest = 0;
        for (size_t i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, &values[begin + i], sizeof bits);
            bits &= EXPONENT_BITS;
            greatest = bits > greatest ? bits : greatest;
        }
        for (size_t i = 0; greatest == EXPONENT_BITS && i < n; i++) {
            uint32_t bits;
            memcpy(&bits, &values[begin + i], sizeof bits);
            if ((bits & EXPONENT_BITS) == EXPONENT_BITS) {
                return begin + i;
            }
        }
    }
    return count;
}

static size_t elements(const pml_array *array) {
    size_t count = 1;
    for (size_t axis = 0; axis < array->rank; axis++) {
        count *= array->shape[axis];
    }
    return count;
}

static pml_status check_shape(const pml_model_port *port, const pml_array *input, pml_error *error) {
    if (input->rank != port->rank) {
        return PML_FAIL(error, PML_E_ARGUMENT, "input '%s' has %zu axes, not %u", port->name, input->rank, port->rank);
    }
    uint64_t bytes = sizeof(float);
    bool fits = true;
    for (unsigned axis = 0; axis < port->rank; axis++) {
        if (axis > 0 && axis != port->token_axis && input->shape[axis] != port->shape[axis]) {
            return PML_FAIL(error, PML_E_ARGUMENT, "axis %u of input '%s' has %zu elements, not %zu", axis, port->name,
                            input->shape[axis], port->shape[axis]);
        }
        fits = fits && pml_ck_mul(bytes, input->shape[axis], &bytes);
    }
    if (!fits || bytes > SIZE_MAX / 2 || bytes == 0 || input->data == NULL) {
        return PML_FAIL(error, PML_E_ARGUMENT, "input '%s' is empty or too large", port->name);
    }
    return PML_OK;
}

/* Values: finite, and indexes where the port wants indexes. */
static pml_status check_values(const pml_model_port *port, const pml_array *input, pml_error *error) {
    const size_t count = elements(input), bad = pml_model_first_nonfinite(input->data, count);
    if (bad < count) {
        return PML_FAIL(error, PML_E_NUMERIC, "element %zu of input '%s' is not finite", bad, port->name);
    }
    for (size_t i = 0; port->index_below != 0 && i < count; i++) {
        const float value = input->data[i];
        if (!(value >= 0 && value < (float)port->index_below) || value != floorf(value)) {
            return PML_FAIL(error, PML_E_ARGUMENT,
                            "element %zu of input '%s' is %.9g, which is no integer from 0 to %" PRIu64, i, port->name,
                            (double)value, port->index_below - 1);
        }
    }
    return PML_OK;
}

/* T is what the first input with a token axis says; every other one must agree. */
static pml_status agree_on_tokens(const pml_model_port *port, const pml_array *input, const char **said_by,
                                  size_t *n_tokens, pml_error *error) {
    if (port->token_axis == 0) {
        return PML_OK;
    }
    const size_t n = input->shape[port->token_axis];
    if (*said_by != NULL && n != *n_tokens) {
        return PML_FAIL(error, PML_E_ARGUMENT, "input '%s' has %zu tokens, '%s' %zu", *said_by, *n_tokens, port->name,
                        n);
    }
    *said_by = port->name;
    *n_tokens = n;
    return PML_OK;
}

/* Matches inputs to ports and finds the batch size. */
static pml_status bind_inputs(pml_model *model, const pml_array *inputs, size_t n_inputs, size_t *batch,
                              pml_error *error) {
    pml_status status = PML_OK;
    const pml_array *bound[PML_MODEL_MAX_PORTS] = {0};
    const char *said_by = NULL;
    model->n_tokens = 0;
    for (size_t i = 0; i < n_inputs; i++) {
        const pml_model_port *port = inputs[i].name == NULL ? NULL : pml_model_find_input(model, inputs[i].name);
        if (port == NULL) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the model has no input '%s'",
                             inputs[i].name == NULL ? "" : inputs[i].name));
        }
        size_t i_port = (size_t)(port - model->inputs);
        if (bound[i_port] != NULL) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "input '%s' is given twice", port->name));
        }
        PML_TRY(check_shape(port, &inputs[i], error));
        PML_TRY(agree_on_tokens(port, &inputs[i], &said_by, &model->n_tokens, error));
        bound[i_port] = &inputs[i];
        if (i == 0) {
            *batch = inputs[i].shape[0];
        } else if (inputs[i].shape[0] != *batch) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "input '%s' has %zu samples, '%s' %zu", inputs[0].name, *batch,
                             port->name, inputs[i].shape[0]));
        }
    }
    for (size_t i_port = 0; i_port < model->n_inputs; i_port++) {
        const pml_array *input = bound[i_port];
        model->input_tensors[i_port] = (pml_tensor){0};
        if (input == NULL) {
            if (!model->inputs[i_port].optional) {
                PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "input '%s' is missing", model->inputs[i_port].name));
            }
            continue;
        }
        PML_TRY(check_values(&model->inputs[i_port], input, error));
        model->input_tensors[i_port] = pml_context_view(input->data, PML_DTYPE_F32, input->shape, (unsigned)input->rank,
                                                        &model->input_buffers[i_port]);
    }

done:
    return status;
}

static void output_shape(const pml_model *model, const pml_model_port *port, size_t batch, size_t *shape) {
    memcpy(shape, port->shape, port->rank * sizeof *shape);
    shape[0] = batch;
    if (port->token_axis != 0) {
        shape[port->token_axis] = model->n_tokens;
    }
}

/* Room for the workspace, for `begin` and for all outputs of `batch` samples. */
static pml_status prepare_storage(pml_model *model, size_t batch, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_threads = pml_context_threads(&model->context);
    if (model->planned_batch != batch || model->planned_tokens != model->n_tokens ||
        model->planned_threads != n_threads) {
        model->planned_batch = 0;
        model->planned_threads = n_threads;
        PML_TRY(model->family->plan(model, batch, &model->plan, error));
        model->planned_batch = batch;
        model->planned_tokens = model->n_tokens;
    }
    size_t step_bytes = model->plan.step_bytes;
    size_t shape[PML_MAX_RANK];
    for (size_t i = 0; i < model->n_outputs; i++) {
        output_shape(model, &model->outputs[i], batch, shape);
        step_bytes = PML_SUM(step_bytes, pml_context_floats(shape, model->outputs[i].rank),
                             pml_context_bytes(1, sizeof(pml_buffer)));
    }
    size_t workspace_bytes = model->plan.workspace_bytes;
    if (model->adapters != NULL) {
        const size_t n_rows = PML_FLOATS(model->plan.block, model->n_tokens) / sizeof(float);
        workspace_bytes = PML_SUM(workspace_bytes, pml_low_rank_bytes(n_rows, model->adapters->recipe.rank));
    }
    pml_model_training_begin(model, &workspace_bytes);
    PML_TRY(pml_context_step_begin(&model->context, workspace_bytes, step_bytes, error));
    for (size_t i = 0; i < model->n_outputs; i++) {
        const pml_model_port *port = &model->outputs[i];
        output_shape(model, port, batch, shape);
        PML_TRY(pml_context_step_tensor(&model->context, PML_DTYPE_F32, shape, port->rank, &model->output_tensors[i],
                                        error));
        memcpy(model->results[i].shape, shape, port->rank * sizeof shape[0]);
    }

done:
    return status;
}

static pml_status run_blocks(pml_model *model, size_t batch, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor inputs[PML_MODEL_MAX_PORTS], outputs[PML_MODEL_MAX_PORTS];
    /* A tape sees one pass over the whole batch. */
    size_t block = model->context.tape != NULL ? batch : model->plan.block;
    if (model->family->begin != NULL) {
        PML_TRY(model->family->begin(
            model,
            &(pml_model_step){
                .batch = batch, .count = batch, .inputs = model->input_tensors, .outputs = model->output_tensors},
            error));
    }
    for (size_t first = 0; first < batch; first += block) {
        size_t count = batch - first < block ? batch - first : block;
        PML_TRY(pml_cancel_check(error));
        for (size_t i = 0; i < model->n_inputs; i++) {
            inputs[i] = model->input_tensors[i].dtype == PML_DTYPE_NONE
                            ? (pml_tensor){0}
                            : pml_model_rows(&model->input_tensors[i], first, count);
        }
        for (size_t i = 0; i < model->n_outputs; i++) {
            outputs[i] = pml_model_rows(&model->output_tensors[i], first, count);
        }
        size_t mark = pml_context_mark(&model->context);
        PML_TRY(model->family->forward(
            model,
            &(pml_model_step){.batch = batch, .first = first, .count = count, .inputs = inputs, .outputs = outputs},
            error));
        pml_context_release(&model->context, mark, NULL);
    }

done:
    return status;
}

static pml_status fail_nonfinite(const pml_model *model, size_t i_output, pml_error *error) {
    return PML_FAIL(error, PML_E_NUMERIC, "element %zu of output '%s' is not finite", model->nonfinite[i_output],
                    model->results[i_output].name);
}

pml_status pml_model_run(pml_model *model, const pml_array *inputs, size_t n_inputs, pml_error *error) {
    pml_status status = PML_OK;
    size_t batch = 0;
    PML_TRY(bind_inputs(model, inputs, n_inputs, &batch, error));
    for (size_t i = 0; i < model->n_outputs; i++) {
        model->results[i].data = NULL;
        model->output_is_taken[i] = false;
    }
    PML_TRY(prepare_storage(model, batch, error));
    PML_TRY(run_blocks(model, batch, error));
    pml_model_training_end(model);
    for (size_t i = 0; i < model->n_outputs; i++) {
        if (model->output_is_taken[i]) {
            model->nonfinite[i] = 0;
            continue;
        }
        const float *values = pml_tensor_f32_const(&model->output_tensors[i]);
        size_t count = elements(&model->results[i]), bad = pml_model_first_nonfinite(values, count);
        model->nonfinite[i] = bad;
        if (bad < count && !model->outputs[i].optional) {
            PML_TRY(fail_nonfinite(model, i, error));
        }
    }
    for (size_t i = 0; i < model->n_outputs; i++) {
        bool is_finite = !model->output_is_taken[i] && model->nonfinite[i] == elements(&model->results[i]);
        model->results[i].data = is_finite ? pml_tensor_f32_const(&model->output_tensors[i]) : NULL;
    }

done:
    return status;
}

size_t pml_model_n_outputs(const pml_model *model) {
    return model->n_outputs;
}

const pml_array *pml_model_output_at(const pml_model *model, size_t i_output) {
    return i_output < model->n_outputs ? &model->results[i_output] : NULL;
}

const pml_array *pml_model_output(const pml_model *model, const char *name) {
    const pml_model_port *port = pml_model_find_output(model, name);
    return port == NULL ? NULL : &model->results[port - model->outputs];
}

pml_status pml_model_point_forecast(const pml_model *model, const pml_array **forecast, pml_error *error) {
    const pml_forecast_spec *spec = model->schema->forecast;
    for (const char *const *name = spec != NULL ? spec->outputs : NULL; name != NULL && *name != NULL; name++) {
        const pml_model_port *port = pml_model_find_output(model, *name);
        if (port == NULL) {
            continue;
        }
        size_t i_output = (size_t)(port - model->outputs);
        if (model->results[i_output].data == NULL) {
            return fail_nonfinite(model, i_output, error);
        }
        *forecast = &model->results[i_output];
        return PML_OK;
    }
    return PML_FAIL(error, PML_E_UNSUPPORTED, "this %s model does not forecast", model->schema->name);
}

/* ---- what families see of a plan and a step ---- */
#define BLOCK_BYTES 1048576u

size_t pml_model_block(const pml_model *model, size_t batch, size_t one_bytes) {
    size_t block = BLOCK_BYTES * model->planned_threads / (one_bytes == 0 ? 1 : one_bytes);
    block = block < 1 ? 1 : block > batch ? batch : block;
    const size_t n_blocks = batch / block + (batch % block != 0);
    return batch / n_blocks + (batch % n_blocks != 0);
}

pml_tensor pml_model_rows(const pml_tensor *tensor, size_t first, size_t count) {
    pml_tensor rows = *tensor;
    size_t row_elements = 1;
    for (unsigned axis = 1; axis < tensor->rank; axis++) {
        row_elements *= tensor->shape[axis];
    }
    rows.shape[0] = count;
    rows.offset_bytes += first * row_elements * (pml_dtype_bits(tensor->dtype) / 8u);
    return rows;
}

const pml_tensor *pml_model_step_input(const pml_model *model, const pml_model_step *step, const char *name) {
    const pml_model_port *port = pml_model_find_input(model, name);
    const pml_tensor *tensor = port == NULL ? NULL : &step->inputs[port - model->inputs];
    return tensor == NULL || tensor->dtype == PML_DTYPE_NONE ? NULL : tensor;
}

const pml_tensor *pml_model_step_output(const pml_model *model, const pml_model_step *step, const char *name) {
    const pml_model_port *port = pml_model_find_output(model, name);
    return port == NULL ? NULL : &step->outputs[port - model->outputs];
}

pml_status pml_model_step_store(pml_model *model, const pml_model_step *step, const char *name, const pml_tensor *value,
                                pml_error *error) {
    const pml_tensor *output = pml_model_step_output(model, step, name);
    if (output == NULL) {
        return PML_OK;
    }
    const size_t count = pml_tensor_count(output);
    if (count != pml_tensor_count(value)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "output '%s' has %zu elements, what was computed %zu", name, count,
                        pml_tensor_count(value));
    }
    return pml_op_store(&model->context, value, output, error);
}

bool pml_model_step_hand(pml_model *model, const pml_model_step *step, const char *name, const pml_tensor *value) {
    const pml_model_port *port = pml_model_find_output(model, name);
    if (port == NULL || model->context.tape == NULL || step->first != 0 || step->count != step->batch) {
        return false;
    }
    pml_tensor *output = &model->output_tensors[port - model->outputs];
    if (value->dtype != PML_DTYPE_F32 || value->layout != PML_LAYOUT_ROW ||
        pml_tensor_count(value) != pml_tensor_count(output)) {
        return false;
    }
    output->buffer = value->buffer;
    output->offset_bytes = value->offset_bytes;
    return true;
}

void pml_model_step_taken(pml_model *model, const char *name, const pml_tensor *loss) {
    const pml_model_port *port = pml_model_find_output(model, name);
    if (port != NULL) {
        model->output_is_taken[port - model->outputs] = true;
        model->output_tensors[port - model->outputs] = *loss;
    }
}
