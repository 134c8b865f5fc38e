#include "runtime/train/parameter_set.h"

#include <fnmatch.h>
#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/plugin.h"
#include "runtime/base/quote.h"
#include "runtime/ops/parallel.h"

static const pml_parameter_group rest = {.pattern = "*", .lr_scale = 1, .weight_decay = NAN};

pml_status pml_parameter_set_init(pml_parameter_set *set, pml_parameter_view *views, size_t n_views, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t n_elements = 0;
    memset(set, 0, sizeof *set);
    set->views = views;
    set->n_views = n_views;
    set->groups[0] = rest;
    set->n_groups = 1;
    for (size_t i = 0; i < n_views; i++) {
        views[i].i_group = 0;
        if (!pml_ck_add(n_elements, views[i].count, &n_elements) || n_elements > SIZE_MAX / sizeof(double)) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "parameters of more elements than memory has"));
        }
    }
    set->n_elements = (size_t)n_elements;
    set->n_parts = set->n_elements / PML_PARAMETER_PART + (set->n_elements % PML_PARAMETER_PART != 0);
    PML_TRY(pml_alloc(set->n_parts, sizeof *set->first_views, &set->first_views, error));
    PML_TRY(pml_alloc(set->n_parts, sizeof *set->skipped, &set->skipped, error));
    PML_TRY(pml_alloc(set->n_parts, sizeof *set->sums, &set->sums, error));
    size_t i_view = 0, begin = 0; /* of the view, among all elements */
    for (size_t i = 0; i < set->n_parts; i++) {
        const size_t at = i * PML_PARAMETER_PART;
        while (at - begin >= views[i_view].count) {
            begin += views[i_view++].count;
        }
        set->first_views[i] = i_view;
        set->skipped[i] = at - begin;
    }
done:
    if (status != PML_OK) {
        pml_parameter_set_deinit(set);
    }
    return status;
}

void pml_parameter_set_deinit(pml_parameter_set *set) {
    pml_free(set->first_views);
    pml_free(set->skipped);
    pml_free(set->sums);
    memset(set, 0, sizeof *set);
}

/* ---- groups ---- */
enum { LR_SCALE, WEIGHT_DECAY };
static const pml_plugin_option group_options[] = {
    {"lr_scale", PML_PLUGIN_NUMBER, "1", "[0, inf)", "of the learning rate"},
    {"weight_decay", PML_PLUGIN_NUMBER, "", "[0, inf)", "instead of the optimizer's"},
    {0}};

static pml_status read_group(const char *spec, pml_parameter_group *group, pml_error *error) {
    const char *options = strchr(spec, ':');
    pml_settings settings;
    pml_quoted quoted;
    if (options == NULL || options == spec || options[1] == '\0') {
        return PML_FAIL(error, PML_E_ARGUMENT, "a group is PATTERN:key=value, not %s", pml_quote(&quoted, spec));
    }
    const pml_plugin plugin = {"of parameters", NULL, group_options, false};
    const pml_status status = pml_plugin_configure("group", &plugin, options + 1, &settings, error);
    if (status != PML_OK) {
        return status;
    }
    *group = (pml_parameter_group){
        .pattern = spec,
        .lr_scale = pml_setting(&settings, LR_SCALE),
        .weight_decay = settings.n_values[WEIGHT_DECAY] == 0 ? NAN : pml_setting(&settings, WEIGHT_DECAY)};
    return PML_OK;
}

/* The pattern of a spec ends at the first ':', which names do not have. */
static bool fits(const pml_parameter_group *group, const char *name) {
    char pattern[512];
    const size_t length = strcspn(group->pattern, ":");
    if (length >= sizeof pattern) {
        return false;
    }
    memcpy(pattern, group->pattern, length);
    pattern[length] = '\0';
    return fnmatch(pattern, name, 0) == 0;
}

pml_status pml_parameter_set_group(pml_parameter_set *set, const char *const *specs, size_t n_specs, pml_error *error) {
    pml_status status = PML_OK;
    bool is_used[PML_PARAMETER_MAX_GROUPS] = {false};
    pml_quoted quoted;
    if (n_specs >= PML_PARAMETER_MAX_GROUPS) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%zu groups of parameters; %u are the most", n_specs,
                         PML_PARAMETER_MAX_GROUPS - 1));
    }
    for (size_t i = 0; i < n_specs; i++) {
        PML_TRY(read_group(specs[i], &set->groups[i], error));
    }
    set->groups[n_specs] = rest;
    set->n_groups = n_specs + 1;
    for (size_t i = 0; i < set->n_views; i++) {
        size_t i_group = 0;
        while (i_group < n_specs && !fits(&set->groups[i_group], set->views[i].name)) {
            i_group++;
        }
        set->views[i].i_group = i_group;
        is_used[i_group] = true;
    }
    for (size_t i = 0; i < n_specs; i++) {
        if (!is_used[i]) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "group %s: no parameter is left that fits",
                             pml_quote(&quoted, specs[i])));
        }
    }
done:
    return status;
}

/* ---- passes ---- */
typedef struct pass {
    pml_parameter_set *set;
    pml_parameter_fn *fn;
    void *user;
} pass;

static void run_part(void *user, size_t i_part) {
    const pass *p = user;
    pml_parameter_set *set = p->set;
    const size_t at = i_part * PML_PARAMETER_PART, left = set->n_elements - at;
    size_t n_left = left < PML_PARAMETER_PART ? left : PML_PARAMETER_PART, begin = set->skipped[i_part];
    set->sums[i_part] = 0;
    for (size_t i = set->first_views[i_part]; n_left > 0; i++, begin = 0) {
        const size_t there = set->views[i].count - begin, count = there < n_left ? there : n_left;
        if (count > 0) {
            p->fn(p->user, i, begin, count, &set->sums[i_part]);
        }
        n_left -= count;
    }
}

double pml_parameter_set_run(pml_parameter_set *set, pml_context *context, double cost, pml_parameter_fn *fn,
                             void *user) {
    pass p = {set, fn, user};
    if (pml_context_shares(context, cost * (double)set->n_elements) > 1) {
        pml_context_run(context, set->n_parts, run_part, &p);
    } else {
        for (size_t i = 0; i < set->n_parts; i++) {
            run_part(&p, i);
        }
    }
    double sum = 0;
    for (size_t i = 0; i < set->n_parts; i++) {
        sum += set->sums[i];
    }
    return sum;
}
