/* One training step of a golden case against what the reference recorded: gradients MODEL.pml CASE_DIR WORK_DIR
 * [--threads N] [--relative R]
 *
 * WORK_DIR holds grad.pml, grad64.pml, after.pml and noise.pml: the recorded gradients and running statistics under the
 * weights' canonical names (tests/parity/gradient_source.py). --relative R: there is no grad64, and gradients may
 * differ by R of their greatest magnitude. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/selftest_io.h"
#include "runtime/base/alloc.h"
#include "runtime/models/training.h"

typedef struct loss_target {
    const char *output; /* the port that the loss is of */
    const pml_vector *vector;
    bool is_class, is_next; /* class indexes; of the token after the one that scores are of */
} loss_target;

typedef struct train_step {
    pml_array inputs[PML_MODEL_MAX_PORTS];
    size_t n_inputs;
    loss_target target;
    float *gradient;
    double loss;
} train_step;

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

/* Recorded inputs that the model takes. */
static pml_status bind(const pml_model *model, const pml_selftest_io *io, train_step *step, pml_error *error) {
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
static bool find_target(const pml_model *model, const pml_selftest_io *io, loss_target *target) {
    static const char *const names[] = {"in.target", "in.future_values", "in.target_values", "in.labels"};
    for (size_t i = 0; i < 4; i++) {
        const pml_vector *vector = find(io, names[i]);
        for (size_t k = 0; vector != NULL && k < pml_model_n_outputs(model); k++) {
            const pml_array *output = pml_model_output_at(model, k);
            const bool is_class = strcmp(names[i], "in.labels") == 0;
            const bool fits = is_class ? strstr(output->name, "logits") != NULL
                                       : array_count(output) == count_of(vector) &&
                                             (strcmp(output->name, "prediction_outputs") == 0 ||
                                              strcmp(output->name, "reconstruction") == 0 ||
                                              strcmp(output->name, "regression_outputs") == 0);
            if (fits) {
                *target = (loss_target){output->name, vector, is_class,
                                        is_class && strcmp(pml_model_schema(model)->name, "gpt2") == 0};
                return true;
            }
        }
    }
    return false;
}

static void squared(const pml_array *output, train_step *step) {
    const size_t count = array_count(output);
    for (size_t i = 0; i < count; i++) {
        const double difference = (double)output->data[i] - number(step->target.vector, i);
        step->loss += difference * difference / (double)count;
        step->gradient[i] = (float)(2 * difference / (double)count);
    }
}

static void cross_entropy(const pml_array *output, train_step *step) {
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
                step->loss += (log(sum) + greatest - (double)scores[(size_t)label]) / (double)n_counted;
            }
        }
    }
}

/* ---- judging ---- */
typedef struct verdict {
    pml_file *grad, *grad64, *after, *noise;
    double relative, greatest; /* greatest: of all gradients */
    size_t n_failed, n_judged;
} verdict;

static const float *stored(const pml_file *file, const char *name, pml_buffer *buffer) {
    pml_tensor tensor;
    pml_error error = {0};
    const pml_file_tensor *source = file == NULL ? NULL : pml_file_tensor_find(file, name);
    return source != NULL && pml_tensor_view_file(file, source, buffer, &tensor, &error) == PML_OK
               ? pml_tensor_f32_const(&tensor)
               : NULL;
}

static void judge_values(verdict *judge, const pml_parameter *parameter, const float *values, const float *f32,
                         const float *f64, const float *noise, const char *what) {
    double worst = 0, apart = 0, most = 0, noisy = 0;
    for (size_t i = 0; i < parameter->count; i++) {
        if (noise != NULL && noise[i] != 0) {
            noisy = fmax(noisy, fabs((double)values[i]));
            continue;
        }
        const double truth = (double)f64[i];
        worst = fmax(worst, isfinite(values[i]) ? fabs((double)values[i] - truth) : INFINITY);
        apart = fmax(apart, fabs((double)f32[i] - truth));
        most = fmax(most, fabs(truth));
    }
    const double allowed = judge->relative > 0 ? judge->relative * most : fmax(4 * apart, 1e-6 * most);
    const bool passed = worst <= allowed && noisy <= 1e-6 * judge->greatest;
    judge->n_judged++;
    if (!passed) {
        judge->n_failed++;
        printf("  %s %s: error %.3g, allowed %.3g (greatest %.3g); where there is only rounding: %.3g\n", what,
               parameter->name, worst, allowed, most, noisy);
    }
}

