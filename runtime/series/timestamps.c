#include "runtime/series/timestamps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)
#define WEEK_US (7 * DAY_US)

typedef struct civil { /* a day of the calendar */
    int64_t year;
    unsigned month, day; /* from 1 */
} civil;

static bool is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in_month(int64_t year, unsigned month) {
    static const unsigned char days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29u : days[month - 1];
}

/* Days from 0001-01-01 to the first of January of `year` >= 1. */
static int64_t days_before_year(int64_t year) {
    int64_t past = year - 1;
    return past * 365 + past / 4 - past / 100 + past / 400;
}

enum { DAYS_TO_1970 = 719162 };

static int64_t day_number(civil date) {
    int64_t days = days_before_year(date.year) - DAYS_TO_1970;
    for (unsigned month = 1; month < date.month; month++) {
        days += days_in_month(date.year, month);
    }
    return days + (int64_t)date.day - 1;
}

static civil civil_from_day(int64_t day) {
    int64_t rest = day + DAYS_TO_1970;
    /* 400 years have 146097 days; the quotient is never more than one year short. */
    int64_t year = rest * 400 / 146097 + 1;
    if (days_before_year(year) > rest) {
        year--;
    } else if (days_before_year(year + 1) <= rest) {
        year++;
    }
    rest -= days_before_year(year);
    unsigned month = 1;
    while (rest >= (int64_t)days_in_month(year, month)) {
        rest -= (int64_t)days_in_month(year, month);
        month++;
    }
    return (civil){year, month, (unsigned)rest + 1};
}

static int64_t floor_divide(int64_t a, int64_t b) {
    int64_t quotient = a / b;
    return a % b < 0 ? quotient - 1 : quotient;
}

/* Reads exactly `n_digits` digits. */
static bool read_digits(const char **at, const char *end, unsigned n_digits, unsigned *value) {
    unsigned result = 0;
    for (unsigned i = 0; i < n_digits; i++, (*at)++) {
        if (*at == end || **at < '0' || **at > '9') {
            return false;
        }
        result = result * 10 + (unsigned)(**at - '0');
    }
    *value = result;
    return true;
}

static bool read_char(const char **at, const char *end, char wanted) {
    if (*at == end || **at != wanted) {
        return false;
    }
    (*at)++;
    return true;
}

/* Reads ".f": at least one digit, at most six. */
static bool read_fraction(const char **at, const char *end, unsigned *microseconds, unsigned *n_digits) {
    unsigned value = 0, count = 0, digit = 0;
    while (count < 6 && read_digits(at, end, 1, &digit)) {
        value = value * 10 + digit;
        count++;
    }
    *n_digits = count;
    for (unsigned i = count; i < 6; i++) {
        value *= 10;
    }
    *microseconds = value;
    return count > 0;
}

static bool read_time(const char **at, const char *end, int64_t *time_us, pml_stamp_form *form) {
    unsigned hour = 0, minute = 0, second = 0, fraction = 0;
    if (!read_digits(at, end, 2, &hour) || !read_char(at, end, ':') || !read_digits(at, end, 2, &minute)) {
        return false;
    }
    form->has_time = true;
    if (read_char(at, end, ':')) {
        form->has_seconds = true;
        if (!read_digits(at, end, 2, &second)) {
            return false;
        }
        if (read_char(at, end, '.') && !read_fraction(at, end, &fraction, &form->fraction_digits)) {
            return false;
        }
    }
    form->has_z = read_char(at, end, 'Z');
    *time_us = (int64_t)hour * HOUR_US + (int64_t)minute * MINUTE_US + (int64_t)second * SECOND_US + fraction;
    return hour < 24 && minute < 60 && second < 60;
}

