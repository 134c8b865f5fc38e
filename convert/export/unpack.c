#include "convert/export/unpack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert/elements.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"

enum { CHUNK_BYTES = 1 << 20 };

struct pml_unpacker {
    uint8_t chunk[CHUNK_BYTES];
};

pml_status pml_unpacker_create(pml_unpacker **unpacker, pml_error *error) {
    return pml_alloc(1, sizeof **unpacker, unpacker, error);
}

void pml_unpacker_destroy(pml_unpacker *unpacker) {
    pml_free(unpacker);
}

pml_status pml_unpack_dtype(const pml_file *file, const pml_reverse_tensor *tensor, pml_dtype *dtype,
                            pml_error *error) {
    *dtype = tensor->dtype;
    for (size_t i = 0; i < tensor->n_parts; i++) {
        const pml_weight_instance *weight = tensor->parts[i].weight;
        const pml_file_tensor *stored = pml_file_tensor_find(file, weight->name);
        if (stored == NULL || stored->rank != weight->rank ||
            memcmp(stored->shape, weight->shape, weight->rank * sizeof weight->shape[0]) != 0) {
            return PML_FAIL(error, PML_E_FORMAT, "the file's weight %s is %s", weight->name,
                            stored == NULL ? "missing" : "not of the shape that its configuration gives");
        }
        if (!pml_dtype_is_float(stored->dtype)) {
            return PML_FAIL(error, PML_E_UNSUPPORTED,
                            "weight %s is stored as %s: what rounding took away cannot be written back", weight->name,
                            pml_dtype_name(stored->dtype));
        }
        if (i > 0 && stored->dtype != *dtype) {
            return PML_FAIL(error, PML_E_UNSUPPORTED, "tensor %s: its weights are stored as %s and %s", tensor->name,
                            pml_dtype_name(*dtype), pml_dtype_name(stored->dtype));
        }
        *dtype = stored->dtype;
    }
    return PML_OK;
}

/* ---- a part's elements in the order of its tensor ---- */
typedef struct loop {
    uint64_t size;
    uint64_t to;   /* stride in the tensor */
    uint64_t from; /* stride in the weight */
    uint64_t at;
} loop;

typedef struct cursor {
    const pml_file_tensor *stored;
    const uint8_t *bytes;
    loop loops[PML_MAX_FACTORS + 1]; /* outermost first, by descending stride in the tensor */
    unsigned n_loops;                /* at least 1 */
    uint64_t to, from;               /* elements at which the innermost loop begins */
    bool is_done;
} cursor;

static int compare_loops(const void *a, const void *b) {
    const uint64_t x = ((const loop *)a)->to, y = ((const loop *)b)->to;
    return x > y ? -1 : x < y;
}

static pml_status cursor_init(cursor *c, const pml_unpack_job *job, const pml_reverse_part *part, pml_error *error) {
    pml_status status = PML_OK;
    pml_view view;
    PML_TRY(pml_reverse_view(job->reverse, job->tensor, part, &view, error));
    *c = (cursor){.stored = pml_file_tensor_find(job->file, part->weight->name), .to = view.offset};
    c->bytes = pml_file_tensor_data(job->file, c->stored);
    uint64_t from = 1;
    for (unsigned k = view.n_factors; k-- > 0;) {
        c->loops[c->n_loops++] = (loop){.size = view.factor_size[k], .to = view.factor_stride[k], .from = from};
        from *= view.factor_size[k];
    }
    if (c->n_loops == 0) { /* a single element */
        c->loops[c->n_loops++] = (loop){.size = 1, .to = 1, .from = 1};
    }
    c->from = part->is_stacked ? part->i_stack * from : 0;
    qsort(c->loops, c->n_loops, sizeof c->loops[0], compare_loops);
done:
    return status;
}

/* Moves on to the next run of the innermost loop. */
static void cursor_step(cursor *c) {
    c->loops[c->n_loops - 1].at = 0;
    for (unsigned k = c->n_loops - 1; k-- > 0;) {
        loop *l = &c->loops[k];
        c->to += l->to;
        c->from += l->from;
        if (++l->at < l->size) {
            return;
        }
        c->to -= l->size * l->to;
        c->from -= l->size * l->from;
        l->at = 0;
    }
    c->is_done = true;
}

/* ---- copying runs ---- */
static void copy_strided(uint8_t *to, size_t to_bytes, const uint8_t *from, size_t from_bytes, size_t n,
                         size_t element_bytes) {
    if (to_bytes == element_bytes && from_bytes == element_bytes) {
        memcpy(to, from, n * element_bytes);
        return;
    }
    for (size_t i = 0; i < n; i++, to += to_bytes, from += from_bytes) {
        if (element_bytes == 4) {
            memcpy(to, from, 4);
        } else {
            memcpy(to, from, element_bytes);
        }
    }
}

/* `n` elements of a panel tensor from `first` on, `step` apart, of one column (step: its row length) or one row (1);
 * returns how many of them lie so evenly that they were copied. */
