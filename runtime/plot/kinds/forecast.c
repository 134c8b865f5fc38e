/* A forecast over its history. */
#include "runtime/base/alloc.h"
#include "runtime/plot/forecast_chart.h"
#include "runtime/plot/plot_kind.h"

static bool fits(const pml_plot_request *request) {
    (void)request; /* any table may be one */
    return true;
}

static pml_status draw(const pml_plot_request *request, pml_plot_result *result, pml_error *error) {
    pml_status status = PML_OK;
    pml_forecast_file forecast = {0};
    pml_series *history = NULL;
    pml_plot_choice chosen = {0};
    const char **names = NULL;
    const char *wanted[PML_MAX_PANELS];
    if (request->csv == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "plot needs --csv FILE, the history of the forecast"));
    }
    PML_TRY(pml_forecast_file_parse(request->bytes, request->size_bytes, request->path, &forecast, error));
    PML_TRY(pml_alloc(forecast.n_points, sizeof *names, &names, error));
    for (size_t j = 0; j < forecast.n_points; j++) {
        names[j] = forecast.series->columns[forecast.points[j]];
    }
    PML_TRY(pml_plot_choose(request, names, forecast.n_points, "the forecast", &chosen, result, error));
    for (size_t j = 0; j < chosen.n; j++) {
        wanted[j] = names[chosen.at[j]];
    }
    const pml_series_request columns = {wanted, chosen.n, forecast.series->stamps_us == NULL};
    PML_TRY(pml_series_read(request->csv, &columns, &history, error));
    const pml_forecast_chart chart = {.history = history,
                                      .history_name = request->csv,
                                      .forecast = &forecast,
                                      .columns = chosen.at,
                                      .n_before = request->has_history ? request->history
                                                                       : 3 * (uint64_t)forecast.series->n_rows,
                                      .width = request->width,
                                      .height = pml_plot_height(request, chosen.n),
                                      .title = request->title};
    PML_TRY(pml_forecast_chart_draw(&chart, &result->drawing, error));
done:
    pml_free(names);
    pml_series_destroy(history);
    pml_forecast_file_deinit(&forecast);
    return status;
}

const pml_plot_kind pml_plot_kind_forecast = {
    .name = "forecast", .file = "what pml-run forecast writes, over its history", .fits = fits, .draw = draw};
