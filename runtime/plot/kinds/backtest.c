/* A backtest's errors along the horizon, as `pml-run backtest -o` writes them: step,column,mae,mse,values. */
#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/plot/plot_kind.h"
#include "runtime/series/csv.h"

#define HEADER "step,column,mae,mse,values"
enum { N_FIELDS = 5, MOST_STEPS = 1 << 20 };

static const pml_chart_style styles[] = {{"MAE", 0x3b5b7a, 1.8, false, PML_CHART_LINE},
                                         {"RMSE", 0xd55e00, 1.8, false, PML_CHART_LINE}};
enum { STYLE_MAE, STYLE_RMSE };

typedef struct row {
    size_t step, i_column; /* step from 1 */
    double mae, mse, n;
} row;

typedef struct reading {
    const char *file_name;
    locale_t locale;
    pml_names columns;
    row *rows;
    size_t n_rows, capacity, n_steps;
    bool has_header;
} reading;

static bool fits(const pml_plot_request *request) {
    return pml_plot_begins(request, HEADER);
}

static pml_status fail(const reading *r, uint64_t line, const char *cause, pml_error *error) {
    return PML_FAIL(error, PML_E_FORMAT, "%s, line %llu: %s", r->file_name, (unsigned long long)line, cause);
}

/* An error, or NaN where there was no value to err about. */
static bool read_error(const reading *r, const char *text, double *value) {
    *value = NAN;
    return pml_csv_is_missing(text) || (pml_csv_number(text, r->locale, value) && *value >= 0);
}

static pml_status take(void *user, const char *const *fields, size_t n_fields, uint64_t line, pml_error *error) {
    reading *r = user;
    pml_status status = PML_OK;
    bool is_new = false;
    double step = 0;
    row read = {0};
    if (!r->has_header) {
        r->has_header = true;
        static const char *const names[N_FIELDS] = {"step", "column", "mae", "mse", "values"};
        for (size_t i = 0; i < N_FIELDS; i++) {
            if (n_fields != N_FIELDS || strcmp(fields[i], names[i]) != 0) {
                PML_TRY(fail(r, line, "the header of a backtest is " HEADER, error));
            }
        }
        goto done;
    }
    if (!pml_csv_number(fields[0], r->locale, &step) || !(step >= 1 && step <= MOST_STEPS) || floor(step) != step) {
        PML_TRY(fail(r, line, "a step is a whole number from 1", error));
    }
    if (!read_error(r, fields[2], &read.mae) || !read_error(r, fields[3], &read.mse) ||
        !read_error(r, fields[4], &read.n)) {
        PML_TRY(fail(r, line, "an error, or a number of values, is a number from 0", error));
    }
    read.step = (size_t)step;
    PML_TRY(pml_names_add(&r->columns, fields[1], strlen(fields[1]), PML_MAX_CSV_COLUMNS, "columns", &read.i_column,
                          &is_new, error));
    PML_TRY(pml_grow(&r->rows, &r->capacity, r->n_rows + 1, sizeof *r->rows, (size_t)1 << 26, "rows", error));
    r->rows[r->n_rows++] = read;
    r->n_steps = read.step > r->n_steps ? read.step : r->n_steps;
done:
    return status;
}

typedef struct curves { /* [n_steps] of one panel */
    double *mae, *rmse;
} curves;

/* Of one column, or of all of them (SIZE_MAX), weighted by their values; *sums: [3][n_steps] to work in. */
static void gather(const reading *r, size_t i_column, double *sums, curves c) {
    double *mae = sums, *mse = sums + r->n_steps, *n = sums + 2 * r->n_steps;
    memset(sums, 0, 3 * r->n_steps * sizeof *sums);
    for (size_t i = 0; i < r->n_rows; i++) {
        const row *at = &r->rows[i];
        if ((i_column == SIZE_MAX || at->i_column == i_column) && at->n > 0 && !isnan(at->mae) && !isnan(at->mse)) {
            mae[at->step - 1] += at->mae * at->n;
            mse[at->step - 1] += at->mse * at->n;
            n[at->step - 1] += at->n;
        }
    }
    for (size_t s = 0; s < r->n_steps; s++) {
        c.mae[s] = n[s] > 0 ? mae[s] / n[s] : NAN;
        c.rmse[s] = n[s] > 0 ? sqrt(mse[s] / n[s]) : NAN;
    }
}

static pml_status read_rows(const pml_plot_request *request, reading *r, pml_error *error) {
    pml_status status = PML_OK;
    r->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (r->locale == (locale_t)0) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory: the C locale"));
    }
    PML_TRY(pml_csv_parse(request->bytes, request->size_bytes, request->path, take, r, error));
    if (r->n_rows == 0) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: a backtest without rows", request->path));
    }
done:
    return status;
}

static pml_status draw(const pml_plot_request *request, pml_plot_result *result, pml_error *error) {
    pml_status status = PML_OK;
    reading r = {.file_name = request->path};
    pml_plot_choice chosen = {0};
    const char **names = NULL;
    pml_chart_panel *panels = NULL;
    double *x = NULL, *sums = NULL, *values = NULL;
    PML_TRY(read_rows(request, &r, error));
    const size_t n = pml_names_count(&r.columns), first = n > 1; /* of several, all together come first */
    PML_TRY(pml_alloc(n + first, sizeof *names, &names, error));
    names[0] = "all columns";
    for (size_t c = 0; c < n; c++) {
        names[c + first] = pml_names_at(&r.columns, c);
    }
    PML_TRY(pml_plot_choose(request, names, n + first, "the backtest", &chosen, result, error));
    PML_TRY(pml_alloc(r.n_steps, sizeof *x, &x, error));
    PML_TRY(pml_alloc(r.n_steps, 3 * sizeof *sums, &sums, error));
    PML_TRY(pml_alloc(r.n_steps, 2 * chosen.n * sizeof *values, &values, error));
    PML_TRY(pml_alloc(chosen.n, sizeof *panels, &panels, error));
    for (size_t s = 0; s < r.n_steps; s++) {
        x[s] = (double)(s + 1);
    }
    for (size_t k = 0; k < chosen.n; k++) {
        const curves c = {values + 2 * k * r.n_steps, values + (2 * k + 1) * r.n_steps};
        gather(&r, chosen.at[k] < first ? SIZE_MAX : chosen.at[k] - first, sums, c);
        panels[k] = (pml_chart_panel){
            .name = names[chosen.at[k]],
            .n_curves = 2,
            .curves = {{STYLE_MAE, r.n_steps, x, c.mae, 1, NULL}, {STYLE_RMSE, r.n_steps, x, c.rmse, 1, NULL}}};
    }
    const pml_chart chart = {.width = request->width,
                             .height = pml_plot_height(request, chosen.n),
                             .title = request->title,
                             .x_name = "step of the horizon",
                             .axis = PML_CHART_COUNTS,
                             .styles = styles,
                             .n_styles = 2,
                             .panels = panels,
                             .n_panels = chosen.n};
    PML_TRY(pml_chart_draw(&chart, &result->drawing, error));
done:
    if (r.locale != (locale_t)0) {
        freelocale(r.locale);
    }
    pml_free(panels);
    pml_free(values);
    pml_free(sums);
    pml_free(x);
    pml_free(names);
    pml_free(r.rows);
    pml_names_deinit(&r.columns);
    return status;
}

const pml_plot_kind pml_plot_kind_backtest = {.name = "backtest",
                                              .file = "what pml-run backtest -o writes: errors along the horizon",
                                              .fits = fits,
                                              .draw = draw};
