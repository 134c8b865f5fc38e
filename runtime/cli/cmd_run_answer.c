/* pml-run answer: the part of a context that answers a question. */
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/printable.h"
#include "runtime/cli/text_input.h"

enum { DEFAULT_LENGTH = 30, MOST_TOP = 100 };

typedef struct answer_options {
    pml_common_options common;
    pml_model_options model;
    pml_text_options text;
    const char *question;
    const char *context;
    pml_option_u64 top_k;
    pml_option_u64 max_answer;
} answer_options;

static const pml_option option_table[] = {
    {"question", 0, PML_OPTION_TEXT, "TEXT", NULL, "what is asked (required)", offsetof(answer_options, question)},
    {"context", 0, PML_OPTION_TEXT, "TEXT", NULL,
     "where the answer stands (default: each line of --file or of standard input); what the model does not take of it "
     "is not searched",
     offsetof(answer_options, context)},
    PML_TEXT_FILE_ROW(answer_options),
    PML_TEXT_LIMIT_ROW(answer_options),
    {"top-k", 'k', PML_OPTION_U64, "N", NULL, "the N best answers (default 1)", offsetof(answer_options, top_k)},
    {"max-answer", 0, PML_OPTION_U64, "N", NULL, "an answer has at most N tokens (default 30)",
     offsetof(answer_options, max_answer)},
    PML_MODEL_OPTION_ROWS(answer_options),
    PML_OPTION_ROWS_END};

typedef struct span {
    size_t start_bytes, end_bytes;
    double score;
} span;

typedef struct span_answers {
    size_t most, max_answer;
    bool json;
    span *spans; /* [PML_TEXT_WINDOW][most] */
    size_t n_spans[PML_TEXT_WINDOW];
    bool is_truncated[PML_TEXT_WINDOW];
} span_answers;

static void offer(span *best, size_t *n, size_t most, const span *candidate) {
    size_t at = *n;
    if (at == most && candidate->score <= best[most - 1].score) {
        return;
    }
    at = at == most ? most - 1 : (*n)++;
    while (at > 0 && candidate->score > best[at - 1].score) {
        best[at] = best[at - 1];
        at--;
    }
    best[at] = *candidate;
}

/* Of the tokens of the context, and of the first one, which stands for "no answer". */
static void mask_others(const pml_encoding *encoding, float *scores) {
    for (size_t i = 1; i < encoding->count; i++) {
        if (encoding->tokens[i].i_text != 1) {
            scores[i] = -1e30f;
        }
    }
    pml_text_softmax(scores, encoding->count);
}

static pml_status keep(void *user, const pml_text_result *result, pml_error *error) {
    pml_status status = PML_OK;
    span_answers *a = user;
    const pml_encoding *encoding = result->encoding;
    float *scores = NULL;
    span *best = a->spans + result->i_item * a->most;
    PML_TRY(pml_alloc(encoding->count, 2 * sizeof *scores, &scores, error));
    float *ends = scores + encoding->count;
    memcpy(scores, result->values, encoding->count * sizeof *scores);
    memcpy(ends, result->second, encoding->count * sizeof *scores);
    mask_others(encoding, scores);
    mask_others(encoding, ends);
    a->n_spans[result->i_item] = 0;
    a->is_truncated[result->i_item] = encoding->is_truncated;
    for (size_t i = 0; i < encoding->count; i++) {
        for (size_t k = i; encoding->tokens[i].i_text == 1 && k < encoding->count && k - i < a->max_answer; k++) {
            if (encoding->tokens[k].i_text != 1) {
                break;
            }
            const span candidate = {encoding->tokens[i].start_bytes, encoding->tokens[k].end_bytes,
                                    (double)scores[i] * (double)ends[k]};
            offer(best, &a->n_spans[result->i_item], a->most, &candidate);
        }
    }
done:
    pml_free(scores);
    return status;
}

