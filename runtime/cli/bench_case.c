/* Runs of a model on made-up inputs, and the reading of its file, against the clock. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/checked.h"
#include "runtime/cli/bench.h"
#include "runtime/file/reader.h"
#include "runtime/schema/series_ports.h"

static double now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

/* What most matrices are stored in; embeddings and small vectors may be wider. */
static void name_dtype(const pml_file *file, char *text, size_t size_bytes) {
    size_t counts[PML_DTYPE_COUNT] = {0};
    pml_dtype most = PML_DTYPE_F32;
    uint32_t group_rows = 0;
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(file, i);
        counts[tensor->dtype] += tensor->rank >= 2;
        most = counts[tensor->dtype] > counts[most] ? tensor->dtype : most;
        group_rows = tensor->group_rows > group_rows ? tensor->group_rows : group_rows;
    }
    if (most == PML_DTYPE_I8) {
        (void)snprintf(text, size_bytes, group_rows > 0 ? "int8-g%u" : "int8", group_rows);
        return;
    }
    for (const char *name = pml_dtype_name(most); *name != '\0' && size_bytes > 1; name++, size_bytes--) {
        *text++ = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
    }
    *text = '\0';
}

pml_status pml_bench_file_open(const char *path, const pml_model_options *options, pml_bench_file *file,
                               pml_error *error) {
    pml_status status = PML_OK;
    *file = (pml_bench_file){.path = path};
    PML_TRY(pml_loaded_open(path, options, &file->loaded, error));
    name_dtype(file->loaded.file, file->dtype, sizeof file->dtype);
done:
    return status;
}

bool pml_bench_is_language_model(const pml_bench_file *file) {
    return pml_model_schema(file->loaded.model)->state != NULL &&
           pml_model_find_input(file->loaded.model, "input_ids") != NULL;
}

bool pml_bench_takes_tokens(const pml_bench_file *file) {
    for (size_t i = 0; i < pml_model_n_inputs(file->loaded.model); i++) {
        if (pml_model_input_at(file->loaded.model, i)->token_axis > 0) {
            return true;
        }
    }
    return false;
}

/* ---- inputs ----------------------------------------------------------------------------------------------------- */

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

/* An input for every port that the model needs. */
static pml_status make_inputs(pml_bench_case *c, pml_error *error) {
    pml_status status = PML_OK;
    const pml_model *model = c->file->loaded.model;
    PML_TRY(pml_alloc(pml_model_n_inputs(model) + 1, sizeof *c->inputs, &c->inputs, error));
    for (size_t i = 0; i < pml_model_n_inputs(model); i++) {
        const pml_model_port *port = pml_model_input_at(model, i);
        pml_array *input = &c->inputs[c->n_inputs];
        uint64_t count = c->batch;
        float *values = NULL;
        if (port->optional && strcmp(port->name, PML_PORT_MARKS) != 0) { /* a network that can be told dates is */
            continue;
        }
        *input = (pml_array){.name = port->name, .rank = port->rank};
        for (unsigned axis = 0; axis < port->rank; axis++) {
            const bool is_tokens = axis > 0 && axis == port->token_axis;
            input->shape[axis] = axis == 0 ? c->batch : is_tokens ? c->n_tokens : port->shape[axis];
            if (axis > 0 && !pml_ck_mul(count, input->shape[axis], &count)) {
                PML_TRY(PML_FAIL(error, PML_E_MEMORY, "input %s is too large", port->name));
            }
        }
        PML_TRY(pml_alloc(count, sizeof *values, &values, error));
        fill(port, values, count);
        input->data = values;
        c->n_inputs++;
    }
done:
    return status;
}

static pml_status make_texts(pml_bench_case *c, pml_error *error) {
    pml_status status = PML_OK;
    const size_t most = c->test == PML_BENCH_PROMPT ? c->n_tokens : c->depth;
    uint64_t n_positions = 0;
    if (!pml_ck_add(c->n_tokens, c->depth, &n_positions)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "too many tokens"));
    }
    PML_TRY(pml_session_create(c->file->loaded.model, c->batch, (size_t)n_positions, &c->session, error));
    PML_TRY(pml_alloc(most + 1, sizeof *c->ids, &c->ids, error));
    PML_TRY(pml_alloc(c->batch, sizeof *c->next_ids, &c->next_ids, error));
    PML_TRY(pml_alloc(c->batch, sizeof *c->texts, &c->texts, error));
    for (size_t i = 0; i < most; i++) {
        c->ids[i] = (uint32_t)(i * 7919 % pml_session_vocabulary(c->session));
    }
done:
    return status;
}

pml_status pml_bench_prepare(pml_bench_case *c, size_t n_runs, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_alloc(n_runs, sizeof *c->runs_ms, &c->runs_ms, error));
    PML_TRY(c->test == PML_BENCH_RUN ? make_inputs(c, error) : make_texts(c, error));
done:
    return status;
}

void pml_bench_case_deinit(pml_bench_case *c) {
    for (size_t i = 0; i < c->n_inputs; i++) {
        pml_free((void *)(uintptr_t)c->inputs[i].data);
    }
    pml_free(c->inputs);
    pml_session_destroy(c->session);
    pml_free(c->ids);
    pml_free(c->next_ids);
    pml_free(c->texts);
    pml_free(c->runs_ms);
    *c = (pml_bench_case){0};
}

/* ---- runs ------------------------------------------------------------------------------------------------------- */

