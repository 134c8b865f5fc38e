/* A forecast over its history, as a chart. */
#ifndef PML_RUNTIME_PLOT_FORECAST_CHART_H
#define PML_RUNTIME_PLOT_FORECAST_CHART_H

#include "runtime/plot/chart.h"
#include "runtime/plot/forecast_file.h"

typedef struct pml_forecast_chart {
    const pml_series *history; /* its columns are those drawn, in that order */
    const char *history_name;  /* for messages */
    const pml_forecast_file *forecast;
    const size_t *columns; /* [history->n_columns] which of the forecast's points they are */
    uint64_t n_before;     /* rows of history before the forecast, at most */
    unsigned width, height;
    const char *title; /* NULL: none */
} pml_forecast_chart;

/* Quantiles are bands between the lowest and the highest, the next and so on; one in the middle is a line. A forecast
 * with dates lies where they say; one without at its start row, or behind the last row. Rows of the history
 * beside it are drawn, too. Errors: FORMAT (dates that do not ascend), CONFIG (the forecast has dates and the history
 * none, or begins beyond it), and those of pml_chart_draw. */
pml_status pml_forecast_chart_draw(const pml_forecast_chart *what, pml_drawing *drawing,
                                   pml_error *error) PML_WARN_UNUSED;

#endif