static void judge_model(verdict *judge, const pml_model *model) {
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < pml_model_n_parameters(model); i++) {
            const pml_parameter *parameter = pml_model_parameter_at(model, i);
            pml_buffer buffers[3];
            const bool learned = parameter->gradient != NULL;
            const float *f32 = stored(learned ? judge->grad : judge->after, parameter->name, &buffers[0]);
            const float *f64 = stored(learned ? judge->grad64 : judge->after, parameter->name, &buffers[1]);
            if (f32 == NULL || f64 == NULL) {
                continue;
            }
            if (judge->relative > 0) {
                f64 = f32;
            }
            for (size_t k = 0; pass == 0 && learned && k < parameter->count; k++) {
                judge->greatest = fmax(judge->greatest, fabs((double)f64[k]));
            }
            if (pass == 1 && learned) {
                judge_values(judge, parameter, parameter->gradient, f32, f64,
                             stored(judge->noise, parameter->name, &buffers[2]), "gradient of");
            } else if (pass == 1) { /* recorded in F32 alone */
                verdict statistics = {.relative = 2e-6};
                judge_values(&statistics, parameter, parameter->values, f32, f64, NULL, "statistic");
                judge->n_failed += statistics.n_failed;
                judge->n_judged++;
            }
        }
    }
}

static void judge_loss(verdict *judge, pml_source *source, double loss) {
    pml_error error = {0};
    const void *bytes;
    const pml_source_tensor *f32 = pml_source_tensor_find(source, "loss"),
                            *f64 = pml_source_tensor_find(source, "loss64");
    double truth;
    float found;
    if (f32 == NULL || f64 == NULL || pml_source_tensor_view(source, f32, &bytes, &error) != PML_OK) {
        return;
    }
    memcpy(&found, bytes, sizeof found);
    if (pml_source_tensor_view(source, f64, &bytes, &error) != PML_OK) {
        return;
    }
    memcpy(&truth, bytes, sizeof truth);
    const double allowed = fmax(4 * fabs((double)found - truth), 1e-6 * fabs(truth));
    judge->n_judged++;
    if (!(fabs(loss - truth) <= allowed)) {
        judge->n_failed++;
        printf("  loss %.9g, recorded %.9g, allowed %.3g\n", loss, truth, allowed);
    }
}

static pml_status open_in(const char *folder, const char *name, pml_file **file, pml_error *error) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return pml_file_open(path, file, error);
}

static pml_status run(char **argv, size_t n_threads, verdict *judge, pml_error *error) {
    pml_status status = PML_OK;
    pml_file *file = NULL;
    pml_model *model = NULL;
    pml_selftest_io io = {0};
    char path[4096];
    train_step step = {0};
    PML_TRY(pml_file_open(argv[1], &file, error));
    PML_TRY(open_in(argv[3], "grad.pml", &judge->grad, error));
    PML_TRY(open_in(argv[3], "grad64.pml", &judge->grad64, error));
    PML_TRY(open_in(argv[3], "after.pml", &judge->after, error));
    PML_TRY(open_in(argv[3], "noise.pml", &judge->noise, error));
    (void)snprintf(path, sizeof path, "%s/io.safetensors", argv[2]);
    PML_TRY(pml_selftest_io_open(path, &io, error));
    PML_TRY(pml_model_create_trainable(file, &(pml_trainable_options){.backend = "cpu"}, &model, error));
    PML_TRY(pml_model_threads_set(model, n_threads, error));
    pml_model_context(model)->share_cost = 1; /* small work is split too */
    PML_TRY(bind(model, &io, &step, error));
    pml_model_training_set(model, true);
    PML_TRY(pml_model_run(model, step.inputs, step.n_inputs, error));
    if (!find_target(model, &io, &step.target)) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "%s: no target that an output could be compared with", path));
    }
    const pml_array *output = pml_model_output(model, step.target.output);
    PML_TRY(pml_alloc(array_count(output), sizeof *step.gradient, &step.gradient, error));
    if (step.target.is_class) {
        cross_entropy(output, &step);
    } else {
        squared(output, &step);
    }
    judge_loss(judge, io.source, step.loss);
    const pml_output_gradient gradient = {step.target.output, step.gradient};
    PML_TRY(pml_model_backward(model, &gradient, 1, NULL, NULL, error));
    judge_model(judge, model);

done:
    for (size_t i = 0; i < step.n_inputs; i++) {
        pml_free((void *)(uintptr_t)step.inputs[i].data);
    }
    pml_free(step.gradient);
    pml_model_destroy(model);
    pml_selftest_io_close(&io);
    pml_file_close(judge->grad);
    pml_file_close(judge->grad64);
    pml_file_close(judge->after);
    pml_file_close(judge->noise);
    pml_file_close(file);
    return status;
}

int main(int argc, char **argv) {
    pml_error error = {0};
    verdict judge = {0};
    size_t n_threads = 1;
    for (int i = 4; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--threads") == 0) {
            n_threads = (size_t)strtoul(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--relative") == 0) {
            judge.relative = strtod(argv[i + 1], NULL);
        }
    }
    if (argc < 4 || run(argv, n_threads, &judge, &error) != PML_OK) {
        printf("  %s\n", argc < 4 ? "MODEL.pml CASE_DIR WORK_DIR" : error.message);
        return 1;
    }
    printf("  %zu judged, %zu failed\n", judge.n_judged, judge.n_failed);
    return judge.n_failed == 0 && judge.n_judged > 0 ? 0 : 1;
}
