/* The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio, Kegl 2011): of candidates drawn from the density of
 * the best trials' parameters, the one whose ratio to the density of all others is greatest. Defaults, splitting and
 * what belongs together are Optuna 5's (`TPESampler`); specs/tuning.md has the formulas. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/tune/parzen.h"
#include "runtime/tune/tuner.h"

enum { N_STARTUP, N_CANDIDATES, MULTIVARIATE, GROUP, CONSTANT_LIAR, PRIOR_WEIGHT, ENDPOINTS, WIDTH };
enum { MOST_GOOD = 25 };

/* ---- which trials are good ---- */
typedef struct ranked {
    const pml_trial *trial;
    int class; /* complete trials come before pruned ones, those before running ones */
    int64_t step;
    double value; /* the less, the better */
} ranked;

static int compare_ranked(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->class != y->class) {
        return x->class < y->class ? -1 : 1;
    }
    if (x->step != y->step) {
        return x->step > y->step ? -1 : 1;
    }
    if (x->value != y->value) {
        return x->value < y->value ? -1 : 1;
    }
    return (x->trial->number > y->trial->number) - (x->trial->number < y->trial->number);
}

static bool has_ended_well(const pml_trial *t) {
    return (t->state == PML_TRIAL_COMPLETE && t->has_value && !isnan(t->value)) || t->state == PML_TRIAL_PRUNED;
}

static ranked rank(const pml_study_view *view, const pml_trial *t) {
    const double sign = view->direction == PML_STUDY_MAXIMIZE ? -1 : 1;
    if (t->state == PML_TRIAL_COMPLETE) {
        return (ranked){t, 0, 0, sign * t->value};
    }
    const pml_trial_report *last = pml_trial_last_report(t);
    if (t->state == PML_TRIAL_RUNNING) {
        return (ranked){t, 2, 0, 0};
    }
    return last == NULL ? (ranked){t, 1, INT64_MIN, 0}
                        : (ranked){t, 1, last->step, isnan(last->value) ? INFINITY : sign * last->value};
}

/* Trials that count, the first *n_good of them good; both parts in order of numbers. */
typedef struct split {
    ranked *trials;
    size_t n, n_good;
} split;

static int compare_numbers(const void *a, const void *b) {
    const uint64_t x = ((const ranked *)a)->trial->number, y = ((const ranked *)b)->trial->number;
    return (x > y) - (x < y);
}

static pml_status make_split(const pml_study_view *view, split *s, pml_error *error) {
    size_t n_ended = 0;
    const pml_status status = pml_alloc(view->n_trials, sizeof *s->trials, &s->trials, error);
    for (size_t i = 0; status == PML_OK && i < view->n_trials; i++) {
        const pml_trial *t = view->trials[i];
        const bool lies =
            t->state == PML_TRIAL_RUNNING && t != view->trial && pml_setting(view->settings, CONSTANT_LIAR) != 0;
        if (has_ended_well(t) || lies) {
            s->trials[s->n++] = rank(view, t);
            n_ended += !lies;
        }
    }
    if (status == PML_OK) {
        s->n_good = (n_ended + 9) / 10;
        s->n_good = s->n_good < MOST_GOOD ? s->n_good : MOST_GOOD;
        qsort(s->trials, s->n, sizeof *s->trials, compare_ranked);
        qsort(s->trials, s->n_good, sizeof *s->trials, compare_numbers);
        qsort(s->trials + s->n_good, s->n - s->n_good, sizeof *s->trials, compare_numbers);
    }
    return status;
}

static size_t n_ended(const pml_study_view *view) {
    size_t n = 0;
    for (size_t i = 0; i < view->n_trials; i++) {
        n += has_ended_well(view->trials[i]);
    }
    return n;
}

