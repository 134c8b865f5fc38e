/* pml-run tokenize: text as the model sees it. */
#include <limits.h>
#include <stddef.h>
#include <stdio.h>

#include "runtime/cli/printable.h"
#include "runtime/cli/text_input.h"

typedef struct tokenize_options {
    pml_common_options common;
    pml_text_options text;
    bool ids;
    bool no_special;
} tokenize_options;

static const pml_option option_table[] = {
    PML_TEXT_FILE_ROW(tokenize_options),
    PML_TEXT_PAIR_ROW(tokenize_options),
    {"max-tokens", 0, PML_OPTION_U64, "N", NULL, "cut longer texts (default: they stay whole)",
     offsetof(tokenize_options, text.max_tokens)},
    {"ids", 0, PML_OPTION_FLAG, NULL, NULL, "print ids instead of tokens", offsetof(tokenize_options, ids)},
    {"no-special", 0, PML_OPTION_FLAG, NULL, NULL, "without the tokens that stand around a text",
     offsetof(tokenize_options, no_special)},
    PML_OPTION_ROWS_END};

static void print_plain(const pml_tokenizer_spec *spec, const pml_encoding *encoding, bool ids) {
    for (size_t i = 0; i < encoding->count; i++) {
        const uint32_t id = encoding->tokens[i].id;
        if (i > 0) {
            (void)putchar(' ');
        }
        if (ids) {
            (void)printf("%u", id);
        } else {
            pml_printable_write_bytes(stdout, spec->tokens[id].bytes, spec->tokens[id].size_bytes);
        }
    }
    (void)putchar('\n');
}

static pml_status print_json(const pml_tokenizer_spec *spec, const pml_encoding *encoding, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, false);
    pml_json_begin_object(&w, NULL);
    pml_json_begin_array(&w, "ids");
    for (size_t i = 0; i < encoding->count; i++) {
        pml_json_u64(&w, NULL, encoding->tokens[i].id);
    }
    pml_json_end_array(&w);
    pml_json_begin_array(&w, "type_ids");
    for (size_t i = 0; i < encoding->count; i++) {
        pml_json_u64(&w, NULL, encoding->tokens[i].type_id);
    }
    pml_json_end_array(&w);
    pml_json_begin_array(&w, "tokens");
    for (size_t i = 0; i < encoding->count; i++) {
        const pml_token_text *token = &spec->tokens[encoding->tokens[i].id];
        PML_TRY(pml_text_json(&w, NULL, token->bytes, token->size_bytes, error));
    }
    pml_json_end_array(&w);
    pml_json_begin_array(&w, "offsets");
    for (size_t i = 0; i < encoding->count; i++) {
        pml_json_begin_array(&w, NULL);
        pml_json_u64(&w, NULL, encoding->tokens[i].start_bytes);
        pml_json_u64(&w, NULL, encoding->tokens[i].end_bytes);
        pml_json_end_array(&w);
    }
    pml_json_end_array(&w);
    pml_json_bool(&w, "truncated", encoding->is_truncated);
    pml_json_end_object(&w);
    PML_TRY(pml_json_finish(&w, error));
done:
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const tokenize_options *o = options;
    pml_status status = PML_OK;
    pml_file *file = NULL;
    pml_text_model text = {0};
    pml_texts texts = {0};
    pml_encoding encoding = {0};
    const pml_encode_options encode = {.max_tokens = o->text.max_tokens.is_set ? (size_t)o->text.max_tokens.value : 0,
                                       .no_special = o->no_special};
    PML_TRY(pml_file_open(operands[0], &file, error));
    PML_TRY(pml_text_model_open(file, NULL, &text, error));
    PML_TRY(pml_texts_read(&o->text, operands, n_operands, &texts, error));
    const pml_tokenizer_spec *spec = pml_tokenizer_get_spec(text.tokenizer);
    for (size_t i = 0; i < texts.count; i++) {
        const pml_text_item *item = &texts.items[i];
        PML_TRY(pml_tokenizer_run(text.tokenizer, item->text, item->text_bytes, item->pair, item->pair_bytes, &encode,
                                  &encoding, error));
        if (o->common.json) {
            PML_TRY(print_json(spec, &encoding, error));
        } else {
            print_plain(spec, &encoding, o->ids);
        }
    }
done:
    pml_encoding_deinit(&encoding);
    pml_texts_free(&texts);
    pml_text_model_close(&text);
    pml_file_close(file);
    return status;
}

const pml_command pml_cmd_run_tokenize = {
    .name = "tokenize",
    .operands = "FILE [TEXT...]",
    .summary = "Split text into the tokens that the model reads.",
    .examples = "pml-run tokenize model.pml 'The cat sat.'\n"
                "pml-run tokenize model.pml --file lines.txt --json",
    .options = option_table,
    .options_bytes = sizeof(tokenize_options),
    .least_operands = 1,
    .most_operands = UINT_MAX,
    .run = run,
};
