#include "runtime/ops/context.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/cpu_count.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

#define ALIGNMENT_BYTES 64u

pml_status pml_context_init(pml_context *context, const char *backend, pml_error *error) {
    pml_status status = PML_OK;
    const pml_backend *found = NULL;
    uint32_t isa_mask = 0;
    *context = (pml_context){0};
    PML_TRY(pml_cpu_threads_check(error));
    PML_TRY(pml_backend_find(backend, &found, error));
    if (found->check != NULL) {
        PML_TRY(found->check(error));
    }
    PML_TRY(pml_isa_allowed(&isa_mask, error));
    PML_TRY(found->open(&context->kernels, isa_mask, &context->backend_state, error));
    context->backend = found;

done:
    return status;
}

void pml_context_deinit(pml_context *context) {
    if (context->backend != NULL && context->backend->close != NULL) {
        context->backend->close(context->backend_state);
    }
    pml_thread_pool_destroy(context->pool);
    pml_free(context->quantized);
    pml_arena_deinit(&context->step);
    pml_arena_deinit(&context->state);
    pml_arena_deinit(&context->model);
    *context = (pml_context){0};
}

/* ---- threads ---- */
pml_status pml_context_threads_set(pml_context *context, size_t n_threads, pml_error *error) {
    if (n_threads < 1 || n_threads > PML_MAX_THREADS) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%zu threads: there may be 1 to %u", n_threads, PML_MAX_THREADS);
    }
    if (n_threads != context->n_threads) {
        pml_thread_pool_destroy(context->pool);
        context->pool = NULL;
        context->n_threads = n_threads;
    }
    return PML_OK;
}

size_t pml_context_threads(pml_context *context) {
    if (context->n_threads == 0 && pml_cpu_threads(&context->n_threads, NULL) != PML_OK) {
        context->n_threads = 1; /* PML_THREADS has changed since pml_context_init looked at it */
    }
    return context->n_threads;
}

pml_thread_pool *pml_context_pool(pml_context *context) {
    if (context->pool != NULL && pml_thread_pool_is_foreign(context->pool)) {
        pml_thread_pool_destroy(context->pool);
        context->pool = NULL;
    }
    if (context->pool == NULL && pml_context_threads(context) > 1) {
        if (pml_thread_pool_create(context->n_threads, &context->pool, NULL) != PML_OK) {
            pml_log(PML_LOG_WARNING, "no memory for %zu threads: going on with one", context->n_threads);
        }
        context->n_threads = context->pool == NULL ? 1 : pml_thread_pool_size(context->pool);
    }
    return context->pool;
}

/* ---- storage ---- */
size_t pml_context_bytes(size_t count, size_t each_bytes) {
    uint64_t bytes;
    if (!pml_ck_mul(count, each_bytes, &bytes) || !pml_ck_pad(bytes, ALIGNMENT_BYTES, &bytes) || bytes > SIZE_MAX / 2) {
        return SIZE_MAX;
    }
    return (size_t)bytes;
}

size_t pml_context_floats(const size_t *shape, size_t rank) {
    uint64_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        if (!pml_ck_mul(count, shape[i], &count)) {
            return SIZE_MAX;
        }
    }
    return pml_context_bytes((size_t)count, sizeof(float));
}

size_t pml_context_sum(const size_t *parts_bytes, size_t n_parts) {
    size_t sum_bytes = 0;
    for (size_t i = 0; i < n_parts; i++) {
        sum_bytes = parts_bytes[i] > SIZE_MAX - sum_bytes ? SIZE_MAX : sum_bytes + parts_bytes[i];
    }
    return sum_bytes;
}

pml_status pml_context_step_begin(pml_context *context, size_t workspace_bytes, size_t other_bytes, pml_error *error) {
    pml_status status = PML_OK;
    size_t slab_bytes = pml_context_bytes(workspace_bytes, 1);
    size_t total_bytes = PML_SUM(slab_bytes, pml_context_bytes(other_bytes, 1));
    context->workspace = (pml_buffer){0};
    context->workspace_used_bytes = 0;
    context->workspace_peak_bytes = 0;
    context->workspace_missed_bytes = 0;
    if (total_bytes > SIZE_MAX / 2) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "a step of this size does not fit into memory"));
    }
    if (total_bytes > context->step_capacity_bytes) {
        context->step_capacity_bytes = 0;
        pml_arena_deinit(&context->step);
        PML_TRY(pml_arena_init(&context->step, total_bytes, error));
        context->step_capacity_bytes = total_bytes;
    } else {
        PML_TRY(pml_arena_reset(&context->step, error));
    }
    if (context->tape != NULL) {
        pml_tape_clear(context->tape);
    }
    if (slab_bytes > 0) {
        PML_TRY(pml_arena_alloc(&context->step, slab_bytes, 1, &context->workspace.host, error));
        context->workspace.size_bytes = slab_bytes;
    }

done:
    if (status != PML_OK) {
        context->step_capacity_bytes = 0;
    }
    return status;
}

