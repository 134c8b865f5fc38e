#include "runtime/plot/forecast_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/names.h"
#include "runtime/series/csv.h"

#define MOST_VALUES ((size_t)1 << 26)

typedef struct table { /* rows of numbers, in JSON */
    double *values;
    size_t n_values, capacity, n_rows;
    size_t width; /* of the rows so far */
} table;

typedef struct level {
    double level;
    table rows;
} level;

typedef struct reading {
    pml_json_reader json;
    pml_forecast_file *forecast;
    size_t columns_capacity, stamps_capacity;
    size_t n_stamps;
    table points;
    level *levels; /* [PML_MAX_FORECAST_QUANTILES] once there are any */
    size_t n_levels;
    bool has_columns, has_dates, has_rows, has_levels;
} reading;

static pml_status read_columns(reading *r, pml_error *error) {
    pml_status status = PML_OK;
    pml_series *series = r->forecast->series;
    PML_TRY(pml_json_expect(&r->json, PML_JSON_ARRAY_BEGIN, "a list of columns", error));
    for (;;) {
        PML_TRY(pml_json_next(&r->json, error));
        if (r->json.token == PML_JSON_ARRAY_END) {
            break;
        }
        if (r->json.token != PML_JSON_STRING) {
            PML_TRY(pml_json_fail(&r->json, error, "a column's name is a text"));
        }
        PML_TRY(pml_grow(&series->columns, &r->columns_capacity, series->n_columns + 1, sizeof *series->columns,
                         PML_MAX_CSV_COLUMNS, "columns", error));
        PML_TRY(pml_string_copy(r->json.text, r->json.text_bytes, &series->columns[series->n_columns], error));
        series->n_columns++;
    }
done:
    return status;
}

static pml_status read_dates(reading *r, pml_error *error) {
    pml_status status = PML_OK;
    pml_series *series = r->forecast->series;
    PML_TRY(pml_json_next(&r->json, error));
    if (r->json.token == PML_JSON_NULL) {
        goto done;
    }
    if (r->json.token != PML_JSON_ARRAY_BEGIN) {
        PML_TRY(pml_json_fail(&r->json, error, "dates are a list or null"));
    }
    for (;;) {
        pml_stamp_form form;
        int64_t stamp_us = 0;
        PML_TRY(pml_json_next(&r->json, error));
        if (r->json.token == PML_JSON_ARRAY_END) {
            break;
        }
        if (r->json.token != PML_JSON_STRING || !pml_stamp_parse(r->json.text, r->json.text_bytes, &stamp_us, &form)) {
            PML_TRY(pml_json_fail(&r->json, error, "not a date such as 2016-07-01 00:00:00"));
        }
        PML_TRY(pml_grow(&series->stamps_us, &r->stamps_capacity, r->n_stamps + 1, sizeof *series->stamps_us,
                         MOST_VALUES, "dates", error));
        series->stamps_us[r->n_stamps++] = stamp_us;
        series->stamp_form = pml_stamp_form_join(series->stamp_form, form);
    }
done:
    return status;
}

static pml_status read_row(reading *r, table *rows, pml_error *error) {
    pml_status status = PML_OK;
    size_t width = 0;
    for (;; width++) {
        PML_TRY(pml_json_next(&r->json, error));
        if (r->json.token == PML_JSON_ARRAY_END) {
            break;
        }
        if (r->json.token != PML_JSON_NUMBER && r->json.token != PML_JSON_NULL) {
            PML_TRY(pml_json_fail(&r->json, error, "a forecast's value is a number or null"));
        }
        PML_TRY(pml_grow(&rows->values, &rows->capacity, rows->n_values + 1, sizeof *rows->values, MOST_VALUES,
                         "values", error));
        rows->values[rows->n_values++] = r->json.token == PML_JSON_NULL ? NAN : r->json.number;
    }
    if (rows->n_rows > 0 && width != rows->width) {
        PML_TRY(pml_json_fail(&r->json, error, "rows of different length"));
    }
    rows->width = width;
    rows->n_rows++;
done:
    return status;
}

