/* Attention between frequencies: products of spectra as products of real matrices. */
#include <math.h>

#include "runtime/ops/fourier.h"
#include "runtime/ops/op.h"

static const pml_op op = {.name = "fourier_attention"};

typedef struct frequencies { /* one head's scratch: M queries, N keys, E columns */
    size_t n_queries, n_keys, width;
    pml_tensor queries; /* [M, 2 E]: real beside imaginary */
    pml_tensor keys;    /* [2 E, 2 N]: what gives real parts beside what gives imaginary ones */
    pml_tensor values;  /* [2 N, 2 E]: likewise */
    pml_tensor scores;  /* [M, 2 N] */
    pml_tensor sums;    /* [M, 2 E] */
} frequencies;

size_t pml_fourier_attention_bytes(size_t n_samples, size_t n_queries, size_t n_keys, size_t n_columns,
                                   size_t n_heads) {
    const size_t width = n_columns / n_heads;
    return PML_SUM(PML_FLOATS(2, n_samples, n_queries, n_columns), PML_FLOATS(2, n_queries, width),
                   PML_FLOATS(4, n_keys, width), PML_FLOATS(4, n_keys, width), PML_FLOATS(2, n_queries, n_keys),
                   PML_FLOATS(2, n_queries, width));
}

static pml_status take_scratch(pml_context *context, frequencies *f, pml_error *error) {
    pml_status status = PML_OK;
    const struct {
        pml_tensor *tensor;
        size_t n_rows, n_columns;
    } parts[] = {{&f->queries, f->n_queries, 2 * f->width},
                 {&f->keys, 2 * f->width, 2 * f->n_keys},
                 {&f->values, 2 * f->n_keys, 2 * f->width},
                 {&f->scores, f->n_queries, 2 * f->n_keys},
                 {&f->sums, f->n_queries, 2 * f->width}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const size_t shape[] = {parts[i].n_rows, parts[i].n_columns};
        PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 2, parts[i].tensor, error));
    }

done:
    return status;
}

/* (a + bi)(c + di): the real part is [a b] . [c -d], the imaginary one [a b] . [d c]. */
static void arrange(const frequencies *f, const float *q, const float *k, size_t n_columns) {
    float *queries = pml_tensor_f32(&f->queries), *keys = pml_tensor_f32(&f->keys);
    float *values = pml_tensor_f32(&f->values);
    const size_t width = f->width, n = f->n_keys;
    for (size_t m = 0; m < f->n_queries; m++) {
        memcpy(queries + m * 2 * width, q + m * n_columns, width * sizeof *queries);
        memcpy(queries + m * 2 * width + width, q + (f->n_queries + m) * n_columns, width * sizeof *queries);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t e = 0; e < width; e++) {
            const float real = k[i * n_columns + e], imaginary = k[(n + i) * n_columns + e];
            keys[e * 2 * n + i] = real;
            keys[(width + e) * 2 * n + i] = -imaginary;
            keys[e * 2 * n + n + i] = imaginary;
            keys[(width + e) * 2 * n + n + i] = real;
            values[i * 2 * width + e] = real;
            values[(n + i) * 2 * width + e] = -imaginary;
            values[i * 2 * width + width + e] = imaginary;
            values[(n + i) * 2 * width + width + e] = real;
        }
    }
}

/* tanh(a + bi) = (sinh 2a + i sin 2b) / (cosh 2a + cos 2b), written so that nothing overflows. */
static void complex_tanh(float *real, float *imaginary) {
    const double a = (double)*real, b = (double)*imaginary;
    const double small = exp(-2 * fabs(a)); /* of e^-2|a| */
    const double cosine = cos(2 * b);
    const double below = 1 + small * small + 2 * small * cosine;
    *real = (float)(copysign(1 - small * small, a) / below);
    *imaginary = (float)(2 * small * sin(2 * b) / below);
}