/* Where `bytes` (a multiple of the alignment) of step storage lie. */
static pml_status place(pml_context *context, size_t bytes, bool in_workspace, pml_buffer **buffer,
                        size_t *offset_bytes, pml_error *error) {
    pml_status status = PML_OK;
    if (bytes == SIZE_MAX) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "the size of an intermediate result overflows"));
    }
    if (in_workspace && bytes <= context->workspace.size_bytes - context->workspace_used_bytes) {
        *buffer = &context->workspace;
        *offset_bytes = context->workspace_used_bytes;
        context->workspace_used_bytes += bytes;
        if (context->workspace_used_bytes > context->workspace_peak_bytes) {
            context->workspace_peak_bytes = context->workspace_used_bytes;
        }
    } else {
        pml_buffer *own;
        PML_TRY(pml_arena_alloc(&context->step, 1, sizeof *own, &own, error));
        *own = (pml_buffer){.size_bytes = bytes};
        PML_TRY(pml_arena_alloc(&context->step, bytes, 1, &own->host, error));
        *buffer = own;
        *offset_bytes = 0;
        context->workspace_missed_bytes += in_workspace ? bytes : 0;
    }

done:
    return status;
}

static pml_status make(pml_context *context, pml_dtype dtype, const size_t *shape, unsigned rank, bool in_workspace,
                       pml_tensor *tensor, pml_error *error) {
    pml_status status = PML_OK;
    if (rank > PML_MAX_RANK) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a tensor cannot have rank %u", rank));
    }
    pml_tensor result = {.dtype = dtype, .layout = PML_LAYOUT_ROW, .rank = rank};
    uint64_t count = 1;
    for (unsigned axis = 0; axis < rank; axis++) {
        result.shape[axis] = shape[axis];
        if (!pml_ck_mul(count, shape[axis], &count)) {
            count = UINT64_MAX;
        }
    }
    size_t bytes = pml_context_bytes((size_t)count, pml_dtype_bits(dtype) / 8u);
    PML_TRY(place(context, bytes, in_workspace, &result.buffer, &result.offset_bytes, error));
    *tensor = result;

done:
    return status;
}

pml_status pml_context_tensor(pml_context *context, pml_dtype dtype, const size_t *shape, unsigned rank,
                              pml_tensor *tensor, pml_error *error) {
    return make(context, dtype, shape, rank, true, tensor, error);
}

pml_status pml_context_step_tensor(pml_context *context, pml_dtype dtype, const size_t *shape, unsigned rank,
                                   pml_tensor *tensor, pml_error *error) {
    return make(context, dtype, shape, rank, false, tensor, error);
}

pml_status pml_context_scratch(pml_context *context, size_t count, float **scratch, pml_error *error) {
    pml_buffer *buffer;
    size_t offset_bytes;
    pml_status status = place(context, pml_context_bytes(count, sizeof **scratch), true, &buffer, &offset_bytes, error);
    if (status == PML_OK) {
        *scratch = (float *)(void *)((char *)buffer->host + offset_bytes);
    }
    return status;
}

pml_status pml_context_keep_sizes(pml_context *context, const size_t *sizes, size_t n, const size_t **kept,
                                  pml_error *error) {
    float *storage = NULL;
    *kept = NULL;
    if (context->tape == NULL) {
        return PML_OK;
    }
    const pml_status status = pml_context_scratch(context, n * (sizeof *sizes / sizeof *storage), &storage, error);
    if (status == PML_OK) {
        memcpy(storage, sizes, n * sizeof *sizes);
        *kept = (const size_t *)(const void *)storage;
    }
    return status;
}

pml_status pml_context_quantized(pml_context *context, size_t size_bytes, pml_error *error) {
    if (size_bytes <= context->quantized_bytes) {
        return PML_OK;
    }
    pml_free(context->quantized);
    context->quantized = NULL;
    context->quantized_bytes = 0;
    pml_status status = pml_alloc_aligned(size_bytes, &context->quantized, error);
    if (status == PML_OK) {
        context->quantized_bytes = size_bytes;
    }
    return status;
}

pml_tensor pml_context_view(const void *data, pml_dtype dtype, const size_t *shape, unsigned rank, pml_buffer *buffer) {
    /* is_constant keeps writers away from the pointer that loses its const here. */
    *buffer = (pml_buffer){.host = (void *)(uintptr_t)data};
    pml_tensor view = {.dtype = dtype, .layout = PML_LAYOUT_ROW, .rank = rank, .buffer = buffer, .is_constant = true};
    memcpy(view.shape, shape, rank * sizeof *shape);
    buffer->size_bytes = pml_tensor_count(&view) * (pml_dtype_bits(dtype) / 8u);
    return view;
}

size_t pml_context_mark(const pml_context *context) {
    return context->workspace_used_bytes;
}

void pml_context_release(pml_context *context, size_t mark, pml_tensor *keep) {
    if (context->tape != NULL) {
        return;
    }
    if (keep == NULL || keep->buffer != &context->workspace || keep->offset_bytes < mark) {
        context->workspace_used_bytes = mark;
        return;
    }
    size_t size_bytes = pml_context_bytes(pml_tensor_count(keep), pml_dtype_bits(keep->dtype) / 8u);
    char *base = context->workspace.host;
    if (keep->offset_bytes != mark) {
        memmove(base + mark, base + keep->offset_bytes, size_bytes);
        keep->offset_bytes = mark;
    }
    context->workspace_used_bytes = mark + size_bytes;
}

void pml_context_show(const pml_context *context, const char *name, size_t first_row, const pml_tensor *tensor) {
    if (context->probe != NULL) {
        context->probe(context->probe_user, name, first_row, tensor);
    }
}
