/* Completions: the texts that one request asks for, one after the other. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "runtime/base/alloc.h"
#include "runtime/serve/serve_response.h"
#include "runtime/serve/worker.h"
#include "runtime/text/generate.h"
#include "runtime/text/utf8_stream.h"

typedef struct choice { /* of an answer that is sent whole */
    char *text;
    size_t n_text, capacity;
} choice;

typedef struct completing {
    const pml_worker *worker;
    pml_job *job;
    choice *choices;        /* [n_choices]; NULL: a stream */
    pml_choice_text *texts; /* [n_choices] */
    size_t n_choices, index;
    bool has_text;
    uint32_t *ids; /* of the prompt */
} completing;

static pml_status send_body(completing *c, const pml_choice_text *texts, size_t n_texts, bool has_usage,
                            pml_error *error) {
    pml_status status = PML_OK;
    pml_body body = {0};
    PML_TRY(pml_body_completion(c->job, c->worker->model->name, texts, n_texts, has_usage, &body, error));
    PML_TRY(pml_job_send(c->job, body.bytes, body.size_bytes, error));
done:
    free(body.bytes);
    return status;
}

/* Takes text of the present choice. */
static pml_status take(void *user, const char *text, size_t size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    completing *c = user;
    if (!c->has_text) {
        c->has_text = true;
        pml_serve_metrics_observe(c->worker->metrics, PML_HISTOGRAM_FIRST_TOKEN,
                                  (double)(pml_serve_now_ns() - c->job->queued_ns) * 1e-9);
    }
    if (pml_job_queue_drops(c->worker->queue)) {
        PML_TRY(PML_FAIL(error, PML_E_INTERRUPTED, "the server ends"));
    }
    if (c->choices == NULL) {
        const pml_choice_text piece = {.text = text, .text_bytes = size_bytes, .index = c->index};
        PML_TRY(send_body(c, &piece, 1, false, error));
        goto done;
    }
    if (!pml_job_is_wanted(c->job)) {
        PML_TRY(PML_FAIL(error, PML_E_INTERRUPTED, "nobody waits for the answer"));
    }
    choice *own = &c->choices[c->index];
    PML_TRY(pml_grow(&own->text, &own->capacity, own->n_text + size_bytes, 1, SIZE_MAX / 4, "bytes", error));
    memcpy(own->text + own->n_text, text, size_bytes);
    own->n_text += size_bytes;
done:
    return status;
}

/* The prompt as text, in front of what follows. */
static pml_status echo(completing *c, size_t i_prompt, pml_error *error) {
    pml_status status = PML_OK;
    const pml_serve_input *input = &c->job->completion.prompts.items[i_prompt];
    const pml_encoding *encoding = &c->job->encodings[i_prompt];
    const pml_tokenizer *tokenizer = c->worker->model->text.tokenizer;
    const pml_tokenizer_spec *spec = pml_tokenizer_get_spec(tokenizer);
    pml_utf8_stream stream = {0};
    size_t most = 0, n_bytes = 0, n_text;
    uint8_t *bytes = NULL;
    char *text = NULL;
    if (input->ids == NULL) {
        if (input->text_bytes > 0) {
            PML_TRY(take(c, input->text, input->text_bytes, error));
        }
        goto done;
    }
    for (size_t i = 0; i < encoding->count; i++) {
        most += spec->tokens[encoding->tokens[i].id].size_bytes;
    }
    PML_TRY(pml_alloc(most + 1, 1, &bytes, error));
    PML_TRY(pml_alloc(PML_UTF8_STREAM_ROOM(most) + PML_UTF8_STREAM_ROOM(0), 1, &text, error));
    for (size_t i = 0; i < encoding->count; i++) {
        n_bytes += pml_tokenizer_decode(tokenizer, encoding->tokens[i].id, bytes + n_bytes);
    }
    n_text = pml_utf8_stream_put(&stream, bytes, n_bytes, text);
    n_text += pml_utf8_stream_end(&stream, text + n_text);
    if (n_text > 0) {
        PML_TRY(take(c, text, n_text, error));
    }
done:
    pml_free(bytes);
    pml_free(text);
    return status;
}

static uint64_t seed_of(const pml_completion_request *request, size_t i_choice) {
    uint64_t seed = request->sampling.seed;
    if (!request->has_seed && getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) {
        seed = (uint64_t)pml_serve_now_ns();
    }
    return seed + i_choice;
}

