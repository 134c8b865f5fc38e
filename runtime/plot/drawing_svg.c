/* A drawing as SVG 1.1. */
#include "runtime/plot/drawing.h"

/* Hundredths of a pixel, without the zeros behind. */
static void write_number(FILE *stream, double value) {
    char text[64];
    int length = snprintf(text, sizeof text, "%.2f", value);
    while (length > 1 && text[length - 1] == '0') {
        length--;
    }
    length -= text[length - 1] == '.';
    (void)fprintf(stream, "%.*s", length, text);
}

static void write_escaped(FILE *stream, const char *text) {
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            (void)fputs("&lt;", stream);
            break;
        case '>':
            (void)fputs("&gt;", stream);
            break;
        case '&':
            (void)fputs("&amp;", stream);
            break;
        case '"':
            (void)fputs("&quot;", stream);
            break;
        default:
            (void)fputc(*text, stream);
        }
    }
}

static void write_text(const pml_drawing *drawing, const pml_mark *mark, FILE *stream) {
    static const char *const anchors[] = {"start", "middle", "end"};
    (void)fputs("<text x=\"", stream);
    write_number(stream, drawing->points[mark->first_point].x);
    (void)fputs("\" y=\"", stream);
    write_number(stream, drawing->points[mark->first_point].y);
    (void)fputs("\" font-size=\"", stream);
    write_number(stream, mark->size);
    (void)fprintf(stream, "\" fill=\"#%06x\" text-anchor=\"%s\"%s>", mark->rgb, anchors[mark->anchor],
                  mark->is_bold ? " font-weight=\"bold\"" : "");
    write_escaped(stream, drawing->texts + mark->text);
    (void)fputs("</text>\n", stream);
}

static void write_points(const pml_drawing *drawing, const pml_mark *mark, FILE *stream) {
    for (size_t i = 0; i < mark->n_points; i++) {
        (void)fputs(i > 0 ? " " : "", stream);
        write_number(stream, drawing->points[mark->first_point + i].x);
        (void)fputc(',', stream);
        write_number(stream, drawing->points[mark->first_point + i].y);
    }
}

static void write_shape(const pml_drawing *drawing, const pml_mark *mark, FILE *stream) {
    const pml_point first = drawing->points[mark->first_point];
    if (mark->kind == PML_MARK_LINE && mark->n_points == 1) {
        (void)fputs("<circle cx=\"", stream);
        write_number(stream, first.x);
        (void)fputs("\" cy=\"", stream);
        write_number(stream, first.y);
        (void)fputs("\" r=\"", stream);
        write_number(stream, mark->size);
        (void)fprintf(stream, "\" fill=\"#%06x\"/>\n", mark->rgb);
        return;
    }
    (void)fputs(mark->kind == PML_MARK_LINE ? "<polyline points=\"" : "<polygon points=\"", stream);
    write_points(drawing, mark, stream);
    if (mark->kind == PML_MARK_AREA) {
        (void)fprintf(stream, "\" fill=\"#%06x\" fill-opacity=\"", mark->rgb);
        write_number(stream, mark->opacity);
        (void)fputs("\"/>\n", stream);
        return;
    }
    (void)fprintf(stream, "\" fill=\"none\" stroke=\"#%06x\" stroke-linejoin=\"round\"%s stroke-width=\"", mark->rgb,
                  mark->is_dashed ? " stroke-dasharray=\"5,4\"" : "");
    write_number(stream, mark->size);
    (void)fputs("\"/>\n", stream);
}

void pml_drawing_write_svg(const pml_drawing *drawing, FILE *stream) {
    (void)fprintf(stream,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" "
                  "font-family=\"sans-serif\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
                  drawing->width, drawing->height, drawing->width, drawing->height);
    for (size_t i = 0; i < drawing->n_marks; i++) {
        const pml_mark *mark = &drawing->marks[i];
        if (mark->n_points > 0 && mark->kind == PML_MARK_TEXT) {
            write_text(drawing, mark, stream);
        } else if (mark->n_points > 0) {
            write_shape(drawing, mark, stream);
        }
    }
    (void)fputs("</svg>\n", stream);
}