bool pml_stamp_parse(const char *text, size_t length, int64_t *stamp_us, pml_stamp_form *form) {
    const char *at = text, *end = text + length;
    unsigned year = 0, month = 0, day = 0;
    pml_stamp_form found = {0};
    int64_t time_us = 0;
    bool fits = read_digits(&at, end, 4, &year) && read_char(&at, end, '-') && read_digits(&at, end, 2, &month) &&
                read_char(&at, end, '-') && read_digits(&at, end, 2, &day);
    if (!fits || year == 0 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    if (at < end) {
        found.has_t = *at == 'T';
        if (*at != 'T' && *at != ' ') {
            return false;
        }
        at++;
        if (!read_time(&at, end, &time_us, &found)) {
            return false;
        }
    }
    if (at != end) {
        return false;
    }
    *stamp_us = day_number((civil){year, month, day}) * DAY_US + time_us;
    *form = found;
    return true;
}

pml_stamp_form pml_stamp_form_join(pml_stamp_form a, pml_stamp_form b) {
    return (pml_stamp_form){
        .has_time = a.has_time || b.has_time,
        .has_seconds = a.has_seconds || b.has_seconds,
        .fraction_digits = a.fraction_digits > b.fraction_digits ? a.fraction_digits : b.fraction_digits,
        .has_t = a.has_t || b.has_t,
        .has_z = a.has_z || b.has_z,
    };
}

const char *pml_stamp_text(int64_t stamp_us, const pml_stamp_form *form, char text[PML_STAMP_TEXT_BYTES]) {
    int64_t day = floor_divide(stamp_us, DAY_US);
    int64_t time_us = stamp_us - day * DAY_US;
    civil date = civil_from_day(day);
    size_t used = (size_t)snprintf(text, PML_STAMP_TEXT_BYTES, "%04u-%02u-%02u", (unsigned)date.year % 10000u,
                                   date.month % 100u, date.day % 100u);
    if (form->has_time) {
        used += (size_t)snprintf(text + used, PML_STAMP_TEXT_BYTES - used, "%c%02u:%02u", form->has_t ? 'T' : ' ',
                                 (unsigned)(time_us / HOUR_US), (unsigned)(time_us / MINUTE_US % 60));
    }
    if (form->has_time && form->has_seconds) {
        used +=
            (size_t)snprintf(text + used, PML_STAMP_TEXT_BYTES - used, ":%02u", (unsigned)(time_us / SECOND_US % 60));
    }
    if (form->has_time && form->has_seconds && form->fraction_digits > 0) {
        /* Written with all six digits, then cut. */
        (void)snprintf(text + used, PML_STAMP_TEXT_BYTES - used, ".%06u", (unsigned)(time_us % SECOND_US));
        used += 1 + form->fraction_digits;
        text[used] = '\0';
    }
    if (form->has_time && form->has_z) {
        text[used] = 'Z';
        text[used + 1] = '\0';
    }
    return text;
}

static int64_t month_index(civil date) {
    return date.year * 12 + (int64_t)date.month - 1;
}

static unsigned clipped_day(int64_t index, unsigned month_day) {
    unsigned last = days_in_month(floor_divide(index, 12), (unsigned)(index % 12) + 1);
    return month_day < last ? month_day : last;
}

/* True when all stamps lie a whole, equal number of months apart at one time of day. */
static bool find_months(const int64_t *stamps_us, size_t n_stamps, pml_step *step) {
    civil first = civil_from_day(floor_divide(stamps_us[0], DAY_US));
    civil second = civil_from_day(floor_divide(stamps_us[1], DAY_US));
    int64_t size = month_index(second) - month_index(first);
    int64_t time_us = stamps_us[0] - floor_divide(stamps_us[0], DAY_US) * DAY_US;
    unsigned month_day = 0;
    bool all_last = true;
    if (size < 1) {
        return false;
    }
    for (size_t i = 0; i < n_stamps; i++) {
        int64_t day = floor_divide(stamps_us[i], DAY_US);
        civil date = civil_from_day(day);
        if (stamps_us[i] - day * DAY_US != time_us || month_index(date) != month_index(first) + (int64_t)i * size) {
            return false;
        }
        month_day = date.day > month_day ? date.day : month_day;
        all_last = all_last && date.day == days_in_month(date.year, date.month);
    }
    month_day = all_last ? 31 : month_day;
    for (size_t i = 0; i < n_stamps; i++) {
        civil date = civil_from_day(floor_divide(stamps_us[i], DAY_US));
        if (date.day != clipped_day(month_index(date), month_day)) {
            return false;
        }
    }
    *step = (pml_step){PML_STEP_MONTHS, size, month_day};
    return true;
}

/* 0 = Monday. */
static unsigned weekday(int64_t day) {
    return (unsigned)(((day + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

pml_calendar pml_stamp_calendar(int64_t stamp_us) {
    const int64_t day = floor_divide(stamp_us, DAY_US), time_us = stamp_us - day * DAY_US;
    const civil date = civil_from_day(day);
    /* A week belongs to the year of its Thursday. */
    const int64_t thursday = day - (int64_t)weekday(day) + 3;
    const int64_t first = day_number((civil){civil_from_day(thursday).year, 1, 1});
    return (pml_calendar){.month = date.month,
                          .day = date.day,
                          .weekday = weekday(day),
                          .year_day = (unsigned)(day - day_number((civil){date.year, 1, 1})) + 1,
                          .week = (unsigned)((thursday - first) / 7) + 1,
                          .hour = (unsigned)(time_us / HOUR_US),
                          .minute = (unsigned)(time_us / MINUTE_US % 60),
                          .second = (unsigned)(time_us / SECOND_US % 60)};
}

static int64_t next_workday_us(int64_t stamp_us) {
    return stamp_us +
           (weekday(floor_divide(stamp_us, DAY_US)) >= 4 ? 7 - weekday(floor_divide(stamp_us, DAY_US)) : 1) * DAY_US;
}

static bool find_workdays(const int64_t *stamps_us, size_t n_stamps, pml_step *step) {
    bool weekend_seen = false;
    for (size_t i = 0; i < n_stamps; i++) {
        if (weekday(floor_divide(stamps_us[i], DAY_US)) > 4 ||
            (i > 0 && stamps_us[i] != next_workday_us(stamps_us[i - 1]))) {
            return false;
        }
        weekend_seen = weekend_seen || (i > 0 && stamps_us[i] - stamps_us[i - 1] > DAY_US);
    }
    *step = (pml_step){PML_STEP_WORKDAYS, 1, 0};
    /* One step over a weekend alone might as well be three days. */
    return weekend_seen && n_stamps > 2;
}

/* The step that most of the first few stamps have, so that one odd stamp at the start is the one that gets named. */
static int64_t usual_step(const int64_t *stamps_us, size_t n_stamps) {
    size_t n_seen = n_stamps - 1 < 15 ? n_stamps - 1 : 15;
    int64_t best = stamps_us[1] - stamps_us[0];
    size_t most = 0;
    for (size_t i = 0; i < n_seen; i++) {
        size_t count = 0;
        for (size_t j = 0; j < n_seen; j++) {
            count += stamps_us[j + 1] - stamps_us[j] == stamps_us[i + 1] - stamps_us[i];
        }
        if (count > most) {
            most = count;
            best = stamps_us[i + 1] - stamps_us[i];
        }
    }
    return best;
}

static const pml_stamp_form full_form = {.has_time = true, .has_seconds = true};

pml_status pml_step_find(const int64_t *stamps_us, size_t n_stamps, size_t first_row, pml_step *step,
                         pml_error *error) {
    char before[PML_STAMP_TEXT_BYTES], after[PML_STAMP_TEXT_BYTES], name[32];
    if (n_stamps < 2) {
        return PML_FAIL(error, PML_E_FORMAT, "one date alone has no step");
    }
    if (find_months(stamps_us, n_stamps, step) || find_workdays(stamps_us, n_stamps, step)) {
        return PML_OK;
    }
    *step = (pml_step){PML_STEP_CONSTANT, usual_step(stamps_us, n_stamps), 0};
    for (size_t i = 1; i < n_stamps; i++) {
        int64_t size = stamps_us[i] - stamps_us[i - 1];
        if (size == step->size && size > 0) {
            continue;
        }
        (void)pml_stamp_text(stamps_us[i - 1], &full_form, before);
        (void)pml_stamp_text(stamps_us[i], &full_form, after);
        if (size <= 0) {
            return PML_FAIL(error, PML_E_FORMAT, "row %zu: date %s does not come after %s", first_row + i, after,
                            before);
        }
        return PML_FAIL(error, PML_E_FORMAT, "row %zu: date %s follows %s, which breaks the step of %s", first_row + i,
                        after, before, step->size > 0 ? pml_step_name(step, name) : "the rows before");
    }
    return PML_OK;
}

pml_status pml_step_next(const pml_step *step, int64_t stamp_us, int64_t *next_us, pml_error *error) {
    int64_t next = 0;
    bool fits = true;
    if (step->kind == PML_STEP_MONTHS) {
        int64_t day = floor_divide(stamp_us, DAY_US);
        int64_t index = month_index(civil_from_day(day)) + step->size;
        civil date = {floor_divide(index, 12), (unsigned)(index % 12) + 1, clipped_day(index, step->month_day)};
        fits = date.year <= 9999;
        next = fits ? day_number(date) * DAY_US + (stamp_us - day * DAY_US) : 0;
    } else if (step->kind == PML_STEP_WORKDAYS) {
        next = next_workday_us(stamp_us);
    } else {
        fits = !__builtin_add_overflow(stamp_us, step->size, &next);
    }
    int64_t end_us = day_number((civil){9999, 12, 31}) * DAY_US + DAY_US;
    if (!fits || next >= end_us) {
        return PML_FAIL(error, PML_E_FORMAT, "the dates to come pass the year 9999");
    }
    *next_us = next;
    return PML_OK;
}

const char *pml_step_name(const pml_step *step, char text[32]) {
    static const struct {
        int64_t us;
        const char *name;
    } units[] = {{WEEK_US, "w"},   {DAY_US, "d"},         {HOUR_US, "h"}, {MINUTE_US, "t"},
                 {SECOND_US, "s"}, {INT64_C(1000), "ms"}, {1, "us"}};
    int64_t count = step->size;
    const char *name = "b";
    if (step->kind == PML_STEP_MONTHS) {
        bool years = count % 12 == 0, quarters = !years && count % 3 == 0;
        name = years ? "y" : quarters ? "q" : "m";
        count /= years ? 12 : quarters ? 3 : 1;
    } else if (step->kind == PML_STEP_CONSTANT) {
        size_t i = 0;
        while (step->size % units[i].us != 0) {
            i++;
        }
        name = units[i].name;
        count = step->size / units[i].us;
    }
    if (count == 1) {
        (void)snprintf(text, 32, "%s", name);
    } else {
        (void)snprintf(text, 32, "%lld%s", (long long)count, name);
    }
    return text;
}

/* What a frequency name counts in. */
typedef enum frequency_unit { UNIT_SECONDS, UNIT_MONTHS, UNIT_WORKDAYS } frequency_unit;

/* Splits a frequency name into how many of which unit; false when it is not known. */
static bool read_frequency(const char *name, uint64_t *size, frequency_unit *in) {
    static const struct {
        const char *name;
        uint64_t size;
        frequency_unit unit;
    } known[] = {
        {"s", 1, UNIT_SECONDS},
        {"sec", 1, UNIT_SECONDS},
        {"second", 1, UNIT_SECONDS},
        {"secondly", 1, UNIT_SECONDS},
        {"t", 60, UNIT_SECONDS},
        {"min", 60, UNIT_SECONDS},
        {"minute", 60, UNIT_SECONDS},
        {"minutely", 60, UNIT_SECONDS},
        {"h", 3600, UNIT_SECONDS},
        {"hour", 3600, UNIT_SECONDS},
        {"hourly", 3600, UNIT_SECONDS},
        {"d", 86400, UNIT_SECONDS},
        {"day", 86400, UNIT_SECONDS},
        {"daily", 86400, UNIT_SECONDS},
        {"w", 604800, UNIT_SECONDS},
        {"week", 604800, UNIT_SECONDS},
        {"weekly", 604800, UNIT_SECONDS},
        {"m", 1, UNIT_MONTHS},
        {"ms", 1, UNIT_MONTHS},
        {"me", 1, UNIT_MONTHS},
        {"month", 1, UNIT_MONTHS},
        {"monthly", 1, UNIT_MONTHS},
        {"q", 3, UNIT_MONTHS},
        {"qs", 3, UNIT_MONTHS},
        {"qe", 3, UNIT_MONTHS},
        {"quarterly", 3, UNIT_MONTHS},
        {"y", 12, UNIT_MONTHS},
        {"ys", 12, UNIT_MONTHS},
        {"ye", 12, UNIT_MONTHS},
        {"a", 12, UNIT_MONTHS},
        {"yearly", 12, UNIT_MONTHS},
        {"b", 1, UNIT_WORKDAYS},
        {"bday", 1, UNIT_WORKDAYS},
        {"business", 1, UNIT_WORKDAYS},
    };
    char *unit = NULL;
    unsigned long long count = name[0] >= '0' && name[0] <= '9' ? strtoull(name, &unit, 10) : 1;
    const char *rest = unit != NULL ? unit : name;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcasecmp(rest, known[i].name) == 0 && count > 0 && count < 1000000) {
            *size = count * known[i].size;
            *in = known[i].unit;
            return true;
        }
    }
    return false;
}

bool pml_frequency_agrees(const char *a, const char *b) {
    uint64_t size_a = 0, size_b = 0;
    frequency_unit unit_a = UNIT_SECONDS, unit_b = UNIT_SECONDS;
    if (!read_frequency(a, &size_a, &unit_a) || !read_frequency(b, &size_b, &unit_b)) {
        return true;
    }
    return size_a == size_b && unit_a == unit_b;
}
