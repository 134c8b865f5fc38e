/* pml-run generate: a language model goes on with a text. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/utf8.h"
#include "runtime/cli/printable.h"
#include "runtime/cli/text_input.h"
#include "runtime/text/generate.h"

enum { DEFAULT_TOKENS = 128 };

typedef struct generate_options {
    pml_common_options common;
    pml_model_options model;
    pml_text_options text;
    pml_option_u64 n_tokens, top_k, seed;
    const char *temperature, *top_p, *min_p, *repetition_penalty;
    pml_option_list stops;
    const char *context;
    bool ignore_eos;
} generate_options;

static const pml_option option_table[] = {
    {"file", 0, PML_OPTION_TEXT, "F", NULL, "the prompt is this file ('-': standard input)",
     offsetof(generate_options, text.file)},
    {"tokens", 'n', PML_OPTION_U64, "N", NULL, "at most N new tokens (default: 128, or as many as there is room for)",
     offsetof(generate_options, n_tokens)},
    {"temp", 0, PML_OPTION_TEXT, "T", NULL,
     "0: the likeliest token each time; 1: by chance, as likely as they are (default: 0, or 1 with --top-k, --top-p, "
     "--min-p or --seed)",
     offsetof(generate_options, temperature)},
    {"top-k", 'k', PML_OPTION_U64, "K", NULL, "chance among the K likeliest tokens only",
     offsetof(generate_options, top_k)},
    {"top-p", 0, PML_OPTION_TEXT, "P", NULL, "among the likeliest that together have the probability P",
     offsetof(generate_options, top_p)},
    {"min-p", 0, PML_OPTION_TEXT, "P", NULL, "among those at least P times as likely as the likeliest",
     offsetof(generate_options, min_p)},
    {"repetition-penalty", 0, PML_OPTION_TEXT, "X", NULL, "above 1: tokens that the text has become less likely",
     offsetof(generate_options, repetition_penalty)},
    {"seed", 's', PML_OPTION_U64, "N", NULL, "which chance; the same text for the same seed (default: 0)",
     offsetof(generate_options, seed)},
    {"stop", 0, PML_OPTION_LIST, "TEXT", NULL, "end before this text; may be given several times",
     offsetof(generate_options, stops)},
    {"ignore-eos", 0, PML_OPTION_FLAG, NULL, NULL, "go on behind the token that ends a text",
     offsetof(generate_options, ignore_eos)},
    {"context", 0, PML_OPTION_TEXT, "HOW", "stop|shift",
     "when the model has no more positions: an error (default), or go on from the last half of the text",
     offsetof(generate_options, context)},
    PML_MODEL_OPTION_ROWS(generate_options),
    PML_OPTION_ROWS_END};

static pml_status read_number(const char *name, const char *text, double *value, pml_error *error) {
    char *end = NULL;
    if (text == NULL) {
        return PML_OK;
    }
    errno = 0;
    *value = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || strspn(text, "0123456789.eE+-") != strlen(text)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--%s takes a number, not '%s'", name, text);
    }
    return PML_OK;
}

static pml_status read_sampling(const generate_options *o, pml_sampling *s, pml_error *error) {
    pml_status status = PML_OK;
    const bool has_chance = o->top_k.is_set || o->top_p != NULL || o->min_p != NULL || o->seed.is_set;
    *s = PML_SAMPLING_GREEDY;
    s->temperature = has_chance ? 1 : 0;
    s->top_k = o->top_k.is_set ? o->top_k.value : 0;
    s->seed = o->seed.is_set ? o->seed.value : 0;
    PML_TRY(read_number("temp", o->temperature, &s->temperature, error));
    PML_TRY(read_number("top-p", o->top_p, &s->top_p, error));
    PML_TRY(read_number("min-p", o->min_p, &s->min_p, error));
    PML_TRY(read_number("repetition-penalty", o->repetition_penalty, &s->repetition_penalty, error));
done:
    return status;
}

/* ---- the prompt ---------------------------------------------------------------------------------------------------
 */

