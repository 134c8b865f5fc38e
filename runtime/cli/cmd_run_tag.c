/* pml-run tag: labelled spans of texts, or a label for each token. */
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/printable.h"
#include "runtime/cli/text_input.h"

typedef struct tag_options {
    pml_common_options common;
    pml_model_options model;
    pml_text_options text;
    bool tokens;
} tag_options;

static const pml_option option_table[] = {PML_TEXT_FILE_ROW(tag_options),
                                          PML_TEXT_LIMIT_ROW(tag_options),
                                          {"tokens", 0, PML_OPTION_FLAG, NULL, NULL,
                                           "every token with its label, instead of spans",
                                           offsetof(tag_options, tokens)},
                                          PML_MODEL_OPTION_ROWS(tag_options),
                                          PML_OPTION_ROWS_END};

typedef struct tag { /* of a token or, joined, of a span */
    size_t start_bytes, end_bytes, i_label, n_tokens;
    uint32_t id;
    double score; /* mean over the tokens */
} tag;

typedef struct tags { /* of one text */
    tag *items;
    size_t count;
    bool is_truncated;
} tags;

typedef struct tag_answers {
    const tag_options *options;
    const pml_text_model *model;
    size_t n_labels;
    float *scores; /* [n_labels] */
    tags *texts;   /* [PML_TEXT_WINDOW] */
} tag_answers;

static pml_status keep(void *user, const pml_text_result *result, pml_error *error) {
    pml_status status = PML_OK;
    tag_answers *a = user;
    tags *t = &a->texts[result->i_item];
    size_t top, n_top;
    PML_TRY(pml_alloc(result->encoding->count, sizeof *t->items, &t->items, error));
    t->is_truncated = result->encoding->is_truncated;
    for (size_t i = 0; i < result->encoding->count; i++) {
        const pml_token *token = &result->encoding->tokens[i];
        if (token->i_text == 2) {
            continue; /* what stands around the text */
        }
        memcpy(a->scores, result->values + i * result->row_values, a->n_labels * sizeof *a->scores);
        pml_text_softmax(a->scores, a->n_labels);
        pml_text_top(a->scores, a->n_labels, 1, &top, &n_top);
        t->items[t->count++] = (tag){token->start_bytes, token->end_bytes, top, 1, token->id, (double)a->scores[top]};
    }
done:
    return status;
}

static bool has_prefix(const char *label, char letter) {
    return label[0] == letter && label[1] == '-';
}

/* What a label says without its place in a span: "PER" of "B-PER" and "I-PER". */
static const char *kind_of(const char *label) {
    return has_prefix(label, 'B') || has_prefix(label, 'I') ? label + 2 : label;
}

/* Joins neighbours of one kind, unless the second one begins a new span ("B-"); leaves out what is outside ("O").
 * Returns the number of spans, which replace the tags. */
static size_t join_spans(const pml_text_model *model, tag *items, size_t count) {
    char text[32], other[32];
    size_t n = 0;
    bool is_open = false;
    for (size_t i = 0; i < count; i++) {
        const char *label = pml_text_model_label(model, items[i].i_label, text);
        if (strcmp(label, "O") == 0) {
            is_open = false;
            continue;
        }
        tag *last = is_open ? &items[n - 1] : NULL;
        if (last != NULL && !has_prefix(label, 'B') &&
            strcmp(kind_of(label), kind_of(pml_text_model_label(model, last->i_label, other))) == 0) {
            last->end_bytes = items[i].end_bytes;
            last->score = (last->score * (double)last->n_tokens + items[i].score) / (double)(last->n_tokens + 1);
            last->n_tokens++;
        } else {
            items[n++] = items[i];
            is_open = true;
        }
    }
    return n;
}

