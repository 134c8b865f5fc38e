/* The model of tokenizer.json, WordPiece or BPE, and vocab.json, which is the vocabulary alone. */
#include <string.h>

#include "convert/tokenizer_parser.h"
#include "runtime/base/alloc.h"

typedef struct model_parts {
    pml_draft_component type;
    bool has_merges;
    /* What would change the ids of BPE and is not supported. */
    bool has_suffix, has_dropout, fuse_unk, byte_fallback, ignore_merges;
} model_parts;

pml_status pml_draft_vocabulary(pml_draft_parser *p, pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    size_t capacity = 0;
    PML_TRY(pml_json_next(&p->reader, error));
    while (p->reader.token == PML_JSON_KEY) {
        uint32_t id = 0;
        const size_t n = p->reader.text_bytes;
        PML_TRY(pml_grow(&text, &capacity, n + 1, 1, SIZE_MAX / 2, "bytes", error));
        memcpy(text, p->reader.text, n);
        PML_TRY(pml_json_next(&p->reader, error));
        PML_TRY(pml_draft_id(p, &id, error));
        PML_TRY(pml_draft_add(p->draft, text, n, id, p->file_name, error));
        PML_TRY(pml_json_next(&p->reader, error));
    }
done:
    pml_free(text);
    return status;
}

pml_status pml_draft_read_vocabulary_json(pml_tokenizer_draft *draft, const char *text, size_t size_bytes,
                                          const char *file_name, pml_error *error) {
    pml_status status = PML_OK;
    pml_draft_parser p = {.draft = draft, .file_name = file_name};
    draft->kind = PML_TOKENIZER_BPE;
    pml_json_reader_init(&p.reader, text, size_bytes, 0, file_name, PML_MAX_TOKEN_BYTES);
    PML_TRY(pml_json_validate(text, size_bytes, file_name, PML_MAX_TOKEN_BYTES, error));
    PML_TRY(pml_json_next(&p.reader, error));
    if (p.reader.token != PML_JSON_OBJECT_BEGIN) {
        PML_TRY(pml_json_fail(&p.reader, error, "expected an object"));
    }
    PML_TRY(pml_draft_vocabulary(&p, error));
    if (pml_names_count(&draft->names) == 0) {
        PML_TRY(pml_json_fail(&p.reader, error, "it has no tokens"));
    }
done:
    pml_json_reader_deinit(&p.reader);
    return status;
}

/* ---- merges -------------------------------------------------------------------------------------------------------
 */

/* ["Ġ", "t"], the reader's current token being its first. */
static pml_status read_pair(pml_draft_parser *p, pml_error *error) {
    pml_status status = PML_OK;
    char *left = NULL;
    PML_TRY(pml_json_next(&p->reader, error));
    PML_TRY(pml_draft_text(p, &left, error));
    const size_t left_bytes = p->reader.text_bytes;
    PML_TRY(pml_json_expect(&p->reader, PML_JSON_STRING, "a string", error));
    status = pml_draft_add_merge(p->draft, left, left_bytes, p->reader.text, p->reader.text_bytes, p->file_name, error);
    PML_TRY(pml_json_locate(&p->reader, status, error));
    PML_TRY(pml_json_expect(&p->reader, PML_JSON_ARRAY_END, "the end of a merge of two tokens", error));
done:
    pml_free(left);
    return status;
}

static pml_status read_merges(pml_draft_parser *p, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_next(&p->reader, error));
    while (p->reader.token != PML_JSON_ARRAY_END) {
        if (p->reader.token == PML_JSON_ARRAY_BEGIN) {
            PML_TRY(read_pair(p, error));
        } else if (p->reader.token == PML_JSON_STRING) {
            status = pml_draft_add_merge_text(p->draft, p->reader.text, p->reader.text_bytes, p->file_name, error);
            PML_TRY(pml_json_locate(&p->reader, status, error));
        } else {
            PML_TRY(pml_json_fail(&p->reader, error, "merges: expected texts or pairs of texts"));
        }
        PML_TRY(pml_json_next(&p->reader, error));
    }
done:
    return status;
}

/* ---- the model ----------------------------------------------------------------------------------------------------
 */

