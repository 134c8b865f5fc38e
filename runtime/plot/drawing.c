#include "runtime/plot/drawing.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/utf8.h"

#define MOST_PARTS ((size_t)1 << 26)
#define REPLACEMENT "\xef\xbf\xbd"

pml_status pml_drawing_begin(pml_drawing *drawing, const pml_mark *style, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_grow(&drawing->marks, &drawing->marks_capacity, drawing->n_marks + 1, sizeof *drawing->marks,
                     MOST_PARTS, "marks in a drawing", error));
    drawing->marks[drawing->n_marks] = *style;
    drawing->marks[drawing->n_marks].first_point = drawing->n_points;
    drawing->marks[drawing->n_marks].n_points = 0;
    drawing->n_marks++;
done:
    return status;
}

pml_status pml_drawing_point(pml_drawing *drawing, double x, double y, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_grow(&drawing->points, &drawing->points_capacity, drawing->n_points + 1, sizeof *drawing->points,
                     MOST_PARTS, "points in a drawing", error));
    drawing->points[drawing->n_points++] = (pml_point){x, y};
    drawing->marks[drawing->n_marks - 1].n_points++;
done:
    return status;
}

pml_status pml_drawing_shape(pml_drawing *drawing, const pml_mark *style, const pml_point *points, size_t n_points,
                             pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_drawing_begin(drawing, style, error));
    for (size_t i = 0; i < n_points; i++) {
        PML_TRY(pml_drawing_point(drawing, points[i].x, points[i].y, error));
    }
done:
    return status;
}

static pml_status append(pml_drawing *drawing, const char *bytes, size_t size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_grow(&drawing->texts, &drawing->texts_capacity, drawing->texts_bytes + size_bytes, 1, MOST_PARTS,
                     "bytes of text in a drawing", error));
    memcpy(drawing->texts + drawing->texts_bytes, bytes, size_bytes);
    drawing->texts_bytes += size_bytes;
done:
    return status;
}

pml_status pml_drawing_text(pml_drawing *drawing, const pml_mark *style, double x, double y, const char *text,
                            pml_error *error) {
    pml_status status = PML_OK;
    pml_mark mark = *style;
    mark.kind = PML_MARK_TEXT;
    mark.text = drawing->texts_bytes;
    for (size_t left = strlen(text); left > 0;) {
        const uint8_t *bytes = (const uint8_t *)text;
        const size_t length = pml_utf8_length(bytes, left);
        const bool is_shown = length > 0 && !pml_utf8_steers(pml_utf8_code(bytes, length));
        PML_TRY(is_shown ? append(drawing, text, length, error)
                         : append(drawing, REPLACEMENT, strlen(REPLACEMENT), error));
        text += length > 0 ? length : 1;
        left -= length > 0 ? length : 1;
    }
    PML_TRY(append(drawing, "", 1, error));
    PML_TRY(pml_drawing_shape(drawing, &mark, &(pml_point){x, y}, 1, error));
done:
    return status;
}

double pml_drawing_text_width(const char *text, double size) {
    double width = 0;
    for (const uint8_t *at = (const uint8_t *)text; *at != '\0'; at++) {
        if ((*at & 0xc0) != 0x80) {
            width += *at >= 0xe3 ? 1.0 : 0.62; /* from U+3000 on, most are as wide as they are high */
        }
    }
    return width * size;
}

void pml_drawing_deinit(pml_drawing *drawing) {
    pml_free(drawing->marks);
    pml_free(drawing->points);
    pml_free(drawing->texts);
    *drawing = (pml_drawing){0};
}
