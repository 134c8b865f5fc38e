/* Sines and cosines of positions, in turns (Vaswani et al. 2017): row p, columns 2 k and 2 k + 1 are those of
 * p / 10000^(2 k / columns). Centred as PatchTST has them: less their mean, over ten times their deviation. */
#include <math.h>

#include "runtime/train/initializer.h"

enum { CENTRED };
static const pml_plugin_option options[] = {
    {"centred", PML_PLUGIN_SWITCH, "false", NULL, "of mean 0 and deviation 1/10"}, {0}};

static pml_status fill_matrix(const pml_initializer_part *part, pml_error *error) {
    const size_t n_columns = part->target->n_columns, n = part->end - part->begin;
    float *values = part->values + part->begin;
    double sum = 0, squares = 0;
    (void)error;
    for (size_t i = 0; i < n; i++) {
        const size_t column = i % n_columns;
        const double angle =
            (double)(i / n_columns) * exp(-(double)(column - column % 2) / (double)n_columns * log(10000));
        const double value = column % 2 == 0 ? sin(angle) : cos(angle);
        sum += value;
        squares += value * value;
        values[i] = (float)value;
    }
    if (pml_setting(part->settings, CENTRED) == 0 || n < 2) {
        return PML_OK;
    }
    const double mean = sum / (double)n, variance = (squares - sum * mean) / (double)(n - 1);
    for (size_t i = 0; i < n; i++) {
        values[i] = (float)(((double)values[i] - mean) / (10 * sqrt(variance > 0 ? variance : 1)));
    }
    return PML_OK;
}

const pml_initializer pml_initializer_sines = {
    .plugin = {.name = "sines", .help = "sines and cosines of positions", .options = options},
    .fill_matrix = fill_matrix,
};