/* Its tokens, or the one that begins a text where it has none; *ids is the caller's (pml_free). */
static pml_status read_prompt(const pml_text_session *s, uint32_t **ids, size_t *n_ids, pml_error *error) {
    pml_status status = PML_OK;
    pml_encoding encoding = {0};
    const pml_text_item *item = &s->texts.items[0];
    size_t n = item->text_bytes;
    const uint32_t bos_id = pml_tokenizer_get_spec(s->text.tokenizer)->bos_id;
    if (s->texts.storage != NULL && n > 0 && item->text[n - 1] == '\n') {
        n--; /* a file ends its last line, the text goes on */
    }
    PML_TRY(pml_tokenizer_run(s->text.tokenizer, item->text, n, NULL, 0, NULL, &encoding, error));
    PML_TRY(pml_alloc(encoding.count + 1, sizeof **ids, ids, error));
    for (*n_ids = 0; *n_ids < encoding.count; (*n_ids)++) {
        (*ids)[*n_ids] = encoding.tokens[*n_ids].id;
    }
    if (*n_ids == 0 && bos_id != PML_NO_TOKEN) {
        (*ids)[(*n_ids)++] = bos_id;
    }
done:
    pml_encoding_deinit(&encoding);
    return status;
}

/* ---- output -------------------------------------------------------------------------------------------------------
 */

typedef struct output {
    bool json, is_terminal;
    char *text; /* JSON is written at the end */
    size_t n_text, capacity;
} output;

/* On a terminal what it would obey is shown instead, lines and tabulators apart. */
static void write_to_terminal(const char *text, size_t size_bytes) {
    for (size_t at = 0; at < size_bytes;) {
        const size_t length = pml_utf8_length((const uint8_t *)text + at, size_bytes - at);
        const uint32_t code = pml_utf8_code((const uint8_t *)text + at, length);
        if (pml_utf8_steers(code) && code != '\n' && code != '\t') {
            pml_printable_write_bytes(stdout, text + at, length);
        } else {
            (void)fwrite(text + at, 1, length, stdout);
        }
        at += length;
    }
}

static pml_status take_text(void *user, const char *text, size_t size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    output *out = user;
    if (out->json) {
        PML_TRY(pml_grow(&out->text, &out->capacity, out->n_text + size_bytes, 1, SIZE_MAX / 2, "bytes", error));
        memcpy(out->text + out->n_text, text, size_bytes);
        out->n_text += size_bytes;
        goto done;
    }
    if (out->is_terminal) {
        write_to_terminal(text, size_bytes);
    } else {
        (void)fwrite(text, 1, size_bytes, stdout);
    }
    (void)fflush(stdout); /* a failure is seen at the end, as for every command */
done:
    return status;
}

static double per_second(size_t n, int64_t ns) {
    return ns > 0 ? (double)n * 1e9 / (double)ns : 0;
}

/* Tokens behind the first one, whose time is the prompt's. */
static double generated_per_second(const pml_generated *g) {
    return g->n_tokens > 1 ? per_second(g->n_tokens - 1, g->rest_ns) : 0;
}

static pml_status print_json(const output *out, const pml_generated *g, size_t n_prompt, bool is_interrupted,
                             pml_error *error) {
    static const char *const ends[] = {[PML_END_LENGTH] = "length", [PML_END_TOKEN] = "eos", [PML_END_STOP] = "stop"};
    pml_status status = PML_OK;
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, false);
    pml_json_begin_object(&w, NULL);
    pml_json_text(&w, "text", out->text != NULL ? out->text : "", out->n_text);
    pml_json_begin_array(&w, "ids");
    for (size_t i = 0; i < g->n_tokens; i++) {
        pml_json_u64(&w, NULL, g->ids[i]);
    }
    pml_json_end_array(&w);
    pml_json_string(&w, "end", is_interrupted ? "interrupted" : ends[g->end]);
    pml_json_u64(&w, "prompt_tokens", n_prompt);
    pml_json_u64(&w, "tokens", g->n_tokens);
    pml_json_f64(&w, "first_token_ms", (double)g->first_ns * 1e-6);
    pml_json_f64(&w, "prompt_tokens_per_s", per_second(g->n_read, g->prompt_ns));
    pml_json_f64(&w, "tokens_per_s", generated_per_second(g));
    pml_json_end_object(&w);
    PML_TRY(pml_json_finish(&w, error));