static pml_status read_rows(reading *r, table *rows, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_expect(&r->json, PML_JSON_ARRAY_BEGIN, "a list of rows", error));
    for (;;) {
        PML_TRY(pml_json_next(&r->json, error));
        if (r->json.token == PML_JSON_ARRAY_END) {
            break;
        }
        if (r->json.token != PML_JSON_ARRAY_BEGIN) {
            PML_TRY(pml_json_fail(&r->json, error, "a row is a list of numbers"));
        }
        PML_TRY(read_row(r, rows, error));
    }
done:
    return status;
}

static pml_status once(reading *r, bool *was_seen, pml_error *error) {
    if (*was_seen) {
        return pml_json_fail(&r->json, error, "a key twice");
    }
    *was_seen = true;
    return PML_OK;
}

static pml_status read_level(reading *r, level *l, pml_error *error) {
    pml_status status = PML_OK;
    bool has_level = false, has_rows = false;
    for (;;) {
        PML_TRY(pml_json_next(&r->json, error));
        if (r->json.token == PML_JSON_OBJECT_END) {
            break;
        }
        if (strcmp(r->json.text, "level") == 0) {
            PML_TRY(once(r, &has_level, error));
            PML_TRY(pml_json_expect(&r->json, PML_JSON_NUMBER, "a level", error));
            l->level = r->json.number;
        } else if (strcmp(r->json.text, "forecast") == 0) {
            PML_TRY(once(r, &has_rows, error));
            PML_TRY(read_rows(r, &l->rows, error));
        } else {
            PML_TRY(pml_json_skip(&r->json, error));
        }
    }
    if (!(l->level > 0 && l->level < 1)) {
        PML_TRY(pml_json_fail(&r->json, error, "a quantile without a level between 0 and 1"));
    }
done:
    return status;
}

static pml_status read_levels(reading *r, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(once(r, &r->has_levels, error));
    PML_TRY(pml_alloc(PML_MAX_FORECAST_QUANTILES, sizeof *r->levels, &r->levels, error));
    PML_TRY(pml_json_expect(&r->json, PML_JSON_ARRAY_BEGIN, "a list of quantiles", error));
    for (;;) {
        PML_TRY(pml_json_next(&r->json, error));
        if (r->json.token == PML_JSON_ARRAY_END) {
            break;
        }
        if (r->json.token != PML_JSON_OBJECT_BEGIN) {
            PML_TRY(pml_json_fail(&r->json, error, "a quantile is an object"));
        }
        if (r->n_levels == PML_MAX_FORECAST_QUANTILES) {
            PML_TRY(pml_json_fail(&r->json, error, "more than 99 quantiles"));
        }
        r->n_levels++;
        PML_TRY(read_level(r, &r->levels[r->n_levels - 1], error));
    }
done:
    return status;
}

static pml_status read_member(reading *r, pml_error *error) {
    pml_status status = PML_OK;
    if (strcmp(r->json.text, "columns") == 0) {
        PML_TRY(once(r, &r->has_columns, error));
        PML_TRY(read_columns(r, error));
    } else if (strcmp(r->json.text, "dates") == 0) {
        PML_TRY(once(r, &r->has_dates, error));
        PML_TRY(read_dates(r, error));
    } else if (strcmp(r->json.text, "forecast") == 0) {
        PML_TRY(once(r, &r->has_rows, error));
        PML_TRY(read_rows(r, &r->points, error));
    } else if (strcmp(r->json.text, "quantiles") == 0) {
        PML_TRY(read_levels(r, error));
    } else if (strcmp(r->json.text, "start_row") == 0) {
        PML_TRY(once(r, &r->forecast->has_start_row, error));
        PML_TRY(pml_json_expect(&r->json, PML_JSON_NUMBER, "a row", error));
        if (!r->json.is_u64 || r->json.u64 > UINT32_MAX) {
            PML_TRY(pml_json_fail(&r->json, error, "a row is a whole number"));
        }
        r->forecast->start_row = r->json.u64;
    } else {
        PML_TRY(pml_json_skip(&r->json, error));
    }
done:
    return status;
}

