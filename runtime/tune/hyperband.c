/* Hyperband (Li et al. 2018) as Optuna's `HyperbandPruner` (v5) has it: several successive halvings side by side, from
 * one that gives up early to one that never does, among which trials are dealt out by a hash of study and number. */
#include <math.h>
#include <stdio.h>

#include "runtime/tune/halving.h"

enum { MIN_RESOURCE, MAX_RESOURCE, REDUCTION, BOOTSTRAP, MOST_BRACKETS = 64 };

/* The CRC-32 of Ethernet and zip, which Optuna deals by. */
static uint32_t crc32_add(uint32_t crc, const char *text) {
    crc = ~crc;
    for (; *text != '\0'; text++) {
        crc ^= (uint8_t)*text;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
        }
    }
    return ~crc;
}

/* 0 while it is not known how long a trial can become. */
static unsigned n_brackets(const pml_study_view *view) {
    const double *s = view->settings;
    double most = s[MAX_RESOURCE];
    for (size_t i = 0; s[MAX_RESOURCE] == 0 && i < view->n_all; i++) {
        const pml_trial_report *last =
            view->all[i]->state == PML_TRIAL_COMPLETE ? pml_trial_last_report(view->all[i]) : NULL;
        most = last != NULL ? fmax(most, (double)last->step + 1) : most;
    }
    if (!(most >= s[MIN_RESOURCE])) {
        return 0;
    }
    unsigned n = 1;
    for (double reach = s[MIN_RESOURCE] * s[REDUCTION]; reach <= most && n < MOST_BRACKETS; reach *= s[REDUCTION]) {
        n++;
    }
    return n;
}

/* How many trials of each round go to a bracket: more where fewer of them are brought to the end. */
static uint64_t share_of(const pml_study_view *view, unsigned n, unsigned bracket) {
    const unsigned s = n - 1 - bracket;
    return (uint64_t)fmin(ceil(n * pow(view->settings[REDUCTION], s) / (s + 1)), 0x1p62 / MOST_BRACKETS);
}

static unsigned group(const pml_study_view *view, uint64_t number) {
    char text[32];
    const unsigned n = n_brackets(view);
    uint64_t total = 0;
    if (n == 0) {
        return 0;
    }
    for (unsigned i = 0; i < n; i++) {
        total += share_of(view, n, i);
    }
    (void)snprintf(text, sizeof text, "_%llu", (unsigned long long)number);
    uint64_t place = crc32_add(crc32_add(0, view->study_name), text) % total;
    unsigned bracket = 0;
    while (place >= share_of(view, n, bracket)) {
        place -= share_of(view, n, bracket);
        bracket++;
    }
    return bracket;
}

static pml_verdict judge(const pml_study_view *view) {
    const double *s = view->settings;
    if (n_brackets(view) == 0) {
        return (pml_verdict){.prune = false};
    }
    const pml_halving halving = {s[MIN_RESOURCE], s[REDUCTION], group(view, view->trial->number), s[BOOTSTRAP]};
    return pml_halving_judge(&halving, view);
}

static const pml_tuner_setting settings[] = {
    {"min_resource", 1, 1, 1e9, true, "step at which the first rung of the earliest bracket ends"},
    {"max_resource", 0, 0, 1e9, true, "steps of a whole trial; 0: those of the longest completed one"},
    {"reduction_factor", 3, 2, 1e6, true, "one in so many goes on"},
    {"bootstrap_count", 0, 0, 1e6, true, "trials that a rung needs before any goes on"},
    {NULL, 0, 0, 0, false, NULL}};

const pml_pruner pml_pruner_hyperband = {.name = "hyperband",
                                         .summary = "successive halvings of several paces side by side",
                                         .settings = settings,
                                         .judge = judge,
                                         .group = group};
