#include "runtime/tune/distribution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"

#define WHOLE_LIMIT 0x1p53
#define STEP_TOLERANCE 1e-8 /* of a step: Optuna's, too */

void pml_choice_deinit(pml_choice *choice) {
    pml_free(choice->text);
    *choice = (pml_choice){0};
}

void pml_distribution_deinit(pml_distribution *d) {
    for (size_t i = 0; i < d->n_choices; i++) {
        pml_choice_deinit(&d->choices[i]);
    }
    pml_free(d->choices);
    *d = (pml_distribution){0};
}

static bool is_whole(double number) {
    return number == floor(number) && fabs(number) <= WHOLE_LIMIT;
}

/* Steps from low that fit below high; nearly whole is whole, as 0.1 is no binary number. */
static double steps_between(const pml_distribution *d) {
    const double steps = (d->high - d->low) / d->step;
    return fabs(steps - rint(steps)) < STEP_TOLERANCE ? rint(steps) : floor(steps);
}

static pml_status check_numbers(pml_distribution *d, pml_error *error) {
    if (!isfinite(d->low) || !isfinite(d->high) || !(d->low <= d->high) || !isfinite(d->high - d->low)) {
        return PML_FAIL(error, PML_E_CONFIG, "a range needs finite numbers, and its low must not be above its high");
    }
    if (d->kind == PML_DISTRIBUTION_INT && (!is_whole(d->low) || !is_whole(d->high) || !is_whole(d->step))) {
        return PML_FAIL(error, PML_E_CONFIG, "low, high and step of an int are whole numbers up to 2^53");
    }
    const double least_step = d->kind == PML_DISTRIBUTION_INT ? 1 : 0;
    if (!(d->step >= least_step) || !isfinite(d->step)) {
        return PML_FAIL(error, PML_E_CONFIG, "a step must be above 0");
    }
    if (d->log && d->step != least_step) {
        return PML_FAIL(error, PML_E_CONFIG, "log goes without a step");
    }
    if (d->log && !(d->low >= least_step && d->low > 0)) {
        return PML_FAIL(error, PML_E_CONFIG, "log needs a low above 0");
    }
    if (d->step > 0) {
        const double steps = steps_between(d);
        if (!(steps < WHOLE_LIMIT)) {
            return PML_FAIL(error, PML_E_CONFIG, "the step is too small for its range");
        }
        const double reached = d->low + steps * d->step;
        if (fabs(reached - d->high) > STEP_TOLERANCE * d->step) {
            d->high = reached;
        }
    }
    return PML_OK;
}

pml_status pml_distribution_check(pml_distribution *d, pml_error *error) {
    if (d->kind != PML_DISTRIBUTION_CATEGORICAL) {
        return check_numbers(d, error);
    }
    if (d->n_choices == 0) {
        return PML_FAIL(error, PML_E_CONFIG, "a categorical parameter needs choices");
    }
    return PML_OK;
}

static bool is_number(const pml_choice *c) {
    return c->kind == PML_CHOICE_BOOL || c->kind == PML_CHOICE_INT || c->kind == PML_CHOICE_FLOAT;
}

static bool choice_equal(const pml_choice *a, const pml_choice *b) {
    if (is_number(a) && is_number(b)) {
        if (a->kind != PML_CHOICE_FLOAT && b->kind != PML_CHOICE_FLOAT) {
            return a->integer == b->integer;
        }
        const double x = a->kind == PML_CHOICE_FLOAT ? a->number : (double)a->integer;
        const double y = b->kind == PML_CHOICE_FLOAT ? b->number : (double)b->integer;
        return x == y || (isnan(x) && isnan(y));
    }
    return a->kind == b->kind && (a->kind == PML_CHOICE_NULL || strcmp(a->text, b->text) == 0);
}

size_t pml_distribution_find(const pml_distribution *d, const pml_choice *choice) {
    size_t i = 0;
    while (i < d->n_choices && !choice_equal(&d->choices[i], choice)) {
        i++;
    }
    return i;
}

static bool choices_equal(const pml_distribution *a, const pml_distribution *b) {
    bool same = a->n_choices == b->n_choices;
    for (size_t i = 0; same && i < a->n_choices; i++) {
        same = choice_equal(&a->choices[i], &b->choices[i]);
    }
    return same;
}

bool pml_distribution_equal(const pml_distribution *a, const pml_distribution *b) {
    if (a->kind != b->kind) {
        return false;
    }
    return a->kind == PML_DISTRIBUTION_CATEGORICAL
               ? choices_equal(a, b)
               : a->low == b->low && a->high == b->high && a->step == b->step && a->log == b->log;
}

bool pml_distribution_compatible(const pml_distribution *a, const pml_distribution *b) {
    return a->kind == b->kind && (a->kind == PML_DISTRIBUTION_CATEGORICAL ? choices_equal(a, b) : a->log == b->log);
}

bool pml_distribution_is_single(const pml_distribution *d) {
    return d->kind == PML_DISTRIBUTION_CATEGORICAL ? d->n_choices == 1 : d->low == d->high;
}

bool pml_distribution_contains(const pml_distribution *d, double value) {
    if (d->kind == PML_DISTRIBUTION_CATEGORICAL) {
        return value >= 0 && value < (double)d->n_choices && value == floor(value);
    }
    if (!(value >= d->low && value <= d->high)) {
        return false;
    }
    const double steps = d->step > 0 ? (value - d->low) / d->step : 0;
    return fabs(steps - rint(steps)) < STEP_TOLERANCE;
}

double pml_distribution_nearest(const pml_distribution *d, double number) {
    if (d->step > 0) {
        number = d->low + rint((number - d->low) / d->step) * d->step;
    }
    return number < d->low ? d->low : number > d->high ? d->high : number;
}

void pml_distribution_bounds(const pml_distribution *d, double *low, double *high) {
    *low = d->low - d->step / 2;
    *high = d->high + d->step / 2;
    if (d->log) {
        *low = log(*low);
        *high = log(*high);
    }
}
