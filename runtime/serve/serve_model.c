#include "runtime/serve/serve_model.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"

pml_status pml_serve_model_open(const pml_file *file, pml_model *model, const char *name, bool truncates,
                                pml_serve_model *opened, pml_error *error) {
    pml_status status = PML_OK;
    *opened = (pml_serve_model){.name = name, .truncates = truncates};
    PML_TRY(pml_text_model_open(file, model, &opened->text, error));
    opened->embeds = pml_text_pool_choose(model, NULL, &opened->pool, NULL) == PML_OK;
    if (strcmp(opened->text.head, "language_model") == 0 &&
        pml_tokenizer_get_spec(opened->text.tokenizer)->kind == PML_TOKENIZER_BPE) {
        PML_TRY(pml_session_create(model, 1, 0, &opened->session, error));
    }
    if (!opened->embeds && opened->session == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "the model gives neither vectors of texts nor texts: there is nothing to serve"));
    }
done:
    return status;
}

void pml_serve_model_close(pml_serve_model *model) {
    pml_session_destroy(model->session);
    pml_text_model_close(&model->text);
    *model = (pml_serve_model){0};
}

static pml_status check_name(const pml_serve_model *model, const char *name, const char **param, pml_error *error) {
    pml_quoted quoted, own;
    if (name == NULL || strcmp(name, model->name) == 0) {
        return PML_OK;
    }
    *param = "model";
    return PML_FAIL(error, PML_E_NOT_FOUND, "the model %s is not here; this server has %s", pml_quote(&quoted, name),
                    pml_quote(&own, model->name));
}

/* Tokens as they are. */
static pml_status take_ids(const pml_serve_model *model, const pml_serve_input *input, pml_encoding *encoding,
                           pml_error *error) {
    pml_status status = PML_OK;
    const uint32_t n_tokens = pml_tokenizer_get_spec(model->text.tokenizer)->n_tokens;
    PML_TRY(pml_grow(&encoding->tokens, &encoding->capacity, input->n_ids, sizeof *encoding->tokens, SIZE_MAX / 128,
                     "tokens", error));
    for (size_t i = 0; i < input->n_ids; i++) {
        if (input->ids[i] >= n_tokens) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "there is no token %lu: the model has %lu",
                             (unsigned long)input->ids[i], (unsigned long)n_tokens));
        }
        encoding->tokens[i] = (pml_token){.id = input->ids[i], .i_text = 2, .starts_word = true};
    }
    encoding->count = input->n_ids;
done:
    return status;
}

static pml_status encode(const pml_serve_model *model, const pml_serve_input *input, size_t i_input, size_t most,
                         bool truncates, pml_encoding *encoding, pml_error *error) {
    pml_status status = PML_OK;
    const pml_encode_options options = {.max_tokens = most};
    if (input->ids != NULL) {
        if (input->n_ids > most && most > 0) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "text %zu has %zu tokens; this model takes at most %zu", i_input,
                             input->n_ids, most));
        }
        PML_TRY(take_ids(model, input, encoding, error));
    } else {
        PML_TRY(pml_tokenizer_run(model->text.tokenizer, input->text, input->text_bytes, NULL, 0, &options, encoding,
                                  error));
    }
    if (encoding->is_truncated && !truncates) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "text %zu has more than the %zu tokens that this model takes", i_input,
                         most));
    }
done:
    return status;
}

static pml_status encode_all(const pml_serve_model *model, const pml_serve_inputs *inputs, size_t most, bool truncates,
                             pml_job *job, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < inputs->count; i++) {
        PML_TRY(encode(model, &inputs->items[i], i, most, truncates, &job->encodings[i], error));
        job->usage.prompt_tokens += job->encodings[i].count;
    }
done:
    return status;
}

pml_status pml_serve_model_embed_job(const pml_serve_model *model, pml_embed_request *request, pml_job **job,
                                     const char **param, pml_error *error) {
    pml_status status = PML_OK;
    pml_job *made = NULL;
    *job = NULL;
    *param = NULL;
    PML_TRY(check_name(model, request->model, param, error));
    if (!model->embeds) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "this model does not turn texts into vectors"));
    }
    if (request->dimensions != 0 && request->dimensions != model->pool.width) {
        *param = "dimensions";
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "vectors of this model have %zu dimensions and cannot be cut",
                         model->pool.width));
    }
    PML_TRY(pml_job_create(PML_JOB_EMBED, request->inputs.count, &made, error));
    made->width = model->pool.width;
    *param = "input";
    PML_TRY(encode_all(model, &request->inputs, model->text.max_tokens, model->truncates, made, error));
    for (size_t i = 0; i < made->count; i++) {
        if (made->encodings[i].count == 0) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "text %zu has no tokens", i));
        }
    }
    *param = NULL;
    PML_TRY(pml_alloc(made->count, made->width * sizeof *made->vectors, &made->vectors, error));
    made->embed = *request;
    *request = (pml_embed_request){0};
    *job = made;
    made = NULL;
done:
    pml_job_release(made);
    return status;
}

/* A prompt without tokens is the token that begins a text. */
static pml_status begin_empty_prompts(const pml_serve_model *model, pml_job *job, pml_error *error) {
    pml_status status = PML_OK;
    const uint32_t bos_id = pml_tokenizer_get_spec(model->text.tokenizer)->bos_id;
    for (size_t i = 0; i < job->count; i++) {
        if (job->encodings[i].count > 0) {
            continue;
        }
        if (bos_id == PML_NO_TOKEN) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "prompt %zu has no tokens: there is nothing to go on from", i));
        }
        PML_TRY(take_ids(model, &(pml_serve_input){.ids = &bos_id, .n_ids = 1}, &job->encodings[i], error));
        job->usage.prompt_tokens++;
    }
done:
    return status;
}

pml_status pml_serve_model_completion_job(const pml_serve_model *model, pml_completion_request *request, pml_job **job,
                                          const char **param, pml_error *error) {
    pml_status status = PML_OK;
    pml_job *made = NULL;
    *job = NULL;
    *param = NULL;
    PML_TRY(check_name(model, request->model, param, error));
    if (model->session == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "this model does not go on with texts"));
    }
    PML_TRY(pml_job_create(PML_JOB_COMPLETE, request->prompts.count, &made, error));
    *param = "prompt";
    PML_TRY(encode_all(model, &request->prompts, pml_session_capacity(model->session), false, made, error));
    PML_TRY(begin_empty_prompts(model, made, error));
    *param = NULL;
    made->completion = *request;
    *request = (pml_completion_request){0};
    *job = made;
    made = NULL;
done:
    pml_job_release(made);
    return status;
}

size_t pml_serve_job_bytes(const pml_job *job) {
    enum { BYTES_OF_A_VALUE = sizeof(float) + 16, BYTES_OF_NEW_TEXT = 8192 }; /* the second: numbers as text */
    const size_t n_choices = job->count * (size_t)job->completion.n;
    return (size_t)job->usage.prompt_tokens * sizeof(pml_token) + job->count * job->width * BYTES_OF_A_VALUE +
           n_choices * BYTES_OF_NEW_TEXT + sizeof *job;
}
