/* Rows, or columns where those are fewer, of length `gain` and at right angles to each other, in a direction that is as
 * likely as any other (Saxe, McClelland, Ganguli 2014): normal numbers, made orthogonal one vector after the other. */
#include <math.h>

#include "runtime/base/alloc.h"
#include "runtime/train/initializer.h"

enum { GAIN };
static const pml_plugin_option options[] = {{"gain", PML_PLUGIN_NUMBER, "1", "[0, inf)", "length"}, {0}};

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* vectors [k][n], k <= n. Twice, because the first pass leaves rounding of what it takes away (Giraud et al. 2005). */
static void make_orthonormal(double *vectors, size_t k, size_t n) {
    for (size_t i = 0; i < k; i++) {
        double *v = vectors + i * n;
        for (int pass = 0; pass < 2; pass++) {
            for (size_t j = 0; j < i; j++) {
                const double share = dot(vectors + j * n, v, n);
                for (size_t l = 0; l < n; l++) {
                    v[l] -= share * vectors[j * n + l];
                }
            }
        }
        const double length = sqrt(dot(v, v, n));
        for (size_t l = 0; l < n; l++) {
            v[l] /= length;
        }
    }
}

static pml_status fill_matrix(const pml_initializer_part *part, pml_error *error) {
    const size_t n_rows = part->target->n_rows, n_columns = part->target->n_columns;
    const bool is_wide = n_rows <= n_columns;
    const size_t k = is_wide ? n_rows : n_columns, n = is_wide ? n_columns : n_rows;
    float *values = part->values + part->begin;
    double *vectors;
    pml_status status = pml_alloc(k * n, sizeof *vectors, &vectors, error);
    if (status != PML_OK) {
        return status;
    }
    for (size_t i = 0; i < k * n; i++) {
        vectors[i] = pml_random_normal(part->seed, part->stream, part->begin + i);
    }
    make_orthonormal(vectors, k, n);
    for (size_t i = 0; i < k; i++) {
        for (size_t l = 0; l < n; l++) {
            values[is_wide ? i * n + l : l * k + i] = (float)(pml_setting(part->settings, GAIN) * vectors[i * n + l]);
        }
    }
    pml_free(vectors);
    return PML_OK;
}

const pml_initializer pml_initializer_orthogonal = {
    .plugin = {.name = "orthogonal", .help = "rows or columns at right angles", .options = options},
    .fill_matrix = fill_matrix,
};
