/* Times training steps: forward, loss, backward, AdamW. Used by scripts/bench: bench_step MODEL.pml BATCH TOKENS
 * THREADS
 *
 * For every line "N" on standard input N steps are taken and their least wall time is printed, in milliseconds, with
 * the process's greatest resident size so far, in KiB. At first that size before the model is opened. The batch is
 * made up: values of a generator, random tokens, targets 0 or random classes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/random.h"
#include "runtime/train/trainer.h"

typedef struct bench {
    pml_file *file;
    pml_model *model;
    pml_trainer *trainer;
    pml_batch_field fields[PML_MODEL_MAX_PORTS + 1];
    pml_batch batch;
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

/* A field of the batch, shaped as that port; returns how many elements it has. */
static size_t add_field(bench *b, const char *name, const pml_model_port *as, size_t n_tokens, unsigned rank) {
    pml_batch_field *field = &b->fields[b->batch.n_fields++];
    *field = (pml_batch_field){.name = name, .dtype = PML_DTYPE_F32, .rank = rank};
    size_t count = 1;
    for (unsigned axis = 0; axis < rank; axis++) {
        field->shape[axis] = axis == 0 ? b->batch.n_samples : axis == as->token_axis ? n_tokens : as->shape[axis];
        count *= field->shape[axis];
    }
    return count;
}

static pml_status make_inputs(bench *b, size_t n_tokens, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < pml_model_n_inputs(b->model); i++) {
        const pml_model_port *port = pml_model_input_at(b->model, i);
        if (port->optional) {
            continue;
        }
        const size_t count = add_field(b, port->name, port, n_tokens, port->rank);
        float *values;
        PML_TRY(pml_alloc(count, sizeof *values, &values, error));
        for (size_t k = 0; k < count; k++) {
            values[k] = port->index_below > 0
                            ? (float)(pml_random_word(7, i, k) % (port->index_below < 64 ? 1 : port->index_below))
                            : (float)pml_random_normal(7, i, k);
        }
        b->fields[b->batch.n_fields - 1].data = values;
    }

done:
    return status;
}

static pml_status make_target(bench *b, size_t n_tokens, pml_error *error) {
    pml_status status = PML_OK;
    const pml_task *task = b->trainer->objective.task;
    const pml_model_port *output = pml_model_find_output(b->model, task->outputs[0]);
    const size_t count = add_field(b, task->target, output, n_tokens, output->rank - task->is_class);
    pml_batch_field *field = &b->fields[b->batch.n_fields - 1];
    float *values;
    int64_t *classes;
    if (task->is_class) {
        PML_TRY(pml_alloc(count, sizeof *classes, &classes, error));
        for (size_t i = 0; i < count; i++) {
            classes[i] = (int64_t)(pml_random_word(7, 99, i) % output->shape[output->rank - 1]);
        }
        field->dtype = PML_DTYPE_I64;
        field->data = classes;
    } else {
        PML_TRY(pml_alloc(count, sizeof *values, &values, error));
        field->data = values;
    }

done:
    return status;
}

static pml_status take_step(bench *b, pml_error *error) {
    pml_status status = PML_OK;
    pml_step_result result;
    PML_TRY(pml_trainer_add(b->trainer, &b->batch, error));
    PML_TRY(pml_trainer_step(b->trainer, 1, &result, error));

done:
    return status;
}

static pml_status run(bench *b, char **argv, pml_error *error) {
    pml_status status = PML_OK;
    char line[64];
    PML_TRY(pml_file_open(argv[1], &b->file, error));
    PML_TRY(pml_model_create_trainable(b->file, &(pml_trainable_options){0}, &b->model, error));
    PML_TRY(pml_model_threads_set(b->model, (size_t)strtoul(argv[4], NULL, 10), error));
    PML_TRY(pml_trainer_create(b->model, &(pml_trainer_options){0}, &b->trainer, error));
    b->batch.n_samples = b->batch.n_all = (size_t)strtoul(argv[2], NULL, 10);
    b->batch.fields = b->fields;
    PML_TRY(make_inputs(b, (size_t)strtoul(argv[3], NULL, 10), error));
    PML_TRY(make_target(b, (size_t)strtoul(argv[3], NULL, 10), error));
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
    for (size_t i = 0; i < b->batch.n_fields; i++) {
        pml_free((void *)(uintptr_t)b->fields[i].data);
    }
    pml_trainer_destroy(b->trainer);
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
