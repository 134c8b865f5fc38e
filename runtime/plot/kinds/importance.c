/* The importance of a study's parameters, as bars. */
#include "runtime/plot/importance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/plot/chart_parts.h"
#include "runtime/plot/study_file.h"

enum { BAR_HEIGHT = 26, BAR_RGB = 0x3b5b7a };
#define LEAST_BAR 8.0

typedef struct bar {
    const char *name;
    double value;
} bar;

static bool fits(const pml_plot_request *request) {
    (void)request; /* a journal's first picture is its history */
    return false;
}

/* The greatest first; equal ones by name. */
static int compare(const void *a, const void *b) {
    const bar *p = a, *q = b;
    return p->value > q->value ? -1 : p->value < q->value ? 1 : strcmp(p->name, q->name);
}

static pml_status draw_bar(pml_drawing *drawing, const bar *b, double left, double right, double top, double height,
                           double greatest, pml_error *error) {
    pml_status status = PML_OK;
    char text[32];
    const double base = top + height / 2 + 4;
    const double end = left + (right - left) * (greatest > 0 ? b->value / greatest : 0);
    const pml_mark name = {.rgb = PML_INK, .size = PML_CHART_FONT, .anchor = PML_ANCHOR_END};
    PML_TRY(pml_chart_cut_text(drawing, &name, left - 8, base, left - 8 - PML_CHART_MARGIN, b->name, error));
    PML_TRY(pml_chart_rectangle(drawing, BAR_RGB, 1, (pml_point){left, top + height * 0.15},
                                (pml_point){end, top + height * 0.85}, error));
    (void)snprintf(text, sizeof text, b->value > 0 && b->value < 0.005 ? "<0.01" : "%.2f", b->value);
    PML_TRY(pml_chart_text(drawing, PML_SOFT_INK, PML_CHART_SMALL_FONT, PML_ANCHOR_START, end + 6, base, text, error));
done:
    return status;
}

static pml_status draw_bars(const pml_plot_request *request, const char *title, const bar *bars, size_t n,
                            pml_drawing *drawing, pml_error *error) {
    pml_status status = PML_OK;
    const double top = PML_CHART_MARGIN + 2 * PML_CHART_LINE_HEIGHT + 12;
    double widest = 40;
    drawing->width = request->width;
    drawing->height =
        request->height != 0 ? request->height : (unsigned)(top + PML_CHART_MARGIN) + BAR_HEIGHT * (unsigned)n;
    for (size_t i = 0; i < n; i++) {
        widest = fmax(widest, pml_drawing_text_width(bars[i].name, PML_CHART_FONT));
    }
    const double left = fmin(PML_CHART_MARGIN + widest + 8, request->width * 0.4);
    const double right = request->width - PML_CHART_MARGIN - 44,
                 height = (drawing->height - top - PML_CHART_MARGIN) / (double)n;
    if (height < LEAST_BAR || right - left < LEAST_BAR) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%u x %u pixels are too few for %zu bars: choose columns or a size",
                         drawing->width, drawing->height, n));
    }
    PML_TRY(pml_chart_heading(drawing, PML_CHART_MARGIN, PML_CHART_MARGIN + PML_CHART_FONT,
                              request->width - 2 * PML_CHART_MARGIN, title, error));
    PML_TRY(pml_chart_text(drawing, PML_SOFT_INK, PML_CHART_FONT, PML_ANCHOR_START, PML_CHART_MARGIN,
                           PML_CHART_MARGIN + PML_CHART_FONT + PML_CHART_LINE_HEIGHT + 2,
                           "importance for reaching the best tenth of values (PED-ANOVA)", error));
    for (size_t i = 0; i < n; i++) {
        PML_TRY(draw_bar(drawing, &bars[i], left, right, top + height * (double)i, height, bars[0].value, error));
    }
    PML_TRY(pml_chart_line(drawing, PML_EDGE, 1, false, (pml_point){left, top},
                           (pml_point){left, top + height * (double)n}, error));
done:
    return status;
}

static pml_status draw(const pml_plot_request *request, pml_plot_result *result, pml_error *error) {
    pml_status status = PML_OK;
    pml_study_file file = {0};
    pml_plot_choice chosen = {0};
    double *values = NULL;
    bar *bars = NULL;
    PML_TRY(pml_study_file_parse(request, &file, error));
    if (file.n_names == 0) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: the study has no parameters", request->path));
    }
    PML_TRY(pml_alloc(file.n_names, sizeof *values, &values, error));
    PML_TRY(pml_alloc(file.n_names, sizeof *bars, &bars, error));
    PML_TRY(pml_importance(file.trials, file.n_trials, file.study->direction, file.names, file.n_names, values, error));
    for (size_t k = 0; k < file.n_names; k++) {
        bars[k] = (bar){file.names[k], values[k]};
    }
    qsort(bars, file.n_names, sizeof *bars, compare);
    for (size_t k = 0; k < file.n_names; k++) { /* the most important ones are those that are drawn */
        file.names[k] = bars[k].name;
    }
    PML_TRY(pml_plot_choose(request, file.names, file.n_names, "the study", &chosen, result, error));
    for (size_t k = 0; k < chosen.n; k++) {
        values[k] = bars[chosen.at[k]].value;
    }
    for (size_t k = 0; k < chosen.n; k++) {
        bars[k] = (bar){pml_names_at(&result->panels, k), values[k]};
    }
    qsort(bars, chosen.n, sizeof *bars, compare);
    PML_TRY(draw_bars(request, request->title != NULL ? request->title : file.study->name, bars, chosen.n,
                      &result->drawing, error));
done:
    pml_free(bars);
    pml_free(values);
    pml_study_file_deinit(&file);
    return status;
}

const pml_plot_kind pml_plot_kind_importance = {
    .name = "importance", .file = "a study's journal: importance of its parameters", .fits = fits, .draw = draw};
