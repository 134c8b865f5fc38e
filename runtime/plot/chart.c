#include "runtime/plot/chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/plot/chart_parts.h"

#define FONT 12.0
#define SMALL_FONT 11.0
#define MARGIN 14.0
#define LINE_HEIGHT 16.0
#define PANEL_GAP 10.0
#define INK 0x262626u
#define SOFT_INK 0x595959u
#define GRID 0xe4e4e4u
#define EDGE 0x8c8c8cu
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
            low = isfinite(y) ? fmin(low, y) : low;
            high = isfinite(y) ? fmax(high, y) : high;
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

static pml_status line(plan *p, uint32_t rgb, double width, bool is_dashed, pml_point from, pml_point to,
                       pml_error *error) {
    const pml_mark style = {.kind = PML_MARK_LINE, .rgb = rgb, .size = width, .is_dashed = is_dashed};
    return pml_drawing_shape(p->drawing, &style, (const pml_point[2]){from, to}, 2, error);
}

static pml_status text(plan *p, uint32_t rgb, double size, pml_anchor anchor, double x, double y, const char *what,
                       pml_error *error) {
    const pml_mark style = {.rgb = rgb, .size = size, .anchor = anchor};
    return pml_drawing_text(p->drawing, &style, x, y, what, error);
}

/* In bold, and cut with an ellipsis where it is wider than `room`. */
static pml_status heading(plan *p, double x, double y, double room, const char *what, pml_error *error) {
    const pml_mark style = {.rgb = INK, .size = FONT, .is_bold = true};
    char cut[512];
    if (pml_drawing_text_width(what, FONT * 1.1) <= room && strlen(what) < sizeof cut) {
        return pml_drawing_text(p->drawing, &style, x, y, what, error);
    }
    size_t length = strnlen(what, sizeof cut - 8);
    do {
        memcpy(cut, what, length);
        while (length > 0 && (what[length] & 0xc0) == 0x80) {
            length--;
        }
        (void)snprintf(cut + length, 8, "\xe2\x80\xa6");
    } while (pml_drawing_text_width(cut, FONT * 1.1) > room && length-- > 1);
    return pml_drawing_text(p->drawing, &style, x, y, cut, error);
}

static double legend_width(const pml_chart *chart) {
    double width = 0;
    for (size_t i = 0; i < chart->n_styles; i++) {
        width += 28 + pml_drawing_text_width(chart->styles[i].name, FONT) + 18;
    }
    return width;
}

/* From the right edge of the first line to the left. */
static pml_status draw_legend(plan *p, double base, pml_error *error) {
    pml_status status = PML_OK;
    double x = p->right + 18 - legend_width(p->chart);
    for (size_t i = 0; i < p->chart->n_styles; i++) {
        const pml_chart_style *s = &p->chart->styles[i];
        PML_TRY(line(p, s->rgb, s->width + 0.5, s->is_dashed, (pml_point){x, base - 4}, (pml_point){x + 22, base - 4},
                     error));
        PML_TRY(text(p, INK, FONT, PML_ANCHOR_START, x + 28, base, s->name, error));
        x += 28 + pml_drawing_text_width(s->name, FONT) + 18;
    }
done:
    return status;
}

static pml_status draw_grid(plan *p, const pml_frame *f, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < f->y->n_ticks; i++) {
        const double y = pml_frame_y(f, f->y->ticks[i].at);
        PML_TRY(line(p, GRID, 1, false, (pml_point){f->left, y}, (pml_point){f->right, y}, error));
        PML_TRY(text(p, SOFT_INK, SMALL_FONT, PML_ANCHOR_END, f->left - 7, y + 4, f->y->ticks[i].text, error));
    }
    for (size_t i = 0; i < f->x->n_ticks; i++) {
        const double x = pml_frame_x(f, f->x->ticks[i].at);
        PML_TRY(line(p, GRID, 1, false, (pml_point){x, f->top}, (pml_point){x, f->bottom}, error));
    }
done:
    return status;
}

static pml_status draw_panel(plan *p, size_t k, const pml_axis *y, pml_error *error) {
    pml_status status = PML_OK;
    const pml_chart *chart = p->chart;
    const pml_chart_panel *panel = &chart->panels[k];
    const double top = p->top + p->panel_height * (double)k;
    const pml_frame f = {p->left, top + LINE_HEIGHT + 4, p->right, top + p->panel_height - PANEL_GAP, &p->x, y};
    PML_TRY(heading(p, p->left, top + FONT, p->right - p->left, panel->name, error));
    PML_TRY(draw_grid(p, &f, error));
    if (chart->has_mark) {
        const double x = pml_frame_x(&f, chart->mark_x);
        PML_TRY(line(p, EDGE, 1, true, (pml_point){x, f.top}, (pml_point){x, f.bottom}, error));
    }
    PML_TRY(line(p, EDGE, 1, false, (pml_point){f.left, f.bottom}, (pml_point){f.right, f.bottom}, error));
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
        PML_TRY(line(p, EDGE, 1, false, (pml_point){x, bottom}, (pml_point){x, bottom + 4}, error));
        PML_TRY(text(p, SOFT_INK, SMALL_FONT, PML_ANCHOR_MIDDLE, x, bottom + LINE_HEIGHT, tick->text, error));
        if (tick->below[0] != '\0') {
            PML_TRY(text(p, INK, SMALL_FONT, PML_ANCHOR_MIDDLE, x, bottom + 2 * LINE_HEIGHT - 2, tick->below, error));
        }
    }
    if (p->chart->x_name != NULL) {
        PML_TRY(text(p, INK, FONT, PML_ANCHOR_MIDDLE, (p->left + p->right) / 2, bottom + 2 * LINE_HEIGHT,
                     p->chart->x_name, error));
    }
done:
    return status;
}

/* Margins as wide as the labels beside them. */
static pml_status make_plan(plan *p, pml_axis *y, pml_error *error) {
    const pml_chart *chart = p->chart;
    double widest = 20;
    p->top = MARGIN + LINE_HEIGHT + 6;
    p->panel_height = (chart->height - p->top - 2 * LINE_HEIGHT - 2 - MARGIN + PANEL_GAP) / (double)chart->n_panels;
    const double height = p->panel_height - PANEL_GAP - LINE_HEIGHT - 4;
    for (size_t k = 0; k < chart->n_panels; k++) {
        vertical_axis(&chart->panels[k], height, &y[k]);
        for (size_t i = 0; i < y[k].n_ticks; i++) {
            widest = fmax(widest, pml_drawing_text_width(y[k].ticks[i].text, SMALL_FONT));
        }
    }
    p->left = MARGIN + widest + 7;
    p->right = chart->width - MARGIN - 24;
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
        PML_TRY(heading(&p, p.left, MARGIN + FONT, p.right - p.left - legend_width(chart), chart->title, error));
    }
    PML_TRY(draw_legend(&p, MARGIN + FONT, error));
    for (size_t k = 0; k < chart->n_panels; k++) {
        PML_TRY(draw_panel(&p, k, &y[k], error));
    }
    PML_TRY(draw_horizontal_labels(&p, error));
done:
    return status;
}
