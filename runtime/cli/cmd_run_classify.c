/* pml-run classify: a label and its score for each text. */
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/printable.h"
#include "runtime/cli/text_input.h"

typedef struct classify_options {
    pml_common_options common;
    pml_model_options model;
    pml_text_options text;
    pml_option_u64 top_k;
} classify_options;

static const pml_option option_table[] = {PML_TEXT_FILE_ROW(classify_options),
                                          PML_TEXT_PAIR_ROW(classify_options),
                                          PML_TEXT_LIMIT_ROW(classify_options),
                                          {"top-k", 'k', PML_OPTION_U64, "N", NULL,
                                           "the N best labels of each text (default 1)",
                                           offsetof(classify_options, top_k)},
                                          PML_MODEL_OPTION_ROWS(classify_options),
                                          PML_OPTION_ROWS_END};

typedef struct answers { /* of one window */
    const classify_options *options;
    const pml_text_model *model;
    float *scores; /* [PML_TEXT_WINDOW][n] */
    size_t n;
    size_t n_tokens[PML_TEXT_WINDOW];
    bool is_truncated[PML_TEXT_WINDOW];
} answers;

static pml_status keep(void *user, const pml_text_result *result, pml_error *error) {
    answers *a = user;
    (void)error;
    float *scores = a->scores + result->i_item * a->n;
    memcpy(scores, result->values, a->n * sizeof *scores);
    if (a->n > 1 && !a->model->is_multi_label) {
        pml_text_softmax(scores, a->n);
    } else { /* yes or no, of each class by itself */
        for (size_t i = 0; i < a->n; i++) {
            scores[i] = (float)(1 / (1 + exp(-(double)scores[i])));
        }
    }
    a->n_tokens[result->i_item] = result->encoding->count;
    a->is_truncated[result->i_item] = result->encoding->is_truncated;
    return PML_OK;
}

static void print_plain(const pml_text_model *model, const float *scores, const size_t *top, size_t n_top) {
    char text[32];
    for (size_t k = 0; k < n_top; k++) {
        (void)fputs(k > 0 ? "\t" : "", stdout);
        pml_printable_write(stdout, pml_text_model_label(model, top[k], text));
        (void)printf("\t%.6f", (double)scores[top[k]]);
    }
    (void)putchar('\n');
}

static pml_status print_json(const answers *a, size_t i, const size_t *top, size_t n_top, pml_error *error) {
    const pml_text_model *model = a->model;
    pml_json_writer w;
    char text[32];
    const float *scores = a->scores + i * a->n;
    pml_json_writer_init(&w, stdout, false);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "label", pml_text_model_label(model, top[0], text));
    pml_json_f64(&w, "score", (double)scores[top[0]]);
    pml_json_begin_array(&w, "labels");
    for (size_t k = 0; k < n_top; k++) {
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "label", pml_text_model_label(model, top[k], text));
        pml_json_f64(&w, "score", (double)scores[top[k]]);
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_u64(&w, "tokens", a->n_tokens[i]);
    pml_json_bool(&w, "truncated", a->is_truncated[i]);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static pml_status print_window(void *user, const pml_text_item *items, size_t n_items, pml_error *error) {
    pml_status status = PML_OK;
    const answers *a = user;
    const classify_options *o = a->options;
    size_t *top = NULL, n_top;
    (void)items;
    const size_t most = !o->top_k.is_set ? 1 : o->top_k.value < a->n ? (size_t)o->top_k.value : a->n;
    PML_TRY(pml_alloc(most, sizeof *top, &top, error));
    for (size_t i = 0; i < n_items; i++) {
        pml_text_top(a->scores + i * a->n, a->n, most, top, &n_top);
        if (o->common.json) {
            PML_TRY(print_json(a, i, top, n_top, error));
        } else {
            print_plain(a->model, a->scores + i * a->n, top, n_top);
        }
    }
done:
    pml_free(top);
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const classify_options *o = options;
    pml_status status = PML_OK;
    pml_text_session s = {0};
    answers *a = NULL;
    const pml_text_run request = {.max_tokens = (size_t)o->text.max_tokens.value, .output = "logits"};
    if (o->top_k.is_set && o->top_k.value == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--top-k is at least 1"));
    }
    PML_TRY(pml_text_session_open(&o->model, &o->text, operands, n_operands, &s, error));
    PML_TRY(pml_text_need_head(&s, "classify", "sequence_classification", error));
    PML_TRY(pml_alloc(1, sizeof *a, &a, error));
    a->options = o;
    a->model = &s.text;
    a->n = pml_model_find_output(s.loaded.model, "logits")->shape[1];
    PML_TRY(pml_alloc(PML_TEXT_WINDOW * a->n, sizeof *a->scores, &a->scores, error));
    PML_TRY(pml_text_session_run(&s, &request, keep, print_window, a, error));
done:
    if (a != NULL) {
        pml_free(a->scores);
        pml_free(a);
    }
    pml_text_session_close(&s);
    return status;
}

const pml_command pml_cmd_run_classify = {
    .name = "classify",
    .operands = "FILE [TEXT...]",
    .summary = "Label texts with a sequence classifier.",
    .examples = "pml-run classify model.pml 'In the beginning God created the heaven and the earth.'\n"
                "pml-run classify model.pml --file lines.txt --top-k 3 --json",
    .options = option_table,
    .options_bytes = sizeof(classify_options),
    .least_operands = 1,
    .most_operands = UINT_MAX,
    .run = run,
};