static pml_status check_shape(const reading *r, const char *file_name, pml_error *error) {
    const size_t n_columns = r->forecast->series->n_columns;
    const table *points = &r->points;
    bool fits = points->n_rows > 0 && points->width > 0 && points->width == n_columns &&
                (r->n_stamps == 0 || r->n_stamps == points->n_rows);
    for (size_t q = 0; fits && q < r->n_levels; q++) {
        fits = r->levels[q].rows.n_rows == points->n_rows && r->levels[q].rows.width == n_columns;
    }
    return fits ? PML_OK
                : PML_FAIL(error, PML_E_FORMAT,
                           "%s: no forecast: %zu columns, %zu dates and %zu rows of %zu values do not fit together, or "
                           "not with its quantiles",
                           file_name, n_columns, r->n_stamps, points->n_rows, points->width);
}

/* Columns of points and quantiles side by side, as in a CSV. */
static pml_status join(reading *r, pml_error *error) {
    pml_status status = PML_OK;
    pml_series *series = r->forecast->series;
    const size_t n_points = series->n_columns, n_each = 1 + r->n_levels, n_columns = n_points * n_each;
    char **columns = NULL;
    series->n_rows = r->points.n_rows;
    if (n_columns > PML_MAX_CSV_COLUMNS || r->points.n_values > MOST_VALUES / n_each) {
        PML_TRY(pml_json_fail(&r->json, error, "too many quantiles of too many values"));
    }
    PML_TRY(pml_alloc(n_columns, sizeof *columns, &columns, error));
    for (size_t j = 0; j < n_points; j++) { /* the series owns a name as soon as it is there */
        columns[j * n_each] = series->columns[j];
    }
    pml_free(series->columns);
    series->columns = columns;
    series->n_columns = n_columns;
    PML_TRY(pml_alloc(r->points.n_values * n_each, sizeof *series->values, &series->values, error));
    for (size_t c = 0; c < n_columns; c++) {
        const size_t j = c / n_each, q = c % n_each;
        const double *from = q == 0 ? r->points.values : r->levels[q - 1].rows.values;
        if (q > 0) {
            char name[PML_MAX_CSV_FIELD_BYTES + 64];
            const int length = snprintf(name, sizeof name, "%s_q%.15g", columns[j * n_each], r->levels[q - 1].level);
            PML_TRY(pml_string_copy(name, (size_t)length, &columns[c], error));
        }
        for (size_t i = 0; i < series->n_rows; i++) {
            series->values[i * n_columns + c] = from[i * n_points + j];
        }
    }
done:
    return status;
}

