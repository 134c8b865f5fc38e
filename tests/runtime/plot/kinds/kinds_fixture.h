/* A file's text drawn by the kind that fits it, as SVG. */
#ifndef PML_TESTS_RUNTIME_PLOT_KINDS_KINDS_FIXTURE_H
#define PML_TESTS_RUNTIME_PLOT_KINDS_KINDS_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "runtime/plot/plot_kind.h"
#include "tests/harness.h"

/* The text of a request of 800 pixels. */
static inline pml_plot_request request_of(const char *text) {
    return (pml_plot_request){.path = "x", .bytes = text, .size_bytes = strlen(text), .width = 800};
}

static inline pml_status draw_request(const pml_plot_request *request, const char *kind_name, pml_plot_result *result,
                                      pml_error *error) {
    const pml_plot_kind *kind = NULL;
    PML_ASSERT_OK(pml_plot_kind_find(NULL, request, &kind, error), error);
    CU_ASSERT_STRING_EQUAL(kind->name, kind_name);
    return kind->draw(request, result, error);
}

/* The caller frees. */
static inline char *svg_of(const pml_plot_request *request, const char *kind_name) {
    pml_error error = {0};
    pml_plot_result result = {0};
    char *text = NULL;
    size_t size_bytes = 0;
    PML_ASSERT_OK(draw_request(request, kind_name, &result, &error), &error);
    FILE *stream = open_memstream(&text, &size_bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    pml_drawing_write_svg(&result.drawing, stream);
    (void)fclose(stream);
    CU_ASSERT_PTR_NULL(strstr(text, "nan"));
    CU_ASSERT_PTR_NULL(strstr(text, "inf"));
    pml_plot_result_deinit(&result);
    return text;
}

static inline void refuses(const pml_plot_request *request, const char *kind_name, pml_status status,
                           const char *part) {
    pml_error error = {0};
    pml_plot_result result = {0};
    PML_ASSERT_FAILS(draw_request(request, kind_name, &result, &error), status, &error, part);
    pml_plot_result_deinit(&result);
}

static inline size_t count(const char *text, const char *part) {
    size_t n = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) {
        n++;
    }
    return n;
}

#endif
