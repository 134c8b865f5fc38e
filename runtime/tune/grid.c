/* Every combination of a declared space once, in an order that the seed shuffles. A parameter that is not there for
 * others' values makes no combinations of its own. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/tune/tuner.h"

enum { RESOLUTION, MOST_POINTS = 1 << 20 };
#define ORDER_STREAM UINT64_MAX /* no trial has that number */

typedef struct axis {
    double *values;
    size_t n;
} axis;

typedef struct grid {
    const pml_space *space;
    axis *axes;     /* one for each parameter */
    size_t *places; /* of the current point, on each axis */
    double *values; /* of the current point; NaN: not there */
    size_t n_points;
    uint64_t digest; /* of all values: points of another grid are not this one's */
} grid;

static void grid_deinit(grid *g) {
    for (size_t i = 0; g->axes != NULL && i < g->space->n_parameters; i++) {
        pml_free(g->axes[i].values);
    }
    pml_free(g->axes);
    pml_free(g->places);
    pml_free(g->values);
}

static pml_status fill_axis(const pml_space_parameter *p, uint64_t resolution, axis *a, pml_error *error) {
    const pml_distribution *d = &p->distribution;
    const bool is_range = d->kind != PML_DISTRIBUTION_CATEGORICAL;
    pml_quoted quoted;
    double count = is_range ? (double)p->resolution : (double)d->n_choices;
    if (is_range && count == 0) {
        count = d->step > 0 ? rint((d->high - d->low) / d->step) + 1 : (double)resolution;
    }
    if (count > MOST_POINTS) {
        return PML_FAIL(error, PML_E_CONFIG, "a grid over %s has too many points: give it a resolution",
                        pml_quote(&quoted, p->name));
    }
    const size_t n = (size_t)count;
    const pml_status status = pml_alloc(n, sizeof *a->values, &a->values, error);
    for (size_t i = 0; status == PML_OK && i < n; i++) {
        const double part = n > 1 ? (double)i / (double)(n - 1) : 0;
        double value = (double)i;
        if (is_range) {
            value =
                d->log ? exp(log(d->low) + part * (log(d->high) - log(d->low))) : d->low + part * (d->high - d->low);
            value = pml_distribution_nearest(d, value);
        }
        if (a->n == 0 || value != a->values[a->n - 1]) {
            a->values[a->n++] = value;
        }
    }
    return status;
}

/* Sets the places from parameter i on to the first that there are. */
static void reset_from(grid *g, size_t i) {
    for (; i < g->space->n_parameters; i++) {
        g->places[i] = 0;
        g->values[i] = pml_space_is_active(g->space, i, g->values) ? g->axes[i].values[0] : NAN;
    }
}

/* The next point; false behind the last one. */
static bool advance(grid *g) {
    for (size_t i = g->space->n_parameters; i > 0; i--) {
        const size_t j = i - 1;
        if (!isnan(g->values[j]) && g->places[j] + 1 < g->axes[j].n) {
            g->places[j]++;
            g->values[j] = g->axes[j].values[g->places[j]];
            reset_from(g, i);
            return true;
        }
    }
    return false;
}

