/* tokenizer.json through the strict pull reader: one walk per component, values collected, kinds checked at the end. */
#include <string.h>

#include "convert/tokenizer_draft.h"
#include "runtime/base/alloc.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/quote.h"

typedef struct parser {
    pml_json_reader reader;
    pml_tokenizer_draft *draft;
    const char *file_name;
    char kind[64]; /* of the component that is being read: its "type"; "": not said */
    bool has_kind;
} parser;

typedef pml_status member_fn(parser *p, const char *key, void *user, pml_error *error);

static pml_status fail(parser *p, pml_error *error, const char *cause) {
    return pml_json_fail(&p->reader, error, cause);
}

/* The object that the current token begins: `member` is called with each key and must read its value, whose first token
 * is the current one. */
static pml_status read_object(parser *p, member_fn *member, void *user, const char *what, pml_error *error) {
    pml_status status = PML_OK;
    char key[64];
    if (p->reader.token != PML_JSON_OBJECT_BEGIN) {
        PML_TRY(fail(p, error, what));
    }
    PML_TRY(pml_json_next(&p->reader, error));
    while (p->reader.token == PML_JSON_KEY) {
        const size_t n = p->reader.text_bytes < sizeof key ? p->reader.text_bytes : 0; /* a longer one is not ours */
        memcpy(key, p->reader.text, n);
        key[n] = '\0';
        PML_TRY(pml_json_next(&p->reader, error));
        PML_TRY(member(p, key, user, error));
        PML_TRY(pml_json_next(&p->reader, error));
    }
done:
    return status;
}

static pml_status read_text(parser *p, char **text, pml_error *error) {
    pml_free(*text);
    *text = NULL;
    if (p->reader.token != PML_JSON_STRING) {
        return fail(p, error, "expected a string");
    }
    return pml_string_copy(p->reader.text, p->reader.text_bytes, text, error);
}

static pml_status read_bool(parser *p, bool *value, pml_error *error) {
    if (p->reader.token != PML_JSON_TRUE && p->reader.token != PML_JSON_FALSE) {
        return fail(p, error, "expected true or false");
    }
    *value = p->reader.token == PML_JSON_TRUE;
    return PML_OK;
}

static pml_status read_tristate(parser *p, pml_tristate *value, pml_error *error) {
    bool is_true = false;
    *value = PML_UNSET;
    if (p->reader.token == PML_JSON_NULL) {
        return PML_OK;
    }
    const pml_status status = read_bool(p, &is_true, error);
    *value = is_true ? PML_YES : PML_NO;
    return status;
}

static pml_status read_id(parser *p, uint32_t *id, pml_error *error) {
    if (p->reader.token != PML_JSON_NUMBER || !p->reader.is_u64 || p->reader.u64 >= PML_MAX_VOCABULARY) {
        return fail(p, error, "expected a token id, an integer from 0 to 2^24 - 1");
    }
    *id = (uint32_t)p->reader.u64;
    return PML_OK;
}

static pml_status read_kind(parser *p, pml_error *error) {
    if (p->reader.token != PML_JSON_STRING) {
        return fail(p, error, "expected a string");
    }
    const size_t n = p->reader.text_bytes < sizeof p->kind ? p->reader.text_bytes : sizeof p->kind - 1;
    memcpy(p->kind, p->reader.text, n);
    p->kind[n] = '\0';
    p->has_kind = true;
    return PML_OK;
}

static pml_status refuse(const parser *p, const char *component, const char *supported, pml_error *error) {
    pml_quoted quoted;
    return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: %s %s is not supported; supported: %s", p->file_name, component,
                    p->has_kind ? pml_quote(&quoted, p->kind) : "without a type", supported);
}

/* ---- components whose kind is all that counts ---------------------------------------------------------------------
 */

static pml_status kind_member(parser *p, const char *key, void *user, pml_error *error) {
    (void)user;
    return strcmp(key, "type") == 0 ? read_kind(p, error) : pml_json_skip(&p->reader, error);
}

static pml_status read_kind_only(parser *p, const char *component, const char *supported, pml_error *error) {
    pml_status status = PML_OK;
    p->has_kind = false;
    PML_TRY(read_object(p, kind_member, NULL, "expected an object", error));
    if (!p->has_kind || strcmp(p->kind, supported) != 0) {
        PML_TRY(refuse(p, component, supported, error));
    }
done:
    return status;
}

