/* Bodies of requests, which anybody may have written: strict JSON in, checked structs out. Members that are not known
 * are refused, and so are known ones whose value asks for what is not done: nothing is ignored in silence. */
#ifndef PML_RUNTIME_SERVE_SERVE_REQUEST_H
#define PML_RUNTIME_SERVE_SERVE_REQUEST_H

#include "runtime/base/arena.h"
#include "runtime/base/limits.h"
#include "runtime/text/sampler.h"

typedef struct pml_serve_input { /* one text: as such or, where ids is not NULL, as its tokens */
    const char *text;
    size_t text_bytes;
    const uint32_t *ids;
    size_t n_ids;
} pml_serve_input;

typedef struct pml_serve_inputs {
    pml_serve_input *items;
    size_t count, capacity;
} pml_serve_inputs;

typedef struct pml_embed_request { /* zero = safe to deinit */
    pml_arena texts;
    const char *model; /* NULL: not named */
    pml_serve_inputs inputs;
    bool is_base64;
    uint64_t dimensions; /* 0: not asked for */
    const char *user;
} pml_embed_request;

typedef struct pml_completion_request { /* zero = safe to deinit */
    pml_arena texts;
    const char *model;
    pml_serve_inputs prompts;
    uint64_t max_tokens, n; /* n texts for each prompt */
    pml_sampling sampling;
    bool has_seed;
    const char *stops[PML_MAX_SERVE_STOPS];
    size_t n_stops;
    bool is_stream, includes_usage, echoes, ignores_end;
    const char *user;
} pml_completion_request;

/* *param is the member that an error is about, static storage, or NULL. Errors: FORMAT (no JSON object, a member that
 * is not known or is there twice), ARGUMENT (a value of the wrong kind or out of its range, or missing), UNSUPPORTED (a
 * value that asks for what is not done), MEMORY. Deinit also after a failure. */
pml_status pml_embed_request_read(const void *bytes, size_t size_bytes, pml_embed_request *request, const char **param,
                                  pml_error *error) PML_WARN_UNUSED;
void pml_embed_request_deinit(pml_embed_request *request);
pml_status pml_completion_request_read(const void *bytes, size_t size_bytes, pml_completion_request *request,
                                       const char **param, pml_error *error) PML_WARN_UNUSED;
void pml_completion_request_deinit(pml_completion_request *request);

#endif
