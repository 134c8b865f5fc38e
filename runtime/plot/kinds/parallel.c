/* A study's trials as lines over one axis per parameter, the value's first: the better a trial, the darker its line. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/alloc.h"
#include "runtime/plot/chart_parts.h"
#include "runtime/plot/study_file.h"

enum { MOST_LABELS = 12, AXIS_WIDTH = 130, DEFAULT_HEIGHT = 480, WORST_RGB = 0xcfdae6, BEST_RGB = 0x0b2a4a };
#define VALUE "value"
#define LEAST_AXIS 24.0
#define LEAST_HEIGHT 60.0

typedef struct axis {
    const char *name;                     /* of a parameter; NULL: the value */
    const pml_distribution *distribution; /* the first that it had; NULL: the value */
    bool is_log;
    double low, high; /* by logarithm where is_log; a choice is its index */
    double x;
} axis;

typedef struct frame {
    double top, bottom;
} frame;

static bool fits(const pml_plot_request *request) {
    (void)request; /* a journal's first picture is its history */
    return false;
}

/* False where the trial has no such parameter, or it cannot lie on the axis. */
static bool place(const axis *a, const pml_trial *trial, double *at) {
    *at = trial->value;
    if (a->name != NULL) {
        const pml_trial_parameter *p = pml_trial_find(trial, a->name);
        if (p == NULL || (p->distribution->kind == PML_DISTRIBUTION_CATEGORICAL) !=
                             (a->distribution->kind == PML_DISTRIBUTION_CATEGORICAL)) {
            return false;
        }
        *at = a->is_log ? log(p->value) : p->value;
    }
    return isfinite(*at);
}

static double height_of(const axis *a, double at, frame f) {
    const double share = (at / 2 - a->low / 2) / (a->high / 2 - a->low / 2);
    return f.bottom - fmin(fmax(share, 0), 1) * (f.bottom - f.top);
}

/* From the least to the greatest of all trials; choices all of them. */
static void set_range(axis *a, const pml_study_file *file) {
    a->low = INFINITY;
    a->high = -INFINITY;
    for (size_t i = 0; i < file->n_trials; i++) {
        double at = 0;
        if (place(a, file->trials[i], &at)) {
            a->low = fmin(a->low, at);
            a->high = fmax(a->high, at);
        }
    }
    if (a->distribution != NULL && a->distribution->kind == PML_DISTRIBUTION_CATEGORICAL) {
        a->low = 0;
        a->high = (double)a->distribution->n_choices - 1;
    }
    if (!(a->low < a->high)) {
        const double middle = isfinite(a->low) ? a->low : 0, margin = fmax(fabs(middle) * 0.1, 1e-280);
        a->low = middle - (middle != 0 ? margin : 1);
        a->high = middle + (middle != 0 ? margin : 1);
    }
}

static void set_axis(axis *a, const char *name, const pml_study_file *file) {
    a->name = name;
    for (size_t i = 0; name != NULL && a->distribution == NULL && i < file->n_trials; i++) {
        const pml_trial_parameter *p = pml_trial_find(file->trials[i], name);
        a->distribution = p != NULL ? p->distribution : NULL;
    }
    a->is_log =
        a->distribution != NULL && a->distribution->kind != PML_DISTRIBUTION_CATEGORICAL && a->distribution->log;
    set_range(a, file);
}

/* ---- painting ---- */
static pml_status label(const axis *a, double at, const char *text, frame f, pml_drawing *drawing, pml_error *error) {
    pml_status status = PML_OK;
    const double y = height_of(a, at, f);
    const pml_mark style = {.rgb = PML_SOFT_INK, .size = PML_CHART_SMALL_FONT};
    const double width = fmin(pml_drawing_text_width(text, PML_CHART_SMALL_FONT), AXIS_WIDTH - 20);
    PML_TRY(pml_chart_rectangle(drawing, 0xffffff, 0.7, (pml_point){a->x + 5, y - 7},
                                (pml_point){a->x + 9 + width, y + 7}, error)); /* lines behind it stay faint */
    PML_TRY(pml_chart_line(drawing, PML_EDGE, 1, false, (pml_point){a->x, y}, (pml_point){a->x + 4, y}, error));
    PML_TRY(pml_chart_cut_text(drawing, &style, a->x + 7, y + 4, AXIS_WIDTH - 20, text, error));
done:
    return status;
}

