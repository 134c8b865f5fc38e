#include "runtime/serve/routes.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

const pml_route pml_routes[PML_N_ROUTES] = {
    [PML_ROUTE_OTHER] = {"other", NULL, "", true},
    [PML_ROUTE_HEALTH] = {"/health", "/health", "GET, HEAD", false},
    [PML_ROUTE_METRICS] = {"/metrics", "/metrics", "GET, HEAD", false},
    [PML_ROUTE_MODELS] = {"/v1/models", "/v1/models", "GET, HEAD", true},
    [PML_ROUTE_MODEL] = {"/v1/models/{model}", "/v1/models/", "GET, HEAD", true},
    [PML_ROUTE_EMBEDDINGS] = {"/v1/embeddings", "/v1/embeddings", "POST", true},
    [PML_ROUTE_COMPLETIONS] = {"/v1/completions", "/v1/completions", "POST", true},
};

const char *const pml_route_names[PML_N_ROUTES] = {
    "other", "/health", "/metrics", "/v1/models", "/v1/models/{model}", "/v1/embeddings", "/v1/completions"};

pml_route_kind pml_route_find(const char *path, const char **rest) {
    *rest = "";
    for (pml_route_kind kind = PML_ROUTE_OTHER + 1; kind < PML_N_ROUTES; kind++) {
        const char *own = pml_routes[kind].path;
        if (strcmp(path, own) == 0 && kind != PML_ROUTE_MODEL) {
            return kind;
        }
        if (kind == PML_ROUTE_MODEL && strncmp(path, own, strlen(own)) == 0 && path[strlen(own)] != '\0') {
            *rest = path + strlen(own);
            return kind;
        }
    }
    return PML_ROUTE_OTHER;
}

bool pml_route_allows(pml_route_kind kind, const char *method) {
    const size_t length = strlen(method);
    for (const char *at = pml_routes[kind].methods; *at != '\0';) {
        const size_t width = strcspn(at, ",");
        if (width == length && strncmp(at, method, width) == 0) {
            return true;
        }
        at += width + strspn(at + width, ", ");
    }
    return false;
}

bool pml_route_key_fits(const char *header, const char *key) {
    static const char scheme[] = "Bearer ";
    const size_t n_scheme = sizeof scheme - 1, n_key = strlen(key);
    if (header == NULL || strncasecmp(header, scheme, n_scheme) != 0) {
        return false;
    }
    const char *given = header + n_scheme;
    const size_t n_given = strlen(given);
    /* As many steps as what was given has bytes, whatever they are. */
    volatile uint8_t difference = n_given == n_key ? 0 : 1;
    for (size_t i = 0; i < n_given; i++) {
        difference = (uint8_t)(difference | ((uint8_t)given[i] ^ (uint8_t)key[n_key > 0 ? i % n_key : 0]));
    }
    return difference == 0 && n_key > 0;
}
