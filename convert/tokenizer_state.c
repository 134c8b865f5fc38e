#include "convert/tokenizer_state.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "convert/tokenizer_draft.h"
#include "formats/json_document.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/base/quote.h"

#define GREATEST_LENGTH 1e9 /* a longer "longest text" means that there is no limit */

enum { N_SPECIAL = 5 };
#define END_OF_TEXT "<|endoftext|>"
/* Special tokens by their keys, and what stands for them where no file names one; NULL: none does. */
static const struct {
    const char *key, *text;
} special_tokens[][N_SPECIAL] = {[PML_TOKENIZER_WORDPIECE] = {{"unk_token", "[UNK]"},
                                                              {"cls_token", "[CLS]"},
                                                              {"sep_token", "[SEP]"},
                                                              {"pad_token", "[PAD]"},
                                                              {"mask_token", "[MASK]"}},
                                 [PML_TOKENIZER_BPE] = {{"unk_token", END_OF_TEXT},
                                                        {"bos_token", END_OF_TEXT},
                                                        {"eos_token", END_OF_TEXT},
                                                        {"pad_token", NULL},
                                                        {"mask_token", NULL}}};

typedef enum vocabulary_kind { TOKENIZER_JSON, VOCAB_TXT, VOCAB_JSON } vocabulary_kind;

typedef struct sources { /* parsed side files */
    cJSON *config, *map, *added;
    const pml_side_file *vocabulary; /* NULL: none */
    vocabulary_kind kind;
    const pml_side_file *merges; /* beside VOCAB_JSON */
} sources;

/* Reads a file of the directory; *file is NULL when it is not there. */
static pml_status read_file(const pml_folder *folder, const char *name, pml_tokenizer_state *state,
                            const pml_side_file **file, pml_error *error) {
    pml_side_file *read = &state->files[state->n_files];
    const pml_status status = pml_side_file_find(folder, name, PML_MAX_JSON_BYTES, read, error);
    *file = status == PML_OK && read->name != NULL ? read : NULL;
    state->n_files += *file != NULL;
    return status;
}

static pml_status read_tree(const pml_folder *folder, const char *name, pml_tokenizer_state *state, cJSON **root,
                            pml_error *error) {
    pml_status status = PML_OK;
    const pml_side_file *file;
    PML_TRY(read_file(folder, name, state, &file, error));
    if (file != NULL) {
        PML_TRY(pml_json_document_parse(file->text, file->size_bytes, name, root, error));
        if (!cJSON_IsObject(*root)) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: expected an object", name));
        }
    }
done:
    return status;
}

/* ---- tokenizer_config.json ----------------------------------------------------------------------------------------
 */

/* A string, or the "content" of an object; NULL: neither. */
static const char *token_text(const cJSON *value) {
    if (cJSON_IsObject(value)) {
        value = cJSON_GetObjectItemCaseSensitive(value, "content");
    }
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

/* A special token is a text, an object with one, or null. */
static pml_status check_special(const cJSON *root, pml_tokenizer_kind kind, const char *file_name, pml_error *error) {
    for (size_t i = 0; i < N_SPECIAL; i++) {
        const char *key = special_tokens[kind][i].key;
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(root, key);
        if (value != NULL && !cJSON_IsNull(value) && token_text(value) == NULL) {
            return PML_FAIL(error, PML_E_FORMAT, "%s: %s is neither a text, an object with a content nor null",
                            file_name, key);
        }
    }
    return PML_OK;
}

static pml_draft_special find_special(const sources *s, const pml_tokenizer_draft *draft, size_t i) {
    const char *key = special_tokens[draft->kind][i].key;
    const char *text = token_text(cJSON_GetObjectItemCaseSensitive(s->config, key));
    if (text != NULL) {
        return (pml_draft_special){text, "tokenizer_config.json"};
    }
    text = token_text(cJSON_GetObjectItemCaseSensitive(s->map, key));
    if (text != NULL) {
        return (pml_draft_special){text, "special_tokens_map.json"};
    }
    text = i == 0 && draft->unk_token != NULL ? draft->unk_token : special_tokens[draft->kind][i].text;
    return (pml_draft_special){text, NULL};
}

/* A flag that the file states wins over what tokenizer.json says. */
static pml_status override(const cJSON *config, const char *key, pml_tristate *value, pml_error *error) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, key);
    if (item == NULL || cJSON_IsNull(item)) {
        return PML_OK;
    }
    if (!cJSON_IsBool(item)) {
        return PML_FAIL(error, PML_E_FORMAT, "tokenizer_config.json: %s is neither true, false nor null", key);
    }
    *value = cJSON_IsTrue(item) ? PML_YES : PML_NO;
    return PML_OK;
}

