/* Which paths there are, what may be done with them, and by whom. */
#ifndef PML_RUNTIME_SERVE_ROUTES_H
#define PML_RUNTIME_SERVE_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

typedef enum pml_route_kind {
    PML_ROUTE_OTHER, /* a path that is not known */
    PML_ROUTE_HEALTH,
    PML_ROUTE_METRICS,
    PML_ROUTE_MODELS,
    PML_ROUTE_MODEL, /* /v1/models/<name> */
    PML_ROUTE_EMBEDDINGS,
    PML_ROUTE_COMPLETIONS,
    PML_N_ROUTES
} pml_route_kind;

typedef struct pml_route {
    const char *name;    /* for logs and metrics */
    const char *path;    /* NULL: none; of PML_ROUTE_MODEL what it begins with */
    const char *methods; /* as in the header Allow */
    bool needs_key;
} pml_route;

extern const pml_route pml_routes[PML_N_ROUTES];
extern const char *const pml_route_names[PML_N_ROUTES];

/* *rest: behind the path of a route whose path is a beginning. */
pml_route_kind pml_route_find(const char *path, const char **rest);
bool pml_route_allows(pml_route_kind kind, const char *method);
/* Whether `header`, of "Authorization" or NULL, is "Bearer <key>", in a time that tells nothing about how much of it
 * fits. */
bool pml_route_key_fits(const char *header, const char *key);

#endif