static size_t copy_panel(const cursor *c, uint64_t first, uint64_t step, size_t n, uint8_t *to, size_t to_bytes,
                         size_t element_bytes) {
    const pml_file_tensor *stored = c->stored;
    const uint64_t n_in = stored->shape[stored->rank - 2], n_out = stored->shape[stored->rank - 1];
    const unsigned depth = pml_panel_depth(stored->dtype);
    const uint64_t column = first % n_out, row = first / n_out % n_in;
    const uint8_t *from = c->bytes + pml_element_offset_bytes(stored, first);
    if (step == 1) { /* up to the end of the panel's line */
        uint64_t left = PML_PANEL_COLUMNS - column % PML_PANEL_COLUMNS;
        left = left < n_out - column ? left : n_out - column;
        const size_t n_run = n < left ? n : (size_t)left;
        copy_strided(to, to_bytes, from, depth * element_bytes, n_run, element_bytes);
        return n_run;
    }
    if (step == n_out && row % depth == 0) { /* each of a line's rows by itself, down the panel */
        const size_t n_run = n < n_in - row ? n : (size_t)(n_in - row);
        for (size_t k = 0; k < depth && k < n_run; k++) {
            copy_strided(to + k * to_bytes, depth * to_bytes, from + k * element_bytes,
                         PML_PANEL_COLUMNS * depth * element_bytes, (n_run - k + depth - 1) / depth, element_bytes);
        }
        return n_run;
    }
    memcpy(to, from, element_bytes);
    return 1;
}

static void copy_run(const cursor *c, uint64_t first, uint64_t step, size_t n, uint8_t *to, size_t to_bytes,
                     size_t element_bytes) {
    if (c->stored->layout != PML_LAYOUT_PANEL) {
        copy_strided(to, to_bytes, c->bytes + first * element_bytes, (size_t)step * element_bytes, n, element_bytes);
        return;
    }
    while (n > 0) {
        const size_t n_run = copy_panel(c, first, step, n, to, to_bytes, element_bytes);
        first += n_run * step;
        to += n_run * to_bytes;
        n -= n_run;
    }
}

/* Copies what the part has of the tensor's elements first .. first+count-1. */
static void cursor_read(cursor *c, uint64_t first, uint64_t count, uint8_t *chunk, size_t element_bytes) {
    while (!c->is_done) {
        loop *l = &c->loops[c->n_loops - 1];
        const uint64_t at = c->to + l->at * l->to, end = first + count;
        if (at >= end) {
            return;
        }
        const uint64_t fitting = (end - at + l->to - 1) / l->to, left = l->size - l->at;
        const size_t n = (size_t)(fitting < left ? fitting : left);
        copy_run(c, c->from + l->at * l->from, l->from, n, chunk + (at - first) * element_bytes,
                 (size_t)l->to * element_bytes, element_bytes);
        l->at += n;
        if (l->at == l->size) {
            cursor_step(c);
        }
    }
}

/* ---- what no weight gives ---- */
/* In the arithmetic of the code that makes these tables, so that rows which no weight covers are as good as its own. */
static void fill_sincos(const pml_reverse_tensor *tensor, uint64_t first, uint64_t count, float *values) {
    const uint64_t n_columns = tensor->shape[tensor->rank - 1], n_rows = tensor->shape[tensor->rank - 2];
    const float rate = (float)-(log(10000.0) / (double)n_columns);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t column = (first + i) % n_columns, row = (first + i) / n_columns % n_rows;
        const double angle = (double)((float)row * expf((float)(column - column % 2) * rate));
        values[i] = (float)(column % 2 == 0 ? sin(angle) : cos(angle));
    }
}

static void fill(const pml_unpack_job *job, uint64_t first, uint64_t count, uint8_t *chunk, size_t element_bytes) {
    if (job->tensor->fill == PML_FILL_SINCOS && job->dtype == PML_DTYPE_F32 && job->tensor->rank >= 2) {
        fill_sincos(job->tensor, first, count, (float *)(void *)chunk);
    } else {
        memset(chunk, 0, (size_t)count * element_bytes);
    }
}

pml_status pml_unpacker_run(pml_unpacker *unpacker, const pml_unpack_job *job, pml_error *error) {
    pml_status status = PML_OK;
    const pml_reverse_tensor *tensor = job->tensor;
    const size_t element_bytes = pml_dtype_bits(job->dtype) / 8;
    cursor *cursors = NULL;
    uint64_t n_elements = 0;
    if (element_bytes == 0 || !pml_ck_product(tensor->shape, tensor->rank, &n_elements)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "tensor %s: its size overflows", tensor->name));
    }
    PML_TRY(pml_alloc(tensor->n_parts, sizeof *cursors, &cursors, error));
    for (size_t i = 0; i < tensor->n_parts; i++) {
        PML_TRY(cursor_init(&cursors[i], job, &tensor->parts[i], error));
    }
    const uint64_t most = CHUNK_BYTES / element_bytes;
    for (uint64_t first = 0; first < n_elements; first += most) {
        const uint64_t count = n_elements - first < most ? n_elements - first : most;
        fill(job, first, count, unpacker->chunk, element_bytes);
        for (size_t i = 0; i < tensor->n_parts; i++) {
            cursor_read(&cursors[i], first, count, unpacker->chunk, element_bytes);
        }
        PML_TRY(job->sink(job->user, unpacker->chunk, (size_t)count * element_bytes, error));
    }
done:
    pml_free(cursors);
    return status;
}
