#include "runtime/plot/forecast_file.h"

#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/input.h"
#include "runtime/base/json_reader.h"

#define MOST_VALUES ((size_t)1 << 26)

typedef struct reading {
    pml_json_reader json;
    pml_forecast_file *forecast;
    size_t columns_capacity, stamps_capacity, values_capacity;
    size_t n_stamps, n_values, n_rows;
    size_t row_width; /* of the rows so far */
    bool has_columns, has_dates, has_rows;
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

static pml_status read_row(reading *r, pml_error *error) {
    pml_status status = PML_OK;
    pml_series *series = r->forecast->series;
    size_t width = 0;
    for (;; width++) {
        PML_TRY(pml_json_next(&r->json, error));
        if (r->json.token == PML_JSON_ARRAY_END) {
            break;
        }
        if (r->json.token != PML_JSON_NUMBER && r->json.token != PML_JSON_NULL) {
            PML_TRY(pml_json_fail(&r->json, error, "a forecast's value is a number or null"));
        }
        PML_TRY(pml_grow(&series->values, &r->values_capacity, r->n_values + 1, sizeof *series->values, MOST_VALUES,
                         "values", error));
        series->values[r->n_values++] = r->json.token == PML_JSON_NULL ? NAN : r->json.number;
    }
    if (r->n_rows > 0 && width != r->row_width) {
        PML_TRY(pml_json_fail(&r->json, error, "rows of different length"));
    }
    r->row_width = width;
    r->n_rows++;
done:
    return status;
}

static pml_status read_rows(reading *r, pml_error *error) {
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
        PML_TRY(read_row(r, error));
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
        PML_TRY(read_rows(r, error));
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
    if (r.n_rows == 0 || r.row_width == 0 || r.row_width != forecast->series->n_columns ||
        (r.n_stamps > 0 && r.n_stamps != r.n_rows)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT,
                         "%s: no forecast: %zu columns, %zu dates and %zu rows of %zu values do not fit together",
                         file_name, forecast->series->n_columns, r.n_stamps, r.n_rows, r.row_width));
    }
    forecast->series->n_rows = r.n_rows;
done:
    pml_json_reader_deinit(&r.json);
    return status;
}

pml_status pml_forecast_file_parse(const char *bytes, size_t size_bytes, const char *file_name,
                                   pml_forecast_file *forecast, pml_error *error) {
    size_t at = 0;
    while (at < size_bytes && strchr(" \t\r\n", bytes[at]) != NULL && bytes[at] != '\0') {
        at++;
    }
    const bool is_json = at < size_bytes && bytes[at] == '{';
    return is_json ? parse_json(bytes, size_bytes, file_name, forecast, error)
                   : pml_series_parse(bytes, size_bytes, file_name, NULL, &forecast->series, error);
}

pml_status pml_forecast_file_read(const char *path, pml_forecast_file *forecast, pml_error *error) {
    pml_status status = PML_OK;
    char *bytes = NULL;
    size_t size_bytes = 0;
    PML_TRY(pml_input_read(path, PML_E_ARGUMENT, PML_MAX_JSON_BYTES, &bytes, &size_bytes, error));
    PML_TRY(pml_forecast_file_parse(bytes, size_bytes, path, forecast, error));
done:
    pml_free(bytes);
    return status;
}

void pml_forecast_file_deinit(pml_forecast_file *forecast) {
    pml_series_destroy(forecast->series);
    *forecast = (pml_forecast_file){0};
}
