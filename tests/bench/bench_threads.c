/* How even threads share work, which a busy machine shows too: processor time of each thread, and of all together
 * against that of one. Works take turns, with one thread and with N; each figure is the least of many rounds. With both
 * cores free the wall times tell the rest. Used by scripts and by hand: bench_threads N [FILE.pml [BATCH [TOKENS]]] */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/models/model.h"
#include "runtime/ops/parallel.h"

enum { ROUNDS = 40, MOST_THREADS = 64, M = 128, K = 768, N = 3072 };

static pml_context gemm_context;
static pml_tensor x, w;
static pml_model *model;
static pml_array inputs[PML_MODEL_MAX_PORTS];
static size_t n_inputs;

static double seconds(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static pml_status run_gemm(pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor y;
    for (int i = 0; i < 8; i++) {
        PML_TRY(pml_context_step_begin(&gemm_context, PML_FLOATS(M, N), 0, error));
        PML_TRY(pml_op_linear(&gemm_context, &x, &w, NULL, PML_ACTIVATION_IDENTITY, NULL, &y, error));
    }
done:
    return status;
}

static pml_status run_model(pml_error *error) {
    return pml_model_run(model, inputs, n_inputs, error);
}

typedef struct work {
    const char *name;
    pml_context *context;
    pml_status (*run)(pml_error *error);
    double one_s, one_wall_s;                   /* of one thread */
    double all_s, wall_s, each_s[MOST_THREADS]; /* of the round in which all together took least */
} work;

static clockid_t clocks[MOST_THREADS];
static void find_clock(void *user, size_t i_thread) {
    (void)user;
    (void)pthread_getcpuclockid(pthread_self(), &clocks[i_thread]);
}

static pml_status time_round(work *it, size_t n_threads, pml_error *error) {
    pml_status status = PML_OK;
    double each_s[MOST_THREADS], all_s = 0;
    PML_TRY(pml_context_threads_set(it->context, n_threads, error));
    pml_context_run(it->context, n_threads, find_clock, NULL);
    for (int turn = 0; turn < 2; turn++) { /* the first fills caches and wakes threads */
        for (size_t i = 0; i < n_threads; i++) {
            each_s[i] = seconds(clocks[i]);
        }
        double wall_s = seconds(CLOCK_MONOTONIC);
        PML_TRY(it->run(error));
        wall_s = seconds(CLOCK_MONOTONIC) - wall_s;
        if (turn == 0) {
            continue;
        }
        for (size_t i = 0; i < n_threads; i++) {
            each_s[i] = seconds(clocks[i]) - each_s[i];
            all_s += each_s[i];
        }
        double *least_s = n_threads == 1 ? &it->one_s : &it->all_s,
               *least_wall_s = n_threads == 1 ? &it->one_wall_s : &it->wall_s;
        *least_wall_s = wall_s < *least_wall_s ? wall_s : *least_wall_s;
        if (all_s < *least_s) {
            *least_s = all_s;
            memcpy(it->each_s, each_s, (n_threads == 1 ? 0 : n_threads) * sizeof *each_s);
        }
    }
done:
    return status;
}

static pml_status make_gemm(pml_error *error) {
    pml_status status = PML_OK;
    static pml_buffer buffers[2];
    void *values;
    PML_TRY(pml_context_init(&gemm_context, NULL, error));
    PML_TRY(pml_alloc_aligned((size_t)K * N * sizeof(float), &values, error));
    for (size_t i = 0; i < (size_t)K * N; i++) {
        ((float *)values)[i] = (float)(i % 97) * 0.01f - 0.5f;
    }
    x = pml_context_view(values, PML_DTYPE_F32, (const size_t[]){M, K}, 2, &buffers[0]);
    w = pml_context_view(values, PML_DTYPE_F32, (const size_t[]){K, N}, 2, &buffers[1]);
    w.layout = PML_LAYOUT_PANEL;
done:
    return status;
}

static pml_status make_inputs(size_t batch, size_t n_tokens, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < pml_model_n_inputs(model); i++) {
        const pml_model_port *port = pml_model_input_at(model, i);
        float *values;
        size_t count = 1;
        if (port->optional) {
            continue;
        }
        pml_array *input = &inputs[n_inputs++];
        *input = (pml_array){.name = port->name, .rank = port->rank};
        for (unsigned axis = 0; axis < port->rank; axis++) {
            input->shape[axis] = axis == 0 ? batch : axis == port->token_axis ? n_tokens : port->shape[axis];
            count *= input->shape[axis];
        }
        PML_TRY(pml_alloc(count, sizeof *values, &values, error));
        for (size_t k = 0; k < count; k++) {
            values[k] = port->index_below > 0 ? (float)(k * 7919 % port->index_below) : (float)(k % 31) * 0.1f;
        }
        input->data = values;
    }
done:
    return status;
}

int main(int argc, char **argv) {
    pml_status status = PML_OK;
    pml_error error = {.message = "usage: bench_threads N [FILE.pml [BATCH [TOKENS]]]"};
    pml_file *file = NULL;
    const size_t n_threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    work works[2] = {{.name = "gemm 128x768x3072, f32", .context = &gemm_context, .run = run_gemm},
                     {.name = argc > 2 ? argv[2] : "", .run = run_model}};
    const size_t n_works = argc > 2 ? 2 : 1;
    if (n_threads < 2 || n_threads >= MOST_THREADS) {
        PML_TRY(PML_E_ARGUMENT);
    }
    PML_TRY(make_gemm(&error));
    if (argc > 2) {
        PML_TRY(pml_file_open(argv[2], &file, &error));
        PML_TRY(pml_model_create(file, NULL, &model, &error));
        PML_TRY(make_inputs(argc > 3 ? strtoul(argv[3], NULL, 10) : 8, argc > 4 ? strtoul(argv[4], NULL, 10) : 128,
                            &error));
        works[1].context = pml_model_context(model);
    }
    for (size_t i = 0; i < n_works; i++) {
        works[i].one_s = works[i].all_s = works[i].one_wall_s = works[i].wall_s = 1e30;
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < n_works; i++) {
            PML_TRY(time_round(&works[i], 1, &error));
            PML_TRY(time_round(&works[i], n_threads, &error));
        }
    }
    (void)printf("work,threads,one_ms,all_ms,all_per_one,least_per_greatest,one_wall_ms,wall_ms,speedup\n");
    for (size_t i = 0; i < n_works; i++) {
        const work *it = &works[i];
        double least = 1e30, greatest = 0;
        for (size_t t = 0; t < n_threads; t++) {
            least = it->each_s[t] < least ? it->each_s[t] : least;
            greatest = it->each_s[t] > greatest ? it->each_s[t] : greatest;
        }
        (void)printf("%s,%zu,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.2f\n", it->name, n_threads, it->one_s * 1e3,
                     it->all_s * 1e3, it->all_s / it->one_s, least / greatest, it->one_wall_s * 1e3, it->wall_s * 1e3,
                     it->one_wall_s / it->wall_s);
    }
done:
    if (status != PML_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
    }
    for (size_t i = 0; i < n_inputs; i++) {
        pml_free((void *)(uintptr_t)inputs[i].data);
    }
    pml_model_destroy(model);
    pml_file_close(file);
    pml_context_deinit(&gemm_context);
    if (x.buffer != NULL) {
        pml_free(x.buffer->host);
    }
    return status == PML_OK ? 0 : 1;
}
