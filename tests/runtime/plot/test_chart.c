/* Charts as SVG text: where things lie, and what becomes of gaps, single points, great numbers of points, bad names. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/plot/chart.h"
#include "tests/harness.h"

static const pml_chart_style styles[] = {{"history", 0x3b5b7a, 1.5, false, PML_CHART_LINE},
                                         {"forecast", 0xd55e00, 2, true, PML_CHART_LINE}};

static pml_chart chart_of(const pml_chart_panel *panels, size_t n_panels) {
    return (pml_chart){.width = 600,
                       .height = 300,
                       .axis = PML_CHART_COUNTS,
                       .styles = styles,
                       .n_styles = 2,
                       .panels = panels,
                       .n_panels = n_panels};
}

/* The caller frees. */
static char *svg_of(const pml_chart *chart) {
    pml_drawing drawing = {0};
    pml_error error = {0};
    char *text = NULL;
    size_t size_bytes = 0;
    PML_ASSERT_OK(pml_chart_draw(chart, &drawing, &error), &error);
    FILE *stream = open_memstream(&text, &size_bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    pml_drawing_write_svg(&drawing, stream);
    (void)fclose(stream);
    pml_drawing_deinit(&drawing);
    return text;
}

static size_t count(const char *text, const char *part) {
    size_t n = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) {
        n++;
    }
    return n;
}

static void lines_and_labels(void) {
    static const double x[] = {0, 1, 2, 3}, y[] = {0, 10, NAN, 5};
    const pml_chart_panel panel = {.name = "a<b&\"c\"", .n_curves = 1, .curves = {{0, 4, x, y, 1, NULL}}};
    pml_chart chart = chart_of(&panel, 1);
    chart.title = "bad \xff\x1b name";
    char *svg = svg_of(&chart);
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, "width=\"600\" height=\"300\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">a&lt;b&amp;&quot;c&quot;</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">bad \xef\xbf\xbd\xef\xbf\xbd name</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">history</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">forecast</text>"));
    /* the gap leaves a line of two points and a dot at the right edge */
    CU_ASSERT_EQUAL(count(svg, "<circle"), 1);
    CU_ASSERT_EQUAL(count(svg, "stroke=\"#3b5b7a\""), 2); /* it and the legend's */
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, "<circle cx=\"562\""));
    free(svg);
}

static void values_from_bottom_to_top(void) {
    static const double x[] = {0, 1}, y[] = {-1, 1};
    const pml_chart_panel panel = {.name = "p", .n_curves = 1, .curves = {{0, 2, x, y, 1, NULL}}};
    const pml_chart chart = chart_of(&panel, 1);
    pml_drawing drawing = {0};
    pml_error error = {0};
    PML_ASSERT_OK(pml_chart_draw(&chart, &drawing, &error), &error);
    bool found = false;
    for (size_t i = 0; i < drawing.n_marks; i++) {
        const pml_mark *m = &drawing.marks[i];
        if (m->kind == PML_MARK_LINE && m->size == 1.5) {
            const pml_point *p = drawing.points + m->first_point;
            found = true;
            CU_ASSERT_TRUE(m->n_points == 2 && p[0].x < p[1].x && p[0].y > p[1].y);
        }
    }
    CU_ASSERT_TRUE(found);
    pml_drawing_deinit(&drawing);
}

/* A peak among a million points is still there, and the drawing is small. */
static void many_points(void) {
    enum { N = 1000000 };
    double *x = malloc(N * sizeof *x), *y = calloc(N, sizeof *y);
    CU_ASSERT_TRUE_FATAL(x != NULL && y != NULL);
    for (size_t i = 0; i < N; i++) {
        x[i] = (double)i;
    }
    y[654321] = 100;
    const pml_chart_panel panel = {.name = "p", .n_curves = 1, .curves = {{0, N, x, y, 1, NULL}}};
    const pml_chart chart = chart_of(&panel, 1);
    pml_drawing drawing = {0};
    pml_error error = {0};
    PML_ASSERT_OK(pml_chart_draw(&chart, &drawing, &error), &error);
    CU_ASSERT_TRUE(drawing.n_points < 4 * 600 + 200);
    double highest = 1e9;
    for (size_t i = 0; i < drawing.n_marks; i++) {
        for (size_t k = 0; drawing.marks[i].size == 1.5 && k < drawing.marks[i].n_points; k++) {
            highest = fmin(highest, drawing.points[drawing.marks[i].first_point + k].y);
        }
    }
    CU_ASSERT_TRUE(highest < 100);
    pml_drawing_deinit(&drawing);
    free(x);
    free(y);
}

static void odd_values(void) {
    static const double x[] = {5, 6, 7};
    static const double cases[][3] = {{NAN, NAN, NAN}, {7, 7, 7}, {1e308, -1e308, INFINITY}, {0, 0, 0}, {NAN, 3, NAN}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t n = 0; n <= 3; n++) {
            const pml_chart_panel panel = {.name = "p", .n_curves = 1, .curves = {{0, n, x, cases[i], 1, NULL}}};
            const pml_chart chart = chart_of(&panel, 1);
            char *svg = svg_of(&chart);
            CU_ASSERT_PTR_NULL(strstr(svg, "nan"));
            CU_ASSERT_PTR_NULL(strstr(svg, "inf"));
            free(svg);
        }
    }
}

static void bands_and_dots(void) {
    static const pml_chart_style forms[] = {{"band", 0x00ff00, 0.5, false, PML_CHART_BAND},
                                            {NULL, 0x0000ff, 3, false, PML_CHART_DOTS}};
    static const double x[] = {0, 1, 2, 3, 4}, low[] = {0, 1, NAN, 1, 2}, high[] = {2, 3, 4, 5, INFINITY};
    const pml_chart_panel panel = {
        .name = "p", .n_curves = 2, .curves = {{0, 5, x, low, 1, high}, {1, 5, x, high, 1, NULL}}};
    pml_chart chart = chart_of(&panel, 1);
    chart.styles = forms;
    char *svg = svg_of(&chart);
    CU_ASSERT_EQUAL(count(svg, "<polygon"), 3); /* the legend's, 0 to 1, and 3 alone */
    CU_ASSERT_EQUAL(count(svg, "fill-opacity=\"0.5\""), 3);
    CU_ASSERT_EQUAL(count(svg, "<circle"), 4); /* a style without a name is not in the legend */
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">band</text>"));
    free(svg);
}

static void too_small(void) {
    static const pml_chart_panel panels[20];
    const pml_chart chart = chart_of(panels, 20);
    pml_drawing drawing = {0};
    pml_error error = {0};
    PML_ASSERT_FAILS(pml_chart_draw(&chart, &drawing, &error), PML_E_ARGUMENT, &error, "600 x 300 pixels are too few");
    pml_drawing_deinit(&drawing);
}

PML_TESTS("runtime/plot/chart", PML_TEST(lines_and_labels), PML_TEST(values_from_bottom_to_top), PML_TEST(many_points),
          PML_TEST(odd_values), PML_TEST(bands_and_dots), PML_TEST(too_small))
