/* Kinds of charts: one file in kinds/ and one line in its registry.def each. A kind reads its own file and draws it. */
#ifndef PML_RUNTIME_PLOT_PLOT_KIND_H
#define PML_RUNTIME_PLOT_PLOT_KIND_H

#include "runtime/base/names.h"
#include "runtime/plot/chart.h"

typedef struct pml_plot_request { /* everything borrowed */
    const char *path;             /* of the file, for messages */
    const char *bytes;            /* its contents, zero-terminated */
    size_t size_bytes;
    const char *study;   /* of a journal with several; NULL: not given */
    const char *csv;     /* forecast: the history's path; NULL: not given */
    const char *columns; /* "A,B": what is drawn, in that order; NULL: the kind's choice */
    bool has_history;
    uint64_t history; /* forecast: rows before it */
    unsigned width;
    unsigned height; /* 0: the kind's choice */
    const char *title;
} pml_plot_request;

typedef struct pml_plot_result { /* zero = safe to deinit */
    pml_drawing drawing;
    pml_names panels; /* what is drawn: columns, values, parameters */
} pml_plot_result;

typedef struct pml_plot_kind {
    const char *name; /* the registry's */
    const char *file; /* what it draws, for messages and help */
    bool (*fits)(const pml_plot_request *request);
    /* Errors: FORMAT (file, line, cause), CONFIG (it lacks what was asked for), ARGUMENT (an option, the size), MEMORY,
     * and those of files that it reads. */
    pml_status (*draw)(const pml_plot_request *request, pml_plot_result *result, pml_error *error);
} pml_plot_kind;

/* The kind of that name, or the first that fits where it is NULL. Errors: ARGUMENT (no such kind; those that there
 * are).
 */
pml_status pml_plot_kind_find(const char *name, const pml_plot_request *request, const pml_plot_kind **kind,
                              pml_error *error) PML_WARN_UNUSED;
/* The registry, NULL at its end. */
const pml_plot_kind *const *pml_plot_kinds(void);
void pml_plot_result_deinit(pml_plot_result *result);

/* ---- for kinds ---- */
/* Whether the file is JSON, or its first line is, and that object has a member of this name. */
bool pml_plot_has_member(const pml_plot_request *request, const char *name);
/* Whether its first character is that of a JSON object; whether it begins with these words. */
bool pml_plot_is_json(const pml_plot_request *request);
bool pml_plot_begins(const pml_plot_request *request, const char *text);

typedef struct pml_plot_choice { /* which of the things in a file are drawn */
    size_t n;
    size_t at[PML_MAX_PANELS];
} pml_plot_choice;

/* The names in request->columns, or the first of all (at most 12, with a word in the log about the rest); fills
 * result->panels. `what` is for messages: "the forecast has no column". Errors: CONFIG (no such name, one twice),
 * ARGUMENT (more than PML_MAX_PANELS), MEMORY. */
pml_status pml_plot_choose(const pml_plot_request *request, const char *const *names, size_t n_names, const char *what,
                           pml_plot_choice *choice, pml_plot_result *result, pml_error *error) PML_WARN_UNUSED;
/* The height of the request, or one that suits so many panels. */
unsigned pml_plot_height(const pml_plot_request *request, size_t n_panels);

#endif
