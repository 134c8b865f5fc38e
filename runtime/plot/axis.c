#include "runtime/plot/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The smallest of 1, 2, 5 times a power of ten that is at least `least`; *exponent is that of its first digit. */
static double round_step(double least, int *exponent) {
    static const double digits[] = {1, 2, 5, 10};
    *exponent = (int)floor(log10(least));
    const double power = pow(10, *exponent);
    for (size_t i = 0; i < 4; i++) {
        if (digits[i] * power >= least * (1 - 1e-9)) {
            *exponent += digits[i] == 10;
            return digits[i] * power;
        }
    }
    *exponent += 1;
    return 10 * power;
}

/* "1.5e+06" as "1.5e6". */
static void shorten_exponent(char *text) {
    char *from = strchr(text, 'e');
    if (from == NULL) {
        return;
    }
    char *to = ++from;
    if (*from == '-') {
        to++;
    }
    from++;
    from += strspn(from, "0");
    memmove(to, from, strlen(from) + 1);
}

/* With the digits that tell neighbours apart. */
static void write_number(double value, double greatest, int exponent, char text[PML_TICK_TEXT_BYTES]) {
    if (value == 0) {
        (void)snprintf(text, PML_TICK_TEXT_BYTES, "0");
    } else if (greatest >= 1e6 || exponent < -5) {
        const int digits = (int)floor(log10(fabs(value)) + 1e-9) - exponent;
        (void)snprintf(text, PML_TICK_TEXT_BYTES, "%.*e", digits < 0 ? 0 : digits > 15 ? 15 : digits, value);
        shorten_exponent(text);
    } else {
        (void)snprintf(text, PML_TICK_TEXT_BYTES, "%.*f", exponent < 0 ? -exponent : 0, value);
    }
}

static void put_ticks(double step, int exponent, pml_axis *axis) {
    const double first = ceil(axis->low / step - 1e-9);
    const double greatest = fmax(fabs(axis->low), fabs(axis->high));
    axis->n_ticks = 0;
    for (double i = 0; axis->n_ticks < PML_MAX_TICKS && (first + i) * step <= axis->high + step * 1e-9; i++) {
        pml_tick *tick = &axis->ticks[axis->n_ticks++];
        tick->at = fmin(fmax((first + i) * step, axis->low), axis->high);
        tick->below[0] = '\0';
        write_number((first + i) * step, greatest, exponent, tick->text);
    }
}

static double least_step(double low, double high, unsigned most_ticks) {
    const unsigned most = most_ticks < 2 ? 2 : most_ticks > PML_MAX_TICKS ? PML_MAX_TICKS : most_ticks;
    return (high - low) / (most - 1);
}

void pml_axis_of_values(double low, double high, unsigned most_ticks, pml_axis *axis) {
    if (!isfinite(low) || !isfinite(high) || low > high) {
        low = 0;
        high = 1;
    }
    low = fmin(fmax(low, -PML_AXIS_GREATEST), PML_AXIS_GREATEST);
    high = fmin(fmax(high, -PML_AXIS_GREATEST), PML_AXIS_GREATEST);
    const double greatest = fmax(fabs(low), fabs(high));
    double margin = 0.06 * (high - low);
    if (high - low <= greatest * 1e-9) {
        margin = greatest * 0.1;
    }
    if (high - low + margin < 1e-280) {
        margin = 1;
    }
    axis->low = low - margin;
    axis->high = high + margin;
    int exponent;
    const double step = round_step(least_step(axis->low, axis->high, most_ticks), &exponent);
    put_ticks(step, exponent, axis);
}

void pml_axis_of_counts(double low, double high, unsigned most_ticks, pml_axis *axis) {
    axis->low = low;
    axis->high = high;
    if (low >= high) {
        axis->low = low - 1;
        axis->high = low + 1;
    }
    int exponent;
    const double step = round_step(fmax(least_step(axis->low, axis->high, most_ticks), 1), &exponent);
    put_ticks(step, exponent, axis);
}
