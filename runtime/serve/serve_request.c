#include "runtime/serve/serve_request.h"

#include <float.h>
#include <stddef.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/quote.h"

typedef enum field_kind {
    FIELD_TEXT,
    FIELD_U64,
    FIELD_F64,
    FIELD_BOOL,
    FIELD_SEED,    /* of pml_sampling; a bool that says so lies at `other` */
    FIELD_INPUTS,  /* a text, tokens, or an array of one of them */
    FIELD_STOPS,   /* a text or some */
    FIELD_FORMAT,  /* "float" or "base64" */
    FIELD_STREAM,  /* an object of include_usage */
    FIELD_NEUTRAL, /* only what changes nothing: null, false, "", {}, [] or the number `least` */
    FIELD_NULL     /* only null */
} field_kind;

typedef struct field { /* a list ends with a NULL key */
    const char *key;
    field_kind kind;
    size_t offset;
    double least, greatest; /* of numbers */
    size_t other;
} field;

#define EMBED(member) offsetof(pml_embed_request, member)
static const field embed_fields[] = {
    {"model", FIELD_TEXT, EMBED(model), 0, 0, 0},
    {"input", FIELD_INPUTS, EMBED(inputs), 0, 0, 0},
    {"encoding_format", FIELD_FORMAT, EMBED(is_base64), 0, 0, 0},
    {"dimensions", FIELD_U64, EMBED(dimensions), 1, UINT32_MAX, 0},
    {"user", FIELD_TEXT, EMBED(user), 0, 0, 0},
    {NULL, FIELD_NULL, 0, 0, 0, 0},
};

#define COMPLETION(member) offsetof(pml_completion_request, member)
static const field completion_fields[] = {
    {"model", FIELD_TEXT, COMPLETION(model), 0, 0, 0},
    {"prompt", FIELD_INPUTS, COMPLETION(prompts), 0, 0, 0},
    {"max_tokens", FIELD_U64, COMPLETION(max_tokens), 0, UINT32_MAX, 0},
    {"n", FIELD_U64, COMPLETION(n), 1, PML_MAX_SERVE_CHOICES, 0},
    {"temperature", FIELD_F64, COMPLETION(sampling.temperature), 0, 2, 0},
    {"top_p", FIELD_F64, COMPLETION(sampling.top_p), 0, 1, 0},
    {"top_k", FIELD_U64, COMPLETION(sampling.top_k), 0, UINT32_MAX, 0},
    {"min_p", FIELD_F64, COMPLETION(sampling.min_p), 0, 1, 0},
    {"repetition_penalty", FIELD_F64, COMPLETION(sampling.repetition_penalty), 0.01, 100, 0},
    {"seed", FIELD_SEED, COMPLETION(sampling.seed), 0, 0, COMPLETION(has_seed)},
    {"stop", FIELD_STOPS, 0, 0, 0, 0},
    {"stream", FIELD_BOOL, COMPLETION(is_stream), 0, 0, 0},
    {"stream_options", FIELD_STREAM, COMPLETION(includes_usage), 0, 0, 0},
    {"echo", FIELD_BOOL, COMPLETION(echoes), 0, 0, 0},
    {"ignore_eos", FIELD_BOOL, COMPLETION(ignores_end), 0, 0, 0},
    {"user", FIELD_TEXT, COMPLETION(user), 0, 0, 0},
    {"logprobs", FIELD_NULL, 0, 0, 0, 0},
    {"best_of", FIELD_NEUTRAL, 0, 1, 0, 0},
    {"presence_penalty", FIELD_NEUTRAL, 0, 0, 0, 0},
    {"frequency_penalty", FIELD_NEUTRAL, 0, 0, 0, 0},
    {"logit_bias", FIELD_NEUTRAL, 0, 0, 0, 0},
    {"suffix", FIELD_NEUTRAL, 0, 0, 0, 0},
    {NULL, FIELD_NULL, 0, 0, 0, 0},
};

typedef struct body {
    pml_json_reader reader;
    void *request;
    pml_arena *texts;
    const field *fields;
    const char **param;
} body;

static pml_status wrong_kind(const body *b, const field *f, const char *wanted, pml_error *error) {
    (void)b;
    return PML_FAIL(error, PML_E_ARGUMENT, "'%s' must be %s", f->key, wanted);
}

/* The text of the current token, kept. */
static pml_status keep_text(body *b, const char **text, size_t *text_bytes, pml_error *error) {
    pml_status status = PML_OK;
    char *copy;
    PML_TRY(pml_arena_alloc(b->texts, b->reader.text_bytes + 1, 1, &copy, error));
    memcpy(copy, b->reader.text, b->reader.text_bytes);
    copy[b->reader.text_bytes] = '\0';
    *text = copy;
    *text_bytes = b->reader.text_bytes;
done:
    return status;
}

