/* Optimizer steps of a golden case against what the reference recorded: steps MODEL.pml CASE_DIR WORK_DIR I_RUN
 * [--threads N]
 *
 * WORK_DIR holds what tests/parity/steps_plan.py wrote: plan-I.txt, perhaps series.f32 or batches.f32; under canonical
 * names noise.pml, and of norms-I-32.pml, norms-I-64.pml, final.pml and final64.pml those that the case has. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/train/optimizer.h"
#include "tests/parity/golden_step.h"

#define MOST_PARAMETERS 512u

typedef struct training {
    const char *folder, *i_run;
    pml_model *model;
    pml_selftest_io io;
    golden_step step;
    pml_vector target;
    const pml_optimizer *optimizer;
    pml_settings settings;
    pml_parameter_view views[MOST_PARAMETERS];
    pml_parameter_set set;
    float *slots, *series; /* series: [rows][n_channels] */
    float *batches;        /* [steps][2][B][T]: tokens, and those after them */
    size_t n_judged, n_failed;
} training;

/* The floats of a file of the folder, where there is one. */
static pml_status read_floats(const training *run, const char *name, float **floats, pml_error *error) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", run->folder, name);
    FILE *file = fopen(path, "rb");
    pml_status status = PML_OK;
    if (file != NULL) {
        const size_t most = (size_t)1 << 24;
        status = pml_alloc(most, sizeof **floats, floats, error);
        if (status == PML_OK && fread(*floats, sizeof **floats, most, file) == 0) {
            status = PML_FAIL(error, PML_E_IO, "%s is empty", path);
        }
        (void)fclose(file);
    }
    return status;
}

/* The optimizer's moments, and the model's parameters as it sees them. */
static pml_status prepare(training *run, const char *spec, pml_error *error) {
    pml_status status = PML_OK;
    size_t n = 0, count = 0;
    PML_TRY(pml_optimizer_choose(spec, &run->optimizer, &run->settings, error));
    const size_t n_slots = pml_optimizer_slots(run->optimizer, &run->settings);
    for (size_t i = 0; i < pml_model_n_parameters(run->model); i++) {
        count += pml_model_parameter_at(run->model, i)->count;
    }
    PML_TRY(pml_alloc(n_slots * count + 1, sizeof *run->slots, &run->slots, error));
    float *slot = run->slots;
    for (size_t i = 0; i < pml_model_n_parameters(run->model) && n < MOST_PARAMETERS; i++) {
        const pml_parameter *parameter = pml_model_parameter_at(run->model, i);
        if (parameter->gradient == NULL) {
            continue;
        }
        run->views[n] = (pml_parameter_view){.name = parameter->name,
                                             .count = parameter->count,
                                             .value = parameter->values,
                                             .gradient = parameter->gradient};
        for (size_t k = 0; k < n_slots; k++, slot += parameter->count) {
            run->views[n].slots[k] = slot;
        }
        n++;
    }
    PML_TRY(pml_parameter_set_init(&run->set, run->views, n, error));

done:
    return status;
}

/* Windows first .. first + B - 1 of the series: the inputs' places are written over. */
static void take_windows(training *run, size_t first) {
    const pml_array *x = &run->step.inputs[0];
    const size_t n_steps = x->shape[1], n_channels = x->shape[2];
    const size_t horizon = (size_t)run->target.shape[1];
    float *input = (float *)(uintptr_t)x->data, *target = (float *)(uintptr_t)run->target.bytes;
    for (size_t b = 0; b < x->shape[0]; b++) {
        const float *at = run->series + (first + b) * n_channels;
        memcpy(input + b * n_steps * n_channels, at, n_steps * n_channels * sizeof *input);
        memcpy(target + b * horizon * n_channels, at + n_steps * n_channels, horizon * n_channels * sizeof *target);
    }
}

/* The tokens of a step likewise. */
static void take_batch(training *run, size_t i_step) {
    const pml_array *ids = &run->step.inputs[0];
    const size_t n = ids->shape[0] * ids->shape[1];
    memcpy((float *)(uintptr_t)ids->data, run->batches + 2 * i_step * n, n * sizeof(float));
    memcpy((float *)(uintptr_t)run->target.bytes, run->batches + (2 * i_step + 1) * n, n * sizeof(float));
}

static void judge(training *run, const char *what, const char *name, double found, double truth, double allowed) {
    run->n_judged++;
    if (!(fabs(found - truth) <= allowed)) {
        run->n_failed++;
        printf("  %s %s: %.9g, recorded %.9g, allowed %.3g\n", what, name, found, truth, allowed);
    }
}