static pml_status run_choice(completing *c, size_t i_prompt, size_t i_choice, pml_error *error) {
    pml_status status = PML_OK;
    const pml_completion_request *request = &c->job->completion;
    const pml_encoding *encoding = &c->job->encodings[i_prompt];
    pml_session *session = c->worker->model->session;
    /* The last new token is not read, so it needs no room. */
    const uint64_t room = pml_session_capacity(session) - encoding->count + 1;
    pml_generation options = {.sampling = request->sampling,
                              .most_tokens = request->max_tokens < room ? request->max_tokens : room,
                              .ignores_end = request->ignores_end,
                              .stops = request->stops,
                              .n_stops = request->n_stops};
    pml_generated generated = {0};
    options.sampling.seed = seed_of(request, i_choice);
    for (size_t i = 0; i < encoding->count; i++) {
        c->ids[i] = encoding->tokens[i].id;
    }
    if (request->echoes) {
        PML_TRY(echo(c, i_prompt, error));
    }
    PML_TRY(pml_session_truncate(session, 0, 0, error));
    status = pml_generate(session, c->worker->model->text.tokenizer, c->ids, encoding->count, &options, take, c,
                          &generated, error);
    c->job->usage.completion_tokens += generated.n_tokens;
    pml_serve_metrics_count(c->worker->metrics, PML_COUNTER_COMPLETION_TOKENS, generated.n_tokens);
    PML_TRY(status);
    pml_choice_text *text = &c->texts[c->index];
    *text = (pml_choice_text){
        .text = "", .index = c->index, .finish_reason = generated.end == PML_END_LENGTH ? "length" : "stop"};
    if (c->choices == NULL) {
        PML_TRY(send_body(c, text, 1, false, error));
    } else if (c->choices[c->index].n_text > 0) {
        text->text = c->choices[c->index].text;
        text->text_bytes = c->choices[c->index].n_text;
    }
done:
    pml_generated_deinit(&generated);
    return status;
}

static pml_status run_all(completing *c, pml_error *error) {
    pml_status status = PML_OK;
    const pml_completion_request *request = &c->job->completion;
    size_t longest = 0;
    c->n_choices = c->job->count * (size_t)request->n;
    PML_TRY(pml_alloc(c->n_choices, sizeof *c->texts, &c->texts, error));
    if (!request->is_stream) {
        PML_TRY(pml_alloc(c->n_choices, sizeof *c->choices, &c->choices, error));
    }
    for (size_t i = 0; i < c->job->count; i++) {
        longest = c->job->encodings[i].count > longest ? c->job->encodings[i].count : longest;
    }
    PML_TRY(pml_alloc(longest, sizeof *c->ids, &c->ids, error));
    for (c->index = 0; c->index < c->n_choices; c->index++) {
        PML_TRY(run_choice(c, c->index / request->n, c->index % request->n, error));
    }
    if (!request->is_stream) {
        PML_TRY(send_body(c, c->texts, c->n_choices, true, error));
    } else {
        static const char last[] = "data: [DONE]\n\n";
        if (request->includes_usage) {
            PML_TRY(send_body(c, NULL, 0, true, error));
        }
        PML_TRY(pml_job_send(c->job, last, sizeof last - 1, error));
    }
done:
    for (size_t i = 0; c->choices != NULL && i < c->n_choices; i++) {
        pml_free(c->choices[i].text);
    }
    pml_free(c->choices);
    pml_free(c->texts);
    pml_free(c->ids);
    return status;
}

void pml_worker_complete(const pml_worker *worker, pml_job *job) {
    completing c = {.worker = worker, .job = job};
    pml_error error = {0};
    const pml_status status = run_all(&c, &error);
    pml_job_end end = status == PML_OK ? PML_JOB_DONE : PML_JOB_FAILED;
    if (status == PML_E_INTERRUPTED) {
        pml_serve_metrics_count(worker->metrics, PML_COUNTER_CANCELLED, 1);
        end = pml_job_queue_drops(worker->queue) ? PML_JOB_CLOSING : PML_JOB_LATE;
    }
    /* The last that the worker does with it: from its end on the job is its owner's. */
    pml_job_finish(job, end, status, &error);
}