static pml_status label_choices(const axis *a, frame f, pml_drawing *drawing, pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    const size_t n = a->distribution->n_choices, every = (n + MOST_LABELS - 1) / MOST_LABELS;
    for (size_t i = 0; i < n; i += every) {
        pml_free(text);
        text = NULL;
        PML_TRY(pml_distribution_value_text(a->distribution, (double)i, &text, error));
        PML_TRY(label(a, (double)i, text, f, drawing, error));
    }
done:
    pml_free(text);
    return status;
}

static pml_status label_numbers(const axis *a, frame f, pml_drawing *drawing, pml_error *error) {
    pml_status status = PML_OK;
    char text[32];
    if (!a->is_log) {
        pml_axis ticks;
        pml_axis_of_values(a->low, a->high, 8, &ticks);
        for (size_t i = 0; i < ticks.n_ticks; i++) {
            if (ticks.ticks[i].at >= a->low && ticks.ticks[i].at <= a->high) {
                PML_TRY(label(a, ticks.ticks[i].at, ticks.ticks[i].text, f, drawing, error));
            }
        }
        goto done;
    }
    const double first = ceil(a->low / log(10) - 1e-9), last = floor(a->high / log(10) + 1e-9);
    const double every = fmax(1, ceil((last - first + 1) / MOST_LABELS));
    if (last - first < 1) { /* less than two powers of ten: the ends */
        (void)snprintf(text, sizeof text, "%.3g", exp(a->low));
        PML_TRY(label(a, a->low, text, f, drawing, error));
        (void)snprintf(text, sizeof text, "%.3g", exp(a->high));
        PML_TRY(label(a, a->high, text, f, drawing, error));
        goto done;
    }
    for (double power = first; power <= last; power += every) {
        (void)snprintf(text, sizeof text, "%g", pow(10, power));
        PML_TRY(label(a, fmin(fmax(power * log(10), a->low), a->high), text, f, drawing, error));
    }
done:
    return status;
}

static pml_status draw_axis(const axis *a, double room, frame f, pml_drawing *drawing, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_chart_line(drawing, PML_EDGE, 1, false, (pml_point){a->x, f.top}, (pml_point){a->x, f.bottom}, error));
    PML_TRY(pml_chart_heading(drawing, a->x, f.top - 10, room, a->name != NULL ? a->name : VALUE, error));
    PML_TRY(a->distribution != NULL && a->distribution->kind == PML_DISTRIBUTION_CATEGORICAL
                ? label_choices(a, f, drawing, error)
                : label_numbers(a, f, drawing, error));
done:
    return status;
}

/* From one colour to the other. */
static uint32_t shade(double share) {
    uint32_t rgb = 0;
    for (int shift = 0; shift <= 16; shift += 8) {
        const double worst = (double)(WORST_RGB >> shift & 0xff), best = (double)(BEST_RGB >> shift & 0xff);
        rgb |= (uint32_t)(worst + (best - worst) * share + 0.5) << shift;
    }
    return rgb;
}

static pml_status draw_trial(const axis *axes, size_t n_axes, const pml_trial *trial, double share, frame f,
                             pml_drawing *drawing, pml_error *error) {
    pml_status status = PML_OK;
    const pml_mark style = {.kind = PML_MARK_LINE, .rgb = shade(share), .size = 1 + share};
    bool is_down = false;
    for (size_t k = 0; k < n_axes; k++) {
        double at = 0;
        if (!place(&axes[k], trial, &at)) {
            is_down = false;
            continue;
        }
        if (!is_down) {
            PML_TRY(pml_drawing_begin(drawing, &style, error));
        }
        is_down = true;
        PML_TRY(pml_drawing_point(drawing, axes[k].x, height_of(&axes[k], at, f), error));
    }
done:
    return status;
}

