/* How a study went: each trial's value, and the best so far. */
#include <math.h>

#include "runtime/base/alloc.h"
#include "runtime/plot/study_file.h"

static const pml_chart_style styles[] = {{"trial", 0x3b5b7a, 2.4, false, PML_CHART_DOTS},
                                         {"best so far", 0xd55e00, 1.8, false, PML_CHART_LINE}};
enum { STYLE_TRIAL, STYLE_BEST };

/* The best stays as it is until a trial betters it: a staircase of two points per trial. */
static size_t climb(const pml_study_file *file, double *x, double *y) {
    const bool greatest = file->study->direction == PML_STUDY_MAXIMIZE;
    double best = file->trials[0]->value;
    size_t n = 0;
    for (size_t i = 0; i < file->n_trials; i++) {
        const double at = (double)file->trials[i]->number, value = file->trials[i]->value;
        if (i > 0) {
            x[n] = at;
            y[n++] = best;
        }
        best = greatest ? fmax(best, value) : fmin(best, value);
        x[n] = at;
        y[n++] = best;
    }
    return n;
}

static pml_status draw(const pml_plot_request *request, pml_plot_result *result, pml_error *error) {
    pml_status status = PML_OK;
    pml_study_file file = {0};
    pml_plot_choice chosen = {0};
    double *x = NULL, *y = NULL, *best_x = NULL, *best_y = NULL;
    static const char *const names[] = {"value"};
    PML_TRY(pml_study_file_parse(request, &file, error));
    PML_TRY(pml_plot_choose(request, names, 1, "the study's history", &chosen, result, error));
    PML_TRY(pml_alloc(file.n_trials, sizeof *x, &x, error));
    PML_TRY(pml_alloc(file.n_trials, sizeof *y, &y, error));
    PML_TRY(pml_alloc(file.n_trials, 2 * sizeof *best_x, &best_x, error));
    PML_TRY(pml_alloc(file.n_trials, 2 * sizeof *best_y, &best_y, error));
    for (size_t i = 0; i < file.n_trials; i++) {
        x[i] = (double)file.trials[i]->number;
        y[i] = file.trials[i]->value;
    }
    const size_t n_best = climb(&file, best_x, best_y);
    const pml_chart_panel panel = {
        .name =
            file.study->direction == PML_STUDY_MAXIMIZE ? "value (the greatest is best)" : "value (the least is best)",
        .n_curves = 2,
        .curves = {{STYLE_TRIAL, file.n_trials, x, y, 1, NULL}, {STYLE_BEST, n_best, best_x, best_y, 1, NULL}}};
    const pml_chart chart = {.width = request->width,
                             .height = pml_plot_height(request, 1),
                             .title = request->title != NULL ? request->title : file.study->name,
                             .x_name = "trial",
                             .axis = PML_CHART_COUNTS,
                             .styles = styles,
                             .n_styles = 2,
                             .panels = &panel,
                             .n_panels = 1};
    PML_TRY(pml_chart_draw(&chart, &result->drawing, error));
done:
    pml_free(best_y);
    pml_free(best_x);
    pml_free(y);
    pml_free(x);
    pml_study_file_deinit(&file);
    return status;
}

const pml_plot_kind pml_plot_kind_history = {.name = "history",
                                             .file = "a study's journal: values and the best so far",
                                             .fits = pml_study_file_fits,
                                             .draw = draw};