/* ---- normalizer ---------------------------------------------------------------------------------------------------
 */

static pml_status normalizer_member(parser *p, const char *key, void *user, pml_error *error) {
    pml_tokenizer_draft *d = p->draft;
    (void)user;
    pml_tristate *value = strcmp(key, "clean_text") == 0             ? &d->clean_text
                          : strcmp(key, "handle_chinese_chars") == 0 ? &d->handle_chinese
                          : strcmp(key, "strip_accents") == 0        ? &d->strip_accents
                          : strcmp(key, "lowercase") == 0            ? &d->lowercase
                                                                     : NULL;
    if (value != NULL) {
        return p->reader.token == PML_JSON_TRUE || p->reader.token == PML_JSON_FALSE || p->reader.token == PML_JSON_NULL
                   ? read_tristate(p, value, error)
                   : pml_json_skip(&p->reader, error); /* of another kind of normalizer, refused below */
    }
    return kind_member(p, key, NULL, error);
}

static pml_status read_normalizer(parser *p, pml_error *error) {
    pml_status status = PML_OK;
    pml_tokenizer_draft *d = p->draft;
    if (p->reader.token == PML_JSON_NULL) {
        d->clean_text = d->handle_chinese = d->strip_accents = d->lowercase = PML_NO;
        goto done;
    }
    p->has_kind = false;
    PML_TRY(read_object(p, normalizer_member, NULL, "normalizer: expected an object", error));
    if (!p->has_kind || strcmp(p->kind, "BertNormalizer") != 0) {
        PML_TRY(refuse(p, "normalizer", "BertNormalizer", error));
    }
done:
    return status;
}

/* ---- added tokens -------------------------------------------------------------------------------------------------
 */

static pml_status added_member(parser *p, const char *key, void *user, pml_error *error) {
    pml_draft_added *added = user;
    bool *flag = strcmp(key, "single_word") == 0  ? &added->is_single_word
                 : strcmp(key, "lstrip") == 0     ? &added->strips_left
                 : strcmp(key, "rstrip") == 0     ? &added->strips_right
                 : strcmp(key, "normalized") == 0 ? &added->is_normalized
                 : strcmp(key, "special") == 0    ? &added->is_special
                                                  : NULL;
    if (flag != NULL) {
        return read_bool(p, flag, error);
    }
    if (strcmp(key, "id") == 0) {
        added->has_id = true;
        return read_id(p, &added->id, error);
    }
    return strcmp(key, "content") == 0 ? read_text(p, &added->text, error) : pml_json_skip(&p->reader, error);
}

static pml_status read_added(parser *p, pml_error *error) {
    pml_status status = PML_OK;
    pml_draft_added added = {0};
    if (p->reader.token != PML_JSON_ARRAY_BEGIN) {
        PML_TRY(fail(p, error, "added_tokens: expected an array"));
    }
    PML_TRY(pml_json_next(&p->reader, error));
    while (p->reader.token != PML_JSON_ARRAY_END) {
        added = (pml_draft_added){.file_name = p->file_name};
        PML_TRY(read_object(p, added_member, &added, "added_tokens: expected objects", error));
        if (added.text == NULL || added.text[0] == '\0' || !added.has_id) {
            PML_TRY(fail(p, error, "an added token needs an id and a content"));
        }
        PML_TRY(pml_draft_add_added(p->draft, &added, error));
        PML_TRY(pml_json_next(&p->reader, error));
    }
done:
    pml_free(added.text);
    return status;
}

/* ---- post-processor -----------------------------------------------------------------------------------------------
 */

typedef struct post_parts { /* what both kinds of post-processor may hold */
    pml_draft_template single, pair;
    char *special[2]; /* of BertProcessing: cls, sep */
    bool has_special[2], has_single, has_pair;
} post_parts;

static pml_status append_item(parser *p, pml_draft_template *template, pml_draft_item *item, pml_error *error) {
    if (template->n_items == PML_MAX_TEMPLATE_ITEMS) {
        return fail(p, error, "the template has too many items");
    }
    template->items[template->n_items++] = *item;
    item->text = NULL;
    return PML_OK;
}