static pml_status print_answers(const span_answers *a, size_t i, const char *context, pml_error *error) {
    pml_status status = PML_OK;
    const span *spans = a->spans + i * a->most;
    pml_json_writer w;
    if (!a->json) {
        if (a->n_spans[i] == 0) {
            (void)putchar('\n'); /* so that a context without tokens has its line, too */
        }
        for (size_t k = 0; k < a->n_spans[i]; k++) {
            pml_printable_write_bytes(stdout, context + spans[k].start_bytes,
                                      spans[k].end_bytes - spans[k].start_bytes);
            (void)printf("\t%.6f\n", spans[k].score);
        }
        goto done;
    }
    pml_json_writer_init(&w, stdout, false);
    pml_json_begin_object(&w, NULL);
    pml_json_begin_array(&w, "answers");
    for (size_t k = 0; k < a->n_spans[i]; k++) {
        pml_json_begin_object(&w, NULL);
        pml_json_text(&w, "answer", context + spans[k].start_bytes, spans[k].end_bytes - spans[k].start_bytes);
        pml_json_f64(&w, "score", spans[k].score);
        pml_json_u64(&w, "start", spans[k].start_bytes);
        pml_json_u64(&w, "end", spans[k].end_bytes);
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_bool(&w, "truncated", a->is_truncated[i]);
    pml_json_end_object(&w);
    PML_TRY(pml_json_finish(&w, error));
done:
    return status;
}

static pml_status print_window(void *user, const pml_text_item *items, size_t n_items, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < n_items; i++) {
        PML_TRY(print_answers(user, i, items[i].pair, error));
    }
done:
    return status;
}

/* Lines become contexts: the second text, behind the question. */
static pml_status read_contexts(const answer_options *o, char **operands, pml_texts *texts, pml_error *error) {
    pml_status status = PML_OK;
    if (o->question == NULL || o->question[0] == '\0') {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "answer needs --question TEXT"));
    }
    if (o->context != NULL && o->text.file != NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the context is given with --context or --file, not both"));
    }
    if (o->context != NULL) {
        char *given[] = {operands[0], (char *)(uintptr_t)o->context};
        PML_TRY(pml_texts_read(&o->text, given, 2, texts, error));
    } else {
        PML_TRY(pml_texts_read(&o->text, operands, 1, texts, error));
    }
    for (size_t i = 0; i < texts->count; i++) {
        pml_text_item *item = &texts->items[i];
        *item = (pml_text_item){o->question, strlen(o->question), item->text, item->text_bytes, NULL};
    }
done:
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const answer_options *o = options;
    pml_status status = PML_OK;
    pml_text_session s = {0};
    span_answers *a = NULL;
    const pml_text_run request = {.max_tokens = (size_t)o->text.max_tokens.value,
                                  .truncation = PML_TRUNCATE_SECOND,
                                  .output = "start_logits",
                                  .second = "end_logits",
                                  .per_token = true};
    (void)n_operands;
    PML_TRY(pml_loaded_open(operands[0], &o->model, &s.loaded, error));
    PML_TRY(pml_text_model_open(s.loaded.file, s.loaded.model, &s.text, error));
    PML_TRY(pml_text_need_head(&s, "answer", "question_answering", error));
    PML_TRY(read_contexts(o, operands, &s.texts, error));
    PML_TRY(pml_alloc(1, sizeof *a, &a, error));
    a->json = o->common.json;
    a->most = o->top_k.is_set ? (size_t)o->top_k.value : 1;
    a->max_answer = o->max_answer.is_set ? (size_t)o->max_answer.value : DEFAULT_LENGTH;
    if (a->most == 0 || a->most > MOST_TOP || a->max_answer == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--top-k is 1 to %d, --max-answer at least 1", MOST_TOP));
    }
    PML_TRY(pml_alloc(PML_TEXT_WINDOW * a->most, sizeof *a->spans, &a->spans, error));
    PML_TRY(pml_text_session_run(&s, &request, keep, print_window, a, error));
done:
    if (a != NULL) {
        pml_free(a->spans);
        pml_free(a);
    }
    pml_text_session_close(&s);
    return status;
}

const pml_command pml_cmd_run_answer = {
    .name = "answer",
    .operands = "FILE",
    .summary = "Find the answer to a question in a context.",
    .examples = "pml-run answer model.pml --question 'Who wrote it?' --context 'It was written by Ada.'\n"
                "pml-run answer model.pml --question 'Where?' --file contexts.txt --top-k 3 --json",
    .options = option_table,
    .options_bytes = sizeof(answer_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
