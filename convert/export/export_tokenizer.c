/* Whatever was read (tokenizer.json, or vocab.txt and flags), both forms are written: transformers prefers the first,
 * older programs know the second. */
#include <stdlib.h>
#include <string.h>

#include "convert/export/export_files.h"
#include "runtime/base/alloc.h"
#include "runtime/text/tokenizer.h"

static const pml_file_blob *find_blob(const pml_export_subject *subject) {
    return pml_file_blob_find(subject->file, PML_TOKENIZER_BLOB);
}

bool pml_export_has_tokenizer(const pml_export_subject *subject) {
    return find_blob(subject) != NULL;
}

typedef struct opened {
    pml_tokenizer *tokenizer;
    const pml_tokenizer_spec *spec;
    char *text; /* of one token, zero-terminated */
    pml_json_writer json;
} opened;

static pml_status open_tokenizer(const pml_export_subject *subject, FILE *stream, opened *o, pml_error *error) {
    pml_status status = PML_OK;
    const pml_file_blob *blob = find_blob(subject);
    PML_TRY(pml_tokenizer_create(blob->data, (size_t)blob->size_bytes, &o->tokenizer, error));
    o->spec = pml_tokenizer_get_spec(o->tokenizer);
    PML_TRY(pml_alloc(PML_MAX_TOKEN_BYTES + 1, 1, &o->text, error));
    pml_json_writer_init(&o->json, stream, true);
done:
    return status;
}

static void close_tokenizer(opened *o) {
    pml_tokenizer_destroy(o->tokenizer);
    pml_free(o->text);
}

/* Valid until the next call. */
static const char *token_text(const opened *o, uint32_t id) {
    const pml_token_text *token = &o->spec->tokens[id];
    const size_t length = token->size_bytes < PML_MAX_TOKEN_BYTES ? token->size_bytes : PML_MAX_TOKEN_BYTES;
    memcpy(o->text, token->bytes, length);
    o->text[length] = '\0';
    return o->text;
}

/* ---- tokenizer.json ---- */
static void write_added(opened *o) {
    pml_json_begin_array(&o->json, "added_tokens");
    for (uint32_t i = 0; i < o->spec->n_added; i++) {
        const pml_added_token *added = &o->spec->added[i];
        pml_json_begin_object(&o->json, NULL);
        pml_json_u64(&o->json, "id", added->id);
        pml_json_string(&o->json, "content", token_text(o, added->id));
        pml_json_bool(&o->json, "single_word", false);
        pml_json_bool(&o->json, "lstrip", added->strips_left);
        pml_json_bool(&o->json, "rstrip", added->strips_right);
        pml_json_bool(&o->json, "normalized", false);
        pml_json_bool(&o->json, "special", added->is_special);
        pml_json_end_object(&o->json);
    }
    pml_json_end_array(&o->json);
}

static bool is_bpe(const opened *o) {
    return o->spec->kind == PML_TOKENIZER_BPE;
}

/* Of BPE: what cuts texts into words is what puts bytes into letters, and back. */
static void write_byte_level(opened *o, const char *key) {
    pml_json_begin_object(&o->json, key);
    pml_json_string(&o->json, "type", "ByteLevel");
    pml_json_bool(&o->json, "add_prefix_space", o->spec->adds_space);
    pml_json_bool(&o->json, "trim_offsets", true);
    pml_json_bool(&o->json, "use_regex", true);
    pml_json_end_object(&o->json);
}

static void write_normalizer(opened *o) {
    if (is_bpe(o)) {
        pml_json_null(&o->json, "normalizer");
        write_byte_level(o, "pre_tokenizer");
        return;
    }
    pml_json_begin_object(&o->json, "normalizer");
    pml_json_string(&o->json, "type", "BertNormalizer");
    pml_json_bool(&o->json, "clean_text", o->spec->clean_text);
    pml_json_bool(&o->json, "handle_chinese_chars", o->spec->handle_chinese);
    pml_json_bool(&o->json, "strip_accents", o->spec->strip_accents);
    pml_json_bool(&o->json, "lowercase", o->spec->lowercase);
    pml_json_end_object(&o->json);
    pml_json_begin_object(&o->json, "pre_tokenizer");
    pml_json_string(&o->json, "type", "BertPreTokenizer");
    pml_json_end_object(&o->json);
}

static void write_decoder(opened *o) {
    if (is_bpe(o)) {
        write_byte_level(o, "decoder");
        return;
    }
    pml_json_begin_object(&o->json, "decoder");
    pml_json_string(&o->json, "type", "WordPiece");
    pml_json_string(&o->json, "prefix", o->spec->prefix);
    pml_json_bool(&o->json, "cleanup", true);
    pml_json_end_object(&o->json);
}