/* ---- one product of parameters ---- */
/* The density over the parameters of those among the trials that have them all. */
static pml_status make_density(const pml_study_view *view, const ranked *trials, size_t n,
                               const pml_trial_parameter *parameters, size_t n_parameters, pml_parzen **parzen,
                               pml_error *error) {
    pml_status status = PML_OK;
    const pml_parzen_rule rule = {pml_setting(view->settings, PRIOR_WEIGHT),
                                  (pml_parzen_width)pml_setting(view->settings, WIDTH),
                                  pml_setting(view->settings, ENDPOINTS) != 0};
    const pml_distribution **distributions = NULL;
    double *observations = NULL;
    size_t n_rows = 0;
    PML_TRY(pml_alloc(n_parameters, sizeof *distributions, &distributions, error));
    PML_TRY(pml_alloc(n * n_parameters, sizeof *observations, &observations, error));
    for (size_t j = 0; j < n_parameters; j++) {
        distributions[j] = parameters[j].distribution;
    }
    for (size_t i = 0; i < n; i++) {
        size_t j = 0;
        for (; j < n_parameters; j++) {
            const pml_trial_parameter *p = pml_trial_find(trials[i].trial, parameters[j].name);
            if (p == NULL || !pml_distribution_compatible(p->distribution, distributions[j])) {
                break;
            }
            observations[n_rows * n_parameters + j] = p->value;
        }
        n_rows += j == n_parameters;
    }
    PML_TRY(pml_parzen_create(distributions, n_parameters, observations, n_rows, &rule, parzen, error));
done:
    pml_free(distributions);
    pml_free(observations);
    return status;
}

/* Fills in the parameters' values. */
static pml_status draw_product(const pml_study_view *view, pml_trial_parameter *parameters, size_t n_parameters,
                               pml_error *error) {
    pml_status status = PML_OK;
    split s = {0};
    pml_parzen *good = NULL, *rest = NULL;
    double *candidate = NULL, best = -INFINITY;
    const size_t n_candidates = (size_t)pml_setting(view->settings, N_CANDIDATES);
    PML_TRY(make_split(view, &s, error));
    PML_TRY(make_density(view, s.trials, s.n_good, parameters, n_parameters, &good, error));
    PML_TRY(make_density(view, s.trials + s.n_good, s.n - s.n_good, parameters, n_parameters, &rest, error));
    PML_TRY(pml_alloc(n_parameters, sizeof *candidate, &candidate, error));
    for (size_t i = 0; i < n_candidates; i++) {
        pml_parzen_draw(good, view->random, candidate);
        const double gain = pml_parzen_log_density(good, candidate) - pml_parzen_log_density(rest, candidate);
        if (i == 0 || gain > best) {
            best = gain;
            for (size_t j = 0; j < n_parameters; j++) {
                parameters[j].value = candidate[j];
            }
        }
    }
done:
    pml_free(candidate);
    pml_free(s.trials);
    pml_parzen_destroy(good);
    pml_parzen_destroy(rest);
    return status;
}

static pml_status draw(const pml_study_view *view, const char *name, const pml_distribution *distribution,
                       double *value, pml_error *error) {
    if ((double)n_ended(view) < pml_setting(view->settings, N_STARTUP)) {
        return pml_trial_sampler_get("random")->draw(view, name, distribution, value, error);
    }
    pml_trial_parameter parameter = {name, distribution, 0};
    const pml_status status = draw_product(view, &parameter, 1, error);
    *value = parameter.value;
    return status;
}

/* ---- what is drawn together ---- */
/* Every parameter that a trial that ended has, as it was there first. */
static pml_status collect(const pml_study_view *view, pml_joint *joint, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < view->n_trials; i++) {
        const pml_trial *t = view->trials[i];
        for (size_t j = 0; has_ended_well(t) && j < t->n_parameters; j++) {
            size_t k = 0;
            while (k < joint->count && joint->items[k].name != t->parameters[j].name) {
                k++;
            }
            if (k == joint->count) {
                PML_TRY(pml_grow(&joint->items, &joint->capacity, k + 1, sizeof *joint->items, SIZE_MAX / 2,
                                 "parameters", error));
                joint->items[joint->count++] = t->parameters[j];
            }
        }
    }
done:
    return status;
}

