/* A training run: its loss and what else was logged, beside the same of evaluations. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/plot/plot_kind.h"
#include "runtime/train/logs/trainer_state.h"

#define EVAL "eval_"
#define GREATEST_STEP (UINT64_C(1) << 53) /* a double tells it from the next */

static const pml_chart_style styles[] = {{"training", 0x3b5b7a, 1.6, false, PML_CHART_LINE},
                                         {"evaluation", 0xd55e00, 2.2, false, PML_CHART_LINE}};
enum { STYLE_TRAINING, STYLE_EVALUATION };

typedef struct drawing { /* of one request */
    pml_trainer_state state;
    pml_names names; /* of what can be drawn, without eval_ */
    double *x, *y;   /* [2 * n_values]: a value belongs to at most two panels (eval_eval_x) */
    size_t n_used;
    pml_chart_panel *panels;
} drawing;

static bool fits(const pml_plot_request *request) {
    return pml_plot_begins(request, "step,epoch") || pml_plot_has_member(request, "log_history");
}

/* Loss and learning rate first, where they are there. */
static pml_status name_panels(drawing *d, pml_error *error) {
    static const char *const first[] = {"loss", "learning_rate"};
    pml_status status = PML_OK;
    const pml_names *logged = &d->state.log_history.names;
    size_t i_name = 0;
    bool is_new = false;
    for (size_t pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < pml_names_count(logged); i++) {
            const char *name = pml_names_at(logged, i);
            const char *bare = strncmp(name, EVAL, strlen(EVAL)) == 0 ? name + strlen(EVAL) : name;
            if (pass == 2 || strcmp(bare, first[pass]) == 0) {
                PML_TRY(
                    pml_names_add(&d->names, bare, strlen(bare), PML_MAX_LOG_NAMES, "names", &i_name, &is_new, error));
            }
        }
    }
done:
    return status;
}

/* The curve of a value; none where it was never logged. */
static void add_curve(drawing *d, const char *prefix, const char *name, size_t i_style, pml_chart_panel *panel) {
    const pml_log_history *h = &d->state.log_history;
    char whole[PML_MAX_NAME_BYTES + 8];
    const size_t first = d->n_used;
    (void)snprintf(whole, sizeof whole, "%s%s", prefix, name);
    for (size_t i = 0; i < h->n_entries; i++) {
        const pml_log_record record = pml_log_history_at(h, i);
        double value = 0;
        if (pml_log_record_find(&record, whole, &value)) {
            d->x[d->n_used] = (double)record.step;
            d->y[d->n_used++] = value;
        }
    }
    if (d->n_used > first) {
        panel->curves[panel->n_curves++] =
            (pml_chart_curve){i_style, d->n_used - first, d->x + first, d->y + first, 1, NULL};
    }
}

static pml_status check_steps(const pml_plot_request *request, const pml_log_history *h, pml_error *error) {
    if (h->n_values == 0) {
        return PML_FAIL(error, PML_E_FORMAT, "%s: nothing was logged", request->path);
    }
    if (h->entries[h->n_entries - 1].step > GREATEST_STEP) {
        return PML_FAIL(error, PML_E_FORMAT, "%s: step %llu is beyond any chart", request->path,
                        (unsigned long long)h->entries[h->n_entries - 1].step);
    }
    for (size_t i = 1; i < h->n_entries; i++) {
        if (h->entries[i].step < h->entries[i - 1].step) {
            return PML_FAIL(error, PML_E_FORMAT, "%s: step %llu was logged behind step %llu", request->path,
                            (unsigned long long)h->entries[i].step, (unsigned long long)h->entries[i - 1].step);
        }
    }
    return PML_OK;
}

static pml_status read_run(const pml_plot_request *request, drawing *d, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(
        pml_plot_is_json(request)
            ? pml_trainer_state_parse(request->bytes, request->size_bytes, request->path, &d->state, error)
            : pml_log_history_parse(request->bytes, request->size_bytes, request->path, &d->state.log_history, error));
    PML_TRY(check_steps(request, &d->state.log_history, error));
    PML_TRY(name_panels(d, error));
done:
    return status;
}

static pml_status draw(const pml_plot_request *request, pml_plot_result *result, pml_error *error) {
    pml_status status = PML_OK;
    drawing d = {0};
    pml_plot_choice chosen = {0};
    const char **names = NULL;
    PML_TRY(read_run(request, &d, error));
    const size_t n_names = pml_names_count(&d.names);
    PML_TRY(pml_alloc(n_names, sizeof *names, &names, error));
    for (size_t i = 0; i < n_names; i++) {
        names[i] = pml_names_at(&d.names, i);
    }
    size_t n_wanted = n_names;
    if (request->columns == NULL) { /* loss and learning rate are enough, where they are there */
        n_wanted = strcmp(names[0], "loss") == 0 ? 1 : n_names;
        n_wanted += n_wanted < n_names && strcmp(names[n_wanted], "learning_rate") == 0;
    }
    PML_TRY(pml_plot_choose(request, names, n_wanted, "the run", &chosen, result, error));
    PML_TRY(pml_alloc(d.state.log_history.n_values, 2 * sizeof *d.x, &d.x, error));
    PML_TRY(pml_alloc(d.state.log_history.n_values, 2 * sizeof *d.y, &d.y, error));
    PML_TRY(pml_alloc(chosen.n, sizeof *d.panels, &d.panels, error));
    for (size_t k = 0; k < chosen.n; k++) {
        const char *name = names[chosen.at[k]];
        d.panels[k].name = name;
        add_curve(&d, "", name, STYLE_TRAINING, &d.panels[k]);
        add_curve(&d, EVAL, name, STYLE_EVALUATION, &d.panels[k]);
    }
    const pml_log_history *h = &d.state.log_history;
    const bool has_best = d.state.has_best && d.state.best_global_step >= h->entries[0].step &&
                          d.state.best_global_step <= h->entries[h->n_entries - 1].step;
    const pml_chart chart = {.width = request->width,
                             .height = pml_plot_height(request, chosen.n),
                             .title = request->title,
                             .x_name = has_best ? "step (dashed: the best evaluation)" : "step",
                             .axis = PML_CHART_COUNTS,
                             .styles = styles,
                             .n_styles = 2,
                             .panels = d.panels,
                             .n_panels = chosen.n,
                             .has_mark = has_best,
                             .mark_x = (double)d.state.best_global_step};
    PML_TRY(pml_chart_draw(&chart, &result->drawing, error));
done:
    pml_free(d.panels);
    pml_free(d.y);
    pml_free(d.x);
    pml_free(names);
    pml_names_deinit(&d.names);
    pml_trainer_state_deinit(&d.state);
    return status;
}

const pml_plot_kind pml_plot_kind_training = {
    .name = "training", .file = "a trainer_state.json or log.csv: loss and learning rate", .fits = fits, .draw = draw};