static void write_template(opened *o, const char *key, const pml_template_item *items, uint32_t n_items) {
    pml_json_begin_array(&o->json, key);
    for (uint32_t i = 0; i < n_items; i++) {
        const bool is_token = items[i].kind == PML_TEMPLATE_TOKEN;
        pml_json_begin_object(&o->json, NULL);
        pml_json_begin_object(&o->json, is_token ? "SpecialToken" : "Sequence");
        pml_json_string(&o->json, "id",
                        is_token                               ? token_text(o, items[i].id)
                        : items[i].kind == PML_TEMPLATE_SECOND ? "B"
                                                               : "A");
        pml_json_u64(&o->json, "type_id", items[i].type_id);
        pml_json_end_object(&o->json);
        pml_json_end_object(&o->json);
    }
    pml_json_end_array(&o->json);
}

static bool is_repeated(const pml_template_item *items, uint32_t n_items, uint32_t id) {
    for (uint32_t i = 0; i < n_items; i++) {
        if (items[i].kind == PML_TEMPLATE_TOKEN && items[i].id == id) {
            return true;
        }
    }
    return false;
}

/* Each token of both templates once. */
static void write_template_tokens(opened *o) {
    const pml_tokenizer_spec *spec = o->spec;
    pml_json_begin_object(&o->json, "special_tokens");
    for (uint32_t i = 0; i < spec->n_single + spec->n_pair; i++) {
        const bool is_single = i < spec->n_single;
        const pml_template_item *item = is_single ? &spec->single[i] : &spec->pair[i - spec->n_single];
        if (item->kind != PML_TEMPLATE_TOKEN || is_repeated(spec->single, is_single ? i : spec->n_single, item->id) ||
            (!is_single && is_repeated(spec->pair, i - spec->n_single, item->id))) {
            continue;
        }
        const char *text = token_text(o, item->id);
        pml_json_begin_object(&o->json, text);
        pml_json_string(&o->json, "id", text);
        pml_json_begin_array(&o->json, "ids");
        pml_json_u64(&o->json, NULL, item->id);
        pml_json_end_array(&o->json);
        pml_json_begin_array(&o->json, "tokens");
        pml_json_string(&o->json, NULL, text);
        pml_json_end_array(&o->json);
        pml_json_end_object(&o->json);
    }
    pml_json_end_object(&o->json);
}

static void write_tokens(opened *o, const char *key) {
    pml_json_begin_object(&o->json, key);
    for (uint32_t id = 0; id < o->spec->n_tokens; id++) {
        pml_json_u64(&o->json, token_text(o, id), id);
    }
    pml_json_end_object(&o->json);
}

static void write_merges(opened *o) {
    pml_json_begin_array(&o->json, "merges");
    for (uint32_t i = 0; i < o->spec->n_merges; i++) {
        pml_json_begin_array(&o->json, NULL);
        pml_json_string(&o->json, NULL, token_text(o, o->spec->merges[i].left_id));
        pml_json_string(&o->json, NULL, token_text(o, o->spec->merges[i].right_id));
        pml_json_end_array(&o->json);
    }
    pml_json_end_array(&o->json);
}

static void write_model(opened *o) {
    const bool has_unknown = o->spec->unk_id != PML_NO_TOKEN;
    pml_json_begin_object(&o->json, "model");
    pml_json_string(&o->json, "type", is_bpe(o) ? "BPE" : "WordPiece");
    pml_json_string(&o->json, "unk_token", has_unknown ? token_text(o, o->spec->unk_id) : NULL);
    if (is_bpe(o)) {
        write_tokens(o, "vocab");
        write_merges(o);
    } else {
        pml_json_string(&o->json, "continuing_subword_prefix", o->spec->prefix);
        pml_json_u64(&o->json, "max_input_chars_per_word", o->spec->max_word_chars);
        write_tokens(o, "vocab");
    }
    pml_json_end_object(&o->json);
}

pml_status pml_export_tokenizer_json(const pml_export_subject *subject, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    opened o = {0};
    PML_TRY(open_tokenizer(subject, stream, &o, error));
    pml_json_begin_object(&o.json, NULL);
    pml_json_string(&o.json, "version", "1.0");
    pml_json_null(&o.json, "truncation");
    pml_json_null(&o.json, "padding");
    write_added(&o);
    write_normalizer(&o);
    pml_json_begin_object(&o.json, "post_processor");
    pml_json_string(&o.json, "type", "TemplateProcessing");
    write_template(&o, "single", o.spec->single, o.spec->n_single);
    write_template(&o, "pair", o.spec->pair, o.spec->n_pair);
    write_template_tokens(&o);
    pml_json_end_object(&o.json);
    write_decoder(&o);
    write_model(&o);
    pml_json_end_object(&o.json);
    PML_TRY(pml_json_finish(&o.json, error));
done:
    close_tokenizer(&o);
    return status;
}