static int ascending(const void *a, const void *b) {
    const pml_trial *p = *(const pml_trial *const *)a, *q = *(const pml_trial *const *)b;
    return p->value < q->value ? -1 : p->value > q->value ? 1 : p->number > q->number ? -1 : 1;
}

/* The best last, so that nothing hides it; shades by rank, which outliers do not disturb. */
static pml_status draw_trials(const axis *axes, size_t n_axes, pml_study_file *file, frame f, pml_drawing *drawing,
                              pml_error *error) {
    pml_status status = PML_OK;
    const size_t n = file->n_trials;
    const bool greatest = file->study->direction == PML_STUDY_MAXIMIZE;
    qsort(file->trials, n, sizeof *file->trials, ascending);
    for (size_t i = 0; i < n; i++) {
        const pml_trial *trial = file->trials[greatest ? i : n - 1 - i];
        PML_TRY(draw_trial(axes, n_axes, trial, n > 1 ? (double)i / (double)(n - 1) : 1, f, drawing, error));
    }
done:
    return status;
}

static pml_status draw_all(const pml_plot_request *request, axis *axes, size_t n_axes, pml_study_file *file,
                           pml_drawing *drawing, pml_error *error) {
    pml_status status = PML_OK;
    const double left = PML_CHART_MARGIN + 10, right = (double)request->width - AXIS_WIDTH;
    const double apart = n_axes > 1 ? (right - left) / (double)(n_axes - 1) : right - left;
    drawing->width = request->width;
    drawing->height = request->height != 0 ? request->height : DEFAULT_HEIGHT;
    const frame f = {PML_CHART_MARGIN + 3 * PML_CHART_LINE_HEIGHT, drawing->height - PML_CHART_MARGIN - 6};
    if (apart < LEAST_AXIS || f.bottom - f.top < LEAST_HEIGHT) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%u x %u pixels are too few for %zu axes: choose columns or a size",
                         drawing->width, drawing->height, n_axes));
    }
    PML_TRY(pml_chart_heading(drawing, left, PML_CHART_MARGIN + PML_CHART_FONT, (right - left) * 0.7,
                              request->title != NULL ? request->title : file->study->name, error));
    PML_TRY(pml_chart_text(drawing, PML_SOFT_INK, PML_CHART_FONT, PML_ANCHOR_END, request->width - PML_CHART_MARGIN,
                           PML_CHART_MARGIN + PML_CHART_FONT, "darker is better", error));
    for (size_t k = 0; k < n_axes; k++) {
        axes[k].x = left + apart * (double)k;
    }
    PML_TRY(draw_trials(axes, n_axes, file, f, drawing, error));
    for (size_t k = 0; k < n_axes; k++) {
        PML_TRY(draw_axis(&axes[k], k + 1 < n_axes ? apart - 8 : AXIS_WIDTH - 8, f, drawing, error));
    }
done:
    return status;
}

static pml_status draw(const pml_plot_request *request, pml_plot_result *result, pml_error *error) {
    pml_status status = PML_OK;
    pml_study_file file = {0};
    pml_plot_choice chosen = {0};
    axis *axes = NULL;
    PML_TRY(pml_study_file_parse(request, &file, error));
    if (file.n_names == 0) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: the study has no parameters", request->path));
    }
    PML_TRY(pml_plot_choose(request, file.names, file.n_names, "the study", &chosen, result, error));
    PML_TRY(pml_alloc(chosen.n + 1, sizeof *axes, &axes, error));
    set_axis(&axes[0], NULL, &file);
    for (size_t k = 0; k < chosen.n; k++) {
        set_axis(&axes[k + 1], file.names[chosen.at[k]], &file);
    }
    PML_TRY(draw_all(request, axes, chosen.n + 1, &file, &result->drawing, error));
done:
    pml_free(axes);
    pml_study_file_deinit(&file);
    return status;
}

const pml_plot_kind pml_plot_kind_parallel = {
    .name = "parallel", .file = "a study's journal: its trials over an axis per parameter", .fits = fits, .draw = draw};
