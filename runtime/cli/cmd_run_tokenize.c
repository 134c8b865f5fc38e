/* pml-run tokenize: text as the model sees it. */
#include <limits.h>
#include <stddef.h>
#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/printable.h"
#include "runtime/cli/text_input.h"
#include "runtime/text/utf8_stream.h"

typedef struct tokenize_options {
    pml_common_options common;
    pml_text_options text;
    bool ids;
    bool no_special;
    bool decode;
} tokenize_options;

static const pml_option option_table[] = {
    PML_TEXT_FILE_ROW(tokenize_options),
    PML_TEXT_PAIR_ROW(tokenize_options),
    {"max-tokens", 0, PML_OPTION_U64, "N", NULL, "cut longer texts (default: they stay whole)",
     offsetof(tokenize_options, text.max_tokens)},
    {"ids", 0, PML_OPTION_FLAG, NULL, NULL, "print ids instead of tokens", offsetof(tokenize_options, ids)},
    {"no-special", 0, PML_OPTION_FLAG, NULL, NULL, "without the tokens that stand around a text",
     offsetof(tokenize_options, no_special)},
    {"decode", 0, PML_OPTION_FLAG, NULL, NULL, "the other way: texts are ids, what is printed is text (byte-level BPE)",
     offsetof(tokenize_options, decode)},
    PML_OPTION_ROWS_END};

/* The next of some ids with white space between them; PML_NO_TOKEN at their end. */
static pml_status next_id(const char *text, size_t text_bytes, size_t *at, uint32_t n_tokens, uint32_t *id,
                          pml_error *error) {
    uint64_t value = 0;
    *id = PML_NO_TOKEN;
    while (*at < text_bytes && (text[*at] == ' ' || text[*at] == '\t' || text[*at] == '\r' || text[*at] == '\n')) {
        (*at)++;
    }
    const size_t start = *at;
    for (; *at < text_bytes && text[*at] >= '0' && text[*at] <= '9' && value < PML_MAX_VOCABULARY; (*at)++) {
        value = value * 10 + (uint64_t)(text[*at] - '0');
    }
    if (start == text_bytes) {
        return PML_OK;
    }
    if (*at == start || value >= n_tokens || (*at < text_bytes && text[*at] > ' ')) {
        return PML_FAIL(error, PML_E_ARGUMENT, "at byte %zu of a text stands no id of a token, a number below %u",
                        start, n_tokens);
    }
    *id = (uint32_t)value;
    return PML_OK;
}

/* The text of some ids as a string of its own (pml_free), valid UTF-8. */
static pml_status decode(const pml_tokenizer *tokenizer, const pml_text_item *item, char **text, size_t *n_text,
                         pml_error *error) {
    pml_status status = PML_OK;
    const pml_tokenizer_spec *spec = pml_tokenizer_get_spec(tokenizer);
    pml_utf8_stream stream = {0};
    uint8_t *bytes = NULL;
    size_t capacity = 0, at = 0;
    *n_text = 0;
    PML_TRY(pml_alloc(PML_MAX_TOKEN_BYTES, 1, &bytes, error));
    for (uint32_t id = 0;;) {
        PML_TRY(next_id(item->text, item->text_bytes, &at, spec->n_tokens, &id, error));
        const size_t n = id != PML_NO_TOKEN ? pml_tokenizer_decode(tokenizer, id, bytes) : 0;
        PML_TRY(pml_grow(text, &capacity, *n_text + PML_UTF8_STREAM_ROOM(n) + 1, 1, SIZE_MAX / 2, "bytes", error));
        *n_text += id != PML_NO_TOKEN ? pml_utf8_stream_put(&stream, bytes, n, *text + *n_text)
                                      : pml_utf8_stream_end(&stream, *text + *n_text);
        if (id == PML_NO_TOKEN) {
            break;
        }
    }
done:
    pml_free(bytes);
    return status;
}

static pml_status print_decoded(const pml_tokenizer *tokenizer, const pml_text_item *item, bool json,
                                pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    size_t n_text;
    pml_json_writer w;
    if (pml_tokenizer_get_spec(tokenizer)->kind != PML_TOKENIZER_BPE) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "the tokenizer of this model does not turn ids into text"));
    }
    PML_TRY(decode(tokenizer, item, &text, &n_text, error));
    if (json) {
        pml_json_writer_init(&w, stdout, false);
        pml_json_begin_object(&w, NULL);
        pml_json_text(&w, "text", text, n_text);
        pml_json_end_object(&w);
        PML_TRY(pml_json_finish(&w, error));
    } else {
        pml_printable_write_bytes(stdout, text, n_text);
        (void)putchar('\n');
    }
done:
    pml_free(text);
    return status;
}

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
        pml_json_text(&w, NULL, token->bytes, token->size_bytes);
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
        if (o->decode) {
            PML_TRY(print_decoded(text.tokenizer, item, o->common.json, error));
            continue;
        }
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
                "pml-run tokenize model.pml --file lines.txt --json\n"
                "pml-run tokenize model.pml --decode '464 3797'",
    .options = option_table,
    .options_bytes = sizeof(tokenize_options),
    .least_operands = 1,
    .most_operands = UINT_MAX,
    .run = run,
};
