/* Times training steps: forward, loss, backward, AdamW. Used by scripts/bench: bench_step MODEL.pml BATCH TOKENS
 * THREADS
 *
 * For every line "N" on standard input N steps are taken and their least wall time is printed, in milliseconds, with
 * the process's greatest resident size so far, in KiB. At first that size before the model is opened. The batch is
 * made up: values of a generator, random tokens, targets 0 or the next class. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/random.h"
#include "runtime/models/training.h"
#include "runtime/train/loss.h"
#include "runtime/train/optimizer.h"

enum { MOST_PARAMETERS = 2048 };

typedef struct bench {
    pml_file *file;
    pml_model *model;
    pml_array inputs[PML_MODEL_MAX_PORTS];
    size_t n_inputs, n_classes; /* 0: values */
    const char *output;
    const pml_loss *loss;
    const pml_optimizer *optimizer;
    pml_settings loss_settings, settings;
    pml_parameter_view views[MOST_PARAMETERS];
    pml_parameter_set set;
    float *slots, *gradient, *target;
    int64_t *classes;
    uint64_t i_step;
} bench;

static double seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static long peak_kib(void) {
    char line[128];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            kib = strtol(line + 6, NULL, 10);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kib;
}

static pml_status make_inputs(bench *b, size_t batch, size_t n_tokens, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < pml_model_n_inputs(b->model); i++) {
        const pml_model_port *port = pml_model_input_at(b->model, i);
        if (port->optional) {
            continue;
        }
        pml_array *input = &b->inputs[b->n_inputs++];
        *input = (pml_array){.name = port->name, .rank = port->rank};
        size_t count = 1;
        for (unsigned axis = 0; axis < port->rank; axis++) {
            input->shape[axis] = axis == 0 ? batch : axis == port->token_axis ? n_tokens : port->shape[axis];
            count *= input->shape[axis];
        }
        float *values;
        PML_TRY(pml_alloc(count, sizeof *values, &values, error));
        for (size_t k = 0; k < count; k++) {
            values[k] = port->index_below > 0
                            ? (float)(pml_random_word(7, i, k) % (port->index_below < 64 ? 1 : port->index_below))
                            : (float)pml_random_normal(7, i, k);
        }
        input->data = values;
    }

done:
    return status;
}

/* The first of these outputs that the model has, and what it is compared with. */
static pml_status aim(bench *b, pml_error *error) {
    static const char *const names[] = {"prediction_outputs", "prediction_output", "logits", NULL};
    pml_status status = PML_OK;
    const pml_array *output = NULL;
    for (size_t i = 0; names[i] != NULL && output == NULL; i++) {
        output = pml_model_output(b->model, names[i]);
        b->output = names[i];
    }
    if (output == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "no output that a step could be taken for"));
    }
    size_t count = 1;
    for (size_t axis = 0; axis < output->rank; axis++) {
        count *= output->shape[axis];
    }
    b->n_classes = strcmp(b->output, "logits") == 0 ? output->shape[output->rank - 1] : 0;
    PML_TRY(pml_loss_choose(b->n_classes > 0 ? "cross_entropy" : "mse", &b->loss, &b->loss_settings, error));
    PML_TRY(pml_alloc(count, sizeof *b->gradient, &b->gradient, error));
    if (b->n_classes == 0) {
        PML_TRY(pml_alloc(count, sizeof *b->target, &b->target, error));
    } else {
        PML_TRY(pml_alloc(count / b->n_classes, sizeof *b->classes, &b->classes, error));
        for (size_t i = 0; i < count / b->n_classes; i++) {
            b->classes[i] = (int64_t)(pml_random_word(7, 99, i) % b->n_classes);
        }
    }

done:
    return status;
}