static pml_status parse_json(const char *bytes, size_t size_bytes, const char *file_name, pml_forecast_file *forecast,
                             pml_error *error) {
    pml_status status = PML_OK;
    reading r = {.forecast = forecast};
    pml_json_reader_init(&r.json, bytes, size_bytes, 0, file_name, PML_MAX_CSV_FIELD_BYTES);
    PML_TRY(pml_alloc(1, sizeof *forecast->series, &forecast->series, error));
    PML_TRY(pml_json_expect(&r.json, PML_JSON_OBJECT_BEGIN, "a forecast", error));
    for (;;) {
        PML_TRY(pml_json_next(&r.json, error));
        if (r.json.token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(read_member(&r, error));
    }
    PML_TRY(pml_json_expect(&r.json, PML_JSON_END, "the end of the forecast", error));
    PML_TRY(check_shape(&r, file_name, error));
    PML_TRY(join(&r, error));
done:
    for (size_t q = 0; q < r.n_levels; q++) {
        pml_free(r.levels[q].rows.values);
    }
    pml_free(r.levels);
    pml_free(r.points.values);
    pml_json_reader_deinit(&r.json);
    return status;
}

/* ---- which columns are quantiles of which ---- */
static bool level_of(const char *text, locale_t locale, double *value) {
    return pml_csv_number(text, locale, value) && *value > 0 && *value < 1;
}

static int compare_quantiles(const void *a, const void *b) {
    const pml_forecast_quantile *p = a, *q = b;
    if (p->i_point != q->i_point) {
        return p->i_point < q->i_point ? -1 : 1;
    }
    return p->level < q->level ? -1 : p->level > q->level;
}

/* First the points, then the quantiles of points: one of a quantile is none, and is drawn as nothing. */
static pml_status sort_columns(pml_forecast_file *f, pml_names *points, locale_t locale, pml_error *error) {
    pml_status status = PML_OK;
    const pml_series *series = f->series;
    pml_names all = {0};
    size_t i_name = 0;
    bool is_new = false;
    for (size_t c = 0; c < series->n_columns; c++) {
        PML_TRY(pml_names_add(&all, series->columns[c], strlen(series->columns[c]), PML_MAX_CSV_COLUMNS, "columns",
                              &i_name, &is_new, error));
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t c = 0; c < series->n_columns; c++) {
            const char *name = series->columns[c], *mark = NULL;
            for (const char *at = strstr(name, "_q"); at != NULL; at = strstr(at + 1, "_q")) {
                mark = at;
            }
            double value = 0;
            const size_t length = mark != NULL ? (size_t)(mark - name) : 0;
            const bool is_quantile =
                mark != NULL && level_of(mark + 2, locale, &value) && pml_names_find(&all, name, length, &i_name);
            if (pass == 0 && !is_quantile) {
                PML_TRY(
                    pml_names_add(points, name, strlen(name), PML_MAX_CSV_COLUMNS, "columns", &i_name, &is_new, error));
                f->points[f->n_points++] = c;
            } else if (pass == 1 && is_quantile && pml_names_find(points, name, length, &i_name)) {
                f->quantiles[f->n_quantiles++] = (pml_forecast_quantile){value, i_name, c};
            }
        }
    }
done:
    pml_names_deinit(&all);
    return status;
}

static pml_status find_quantiles(pml_forecast_file *f, const char *file_name, pml_error *error) {
    pml_status status = PML_OK;
    pml_names points = {0};
    const size_t n = f->series->n_columns;
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (locale == (locale_t)0) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory: the C locale"));
    }
    PML_TRY(pml_alloc(n, sizeof *f->points, &f->points, error));
    PML_TRY(pml_alloc(n, sizeof *f->quantiles, &f->quantiles, error));
    PML_TRY(sort_columns(f, &points, locale, error));
    qsort(f->quantiles, f->n_quantiles, sizeof *f->quantiles, compare_quantiles);
    for (size_t i = PML_MAX_FORECAST_QUANTILES; i < f->n_quantiles; i++) {
        if (f->quantiles[i].i_point == f->quantiles[i - PML_MAX_FORECAST_QUANTILES].i_point) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: a column has more than %u quantiles", file_name,
                             PML_MAX_FORECAST_QUANTILES));
        }
    }
done:
    if (locale != (locale_t)0) {
        freelocale(locale);
    }
    pml_names_deinit(&points);
    return status;
}

pml_status pml_forecast_file_parse(const char *bytes, size_t size_bytes, const char *file_name,
                                   pml_forecast_file *forecast, pml_error *error) {
    pml_status status = PML_OK;
    size_t at = 0;
    while (at < size_bytes && strchr(" \t\r\n", bytes[at]) != NULL && bytes[at] != '\0') {
        at++;
    }
    const bool is_json = at < size_bytes && bytes[at] == '{';
    PML_TRY(is_json ? parse_json(bytes, size_bytes, file_name, forecast, error)
                    : pml_series_parse(bytes, size_bytes, file_name, NULL, &forecast->series, error));
    PML_TRY(find_quantiles(forecast, file_name, error));
done:
    return status;
}

void pml_forecast_file_deinit(pml_forecast_file *forecast) {
    pml_series_destroy(forecast->series);
    pml_free(forecast->points);
    pml_free(forecast->quantiles);
    *forecast = (pml_forecast_file){0};
}
