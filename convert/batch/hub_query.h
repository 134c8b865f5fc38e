/* The models of a hub that fit a query, as a manifest. */
#ifndef PML_CONVERT_BATCH_HUB_QUERY_H
#define PML_CONVERT_BATCH_HUB_QUERY_H

#include <stdio.h>

#include "convert/hub/hub_environment.h"

typedef struct pml_hub_query { /* texts are borrowed; NULL: any */
    const char *author;
    const char *search;
    const char *const *filters; /* tags, all of which a model must have */
    size_t n_filters;
    uint64_t limit; /* 0: all */
} pml_hub_query;

/* The list of the query, one repository a line, as a file below `folder`/.pml-batch (made where needed); *path is the
 * caller's (pml_free). The first that asks keeps the answer: shards and later runs then mean the same models. `refresh`
 * asks again. Errors: those of the hub's session, NOT_FOUND (offline, and never asked before), FORMAT, IO. */
pml_status pml_hub_query_list(const pml_hub_query *query, const pml_hub_given *given, const char *folder, bool refresh,
                              char **path, pml_error *error) PML_WARN_UNUSED;

/* Appends the "id" of every model in one page of an answer, a line each, to *stream; at most `most` of them, *n_models
 * counts all. Errors: FORMAT (no such list, or an id that is no repository), MEMORY. */
pml_status pml_hub_query_read_page(const char *bytes, size_t size_bytes, uint64_t most, FILE *stream,
                                   uint64_t *n_models, pml_error *error) PML_WARN_UNUSED;

#endif
