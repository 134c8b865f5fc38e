/* Ticks at round dates. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/plot/axis.h"
#include "runtime/series/timestamps.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US (86400 * SECOND_US)
/* 1970-01-05: weeks begin with a Monday. */
#define A_MONDAY_US (4 * DAY_US)

typedef enum unit { UNIT_MICROSECONDS, UNIT_SECONDS, UNIT_MINUTES, UNIT_DAYS, UNIT_MONTHS, UNIT_YEARS } unit;

typedef struct date_step {
    unit unit;
    int64_t size;    /* microseconds; months and years: how many */
    int64_t span_us; /* how long it is, about */
} date_step;

#define SECONDS(n)                                                                                                     \
    { UNIT_SECONDS, (n)*SECOND_US, (n)*SECOND_US }
#define MINUTES(n)                                                                                                     \
    { UNIT_MINUTES, (n)*60 * SECOND_US, (n)*60 * SECOND_US }
#define DAYS(n)                                                                                                        \
    { UNIT_DAYS, (n)*DAY_US, (n)*DAY_US }
#define MONTHS(n)                                                                                                      \
    { UNIT_MONTHS, n, (n)*30 * DAY_US }
#define YEARS(n)                                                                                                       \
    { UNIT_YEARS, n, (n)*365 * DAY_US }
static const date_step steps[] = {SECONDS(1),  SECONDS(2),   SECONDS(5),   SECONDS(10),  SECONDS(15),  SECONDS(30),
                                  MINUTES(1),  MINUTES(2),   MINUTES(5),   MINUTES(10),  MINUTES(15),  MINUTES(30),
                                  MINUTES(60), MINUTES(120), MINUTES(180), MINUTES(360), MINUTES(720), DAYS(1),
                                  DAYS(2),     DAYS(7),      DAYS(14),     MONTHS(1),    MONTHS(2),    MONTHS(3),
                                  MONTHS(6),   YEARS(1),     YEARS(2),     YEARS(5),     YEARS(10),    YEARS(20),
                                  YEARS(50),   YEARS(100),   YEARS(200),   YEARS(500),   YEARS(1000),  YEARS(5000)};

static date_step choose(int64_t span_us, unsigned most_ticks) {
    const int64_t most = most_ticks < 2 ? 1 : (most_ticks > PML_MAX_TICKS ? PML_MAX_TICKS : most_ticks) - 1;
    for (int64_t power = 1; power < SECOND_US; power *= 10) {
        for (int64_t digit = 1; digit <= 5; digit = digit == 1 ? 2 : digit == 2 ? 5 : 10) {
            if (span_us / (power * digit) < most) {
                return (date_step){UNIT_MICROSECONDS, power * digit, power * digit};
            }
        }
    }
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (span_us / steps[i].span_us < most) {
            return steps[i];
        }
    }
    return steps[sizeof steps / sizeof steps[0] - 1];
}

static void parts(int64_t stamp_us, int *year, unsigned *month, unsigned *day) {
    static const pml_stamp_form form = {0};
    char text[PML_STAMP_TEXT_BYTES];
    (void)pml_stamp_text(stamp_us, &form, text);
    const pml_calendar calendar = pml_stamp_calendar(stamp_us);
    *year = (int)strtol(text, NULL, 10);
    *month = calendar.month;
    *day = calendar.day;
}

/* The first day of a month counted from that of the year 0; false beyond the calendar. */
static bool month_begins(int64_t month, int64_t *stamp_us) {
    char text[48];
    pml_stamp_form form;
    (void)snprintf(text, sizeof text, "%04d-%02d-01", (int)(month / 12), (int)(month % 12) + 1);
    return pml_stamp_parse(text, strlen(text), stamp_us, &form);
}

/* The text of a tick, and what is said below it where it changes. */
static void label(date_step step, int64_t stamp_us, char text[PML_TICK_TEXT_BYTES], char below[PML_TICK_TEXT_BYTES]) {
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const pml_stamp_form form = {.has_time = true,
                                 .has_seconds = step.unit <= UNIT_SECONDS,
                                 .fraction_digits = step.unit != UNIT_MICROSECONDS ? 0
                                                    : step.size >= 1000            ? 3
                                                                                   : 6};
    char stamp[PML_STAMP_TEXT_BYTES];
    int year;
    unsigned month, day;
    parts(stamp_us, &year, &month, &day);
    const char *name = months[(month - 1) % 12];
    below[0] = '\0';
    switch (step.unit) {
    case UNIT_MICROSECONDS:
    case UNIT_SECONDS:
    case UNIT_MINUTES:
        (void)snprintf(text, PML_TICK_TEXT_BYTES, "%.20s",
                       pml_stamp_text(stamp_us, &form, stamp) + strlen("2000-01-01 "));
        (void)snprintf(below, PML_TICK_TEXT_BYTES, "%u %s %d", day, name, year);
        break;
    case UNIT_DAYS:
        (void)snprintf(text, PML_TICK_TEXT_BYTES, "%u %s", day, name);
        (void)snprintf(below, PML_TICK_TEXT_BYTES, "%d", year);
        break;
    case UNIT_MONTHS:
        (void)snprintf(text, PML_TICK_TEXT_BYTES, "%s", name);
        (void)snprintf(below, PML_TICK_TEXT_BYTES, "%d", year);
        break;
    case UNIT_YEARS:
        (void)snprintf(text, PML_TICK_TEXT_BYTES, "%d", year);
        break;
    }
}

/* The i-th multiple of the step, counted from the first that is not before `low_us`; false beyond the calendar. */
static bool place(date_step step, int64_t low_us, int64_t i, int64_t *stamp_us) {
    if (step.unit < UNIT_MONTHS) {
        const int64_t origin = step.unit == UNIT_DAYS && step.size % (7 * DAY_US) == 0 ? A_MONDAY_US : 0;
        int64_t rest = (low_us - origin) % step.size;
        rest = rest > 0 ? rest - step.size : rest;
        *stamp_us = low_us - rest + i * step.size;
        return true;
    }
    int year;
    unsigned month, day;
    int64_t begins = 0;
    parts(low_us, &year, &month, &day);
    const int64_t size = step.unit == UNIT_YEARS ? 12 * step.size : step.size;
    int64_t at = ((int64_t)year * 12 + month - 1) / size * size;
    if (!month_begins(at, &begins) || begins < low_us) {
        at += size;
    }
    return month_begins(at + i * size, stamp_us);
}

void pml_axis_of_dates(int64_t low_us, int64_t high_us, unsigned most_ticks, pml_axis *axis) {
    axis->n_ticks = 0;
    axis->low = (double)low_us;
    axis->high = (double)high_us;
    if (low_us >= high_us) {
        axis->low -= (double)DAY_US;
        axis->high = (double)low_us + (double)DAY_US;
        high_us = low_us;
    }
    const date_step step = choose(high_us - low_us, most_ticks);
    char before[PML_TICK_TEXT_BYTES] = "";
    int64_t stamp_us = 0;
    for (int64_t i = 0; axis->n_ticks < PML_MAX_TICKS && place(step, low_us, i, &stamp_us) && stamp_us <= high_us;
         i++) {
        pml_tick *tick = &axis->ticks[axis->n_ticks++];
        char below[PML_TICK_TEXT_BYTES];
        tick->at = (double)stamp_us;
        label(step, stamp_us, tick->text, below);
        (void)snprintf(tick->below, sizeof tick->below, "%s", strcmp(below, before) != 0 ? below : "");
        memcpy(before, below, sizeof before);
    }
}
