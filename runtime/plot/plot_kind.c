#include "runtime/plot/plot_kind.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json_reader.h"
#include "runtime/base/log.h"
#include "runtime/base/quote.h"

enum { DEFAULT_PANELS = 12 };

#define PML_PLOT_KIND(id) extern const pml_plot_kind pml_plot_kind_##id;
#include "runtime/plot/kinds/registry.def"
#undef PML_PLOT_KIND

#define PML_PLOT_KIND(id) &pml_plot_kind_##id,
static const pml_plot_kind *const kinds[] = {
#include "runtime/plot/kinds/registry.def"
    NULL};
#undef PML_PLOT_KIND
enum { N_KINDS = sizeof kinds / sizeof kinds[0] - 1 };

const pml_plot_kind *const *pml_plot_kinds(void) {
    return kinds;
}

pml_status pml_plot_kind_find(const char *name, const pml_plot_request *request, const pml_plot_kind **kind,
                              pml_error *error) {
    char names[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < N_KINDS; i++) {
        if (name != NULL ? strcmp(name, kinds[i]->name) == 0 : kinds[i]->fits(request)) {
            *kind = kinds[i];
            return PML_OK;
        }
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", kinds[i]->name);
    }
    pml_quoted quoted;
    return PML_FAIL(error, PML_E_ARGUMENT, "%s is no kind of plot; there are %s",
                    pml_quote(&quoted, name != NULL ? name : request->path), names);
}

void pml_plot_result_deinit(pml_plot_result *result) {
    pml_drawing_deinit(&result->drawing);
    pml_names_deinit(&result->panels);
}

bool pml_plot_begins(const pml_plot_request *request, const char *text) {
    static const char mark[] = "\xef\xbb\xbf"; /* of byte order */
    const bool has_mark = request->size_bytes >= strlen(mark) && memcmp(request->bytes, mark, strlen(mark)) == 0;
    const size_t from = has_mark ? strlen(mark) : 0;
    return request->size_bytes - from >= strlen(text) && memcmp(request->bytes + from, text, strlen(text)) == 0;
}

bool pml_plot_is_json(const pml_plot_request *request) {
    return request->bytes[strspn(request->bytes, " \t\r\n")] == '{';
}

bool pml_plot_has_member(const pml_plot_request *request, const char *name) {
    pml_json_reader json;
    bool found = false;
    pml_json_reader_init(&json, request->bytes, request->size_bytes, 0, request->path, PML_MAX_CONFIG_BYTES);
    json.has_python_numbers = true;
    if (pml_json_expect(&json, PML_JSON_OBJECT_BEGIN, "", NULL) == PML_OK) {
        while (!found && pml_json_next(&json, NULL) == PML_OK && json.token == PML_JSON_KEY) {
            found = strcmp(json.text, name) == 0;
            if (!found && pml_json_skip(&json, NULL) != PML_OK) {
                break;
            }
        }
    }
    pml_json_reader_deinit(&json);
    return found;
}

unsigned pml_plot_height(const pml_plot_request *request, size_t n_panels) {
    if (request->height != 0) {
        return request->height;
    }
    return n_panels < 3 ? 120 + 260 * (unsigned)n_panels : 100 + 150 * (unsigned)n_panels;
}

static pml_status add(pml_plot_choice *c, size_t i_name, const char *name, pml_plot_result *result, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_panel = 0;
    bool is_new = false;
    pml_quoted quoted;
    if (c->n == PML_MAX_PANELS) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a plot has at most %u columns", PML_MAX_PANELS));
    }
    PML_TRY(pml_names_add(&result->panels, name, strlen(name), PML_MAX_PANELS, "panels", &i_panel, &is_new, error));
    if (!is_new) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "column %s is asked for twice", pml_quote(&quoted, name)));
    }
    c->at[c->n++] = i_name;
done:
    return status;
}

pml_status pml_plot_choose(const pml_plot_request *request, const char *const *names, size_t n_names, const char *what,
                           pml_plot_choice *c, pml_plot_result *result, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; request->columns == NULL && i < n_names && i < DEFAULT_PANELS; i++) {
        PML_TRY(add(c, i, names[i], result, error));
    }
    if (request->columns == NULL && n_names > DEFAULT_PANELS) {
        pml_log(PML_LOG_WARNING, "%d of %zu columns are drawn; --columns chooses others", DEFAULT_PANELS, n_names);
    }
    for (const char *at = request->columns; at != NULL;) {
        const size_t length = strcspn(at, ",");
        size_t i = 0;
        while (i < n_names && (strlen(names[i]) != length || memcmp(names[i], at, length) != 0)) {
            i++;
        }
        if (i == n_names) {
            pml_quoted quoted;
            char cut[128];
            (void)snprintf(cut, sizeof cut, "%.*s", (int)(length < 120 ? length : 120), at);
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s has no column %s", what, pml_quote(&quoted, cut)));
        }
        PML_TRY(add(c, i, names[i], result, error));
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
done:
    return status;
}
