/* What the parts of the chart share. */
#ifndef PML_RUNTIME_PLOT_CHART_PARTS_H
#define PML_RUNTIME_PLOT_CHART_PARTS_H

#include "runtime/plot/axis.h"
#include "runtime/plot/chart.h"

typedef struct pml_frame { /* where a panel's curves lie, and what its edges mean */
    double left, top, right, bottom;
    const pml_axis *x, *y;
} pml_frame;

double pml_frame_x(const pml_frame *frame, double value);
double pml_frame_y(const pml_frame *frame, double value); /* beyond the frame: its edge */

pml_status pml_curve_draw(const pml_chart_curve *curve, const pml_chart_style *style, const pml_frame *frame,
                          pml_drawing *drawing, pml_error *error) PML_WARN_UNUSED;

#endif