static pml_status prepare(bench *b, pml_error *error) {
    pml_status status = PML_OK;
    size_t n = 0, count = 0;
    PML_TRY(pml_optimizer_choose("adamw", &b->optimizer, &b->settings, error));
    for (size_t i = 0; i < pml_model_n_parameters(b->model); i++) {
        count += pml_model_parameter_at(b->model, i)->count;
    }
    PML_TRY(pml_alloc(2 * count + 1, sizeof *b->slots, &b->slots, error));
    for (size_t i = 0, at = 0; i < pml_model_n_parameters(b->model) && n < MOST_PARAMETERS; i++) {
        const pml_parameter *parameter = pml_model_parameter_at(b->model, i);
        if (parameter->gradient != NULL) {
            b->views[n++] = (pml_parameter_view){.name = parameter->name,
                                                 .count = parameter->count,
                                                 .value = parameter->values,
                                                 .gradient = parameter->gradient,
                                                 .slots = {b->slots + at, b->slots + at + parameter->count}};
            at += 2 * parameter->count;
        }
    }
    PML_TRY(pml_parameter_set_init(&b->set, b->views, n, error));

done:
    return status;
}

static pml_status take_step(bench *b, pml_error *error) {
    pml_status status = PML_OK;
    double value;
    pml_model_training_step_set(b->model, ++b->i_step);
    PML_TRY(pml_model_run(b->model, b->inputs, b->n_inputs, error));
    if (b->loss == NULL) {
        PML_TRY(aim(b, error));
    }
    const pml_array *output = pml_model_output(b->model, b->output);
    size_t count = 1;
    for (size_t axis = 0; axis < output->rank; axis++) {
        count *= output->shape[axis];
    }
    const size_t width = b->n_classes > 0 ? b->n_classes : 1;
    const pml_loss_operands operands = {.n_terms = count / width,
                                        .predictions = {output->data},
                                        .width = width,
                                        .target = b->target,
                                        .classes = b->classes,
                                        .gradients = {b->gradient}};
    PML_TRY(pml_loss_compute(b->loss, &b->loss_settings, &operands, pml_model_context(b->model), &value, error));
    const pml_output_gradient gradient = {b->output, b->gradient};
    PML_TRY(pml_model_backward(b->model, &gradient, 1, NULL, NULL, error));
    pml_optimizer_step(b->optimizer, &b->settings, &b->set, b->i_step, 1, pml_model_context(b->model));
    pml_model_gradients_clear(b->model);

done:
    return status;
}

static pml_status run(bench *b, char **argv, pml_error *error) {
    pml_status status = PML_OK;
    char line[64];
    PML_TRY(pml_file_open(argv[1], &b->file, error));
    PML_TRY(pml_model_create_trainable(b->file, &(pml_trainable_options){0}, &b->model, error));
    PML_TRY(pml_model_threads_set(b->model, (size_t)strtoul(argv[4], NULL, 10), error));
    PML_TRY(make_inputs(b, (size_t)strtoul(argv[2], NULL, 10), (size_t)strtoul(argv[3], NULL, 10), error));
    PML_TRY(prepare(b, error));
    pml_model_training_set(b->model, true);
    while (fgets(line, sizeof line, stdin) != NULL) {
        double least_s = 1e9;
        for (long i = strtol(line, NULL, 10); i > 0; i--) {
            const double begin_s = seconds();
            PML_TRY(take_step(b, error));
            const double took_s = seconds() - begin_s;
            least_s = took_s < least_s ? took_s : least_s;
        }
        printf("%.4f %ld\n", least_s * 1e3, peak_kib());
        (void)fflush(stdout);
    }

done:
    pml_parameter_set_deinit(&b->set);
    for (size_t i = 0; i < b->n_inputs; i++) {
        pml_free((void *)(uintptr_t)b->inputs[i].data);
    }
    pml_free(b->slots);
    pml_free(b->gradient);
    pml_free(b->target);
    pml_free(b->classes);
    pml_model_destroy(b->model);
    pml_file_close(b->file);
    return status;
}

int main(int argc, char **argv) {
    static bench b;
    pml_error error = {0};
    if (argc != 5) {
        (void)fprintf(stderr, "bench_step MODEL.pml BATCH TOKENS THREADS\n");
        return 2;
    }
    printf("%ld\n", peak_kib());
    (void)fflush(stdout);
    if (run(&b, argv, &error) != PML_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    return 0;
}
