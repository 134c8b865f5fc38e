#include "runtime/series/series.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/base/names.h"
#include "runtime/base/quote.h"
#include "runtime/series/csv.h"

#define MOST_VALUES ((size_t)1 << 30)

typedef enum column_kind {
    COLUMN_IGNORED,
    COLUMN_UNDECIDED, /* nothing but missing values so far */
    COLUMN_NUMBERS,
    COLUMN_TEXT /* its first value was not a number, and nobody asked for it: its slot is taken out at the end */
} column_kind;

typedef struct column {
    column_kind kind;
    size_t slot; /* UNDECIDED, NUMBERS, TEXT: where its values go in a row of the series */
} column;

typedef struct builder {
    const char *file_name;
    const pml_series_request *request;
    pml_series *series;
    locale_t locale;
    pml_names names; /* of the header: index = field */
    column *columns;
    size_t n_fields; /* 0: the header is still to come */
    size_t i_date;   /* the field with the date; SIZE_MAX: none */
    size_t values_capacity, stamps_capacity, lines_capacity;
} builder;

static bool is_date_name(const char *name) {
    static const char *const known[] = {"date", "time", "timestamp", "datetime", "ds"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcasecmp(name, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

static pml_status copy_name(pml_series *series, size_t slot, const char *name, pml_error *error) {
    return pml_string_copy(name, strlen(name), &series->columns[slot], error);
}

static pml_status take_names(builder *b, const char *const *fields, size_t n_fields, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < n_fields; i++) {
        pml_quoted quoted;
        size_t i_name = 0;
        bool is_new = false;
        PML_TRY(pml_names_add(&b->names, fields[i], strlen(fields[i]), PML_MAX_CSV_COLUMNS, "columns", &i_name, &is_new,
                              error));
        if (!is_new) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s, line 1: two columns are called %s (columns %zu and %zu)",
                             b->file_name, pml_quote(&quoted, fields[i]), i_name + 1, i + 1));
        }
    }
    if (n_fields == 1 && strpbrk(fields[0], ";\t|") != NULL) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s, line 1: one column only; fields must be separated by commas",
                         b->file_name));
    }
done:
    return status;
}

/* Where columns are not asked for by name, a file without a header row would lose its first row to the names. Whole
 * numbers alone may be names ("0", "1", ...); dates and other numbers are values. */
static pml_status check_is_header(const builder *b, const char *const *fields, size_t n_fields, pml_error *error) {
    bool all_numbers = true, any_value = false;
    for (size_t i = 0; i < n_fields; i++) {
        int64_t stamp_us;
        pml_stamp_form form;
        double number;
        const char *name = fields[i];
        bool is_date = pml_stamp_parse(name, strlen(name), &stamp_us, &form);
        bool is_number = pml_csv_number(name, b->locale, &number);
        all_numbers = all_numbers && (is_date || is_number || name[0] == '\0');
        any_value = any_value || is_date || (is_number && name[strspn(name, "0123456789")] != '\0');
    }
    return all_numbers && any_value
               ? PML_FAIL(error, PML_E_FORMAT, "%s, line 1: values where the column names belong", b->file_name)
               : PML_OK;
}

/* The first names of the header, for a message. */
static void list_names(const builder *b, char *text, size_t size_bytes) {
    size_t used = 0, n_names = pml_names_count(&b->names);
    text[0] = '\0';
    for (size_t i = 0; i < n_names && i < 8; i++) {
        pml_quoted quoted;
        int width = snprintf(text + used, size_bytes - used, "%s%s", i > 0 ? ", " : "",
                             pml_quote(&quoted, pml_names_at(&b->names, i)));
        if (width < 0 || (size_t)width >= size_bytes - used) {
            text[used] = '\0';
            return;
        }
        used += (size_t)width;
    }
    if (n_names > 8) {
        (void)snprintf(text + used, size_bytes - used, " and %zu more", n_names - 8);
    }
}

static pml_status choose_wanted(builder *b, pml_error *error) {
    pml_status status = PML_OK;
    const pml_series_request *request = b->request;
    b->series->n_columns = request->n_columns;
    for (size_t i = 0; i < request->n_columns; i++) {
        const char *name = request->columns[i];
        size_t i_field = 0;
        pml_quoted quoted;
        if (!pml_names_find(&b->names, name, strlen(name), &i_field)) {
            char names[512];
            list_names(b, names, sizeof names);
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s has no column %s; it has %s", b->file_name,
                             pml_quote(&quoted, name), names));
        }
        if (b->columns[i_field].kind == COLUMN_NUMBERS) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "the column %s is asked for twice", pml_quote(&quoted, name)));
        }
        b->columns[i_field] = (column){COLUMN_NUMBERS, i};
        PML_TRY(copy_name(b->series, i, name, error));
    }
done:
    return status;
}

static pml_status set_date_field(builder *b, size_t i_field, pml_error *error) {
    const char *name = pml_names_at(&b->names, i_field);
    b->i_date = i_field;
    return pml_string_copy(name, strlen(name), &b->series->date_column, error);
}

