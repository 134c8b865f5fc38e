/* A forecast as `pml-run forecast` writes it, in CSV or JSON, read back. */
#ifndef PML_RUNTIME_PLOT_FORECAST_FILE_H
#define PML_RUNTIME_PLOT_FORECAST_FILE_H

#include "runtime/series/series.h"

#define PML_MAX_FORECAST_QUANTILES 99u /* of a column */

typedef struct pml_forecast_quantile {
    double level;    /* between 0 and 1 */
    size_t i_point;  /* which of the points it belongs to */
    size_t i_column; /* where its values are */
} pml_forecast_quantile;

typedef struct pml_forecast_file { /* zero = safe to deinit */
    bool has_start_row;            /* JSON says before which row of the history it begins */
    uint64_t start_row;
    pml_series *series; /* points and quantiles alike */
    size_t *points;     /* [n_points] columns of the series that are no quantiles */
    size_t n_points;
    pml_forecast_quantile *quantiles; /* by point, then by level */
    size_t n_quantiles;
} pml_forecast_file;

/* From text in memory. A column <name>_q<level> beside one called <name> has quantiles of it, as --quantiles writes
 * them; levels of a JSON file become such columns. Errors: FORMAT (file, line, cause), MEMORY; the file must be
 * deinitialised in any case. */
pml_status pml_forecast_file_parse(const char *bytes, size_t size_bytes, const char *file_name,
                                   pml_forecast_file *forecast, pml_error *error) PML_WARN_UNUSED;
void pml_forecast_file_deinit(pml_forecast_file *forecast);

#endif
