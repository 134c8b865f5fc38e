#include "runtime/series/timestamps.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/harness.h"

#define HOUR_US INT64_C(3600000000)
#define DAY_US (24 * HOUR_US)

static int64_t stamp(const char *text) {
    int64_t stamp_us = INT64_MIN;
    pml_stamp_form form;
    CU_ASSERT_TRUE(pml_stamp_parse(text, strlen(text), &stamp_us, &form));
    return stamp_us;
}

static void agrees_with_the_c_library(void) {
    /* Every day from 0001-03-01 to 9999-12-31 in steps of 97 days, against timegm. */
    for (int64_t day = -719103; day < 2932890; day += 97) {
        time_t seconds = (time_t)(day * 86400 + 12345);
        struct tm parts;
        char expected[40], text[PML_STAMP_TEXT_BYTES];
        CU_ASSERT_PTR_NOT_NULL_FATAL(gmtime_r(&seconds, &parts));
        (void)snprintf(expected, sizeof expected, "%04d-%02d-%02d %02d:%02d:%02d", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
        pml_stamp_form form = {.has_time = true, .has_seconds = true};
        CU_ASSERT_STRING_EQUAL_FATAL(pml_stamp_text((int64_t)seconds * 1000000, &form, text), expected);
        CU_ASSERT_EQUAL_FATAL(stamp(expected), (int64_t)seconds * 1000000);
    }
}

static void keeps_the_form_of_the_text(void) {
    static const char *const texts[] = {"2016-07-01",
                                        "2016-07-01 00:00",
                                        "2016-07-01T23:59",
                                        "2016-07-01 00:00:00",
                                        "2016-07-01T00:00:00Z",
                                        "2016-07-01 12:30:15.5",
                                        "2016-07-01T12:30:15.250",
                                        "2016-07-01 12:30:15.000001",
                                        "0001-01-01",
                                        "9999-12-31 23:59:59.999999",
                                        "2000-02-29",
                                        "1969-12-31T23:59:59.5Z",
                                        "2016-07-01 05:00Z"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t stamp_us;
        pml_stamp_form form;
        char text[PML_STAMP_TEXT_BYTES];
        CU_ASSERT_TRUE_FATAL(pml_stamp_parse(texts[i], strlen(texts[i]), &stamp_us, &form));
        CU_ASSERT_STRING_EQUAL(pml_stamp_text(stamp_us, &form, text), texts[i]);
    }
}

static void rejects_what_is_no_date(void) {
    static const char *const texts[] = {"",
                                        "2016",
                                        "2016-7-1",
                                        "2016-07-32",
                                        "2016-13-01",
                                        "2016-00-01",
                                        "2016-02-30",
                                        "2100-02-29",
                                        "0000-01-01",
                                        "2016/07/01",
                                        "2016-07-01x",
                                        "2016-07-01 ",
                                        "2016-07-01T",
                                        "2016-07-01 24:00",
                                        "2016-07-01 23:60",
                                        "2016-07-01 23:59:60",
                                        "2016-07-01 1:00",
                                        "2016-07-01 01:00:00.",
                                        "2016-07-01 01:00:00.1234567",
                                        "2016-07-01 01:00:00+02:00",
                                        "2016-07-01Z",
                                        "12016-07-01",
                                        "-016-07-01",
                                        "2016-07-01 01:00 Z",
                                        "20160701",
                                        "1e9",
                                        "2016-07-0\xC2"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t stamp_us;
        pml_stamp_form form;
        if (pml_stamp_parse(texts[i], strlen(texts[i]), &stamp_us, &form)) {
            (void)printf("\n    accepted '%s'\n", texts[i]);
            CU_FAIL("accepted");
        }
    }
}

/* Dates, the step they have, and the dates that follow. */
static const struct {
    const char *dates, *step, *next;
} continued[] = {
    {"2016-07-01 00:00,2016-07-01 01:00,2016-07-01 02:00", "h", "2016-07-01 03:00,2016-07-01 04:00"},
    {"2016-02-28 23:45,2016-02-29 00:00", "15t", "2016-02-29 00:15,2016-02-29 00:30"},
    {"2016-02-27,2016-02-28", "d", "2016-02-29,2016-03-01"},
    {"2015-02-27,2015-02-28", "d", "2015-03-01,2015-03-02"},
    {"2020-01-01,2020-01-08", "w", "2020-01-15,2020-01-22"},
    {"2020-01-31,2020-02-29,2020-03-31", "m", "2020-04-30,2020-05-31,2020-06-30"},
    {"2019-01-31,2019-02-28", "m", "2019-03-31,2019-04-30"},
    {"2020-01-01,2020-02-01,2020-03-01", "m", "2020-04-01,2020-05-01"},
    {"2020-11-15 06:00,2020-12-15 06:00", "m", "2021-01-15 06:00,2021-02-15 06:00"},
    {"2019-12-30,2020-01-30,2020-02-29,2020-03-30", "m", "2020-04-30,2020-05-30"},
    {"2020-01-01,2020-04-01,2020-07-01", "q", "2020-10-01,2021-01-01"},
    {"2019-09-30,2019-12-31", "q", "2020-03-31,2020-06-30"},
    {"2016-02-29,2017-02-28,2018-02-28", "y", "2019-02-28,2020-02-29"},
    {"2001-01-01,2002-01-01,2003-01-01", "y", "2004-01-01,2005-01-01"},
    {"2020-06-18,2020-06-19,2020-06-22", "b", "2020-06-23,2020-06-24,2020-06-25,2020-06-26,2020-06-29"},
    {"2020-01-01,2020-01-03", "2d", "2020-01-05"},
    {"2020-01-01 00:00:00.000,2020-01-01 00:00:00.250", "250ms", "2020-01-01 00:00:00.500"},
};

static void finds_and_continues_the_step(void) {
    for (size_t i = 0; i < sizeof continued / sizeof continued[0]; i++) {
        int64_t stamps_us[16], last = 0;
        size_t count = 0;
        pml_stamp_form form = {0};
        char text[512], name[32], written[PML_STAMP_TEXT_BYTES];
        (void)snprintf(text, sizeof text, "%s", continued[i].dates);
        for (char *date = strtok(text, ","); date != NULL; date = strtok(NULL, ",")) {
            CU_ASSERT_TRUE_FATAL(pml_stamp_parse(date, strlen(date), &stamps_us[count], &form));
            last = stamps_us[count++];
        }
        pml_step step;
        pml_error error = {0};
        PML_ASSERT_OK(pml_step_find(stamps_us, count, 0, &step, &error), &error);
        CU_ASSERT_STRING_EQUAL(pml_step_name(&step, name), continued[i].step);
        (void)snprintf(text, sizeof text, "%s", continued[i].next);
        for (char *date = strtok(text, ","); date != NULL; date = strtok(NULL, ",")) {
            PML_ASSERT_OK(pml_step_next(&step, last, &last, &error), &error);
            CU_ASSERT_STRING_EQUAL(pml_stamp_text(last, &form, written), date);
        }
    }
}

static void names_the_row_that_breaks_the_step(void) {
    pml_step step;
    pml_error error = {0};
    int64_t stamps_us[12];
    for (size_t i = 0; i < 12; i++) {
        stamps_us[i] = (int64_t)i * HOUR_US;
    }
    PML_ASSERT_FAILS(pml_step_find(stamps_us, 1, 0, &step, &error), PML_E_FORMAT, &error, "one date alone");
    stamps_us[7] += 1;
    PML_ASSERT_FAILS(pml_step_find(stamps_us, 12, 100, &step, &error), PML_E_FORMAT, &error, "row 107: date");
    stamps_us[7] = stamps_us[6];
    PML_ASSERT_FAILS(pml_step_find(stamps_us, 12, 0, &step, &error), PML_E_FORMAT, &error,
                     "row 7: date 1970-01-01 06:00:00 does not come after 1970-01-01 06:00:00");
    for (size_t i = 0; i < 12; i++) {
        stamps_us[i] = -(int64_t)i * HOUR_US;
    }
    PML_ASSERT_FAILS(pml_step_find(stamps_us, 12, 0, &step, &error), PML_E_FORMAT, &error, "does not come after");
    /* A gap right at the start: the step is that of the many, and the gap is what is named. */
    for (size_t i = 0; i < 12; i++) {
        stamps_us[i] = ((int64_t)i + (i > 0 ? 5 : 0)) * HOUR_US;
    }
    PML_ASSERT_FAILS(pml_step_find(stamps_us, 12, 0, &step, &error), PML_E_FORMAT, &error, "row 1: date");
}

static void stops_at_the_year_9999(void) {
    pml_error error = {0};
    int64_t next = 7;
    pml_step daily = {PML_STEP_CONSTANT, DAY_US, 0}, monthly = {PML_STEP_MONTHS, 1, 31},
             huge = {PML_STEP_CONSTANT, INT64_MAX / 2, 0};
    PML_ASSERT_FAILS(pml_step_next(&daily, stamp("9999-12-31"), &next, &error), PML_E_FORMAT, &error, "9999");
    PML_ASSERT_FAILS(pml_step_next(&monthly, stamp("9999-12-31"), &next, &error), PML_E_FORMAT, &error, "9999");
    PML_ASSERT_FAILS(pml_step_next(&huge, stamp("9999-01-01"), &next, &error), PML_E_FORMAT, &error, "9999");
    CU_ASSERT_EQUAL(next, 7);
    PML_ASSERT_OK(pml_step_next(&daily, stamp("9999-12-30"), &next, &error), &error);
}

static void frequency_names(void) {
    static const char *const same[][2] = {{"h", "H"},  {"h", "hourly"},  {"15t", "15min"}, {"d", "D"},
                                          {"m", "MS"}, {"60t", "h"},     {"24h", "d"},     {"q", "3M"},
                                          {"y", "A"},  {"h", "unknown"}, {"w", "7d"},      {"b", "B"}};
    static const char *const different[][2] = {{"h", "d"}, {"15t", "h"}, {"m", "d"}, {"m", "t"},
                                               {"y", "q"}, {"b", "d"},   {"h", "b"}};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        CU_ASSERT_TRUE(pml_frequency_agrees(same[i][0], same[i][1]));
    }
    for (size_t i = 0; i < sizeof different / sizeof different[0]; i++) {
        CU_ASSERT_FALSE(pml_frequency_agrees(different[i][0], different[i][1]));
    }
}

PML_TESTS("runtime/series/timestamps", PML_TEST(agrees_with_the_c_library), PML_TEST(keeps_the_form_of_the_text),
          PML_TEST(rejects_what_is_no_date), PML_TEST(finds_and_continues_the_step),
          PML_TEST(names_the_row_that_breaks_the_step), PML_TEST(stops_at_the_year_9999), PML_TEST(frequency_names))
