/* The lines and texts that charts of every kind are made of. */
#include <stdio.h>
#include <string.h>

#include "runtime/plot/chart_parts.h"

pml_status pml_chart_line(pml_drawing *drawing, uint32_t rgb, double width, bool is_dashed, pml_point from,
                          pml_point to, pml_error *error) {
    const pml_mark style = {.kind = PML_MARK_LINE, .rgb = rgb, .size = width, .is_dashed = is_dashed};
    return pml_drawing_shape(drawing, &style, (const pml_point[2]){from, to}, 2, error);
}

pml_status pml_chart_rectangle(pml_drawing *drawing, uint32_t rgb, double opacity, pml_point from, pml_point to,
                               pml_error *error) {
    const pml_mark style = {.kind = PML_MARK_AREA, .rgb = rgb, .opacity = opacity};
    const pml_point corners[4] = {from, {to.x, from.y}, to, {from.x, to.y}};
    return pml_drawing_shape(drawing, &style, corners, 4, error);
}

pml_status pml_chart_text(pml_drawing *drawing, uint32_t rgb, double size, pml_anchor anchor, double x, double y,
                          const char *what, pml_error *error) {
    const pml_mark style = {.rgb = rgb, .size = size, .anchor = anchor};
    return pml_drawing_text(drawing, &style, x, y, what, error);
}

pml_status pml_chart_cut_text(pml_drawing *drawing, const pml_mark *style, double x, double y, double room,
                              const char *what, pml_error *error) {
    const double size = style->size * (style->is_bold ? 1.1 : 1);
    char cut[512];
    if (pml_drawing_text_width(what, size) <= room && strlen(what) < sizeof cut) {
        return pml_drawing_text(drawing, style, x, y, what, error);
    }
    size_t length = strnlen(what, sizeof cut - 8);
    do {
        memcpy(cut, what, length);
        while (length > 0 && (what[length] & 0xc0) == 0x80) {
            length--;
        }
        (void)snprintf(cut + length, 8, "\xe2\x80\xa6");
    } while (pml_drawing_text_width(cut, size) > room && length-- > 1);
    return pml_drawing_text(drawing, style, x, y, cut, error);
}

pml_status pml_chart_heading(pml_drawing *drawing, double x, double y, double room, const char *what,
                             pml_error *error) {
    const pml_mark style = {.rgb = PML_INK, .size = PML_CHART_FONT, .is_bold = true};
    return pml_chart_cut_text(drawing, &style, x, y, room, what, error);
}