/* What BPE alone has. Other kinds of value are for other kinds of model, refused by their names. */
static pml_status bpe_member(pml_draft_parser *p, const char *key, model_parts *parts, pml_error *error) {
    const pml_json_token token = p->reader.token;
    bool *flag = strcmp(key, "fuse_unk") == 0        ? &parts->fuse_unk
                 : strcmp(key, "byte_fallback") == 0 ? &parts->byte_fallback
                 : strcmp(key, "ignore_merges") == 0 ? &parts->ignore_merges
                                                     : NULL;
    if (strcmp(key, "merges") == 0 && token == PML_JSON_ARRAY_BEGIN) {
        parts->has_merges = true;
        return read_merges(p, error);
    }
    if (flag != NULL) {
        *flag = token == PML_JSON_TRUE;
    } else if (strcmp(key, "dropout") == 0) {
        parts->has_dropout = token != PML_JSON_NULL && !(token == PML_JSON_NUMBER && p->reader.number == 0);
    } else if (strcmp(key, "end_of_word_suffix") == 0) {
        parts->has_suffix = token == PML_JSON_STRING && p->reader.text_bytes > 0;
    }
    return pml_json_skip(&p->reader, error);
}

static pml_status model_member(pml_draft_parser *p, const char *key, void *user, pml_error *error) {
    pml_tokenizer_draft *d = p->draft;
    model_parts *parts = user;
    if (strcmp(key, "type") == 0) {
        return pml_draft_kind(p, &parts->type, error);
    }
    if (strcmp(key, "vocab") == 0 && p->reader.token == PML_JSON_OBJECT_BEGIN) {
        return pml_draft_vocabulary(p, error);
    }
    if (strcmp(key, "continuing_subword_prefix") == 0 && p->reader.token == PML_JSON_STRING) {
        return pml_draft_text(p, &d->prefix, error);
    }
    if (strcmp(key, "unk_token") == 0 && p->reader.token == PML_JSON_STRING) {
        return pml_draft_text(p, &d->unk_token, error);
    }
    if (strcmp(key, "max_input_chars_per_word") == 0) {
        if (p->reader.token != PML_JSON_NUMBER || !p->reader.is_u64 || p->reader.u64 == 0) {
            return pml_json_fail(&p->reader, error, "max_input_chars_per_word: expected a positive integer");
        }
        d->max_word_chars = p->reader.u64;
        return PML_OK;
    }
    return bpe_member(p, key, parts, error);
}

static pml_status check_bpe(const pml_draft_parser *p, const model_parts *parts, pml_error *error) {
    const struct {
        bool is_there;
        const char *name;
    } options[] = {{p->draft->prefix != NULL && p->draft->prefix[0] != '\0', "continuing_subword_prefix"},
                   {parts->has_suffix, "end_of_word_suffix"},
                   {parts->has_dropout, "dropout"},
                   {parts->fuse_unk, "fuse_unk"},
                   {parts->byte_fallback, "byte_fallback"},
                   {parts->ignore_merges, "ignore_merges"}};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (options[i].is_there) {
            return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: a BPE model with %s is not supported", p->file_name,
                            options[i].name);
        }
    }
    return parts->has_merges ? PML_OK : pml_json_fail(&p->reader, error, "model: BPE needs an array of merges");
}

pml_status pml_draft_model(pml_draft_parser *p, pml_error *error) {
    pml_status status = PML_OK;
    model_parts parts = {0};
    PML_TRY(pml_draft_object(p, model_member, &parts, "model: expected an object", error));
    /* Old files do not name the type: BPE has merges, WordPiece a prefix. */
    const char *kind = parts.type.has_kind        ? parts.type.kind
                       : parts.has_merges         ? "BPE"
                       : p->draft->prefix != NULL ? "WordPiece"
                                                  : "";
    if (strcmp(kind, "BPE") == 0) {
        p->draft->kind = PML_TOKENIZER_BPE;
        PML_TRY(check_bpe(p, &parts, error));
    } else if (strcmp(kind, "WordPiece") != 0) {
        PML_TRY(pml_draft_refuse(p, "model", &parts.type, "WordPiece, BPE", error));
    }
    if (pml_names_count(&p->draft->names) == 0) {
        PML_TRY(pml_json_fail(&p->reader, error, "model: the vocabulary is empty or no object"));
    }
done:
    return status;
}
