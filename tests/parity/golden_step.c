#include "tests/parity/golden_step.h"

#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"

static double number(const pml_vector *vector, size_t i) {
    switch (vector->dtype) {
    case PML_DTYPE_F64: {
        double value;
        memcpy(&value, (const char *)vector->bytes + i * sizeof value, sizeof value);
        return value;
    }
    case PML_DTYPE_I64: {
        int64_t value;
        memcpy(&value, (const char *)vector->bytes + i * sizeof value, sizeof value);
        return (double)value;
    }
    case PML_DTYPE_I32: {
        int32_t value;
        memcpy(&value, (const char *)vector->bytes + i * sizeof value, sizeof value);
        return (double)value;
    }
    case PML_DTYPE_BOOL:
        return ((const uint8_t *)vector->bytes)[i];
    default: {
        float value;
        memcpy(&value, (const char *)vector->bytes + i * sizeof value, sizeof value);
        return (double)value;
    }
    }
}

static size_t count_of(const pml_vector *vector) {
    size_t count = 1;
    for (unsigned axis = 0; axis < vector->rank; axis++) {
        count *= (size_t)vector->shape[axis];
    }
    return count;
}

static size_t array_count(const pml_array *array) {
    size_t count = 1;
    for (size_t axis = 0; axis < array->rank; axis++) {
        count *= array->shape[axis];
    }
    return count;
}

static const pml_vector *find(const pml_selftest_io *io, const char *name) {
    for (size_t i = 0; i < io->n_vectors; i++) {
        if (strcmp(io->vectors[i].name, name) == 0) {
            return &io->vectors[i];
        }
    }
    return NULL;
}

pml_status golden_step_bind(const pml_model *model, const pml_selftest_io *io, golden_step *step, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < io->n_vectors; i++) {
        const pml_vector *vector = &io->vectors[i];
        const pml_model_port *port =
            strncmp(vector->name, "in.", 3) == 0 ? pml_model_find_input(model, vector->name + 3) : NULL;
        if (port == NULL) {
            continue;
        }
        const size_t count = count_of(vector);
        float *values;
        PML_TRY(pml_alloc(count, sizeof *values, &values, error));
        for (size_t k = 0; k < count; k++) {
            values[k] = (float)number(vector, k);
        }
        pml_array *input = &step->inputs[step->n_inputs++];
        *input = (pml_array){.name = port->name, .data = values, .rank = vector->rank};
        for (unsigned axis = 0; axis < vector->rank; axis++) {
            input->shape[axis] = (size_t)vector->shape[axis];
        }
    }

done:
    return status;
}

/* What the recorded loss compares with. */
static bool find_target(const pml_model *model, const pml_selftest_io *io, golden_target *target) {
    static const char *const names[] = {"in.target", "in.future_values", "in.target_values", "in.labels",
                                        "in.next_ids"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const pml_vector *vector = find(io, names[i]);
        for (size_t k = 0; vector != NULL && k < pml_model_n_outputs(model); k++) {
            const pml_array *output = pml_model_output_at(model, k);
            const bool is_own = strcmp(names[i], "in.labels") == 0;
            const bool is_class = is_own || strcmp(names[i], "in.next_ids") == 0;
            const bool fits = is_class ? strstr(output->name, "logits") != NULL
                                       : array_count(output) == count_of(vector) &&
                                             (strcmp(output->name, "prediction_outputs") == 0 ||
                                              strcmp(output->name, "reconstruction") == 0 ||
                                              strcmp(output->name, "regression_outputs") == 0);
            if (fits) {
                *target = (golden_target){output->name, vector, is_class,
                                          is_own && strcmp(pml_model_schema(model)->name, "gpt2") == 0};
                return true;
            }
        }
    }
    return false;
}

static double squared(const pml_array *output, golden_step *step) {
    double loss = 0;
    const size_t count = array_count(output);
    for (size_t i = 0; i < count; i++) {
        const double difference = (double)output->data[i] - number(step->target.vector, i);
        loss += difference * difference / (double)count;
        step->gradient[i] = (float)(2 * difference / (double)count);
    }
    return loss;
}

static double cross_entropy(const pml_array *output, golden_step *step) {
    double loss = 0;
    memset(step->gradient, 0, array_count(output) * sizeof *step->gradient);
    const size_t n_classes = output->shape[output->rank - 1], n_rows = array_count(output) / n_classes;
    const size_t n_tokens = output->rank == 3 ? output->shape[1] : 1;
    size_t n_counted = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t r = 0; r < n_rows; r++) {
            const bool is_last = step->target.is_next && r % n_tokens == n_tokens - 1;
            const double label = is_last ? -100 : number(step->target.vector, r + (step->target.is_next ? 1 : 0));
            if (label < 0) {
                continue;
            }
            n_counted += pass == 0;
            const float *scores = output->data + r * n_classes;
            double greatest = (double)scores[0], sum = 0;
            for (size_t c = 0; c < n_classes; c++) {
                greatest = fmax(greatest, (double)scores[c]);
            }
            for (size_t c = 0; c < n_classes; c++) {
                sum += exp((double)scores[c] - greatest);
            }
            for (size_t c = 0; pass == 1 && c < n_classes; c++) {
                const double p = exp((double)scores[c] - greatest) / sum;
                step->gradient[r * n_classes + c] = (float)((p - (c == (size_t)label ? 1 : 0)) / (double)n_counted);
            }
            if (pass == 1) {
                loss += (log(sum) + greatest - (double)scores[(size_t)label]) / (double)n_counted;
            }
        }
    }
    return loss;
}

pml_status golden_step_aim(const pml_model *model, const pml_selftest_io *io, golden_step *step, pml_error *error) {
    if (!find_target(model, io, &step->target)) {
        return PML_FAIL(error, PML_E_NOT_FOUND, "no target that an output could be compared with");
    }
    return pml_alloc(array_count(pml_model_output(model, step->target.output)), sizeof *step->gradient, &step->gradient,
                     error);
}

double golden_step_loss(const pml_model *model, golden_step *step) {
    const pml_array *output = pml_model_output(model, step->target.output);
    return step->target.is_class ? cross_entropy(output, step) : squared(output, step);
}

void golden_step_deinit(golden_step *step) {
    for (size_t i = 0; i < step->n_inputs; i++) {
        pml_free((void *)(uintptr_t)step->inputs[i].data);
    }
    pml_free(step->gradient);
    *step = (golden_step){0};
}