static pml_status run_step(training *run, uint64_t i_step, const char *line, pml_error *error) {
    pml_status status = PML_OK;
    char name[32];
    long row;
    double f32, f64;
    if (sscanf(line, "%ld %lf %lf", &row, &f32, &f64) != 3) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "a step's line is none"));
    }
    if (row >= 0 && run->batches != NULL) {
        take_batch(run, (size_t)row);
    } else if (row >= 0) {
        take_windows(run, (size_t)row);
    }
    pml_model_training_step_set(run->model, i_step);
    PML_TRY(pml_model_run(run->model, run->step.inputs, run->step.n_inputs, error));
    const double loss = golden_step_loss(run->model, &run->step);
    (void)snprintf(name, sizeof name, "%" PRIu64, i_step);
    judge(run, "loss of step", name, loss, f64, fmax(4 * fabs(f32 - f64), 1e-6 * fabs(f64)));
    const pml_output_gradient gradient = {run->step.target.output, run->step.gradient};
    PML_TRY(pml_model_backward(run->model, &gradient, 1, NULL, NULL, error));
    pml_optimizer_step(run->optimizer, &run->settings, &run->set, i_step, 1, pml_model_context(run->model));
    pml_model_gradients_clear(run->model);

done:
    return status;
}

/* A first run, in evaluation mode so that it changes nothing, tells which output the loss is of. */
static pml_status aim(training *run, pml_error *error) {
    pml_status status = PML_OK;
    pml_model_training_set(run->model, false);
    PML_TRY(pml_model_run(run->model, run->step.inputs, run->step.n_inputs, error));
    PML_TRY(golden_step_aim(run->model, &run->io, &run->step, error));
    if (run->series != NULL || run->batches != NULL) {
        run->target = *run->step.target.vector;
        run->target.dtype = PML_DTYPE_F32;
        size_t count = 1;
        for (unsigned axis = 0; axis < run->target.rank; axis++) {
            count *= (size_t)run->target.shape[axis];
        }
        PML_TRY(pml_alloc(count, sizeof(float), (float **)(uintptr_t)&run->target.bytes, error));
        run->step.target.vector = &run->target;
    }
    pml_model_training_set(run->model, true);

done:
    return status;
}

static pml_status run_steps(training *run, pml_error *error) {
    pml_status status = PML_OK;
    char line[512];
    (void)snprintf(line, sizeof line, "%s/plan-%s.txt", run->folder, run->i_run);
    FILE *plan = fopen(line, "r");
    if (plan == NULL || fgets(line, sizeof line, plan) == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "no plan %s", line));
    }
    line[strcspn(line, "\n")] = 0;
    PML_TRY(prepare(run, line, error));
    PML_TRY(aim(run, error));
    for (uint64_t i = 1; fgets(line, sizeof line, plan) != NULL; i++) {
        PML_TRY(run_step(run, i, line, error));
    }

done:
    if (plan != NULL) {
        (void)fclose(plan);
    }
    return status;
}

/* ---- what came out ---- */
static const float *stored(const pml_file *file, const pml_parameter *parameter, pml_buffer *buffer) {
    pml_tensor tensor;
    pml_error error = {0};
    const pml_file_tensor *source = file == NULL ? NULL : pml_file_tensor_find(file, parameter->name);
    return source != NULL && pml_tensor_view_file(file, source, buffer, &tensor, &error) == PML_OK
               ? pml_tensor_f32_const(&tensor)
               : NULL;
}

/* A file of the folder; NULL where there is none. */
static pml_file *open_in(const training *run, const char *format) {
    char path[4096], name[64];
    pml_file *file = NULL;
    pml_error error = {0};
    (void)snprintf(name, sizeof name, format, run->i_run); /* NOLINT: formats of this file */
    (void)snprintf(path, sizeof path, "%s/%s", run->folder, name);
    return pml_file_open(path, &file, &error) == PML_OK ? file : NULL;
}

static bool is_noisy(const float *noise, size_t count) {
    for (size_t i = 0; noise != NULL && i < count; i++) {
        if (noise[i] != 0) {
            return true;
        }
    }
    return false;
}

static double norm(const float *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)values[i] * (double)values[i];
    }
    return sqrt(sum);
}

/* Norms of complex numbers are those of both parts, which are parameters of their own, with one recorded value. The
 * part that ends with `other` of one that ends with `end`; NULL: there is none. */
static const pml_parameter *other_part(const training *run, const pml_parameter *part, const char *end,
                                       const char *other, const pml_file *recorded, float value) {
    const size_t n = strlen(part->name), n_end = strlen(end);
    char name[256];
    pml_buffer buffer;
    if (n < n_end || n > 200 || strcmp(part->name + n - n_end, end) != 0) {
        return NULL;
    }
    (void)snprintf(name, sizeof name, "%.*s%s", (int)(n - n_end), part->name, other);
    const pml_parameter *found = pml_model_parameter_find(run->model, name);
    const float *values = found == NULL ? NULL : stored(recorded, found, &buffer);
    return values != NULL && values[0] == value ? found : NULL;
}

