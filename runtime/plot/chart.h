/* Line charts: a panel per column above each other, one horizontal axis, one legend. */
#ifndef PML_RUNTIME_PLOT_CHART_H
#define PML_RUNTIME_PLOT_CHART_H

#include "runtime/plot/drawing.h"

#define PML_MAX_PANELS 64u
#define PML_MAX_CHART_CURVES 56u /* of a panel */

typedef enum pml_chart_axis { PML_CHART_DATES, PML_CHART_COUNTS } pml_chart_axis;

typedef enum pml_chart_form {
    PML_CHART_LINE,
    PML_CHART_BAND, /* the area between two lines */
    PML_CHART_DOTS
} pml_chart_form;

typedef struct pml_chart_style { /* how a kind of curve looks, and what the legend calls it */
    const char *name;            /* NULL: it is not in the legend */
    uint32_t rgb;
    double width; /* DOTS: radius; BAND: opacity, from 0 to 1 */
    bool is_dashed;
    pml_chart_form form;
} pml_chart_style;

typedef struct pml_chart_curve {
    size_t i_style;
    size_t n_points;
    const double *x; /* [n_points] ascending: stamps in microseconds, or counts; shared between panels */
    const double *y; /* every `stride`-th; NaN: missing, a gap in the line */
    size_t stride;
    const double *other; /* BAND: its other edge, as y; else NULL */
} pml_chart_curve;

typedef struct pml_chart_panel {
    const char *name;
    pml_chart_curve curves[PML_MAX_CHART_CURVES];
    size_t n_curves;
} pml_chart_panel;

typedef struct pml_chart { /* everything borrowed */
    unsigned width, height;
    const char *title;  /* NULL: none */
    const char *x_name; /* NULL: none */
    pml_chart_axis axis;
    const pml_chart_style *styles;
    size_t n_styles;
    const pml_chart_panel *panels;
    size_t n_panels; /* 1 to PML_MAX_PANELS */
    bool has_mark;   /* a vertical line */
    double mark_x;
} pml_chart;

/* Draws into an empty drawing, whose size becomes the chart's. Where points lie closer than pixels, each column of
 * pixels keeps its first, lowest, highest and last. Errors: ARGUMENT (too small for its panels), MEMORY. */
pml_status pml_chart_draw(const pml_chart *chart, pml_drawing *drawing, pml_error *error) PML_WARN_UNUSED;

#endif
