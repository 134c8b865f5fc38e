/* A history out of a log.csv. */
#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/series/csv.h"
#include "runtime/train/logs/log_history.h"

typedef struct reading {
    const char *file_name;
    locale_t locale;
    pml_log_history *history;
    pml_names names; /* of columns, step and epoch among them */
    bool has_header;
} reading;

static pml_status fail(const reading *r, uint64_t line, const char *column, const char *cause, pml_error *error) {
    pml_quoted quoted;
    return PML_FAIL(error, PML_E_FORMAT, "%s, line %llu, column %s: %s", r->file_name, (unsigned long long)line,
                    pml_quote(&quoted, column), cause);
}

static pml_status take_header(reading *r, const char *const *fields, size_t n_fields, uint64_t line, pml_error *error) {
    pml_status status = PML_OK;
    r->has_header = true;
    if (n_fields < 2 || strcmp(fields[0], "step") != 0 || strcmp(fields[1], "epoch") != 0) {
        PML_TRY(fail(r, line, fields[0], "the header of a training log begins with step,epoch", error));
    }
    if (n_fields > PML_MAX_LOG_VALUES + 2) {
        PML_TRY(fail(r, line, fields[PML_MAX_LOG_VALUES + 2], "a training log has at most 256 values", error));
    }
    for (size_t c = 0; c < n_fields; c++) {
        size_t i_name = 0;
        bool is_new = false;
        PML_TRY(pml_names_add(&r->names, fields[c], strlen(fields[c]), PML_MAX_LOG_NAMES, "columns", &i_name, &is_new,
                              error));
        if (!is_new || fields[c][0] == '\0') {
            PML_TRY(fail(r, line, fields[c], "a column without a name, or a name twice", error));
        }
    }
done:
    return status;
}

/* nan, inf and -inf are values of their own. */
static bool read_value(const reading *r, const char *text, double *value) {
    if (strcasecmp(text, "nan") == 0) {
        *value = NAN;
        return true;
    }
    if (strcasecmp(text, "inf") == 0 || strcasecmp(text, "-inf") == 0) {
        *value = text[0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    return pml_csv_number(text, r->locale, value);
}

static pml_status take(void *user, const char *const *fields, size_t n_fields, uint64_t line, pml_error *error) {
    reading *r = user;
    pml_status status = PML_OK;
    pml_log_value values[PML_MAX_LOG_VALUES];
    pml_log_record record = {.values = values};
    double step = 0;
    if (!r->has_header) {
        PML_TRY(take_header(r, fields, n_fields, line, error));
        goto done;
    }
    if (!pml_csv_number(fields[0], r->locale, &step) || !(step >= 0 && step < 9e15) || floor(step) != step) {
        PML_TRY(fail(r, line, "step", "a step is a whole number", error));
    }
    record.step = (uint64_t)step;
    for (size_t c = 1; c < n_fields; c++) {
        double value = 0;
        if (fields[c][0] == '\0') {
            continue;
        }
        if (!read_value(r, fields[c], &value)) {
            PML_TRY(fail(r, line, pml_names_at(&r->names, c), "not a number", error));
        }
        if (c == 1) {
            record.epoch = value;
        } else {
            values[record.n_values++] = (pml_log_value){pml_names_at(&r->names, c), value};
        }
    }
    PML_TRY(pml_log_history_add(r->history, &record, error));
done:
    return status;
}

pml_status pml_log_history_parse(const char *bytes, size_t size_bytes, const char *file_name, pml_log_history *history,
                                 pml_error *error) {
    pml_status status = PML_OK;
    reading r = {.file_name = file_name, .history = history, .locale = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    if (r.locale == (locale_t)0) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory: the C locale"));
    }
    PML_TRY(pml_csv_parse(bytes, size_bytes, file_name, take, &r, error));
done:
    if (r.locale != (locale_t)0) {
        freelocale(r.locale);
    }
    pml_names_deinit(&r.names);
    return status;
}