static pml_status read_text(body *b, const field *f, const char **text, pml_error *error) {
    pml_status status = PML_OK;
    size_t n_bytes;
    if (b->reader.token != PML_JSON_STRING || b->reader.text_bytes > PML_MAX_SERVE_NAME_BYTES) {
        PML_TRY(wrong_kind(b, f, "a text of at most 256 bytes", error));
    }
    PML_TRY(keep_text(b, text, &n_bytes, error));
done:
    return status;
}

static pml_status read_number(body *b, const field *f, void *out, pml_error *error) {
    const pml_json_reader *r = &b->reader;
    const bool is_whole = f->kind == FIELD_U64;
    if (r->token != PML_JSON_NUMBER || (is_whole && !r->is_u64) || r->number < f->least || r->number > f->greatest) {
        return PML_FAIL(error, PML_E_ARGUMENT, "'%s' must be a %s from %.9g to %.9g", f->key,
                        is_whole ? "whole number" : "number", f->least, f->greatest);
    }
    if (is_whole) {
        *(uint64_t *)out = r->u64;
    } else {
        *(double *)out = r->number;
    }
    return PML_OK;
}

static pml_status read_seed(body *b, const field *f, pml_error *error) {
    const pml_json_reader *r = &b->reader;
    if (r->token != PML_JSON_NUMBER || (!r->is_u64 && !r->is_i64)) {
        return wrong_kind(b, f, "a whole number of 64 bits", error);
    }
    *(uint64_t *)(void *)((char *)b->request + f->offset) = r->is_u64 ? r->u64 : (uint64_t)r->i64;
    *(bool *)(void *)((char *)b->request + f->other) = true;
    return PML_OK;
}

static pml_status read_bool(body *b, const field *f, bool *out, pml_error *error) {
    if (b->reader.token != PML_JSON_TRUE && b->reader.token != PML_JSON_FALSE) {
        return wrong_kind(b, f, "true or false", error);
    }
    *out = b->reader.token == PML_JSON_TRUE;
    return PML_OK;
}

/* ---- texts and tokens -----------------------------------------------------------------------------------------------
 */
#define INPUTS_WANTED "a text, an array of texts, an array of tokens, or an array of such arrays, none of them empty"

static pml_status add_input(const field *f, pml_serve_inputs *inputs, const pml_serve_input *input, pml_error *error) {
    pml_status status = PML_OK;
    if (inputs->count == PML_MAX_SERVE_INPUTS) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "'%s' has more than %u texts", f->key, (unsigned)PML_MAX_SERVE_INPUTS));
    }
    PML_TRY(pml_grow(&inputs->items, &inputs->capacity, inputs->count + 1, sizeof *inputs->items, PML_MAX_SERVE_INPUTS,
                     "texts", error));
    inputs->items[inputs->count++] = *input;
done:
    return status;
}

/* Tokens up to the end of their array, the first of them being the current token. */
static pml_status read_tokens(body *b, const field *f, pml_serve_inputs *inputs, pml_error *error) {
    pml_status status = PML_OK;
    const pml_json_reader *r = &b->reader;
    uint32_t *ids = NULL, *kept;
    size_t n_ids = 0, capacity = 0;
    while (r->token != PML_JSON_ARRAY_END) {
        if (r->token != PML_JSON_NUMBER || !r->is_u64 || r->u64 >= UINT32_MAX) {
            PML_TRY(wrong_kind(b, f, INPUTS_WANTED, error));
        }
        PML_TRY(pml_grow(&ids, &capacity, n_ids + 1, sizeof *ids, SIZE_MAX / 8, "tokens", error));
        ids[n_ids++] = (uint32_t)r->u64;
        PML_TRY(pml_json_next(&b->reader, error));
    }
    if (n_ids == 0) {
        PML_TRY(wrong_kind(b, f, INPUTS_WANTED, error));
    }
    PML_TRY(pml_arena_alloc(b->texts, n_ids, sizeof *kept, &kept, error));
    memcpy(kept, ids, n_ids * sizeof *kept);
    PML_TRY(add_input(f, inputs, &(pml_serve_input){.ids = kept, .n_ids = n_ids}, error));
done:
    pml_free(ids);
    return status;
}

static pml_status read_input_text(body *b, const field *f, pml_serve_inputs *inputs, pml_error *error) {
    pml_status status = PML_OK;
    pml_serve_input input = {0};
    PML_TRY(keep_text(b, &input.text, &input.text_bytes, error));
    PML_TRY(add_input(f, inputs, &input, error));
done:
    return status;
}