static pml_status take_header(builder *b, const char *const *fields, size_t n_fields, pml_error *error) {
    pml_status status = PML_OK;
    bool by_name = b->request->columns != NULL;
    PML_TRY(take_names(b, fields, n_fields, error));
    if (!by_name) {
        PML_TRY(check_is_header(b, fields, n_fields, error));
    }
    PML_TRY(pml_alloc(n_fields, sizeof *b->columns, &b->columns, error));
    PML_TRY(
        pml_alloc(by_name ? b->request->n_columns : n_fields, sizeof *b->series->columns, &b->series->columns, error));
    if (by_name) {
        PML_TRY(choose_wanted(b, error));
    }
    for (size_t i = 0; i < n_fields && b->i_date == SIZE_MAX; i++) {
        if (b->columns[i].kind == COLUMN_IGNORED && is_date_name(fields[i])) {
            PML_TRY(set_date_field(b, i, error));
        }
    }
    for (size_t i = 0; !by_name && i < n_fields; i++) {
        if (i != b->i_date && fields[i][0] != '\0') {
            b->columns[i] = (column){COLUMN_UNDECIDED, b->series->n_columns};
            PML_TRY(copy_name(b->series, b->series->n_columns, fields[i], error));
            b->series->n_columns++;
        }
    }
    b->n_fields = n_fields;
done:
    return status;
}

/* A first column of dates under any name is recognised by its first field. */
static pml_status look_for_dates(builder *b, const char *first_field, pml_error *error) {
    int64_t stamp_us;
    pml_stamp_form form;
    bool may_be = b->i_date == SIZE_MAX && b->columns[0].kind != COLUMN_NUMBERS;
    if (!may_be || !pml_stamp_parse(first_field, strlen(first_field), &stamp_us, &form)) {
        return PML_OK;
    }
    if (b->columns[0].kind == COLUMN_UNDECIDED) {
        b->columns[0].kind = COLUMN_TEXT;
    }
    return set_date_field(b, 0, error);
}

/* Puts file and line in front of a limit that was passed. */
static pml_status locate(const builder *b, uint64_t line, pml_status status, pml_error *error) {
    return status == PML_E_FORMAT
               ? pml_error_prefix(error, status, "%s, line %llu", b->file_name, (unsigned long long)line)
               : status;
}

static pml_status take_date(builder *b, const char *text, uint64_t line, pml_error *error) {
    pml_series *series = b->series;
    pml_stamp_form form;
    int64_t stamp_us = 0;
    pml_quoted column_name, field;
    if (!pml_stamp_parse(text, strlen(text), &stamp_us, &form)) {
        return PML_FAIL(error, PML_E_FORMAT, "%s, line %llu, column %s: %s is not a date such as 2016-07-01 00:00:00",
                        b->file_name, (unsigned long long)line, pml_quote(&column_name, series->date_column),
                        pml_quote(&field, text));
    }
    pml_status status = pml_grow(&series->stamps_us, &b->stamps_capacity, series->n_rows + 1, sizeof *series->stamps_us,
                                 MOST_VALUES, "rows", error);
    status = locate(b, line, status, error);
    if (status == PML_OK) {
        series->stamps_us[series->n_rows] = stamp_us;
        series->stamp_form = series->n_rows == 0 ? form : pml_stamp_form_join(series->stamp_form, form);
    }
    return status;
}

static pml_status take_number(builder *b, size_t i_field, const char *text, uint64_t line, double *row,
                              pml_error *error) {
    column *c = &b->columns[i_field];
    if (pml_csv_is_missing(text)) {
        row[c->slot] = NAN;
        return PML_OK;
    }
    if (pml_csv_number(text, b->locale, &row[c->slot])) {
        c->kind = COLUMN_NUMBERS;
        return PML_OK;
    }
    if (c->kind == COLUMN_UNDECIDED) {
        c->kind = COLUMN_TEXT;
        return PML_OK;
    }
    pml_quoted column_name, field;
    return PML_FAIL(error, PML_E_FORMAT, "%s, line %llu, column %s: %s is not a number", b->file_name,
                    (unsigned long long)line, pml_quote(&column_name, pml_names_at(&b->names, i_field)),
                    pml_quote(&field, text));
}

/* Notes the line of the row to come, from the first on that is not where its number says. */
static pml_status take_line(builder *b, uint64_t line, pml_error *error) {
    pml_series *series = b->series;
    const size_t n_rows = series->n_rows;
    if (series->lines == NULL && line == pml_series_line(series, n_rows)) {
        return PML_OK;
    }
    const bool is_first = series->lines == NULL;
    pml_status status =
        pml_grow(&series->lines, &b->lines_capacity, n_rows + 1, sizeof *series->lines, MOST_VALUES, "rows", error);
    if (status != PML_OK) {
        return locate(b, line, status, error);
    }
    for (size_t i = 0; is_first && i < n_rows; i++) {
        series->lines[i] = i + 2;
    }
    series->lines[n_rows] = line;
    return PML_OK;
}

