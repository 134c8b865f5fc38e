#include "runtime/plot/forecast_chart.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"

/* Colours that stay apart for every kind of colour vision, and in grey. */
static const pml_chart_style styles[] = {{"history", 0x3b5b7a, 1.4, false, PML_CHART_LINE},
                                         {"forecast", 0xd55e00, 2.2, false, PML_CHART_LINE},
                                         {NULL, 0xe69f00, 0.3, false, PML_CHART_BAND},
                                         {NULL, 0x8c4a00, 1.2, true, PML_CHART_LINE}};
enum { STYLE_HISTORY, STYLE_FORECAST, STYLE_BAND, STYLE_MIDDLE, N_STYLES };

typedef struct span {         /* rows of the history that are drawn */
    size_t begin, start, end; /* `start`: the first that is foretold */
} span;

static span choose_rows(const pml_forecast_chart *w, bool by_date) {
    const pml_series *history = w->history, *forecast = w->forecast->series;
    span s = {.start = history->n_rows, .end = history->n_rows};
    if (by_date) {
        s.start = 0;
        while (s.start < history->n_rows && history->stamps_us[s.start] < forecast->stamps_us[0]) {
            s.start++;
        }
        s.end = s.start;
        while (s.end < history->n_rows && history->stamps_us[s.end] <= forecast->stamps_us[forecast->n_rows - 1]) {
            s.end++;
        }
    } else if (w->forecast->has_start_row) {
        s.start = w->forecast->start_row;
        s.end = history->n_rows - s.start < forecast->n_rows ? history->n_rows : s.start + forecast->n_rows;
    }
    s.begin = s.start > w->n_before ? s.start - w->n_before : 0;
    return s;
}

/* Positions of rows on the horizontal axis. */
static pml_status place_rows(const int64_t *stamps_us, size_t first, size_t n, double **x, pml_error *error) {
    const pml_status status = pml_alloc(n, sizeof **x, x, error);
    for (size_t i = 0; status == PML_OK && i < n; i++) {
        (*x)[i] = stamps_us != NULL ? (double)stamps_us[i] : (double)(first + i);
    }
    return status;
}

static pml_status check_ascend(const char *name, const int64_t *stamps_us, size_t n, pml_error *error) {
    for (size_t i = 1; stamps_us != NULL && i < n; i++) {
        if (stamps_us[i] <= stamps_us[i - 1]) {
            return PML_FAIL(error, PML_E_FORMAT, "%s: the date of row %zu is not after that of the row before", name,
                            i);
        }
    }
    return PML_OK;
}

static pml_status check(const pml_forecast_chart *w, pml_error *error) {
    const pml_status status =
        check_ascend("the forecast", w->forecast->series->stamps_us, w->forecast->series->n_rows, error);
    if (status != PML_OK) {
        return status;
    }
    if (w->forecast->series->stamps_us != NULL && w->history->stamps_us == NULL) {
        return PML_FAIL(error, PML_E_CONFIG, "the forecast has dates and %s has none", w->history_name);
    }
    if (w->forecast->series->stamps_us == NULL && w->forecast->has_start_row &&
        w->forecast->start_row > w->history->n_rows) {
        return PML_FAIL(error, PML_E_CONFIG, "the forecast begins at row %llu and %s has %zu rows",
                        (unsigned long long)w->forecast->start_row, w->history_name, w->history->n_rows);
    }
    return check_ascend(w->history_name, w->history->stamps_us, w->history->n_rows, error);
}

/* Behind the other curves. */
static void add_quantiles(const pml_forecast_file *f, size_t i_point, const double *x, pml_chart_panel *panel) {
    const pml_series *series = f->series;
    size_t first = 0;
    while (first < f->n_quantiles && f->quantiles[first].i_point < i_point) {
        first++;
    }
    size_t end = first;
    while (end < f->n_quantiles && f->quantiles[end].i_point == i_point) {
        end++;
    }
    for (; first < end; first++, end--) {
        const double *low = series->values + f->quantiles[first].i_column;
        const double *high = series->values + f->quantiles[end - 1].i_column;
        const bool is_middle = end - first == 1;
        panel->curves[panel->n_curves++] = (pml_chart_curve){
            is_middle ? STYLE_MIDDLE : STYLE_BAND, series->n_rows, x, low, series->n_columns, is_middle ? NULL : high};
    }
}

/* The legend's: with the levels of the first column that has any. */
static void name_styles(const pml_forecast_file *f, pml_chart_style named[N_STYLES], char band[64], char middle[64]) {
    size_t n = 0;
    memcpy(named, styles, sizeof styles);
    while (n < f->n_quantiles && f->quantiles[n].i_point == f->quantiles[0].i_point) {
        n++;
    }
    named[STYLE_BAND].name = named[STYLE_MIDDLE].name = NULL;
    if (n > 1) {
        (void)snprintf(band, 64, "quantiles %.15g to %.15g", f->quantiles[0].level, f->quantiles[n - 1].level);
        named[STYLE_BAND].name = band;
    }
    if (n % 2 == 1) {
        const double level = f->quantiles[n / 2].level;
        (void)snprintf(middle, 64, level == 0.5 ? "median" : "quantile %.15g", level);
        named[STYLE_MIDDLE].name = middle;
    }
}

pml_status pml_forecast_chart_draw(const pml_forecast_chart *w, pml_drawing *drawing, pml_error *error) {
    pml_status status = PML_OK;
    const pml_series *history = w->history, *forecast = w->forecast->series;
    const bool by_date = forecast->stamps_us != NULL;
    double *x_history = NULL, *x_forecast = NULL;
    pml_chart_panel *panels = NULL;
    pml_chart_style named[N_STYLES];
    char band[64], middle[64];
    PML_TRY(check(w, error));
    name_styles(w->forecast, named, band, middle);
    const span s = choose_rows(w, by_date);
    PML_TRY(place_rows(by_date ? history->stamps_us + s.begin : NULL, s.begin, s.end - s.begin, &x_history, error));
    PML_TRY(place_rows(forecast->stamps_us, s.start, forecast->n_rows, &x_forecast, error));
    PML_TRY(pml_alloc(history->n_columns, sizeof *panels, &panels, error));
    for (size_t j = 0; j < history->n_columns; j++) {
        const size_t at = w->forecast->points[w->columns[j]];
        pml_chart_panel *panel = &panels[j];
        panel->name = history->columns[j];
        add_quantiles(w->forecast, w->columns[j], x_forecast, panel);
        panel->curves[panel->n_curves++] =
            (pml_chart_curve){STYLE_HISTORY,      s.end - s.begin,
                              x_history,          history->values + s.begin * history->n_columns + j,
                              history->n_columns, NULL};
        panel->curves[panel->n_curves++] = (pml_chart_curve){STYLE_FORECAST,        forecast->n_rows,    x_forecast,
                                                             forecast->values + at, forecast->n_columns, NULL};
    }
    const pml_chart chart = {.width = w->width,
                             .height = w->height,
                             .title = w->title,
                             .x_name = by_date ? NULL : "row",
                             .axis = by_date ? PML_CHART_DATES : PML_CHART_COUNTS,
                             .styles = named,
                             .n_styles = N_STYLES,
                             .panels = panels,
                             .n_panels = history->n_columns,
                             .has_mark = true,
                             .mark_x = x_forecast[0]};
    PML_TRY(pml_chart_draw(&chart, drawing, error));
done:
    pml_free(panels);
    pml_free(x_forecast);
    pml_free(x_history);
    return status;
}