static pml_status piece_member(parser *p, const char *key, void *user, pml_error *error) {
    pml_draft_item *item = user;
    if (strcmp(key, "id") == 0) {
        return read_text(p, &item->text, error);
    }
    return strcmp(key, "type_id") == 0 ? read_id(p, &item->item.type_id, error) : pml_json_skip(&p->reader, error);
}

static pml_status item_member(parser *p, const char *key, void *user, pml_error *error) {
    pml_draft_item *item = user;
    const bool is_text = strcmp(key, "Sequence") == 0;
    if (!is_text && strcmp(key, "SpecialToken") != 0) {
        return fail(p, error, "a template holds Sequence and SpecialToken");
    }
    if (item->text != NULL) {
        return fail(p, error, "an item of a template is one thing, not two");
    }
    pml_status status = read_object(p, piece_member, item, "expected an object", error);
    if (status == PML_OK && item->text == NULL) {
        status = fail(p, error, "an item of a template needs an id");
    }
    if (status == PML_OK && is_text) {
        if (strcmp(item->text, "A") != 0 && strcmp(item->text, "B") != 0) {
            return fail(p, error, "a Sequence of a template is A or B");
        }
        item->item.kind = item->text[0] == 'B' ? PML_TEMPLATE_SECOND : PML_TEMPLATE_FIRST;
        item->item.id = 0;
    }
    return status;
}

static pml_status read_template(parser *p, pml_draft_template *template, pml_error *error) {
    pml_status status = PML_OK;
    pml_draft_item item = {0};
    if (p->reader.token != PML_JSON_ARRAY_BEGIN) {
        PML_TRY(fail(p, error, "expected an array"));
    }
    PML_TRY(pml_json_next(&p->reader, error));
    while (p->reader.token != PML_JSON_ARRAY_END) {
        item = (pml_draft_item){{PML_TEMPLATE_TOKEN, PML_NO_TOKEN, 0}, NULL};
        PML_TRY(read_object(p, item_member, &item, "expected objects", error));
        if (item.text == NULL) {
            PML_TRY(fail(p, error, "an item of a template is empty"));
        }
        PML_TRY(append_item(p, template, &item, error));
        PML_TRY(pml_json_next(&p->reader, error));
    }
done:
    pml_free(item.text);
    return status;
}

/* ["[SEP]", 102]; the id follows from the vocabulary. */
static pml_status read_special(parser *p, post_parts *post, size_t i, pml_error *error) {
    pml_status status = PML_OK;
    uint32_t id;
    if (p->reader.token != PML_JSON_ARRAY_BEGIN) {
        PML_TRY(fail(p, error, "expected a token and its id"));
    }
    PML_TRY(pml_json_next(&p->reader, error));
    PML_TRY(read_text(p, &post->special[i], error));
    PML_TRY(pml_json_next(&p->reader, error));
    PML_TRY(read_id(p, &id, error));
    PML_TRY(pml_json_expect(&p->reader, PML_JSON_ARRAY_END, "the end of the array", error));
    post->has_special[i] = true;
done:
    return status;
}

static pml_status post_member(parser *p, const char *key, void *user, pml_error *error) {
    post_parts *post = user;
    if (p->reader.token == PML_JSON_ARRAY_BEGIN) {
        if (strcmp(key, "single") == 0 && !post->has_single) {
            post->has_single = true;
            return read_template(p, &post->single, error);
        }
        if (strcmp(key, "pair") == 0 && !post->has_pair) {
            post->has_pair = true;
            return read_template(p, &post->pair, error);
        }
        if (strcmp(key, "cls") == 0 || strcmp(key, "sep") == 0) {
            return read_special(p, post, key[0] == 'c' ? 0 : 1, error);
        }
    }
    return kind_member(p, key, NULL, error);
}

static pml_status append_special(parser *p, pml_draft_template *template, const char *text, uint32_t type_id,
                                 pml_error *error) {
    pml_draft_item item = {{PML_TEMPLATE_TOKEN, PML_NO_TOKEN, type_id}, NULL};
    pml_status status = pml_string_copy(text, strlen(text), &item.text, error);
    if (status == PML_OK) {
        status = append_item(p, template, &item, error);
    }
    pml_free(item.text);
    return status;
}