static pml_status read_inputs(body *b, const field *f, pml_serve_inputs *inputs, pml_error *error) {
    pml_status status = PML_OK;
    const pml_json_reader *r = &b->reader;
    if (r->token == PML_JSON_STRING) {
        PML_TRY(read_input_text(b, f, inputs, error));
        goto done;
    }
    if (r->token != PML_JSON_ARRAY_BEGIN) {
        PML_TRY(wrong_kind(b, f, INPUTS_WANTED, error));
    }
    PML_TRY(pml_json_next(&b->reader, error));
    const pml_json_token kind = r->token;
    if (kind == PML_JSON_NUMBER) {
        PML_TRY(read_tokens(b, f, inputs, error));
        goto done;
    }
    if (kind != PML_JSON_STRING && kind != PML_JSON_ARRAY_BEGIN) {
        PML_TRY(wrong_kind(b, f, INPUTS_WANTED, error));
    }
    while (r->token != PML_JSON_ARRAY_END) {
        if (r->token != kind) {
            PML_TRY(wrong_kind(b, f, INPUTS_WANTED, error));
        }
        if (kind == PML_JSON_STRING) {
            PML_TRY(read_input_text(b, f, inputs, error));
        } else {
            PML_TRY(pml_json_next(&b->reader, error));
            PML_TRY(read_tokens(b, f, inputs, error));
        }
        PML_TRY(pml_json_next(&b->reader, error));
    }
done:
    return status;
}

/* ---- members of their own kind --------------------------------------------------------------------------------------
 */
static pml_status read_stops(body *b, const field *f, pml_error *error) {
    pml_status status = PML_OK;
    pml_completion_request *request = b->request;
    const pml_json_reader *r = &b->reader;
    const bool is_array = r->token == PML_JSON_ARRAY_BEGIN;
    size_t n_bytes;
    if (is_array) {
        PML_TRY(pml_json_next(&b->reader, error));
    }
    while (r->token != PML_JSON_ARRAY_END) {
        if (r->token != PML_JSON_STRING || r->text_bytes == 0 || request->n_stops == PML_MAX_SERVE_STOPS) {
            PML_TRY(wrong_kind(b, f, "a text or an array of at most 4 texts, none of them empty", error));
        }
        PML_TRY(keep_text(b, &request->stops[request->n_stops], &n_bytes, error));
        request->n_stops++;
        if (!is_array) {
            break;
        }
        PML_TRY(pml_json_next(&b->reader, error));
    }
done:
    return status;
}

static pml_status read_format(body *b, const field *f, bool *is_base64, pml_error *error) {
    const pml_json_reader *r = &b->reader;
    const bool is_text = r->token == PML_JSON_STRING;
    *is_base64 = is_text && strcmp(r->text, "base64") == 0;
    return *is_base64 || (is_text && strcmp(r->text, "float") == 0) ? PML_OK
                                                                    : wrong_kind(b, f, "'float' or 'base64'", error);
}

static pml_status read_stream_options(body *b, const field *f, bool *includes_usage, pml_error *error) {
    pml_status status = PML_OK;
    const pml_json_reader *r = &b->reader;
    static const char *const wanted = "an object of the one member 'include_usage', true or false";
    bool is_there = false;
    if (r->token != PML_JSON_OBJECT_BEGIN) {
        PML_TRY(wrong_kind(b, f, wanted, error));
    }
    PML_TRY(pml_json_next(&b->reader, error));
    while (r->token == PML_JSON_KEY) {
        if (is_there || strcmp(r->text, "include_usage") != 0) {
            PML_TRY(wrong_kind(b, f, wanted, error));
        }
        is_there = true;
        PML_TRY(pml_json_next(&b->reader, error));
        PML_TRY(read_bool(b, f, includes_usage, error));
        PML_TRY(pml_json_next(&b->reader, error));
    }
done:
    return status;
}

static pml_status read_neutral(body *b, const field *f, pml_error *error) {
    pml_status status = PML_OK;
    const pml_json_reader *r = &b->reader;
    bool is_neutral = r->token == PML_JSON_FALSE || (r->token == PML_JSON_STRING && r->text_bytes == 0) ||
                      (r->token == PML_JSON_NUMBER && r->number == f->least);
    if (r->token == PML_JSON_OBJECT_BEGIN || r->token == PML_JSON_ARRAY_BEGIN) {
        PML_TRY(pml_json_next(&b->reader, error));
        is_neutral = r->token == PML_JSON_OBJECT_END || r->token == PML_JSON_ARRAY_END;
    }
    if (f->kind == FIELD_NULL || !is_neutral) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "'%s' is not supported by this server", f->key));
    }
done:
    return status;
}

