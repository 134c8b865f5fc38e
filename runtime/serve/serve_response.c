#include "runtime/serve/serve_response.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/json_writer.h"

typedef struct sheet { /* an answer that is being written */
    FILE *stream;
    pml_json_writer w;
} sheet;

static pml_status begin(sheet *s, pml_body *body, pml_error *error) {
    *body = (pml_body){0};
    s->stream = open_memstream(&body->bytes, &body->size_bytes);
    if (s->stream == NULL) {
        return PML_FAIL(error, PML_E_MEMORY, "no memory for an answer");
    }
    pml_json_writer_init(&s->w, s->stream, false);
    return PML_OK;
}

/* Closes the stream, which fills *body. */
static pml_status end(sheet *s, const char *tail, pml_body *body, pml_error *error) {
    pml_status status = pml_json_finish(&s->w, error);
    const bool failed = fputs(tail, s->stream) == EOF || ferror(s->stream) != 0;
    if (fclose(s->stream) != 0 || failed || status != PML_OK) {
        free(body->bytes); /* open_memstream's own */
        *body = (pml_body){0};
        status = PML_FAIL(error, PML_E_MEMORY, "no memory for an answer");
    }
    return status;
}

static void write_fault(pml_json_writer *w, const pml_serve_fault *fault) {
    pml_json_begin_object(w, NULL);
    pml_json_begin_object(w, "error");
    pml_json_string(w, "message", fault->message);
    pml_json_string(w, "type", fault->type);
    pml_json_string(w, "param", fault->param);
    pml_json_string(w, "code", fault->code);
    pml_json_end_object(w);
    pml_json_end_object(w);
}

pml_status pml_body_fault(const pml_serve_fault *fault, pml_body *body, pml_error *error) {
    pml_status status = PML_OK;
    sheet s;
    PML_TRY(begin(&s, body, error));
    write_fault(&s.w, fault);
    PML_TRY(end(&s, "", body, error));
done:
    return status;
}

pml_status pml_body_fault_event(const pml_serve_fault *fault, pml_body *body, pml_error *error) {
    pml_status status = PML_OK;
    sheet s;
    PML_TRY(begin(&s, body, error));
    (void)fputs("data: ", s.stream);
    write_fault(&s.w, fault);
    PML_TRY(end(&s, "\n", body, error));
done:
    return status;
}

static void write_model(pml_json_writer *w, const char *model, uint64_t created) {
    pml_json_begin_object(w, NULL);
    pml_json_string(w, "id", model);
    pml_json_string(w, "object", "model");
    pml_json_u64(w, "created", created);
    pml_json_string(w, "owned_by", "pml");
    pml_json_end_object(w);
}

pml_status pml_body_models(const char *model, uint64_t created, bool is_list, pml_body *body, pml_error *error) {
    pml_status status = PML_OK;
    sheet s;
    PML_TRY(begin(&s, body, error));
    if (is_list) {
        pml_json_begin_object(&s.w, NULL);
        pml_json_string(&s.w, "object", "list");
        pml_json_begin_array(&s.w, "data");
        write_model(&s.w, model, created);
        pml_json_end_array(&s.w);
        pml_json_end_object(&s.w);
    } else {
        write_model(&s.w, model, created);
    }
    PML_TRY(end(&s, "", body, error));
done:
    return status;
}

pml_status pml_body_health(bool is_closing, pml_body *body, pml_error *error) {
    pml_status status = PML_OK;
    sheet s;
    PML_TRY(begin(&s, body, error));
    pml_json_begin_object(&s.w, NULL);
    pml_json_string(&s.w, "status", is_closing ? "closing" : "ok");
    pml_json_end_object(&s.w);
    PML_TRY(end(&s, "", body, error));
done:
    return status;
}

/* ---- embeddings -----------------------------------------------------------------------------------------------------
 */

#define BASE64_BYTES(size_bytes) (((size_bytes) + 2) / 3 * 4)

