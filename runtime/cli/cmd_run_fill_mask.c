/* pml-run fill-mask: the likeliest tokens for each [MASK] of a text. */
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/printable.h"
#include "runtime/cli/text_input.h"

enum { DEFAULT_TOP = 5, MOST_TOP = 1000 };

typedef struct fill_options {
    pml_common_options common;
    pml_model_options model;
    pml_text_options text;
    pml_option_u64 top_k;
} fill_options;

static const pml_option option_table[] = {PML_TEXT_FILE_ROW(fill_options),
                                          PML_TEXT_PAIR_ROW(fill_options),
                                          PML_TEXT_LIMIT_ROW(fill_options),
                                          {"top-k", 'k', PML_OPTION_U64, "N", NULL,
                                           "the N best tokens of each mask (default 5)", offsetof(fill_options, top_k)},
                                          PML_MODEL_OPTION_ROWS(fill_options),
                                          PML_OPTION_ROWS_END};

typedef struct fill_mask { /* one mask of one text */
    size_t i_item, i_text, start_bytes, n_top;
    size_t *top; /* [most] */
    float *scores;
} fill_mask;

typedef struct fill_answers {
    bool json;
    const pml_tokenizer_spec *spec;
    size_t most, n_values;
    float *scores; /* [n_values], of the mask that is looked at */
    fill_mask *masks;
    size_t n_masks, capacity;
    bool is_truncated[PML_TEXT_WINDOW];
} fill_answers;

static pml_status keep_mask(fill_answers *a, const pml_text_result *result, size_t i_token, pml_error *error) {
    pml_status status = PML_OK;
    const pml_token *token = &result->encoding->tokens[i_token];
    fill_mask mask = {.i_item = result->i_item, .i_text = token->i_text, .start_bytes = token->start_bytes};
    memcpy(a->scores, result->values + i_token * result->row_values, a->n_values * sizeof *a->scores);
    pml_text_softmax(a->scores, a->n_values);
    PML_TRY(pml_alloc(a->most, sizeof *mask.top, &mask.top, error));
    PML_TRY(pml_alloc(a->most, sizeof *mask.scores, &mask.scores, error));
    /* Rows beyond the vocabulary are padding of the table: they stand for nothing. */
    pml_text_top(a->scores, a->spec->n_tokens < a->n_values ? a->spec->n_tokens : a->n_values, a->most, mask.top,
                 &mask.n_top);
    for (size_t k = 0; k < mask.n_top; k++) {
        mask.scores[k] = a->scores[mask.top[k]];
    }
    PML_TRY(pml_grow(&a->masks, &a->capacity, a->n_masks + 1, sizeof *a->masks, SIZE_MAX / 2, "masks", error));
    a->masks[a->n_masks++] = mask;
    mask = (fill_mask){0};
done:
    pml_free(mask.top);
    pml_free(mask.scores);
    return status;
}

static pml_status keep(void *user, const pml_text_result *result, pml_error *error) {
    fill_answers *a = user;
    pml_status status = PML_OK;
    size_t n = 0;
    a->is_truncated[result->i_item] = result->encoding->is_truncated;
    for (size_t i = 0; i < result->encoding->count; i++) {
        if (result->encoding->tokens[i].id == a->spec->mask_id && result->encoding->tokens[i].i_text != 2) {
            PML_TRY(keep_mask(a, result, i, error));
            n++;
        }
    }
    if (n == 0) {
        const pml_token_text *mask = &a->spec->tokens[a->spec->mask_id];
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a text has no %.*s%s", (int)mask->size_bytes, mask->bytes,
                         result->encoding->is_truncated ? " before the place where it is cut" : ""));
    }
done:
    return status;
}

static void print_plain(const fill_answers *a, const fill_mask *mask) {
    for (size_t k = 0; k < mask->n_top; k++) {
        const pml_token_text *token = &a->spec->tokens[mask->top[k]];
        (void)fputs(k > 0 ? "\t" : "", stdout);
        pml_printable_write_bytes(stdout, token->bytes, token->size_bytes);
        (void)printf("\t%.6f", (double)mask->scores[k]);
    }
    (void)putchar('\n');
}