static pml_status append_text(parser *p, pml_draft_template *template, pml_template_kind kind, pml_error *error) {
    pml_draft_item item = {{kind, 0, kind == PML_TEMPLATE_SECOND ? 1 : 0}, NULL};
    return append_item(p, template, &item, error);
}

/* Without special tokens when cls and sep are NULL. */
static pml_status make_bert_template(parser *p, const char *cls, const char *sep, pml_error *error) {
    pml_status status = PML_OK;
    pml_draft_template *const templates[2] = {&p->draft->single, &p->draft->pair};
    for (size_t i = 0; i < 2; i++) {
        if (cls != NULL) {
            PML_TRY(append_special(p, templates[i], cls, 0, error));
        }
        PML_TRY(append_text(p, templates[i], PML_TEMPLATE_FIRST, error));
        if (sep != NULL) {
            PML_TRY(append_special(p, templates[i], sep, 0, error));
        }
        if (i == 1) {
            PML_TRY(append_text(p, templates[i], PML_TEMPLATE_SECOND, error));
            if (sep != NULL) {
                PML_TRY(append_special(p, templates[i], sep, 1, error));
            }
        }
    }
    p->draft->has_template = true;
done:
    return status;
}

static pml_status use_post(parser *p, post_parts *post, pml_error *error) {
    pml_status status = PML_OK;
    if (p->has_kind && strcmp(p->kind, "TemplateProcessing") == 0 && post->has_single && post->has_pair) {
        p->draft->single = post->single;
        p->draft->pair = post->pair;
        post->single.n_items = post->pair.n_items = 0;
        p->draft->has_template = true;
    } else if (p->has_kind && strcmp(p->kind, "BertProcessing") == 0 && post->has_special[0] && post->has_special[1]) {
        PML_TRY(make_bert_template(p, post->special[0], post->special[1], error));
    } else {
        PML_TRY(refuse(p, "post_processor", "TemplateProcessing with single and pair, BertProcessing with cls and sep",
                       error));
    }
done:
    return status;
}

static pml_status read_post_processor(parser *p, pml_error *error) {
    pml_status status = PML_OK;
    post_parts *post = NULL;
    p->has_kind = false;
    if (p->reader.token == PML_JSON_NULL) {
        PML_TRY(make_bert_template(p, NULL, NULL, error));
        goto done;
    }
    PML_TRY(pml_alloc(1, sizeof *post, &post, error));
    PML_TRY(read_object(p, post_member, post, "post_processor: expected an object", error));
    PML_TRY(use_post(p, post, error));
done:
    if (post != NULL) {
        for (uint32_t i = 0; i < post->single.n_items; i++) {
            pml_free(post->single.items[i].text);
        }
        for (uint32_t i = 0; i < post->pair.n_items; i++) {
            pml_free(post->pair.items[i].text);
        }
        pml_free(post->special[0]);
        pml_free(post->special[1]);
        pml_free(post);
    }
    return status;
}

/* ---- model --------------------------------------------------------------------------------------------------------
 */

static pml_status read_vocabulary(parser *p, pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    size_t capacity = 0;
    if (p->reader.token != PML_JSON_OBJECT_BEGIN) {
        PML_TRY(pml_json_skip(&p->reader, error)); /* of another kind of model, refused by its name */
        goto done;
    }
    PML_TRY(pml_json_next(&p->reader, error));
    while (p->reader.token == PML_JSON_KEY) {
        uint32_t id = 0;
        const size_t n = p->reader.text_bytes;
        PML_TRY(pml_grow(&text, &capacity, n + 1, 1, SIZE_MAX / 2, "bytes", error));
        memcpy(text, p->reader.text, n);
        PML_TRY(pml_json_next(&p->reader, error));
        PML_TRY(read_id(p, &id, error));
        PML_TRY(pml_draft_add(p->draft, text, n, id, p->file_name, error));
        PML_TRY(pml_json_next(&p->reader, error));
    }
done:
    pml_free(text);
    return status;
}