static pml_status print_json(const tag_answers *a, const tags *t, const pml_text_item *item, pml_error *error) {
    pml_status status = PML_OK;
    const tag_options *o = a->options;
    const pml_tokenizer_spec *spec = pml_tokenizer_get_spec(a->model->tokenizer);
    pml_json_writer w;
    char text[32];
    pml_json_writer_init(&w, stdout, false);
    pml_json_begin_object(&w, NULL);
    pml_json_begin_array(&w, o->tokens ? "tokens" : "spans");
    for (size_t i = 0; i < t->count; i++) {
        const tag *one = &t->items[i];
        const char *label = pml_text_model_label(a->model, one->i_label, text);
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "label", o->tokens ? label : kind_of(label));
        pml_json_f64(&w, "score", one->score);
        pml_json_u64(&w, "start", one->start_bytes);
        pml_json_u64(&w, "end", one->end_bytes);
        if (o->tokens) {
            pml_json_text(&w, "token", spec->tokens[one->id].bytes, spec->tokens[one->id].size_bytes);
        } else {
            pml_json_text(&w, "text", item->text + one->start_bytes, one->end_bytes - one->start_bytes);
        }
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_bool(&w, "truncated", t->is_truncated);
    pml_json_end_object(&w);
    PML_TRY(pml_json_finish(&w, error));
done:
    return status;
}

static void print_plain(const tag_answers *a, const tags *t, const pml_text_item *item) {
    const tag_options *o = a->options;
    const pml_tokenizer_spec *spec = pml_tokenizer_get_spec(a->model->tokenizer);
    char text[32];
    for (size_t i = 0; i < t->count; i++) {
        const tag *one = &t->items[i];
        const char *label = pml_text_model_label(a->model, one->i_label, text);
        if (o->tokens) {
            pml_printable_write_bytes(stdout, spec->tokens[one->id].bytes, spec->tokens[one->id].size_bytes);
        } else {
            pml_printable_write_bytes(stdout, item->text + one->start_bytes, one->end_bytes - one->start_bytes);
        }
        (void)putchar('\t');
        pml_printable_write(stdout, o->tokens ? label : kind_of(label));
        (void)printf("\t%.6f\n", one->score);
    }
    (void)putchar('\n'); /* an empty line ends each text */
}

static void forget(tag_answers *a) {
    for (size_t i = 0; a->texts != NULL && i < PML_TEXT_WINDOW; i++) {
        pml_free(a->texts[i].items);
        a->texts[i] = (tags){0};
    }
}

static pml_status print_window(void *user, const pml_text_item *items, size_t n_items, pml_error *error) {
    pml_status status = PML_OK;
    tag_answers *a = user;
    const tag_options *o = a->options;
    for (size_t i = 0; i < n_items; i++) {
        tags *t = &a->texts[i];
        if (!o->tokens) {
            t->count = join_spans(a->model, t->items, t->count);
        }
        if (o->common.json) {
            PML_TRY(print_json(a, t, &items[i], error));
        } else {
            print_plain(a, t, &items[i]);
        }
    }
    forget(a);
done:
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const tag_options *o = options;
    pml_status status = PML_OK;
    pml_text_session s = {0};
    tag_answers a = {0};
    const pml_text_run request = {
        .max_tokens = (size_t)o->text.max_tokens.value, .output = "logits", .per_token = true};
    PML_TRY(pml_text_session_open(&o->model, &o->text, operands, n_operands, &s, error));
    PML_TRY(pml_text_need_head(&s, "tag", "token_classification", error));
    a.options = o;
    a.model = &s.text;
    a.n_labels = pml_model_find_output(s.loaded.model, "logits")->shape[2];
    PML_TRY(pml_alloc(a.n_labels, sizeof *a.scores, &a.scores, error));
    PML_TRY(pml_alloc(PML_TEXT_WINDOW, sizeof *a.texts, &a.texts, error));
    PML_TRY(pml_text_session_run(&s, &request, keep, print_window, &a, error));
done:
    forget(&a);
    pml_free(a.texts);
    pml_free(a.scores);
    pml_text_session_close(&s);
    return status;
}

const pml_command pml_cmd_run_tag = {
    .name = "tag",
    .operands = "FILE [TEXT...]",
    .summary = "Label parts of texts with a token classifier.",
    .examples = "pml-run tag model.pml 'Ada Lovelace lived in London.'\n"
                "pml-run tag model.pml --file lines.txt --tokens --json",
    .options = option_table,
    .options_bytes = sizeof(tag_options),
    .least_operands = 1,
    .most_operands = UINT_MAX,
    .run = run,
};
