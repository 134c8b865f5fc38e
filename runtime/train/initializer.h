/* Initialisers: what parameters are before the first step.
 *
 * Element i of a parameter is a function of (seed, stream, i): same seed, same bytes, for any number of threads. A
 * stream belongs to one parameter.
 *
 * Fans follow from how a .pml lays weights out, which is not how PyTorch does:
 *   matrix [batch...][in][out]       fan_in = in,        fan_out = out (of each matrix)
 *   convolution [taps * in][out]     fan_in = taps * in, fan_out = taps * out
 *   table [rows][width]              fan_in = width,     fan_out = rows (as PyTorch sees an embedding)
 *   vector [n]                       fan_in of the layer that it belongs to (bias of a matrix: in), fan_out = n */
#ifndef PML_RUNTIME_TRAIN_INITIALIZER_H
#define PML_RUNTIME_TRAIN_INITIALIZER_H

#include "runtime/base/plugin.h"
#include "runtime/base/random.h"
#include "runtime/ops/context.h"

typedef struct pml_initializer_target {
    size_t n_matrices, n_rows, n_columns; /* values [n_matrices][n_rows][n_columns] */
    size_t fan_in, fan_out;
} pml_initializer_target;

/* Sizes are products of the shape's axes, which must not overflow. */
pml_initializer_target pml_initializer_target_matrix(const size_t *shape, unsigned rank); /* rank >= 2 */
pml_initializer_target pml_initializer_target_convolution(size_t n_taps, size_t in, size_t out);
pml_initializer_target pml_initializer_target_table(size_t n_rows, size_t width);
pml_initializer_target pml_initializer_target_vector(size_t n, size_t fan_in);

/* A run of elements as plug-ins see it. */
typedef struct pml_initializer_part {
    const pml_settings *settings;
    const pml_initializer_target *target;
    uint64_t seed, stream;
    float *values; /* of the whole parameter */
    size_t begin, end;
} pml_initializer_part;

typedef struct pml_initializer {
    pml_plugin plugin;
    bool needs_fans;
    /* What else must hold; NULL: nothing. Errors: ARGUMENT. */
    pml_status (*check)(const pml_settings *settings, pml_error *error);
    /* Element by element, or one matrix after the other; one of the two. Errors: MEMORY. */
    void (*fill)(const pml_initializer_part *part);
    pml_status (*fill_matrix)(const pml_initializer_part *part, pml_error *error);
} pml_initializer;

extern const pml_initializer *const pml_initializers[]; /* in the registry's order, ends with NULL */
extern const pml_plugin *const pml_initializer_plugins[];

/* Reads "kaiming_normal:mode=fan_out". Errors: NOT_FOUND, ARGUMENT. */
pml_status pml_initializer_choose(const char *spec, const pml_initializer **initializer, pml_settings *settings,
                                  pml_error *error) PML_WARN_UNUSED;
/* Sets all values. Errors: ARGUMENT (a fan that is needed is 0), MEMORY. */
pml_status pml_initializer_run(const pml_initializer *initializer, const pml_settings *settings,
                               const pml_initializer_target *target, uint64_t seed, uint64_t stream, float *values,
                               pml_context *context, pml_error *error) PML_WARN_UNUSED;

/* ---- for initialisers ---- */
/* From low to high, and normal numbers. */
void pml_fill_uniform(const pml_initializer_part *part, double low, double high);
void pml_fill_normal(const pml_initializer_part *part, double mean, double deviation);
/* What Kaiming's have: the deviation by options mode, nonlinearity and a. */
extern const pml_plugin_option pml_kaiming_options[];
double pml_kaiming_deviation(const pml_initializer_part *part);

#endif