static pml_status model_member(parser *p, const char *key, void *user, pml_error *error) {
    pml_tokenizer_draft *d = p->draft;
    (void)user;
    if (strcmp(key, "vocab") == 0) {
        return p->reader.token == PML_JSON_OBJECT_BEGIN
                   ? read_vocabulary(p, error)
                   : pml_json_skip(&p->reader, error); /* of another kind of model, refused by its name */
    }
    if (strcmp(key, "continuing_subword_prefix") == 0 && p->reader.token == PML_JSON_STRING) {
        return read_text(p, &d->prefix, error);
    }
    if (strcmp(key, "unk_token") == 0 && p->reader.token == PML_JSON_STRING) {
        return read_text(p, &d->unk_token, error);
    }
    if (strcmp(key, "max_input_chars_per_word") == 0) {
        if (p->reader.token != PML_JSON_NUMBER || !p->reader.is_u64 || p->reader.u64 == 0) {
            return fail(p, error, "max_input_chars_per_word: expected a positive integer");
        }
        d->max_word_chars = p->reader.u64;
        return PML_OK;
    }
    return kind_member(p, key, NULL, error);
}

static pml_status read_model(parser *p, pml_error *error) {
    pml_status status = PML_OK;
    p->has_kind = false;
    PML_TRY(read_object(p, model_member, NULL, "model: expected an object", error));
    if (p->has_kind ? strcmp(p->kind, "WordPiece") != 0 : p->draft->prefix == NULL) {
        PML_TRY(refuse(p, "model", "WordPiece", error));
    }
    if (pml_names_count(&p->draft->names) == 0) {
        PML_TRY(fail(p, error, "model: the vocabulary is empty or no object"));
    }
done:
    return status;
}

/* ---- the document -------------------------------------------------------------------------------------------------
 */

typedef struct seen_parts {
    bool model, pre_tokenizer, normalizer, post_processor;
} seen_parts;

static pml_status part_member(parser *p, const char *key, void *user, pml_error *error) {
    seen_parts *seen = user;
    if (strcmp(key, "model") == 0) {
        seen->model = true;
        return read_model(p, error);
    }
    if (strcmp(key, "normalizer") == 0) {
        seen->normalizer = true;
        return read_normalizer(p, error);
    }
    if (strcmp(key, "pre_tokenizer") == 0) {
        seen->pre_tokenizer = true;
        p->has_kind = false;
        return p->reader.token == PML_JSON_NULL ? refuse(p, "pre_tokenizer", "BertPreTokenizer", error)
                                                : read_kind_only(p, "pre_tokenizer", "BertPreTokenizer", error);
    }
    if (strcmp(key, "post_processor") == 0) {
        seen->post_processor = true;
        return read_post_processor(p, error);
    }
    if (strcmp(key, "decoder") == 0 && p->reader.token != PML_JSON_NULL) {
        return read_kind_only(p, "decoder", "WordPiece", error);
    }
    return strcmp(key, "added_tokens") == 0 ? read_added(p, error) : pml_json_skip(&p->reader, error);
}

pml_status pml_draft_read_json(pml_tokenizer_draft *draft, const char *text, size_t size_bytes, const char *file_name,
                               pml_error *error) {
    pml_status status = PML_OK;
    parser p = {.draft = draft, .file_name = file_name};
    seen_parts seen = {0};
    pml_json_reader_init(&p.reader, text, size_bytes, 0, file_name, PML_MAX_TOKEN_BYTES);
    /* The first walk sees to what this one does not look at: a key twice, above all. */
    PML_TRY(pml_json_validate(text, size_bytes, file_name, PML_MAX_TOKEN_BYTES, error));
    PML_TRY(pml_json_next(&p.reader, error));
    PML_TRY(read_object(&p, part_member, &seen, "expected an object", error));
    PML_TRY(pml_json_expect(&p.reader, PML_JSON_END, "the end of the document", error));
    p.has_kind = false;
    if (!seen.model) {
        PML_TRY(refuse(&p, "model", "WordPiece", error));
    }
    if (!seen.pre_tokenizer) {
        PML_TRY(refuse(&p, "pre_tokenizer", "BertPreTokenizer", error));
    }
    if (!seen.post_processor) {
        PML_TRY(make_bert_template(&p, NULL, NULL, error));
    }
    if (!seen.normalizer) {
        draft->clean_text = draft->handle_chinese = draft->strip_accents = draft->lowercase = PML_NO;
    }
done:
    pml_json_reader_deinit(&p.reader);
    return status;
}