static pml_status read_value(body *b, const field *f, pml_error *error) {
    void *out = (char *)b->request + f->offset;
    switch (f->kind) {
    case FIELD_TEXT:
        return read_text(b, f, out, error);
    case FIELD_U64:
    case FIELD_F64:
        return read_number(b, f, out, error);
    case FIELD_BOOL:
        return read_bool(b, f, out, error);
    case FIELD_SEED:
        return read_seed(b, f, error);
    case FIELD_INPUTS:
        return read_inputs(b, f, out, error);
    case FIELD_STOPS:
        return read_stops(b, f, error);
    case FIELD_FORMAT:
        return read_format(b, f, out, error);
    case FIELD_STREAM:
        return read_stream_options(b, f, out, error);
    case FIELD_NEUTRAL:
    case FIELD_NULL:
        break;
    }
    return read_neutral(b, f, error);
}

/* The whole body; a member that is null counts as absent. */
static pml_status read_members(body *b, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader *r = &b->reader;
    pml_quoted quoted;
    uint64_t seen = 0;
    PML_TRY(pml_json_expect(r, PML_JSON_OBJECT_BEGIN, "an object", error));
    PML_TRY(pml_json_next(r, error));
    while (r->token == PML_JSON_KEY) {
        const field *f = b->fields;
        while (f->key != NULL && strcmp(f->key, r->text) != 0) {
            f++;
        }
        *b->param = f->key;
        if (f->key == NULL) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "the request has an unknown member %s", pml_quote(&quoted, r->text)));
        }
        if ((seen >> (f - b->fields) & 1) != 0) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "the request has the member '%s' twice", f->key));
        }
        seen |= (uint64_t)1 << (f - b->fields);
        PML_TRY(pml_json_next(r, error));
        if (r->token != PML_JSON_NULL) {
            PML_TRY(read_value(b, f, error));
        }
        *b->param = NULL;
        PML_TRY(pml_json_next(r, error));
    }
    PML_TRY(pml_json_expect(r, PML_JSON_END, "the end", error));
done:
    return status;
}

static pml_status read_body(const void *bytes, size_t size_bytes, body *b, pml_error *error) {
    *b->param = NULL;
    pml_json_reader_init(&b->reader, bytes, size_bytes, 0, "request", size_bytes);
    const pml_status status = read_members(b, error);
    pml_json_reader_deinit(&b->reader);
    return status;
}

static pml_status need_inputs(const pml_serve_inputs *inputs, const char *key, const char **param, pml_error *error) {
    if (inputs->count > 0) {
        return PML_OK;
    }
    *param = key;
    return PML_FAIL(error, PML_E_ARGUMENT, "'%s' must be there, and not empty", key);
}

pml_status pml_embed_request_read(const void *bytes, size_t size_bytes, pml_embed_request *request, const char **param,
                                  pml_error *error) {
    pml_status status = PML_OK;
    body b = {.request = request, .texts = &request->texts, .fields = embed_fields, .param = param};
    *request = (pml_embed_request){0};
    PML_TRY(read_body(bytes, size_bytes, &b, error));
    PML_TRY(need_inputs(&request->inputs, "input", param, error));
done:
    return status;
}

void pml_embed_request_deinit(pml_embed_request *request) {
    pml_arena_deinit(&request->texts);
    pml_free(request->inputs.items);
    *request = (pml_embed_request){0};
}

pml_status pml_completion_request_read(const void *bytes, size_t size_bytes, pml_completion_request *request,
                                       const char **param, pml_error *error) {
    pml_status status = PML_OK;
    body b = {.request = request, .texts = &request->texts, .fields = completion_fields, .param = param};
    *request = (pml_completion_request){.max_tokens = 16, .n = 1, .sampling = PML_SAMPLING_GREEDY};
    request->sampling.temperature = 1;
    PML_TRY(read_body(bytes, size_bytes, &b, error));
    PML_TRY(need_inputs(&request->prompts, "prompt", param, error));
    if (request->prompts.count > PML_MAX_SERVE_CHOICES / request->n) {
        *param = "n";
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%zu prompts and 'n' of %llu are more than %u texts",
                         request->prompts.count, (unsigned long long)request->n, (unsigned)PML_MAX_SERVE_CHOICES));
    }
    if (request->includes_usage && !request->is_stream) {
        *param = "stream_options";
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "'stream_options' goes with 'stream' only"));
    }
    if (request->sampling.top_p == 0) {
        request->sampling.top_p = DBL_MIN; /* the likeliest alone */
    }
done:
    return status;
}

void pml_completion_request_deinit(pml_completion_request *request) {
    pml_arena_deinit(&request->texts);
    pml_free(request->prompts.items);
    *request = (pml_completion_request){0};
}
