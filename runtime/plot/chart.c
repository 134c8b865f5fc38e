#include "runtime/plot/chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/plot/chart_parts.h"

#define PANEL_GAP 10.0
#define LEAST_PANEL 24.0
#define LEAST_WIDTH 60.0

typedef struct plan { /* of a whole chart */
    const pml_chart *chart;
    pml_drawing *drawing;
    pml_axis x;
    double left, right, top, panel_height; /* a panel with its heading */
} plan;

static void vertical_axis(const pml_chart_panel *panel, double height, pml_axis *axis) {
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < panel->n_curves; i++) {
        const pml_chart_curve *curve = &panel->curves[i];
        for (size_t k = 0; k < curve->n_points; k++) {
            const double y = curve->y[k * curve->stride];
            const double other = curve->other != NULL ? curve->other[k * curve->stride] : y;
            low = isfinite(y) && isfinite(other) ? fmin(low, fmin(y, other)) : low;
            high = isfinite(y) && isfinite(other) ? fmax(high, fmax(y, other)) : high;
        }
    }
    pml_axis_of_values(low, high, (unsigned)fmin(height / 28, 8), axis);
}

static void horizontal_axis(plan *p) {
    double low = INFINITY, high = -INFINITY;
    for (size_t k = 0; k < p->chart->n_panels; k++) {
        for (size_t i = 0; i < p->chart->panels[k].n_curves; i++) {
            const pml_chart_curve *curve = &p->chart->panels[k].curves[i];
            if (curve->n_points > 0) {
                low = fmin(low, curve->x[0]);
                high = fmax(high, curve->x[curve->n_points - 1]);
            }
        }
    }
    if (!isfinite(low)) {
        low = high = 0;
    }
    const unsigned most = (unsigned)((p->right - p->left) / 95);
    if (p->chart->axis == PML_CHART_DATES) {
        pml_axis_of_dates((int64_t)low, (int64_t)high, most, &p->x);
    } else {
        pml_axis_of_counts(low, high, most, &p->x);
    }
}

static double legend_width(const pml_chart *chart) {
    double width = 0;
    for (size_t i = 0; i < chart->n_styles; i++) {
        if (chart->styles[i].name != NULL) {
            width += 28 + pml_drawing_text_width(chart->styles[i].name, PML_CHART_FONT) + 18;
        }
    }
    return width;
}

/* What a style looks like, from a point to the right. */
static pml_status draw_sample(plan *p, const pml_chart_style *s, pml_point at, pml_error *error) {
    const pml_mark dot = {.kind = PML_MARK_LINE, .rgb = s->rgb, .size = s->width};
    switch (s->form) {
    case PML_CHART_BAND:
        return pml_chart_rectangle(p->drawing, s->rgb, s->width, (pml_point){at.x, at.y - 4},
                                   (pml_point){at.x + 22, at.y + 4}, error);
    case PML_CHART_DOTS:
        return pml_drawing_shape(p->drawing, &dot, &(pml_point){at.x + 16, at.y}, 1, error);
    default:
        return pml_chart_line(p->drawing, s->rgb, s->width + 0.5, s->is_dashed, at, (pml_point){at.x + 22, at.y},
                              error);
    }
}

/* From the right edge of the first line to the left. */
static pml_status draw_legend(plan *p, double base, pml_error *error) {
    pml_status status = PML_OK;
    double x = p->right + 18 - legend_width(p->chart);
    for (size_t i = 0; i < p->chart->n_styles; i++) {
        const pml_chart_style *s = &p->chart->styles[i];
        if (s->name == NULL) {
            continue;
        }
        PML_TRY(draw_sample(p, s, (pml_point){x, base - 4}, error));
        PML_TRY(pml_chart_text(p->drawing, PML_INK, PML_CHART_FONT, PML_ANCHOR_START, x + 28, base, s->name, error));
        x += 28 + pml_drawing_text_width(s->name, PML_CHART_FONT) + 18;
    }
done:
    return status;
}

static pml_status draw_grid(plan *p, const pml_frame *f, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < f->y->n_ticks; i++) {
        const double y = pml_frame_y(f, f->y->ticks[i].at);
        PML_TRY(
            pml_chart_line(p->drawing, PML_GRID, 1, false, (pml_point){f->left, y}, (pml_point){f->right, y}, error));
        PML_TRY(pml_chart_text(p->drawing, PML_SOFT_INK, PML_CHART_SMALL_FONT, PML_ANCHOR_END, f->left - 7, y + 4,
                               f->y->ticks[i].text, error));
    }
    for (size_t i = 0; i < f->x->n_ticks; i++) {
        const double x = pml_frame_x(f, f->x->ticks[i].at);
        PML_TRY(
            pml_chart_line(p->drawing, PML_GRID, 1, false, (pml_point){x, f->top}, (pml_point){x, f->bottom}, error));
    }
done:
    return status;
}

