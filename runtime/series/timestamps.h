/* Dates of a series: reading them, finding their step, continuing them. No time zones: a clock that never changes, in
 * the proleptic Gregorian calendar, years 1 to 9999. */
#ifndef PML_RUNTIME_SERIES_TIMESTAMPS_H
#define PML_RUNTIME_SERIES_TIMESTAMPS_H

#include "runtime/base/error.h"

/* How a stamp is written; zero: "YYYY-MM-DD". */
typedef struct pml_stamp_form {
    bool has_time;            /* HH:MM follows */
    bool has_seconds;         /* :SS follows */
    unsigned fraction_digits; /* of the second, 0 to 6 */
    bool has_t;               /* 'T' between date and time; otherwise a blank */
    bool has_z;               /* ends in Z */
} pml_stamp_form;

#define PML_STAMP_TEXT_BYTES 40

/* Reads YYYY-MM-DD, or that with [ T]HH:MM[:SS[.f]] and an optional Z; the whole text must be used. `*stamp_us` is in
 * microseconds since 1970-01-01T00:00. False when it is not such a date. */
bool pml_stamp_parse(const char *text, size_t length, int64_t *stamp_us, pml_stamp_form *form);

/* The form that shows everything that `a` or `b` shows. */
pml_stamp_form pml_stamp_form_join(pml_stamp_form a, pml_stamp_form b);

/* Writes a stamp in that form; returns `text`. */
const char *pml_stamp_text(int64_t stamp_us, const pml_stamp_form *form, char text[PML_STAMP_TEXT_BYTES]);

typedef struct pml_calendar { /* what a stamp is in the calendar */
    unsigned month, day;      /* from 1 */
    unsigned weekday;         /* 0 = Monday */
    unsigned year_day;        /* from 1 */
    unsigned week;            /* of ISO 8601, from 1 */
    unsigned hour, minute, second;
} pml_calendar;
pml_calendar pml_stamp_calendar(int64_t stamp_us);

typedef enum pml_step_kind {
    PML_STEP_CONSTANT, /* the same time between any two */
    PML_STEP_MONTHS,   /* the same number of months; days beyond the end of a month fall on its last day */
    PML_STEP_WORKDAYS  /* Monday to Friday */
} pml_step_kind;

typedef struct pml_step {
    pml_step_kind kind;
    int64_t size;       /* microseconds, months, or 1 */
    unsigned month_day; /* MONTHS: the day aimed at, 31 for the last of every month */
} pml_step;

/* Finds the step of `n_stamps` >= 2 stamps. `first_row` is the number that the message gives to stamps[0].
 * Errors: FORMAT, naming the first row that breaks the step. */
pml_status pml_step_find(const int64_t *stamps_us, size_t n_stamps, size_t first_row, pml_step *step,
                         pml_error *error) PML_WARN_UNUSED;

/* The stamp that follows. Errors: FORMAT (beyond the year 9999). */
pml_status pml_step_next(const pml_step *step, int64_t stamp_us, int64_t *next_us, pml_error *error) PML_WARN_UNUSED;

/* The usual short name: "h", "15t", "d", "w", "b", "m", "q", "y", "2s", "250ms", "us"; returns `text`. */
const char *pml_step_name(const pml_step *step, char text[32]);

/* True when two frequency names ("h", "H", "1h", "hourly", "15min", "15T", "MS" …) mean the same or one is not known.
 */
bool pml_frequency_agrees(const char *a, const char *b);

#endif
