/* pml-run bench: times a model on synthetic input. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/checked.h"
#include "runtime/base/json_writer.h"
#include "runtime/cli/run_commands.h"
#include "runtime/models/model.h"

enum { MOST_BATCHES = 32, MOST_REPEATS = 100000, MOST_BATCH = 1000000, MOST_TOKENS = 1000000 };

typedef struct bench_options {
    pml_common_options common;
    pml_model_options model;
    const char *batches;
    const char *output;
    pml_option_u64 repeats, warmup, tokens;
} bench_options;

static const pml_option option_table[] = {
    {"batch-size", 'b', PML_OPTION_TEXT, "LIST", NULL, "samples per run, such as 1,32,128 (default: 1)",
     offsetof(bench_options, batches)},
    {"repetitions", 'r', PML_OPTION_U64, "N", NULL, "timed runs of each size (default: 10)",
     offsetof(bench_options, repeats)},
    {"warmup", 0, PML_OPTION_U64, "N", NULL, "runs before the timed ones (default: 2)",
     offsetof(bench_options, warmup)},
    {"tokens", 0, PML_OPTION_U64, "N", NULL, "tokens of each sequence, for models of text (default: 16)",
     offsetof(bench_options, tokens)},
    {"output", 'o', PML_OPTION_TEXT, "FORM", "table|csv|md|json", "how to print (default: table)",
     offsetof(bench_options, output)},
    PML_MODEL_OPTION_ROWS(bench_options),
    PML_OPTION_ROWS_END};

typedef struct batch_result {
    size_t batch;
    double min_ms, median_ms;
    double *runs_ms; /* [repeats], ascending */
} batch_result;

static pml_status read_batches(const char *text, size_t *batches, size_t *count, pml_error *error) {
    const char *at = text;
    for (*count = 0; *count < MOST_BATCHES; (*count)++) {
        char *end = NULL;
        unsigned long value = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : 0;
        if (value < 1 || value > MOST_BATCH || (*end != ',' && *end != '\0')) {
            break;
        }
        batches[*count] = value;
        if (*end == '\0') {
            (*count)++;
            return PML_OK;
        }
        at = end + 1;
    }
    return PML_FAIL(error, PML_E_ARGUMENT,
                    "--batch-size takes up to %d numbers from 1 to %d such as 1,32,128, not '%s'", MOST_BATCHES,
                    MOST_BATCH, text);
}

/* Smooth, bounded and the same on every machine: a wave per position with a little noise; or indexes all over the
 * range.
 */
static void fill(const pml_model_port *port, float *values, size_t count) {
    uint32_t state = 2463534242u;
    for (size_t i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        values[i] = port->index_below > 0
                        ? (float)(state % port->index_below)
                        : sinf((float)(i % 4096) * 0.26f) + (float)(state >> 8) * (1.0f / 16777216.0f) - 0.5f;
    }
}

/* Makes an input for every port that the model needs. */
static pml_status make_inputs(const pml_model *model, size_t batch, size_t n_tokens, pml_array *inputs,
                              size_t *n_inputs, pml_error *error) {
    pml_status status = PML_OK;
    *n_inputs = 0;
    for (size_t i = 0; i < pml_model_n_inputs(model); i++) {
        const pml_model_port *port = pml_model_input_at(model, i);
        pml_array *input = &inputs[*n_inputs];
        uint64_t count = batch;
        float *values = NULL;
        if (port->optional) {
            continue;
        }
        *input = (pml_array){.name = port->name, .rank = port->rank};
        for (unsigned axis = 0; axis < port->rank; axis++) {
            const bool is_tokens = axis > 0 && axis == port->token_axis;
            input->shape[axis] = axis == 0 ? batch : is_tokens ? n_tokens : port->shape[axis];
            if (axis > 0 && !pml_ck_mul(count, input->shape[axis], &count)) {
                PML_TRY(PML_FAIL(error, PML_E_MEMORY, "input %s is too large", port->name));
            }
        }
        PML_TRY(pml_alloc(count, sizeof *values, &values, error));
        fill(port, values, count);
        input->data = values;
        (*n_inputs)++;
    }
done:
    return status;
}