static bool flag_of(const cJSON *object, const char *key) {
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static bool parse_id(const char *text, uint32_t *id) {
    char *end;
    const size_t n_digits = strspn(text, "0123456789");
    if (n_digits == 0 || n_digits > 8 || text[n_digits] != '\0') {
        return false;
    }
    *id = (uint32_t)strtoul(text, &end, 10);
    return *id < PML_MAX_VOCABULARY;
}

/* "added_tokens_decoder": {"0": {"content": "[PAD]", …}}. Those that tokenizer.json listed come first and count. */
static pml_status read_decoder_table(const cJSON *config, pml_tokenizer_draft *draft, pml_error *error) {
    pml_status status = PML_OK;
    const cJSON *table = cJSON_GetObjectItemCaseSensitive(config, "added_tokens_decoder"), *item;
    pml_quoted quoted;
    if (table != NULL && !cJSON_IsNull(table) && !cJSON_IsObject(table)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tokenizer_config.json: added_tokens_decoder is no object"));
    }
    cJSON_ArrayForEach(item, table) {
        const char *text = token_text(item);
        pml_draft_added added = {.file_name = "tokenizer_config.json",
                                 .has_id = true,
                                 .is_special = flag_of(item, "special"),
                                 .strips_left = flag_of(item, "lstrip"),
                                 .strips_right = flag_of(item, "rstrip"),
                                 .is_normalized = flag_of(item, "normalized"),
                                 .is_single_word = flag_of(item, "single_word")};
        if (text == NULL || text[0] == '\0' || item->string == NULL || !parse_id(item->string, &added.id)) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT,
                             "tokenizer_config.json: added_tokens_decoder: %s has no id or content",
                             pml_quote(&quoted, item->string != NULL ? item->string : "")));
        }
        PML_TRY(pml_string_copy(text, strlen(text), &added.text, error));
        PML_TRY(pml_draft_add_added(draft, &added, error));
    }
done:
    return status;
}

/* added_tokens.json: {"[NEW]": 30522}. */
static pml_status read_added_ids(const cJSON *root, pml_tokenizer_draft *draft, pml_error *error) {
    pml_status status = PML_OK;
    const cJSON *item;
    pml_quoted quoted;
    cJSON_ArrayForEach(item, root) {
        pml_draft_added added = {.file_name = "added_tokens.json", .has_id = true};
        if (item->string == NULL || item->string[0] == '\0' || !cJSON_IsNumber(item) || item->valuedouble < 0 ||
            item->valuedouble >= PML_MAX_VOCABULARY || item->valuedouble != (double)(uint32_t)item->valuedouble) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "added_tokens.json: %s has no usable id",
                             pml_quote(&quoted, item->string != NULL ? item->string : "")));
        }
        added.id = (uint32_t)item->valuedouble;
        PML_TRY(pml_string_copy(item->string, strlen(item->string), &added.text, error));
        PML_TRY(pml_draft_add_added(draft, &added, error));
    }
done:
    return status;
}

/* *most_tokens is 0 where the file sets no limit. */
static pml_status read_longest_text(const cJSON *config, uint64_t *most_tokens, pml_error *error) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, "model_max_length");
    *most_tokens = 0;
    if (item == NULL || cJSON_IsNull(item)) {
        return PML_OK;
    }
    if (!cJSON_IsNumber(item)) {
        return PML_FAIL(error, PML_E_FORMAT, "tokenizer_config.json: model_max_length is neither a number nor null");
    }
    if (item->valuedouble >= 1 && item->valuedouble <= GREATEST_LENGTH) {
        *most_tokens = (uint64_t)item->valuedouble;
    }
    return PML_OK;
}

/* ---- all together -------------------------------------------------------------------------------------------------
 */

static pml_status check_vocabulary(const pml_metadata *metadata, uint32_t n_tokens, const char *name,
                                   pml_error *error) {
    pml_status status = PML_OK;
    int64_t vocab_size;
    PML_TRY(pml_metadata_get_i64(metadata, "config.vocab_size", &vocab_size, error));
    if ((int64_t)n_tokens > vocab_size) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: %u tokens, but the model has room for %lld (vocab_size)", name,
                         n_tokens, (long long)vocab_size));
    }
done:
    return status;
}

static pml_status open_sources(const pml_folder *folder, sources *s, pml_tokenizer_state *state, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(read_file(folder, "tokenizer.json", state, &s->vocabulary, error));
    if (s->vocabulary == NULL) {
        s->kind = VOCAB_TXT;
        PML_TRY(read_file(folder, "vocab.txt", state, &s->vocabulary, error));
    }
    if (s->vocabulary == NULL) {
        s->kind = VOCAB_JSON;
        PML_TRY(read_file(folder, "vocab.json", state, &s->vocabulary, error));
    }
    if (s->vocabulary != NULL && s->kind == VOCAB_JSON) {
        PML_TRY(read_file(folder, "merges.txt", state, &s->merges, error));
        if (s->merges == NULL) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "vocab.json: there is no merges.txt beside it"));
        }
    }
    if (s->vocabulary != NULL) {
        PML_TRY(read_tree(folder, "tokenizer_config.json", state, &s->config, error));
        PML_TRY(read_tree(folder, "special_tokens_map.json", state, &s->map, error));
        PML_TRY(read_tree(folder, "added_tokens.json", state, &s->added, error));
    }
