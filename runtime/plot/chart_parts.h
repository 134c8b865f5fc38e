/* What the parts of the chart share. */
#ifndef PML_RUNTIME_PLOT_CHART_PARTS_H
#define PML_RUNTIME_PLOT_CHART_PARTS_H

#include "runtime/plot/axis.h"
#include "runtime/plot/chart.h"

#define PML_INK 0x262626u
#define PML_SOFT_INK 0x595959u
#define PML_GRID 0xe4e4e4u
#define PML_EDGE 0x8c8c8cu
#define PML_CHART_FONT 12.0
#define PML_CHART_SMALL_FONT 11.0
#define PML_CHART_MARGIN 14.0
#define PML_CHART_LINE_HEIGHT 16.0

typedef struct pml_frame { /* where a panel's curves lie, and what its edges mean */
    double left, top, right, bottom;
    const pml_axis *x, *y;
} pml_frame;

double pml_frame_x(const pml_frame *frame, double value);
double pml_frame_y(const pml_frame *frame, double value); /* beyond the frame: its edge */

pml_status pml_chart_line(pml_drawing *drawing, uint32_t rgb, double width, bool is_dashed, pml_point from,
                          pml_point to, pml_error *error) PML_WARN_UNUSED;
pml_status pml_chart_rectangle(pml_drawing *drawing, uint32_t rgb, double opacity, pml_point from, pml_point to,
                               pml_error *error) PML_WARN_UNUSED;
pml_status pml_chart_text(pml_drawing *drawing, uint32_t rgb, double size, pml_anchor anchor, double x, double y,
                          const char *what, pml_error *error) PML_WARN_UNUSED;
/* Cut with an ellipsis where it is wider than `room`. */
pml_status pml_chart_cut_text(pml_drawing *drawing, const pml_mark *style, double x, double y, double room,
                              const char *what, pml_error *error) PML_WARN_UNUSED;
/* The same in bold, from x on. */
pml_status pml_chart_heading(pml_drawing *drawing, double x, double y, double room, const char *what,
                             pml_error *error) PML_WARN_UNUSED;

pml_status pml_curve_draw(const pml_chart_curve *curve, const pml_chart_style *style, const pml_frame *frame,
                          pml_drawing *drawing, pml_error *error) PML_WARN_UNUSED;

#endif