static uint64_t digest_add(uint64_t digest, const void *bytes, size_t size_bytes) { /* FNV-1a */
    for (size_t i = 0; i < size_bytes; i++) {
        digest = (digest ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    }
    return digest;
}

static pml_status grid_init(grid *g, const pml_study_view *view, pml_error *error) {
    pml_status status = PML_OK;
    const pml_space *space = view->space;
    *g = (grid){.space = space, .digest = 0xcbf29ce484222325u};
    PML_TRY(pml_alloc(space->n_parameters, sizeof *g->axes, &g->axes, error));
    PML_TRY(pml_alloc(space->n_parameters, sizeof *g->places, &g->places, error));
    PML_TRY(pml_alloc(space->n_parameters, sizeof *g->values, &g->values, error));
    for (size_t i = 0; i < space->n_parameters; i++) {
        const pml_space_parameter *p = &space->parameters[i];
        PML_TRY(fill_axis(p, (uint64_t)pml_setting(view->settings, RESOLUTION), &g->axes[i], error));
        g->digest = digest_add(g->digest, p->name, strlen(p->name) + 1);
        g->digest = digest_add(g->digest, g->axes[i].values, g->axes[i].n * sizeof *g->axes[i].values);
    }
    reset_from(g, 0);
    do {
        if (++g->n_points > MOST_POINTS) {
            PML_TRY(
                PML_FAIL(error, PML_E_CONFIG, "the grid has more than %d points: lower its resolution", MOST_POINTS));
        }
    } while (advance(g));
    reset_from(g, 0);
done:
    return status;
}

/* Which point of this grid a trial has, or SIZE_MAX. */
static size_t point_of(const grid *g, const pml_trial *trial) {
    const char *json = pml_attributes_find(&trial->system, "pml:grid");
    pml_json_reader r;
    uint64_t digest = 0, point = SIZE_MAX;
    if (json == NULL) {
        return SIZE_MAX;
    }
    pml_json_reader_init(&r, json, strlen(json), 0, "pml:grid", 64);
    while (pml_json_next(&r, NULL) == PML_OK && r.token != PML_JSON_END) {
        if (r.token == PML_JSON_STRING) {
            digest = strtoull(r.text, NULL, 16);
        } else if (r.token == PML_JSON_NUMBER) {
            point = r.is_u64 ? r.u64 : SIZE_MAX;
        }
    }
    pml_json_reader_deinit(&r);
    return digest == g->digest && point < g->n_points ? (size_t)point : SIZE_MAX;
}

/* The first point in the order that no trial has begun; n_points: none. */
static pml_status next_point(const grid *g, const pml_study_view *view, size_t *point, pml_error *error) {
    pml_status status = PML_OK;
    pml_random order = {.seed = view->random->seed, .stream = ORDER_STREAM};
    uint64_t *points = NULL;
    bool *is_taken = NULL;
    PML_TRY(pml_alloc(g->n_points, sizeof *points, &points, error));
    PML_TRY(pml_alloc(g->n_points, sizeof *is_taken, &is_taken, error));
    for (size_t i = 0; i < g->n_points; i++) {
        points[i] = i;
    }
    for (size_t i = 0; i < view->n_all; i++) {
        const size_t taken = point_of(g, view->all[i]);
        if (taken != SIZE_MAX) {
            is_taken[taken] = true;
        }
    }
    pml_random_shuffle(&order, points, g->n_points);
    size_t i = 0;
    while (i < g->n_points && is_taken[points[i]]) {
        i++;
    }
    *point = i < g->n_points ? (size_t)points[i] : g->n_points;
done:
    pml_free(points);
    pml_free(is_taken);
    return status;
}

static pml_status begin(const pml_study_view *view, char **json, pml_error *error) {
    pml_status status = PML_OK;
    grid g;
    size_t point = 0;
    char text[64];
    PML_TRY(grid_init(&g, view, error));
    PML_TRY(next_point(&g, view, &point, error));
    if (point == g.n_points) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "every point of the grid has been tried"));
    }
    (void)snprintf(text, sizeof text, "{\"space\":\"%016" PRIx64 "\",\"point\":%zu}", g.digest, point);
    PML_TRY(pml_string_copy(text, strlen(text), json, error));
done:
    grid_deinit(&g);
    return status;
}

static pml_status is_exhausted(const pml_study_view *view, bool *exhausted, pml_error *error) {
    pml_status status = PML_OK;
    grid g;
    size_t point = 0;
    PML_TRY(grid_init(&g, view, error));
    PML_TRY(next_point(&g, view, &point, error));
    *exhausted = point == g.n_points;
done:
    grid_deinit(&g);
    return status;
}

static pml_status draw_joint(const pml_study_view *view, pml_joint *joint, pml_error *error) {
    pml_status status = PML_OK;
    grid g;
    PML_TRY(grid_init(&g, view, error));
    const size_t point = point_of(&g, view->trial);
    for (size_t i = 0; point != SIZE_MAX && i < point; i++) {
        (void)advance(&g);
    }
    for (size_t i = 0; point != SIZE_MAX && i < view->space->n_parameters; i++) {
        const pml_space_parameter *p = &view->space->parameters[i];
        if (!isnan(g.values[i])) {
            PML_TRY(pml_grow(&joint->items, &joint->capacity, joint->count + 1, sizeof *joint->items, SIZE_MAX / 2,
                             "parameters", error));
            joint->items[joint->count++] = (pml_trial_parameter){p->name, &p->distribution, g.values[i]};
        }
    }
done:
    grid_deinit(&g);
    return status;
}

static pml_status draw(const pml_study_view *view, const char *name, const pml_distribution *distribution,
                       double *value, pml_error *error) {
    pml_quoted quoted;
    (void)view;
    (void)distribution;
    (void)value;
    return PML_FAIL(error, PML_E_CONFIG, "the grid has no parameter %s at this point", pml_quote(&quoted, name));
}

static const pml_plugin_option options[] = {{"resolution", PML_PLUGIN_INTEGER, "10", "[1, 1048576]",
                                             "values of a float without a step and a resolution of its own"},
                                            {0}};

const pml_trial_sampler pml_trial_sampler_grid = {
    .plugin = {.name = "grid", .help = "every combination of the declared values once", .options = options},
    .needs_space = true,
    .attribute = "pml:grid",
    .begin = begin,
    .draw_joint = draw_joint,
    .draw = draw,
    .is_exhausted = is_exhausted,
};
