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

pml_status pml_curve_draw(const pml_chart_curve *curve, const pml_chart_style *style, const pml_frame *frame,
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
