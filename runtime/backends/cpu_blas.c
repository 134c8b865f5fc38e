/* FP32 `row` matrices through the machine's CBLAS; everything else as `cpu`.
 * The library is opened at the first use and stays open: a process that never asks for it does not pay for it. BLAS
 * threads are switched off, because pml splits work itself. */
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "runtime/backends/backend.h"

#define LIBRARY "libblas.so.3"

/* CBLAS by its published prototypes: int sizes, enums passed as int. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };
typedef void sgemm_fn(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a,
                      int a_stride, const float *b, int b_stride, float beta, float *c, int c_stride);
typedef void sgemv_fn(int order, int transpose, int m, int n, float alpha, const float *a, int a_stride, const float *x,
                      int x_step, float beta, float *y, int y_step);
typedef void set_threads_fn(int n_threads);

static struct {
    pthread_once_t once;
    sgemm_fn *sgemm;
    sgemv_fn *sgemv;
    char reason[256]; /* why it cannot be used; empty when it can */
} blas = {.once = PTHREAD_ONCE_INIT};

/* dlsym gives an object pointer; POSIX promises that its bytes are the function's. */
static bool find_symbol(void *library, const char *name, void *function) {
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void load(void) {
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *why = dlerror();
        (void)snprintf(blas.reason, sizeof blas.reason, "%s", why != NULL ? why : LIBRARY " cannot be opened");
        return;
    }
    if (!find_symbol(library, "cblas_sgemm", &blas.sgemm) || !find_symbol(library, "cblas_sgemv", &blas.sgemv)) {
        (void)snprintf(blas.reason, sizeof blas.reason,
                       LIBRARY " has no cblas_sgemm and cblas_sgemv (OpenBLAS has both)");
        (void)dlclose(library);
        return;
    }
    set_threads_fn *set_threads = NULL;
    if (find_symbol(library, "openblas_set_num_threads", &set_threads)) {
        set_threads(1);
    }
}

static pml_status check(pml_error *error) {
    pml_status status = PML_OK;
    uint32_t allowed = 0;
    PML_TRY(pml_isa_allowed(&allowed, error));
    (void)pthread_once(&blas.once, load);
    if (blas.reason[0] != '\0') {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s", blas.reason));
    }
done:
    return status;
}

/* Whether BLAS's own contract allows the job: int sizes, strides that are not shorter than a row, something to sum. */
static bool fits(const pml_matmul *job) {
    bool small = job->m <= INT_MAX && job->n <= INT_MAX && job->k <= INT_MAX && job->x_stride <= INT_MAX &&
                 job->y_stride <= INT_MAX;
    bool rows = job->m == 1 || (job->x_stride >= job->k && job->y_stride >= job->n);
    return small && rows && job->k > 0;
}

/* y [m][n] = x . W + keep * y for n of W's columns from i_column on. */
static void multiply(const pml_matmul *job, size_t i_row, size_t m, size_t i_column, size_t n, float *y,
                     size_t y_stride, bool keep) {
    const float *x = job->x + i_row * job->x_stride;
    const float *w = (const float *)job->w + i_column;
    if (m > 1) {
        blas.sgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, (int)m, (int)n, (int)job->k, 1.0f, x, (int)job->x_stride, w,
                   (int)job->n, keep ? 1.0f : 0.0f, y, (int)y_stride);
        return;
    }
    /* One row is many times faster as matrix times vector. Old contents are cleared here rather than by a factor of 0,
     * which some libraries multiply with. */
    if (!keep) {
        memset(y, 0, n * sizeof *y);
    }
    blas.sgemv(ROW_MAJOR, TRANSPOSE, (int)job->k, (int)n, 1.0f, w, (int)job->n, x, 1, 1.0f, y, 1);
}

/* The activation slot of the best kernels that this machine has, chosen by the last open. All choices are right ones.
 */
static _Atomic(pml_activate_fn *) activate = pml_activate_f32_scalar;

/* Bias, activation and residual on one row of products. `out` may be `products` or the residual. */
static void finish_row(const pml_matmul *job, float *products, size_t i_column, size_t n, const float *residual,
                       float *out) {
    if (job->bias != NULL) {
        for (size_t c = 0; c < n; c++) {
            products[c] += job->bias[i_column + c];
        }
    }
    if (job->activation != PML_ACTIVATION_IDENTITY) {
        activate(job->activation, products, n);
    }
    for (size_t c = 0; c < n && (residual != NULL || out != products); c++) {
        out[c] = products[c] + (residual != NULL ? residual[c] : 0.0f);
    }
}

enum { TILE_ROWS = 32, TILE_COLUMNS = 128, PRODUCT_ROWS = 128 };

/* For a residual that lies in y and is needed after an activation: products go through a tile on the stack. */
static void matmul_in_tiles(const pml_matmul *job) {
    float tile[TILE_ROWS * TILE_COLUMNS];
    for (size_t i_row = 0; i_row < job->m; i_row += TILE_ROWS) {
        size_t m = job->m - i_row < TILE_ROWS ? job->m - i_row : TILE_ROWS;
        for (size_t i_column = 0; i_column < job->n; i_column += TILE_COLUMNS) {
            size_t n = job->n - i_column < TILE_COLUMNS ? job->n - i_column : TILE_COLUMNS;
            multiply(job, i_row, m, i_column, n, tile, TILE_COLUMNS, false);
            for (size_t r = 0; r < m; r++) {
                float *y = job->y + (i_row + r) * job->y_stride + i_column;
                finish_row(job, tile + r * TILE_COLUMNS, i_column, n, y, y);
            }
        }
    }
}

static void matmul_block(const pml_matmul *job) {
    if (job->m == 0 || job->n == 0) {
        return;
    }
    if (!fits(job)) {
        pml_matmul_row_f32_scalar(job);
        return;
    }
    bool in_place = job->residual == job->y;
    if (in_place && job->activation != PML_ACTIVATION_IDENTITY) {
        matmul_in_tiles(job);
        return;
    }
    multiply(job, 0, job->m, 0, job->n, job->y, job->y_stride, in_place);
    for (size_t r = 0; r < job->m; r++) {
        float *y = job->y + r * job->y_stride;
        const float *residual = job->residual != NULL && !in_place ? job->residual + r * job->residual_stride : NULL;
        finish_row(job, y, 0, job->n, residual, y);
    }
}

/* BLAS picks its way by the number of rows: blocks of the same rows, whoever multiplies them, keep a result the same.
 */
static void matmul_row_f32(const pml_matmul *job) {
    for (size_t i = 0; i < job->m; i += PRODUCT_ROWS) {
        pml_matmul block = *job;
        block.m = job->m - i < PRODUCT_ROWS ? job->m - i : PRODUCT_ROWS;
        block.x += i * job->x_stride;
        block.y += i * job->y_stride;
        block.residual = job->residual == NULL ? NULL : job->residual + i * job->residual_stride;
        matmul_block(&block);
    }
}

static pml_status open(pml_kernels *table, uint32_t isa_mask, void **state, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(check(error));
    pml_kernels_select(table, isa_mask);
    activate = table->activate_f32;
    table->matmul_row_f32 = matmul_row_f32;
    *state = NULL;
done:
    return status;
}

const pml_backend pml_backend_cpu_blas = {
    .name = "cpu-blas",
    .description = "FP32 matrices in layout row through CBLAS (" LIBRARY "), the rest as cpu",
    .check = check,
    .open = open,
    .product_rows = PRODUCT_ROWS,
};