static pml_status feed(pml_bench_case *c, const uint32_t *ids, size_t id_step, size_t count, pml_error *error) {
    for (size_t i = 0; i < c->batch; i++) {
        c->texts[i] = (pml_session_tokens){i, ids + i * id_step, count};
    }
    return pml_session_feed(c->session, c->texts, c->batch, error);
}

static pml_status shorten(pml_bench_case *c, size_t n_tokens, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < c->batch; i++) {
        PML_TRY(pml_session_truncate(c->session, i, n_tokens, error));
    }
done:
    return status;
}

/* Each text's likeliest next token. */
static pml_status choose(pml_bench_case *c, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < c->batch; i++) {
        const float *scores;
        PML_TRY(pml_session_next(c->session, i, &scores, error));
        uint32_t best = 0;
        for (size_t k = 1; k < pml_session_vocabulary(c->session); k++) {
            best = scores[k] > scores[best] ? (uint32_t)k : best;
        }
        c->next_ids[i] = best;
    }
done:
    return status;
}

/* What is timed; *units: into how many equal parts the time falls. */
static pml_status run_once(pml_bench_case *c, size_t *units, pml_error *error) {
    pml_status status = PML_OK;
    *units = 1;
    switch (c->test) {
    case PML_BENCH_RUN:
        PML_TRY(pml_model_run(c->file->loaded.model, c->inputs, c->n_inputs, error));
        break;
    case PML_BENCH_PROMPT:
        PML_TRY(feed(c, c->ids, 0, c->n_tokens, error));
        break;
    case PML_BENCH_GENERATE:
        for (size_t i = 0; i < c->n_tokens; i++) {
            PML_TRY(feed(c, c->next_ids, 1, 1, error));
            PML_TRY(choose(c, error));
        }
        *units = c->n_tokens;
        break;
    }
done:
    return status;
}

/* Brings the texts to where a run begins. */
static pml_status go_back(pml_bench_case *c, pml_error *error) {
    pml_status status = PML_OK;
    if (c->test == PML_BENCH_RUN) {
        goto done;
    }
    if (pml_session_length(c->session, 0) < c->depth) {
        PML_TRY(feed(c, c->ids, 0, c->depth, error));
    }
    PML_TRY(shorten(c, c->depth, error));
    for (size_t i = 0; i < c->batch; i++) {
        c->next_ids[i] = (uint32_t)(i % pml_session_vocabulary(c->session));
    }
done:
    return status;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* Ways to walk through memory; which is the fastest depends on the machine and on where the bytes lie. */
static const struct walk {
    size_t n_streams, ahead_bytes;
} walks[] = {{1, 0}, {1, 1024}, {1, 8192}, {2, 0}, {4, 0}, {4, 2048}, {8, 0}, {8, 512}};

typedef struct reading {
    const pml_file *file;
    pml_read_fn *read;
    const struct walk *walk;
    size_t n_parts;
} reading;

/* One of as many equal parts of every tensor. */
static void read_part(void *user, size_t i_part) {
    const reading *r = user;
    for (size_t i = 0; i < pml_file_n_tensors(r->file); i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(r->file, i);
        const size_t size_bytes = (size_t)tensor->size_bytes / r->n_parts;
        (void)r->read(&(pml_read){
            .bytes = (const char *)pml_file_tensor_data(r->file, tensor) + i_part * size_bytes,
            .size_bytes = size_bytes,
            .n_streams = r->walk->n_streams,
            .ahead_bytes = r->walk->ahead_bytes,
        });
    }
}

/* Reads all tensors once in every way and keeps the least time. */
static void read_file(pml_bench_case *c, pml_context *context) {
    pml_kernels kernels;
    pml_kernels_select(&kernels, pml_isa_detect());
    pml_thread_pool *pool = pml_context_pool(context);
    reading r = {.file = c->file->loaded.file,
                 .read = kernels.read_words,
                 .n_parts = pool != NULL ? pml_thread_pool_size(pool) : 1};
    c->read_bytes = 0;
    for (size_t i = 0; i < pml_file_n_tensors(r.file); i++) {
        c->read_bytes += pml_file_tensor_at(r.file, i)->size_bytes;
    }
    for (size_t i = 0; i < sizeof walks / sizeof walks[0]; i++) {
        r.walk = &walks[i];
        const double start_ms = now_ms();
        if (pool != NULL) {
            pml_thread_pool_run(pool, r.n_parts, read_part, &r);
        } else {
            read_part(&r, 0);
        }
        const double elapsed_ms = now_ms() - start_ms;
        c->read_ms = c->read_ms <= 0 || elapsed_ms < c->read_ms ? elapsed_ms : c->read_ms;
    }
}

pml_status pml_bench_turn(pml_bench_case *c, size_t n_warmup, size_t n_runs, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(c->file->loaded.model);
    PML_TRY(pml_context_threads_set(context, c->n_threads, error));
    read_file(c, context);
    for (size_t i = 0; i < n_warmup + n_runs; i++) {
        size_t units = 1;
        PML_TRY(pml_cancel_check(error));
        PML_TRY(go_back(c, error));
        context->work.products = context->work.weight_bytes = 0;
        const double start_ms = now_ms();
        PML_TRY(run_once(c, &units, error));
        const double elapsed_ms = now_ms() - start_ms;
        if (i >= n_warmup) {
            c->runs_ms[c->n_runs++] = elapsed_ms / (double)units;
        }
        c->products = context->work.products / units;
        c->weight_bytes = context->work.weight_bytes / units;
    }
done:
    return status;
}
