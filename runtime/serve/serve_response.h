/* Bodies of answers, in the shapes that OpenAI's clients read. Each function gives *body, to be released with libc's
 * free. Errors: MEMORY, IO (of the stream that the text is written to). */
#ifndef PML_RUNTIME_SERVE_SERVE_RESPONSE_H
#define PML_RUNTIME_SERVE_SERVE_RESPONSE_H

#include "runtime/serve/job.h"

typedef struct pml_body {
    char *bytes;
    size_t size_bytes;
} pml_body;

/* {"error": {…}}; param and code may be NULL. */
typedef struct pml_serve_fault { /* zero: none */
    unsigned http_status;
    const char *type, *param, *code; /* static storage */
    char message[256];
} pml_serve_fault;
pml_status pml_body_fault(const pml_serve_fault *fault, pml_body *body, pml_error *error) PML_WARN_UNUSED;

pml_status pml_body_models(const char *model, uint64_t created, bool is_list, pml_body *body,
                           pml_error *error) PML_WARN_UNUSED;
pml_status pml_body_health(bool is_closing, pml_body *body, pml_error *error) PML_WARN_UNUSED;
pml_status pml_body_embeddings(const pml_job *job, const char *model, pml_body *body, pml_error *error) PML_WARN_UNUSED;

typedef struct pml_choice_text {
    const char *text;
    size_t text_bytes;
    size_t index;
    const char *finish_reason; /* NULL: there is more to come */
} pml_choice_text;
/* A completion or, of a stream, one event of it, "data: …" and an empty line; with is_usage it has usage: the whole
 * one, and the stream's last one, which has no choices. */
pml_status pml_body_completion(const pml_job *job, const char *model, const pml_choice_text *choices, size_t n_choices,
                               bool has_usage, pml_body *body, pml_error *error) PML_WARN_UNUSED;
/* An event that tells of a failure behind the head of the answer. */
pml_status pml_body_fault_event(const pml_serve_fault *fault, pml_body *body, pml_error *error) PML_WARN_UNUSED;

#endif