done:
    return status;
}

/* Whose vocab.json and merges.txt they are: other tokenizers have such files, too, but put other tokens around a text.
 */
static pml_status check_class(const cJSON *config, pml_error *error) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, "tokenizer_class");
    pml_quoted quoted;
    if (!cJSON_IsString(item) || strcmp(item->valuestring, "GPT2Tokenizer") == 0 ||
        strcmp(item->valuestring, "GPT2TokenizerFast") == 0) {
        return PML_OK;
    }
    return PML_FAIL(
        error, PML_E_UNSUPPORTED,
        "tokenizer_config.json: tokenizer_class %s with vocab.json is not supported; supported: GPT2Tokenizer",
        pml_quote(&quoted, item->valuestring));
}

static pml_status fill_vocabulary(const sources *s, pml_tokenizer_draft *draft, pml_error *error) {
    pml_status status = PML_OK;
    const pml_side_file *file = s->vocabulary;
    switch (s->kind) {
    case TOKENIZER_JSON:
        PML_TRY(pml_draft_read_json(draft, file->text, file->size_bytes, file->name, error));
        break;
    case VOCAB_TXT:
        PML_TRY(pml_draft_read_vocabulary(draft, file->text, file->size_bytes, file->name, error));
        break;
    case VOCAB_JSON:
        PML_TRY(check_class(s->config, error));
        PML_TRY(pml_draft_read_vocabulary_json(draft, file->text, file->size_bytes, file->name, error));
        PML_TRY(pml_draft_read_merges(draft, s->merges->text, s->merges->size_bytes, s->merges->name, error));
        break;
    }
done:
    return status;
}

static pml_status fill_draft(const sources *s, pml_tokenizer_draft *draft, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(fill_vocabulary(s, draft, error));
    PML_TRY(check_special(s->config, draft->kind, "tokenizer_config.json", error));
    PML_TRY(check_special(s->map, draft->kind, "special_tokens_map.json", error));
    if (draft->kind == PML_TOKENIZER_BPE) {
        PML_TRY(override(s->config, "add_prefix_space", &draft->adds_space, error));
        PML_TRY(override(s->config, "add_bos_token", &draft->adds_bos, error));
        PML_TRY(override(s->config, "add_eos_token", &draft->adds_eos, error));
    } else {
        PML_TRY(override(s->config, "do_lower_case", &draft->lowercase, error));
        PML_TRY(override(s->config, "strip_accents", &draft->strip_accents, error));
        PML_TRY(override(s->config, "tokenize_chinese_chars", &draft->handle_chinese, error));
    }
    PML_TRY(read_decoder_table(s->config, draft, error));
    PML_TRY(read_added_ids(s->added, draft, error));
done:
    return status;
}

pml_status pml_tokenizer_state_read(const pml_folder *folder, const pml_metadata *metadata, pml_tokenizer_state *state,
                                    pml_error *error) {
    pml_status status = PML_OK;
    sources s = {0};
    pml_tokenizer_draft draft = {0};
    pml_draft_special special[N_SPECIAL];
    uint64_t most_tokens;
    uint32_t n_tokens;
    if (pml_metadata_find(metadata, "config.vocab_size") != NULL) {
        PML_TRY(open_sources(folder, &s, state, error));
    }
    if (s.vocabulary == NULL) {
        goto done;
    }
    const char *name = s.vocabulary->name;
    PML_TRY(fill_draft(&s, &draft, error));
    for (size_t i = 0; i < N_SPECIAL; i++) {
        special[i] = find_special(&s, &draft, i);
    }
    PML_TRY(read_longest_text(s.config, &most_tokens, error));
    PML_TRY(pml_draft_pack(&draft, special, most_tokens, name, &state->bytes, &state->size_bytes, &n_tokens, error));
    PML_TRY(check_vocabulary(metadata, n_tokens, name, error));
done:
    cJSON_Delete(s.config);
    cJSON_Delete(s.map);
    cJSON_Delete(s.added);
    for (size_t i = 0; i < state->n_files; i++) {
        pml_side_file_forget_text(&state->files[i]);
    }
    pml_draft_deinit(&draft);
    return status;
}

void pml_tokenizer_state_deinit(pml_tokenizer_state *state) {
    for (size_t i = 0; i < state->n_files; i++) {
        pml_side_file_deinit(&state->files[i]);
    }
    pml_free(state->bytes);
    *state = (pml_tokenizer_state){0};
}
