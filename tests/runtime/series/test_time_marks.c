#include "runtime/series/time_marks.h"

#include <math.h>
#include <string.h>

#include "tests/harness.h"

static pml_error error;

static int64_t stamp(const char *text) {
    int64_t us = 0;
    pml_stamp_form form;
    CU_ASSERT_TRUE_FATAL(pml_stamp_parse(text, strlen(text), &us, &form));
    return us;
}

/* The marks of one date; returns how many. */
static size_t marks_of(const char *scheme, const char *frequency, const char *date, float values[PML_MAX_TIME_MARKS]) {
    pml_time_marks marks;
    const int64_t us = stamp(date);
    PML_ASSERT_OK(pml_time_marks_choose(scheme, frequency, &marks, &error), &error);
    pml_time_marks_fill(&marks, &us, 1, values);
    return marks.count;
}

/* 2016-07-01 was a Friday, the 183rd day of a leap year, in week 26. */
static void every_frequency_has_its_marks(void) {
    const double second = 45.0 / 59 - 0.5, minute = 30.0 / 59 - 0.5, hour = 13.0 / 23 - 0.5, weekday = 4.0 / 6 - 0.5,
                 day = 0.0 / 30 - 0.5, year_day = 182.0 / 365 - 0.5, week = 25.0 / 52 - 0.5, month = 6.0 / 11 - 0.5;
    const struct {
        const char *frequency;
        size_t count;
        double values[PML_MAX_TIME_MARKS];
    } cases[] = {{"s", 6, {second, minute, hour, weekday, day, year_day}},
                 {"t", 5, {minute, hour, weekday, day, year_day}},
                 {"h", 4, {hour, weekday, day, year_day}},
                 {"d", 3, {weekday, day, year_day}},
                 {"b", 3, {weekday, day, year_day}},
                 {"w", 2, {day, week}},
                 {"m", 1, {month}},
                 {"q", 1, {month}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float values[PML_MAX_TIME_MARKS];
        CU_ASSERT_EQUAL_FATAL(marks_of("timeF", cases[i].frequency, "2016-07-01 13:30:45", values), cases[i].count);
        for (size_t k = 0; k < cases[i].count; k++) {
            CU_ASSERT_EQUAL(values[k], (float)cases[i].values[k]);
        }
    }
}

static void integers_are_what_tables_are_indexed_by(void) {
    static const char *const schemes[] = {"fixed", "learned"};
    const float expected[] = {12, 31, 6, 23, 3}; /* a Sunday */
    for (size_t i = 0; i < 2; i++) {
        float values[PML_MAX_TIME_MARKS];
        CU_ASSERT_EQUAL(marks_of(schemes[i], "h", "2017-12-31 23:59:00", values), 4);
        CU_ASSERT_EQUAL(memcmp(values, expected, 4 * sizeof(float)), 0);
        CU_ASSERT_EQUAL(marks_of(schemes[i], "t", "2017-12-31 23:59:00", values), 5);
        CU_ASSERT_EQUAL(memcmp(values, expected, 5 * sizeof(float)), 0);
    }
}

static void weeks_follow_the_standard(void) {
    static const struct {
        const char *date;
        unsigned week, year_day;
    } days[] = {{"2005-01-01", 53, 1},   {"2005-01-02", 53, 2},   {"2007-01-01", 1, 1}, {"2008-12-29", 1, 364},
                {"2009-12-31", 53, 365}, {"2010-01-03", 53, 3},   {"2010-01-04", 1, 4}, {"2016-12-31", 52, 366},
                {"0001-01-01", 1, 1},    {"9999-12-31", 52, 365}, {"1970-01-01", 1, 1}};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        const pml_calendar at = pml_stamp_calendar(stamp(days[i].date));
        CU_ASSERT_EQUAL(at.week, days[i].week);
        CU_ASSERT_EQUAL(at.year_day, days[i].year_day);
    }
}

static void other_schemes_are_errors(void) {
    pml_time_marks marks;
    PML_ASSERT_OK(pml_time_marks_choose("none", "nonsense", &marks, &error), &error);
    CU_ASSERT_EQUAL(marks.count, 0);
    PML_ASSERT_FAILS(pml_time_marks_choose("timeF", "x", &marks, &error), PML_E_CONFIG, &error, "frequency 'x'");
    PML_ASSERT_FAILS(pml_time_marks_choose("other", "h", &marks, &error), PML_E_CONFIG, &error, "scheme");
    PML_ASSERT_FAILS(pml_time_marks_choose("timeF", "a", &marks, &error), PML_E_UNSUPPORTED, &error, "yearly");
}

PML_TESTS("runtime/series/time_marks", PML_TEST(every_frequency_has_its_marks),
          PML_TEST(integers_are_what_tables_are_indexed_by), PML_TEST(weeks_follow_the_standard),
          PML_TEST(other_schemes_are_errors))
