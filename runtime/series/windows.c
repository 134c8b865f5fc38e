#include "runtime/series/windows.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "runtime/base/quote.h"
#include "runtime/series/csv.h"

enum { MOST_SHARE_TEXT = 32 };

/* Reads up to the next comma (or the end) as a share. */
static bool read_share(const char **at, locale_t locale, double *share) {
    char text[MOST_SHARE_TEXT];
    size_t length = strcspn(*at, ",");
    if (length == 0 || length >= sizeof text) {
        return false;
    }
    memcpy(text, *at, length);
    text[length] = '\0';
    *at += length;
    return pml_csv_number(text, locale, share) && *share >= 0 && *share <= 1;
}

static bool read_shares(const char *text, double shares[3]) {
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (locale == (locale_t)0) {
        return false;
    }
    const char *at = text;
    bool fits = true;
    for (int i = 0; i < 3 && fits; i++) {
        fits = read_share(&at, locale, &shares[i]) && *at == (i < 2 ? ',' : '\0');
        at += i < 2;
    }
    freelocale(locale);
    return fits && fabs(shares[0] + shares[1] + shares[2] - 1) < 1e-6;
}

pml_status pml_split_parse(const char *text, size_t n_rows, pml_split *split, pml_error *error) {
    bool hourly = strcmp(text, "ett-hour") == 0;
    if (hourly || strcmp(text, "ett-minute") == 0) {
        size_t month = (size_t)30 * 24 * (hourly ? 1 : 4);
        if (n_rows < 20 * month) {
            return PML_FAIL(error, PML_E_FORMAT, "the split %s needs %zu rows, there are %zu", text, 20 * month,
                            n_rows);
        }
        *split = (pml_split){12 * month, 16 * month, 20 * month};
        return PML_OK;
    }
    double shares[3] = {0};
    if (!read_shares(text, shares)) {
        pml_quoted quoted;
        return PML_FAIL(error, PML_E_ARGUMENT,
                        "a split is ett-hour, ett-minute or three shares that add up to 1, such as 0.7,0.1,0.2; not %s",
                        pml_quote(&quoted, text));
    }
    size_t n_train = (size_t)(shares[0] * (double)n_rows), n_test = (size_t)(shares[2] * (double)n_rows);
    if (n_train + n_test > n_rows) {
        n_test = n_rows - n_train;
    }
    *split = (pml_split){n_train, n_rows - n_test, n_rows};
    return PML_OK;
}

/* Rows [*begin, *end) of a part. */
static void part_rows(const pml_split *split, pml_part part, size_t *begin, size_t *end) {
    const size_t borders[] = {0, split->train_end, split->val_end, split->test_end};
    *begin = borders[part];
    *end = borders[part + 1];
}

pml_status pml_windows_place(const pml_series *series, const char *name, const pml_split *split, pml_part part,
                             size_t context_length, size_t horizon, pml_window_rows *rows, pml_error *error) {
    size_t begin, end;
    if (context_length == 0 || horizon == 0) {
        return PML_FAIL(error, PML_E_ARGUMENT, "look-back and horizon must be at least 1");
    }
    if (split->train_end > split->val_end || split->val_end > split->test_end || split->test_end > series->n_rows) {
        return PML_FAIL(error, PML_E_ARGUMENT, "the split does not fit the rows");
    }
    part_rows(split, part, &begin, &end);
    const bool looks_back = part != PML_PART_TRAIN;
    if (looks_back && begin < context_length) {
        return PML_FAIL(error, PML_E_FORMAT, "%s: only %zu rows come before the part, the look-back is %zu", name,
                        begin, context_length);
    }
    const size_t first_row = looks_back ? begin - context_length : begin, n_rows = end - first_row;
    if (n_rows < context_length || n_rows - context_length < horizon) {
        return PML_FAIL(error, PML_E_FORMAT, "%s: rows %zu to %zu hold no window of %zu + %zu rows", name, first_row,
                        end, context_length, horizon);
    }
    *rows = (pml_window_rows){first_row, end, n_rows - context_length - horizon + 1};
    return PML_OK;
}

/* Mean and deviation of one column; *count is how many values it has, *is_constant whether they are all the same. */
static void fit_column(const pml_series *series, size_t n_rows, size_t i_column, double *mean, double *std,
                       size_t *count, bool *is_constant) {
    const size_t n_columns = series->n_columns;
    const double *values = series->values + i_column;
    double sum = 0, squares = 0, least = INFINITY, greatest = -INFINITY;
    *count = 0;
    for (size_t i = 0; i < n_rows; i++) {
        const double value = values[i * n_columns];
        if (!isnan(value)) {
            sum += value;
            least = value < least ? value : least;
            greatest = value > greatest ? value : greatest;
            (*count)++;
        }
    }
    *mean = sum / (double)*count;
    for (size_t i = 0; i < n_rows; i++) {
        const double difference = values[i * n_columns] - *mean;
        squares += isnan(difference) ? 0 : difference * difference;
    }
    *std = sqrt(squares / (double)*count);
    *is_constant = least == greatest;
}

pml_status pml_scaler_fit(const pml_series *series, const char *name, size_t n_rows, pml_constant_columns constant,
                          double *mean, double *std, pml_error *error) {
    for (size_t j = 0; j < series->n_columns; j++) {
        size_t count;
        bool is_constant;
        pml_quoted quoted;
        fit_column(series, n_rows, j, &mean[j], &std[j], &count, &is_constant);
        if (count == 0) {
            return PML_FAIL(error, PML_E_FORMAT, "%s, column %s: no value in the train rows to fit a scaler on", name,
                            pml_quote(&quoted, series->columns[j]));
        }
        /* By its values and not by its deviation, which rounding of the mean keeps from being 0. */
        if (is_constant && constant == PML_CONSTANT_REFUSED) {
            return PML_FAIL(error, PML_E_FORMAT,
                            "%s, column %s: %g in all %zu train rows; a constant column has no "
                            "scale and nothing to learn",
                            name, pml_quote(&quoted, series->columns[j]), mean[j], n_rows);
        }
        std[j] = is_constant || !(std[j] > 0) ? 1 : std[j];
    }
    return PML_OK;
}

pml_status pml_scaler_apply(const pml_series *series, const char *name, const double *mean, const double *std,
                            size_t first_row, size_t n_rows, bool as_float, double *scaled, pml_error *error) {
    const size_t n_columns = series->n_columns;
    const double *from = series->values + first_row * n_columns;
    for (size_t i = 0; i < n_rows * n_columns; i++) {
        const size_t j = i % n_columns;
        const double value = (from[i] - mean[j]) / std[j];
        if (as_float && !isnan(from[i]) && !(fabs(value) <= (double)FLT_MAX)) {
            pml_quoted quoted;
            return PML_FAIL(error, PML_E_FORMAT, "%s, row %zu, column %s: %g is too large for a model", name,
                            first_row + i / n_columns, pml_quote(&quoted, series->columns[j]), from[i]);
        }
        scaled[i] = as_float ? (double)(float)value : value;
    }
    return PML_OK;
}
