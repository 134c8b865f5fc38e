/* A forecast as `pml-run forecast` writes it, in CSV or JSON, read back. */
#ifndef PML_RUNTIME_PLOT_FORECAST_FILE_H
#define PML_RUNTIME_PLOT_FORECAST_FILE_H

#include "runtime/series/series.h"

typedef struct pml_forecast_file { /* zero = safe to deinit */
    bool has_start_row;            /* JSON says before which row of the history it begins */
    uint64_t start_row;
    pml_series *series;
} pml_forecast_file;

/* Errors: NOT_FOUND, IO, ARGUMENT (not a regular file), FORMAT, MEMORY. */
pml_status pml_forecast_file_read(const char *path, pml_forecast_file *forecast, pml_error *error) PML_WARN_UNUSED;
/* The same from text in memory. */
pml_status pml_forecast_file_parse(const char *bytes, size_t size_bytes, const char *file_name,
                                   pml_forecast_file *forecast, pml_error *error) PML_WARN_UNUSED;
void pml_forecast_file_deinit(pml_forecast_file *forecast);

#endif
