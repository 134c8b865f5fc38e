/* Sums over rows in plain C, compiled once per instruction set: sixteen columns at a time, whose sums stay in
 * registers. Every instruction set adds in the same order. */
#ifndef PML_RUNTIME_KERNELS_COLUMN_SUMS_BODY_H
#define PML_RUNTIME_KERNELS_COLUMN_SUMS_BODY_H

#include "runtime/kernels/kernels.h"

enum { SUMS_COLUMNS = 16 };

/* `n` columns from `first` on; the flags are constants. */
static inline __attribute__((always_inline)) void sum_columns(const pml_column_sums *job, size_t first, size_t n,
                                                              bool has_z, bool has_products) {
    double sums[SUMS_COLUMNS] = {0}, products[SUMS_COLUMNS] = {0}, shift[SUMS_COLUMNS] = {0};
    for (size_t c = 0; job->shift != NULL && c < n; c++) {
        shift[c] = (double)job->shift[first + c];
    }
    for (size_t r = 0; r < job->n_rows; r++) {
        const float *x = job->x + r * job->stride + first;
        const float *z = has_z ? job->z + r * job->stride + first : x;
        for (size_t c = 0; c < n; c++) {
            const double distance = (double)x[c] - shift[c], factor = has_z ? (double)z[c] : distance;
            sums[c] += factor;
            if (has_products) {
                products[c] += factor * distance;
            }
        }
    }
    for (size_t c = 0; job->sums != NULL && c < n; c++) {
        job->sums[first + c] += sums[c];
    }
    for (size_t c = 0; has_products && c < n; c++) {
        job->products[first + c] += products[c];
    }
}

static inline __attribute__((always_inline)) void sum_some_columns(const pml_column_sums *job, size_t first, size_t n) {
    if (job->products == NULL) {
        if (job->z == NULL) {
            sum_columns(job, first, n, false, false);
        } else {
            sum_columns(job, first, n, true, false);
        }
    } else if (job->z == NULL) {
        sum_columns(job, first, n, false, true);
    } else {
        sum_columns(job, first, n, true, true);
    }
}

static inline void column_sums_body(const pml_column_sums *job) {
    size_t first = 0;
    for (; job->n_columns - first >= SUMS_COLUMNS; first += SUMS_COLUMNS) {
        sum_some_columns(job, first, SUMS_COLUMNS);
    }
    if (first < job->n_columns) {
        sum_some_columns(job, first, job->n_columns - first);
    }
}

#endif