static void softmax_of_magnitudes(float *real, float *imaginary, size_t n) {
    double greatest = 0, total = 0;
    for (size_t i = 0; i < n; i++) {
        real[i] = (float)hypot((double)real[i], (double)imaginary[i]);
        greatest = (double)real[i] > greatest ? (double)real[i] : greatest;
    }
    for (size_t i = 0; i < n; i++) {
        total += exp((double)real[i] - greatest);
    }
    for (size_t i = 0; i < n; i++) {
        real[i] = (float)(exp((double)real[i] - greatest) / total);
        imaginary[i] = 0;
    }
}

static void activate(const frequencies *f, pml_fourier_activation activation) {
    for (size_t m = 0; m < f->n_queries; m++) {
        float *real = pml_tensor_f32(&f->scores) + m * 2 * f->n_keys, *imaginary = real + f->n_keys;
        if (activation == PML_FOURIER_SOFTMAX) {
            softmax_of_magnitudes(real, imaginary, f->n_keys);
        }
        for (size_t i = 0; i < f->n_keys && activation == PML_FOURIER_TANH; i++) {
            complex_tanh(&real[i], &imaginary[i]);
        }
        for (size_t i = 0; i < 2 * f->n_keys && activation == PML_FOURIER_TANH_SEPARATE; i++) {
            real[i] = (float)tanh((double)real[i]);
        }
    }
}

static void multiply(const pml_context *context, const pml_tensor *x, const pml_tensor *w, const pml_tensor *y) {
    context->kernels.matmul_row_f32(&(pml_matmul){.m = x->shape[0],
                                                  .k = x->shape[1],
                                                  .n = w->shape[1],
                                                  .x = pml_tensor_f32_const(x),
                                                  .x_stride = x->shape[1],
                                                  .w = pml_tensor_f32_const(w),
                                                  .y = pml_tensor_f32(y),
                                                  .y_stride = y->shape[1]});
}

pml_status pml_op_fourier_attention(pml_context *context, const pml_tensor *q, const pml_tensor *k, size_t n_heads,
                                    pml_fourier_activation activation, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(q, PML_DTYPE_F32) && pml_op_is(k, PML_DTYPE_F32) && q->rank == 3 && k->rank == 3 &&
                       q->shape[0] == k->shape[0] && q->shape[2] == k->shape[2] && q->shape[1] % 2 == 0 &&
                       k->shape[1] % 2 == 0 && n_heads > 0 && q->shape[2] % n_heads == 0,
                   "fourier_attention: q and k must be spectra of %zu heads that fit each other", n_heads);
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, q->shape, 3, y, error));
    const size_t mark = pml_context_mark(context), n_columns = q->shape[2];
    frequencies f = {.n_queries = q->shape[1] / 2, .n_keys = k->shape[1] / 2, .width = n_columns / n_heads};
    PML_TRY(take_scratch(context, &f, error));
    for (size_t i = 0; i < q->shape[0] * n_heads; i++) {
        const size_t b = i / n_heads, first = i % n_heads * f.width;
        arrange(&f, pml_tensor_f32_const(q) + b * q->shape[1] * n_columns + first,
                pml_tensor_f32_const(k) + b * k->shape[1] * n_columns + first, n_columns);
        multiply(context, &f.queries, &f.keys, &f.scores);
        activate(&f, activation);
        multiply(context, &f.scores, &f.values, &f.sums);
        for (size_t row = 0; row < q->shape[1]; row++) { /* imaginary parts go behind all real ones */
            const bool is_imaginary = row >= f.n_queries;
            const size_t m = is_imaginary ? row - f.n_queries : row;
            memcpy(pml_tensor_f32(y) + (b * q->shape[1] + row) * n_columns + first,
                   pml_tensor_f32_const(&f.sums) + m * 2 * f.width + (is_imaginary ? f.width : 0),
                   f.width * sizeof(float));
        }
    }
    pml_context_release(context, mark, NULL);
    PML_TRY(pml_tape_record(context->tape, &op,
                            &(pml_op_attributes){.integer = {(int64_t)n_heads, (int64_t)activation}},
                            (const pml_tensor *const[]){q, k}, 2, y, error));

done:
    return status;
}