/* Norms to 1e-4. A mean that follows a bias of noise moves as far as that noise may. */
static void judge_norms(training *run, const pml_file *noise) {
    pml_file *f32 = open_in(run, "norms-%s-32.pml"), *f64 = open_in(run, "norms-%s-64.pml");
    for (size_t i = 0; f32 != NULL && f64 != NULL && i < pml_model_n_parameters(run->model); i++) {
        const pml_parameter *parameter = pml_model_parameter_at(run->model, i);
        pml_buffer buffers[3];
        const float *a = stored(f32, parameter, &buffers[0]), *b = stored(f64, parameter, &buffers[1]);
        if (a == NULL || b == NULL || isnan(b[0]) ||
            is_noisy(stored(noise, parameter, &buffers[2]), parameter->count)) {
            continue;
        }
        const pml_parameter *imaginary = other_part(run, parameter, ".real", ".imaginary", f64, b[0]);
        if (other_part(run, parameter, ".imaginary", ".real", f64, b[0]) != NULL) {
            continue;
        }
        double truth = norm(b, parameter->count), found = norm(parameter->values, parameter->count);
        double apart = fabs(norm(a, parameter->count) - truth);
        if (imaginary != NULL) {
            truth *= sqrt(2);
            apart *= sqrt(2);
            found = hypot(found, norm(imaginary->values, imaginary->count));
        }
        /* GPT-2 records queries, keys and values as one. */
        const pml_parameter *keys = other_part(run, parameter, ".q.weight", ".k.weight", f64, b[0]);
        const pml_parameter *values = other_part(run, parameter, ".q.weight", ".v.weight", f64, b[0]);
        if (other_part(run, parameter, ".k.weight", ".q.weight", f64, b[0]) != NULL ||
            other_part(run, parameter, ".v.weight", ".q.weight", f64, b[0]) != NULL) {
            continue;
        }
        if (keys != NULL && values != NULL) {
            truth *= sqrt(3);
            apart *= sqrt(3);
            found = hypot(hypot(found, norm(keys->values, keys->count)), norm(values->values, values->count));
        }
        judge(run, "norm of", parameter->name, found, truth, fmax(4 * apart, 1e-4 * truth));
    }
    pml_file_close(f32);
    pml_file_close(f64);
}

/* The values themselves, by the goldens' rule. */
static void judge_values(training *run, const pml_file *noise) {
    pml_file *f32 = open_in(run, "final.pml"), *f64 = open_in(run, "final64.pml");
    for (size_t i = 0; f32 != NULL && f64 != NULL && i < pml_model_n_parameters(run->model); i++) {
        const pml_parameter *parameter = pml_model_parameter_at(run->model, i);
        pml_buffer buffers[3];
        const float *a = stored(f32, parameter, &buffers[0]), *b = stored(f64, parameter, &buffers[1]);
        const bool is_noise = is_noisy(stored(noise, parameter, &buffers[2]), parameter->count);
        double worst = 0, apart = 0, most = 0;
        for (size_t k = 0; a != NULL && b != NULL && k < parameter->count; k++) {
            worst = fmax(worst, fabs((double)parameter->values[k] - (double)b[k]));
            apart = fmax(apart, fabs((double)a[k] - (double)b[k]));
            most = fmax(most, fabs((double)b[k]));
        }
        judge(run, is_noise ? "noise of" : "values of", parameter->name, worst, 0, fmax(4 * apart, 1e-6 * most));
    }
    pml_file_close(f32);
    pml_file_close(f64);
}

static pml_status run_all(training *run, char **argv, size_t n_threads, pml_error *error) {
    pml_status status = PML_OK;
    pml_file *file = NULL, *noise = NULL;
    char path[4096];
    PML_TRY(pml_file_open(argv[1], &file, error));
    (void)snprintf(path, sizeof path, "%s/io.safetensors", argv[2]);
    PML_TRY(pml_selftest_io_open(path, &run->io, error));
    PML_TRY(pml_model_create_trainable(file, &(pml_trainable_options){.backend = "cpu"}, &run->model, error));
    PML_TRY(pml_model_threads_set(run->model, n_threads, error));
    pml_model_context(run->model)->share_cost = 1; /* small work is split too */
    PML_TRY(golden_step_bind(run->model, &run->io, &run->step, error));
    PML_TRY(read_floats(run, "series.f32", &run->series, error));
    PML_TRY(read_floats(run, "batches.f32", &run->batches, error));
    PML_TRY(run_steps(run, error));
    noise = open_in(run, "noise.pml");
    judge_norms(run, noise);
    judge_values(run, noise);

done:
    pml_parameter_set_deinit(&run->set);
    pml_free(run->slots);
    pml_free(run->series);
    pml_free(run->batches);
    if (run->target.bytes != NULL) {
        pml_free((void *)(uintptr_t)run->target.bytes);
    }
    golden_step_deinit(&run->step);
    pml_model_destroy(run->model);
    pml_selftest_io_close(&run->io);
    pml_file_close(noise);
    pml_file_close(file);
    return status;
}

int main(int argc, char **argv) {
    static training run;
    pml_error error = {0};
    if (argc < 5) {
        printf("  MODEL.pml CASE_DIR WORK_DIR I_RUN [--threads N]\n");
        return 1;
    }
    run.folder = argv[3];
    run.i_run = argv[4];
    const size_t n_threads = argc > 6 ? (size_t)strtoul(argv[6], NULL, 10) : 1;
    if (run_all(&run, argv, n_threads, &error) != PML_OK) {
        printf("  %s\n", error.message);
        return 1;
    }
    printf("  %zu judged, %zu failed\n", run.n_judged, run.n_failed);
    return run.n_failed == 0 && run.n_judged > 0 ? 0 : 1;
}