/* RFC 4648, of the floats as they lie in memory: little-endian, as everywhere here. */
static void make_base64(const float *values, size_t n_values, char *text) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *bytes = (const uint8_t *)values;
    const size_t n = n_values * sizeof *values;
    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        const uint32_t group =
            (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
        *text++ = alphabet[group >> 18];
        *text++ = alphabet[group >> 12 & 63];
        *text++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
        *text++ = left > 2 ? alphabet[group & 63] : '=';
    }
}

static void write_vector(pml_json_writer *w, const float *vector, size_t width, char *base64) {
    if (base64 != NULL) {
        make_base64(vector, width, base64);
        pml_json_text(w, "embedding", base64, BASE64_BYTES(width * sizeof *vector));
        return;
    }
    pml_json_begin_array(w, "embedding");
    for (size_t d = 0; d < width; d++) {
        pml_json_f32(w, NULL, vector[d]);
    }
    pml_json_end_array(w);
}

static void write_usage(pml_json_writer *w, const pml_job_usage *usage, bool has_completion) {
    pml_json_begin_object(w, "usage");
    pml_json_u64(w, "prompt_tokens", usage->prompt_tokens);
    if (has_completion) {
        pml_json_u64(w, "completion_tokens", usage->completion_tokens);
    }
    pml_json_u64(w, "total_tokens", usage->prompt_tokens + usage->completion_tokens);
    pml_json_end_object(w);
}

pml_status pml_body_embeddings(const pml_job *job, const char *model, pml_body *body, pml_error *error) {
    pml_status status = PML_OK;
    char *base64 = NULL;
    sheet s;
    if (job->embed.is_base64) {
        PML_TRY(pml_alloc(BASE64_BYTES(job->width * sizeof(float)), 1, &base64, error));
    }
    PML_TRY(begin(&s, body, error));
    pml_json_begin_object(&s.w, NULL);
    pml_json_string(&s.w, "object", "list");
    pml_json_begin_array(&s.w, "data");
    for (size_t i = 0; i < job->count; i++) {
        const float *vector = job->vectors + i * job->width;
        pml_json_begin_object(&s.w, NULL);
        pml_json_string(&s.w, "object", "embedding");
        pml_json_u64(&s.w, "index", i);
        write_vector(&s.w, vector, job->width, base64);
        pml_json_end_object(&s.w);
    }
    pml_json_end_array(&s.w);
    pml_json_string(&s.w, "model", model);
    write_usage(&s.w, &job->usage, false);
    pml_json_end_object(&s.w);
    PML_TRY(end(&s, "", body, error));
done:
    pml_free(base64);
    return status;
}

/* ---- completions ----------------------------------------------------------------------------------------------------
 */
pml_status pml_body_completion(const pml_job *job, const char *model, const pml_choice_text *choices, size_t n_choices,
                               bool has_usage, pml_body *body, pml_error *error) {
    pml_status status = PML_OK;
    const bool is_stream = job->completion.is_stream;
    char id[64];
    sheet s;
    PML_TRY(begin(&s, body, error));
    (void)snprintf(id, sizeof id, "cmpl-%s", job->id);
    (void)fputs(is_stream ? "data: " : "", s.stream);
    pml_json_begin_object(&s.w, NULL);
    pml_json_string(&s.w, "id", id);
    pml_json_string(&s.w, "object", "text_completion");
    pml_json_u64(&s.w, "created", job->created);
    pml_json_string(&s.w, "model", model);
    pml_json_begin_array(&s.w, "choices");
    for (size_t i = 0; i < n_choices; i++) {
        pml_json_begin_object(&s.w, NULL);
        pml_json_text(&s.w, "text", choices[i].text, choices[i].text_bytes);
        pml_json_u64(&s.w, "index", choices[i].index);
        pml_json_null(&s.w, "logprobs");
        pml_json_string(&s.w, "finish_reason", choices[i].finish_reason);
        pml_json_end_object(&s.w);
    }
    pml_json_end_array(&s.w);
    if (has_usage) {
        write_usage(&s.w, &job->usage, true);
    }
    pml_json_end_object(&s.w);
    PML_TRY(end(&s, is_stream ? "\n" : "", body, error));
done:
    return status;
}
