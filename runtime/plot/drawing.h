/* A drawing: marks in the order in which they are painted, independent of any file format. Units are pixels, the origin
 * is the upper left corner. */
#ifndef PML_RUNTIME_PLOT_DRAWING_H
#define PML_RUNTIME_PLOT_DRAWING_H

#include <stdio.h>

#include "runtime/base/error.h"

typedef enum pml_mark_kind {
    PML_MARK_LINE, /* through its points; of one point: a dot */
    PML_MARK_AREA, /* the polygon of its points, filled */
    PML_MARK_TEXT  /* its one point is on the base line */
} pml_mark_kind;
typedef enum pml_anchor { PML_ANCHOR_START, PML_ANCHOR_MIDDLE, PML_ANCHOR_END } pml_anchor;

typedef struct pml_mark {
    pml_mark_kind kind;
    uint32_t rgb;   /* 0xRRGGBB */
    double opacity; /* of an AREA */
    double size;    /* LINE: width; TEXT: font size */
    bool is_dashed, is_bold;
    pml_anchor anchor; /* TEXT: what of it is at the point */
    size_t first_point, n_points;
    size_t text; /* TEXT: where in `texts` it begins; valid UTF-8 without characters that steer */
} pml_mark;

typedef struct pml_point {
    double x, y;
} pml_point;

typedef struct pml_drawing { /* zero apart from the size = empty, safe to deinit */
    unsigned width, height;
    pml_mark *marks;
    size_t n_marks, marks_capacity;
    pml_point *points;
    size_t n_points, points_capacity;
    char *texts; /* zero-terminated, one after the other */
    size_t texts_bytes, texts_capacity;
} pml_drawing;

/* Adds a mark like `style`, without points. Errors: MEMORY, FORMAT (a limit). */
pml_status pml_drawing_begin(pml_drawing *drawing, const pml_mark *style, pml_error *error) PML_WARN_UNUSED;
/* Adds a point to the last mark. */
pml_status pml_drawing_point(pml_drawing *drawing, double x, double y, pml_error *error) PML_WARN_UNUSED;
/* A whole line or area, and a whole text; what of the text is not to be shown becomes U+FFFD. */
pml_status pml_drawing_shape(pml_drawing *drawing, const pml_mark *style, const pml_point *points, size_t n_points,
                             pml_error *error) PML_WARN_UNUSED;
pml_status pml_drawing_text(pml_drawing *drawing, const pml_mark *style, double x, double y, const char *text,
                            pml_error *error) PML_WARN_UNUSED;
/* About how wide a text is: the same on every machine, whatever fonts it has. */
double pml_drawing_text_width(const char *text, double size);
void pml_drawing_deinit(pml_drawing *drawing);

/* As SVG, with text as text. Failures stay in the stream's error flag. */
void pml_drawing_write_svg(const pml_drawing *drawing, FILE *stream);
/* As PNG and PDF through cairo, a pixel being 1/96 inch; without fonts, in cairo's own. *bytes is the caller's
 * (pml_free). Errors: MEMORY, IO (what cairo reports). */
pml_status pml_drawing_png(const pml_drawing *drawing, char **bytes, size_t *size_bytes,
                           pml_error *error) PML_WARN_UNUSED;
pml_status pml_drawing_pdf(const pml_drawing *drawing, char **bytes, size_t *size_bytes,
                           pml_error *error) PML_WARN_UNUSED;

#endif
