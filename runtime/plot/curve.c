/* The line of a curve: with gaps where values are missing, and never more points than the eye can see. */
#include <math.h>

#include "runtime/plot/chart_parts.h"

double pml_frame_x(const pml_frame *frame, double value) {
    const double share = (value - frame->x->low) / (frame->x->high - frame->x->low);
    return frame->left + share * (frame->right - frame->left);
}

double pml_frame_y(const pml_frame *frame, double value) {
    /* Halves, because the difference of two great values may be beyond a double. */
    const double share = (value / 2 - frame->y->low / 2) / (frame->y->high / 2 - frame->y->low / 2);
    return frame->bottom - fmin(fmax(share, 0), 1) * (frame->bottom - frame->top);
}

typedef struct pen { /* points that fall into one column of pixels, gathered */
    pml_drawing *drawing;
    pml_mark style;
    bool is_down; /* a line is open */
    size_t n;     /* gathered */
    double column;
    pml_point first, last, lowest, highest;
} pen;

static pml_status put(pen *p, pml_point point, pml_error *error) {
    return pml_drawing_point(p->drawing, point.x, point.y, error);
}

/* Draws what was gathered, in the order in which it came. */
static pml_status flush(pen *p, pml_error *error) {
    pml_status status = PML_OK;
    if (p->n > 0) {
        PML_TRY(put(p, p->first, error));
    }
    if (p->n > 3) {
        const bool low_first = p->lowest.x <= p->highest.x;
        PML_TRY(put(p, low_first ? p->lowest : p->highest, error));
        PML_TRY(put(p, low_first ? p->highest : p->lowest, error));
    }
    if (p->n == 3) { /* the one between is an extreme or lies between first and last */
        const bool is_low = p->lowest.x > p->first.x && p->lowest.x < p->last.x;
        PML_TRY(put(p, is_low ? p->lowest : p->highest, error));
    }
    if (p->n > 1) {
        PML_TRY(put(p, p->last, error));
    }
    p->n = 0;
done:
    return status;
}

static pml_status take(pen *p, pml_point point, pml_error *error) {
    pml_status status = PML_OK;
    if (!p->is_down) {
        PML_TRY(pml_drawing_begin(p->drawing, &p->style, error));
        p->is_down = true;
    }
    if (p->n > 0 && floor(point.x) != p->column) {
        PML_TRY(flush(p, error));
    }
    if (p->n == 0) {
        p->column = floor(point.x);
        p->first = p->lowest = p->highest = point;
    }
    p->lowest = point.y > p->lowest.y ? point : p->lowest;
    p->highest = point.y < p->highest.y ? point : p->highest;
    p->last = point;
    p->n++;
done:
    return status;
}

static pml_status draw_line(const pml_chart_curve *curve, const pml_chart_style *style, const pml_frame *frame,
                            pml_drawing *drawing, pml_error *error) {
    pml_status status = PML_OK;
    pen p = {.drawing = drawing,
             .style = {.kind = PML_MARK_LINE, .rgb = style->rgb, .size = style->width, .is_dashed = style->is_dashed}};
    for (size_t i = 0; i < curve->n_points; i++) {
        const double y = curve->y[i * curve->stride];
        if (isfinite(y)) {
            PML_TRY(take(&p, (pml_point){pml_frame_x(frame, curve->x[i]), pml_frame_y(frame, y)}, error));
        } else {
            PML_TRY(flush(&p, error));
            p.is_down = false;
        }
    }
    PML_TRY(flush(&p, error));
done:
    return status;
}

static pml_status draw_dots(const pml_chart_curve *curve, const pml_chart_style *style, const pml_frame *frame,
                            pml_drawing *drawing, pml_error *error) {
    pml_status status = PML_OK;
    const pml_mark dot = {.kind = PML_MARK_LINE, .rgb = style->rgb, .size = style->width};
    for (size_t i = 0; i < curve->n_points; i++) {
        const double y = curve->y[i * curve->stride];
        if (isfinite(y)) {
            const pml_point at = {pml_frame_x(frame, curve->x[i]), pml_frame_y(frame, y)};
            PML_TRY(pml_drawing_shape(drawing, &dot, &at, 1, error));
        }
    }
done:
    return status;
}

/* Points [first, end) are there on both edges: along one and back along the other. */
static pml_status draw_area(const pml_chart_curve *curve, const pml_chart_style *style, const pml_frame *frame,
                            size_t first, size_t end, pml_drawing *drawing, pml_error *error) {
    pml_status status = PML_OK;
    const pml_mark area = {.kind = PML_MARK_AREA, .rgb = style->rgb, .opacity = style->width};
    PML_TRY(pml_drawing_begin(drawing, &area, error));
    for (size_t i = first; i < end; i++) {
        PML_TRY(pml_drawing_point(drawing, pml_frame_x(frame, curve->x[i]),
                                  pml_frame_y(frame, curve->y[i * curve->stride]), error));
    }
    for (size_t i = end; i > first; i--) {
        PML_TRY(pml_drawing_point(drawing, pml_frame_x(frame, curve->x[i - 1]),
                                  pml_frame_y(frame, curve->other[(i - 1) * curve->stride]), error));
    }
done:
    return status;
}

static pml_status draw_band(const pml_chart_curve *curve, const pml_chart_style *style, const pml_frame *frame,
                            pml_drawing *drawing, pml_error *error) {
    pml_status status = PML_OK;
    size_t first = 0;
    for (size_t i = 0; i <= curve->n_points; i++) {
        if (i < curve->n_points && isfinite(curve->y[i * curve->stride]) && isfinite(curve->other[i * curve->stride])) {
            continue;
        }
        if (i > first) {
            PML_TRY(draw_area(curve, style, frame, first, i, drawing, error));
        }
        first = i + 1;
    }
done:
    return status;
}

pml_status pml_curve_draw(const pml_chart_curve *curve, const pml_chart_style *style, const pml_frame *frame,
                          pml_drawing *drawing, pml_error *error) {
    switch (style->form) {
    case PML_CHART_BAND:
        return draw_band(curve, style, frame, drawing, error);
    case PML_CHART_DOTS:
        return draw_dots(curve, style, frame, drawing, error);
    default:
        return draw_line(curve, style, frame, drawing, error);
    }
}
