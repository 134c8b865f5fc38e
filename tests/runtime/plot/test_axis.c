/* Ticks of numbers and of dates. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "runtime/plot/axis.h"
#include "runtime/series/timestamps.h"
#include "tests/harness.h"

static void check_labels(const pml_axis *axis, const char *expected) {
    char labels[1024] = "";
    for (size_t i = 0; i < axis->n_ticks; i++) {
        (void)snprintf(labels + strlen(labels), sizeof labels - strlen(labels), "%s%s", i > 0 ? " " : "",
                       axis->ticks[i].text);
        if (axis->ticks[i].below[0] != '\0') {
            (void)snprintf(labels + strlen(labels), sizeof labels - strlen(labels), "/%s", axis->ticks[i].below);
        }
    }
    if (strcmp(labels, expected) != 0) {
        (void)printf("\n    got      %s\n    expected %s\n", labels, expected);
        CU_FAIL("other labels than expected");
    }
}

static void round_numbers(void) {
    static const struct {
        double low, high;
        const char *labels;
    } cases[] = {{0, 10, "0 2 4 6 8 10"},
                 {-3.2, 4.1, "-2 0 2 4"},
                 {0.011, 0.049, "0.01 0.02 0.03 0.04 0.05"},
                 {1e6, 5e6, "1e6 2e6 3e6 4e6 5e6"},
                 {2e-9, 8e-9, "2e-9 4e-9 6e-9 8e-9"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_axis axis;
        pml_axis_of_values(cases[i].low, cases[i].high, 7, &axis);
        check_labels(&axis, cases[i].labels);
    }
}

/* Whatever the range, an axis has a width and ascending ticks within it. */
static void hostile_ranges(void) {
    static const double values[] = {0,         -0.0,    1,          -1,    1e-320,    -1e-320,
                                    DBL_MIN,   DBL_MAX, -DBL_MAX,   1e17,  1e17 + 64, INFINITY,
                                    -INFINITY, NAN,     123456.789, 1e-12, 1e300};
    const size_t n = sizeof values / sizeof values[0];
    for (size_t i = 0; i < n * n; i++) {
        for (unsigned most = 0; most < 12; most += 3) {
            pml_axis axis;
            pml_axis_of_values(values[i / n], values[i % n], most, &axis);
            CU_ASSERT_TRUE(isfinite(axis.low) && isfinite(axis.high) && axis.low < axis.high);
            CU_ASSERT_TRUE(axis.n_ticks <= PML_MAX_TICKS);
            for (size_t k = 0; k < axis.n_ticks; k++) {
                CU_ASSERT_TRUE(axis.ticks[k].at >= axis.low && axis.ticks[k].at <= axis.high);
                CU_ASSERT_TRUE(k == 0 || axis.ticks[k].at > axis.ticks[k - 1].at);
            }
        }
    }
}

static int64_t stamp(const char *text) {
    pml_stamp_form form;
    int64_t stamp_us = 0;
    CU_ASSERT_TRUE_FATAL(pml_stamp_parse(text, strlen(text), &stamp_us, &form));
    return stamp_us;
}

static void round_dates(void) {
    static const struct {
        const char *low, *high, *labels;
    } cases[] = {
        {"2016-07-01 22:10", "2016-07-02 03:00", "23:00/1 Jul 2016 00:00/2 Jul 2016 01:00 02:00 03:00"},
        {"2016-12-29", "2017-01-02", "29 Dec/2016 30 Dec 31 Dec 1 Jan/2017 2 Jan"},
        {"2016-07-01", "2016-08-02", "4 Jul/2016 11 Jul 18 Jul 25 Jul 1 Aug"},
        {"2016-11-15", "2017-03-15", "Dec/2016 Jan/2017 Feb Mar"},
        {"2001-02-03", "2021-02-03", "2005 2010 2015 2020"},
        {"2020-02-29 12:00:00.2", "2020-02-29 12:00:00.9",
         "12:00:00.200/29 Feb 2020 12:00:00.400 12:00:00.600 12:00:00.800"},
        {"0001-01-01", "9999-12-31", "5000"},
        {"1969-12-30 12:00", "1970-01-01 12:00", "12:00/30 Dec 1969 00:00/31 Dec 1969 12:00 00:00/1 Jan 1970 12:00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_axis axis;
        pml_axis_of_dates(stamp(cases[i].low), stamp(cases[i].high), 6, &axis);
        check_labels(&axis, cases[i].labels);
    }
}

static void one_date(void) {
    pml_axis axis;
    pml_axis_of_dates(stamp("2016-07-01"), stamp("2016-07-01"), 6, &axis);
    CU_ASSERT_TRUE(axis.low < axis.high);
    CU_ASSERT_EQUAL(axis.n_ticks, 1);
}

static void counts(void) {
    pml_axis axis;
    pml_axis_of_counts(3, 5, 10, &axis);
    check_labels(&axis, "3 4 5");
    pml_axis_of_counts(7, 7, 10, &axis);
    check_labels(&axis, "6 7 8");
}

PML_TESTS("runtime/plot/axis", PML_TEST(round_numbers), PML_TEST(hostile_ranges), PML_TEST(round_dates),
          PML_TEST(one_date), PML_TEST(counts))
