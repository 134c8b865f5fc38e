#include "runtime/series/time_marks.h"

#include <string.h>

#include "runtime/base/quote.h"

static const struct {
    const char *frequency;
    size_t count;
    pml_mark kinds[PML_MAX_TIME_MARKS];
} scaled[] = {
    {"s", 6, {PML_MARK_SECOND, PML_MARK_MINUTE, PML_MARK_HOUR, PML_MARK_WEEKDAY, PML_MARK_DAY, PML_MARK_YEARDAY}},
    {"t", 5, {PML_MARK_MINUTE, PML_MARK_HOUR, PML_MARK_WEEKDAY, PML_MARK_DAY, PML_MARK_YEARDAY}},
    {"h", 4, {PML_MARK_HOUR, PML_MARK_WEEKDAY, PML_MARK_DAY, PML_MARK_YEARDAY}},
    {"d", 3, {PML_MARK_WEEKDAY, PML_MARK_DAY, PML_MARK_YEARDAY}},
    {"b", 3, {PML_MARK_WEEKDAY, PML_MARK_DAY, PML_MARK_YEARDAY}},
    {"w", 2, {PML_MARK_DAY, PML_MARK_WEEK}},
    {"m", 1, {PML_MARK_MONTH}},
    {"q", 1, {PML_MARK_MONTH}},
    {"a", 0, {PML_MARK_MONTH}}};

static const pml_mark integers[] = {PML_MARK_MONTH, PML_MARK_DAY, PML_MARK_WEEKDAY, PML_MARK_HOUR, PML_MARK_MINUTE};

pml_status pml_time_marks_choose(const char *scheme, const char *frequency, pml_time_marks *marks, pml_error *error) {
    pml_quoted quoted;
    *marks = (pml_time_marks){.is_scaled = strcmp(scheme, "timeF") == 0};
    if (strcmp(scheme, "none") == 0) {
        return PML_OK;
    }
    size_t i = 0;
    while (i < sizeof scaled / sizeof scaled[0] && strcmp(scaled[i].frequency, frequency) != 0) {
        i++;
    }
    if (i == sizeof scaled / sizeof scaled[0]) {
        return PML_FAIL(error, PML_E_CONFIG, "there are no time marks of frequency %s", pml_quote(&quoted, frequency));
    }
    if (marks->is_scaled) {
        if (scaled[i].count == 0) {
            return PML_FAIL(error, PML_E_UNSUPPORTED, "the dates of yearly steps have no time marks");
        }
        marks->count = scaled[i].count;
        memcpy(marks->kinds, scaled[i].kinds, sizeof marks->kinds);
        return PML_OK;
    }
    if (strcmp(scheme, "fixed") != 0 && strcmp(scheme, "learned") != 0) {
        return PML_FAIL(error, PML_E_CONFIG, "there is no scheme of time marks %s", pml_quote(&quoted, scheme));
    }
    marks->count = strcmp(frequency, "t") == 0 ? 5 : 4;
    memcpy(marks->kinds, integers, marks->count * sizeof integers[0]);
    return PML_OK;
}

pml_status pml_time_marks_of(const pml_model *model, pml_time_marks *marks, pml_error *error) {
    pml_status status = PML_OK;
    const pml_metadata *metadata = pml_model_metadata(model);
    const char *scheme, *frequency = "h";
    size_t n_marks;
    *marks = (pml_time_marks){.count = 0};
    PML_TRY(pml_model_n_marks(model, &n_marks, error));
    if (n_marks == 0) {
        goto done;
    }
    PML_TRY(pml_metadata_get_string(metadata, "config.time_embedding", &scheme, error));
    PML_TRY(pml_metadata_get_string(metadata, "config.frequency", &frequency, error));
    PML_TRY(pml_time_marks_choose(scheme, frequency, marks, error));
    if (marks->count != n_marks) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "the model takes %zu time marks a step, not %zu", n_marks, marks->count));
    }
done:
    return status;
}

static float mark_of(const pml_calendar *at, pml_mark kind, bool is_scaled) {
    double value = 0, range = 1;
    switch (kind) {
    case PML_MARK_SECOND:
        value = at->second;
        range = 59;
        break;
    case PML_MARK_MINUTE:
        value = is_scaled ? at->minute : at->minute / 15;
        range = 59;
        break;
    case PML_MARK_HOUR:
        value = at->hour;
        range = 23;
        break;
    case PML_MARK_WEEKDAY:
        value = at->weekday;
        range = 6;
        break;
    case PML_MARK_DAY:
        value = is_scaled ? at->day - 1 : at->day;
        range = 30;
        break;
    case PML_MARK_YEARDAY:
        value = at->year_day - 1;
        range = 365;
        break;
    case PML_MARK_WEEK:
        value = at->week - 1;
        range = 52;
        break;
    case PML_MARK_MONTH:
        value = is_scaled ? at->month - 1 : at->month;
        range = 11;
        break;
    }
    return (float)(is_scaled ? value / range - 0.5 : value);
}

void pml_time_marks_fill(const pml_time_marks *marks, const int64_t *stamps_us, size_t n_stamps, float *values) {
    for (size_t i = 0; i < n_stamps; i++) {
        const pml_calendar at = pml_stamp_calendar(stamps_us[i]);
        for (size_t k = 0; k < marks->count; k++) {
            values[i * marks->count + k] = mark_of(&at, marks->kinds[k], marks->is_scaled);
        }
    }
}