/* Keeps those that every trial that ended has, and as the same distribution. */
static void keep_common(const pml_study_view *view, pml_joint *joint) {
    size_t kept = 0;
    for (size_t k = 0; k < joint->count; k++) {
        bool is_common = true;
        for (size_t i = 0; is_common && i < view->n_trials; i++) {
            const pml_trial_parameter *p = has_ended_well(view->trials[i])
                                               ? pml_trial_find(view->trials[i], joint->items[k].name)
                                               : &joint->items[k];
            is_common = p != NULL && (p->distribution == joint->items[k].distribution ||
                                      pml_distribution_equal(p->distribution, joint->items[k].distribution));
        }
        if (is_common) {
            joint->items[kept++] = joint->items[k];
        }
    }
    joint->count = kept;
}

static void drop_single(pml_joint *joint) {
    size_t kept = 0;
    for (size_t k = 0; k < joint->count; k++) {
        if (!pml_distribution_is_single(joint->items[k].distribution)) {
            joint->items[kept++] = joint->items[k];
        }
    }
    joint->count = kept;
}

/* Whether the same trials have both. */
static bool come_together(const pml_study_view *view, const pml_trial_parameter *a, const pml_trial_parameter *b) {
    for (size_t i = 0; i < view->n_trials; i++) {
        const pml_trial *t = view->trials[i];
        if (has_ended_well(t) && (pml_trial_find(t, a->name) == NULL) != (pml_trial_find(t, b->name) == NULL)) {
            return false;
        }
    }
    return true;
}

/* Brings those that come together next to each other and draws each such group as one. */
static pml_status draw_groups(const pml_study_view *view, pml_joint *joint, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t start = 0, end; start < joint->count; start = end) {
        end = start + 1;
        for (size_t k = end; k < joint->count; k++) {
            if (come_together(view, &joint->items[start], &joint->items[k])) {
                const pml_trial_parameter moved = joint->items[k];
                joint->items[k] = joint->items[end];
                joint->items[end++] = moved;
            }
        }
        PML_TRY(draw_product(view, joint->items + start, end - start, error));
    }
done:
    return status;
}

static pml_status draw_joint(const pml_study_view *view, pml_joint *joint, pml_error *error) {
    pml_status status = PML_OK;
    if (pml_setting(view->settings, MULTIVARIATE) == 0 ||
        (double)n_ended(view) < pml_setting(view->settings, N_STARTUP)) {
        goto done;
    }
    PML_TRY(collect(view, joint, error));
    if (pml_setting(view->settings, GROUP) == 0) {
        keep_common(view, joint);
    }
    drop_single(joint);
    if (pml_setting(view->settings, GROUP) != 0) {
        PML_TRY(draw_groups(view, joint, error));
    } else if (joint->count > 0) {
        PML_TRY(draw_product(view, joint->items, joint->count, error));
    }
done:
    return status;
}

static const pml_plugin_option options[] = {
    {"n_startup_trials", PML_PLUGIN_INTEGER, "10", "[0, 1e6]", "trials by chance before it begins"},
    {"n_ei_candidates", PML_PLUGIN_INTEGER, "24", "[1, 1e6]", "candidates of which the best is taken"},
    {"multivariate", PML_PLUGIN_SWITCH, "true", NULL, "parameters that every trial has are drawn together"},
    {"group", PML_PLUGIN_SWITCH, "false", NULL, "so are those that always come together (conditional ones)"},
    {"constant_liar", PML_PLUGIN_SWITCH, "true", NULL, "running trials count as bad ones, so that workers keep apart"},
    {"prior_weight", PML_PLUGIN_NUMBER, "1", "[0, 1e6]", "of the whole range beside observations of 1"},
    {"consider_endpoints", PML_PLUGIN_SWITCH, "false", NULL,
     "the outermost observations reach to the ends of the range"},
    {"width", PML_PLUGIN_CHOICE, "fine", "fine|optuna|any", "how narrow the density around an observation may be"},
    {0}};

const pml_trial_sampler pml_trial_sampler_tpe = {
    .plugin = {.name = "tpe",
               .help = "tree-structured Parzen estimator: near the best trials, away from the others",
               .options = options},
    .draw_joint = draw_joint,
    .draw = draw,
};