static pml_status print_json(const fill_answers *a, size_t i_item, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, false);
    pml_json_begin_object(&w, NULL);
    pml_json_begin_array(&w, "masks");
    for (size_t m = 0; m < a->n_masks; m++) {
        const fill_mask *mask = &a->masks[m];
        if (mask->i_item != i_item) {
            continue;
        }
        pml_json_begin_object(&w, NULL);
        pml_json_bool(&w, "in_pair", mask->i_text == 1);
        pml_json_u64(&w, "start", mask->start_bytes);
        pml_json_begin_array(&w, "tokens");
        for (size_t k = 0; k < mask->n_top; k++) {
            const pml_token_text *token = &a->spec->tokens[mask->top[k]];
            pml_json_begin_object(&w, NULL);
            pml_json_text(&w, "token", token->bytes, token->size_bytes);
            pml_json_u64(&w, "id", mask->top[k]);
            pml_json_f64(&w, "score", (double)mask->scores[k]);
            pml_json_end_object(&w);
        }
        pml_json_end_array(&w);
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_bool(&w, "truncated", a->is_truncated[i_item]);
    pml_json_end_object(&w);
    PML_TRY(pml_json_finish(&w, error));
done:
    return status;
}

static void forget_masks(fill_answers *a) {
    for (size_t m = 0; m < a->n_masks; m++) {
        pml_free(a->masks[m].top);
        pml_free(a->masks[m].scores);
    }
    a->n_masks = 0;
}

static pml_status print_window(void *user, const pml_text_item *items, size_t n_items, pml_error *error) {
    pml_status status = PML_OK;
    fill_answers *a = user;
    (void)items;
    for (size_t i = 0; i < n_items; i++) {
        for (size_t m = 0; !a->json && m < a->n_masks; m++) {
            if (a->masks[m].i_item == i) {
                print_plain(a, &a->masks[m]);
            }
        }
        if (a->json) {
            PML_TRY(print_json(a, i, error));
        }
    }
    forget_masks(a);
done:
    return status;
}

static pml_status choose_output(const pml_text_session *s, pml_text_run *request, fill_answers *a, pml_error *error) {
    const bool is_pretraining = strcmp(s->text.head, "pretraining") == 0;
    request->output = is_pretraining ? "prediction_logits" : "logits";
    a->spec = pml_tokenizer_get_spec(s->text.tokenizer);
    if (a->spec->mask_id == PML_NO_TOKEN) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: its tokenizer has no mask token", pml_file_path(s->loaded.file));
    }
    if (is_pretraining) {
        return PML_OK;
    }
    return pml_text_need_head(s, "fill-mask", "masked_lm", error);
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const fill_options *o = options;
    pml_status status = PML_OK;
    pml_text_session s = {0};
    fill_answers *a = NULL;
    pml_text_run request = {.max_tokens = (size_t)o->text.max_tokens.value, .per_token = true};
    PML_TRY(pml_text_session_open(&o->model, &o->text, operands, n_operands, &s, error));
    PML_TRY(pml_alloc(1, sizeof *a, &a, error));
    PML_TRY(choose_output(&s, &request, a, error));
    a->json = o->common.json;
    a->n_values = pml_model_find_output(s.loaded.model, request.output)->shape[2];
    a->most = o->top_k.is_set ? (size_t)o->top_k.value : DEFAULT_TOP;
    if (a->most == 0 || a->most > MOST_TOP) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--top-k is 1 to %d", MOST_TOP));
    }
    PML_TRY(pml_alloc(a->n_values, sizeof *a->scores, &a->scores, error));
    PML_TRY(pml_text_session_run(&s, &request, keep, print_window, a, error));
done:
    if (a != NULL) {
        forget_masks(a);
        pml_free(a->masks);
        pml_free(a->scores);
        pml_free(a);
    }
    pml_text_session_close(&s);
    return status;
}

const pml_command pml_cmd_run_fill_mask = {
    .name = "fill-mask",
    .operands = "FILE [TEXT...]",
    .summary = "Propose words for the masks of a text.",
    .examples = "pml-run fill-mask model.pml 'The capital of France is [MASK].'\n"
                "pml-run fill-mask model.pml --file lines.txt --top-k 3 --json",
    .options = option_table,
    .options_bytes = sizeof(fill_options),
    .least_operands = 1,
    .most_operands = UINT_MAX,
    .run = run,
};