done:
    return status;
}

static void print_statistics(const pml_generated *g, size_t n_prompt) {
    (void)fprintf(stderr,
                  "prompt: %zu tokens, %.1f tok/s; generated: %zu tokens, %.1f tok/s; first token after %.1f ms\n",
                  n_prompt, per_second(g->n_read, g->prompt_ns), g->n_tokens, generated_per_second(g),
                  (double)g->first_ns * 1e-6);
}

/* ---- the command --------------------------------------------------------------------------------------------------
 */

static pml_status generate(const generate_options *o, const pml_text_session *s, const pml_generation *wanted,
                           pml_error *error) {
    pml_status status = PML_OK;
    pml_session *session = NULL;
    pml_generation options = *wanted;
    pml_generated generated = {0};
    output out = {.json = o->common.json, .is_terminal = isatty(STDOUT_FILENO) == 1};
    uint32_t *ids = NULL;
    size_t n_ids = 0;
    PML_TRY(pml_session_create(s->loaded.model, 1, 0, &session, error));
    PML_TRY(read_prompt(s, &ids, &n_ids, error));
    const size_t room = pml_session_capacity(session);
    if (!o->n_tokens.is_set && !options.shifts && n_ids <= room && options.most_tokens > room - n_ids + 1) {
        options.most_tokens = room - n_ids + 1;
    }
    status = pml_generate(session, s->text.tokenizer, ids, n_ids, &options, take_text, &out, &generated, error);
    if (status != PML_OK && status != PML_E_INTERRUPTED) {
        PML_TRY(status);
    }
    const bool is_interrupted = status == PML_E_INTERRUPTED;
    if (out.json) {
        PML_TRY(print_json(&out, &generated, n_ids, is_interrupted, is_interrupted ? NULL : error));
    } else {
        (void)putchar('\n');
        (void)fflush(stdout);
        if (!o->common.quiet) {
            print_statistics(&generated, n_ids);
        }
    }
    status = is_interrupted ? PML_E_INTERRUPTED : PML_OK;
done:
    pml_generated_deinit(&generated);
    pml_session_destroy(session);
    pml_free(out.text);
    pml_free(ids);
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const generate_options *o = options;
    pml_status status = PML_OK;
    pml_text_session s = {0};
    pml_text_options text = o->text;
    pml_generation wanted = {.most_tokens = o->n_tokens.is_set ? o->n_tokens.value : DEFAULT_TOKENS,
                             .ignores_end = o->ignore_eos,
                             .shifts = o->context != NULL && strcmp(o->context, "shift") == 0,
                             .stops = o->stops.items,
                             .n_stops = o->stops.count};
    text.whole = true;
    PML_TRY(read_sampling(o, &wanted.sampling, error));
    PML_TRY(pml_text_session_open(&o->model, &text, operands, n_operands, &s, error));
    PML_TRY(generate(o, &s, &wanted, error));
done:
    pml_text_session_close(&s);
    return status;
}

const pml_command pml_cmd_run_generate = {
    .name = "generate",
    .operands = "FILE [PROMPT]",
    .summary = "Go on with a text.",
    .examples = "pml-run generate model.pml 'In the beginning' -n 60\n"
                "pml-run generate model.pml --temp 0.8 --top-p 0.9 --seed 7 < prompt.txt",
    .options = option_table,
    .options_bytes = sizeof(generate_options),
    .least_operands = 1,
    .most_operands = 2,
    .run = run,
};
