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
    const pml_settings *s = view->settings;
    double most = pml_setting(s, MAX_RESOURCE);
    for (size_t i = 0; pml_setting(s, MAX_RESOURCE) == 0 && i < view->n_all; i++) {
        const pml_trial_report *last =
            view->all[i]->state == PML_TRIAL_COMPLETE ? pml_trial_last_report(view->all[i]) : NULL;
        most = last != NULL ? fmax(most, (double)last->step + 1) : most;
    }
    if (!(most >= pml_setting(s, MIN_RESOURCE))) {
        return 0;
    }
    unsigned n = 1;
    for (double reach = pml_setting(s, MIN_RESOURCE) * pml_setting(s, REDUCTION); reach <= most && n < MOST_BRACKETS;
         reach *= pml_setting(s, REDUCTION)) {
        n++;
    }
    return n;
}

/* How many trials of each round go to a bracket: more where fewer of them are brought to the end. */
static uint64_t share_of(const pml_study_view *view, unsigned n, unsigned bracket) {
    const unsigned s = n - 1 - bracket;
    return (uint64_t)fmin(ceil(n * pow(pml_setting(view->settings, REDUCTION), s) / (s + 1)), 0x1p62 / MOST_BRACKETS);
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
    const pml_settings *s = view->settings;
    if (n_brackets(view) == 0) {
        return (pml_verdict){.prune = false};
    }
    const pml_halving halving = {pml_setting(s, MIN_RESOURCE), pml_setting(s, REDUCTION),
                                 group(view, view->trial->number), pml_setting(s, BOOTSTRAP)};
    return pml_halving_judge(&halving, view);
}

static const pml_plugin_option options[] = {
    {"min_resource", PML_PLUGIN_INTEGER, "1", "[1, 1e9]", "step at which the first rung of the earliest bracket ends"},
    {"max_resource", PML_PLUGIN_INTEGER, "0", "[0, 1e9]",
     "steps of a whole trial; 0: those of the longest completed one"},
    {"reduction_factor", PML_PLUGIN_INTEGER, "3", "[2, 1e6]", "one in so many goes on"},
    {"bootstrap_count", PML_PLUGIN_INTEGER, "0", "[0, 1e6]", "trials that a rung needs before any goes on"},
    {0}};

const pml_pruner pml_pruner_hyperband = {
    .plugin = {.name = "hyperband", .help = "successive halvings of several paces side by side", .options = options},
    .judge = judge,
    .group = group};
