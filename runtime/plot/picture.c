#include "runtime/plot/picture.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/publish.h"
#include "runtime/base/quote.h"

static pml_status svg(const pml_drawing *drawing, char **bytes, size_t *size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    FILE *stream = open_memstream(&text, size_bytes);
    if (stream == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "not enough memory for the drawing's text"));
    }
    pml_drawing_write_svg(drawing, stream);
    bool failed = ferror(stream) != 0;
    failed = fclose(stream) != 0 || failed;
    if (failed) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "not enough memory for the drawing's text"));
    }
    PML_TRY(pml_string_copy(text, *size_bytes, bytes, error));
done:
    free(text); /* open_memstream's own */
    return status;
}

static const struct {
    const char *ending;
    pml_status (*encode)(const pml_drawing *drawing, char **bytes, size_t *size_bytes, pml_error *error);
} formats[] = {{".png", pml_drawing_png}, {".svg", svg}, {".pdf", pml_drawing_pdf}};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

static size_t find(const char *path) {
    const char *dot = strrchr(path, '.');
    size_t i = 0;
    while (i < N_FORMATS && (dot == NULL || strcasecmp(dot, formats[i].ending) != 0)) {
        i++;
    }
    return i;
}

pml_status pml_picture_check(const char *path, pml_error *error) {
    pml_quoted quoted;
    return find(path) < N_FORMATS ? PML_OK
                                  : PML_FAIL(error, PML_E_ARGUMENT, "%s: a plot's name ends in .png, .svg or .pdf",
                                             pml_quote(&quoted, path));
}

pml_status pml_picture_write(const pml_drawing *drawing, const char *path, bool replace, pml_error *error) {
    pml_status status = PML_OK;
    pml_publish *publish = NULL;
    char *bytes = NULL;
    size_t size_bytes = 0;
    PML_TRY(pml_picture_check(path, error));
    PML_TRY(formats[find(path)].encode(drawing, &bytes, &size_bytes, error));
    PML_TRY(pml_publish_begin(path, size_bytes, replace, &publish, error));
    PML_TRY(pml_publish_write(publish, 0, bytes, size_bytes, error));
    status = pml_publish_commit(publish, error);
    publish = NULL;
done:
    pml_publish_abort(publish);
    pml_free(bytes);
    return status;
}
