/* The model behind a server: what it can do, and requests made into work for it. */
#ifndef PML_RUNTIME_SERVE_SERVE_MODEL_H
#define PML_RUNTIME_SERVE_SERVE_MODEL_H

#include "runtime/serve/job.h"
#include "runtime/text/text_pool.h"

typedef struct pml_serve_model { /* zero = safe to close */
    const char *name;            /* as requests call it; borrowed */
    pml_text_model text;
    bool embeds;
    pml_text_pool pool;
    pml_session *session; /* NULL: it does not go on with texts */
    bool truncates;       /* texts that are too long are cut; otherwise they are refused */
} pml_serve_model;

/* `file` and `model` must live until close. Errors: UNSUPPORTED (no tokenizer; neither vectors nor text can come of
 * it), those of pml_text_model_open and pml_session_create. The caller closes also after a failure. */
pml_status pml_serve_model_open(const pml_file *file, pml_model *model, const char *name, bool truncates,
                                pml_serve_model *opened, pml_error *error) PML_WARN_UNUSED;
void pml_serve_model_close(pml_serve_model *model);

/* A job of a request, which moves into it and is empty afterwards, its texts tokenized and everything about it checked.
 * *param as in serve_request.h. Any thread may call these. Errors: ARGUMENT (what the model cannot take), NOT_FOUND
 * (another model is named), UNSUPPORTED (it does not do this), MEMORY. */
pml_status pml_serve_model_embed_job(const pml_serve_model *model, pml_embed_request *request, pml_job **job,
                                     const char **param, pml_error *error) PML_WARN_UNUSED;
pml_status pml_serve_model_completion_job(const pml_serve_model *model, pml_completion_request *request, pml_job **job,
                                          const char **param, pml_error *error) PML_WARN_UNUSED;
/* Bytes that a job and its answer need. */
size_t pml_serve_job_bytes(const pml_job *job);

#endif