static double now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static pml_status time_batch(pml_model *model, size_t n_tokens, size_t repeats, size_t warmup, batch_result *result,
                             pml_error *error) {
    pml_status status = PML_OK;
    pml_array inputs[PML_MODEL_MAX_PORTS];
    size_t n_inputs = 0;
    PML_TRY(make_inputs(model, result->batch, n_tokens, inputs, &n_inputs, error));
    PML_TRY(pml_alloc(repeats, sizeof *result->runs_ms, &result->runs_ms, error));
    for (size_t i = 0; i < warmup + repeats; i++) {
        PML_TRY(pml_cancel_check(error));
        double start = now_ms();
        PML_TRY(pml_model_run(model, inputs, n_inputs, error));
        if (i >= warmup) {
            result->runs_ms[i - warmup] = now_ms() - start;
        }
    }
    qsort(result->runs_ms, repeats, sizeof *result->runs_ms, compare);
    result->min_ms = result->runs_ms[0];
    result->median_ms = (result->runs_ms[(repeats - 1) / 2] + result->runs_ms[repeats / 2]) / 2;
done:
    for (size_t i = 0; i < n_inputs; i++) {
        pml_free((void *)(uintptr_t)inputs[i].data);
    }
    return status;
}

static pml_status print_json(const bench_options *o, const char *path, const batch_result *results, size_t count,
                             size_t repeats, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "file", path);
    pml_json_string(&w, "backend", o->model.backend != NULL ? o->model.backend : "auto");
    pml_json_u64(&w, "threads", 1);
    pml_json_begin_array(&w, "results");
    for (size_t i = 0; i < count; i++) {
        pml_json_begin_object(&w, NULL);
        pml_json_u64(&w, "batch_size", results[i].batch);
        pml_json_f64(&w, "min_ms", results[i].min_ms);
        pml_json_f64(&w, "median_ms", results[i].median_ms);
        pml_json_begin_array(&w, "runs_ms");
        for (size_t j = 0; j < repeats; j++) {
            pml_json_f64(&w, NULL, results[i].runs_ms[j]);
        }
        pml_json_end_array(&w);
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

/* What a form writes before the rows, and a row: batch size, least and median time, rate. */
static const struct form {
    const char *name, *title, *row;
} forms[] = {
    {"table", " batch      min ms   median ms   samples/s\n", "%6zu %11.4f %11.4f %11.1f\n"},
    {"csv", "batch_size,min_ms,median_ms,samples_per_s\n", "%zu,%.4f,%.4f,%.1f\n"},
    {"md", "| batch | min ms | median ms | samples/s |\n|--:|--:|--:|--:|\n", "| %zu | %.4f | %.4f | %.1f |\n"},
};

static void print_rows(const batch_result *results, size_t count, const char *name) {
    const struct form *form = forms;
    while (name != NULL && strcmp(form->name, name) != 0) {
        form++; /* the option table allows no other name */
    }
    (void)fputs(form->title, stdout);
    for (size_t i = 0; i < count; i++) {
        double rate = results[i].median_ms > 0 ? (double)results[i].batch * 1000 / results[i].median_ms : 0;
        (void)printf(form->row, results[i].batch, results[i].min_ms, results[i].median_ms, rate);
    }
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const bench_options *o = options;
    pml_status status = PML_OK;
    pml_loaded loaded = {0};
    size_t batches[MOST_BATCHES], n_batches = 0;
    batch_result results[MOST_BATCHES] = {0};
    size_t repeats = o->repeats.is_set ? o->repeats.value : 10, warmup = o->warmup.is_set ? o->warmup.value : 2;
    const size_t n_tokens = o->tokens.is_set ? o->tokens.value : 16;
    (void)n_operands;
    PML_TRY(read_batches(o->batches != NULL ? o->batches : "1", batches, &n_batches, error));
    if (n_tokens < 1 || n_tokens > MOST_TOKENS) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--tokens must lie between 1 and %d", MOST_TOKENS));
    }
    if (repeats < 1 || repeats > MOST_REPEATS || warmup > MOST_REPEATS) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--repetitions must lie between 1 and %d, --warmup below that",
                         MOST_REPEATS));
    }
    PML_TRY(pml_loaded_open(operands[0], &o->model, &loaded, error));
    for (size_t i = 0; i < n_batches; i++) {
        results[i].batch = batches[i];
        PML_TRY(time_batch(loaded.model, n_tokens, repeats, warmup, &results[i], error));
    }
    if (o->common.json || (o->output != NULL && strcmp(o->output, "json") == 0)) {
        PML_TRY(print_json(o, operands[0], results, n_batches, repeats, error));
    } else {
        print_rows(results, n_batches, o->output);
    }
done:
    for (size_t i = 0; i < n_batches; i++) {
        pml_free(results[i].runs_ms);
    }
    pml_loaded_close(&loaded);
    return status;
}

const pml_command pml_cmd_run_bench = {
    .name = "bench",
    .operands = "FILE",
    .summary = "Time the forward pass on made-up inputs, on one thread",
    .examples = "pml-run bench model.pml -b 1,32,128\npml-run bench model.pml -b 32 -r 50 -o csv --backend cpu",
    .options = option_table,
    .options_bytes = sizeof(bench_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