static pml_status draw_panel(plan *p, size_t k, const pml_axis *y, pml_error *error) {
    pml_status status = PML_OK;
    const pml_chart *chart = p->chart;
    const pml_chart_panel *panel = &chart->panels[k];
    const double top = p->top + p->panel_height * (double)k;
    const pml_frame f = {p->left, top + PML_CHART_LINE_HEIGHT + 4, p->right, top + p->panel_height - PANEL_GAP, &p->x,
                         y};
    PML_TRY(pml_chart_heading(p->drawing, p->left, top + PML_CHART_FONT, p->right - p->left, panel->name, error));
    PML_TRY(draw_grid(p, &f, error));
    if (chart->has_mark) {
        const double x = pml_frame_x(&f, chart->mark_x);
        PML_TRY(pml_chart_line(p->drawing, PML_EDGE, 1, true, (pml_point){x, f.top}, (pml_point){x, f.bottom}, error));
    }
    PML_TRY(pml_chart_line(p->drawing, PML_EDGE, 1, false, (pml_point){f.left, f.bottom},
                           (pml_point){f.right, f.bottom}, error));
    for (size_t i = 0; i < panel->n_curves; i++) {
        const pml_chart_curve *curve = &panel->curves[i];
        PML_TRY(pml_curve_draw(curve, &chart->styles[curve->i_style], &f, p->drawing, error));
    }
done:
    return status;
}

static pml_status draw_horizontal_labels(plan *p, pml_error *error) {
    pml_status status = PML_OK;
    const double bottom = p->top + p->panel_height * (double)p->chart->n_panels - PANEL_GAP;
    const pml_frame f = {p->left, p->top, p->right, bottom, &p->x, NULL};
    for (size_t i = 0; i < p->x.n_ticks; i++) {
        const pml_tick *tick = &p->x.ticks[i];
        const double x = pml_frame_x(&f, tick->at);
        PML_TRY(
            pml_chart_line(p->drawing, PML_EDGE, 1, false, (pml_point){x, bottom}, (pml_point){x, bottom + 4}, error));
        PML_TRY(pml_chart_text(p->drawing, PML_SOFT_INK, PML_CHART_SMALL_FONT, PML_ANCHOR_MIDDLE, x,
                               bottom + PML_CHART_LINE_HEIGHT, tick->text, error));
        if (tick->below[0] != '\0') {
            PML_TRY(pml_chart_text(p->drawing, PML_INK, PML_CHART_SMALL_FONT, PML_ANCHOR_MIDDLE, x,
                                   bottom + 2 * PML_CHART_LINE_HEIGHT - 2, tick->below, error));
        }
    }
    if (p->chart->x_name != NULL) {
        PML_TRY(pml_chart_text(p->drawing, PML_INK, PML_CHART_FONT, PML_ANCHOR_MIDDLE, (p->left + p->right) / 2,
                               bottom + 2 * PML_CHART_LINE_HEIGHT, p->chart->x_name, error));
    }
done:
    return status;
}

/* Margins as wide as the labels beside them. */
static pml_status make_plan(plan *p, pml_axis *y, pml_error *error) {
    const pml_chart *chart = p->chart;
    double widest = 20;
    p->top = PML_CHART_MARGIN + PML_CHART_LINE_HEIGHT + 6;
    p->panel_height = (chart->height - p->top - 2 * PML_CHART_LINE_HEIGHT - 2 - PML_CHART_MARGIN + PANEL_GAP) /
                      (double)chart->n_panels;
    const double height = p->panel_height - PANEL_GAP - PML_CHART_LINE_HEIGHT - 4;
    for (size_t k = 0; k < chart->n_panels; k++) {
        vertical_axis(&chart->panels[k], height, &y[k]);
        for (size_t i = 0; i < y[k].n_ticks; i++) {
            widest = fmax(widest, pml_drawing_text_width(y[k].ticks[i].text, PML_CHART_SMALL_FONT));
        }
    }
    p->left = PML_CHART_MARGIN + widest + 7;
    p->right = chart->width - PML_CHART_MARGIN - 24;
    if (height < LEAST_PANEL || p->right - p->left < LEAST_WIDTH) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%u x %u pixels are too few for %zu panels: choose columns or a size",
                        chart->width, chart->height, chart->n_panels);
    }
    horizontal_axis(p);
    return PML_OK;
}

pml_status pml_chart_draw(const pml_chart *chart, pml_drawing *drawing, pml_error *error) {
    pml_status status = PML_OK;
    pml_axis y[PML_MAX_PANELS];
    plan p = {.chart = chart, .drawing = drawing};
    drawing->width = chart->width;
    drawing->height = chart->height;
    PML_TRY(make_plan(&p, y, error));
    if (chart->title != NULL) {
        PML_TRY(pml_chart_heading(p.drawing, p.left, PML_CHART_MARGIN + PML_CHART_FONT,
                                  p.right - p.left - legend_width(chart), chart->title, error));
    }
    PML_TRY(draw_legend(&p, PML_CHART_MARGIN + PML_CHART_FONT, error));
    for (size_t k = 0; k < chart->n_panels; k++) {
        PML_TRY(draw_panel(&p, k, &y[k], error));
    }
    PML_TRY(draw_horizontal_labels(&p, error));
done:
    return status;
}