static pml_status take_row(builder *b, const char *const *fields, size_t n_fields, uint64_t line, pml_error *error) {
    pml_series *series = b->series;
    pml_status status = PML_OK;
    if (series->n_rows == 0) {
        PML_TRY(look_for_dates(b, fields[0], error));
    }
    PML_TRY(take_line(b, line, error));
    /* No overflow: at most PML_MAX_CSV_COLUMNS columns come after at most MOST_VALUES values. */
    status = pml_grow(&series->values, &b->values_capacity, (series->n_rows + 1) * series->n_columns,
                      sizeof *series->values, MOST_VALUES, "values", error);
    PML_TRY(locate(b, line, status, error));
    /* Without columns of numbers there is no storage; the fault is reported once all rows were seen. */
    double *row = series->n_columns > 0 ? series->values + series->n_rows * series->n_columns : NULL;
    for (size_t i = 0; i < n_fields; i++) {
        column_kind kind = b->columns[i].kind;
        if (kind == COLUMN_UNDECIDED || kind == COLUMN_NUMBERS) {
            PML_TRY(take_number(b, i, fields[i], line, row, error));
        }
        if (i == b->i_date && !b->request->without_dates) {
            PML_TRY(take_date(b, fields[i], line, error));
        }
    }
    series->n_rows++;
done:
    return status;
}

static pml_status take_record(void *user, const char *const *fields, size_t n_fields, uint64_t line, pml_error *error) {
    builder *b = user;
    return b->n_fields == 0 ? take_header(b, fields, n_fields, error) : take_row(b, fields, n_fields, line, error);
}

/* Takes the columns of text out of every row, in place. */
static void drop_text_columns(builder *b) {
    pml_series *series = b->series;
    size_t n_kept = 0, n_before = series->n_columns;
    for (size_t i = 0; i < b->n_fields; i++) {
        if (b->columns[i].kind == COLUMN_TEXT) {
            pml_free(series->columns[b->columns[i].slot]);
            series->columns[b->columns[i].slot] = NULL;
        }
    }
    double *to = series->values;
    for (size_t i = 0; i < series->n_rows * n_before; i++) {
        if (series->columns[i % n_before] != NULL) {
            *to++ = series->values[i];
        }
    }
    for (size_t j = 0; j < n_before; j++) {
        if (series->columns[j] != NULL) {
            series->columns[n_kept++] = series->columns[j];
        }
    }
    series->n_columns = n_kept;
}

static void log_passed_over(const builder *b) {
    for (size_t i = 0; i < b->n_fields; i++) {
        const char *name = pml_names_at(&b->names, i);
        pml_quoted quoted;
        if (i != b->i_date && (b->columns[i].kind == COLUMN_TEXT || b->columns[i].kind == COLUMN_IGNORED)) {
            pml_log(PML_LOG_INFO, "%s: column %s is not used", b->file_name, pml_quote(&quoted, name));
        }
    }
}

static pml_status finish(builder *b, pml_error *error) {
    pml_series *series = b->series;
    if (series->n_rows == 0) {
        return PML_FAIL(error, PML_E_FORMAT, "%s: no rows below the header", b->file_name);
    }
    log_passed_over(b);
    drop_text_columns(b);
    if (series->n_columns == 0) {
        return PML_FAIL(error, PML_E_FORMAT, "%s: no column of numbers", b->file_name);
    }
    if (b->request->without_dates) {
        pml_free(series->date_column);
        series->date_column = NULL;
    }
    return PML_OK;
}

static pml_status build(const char *path, const void *bytes, size_t size_bytes, const pml_series_request *request,
                        pml_series **series, pml_error *error) {
    static const pml_series_request everything = {0};
    pml_status status = PML_OK;
    builder b = {.file_name = path, .request = request != NULL ? request : &everything, .i_date = SIZE_MAX};
    PML_TRY(pml_alloc(1, sizeof *b.series, &b.series, error));
    b.locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (b.locale == (locale_t)0) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: the C locale is not available", path));
    }
    PML_TRY(bytes != NULL ? pml_csv_parse(bytes, size_bytes, path, take_record, &b, error)
                          : pml_csv_read(path, take_record, &b, error));
    PML_TRY(finish(&b, error));
    *series = b.series;
    b.series = NULL;
done:
    if (b.locale != (locale_t)0) {
        freelocale(b.locale);
    }
    pml_names_deinit(&b.names);
    pml_free(b.columns);
    pml_series_destroy(b.series);
    return status;
}

pml_status pml_series_read(const char *path, const pml_series_request *request, pml_series **series, pml_error *error) {
    return build(path, NULL, 0, request, series, error);
}

pml_status pml_series_parse(const void *bytes, size_t size_bytes, const char *file_name,
                            const pml_series_request *request, pml_series **series, pml_error *error) {
    return build(file_name, bytes != NULL ? bytes : "", size_bytes, request, series, error);
}

void pml_series_destroy(pml_series *series) {
    if (series != NULL) {
        for (size_t i = 0; series->columns != NULL && i < series->n_columns; i++) {
            pml_free(series->columns[i]);
        }
        pml_free(series->columns);
        pml_free(series->values);
        pml_free(series->date_column);
        pml_free(series->stamps_us);
        pml_free(series->lines);
        pml_free(series);
    }
}