/* ---- vocab.txt; vocab.json and merges.txt ---- */
static bool is_of_kind(const pml_export_subject *subject, pml_tokenizer_kind kind, bool as_lines) {
    const pml_file_blob *blob = find_blob(subject);
    pml_tokenizer *tokenizer = NULL;
    bool is_fitting =
        blob != NULL && pml_tokenizer_create(blob->data, (size_t)blob->size_bytes, &tokenizer, NULL) == PML_OK;
    const pml_tokenizer_spec *spec = is_fitting ? pml_tokenizer_get_spec(tokenizer) : NULL;
    is_fitting = is_fitting && spec->kind == kind;
    for (uint32_t id = 0; is_fitting && as_lines && id < spec->n_tokens; id++) {
        const pml_token_text *token = &spec->tokens[id];
        is_fitting = token->size_bytes > 0 && memchr(token->bytes, '\n', token->size_bytes) == NULL &&
                     memchr(token->bytes, '\r', token->size_bytes) == NULL;
    }
    pml_tokenizer_destroy(tokenizer);
    return is_fitting;
}

bool pml_export_has_vocabulary(const pml_export_subject *subject) {
    return is_of_kind(subject, PML_TOKENIZER_WORDPIECE, true);
}

bool pml_export_has_merges(const pml_export_subject *subject) {
    return is_of_kind(subject, PML_TOKENIZER_BPE, false);
}

static pml_status check_stream(FILE *stream, pml_error *error) {
    return ferror(stream) == 0 ? PML_OK : PML_FAIL(error, PML_E_MEMORY, "the vocabulary: out of memory");
}

static void put_token(const opened *o, uint32_t id, char end, FILE *stream) {
    (void)fwrite(o->spec->tokens[id].bytes, 1, o->spec->tokens[id].size_bytes, stream);
    (void)fputc(end, stream);
}

pml_status pml_export_vocabulary(const pml_export_subject *subject, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    opened o = {0};
    PML_TRY(open_tokenizer(subject, stream, &o, error));
    for (uint32_t id = 0; id < o.spec->n_tokens; id++) {
        put_token(&o, id, '\n', stream);
    }
    PML_TRY(check_stream(stream, error));
done:
    close_tokenizer(&o);
    return status;
}

pml_status pml_export_vocabulary_json(const pml_export_subject *subject, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    opened o = {0};
    PML_TRY(open_tokenizer(subject, stream, &o, error));
    o.json.pretty = false; /* as these files are */
    write_tokens(&o, NULL);
    PML_TRY(pml_json_finish(&o.json, error));
done:
    close_tokenizer(&o);
    return status;
}

/* Tokens of merges hold no blanks: the alphabet of bytes has none. */
pml_status pml_export_merges(const pml_export_subject *subject, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    opened o = {0};
    PML_TRY(open_tokenizer(subject, stream, &o, error));
    (void)fputs("#version: 0.2\n", stream);
    for (uint32_t i = 0; i < o.spec->n_merges; i++) {
        put_token(&o, o.spec->merges[i].left_id, ' ', stream);
        put_token(&o, o.spec->merges[i].right_id, '\n', stream);
    }
    PML_TRY(check_stream(stream, error));
done:
    close_tokenizer(&o);
    return status;
}

/* ---- flags and special tokens ---- */
static void write_special(opened *o) {
    const struct {
        const char *key;
        uint32_t id;
    } special[] = {{"unk_token", o->spec->unk_id},  {"bos_token", o->spec->bos_id}, {"eos_token", o->spec->eos_id},
                   {"cls_token", o->spec->cls_id},  {"sep_token", o->spec->sep_id}, {"pad_token", o->spec->pad_id},
                   {"mask_token", o->spec->mask_id}};
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
        if (special[i].id != PML_NO_TOKEN) {
            pml_json_string(&o->json, special[i].key, token_text(o, special[i].id));
        }
    }
}

pml_status pml_export_tokenizer_config(const pml_export_subject *subject, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    opened o = {0};
    PML_TRY(open_tokenizer(subject, stream, &o, error));
    pml_json_begin_object(&o.json, NULL);
    pml_json_string(&o.json, "tokenizer_class", is_bpe(&o) ? "GPT2Tokenizer" : "BertTokenizer");
    if (is_bpe(&o)) {
        pml_json_bool(&o.json, "add_prefix_space", o.spec->adds_space);
    } else {
        pml_json_bool(&o.json, "do_lower_case", o.spec->lowercase);
        pml_json_bool(&o.json, "strip_accents", o.spec->strip_accents);
        pml_json_bool(&o.json, "tokenize_chinese_chars", o.spec->handle_chinese);
    }
    if (o.spec->max_tokens > 0) {
        pml_json_u64(&o.json, "model_max_length", o.spec->max_tokens);
    }
    write_special(&o);
    pml_json_end_object(&o.json);
    PML_TRY(pml_json_finish(&o.json, error));
done:
    close_tokenizer(&o);
    return status;
}

pml_status pml_export_special_tokens(const pml_export_subject *subject, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    opened o = {0};
    PML_TRY(open_tokenizer(subject, stream, &o, error));
    pml_json_begin_object(&o.json, NULL);
    write_special(&o);
    pml_json_end_object(&o.json);
    PML_TRY(pml_json_finish(&o.json, error));
done:
    close_tokenizer(&o);
    return status;
}
