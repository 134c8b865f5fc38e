/* A drawing as PNG and PDF, painted by cairo. */
#include <cairo-pdf.h>
#include <cairo.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/plot/drawing.h"

#define MOST_FILE_BYTES ((size_t)1 << 31)
#define POINTS_PER_PIXEL 0.75

static void use_color(cairo_t *cr, uint32_t rgb, double opacity) {
    cairo_set_source_rgba(cr, (rgb >> 16 & 0xff) / 255.0, (rgb >> 8 & 0xff) / 255.0, (rgb & 0xff) / 255.0, opacity);
}

static void paint_text(cairo_t *cr, const pml_drawing *drawing, const pml_mark *mark) {
    const pml_point at = drawing->points[mark->first_point];
    const char *text = drawing->texts + mark->text;
    cairo_text_extents_t extents;
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           mark->is_bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, mark->size);
    cairo_text_extents(cr, text, &extents);
    const double back[] = {0, 0.5, 1};
    cairo_move_to(cr, at.x - back[mark->anchor] * extents.x_advance, at.y);
    cairo_show_text(cr, text);
}

static void paint_mark(cairo_t *cr, const pml_drawing *drawing, const pml_mark *mark) {
    static const double dashes[] = {5, 4};
    const pml_point *points = drawing->points + mark->first_point;
    cairo_new_path(cr); /* a text leaves its end behind */
    use_color(cr, mark->rgb, mark->kind == PML_MARK_AREA ? mark->opacity : 1);
    if (mark->kind == PML_MARK_TEXT) {
        paint_text(cr, drawing, mark);
        return;
    }
    if (mark->kind == PML_MARK_LINE && mark->n_points == 1) {
        cairo_arc(cr, points[0].x, points[0].y, mark->size, 0, 2 * 3.14159265358979);
        cairo_fill(cr);
        return;
    }
    for (size_t i = 0; i < mark->n_points; i++) {
        cairo_line_to(cr, points[i].x, points[i].y);
    }
    if (mark->kind == PML_MARK_AREA) {
        cairo_fill(cr);
        return;
    }
    cairo_set_line_width(cr, mark->size);
    cairo_set_dash(cr, dashes, mark->is_dashed ? 2 : 0, 0);
    cairo_stroke(cr);
}

/* What cairo holds in its own error states. */
static pml_status check(cairo_status_t code, pml_error *error) {
    if (code == CAIRO_STATUS_SUCCESS) {
        return PML_OK;
    }
    return PML_FAIL(error, code == CAIRO_STATUS_NO_MEMORY ? PML_E_MEMORY : PML_E_IO, "cairo: %s",
                    cairo_status_to_string(code));
}

static pml_status paint(cairo_surface_t *surface, double scale, const pml_drawing *drawing, pml_error *error) {
    cairo_t *cr = cairo_create(surface);
    cairo_scale(cr, scale, scale);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    use_color(cr, 0xffffff, 1);
    cairo_paint(cr);
    for (size_t i = 0; i < drawing->n_marks && cairo_status(cr) == CAIRO_STATUS_SUCCESS; i++) {
        if (drawing->marks[i].n_points > 0) {
            paint_mark(cr, drawing, &drawing->marks[i]);
        }
    }
    const cairo_status_t code = cairo_status(cr);
    cairo_destroy(cr);
    return check(code, error);
}

typedef struct sink { /* the bytes that cairo writes */
    char *bytes;
    size_t size_bytes, capacity;
} sink;

static cairo_status_t on_bytes(void *user, const unsigned char *bytes, unsigned n_bytes) {
    sink *s = user;
    if (pml_grow(&s->bytes, &s->capacity, s->size_bytes + n_bytes, 1, MOST_FILE_BYTES, "bytes", NULL) != PML_OK) {
        return CAIRO_STATUS_NO_MEMORY;
    }
    memcpy(s->bytes + s->size_bytes, bytes, n_bytes);
    s->size_bytes += n_bytes;
    return CAIRO_STATUS_SUCCESS;
}

static void give(sink *s, char **bytes, size_t *size_bytes) {
    *bytes = s->bytes;
    *size_bytes = s->size_bytes;
    s->bytes = NULL;
}

pml_status pml_drawing_png(const pml_drawing *drawing, char **bytes, size_t *size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    sink s = {0};
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)drawing->width, (int)drawing->height);
    PML_TRY(paint(surface, 1, drawing, error));
    PML_TRY(check(cairo_surface_write_to_png_stream(surface, on_bytes, &s), error));
    give(&s, bytes, size_bytes);
done:
    cairo_surface_destroy(surface);
    pml_free(s.bytes);
    return status;
}

pml_status pml_drawing_pdf(const pml_drawing *drawing, char **bytes, size_t *size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    sink s = {0};
    cairo_surface_t *surface = cairo_pdf_surface_create_for_stream(on_bytes, &s, drawing->width * POINTS_PER_PIXEL,
                                                                   drawing->height * POINTS_PER_PIXEL);
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, "");
    PML_TRY(paint(surface, POINTS_PER_PIXEL, drawing, error));
    cairo_surface_finish(surface);
    PML_TRY(check(cairo_surface_status(surface), error));
    give(&s, bytes, size_bytes);
done:
    cairo_surface_destroy(surface);
    pml_free(s.bytes);
    return status;
}
