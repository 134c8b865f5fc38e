/* pml-run score: how likely a language model finds texts. */
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/text_input.h"
#include "runtime/text/text_score.h"

typedef struct score_options {
    pml_common_options common;
    pml_model_options model;
    pml_text_options text;
    pml_option_u64 window;
} score_options;

static const pml_option option_table[] = {
    PML_TEXT_FILE_ROW(score_options),
    {"whole", 0, PML_OPTION_FLAG, NULL, NULL, "the file or standard input is one text",
     offsetof(score_options, text.whole)},
    {"window", 0, PML_OPTION_U64, "N", NULL, "read N tokens at a time (default: as many as the model takes)",
     offsetof(score_options, window)},
    PML_MODEL_OPTION_ROWS(score_options),
    PML_OPTION_ROWS_END};

static pml_status print(bool json, const pml_text_score *score, size_t n_tokens, size_t n_bytes, pml_error *error) {
    pml_status status = PML_OK;
    const double loss = -score->log_likelihood / (double)score->n_scored, perplexity = exp(loss);
    pml_json_writer w;
    if (!json) {
        (void)printf("%.6f\t%.6f\t%zu\n", perplexity, score->log_likelihood, score->n_scored);
        goto done;
    }
    pml_json_writer_init(&w, stdout, false);
    pml_json_begin_object(&w, NULL);
    pml_json_f64(&w, "perplexity", perplexity);
    pml_json_f64(&w, "log_likelihood", score->log_likelihood);
    pml_json_f64(&w, "loss", loss);
    pml_json_f64(&w, "bits_per_byte", -score->log_likelihood / log(2.0) / (double)n_bytes);
    pml_json_u64(&w, "tokens", n_tokens);
    pml_json_u64(&w, "scored", score->n_scored);
    pml_json_end_object(&w);
    PML_TRY(pml_json_finish(&w, error));
done:
    return status;
}

static pml_status score_text(const score_options *o, const pml_text_session *s, const pml_text_item *item,
                             pml_encoding *encoding, pml_error *error) {
    pml_status status = PML_OK;
    uint32_t *ids = NULL;
    pml_text_score score;
    PML_TRY(pml_tokenizer_run(s->text.tokenizer, item->text, item->text_bytes, NULL, 0, NULL, encoding, error));
    PML_TRY(pml_alloc(encoding->count, sizeof *ids, &ids, error));
    for (size_t i = 0; i < encoding->count; i++) {
        ids[i] = encoding->tokens[i].id;
    }
    PML_TRY(pml_text_score_run(s->loaded.model, ids, encoding->count, (size_t)o->window.value, &score, error));
    PML_TRY(print(o->common.json, &score, encoding->count, item->text_bytes, error));
done:
    pml_free(ids);
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const score_options *o = options;
    pml_status status = PML_OK;
    pml_text_session s = {0};
    pml_encoding encoding = {0};
    if (o->window.is_set && o->window.value == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--window is at least 1"));
    }
    PML_TRY(pml_text_session_open(&o->model, &o->text, operands, n_operands, &s, error));
    for (size_t i = 0; i < s.texts.count; i++) {
        PML_TRY(score_text(o, &s, &s.texts.items[i], &encoding, error));
    }
done:
    pml_encoding_deinit(&encoding);
    pml_text_session_close(&s);
    return status;
}

const pml_command pml_cmd_run_score = {
    .name = "score",
    .operands = "FILE [TEXT...]",
    .summary = "Say how likely texts are: perplexity and log-likelihood.",
    .examples = "pml-run score model.pml 'In the beginning God created the heaven and the earth.'\n"
                "pml-run score model.pml --whole --file book.txt --json",
    .options = option_table,
    .options_bytes = sizeof(score_options),
    .least_operands = 1,
    .most_operands = UINT_MAX,
    .run = run,
};
