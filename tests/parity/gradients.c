/* One training step of a golden case against what the reference recorded: gradients MODEL.pml CASE_DIR WORK_DIR
 * [--threads N] [--relative R]
 *
 * WORK_DIR holds grad.pml, grad64.pml, after.pml, noise.pml and error.pml: the recorded gradients and running
 * statistics under the weights' canonical names (tests/parity/gradient_source.py). error.pml: how far those of a case
 * without grad64 are from the truth at most. --relative R: there is no grad64, and gradients may differ by R of their
 * greatest magnitude. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/parity/golden_step.h"

/* ---- judging ---- */
typedef struct verdict {
    pml_file *grad, *grad64, *after, *noise, *error;
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

/* The same where only F32 was recorded, and its greatest error. */
static void judge_by_error(verdict *judge, const pml_parameter *parameter, const float *f32, double error) {
    double worst = 0, most = 0;
    for (size_t i = 0; i < parameter->count; i++) {
        worst = fmax(worst, isfinite(parameter->gradient[i]) ? fabs((double)parameter->gradient[i] - (double)f32[i])
                                                             : INFINITY);
        most = fmax(most, fabs((double)f32[i]));
    }
    const double allowed = fmax(4 * error, 1e-6 * most);
    judge->n_judged++;
    if (!(worst <= allowed)) {
        judge->n_failed++;
        printf("  gradient of %s: error %.3g, allowed %.3g (greatest %.3g)\n", parameter->name, worst, allowed, most);
    }
}

static void judge_model(verdict *judge, const pml_model *model) {
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < pml_model_n_parameters(model); i++) {
            const pml_parameter *parameter = pml_model_parameter_at(model, i);
            pml_buffer buffers[4];
            const bool learned = parameter->gradient != NULL;
            const float *f32 = stored(learned ? judge->grad : judge->after, parameter->name, &buffers[0]);
            const float *f64 = stored(learned ? judge->grad64 : judge->after, parameter->name, &buffers[1]);
            const float *known = stored(judge->error, parameter->name, &buffers[3]);
            if (pass == 1 && learned && f32 != NULL && known != NULL && !isnan(known[0])) {
                judge_by_error(judge, parameter, f32, (double)known[0]);
                continue;
            }
            if (judge->relative > 0) {
                f64 = f32;
            }
            if (f32 == NULL || f64 == NULL || isnan(f64[0])) {
                continue;
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
    golden_step step = {0};
    double loss;
    PML_TRY(pml_file_open(argv[1], &file, error));
    PML_TRY(open_in(argv[3], "grad.pml", &judge->grad, error));
    PML_TRY(open_in(argv[3], "grad64.pml", &judge->grad64, error));
    PML_TRY(open_in(argv[3], "after.pml", &judge->after, error));
    PML_TRY(open_in(argv[3], "noise.pml", &judge->noise, error));
    PML_TRY(open_in(argv[3], "error.pml", &judge->error, error));
    (void)snprintf(path, sizeof path, "%s/io.safetensors", argv[2]);
    PML_TRY(pml_selftest_io_open(path, &io, error));
    PML_TRY(pml_model_create_trainable(file, &(pml_trainable_options){.backend = "cpu"}, &model, error));
    PML_TRY(pml_model_threads_set(model, n_threads, error));
    pml_model_context(model)->share_cost = 1; /* small work is split too */
    PML_TRY(golden_step_bind(model, &io, &step, error));
    pml_model_training_set(model, true);
    PML_TRY(pml_model_run(model, step.inputs, step.n_inputs, error));
    PML_TRY(golden_step_aim(model, &io, &step, error));
    loss = golden_step_loss(model, &step);
    judge_loss(judge, io.source, loss);
    const pml_output_gradient gradient = {step.target.output, step.gradient};
    PML_TRY(pml_model_backward(model, &gradient, 1, NULL, NULL, error));
    judge_model(judge, model);

done:
    golden_step_deinit(&step);
    pml_model_destroy(model);
    pml_selftest_io_close(&io);
    pml_file_close(judge->grad);
    pml_file_close(judge->grad64);
    pml_file_close(judge->after);
    pml_file_close(judge->noise);
    pml_file_close(judge->error);
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
