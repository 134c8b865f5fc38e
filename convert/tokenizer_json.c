/* tokenizer.json through the strict pull reader: one walk per component, values collected, kinds checked at the end. */
#include <string.h>

#include "convert/tokenizer_parser.h"
#include "runtime/base/alloc.h"

typedef struct parts { /* of the document; their kinds are judged when the model's is known */
    bool has_model;
    pml_draft_component normalizer, pre_tokenizer, post_processor, decoder;
    pml_tristate has_no_pattern;                          /* of ByteLevel: "use_regex" is false */
    bool has_normalizer, has_post_processor, has_decoder; /* not null */
} parts;

/* ---- decoder, pre-tokenizer ---------------------------------------------------------------------------------------
 */

static pml_status kind_member(pml_draft_parser *p, const char *key, void *user, pml_error *error) {
    return strcmp(key, "type") == 0 ? pml_draft_kind(p, user, error) : pml_json_skip(&p->reader, error);
}

static pml_status splitter_member(pml_draft_parser *p, const char *key, void *user, pml_error *error) {
    parts *document = user;
    if (p->reader.token == PML_JSON_TRUE || p->reader.token == PML_JSON_FALSE) {
        if (strcmp(key, "add_prefix_space") == 0) {
            return pml_draft_tristate(p, &p->draft->adds_space, error);
        }
        if (strcmp(key, "use_regex") == 0) {
            document->has_no_pattern = p->reader.token == PML_JSON_FALSE ? PML_YES : PML_NO;
        }
    }
    return kind_member(p, key, &document->pre_tokenizer, error);
}

/* ---- normalizer ---------------------------------------------------------------------------------------------------
 */

static pml_status normalizer_member(pml_draft_parser *p, const char *key, void *user, pml_error *error) {
    pml_tokenizer_draft *d = p->draft;
    pml_tristate *value = strcmp(key, "clean_text") == 0             ? &d->clean_text
                          : strcmp(key, "handle_chinese_chars") == 0 ? &d->handle_chinese
                          : strcmp(key, "strip_accents") == 0        ? &d->strip_accents
                          : strcmp(key, "lowercase") == 0            ? &d->lowercase
                                                                     : NULL;
    if (value != NULL) {
        return p->reader.token == PML_JSON_TRUE || p->reader.token == PML_JSON_FALSE || p->reader.token == PML_JSON_NULL
                   ? pml_draft_tristate(p, value, error)
                   : pml_json_skip(&p->reader, error); /* of another kind of normalizer, refused below */
    }
    return kind_member(p, key, user, error);
}

/* ---- added tokens -------------------------------------------------------------------------------------------------
 */

static pml_status added_member(pml_draft_parser *p, const char *key, void *user, pml_error *error) {
    pml_draft_added *added = user;
    bool *flag = strcmp(key, "single_word") == 0  ? &added->is_single_word
                 : strcmp(key, "lstrip") == 0     ? &added->strips_left
                 : strcmp(key, "rstrip") == 0     ? &added->strips_right
                 : strcmp(key, "normalized") == 0 ? &added->is_normalized
                 : strcmp(key, "special") == 0    ? &added->is_special
                                                  : NULL;
    if (flag != NULL) {
        return pml_draft_bool(p, flag, error);
    }
    if (strcmp(key, "id") == 0) {
        added->has_id = true;
        return pml_draft_id(p, &added->id, error);
    }
    return strcmp(key, "content") == 0 ? pml_draft_text(p, &added->text, error) : pml_json_skip(&p->reader, error);
}

static pml_status read_added(pml_draft_parser *p, pml_error *error) {
    pml_status status = PML_OK;
    pml_draft_added added = {0};
    if (p->reader.token != PML_JSON_ARRAY_BEGIN) {
        PML_TRY(pml_json_fail(&p->reader, error, "added_tokens: expected an array"));
    }
    PML_TRY(pml_json_next(&p->reader, error));
    while (p->reader.token != PML_JSON_ARRAY_END) {
        added = (pml_draft_added){.file_name = p->file_name};
        PML_TRY(pml_draft_object(p, added_member, &added, "added_tokens: expected objects", error));
        if (added.text == NULL || added.text[0] == '\0' || !added.has_id) {
            PML_TRY(pml_json_fail(&p->reader, error, "an added token needs an id and a content"));
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
    pml_draft_component *component;
} post_parts;

static pml_status append_item(pml_draft_parser *p, pml_draft_template *template, pml_draft_item *item,
                              pml_error *error) {
    if (template->n_items == PML_MAX_TEMPLATE_ITEMS) {
        return pml_json_fail(&p->reader, error, "the template has too many items");
    }
    template->items[template->n_items++] = *item;
    item->text = NULL;
    return PML_OK;
}

static pml_status piece_member(pml_draft_parser *p, const char *key, void *user, pml_error *error) {
    pml_draft_item *item = user;
    if (strcmp(key, "id") == 0) {
        return pml_draft_text(p, &item->text, error);
    }
    return strcmp(key, "type_id") == 0 ? pml_draft_id(p, &item->item.type_id, error) : pml_json_skip(&p->reader, error);
}

static pml_status item_member(pml_draft_parser *p, const char *key, void *user, pml_error *error) {
    pml_draft_item *item = user;
    const bool is_text = strcmp(key, "Sequence") == 0;
    if (!is_text && strcmp(key, "SpecialToken") != 0) {
        return pml_json_fail(&p->reader, error, "a template holds Sequence and SpecialToken");
    }
    if (item->text != NULL) {
        return pml_json_fail(&p->reader, error, "an item of a template is one thing, not two");
    }
    pml_status status = pml_draft_object(p, piece_member, item, "expected an object", error);
    if (status == PML_OK && item->text == NULL) {
        status = pml_json_fail(&p->reader, error, "an item of a template needs an id");
    }
    if (status == PML_OK && is_text) {
        if (strcmp(item->text, "A") != 0 && strcmp(item->text, "B") != 0) {
            return pml_json_fail(&p->reader, error, "a Sequence of a template is A or B");
        }
        item->item.kind = item->text[0] == 'B' ? PML_TEMPLATE_SECOND : PML_TEMPLATE_FIRST;
        item->item.id = 0;
    }
    return status;
}

static pml_status read_template(pml_draft_parser *p, pml_draft_template *template, pml_error *error) {
    pml_status status = PML_OK;
    pml_draft_item item = {0};
    if (p->reader.token != PML_JSON_ARRAY_BEGIN) {
        PML_TRY(pml_json_fail(&p->reader, error, "expected an array"));
    }
    PML_TRY(pml_json_next(&p->reader, error));
    while (p->reader.token != PML_JSON_ARRAY_END) {
        item = (pml_draft_item){{PML_TEMPLATE_TOKEN, PML_NO_TOKEN, 0}, NULL};
        PML_TRY(pml_draft_object(p, item_member, &item, "expected objects", error));
        if (item.text == NULL) {
            PML_TRY(pml_json_fail(&p->reader, error, "an item of a template is empty"));
        }
        PML_TRY(append_item(p, template, &item, error));
        PML_TRY(pml_json_next(&p->reader, error));
    }
done:
    pml_free(item.text);
    return status;
}

/* ["[SEP]", 102]; the id follows from the vocabulary. */
static pml_status read_special(pml_draft_parser *p, post_parts *post, size_t i, pml_error *error) {
    pml_status status = PML_OK;
    uint32_t id;
    if (p->reader.token != PML_JSON_ARRAY_BEGIN) {
        PML_TRY(pml_json_fail(&p->reader, error, "expected a token and its id"));
    }
    PML_TRY(pml_json_next(&p->reader, error));
    PML_TRY(pml_draft_text(p, &post->special[i], error));
    PML_TRY(pml_json_next(&p->reader, error));
    PML_TRY(pml_draft_id(p, &id, error));
    PML_TRY(pml_json_expect(&p->reader, PML_JSON_ARRAY_END, "the end of the array", error));
    post->has_special[i] = true;
done:
    return status;
}

static pml_status post_member(pml_draft_parser *p, const char *key, void *user, pml_error *error) {
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
    return kind_member(p, key, post->component, error);
}

static pml_status append_special(pml_draft_parser *p, pml_draft_template *template, const char *text, uint32_t type_id,
                                 pml_error *error) {
    pml_draft_item item = {{PML_TEMPLATE_TOKEN, PML_NO_TOKEN, type_id}, NULL};
    pml_status status = pml_string_copy(text, strlen(text), &item.text, error);
    if (status == PML_OK) {
        status = append_item(p, template, &item, error);
    }
    pml_free(item.text);
    return status;
}

static pml_status append_text(pml_draft_parser *p, pml_draft_template *template, pml_template_kind kind,
                              pml_error *error) {
    pml_draft_item item = {{kind, 0, kind == PML_TEMPLATE_SECOND ? 1 : 0}, NULL};
    return append_item(p, template, &item, error);
}

/* Without special tokens when cls and sep are NULL. */
static pml_status make_bert_template(pml_draft_parser *p, const char *cls, const char *sep, pml_error *error) {
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

static bool is_kind(const pml_draft_component *component, const char *kind) {
    return component->has_kind && strcmp(component->kind, kind) == 0;
}

static pml_status use_post(pml_draft_parser *p, post_parts *post, pml_error *error) {
    pml_status status = PML_OK;
    if (is_kind(post->component, "TemplateProcessing") && post->has_single && post->has_pair) {
        p->draft->single = post->single;
        p->draft->pair = post->pair;
        post->single.n_items = post->pair.n_items = 0;
        p->draft->has_template = true;
    } else if (is_kind(post->component, "BertProcessing") && post->has_special[0] && post->has_special[1]) {
        PML_TRY(make_bert_template(p, post->special[0], post->special[1], error));
    } else if (is_kind(post->component, "ByteLevel")) {
        PML_TRY(make_bert_template(p, NULL, NULL, error));
    } else {
        PML_TRY(pml_draft_refuse(p, "post_processor", post->component,
                                 "TemplateProcessing with single and pair, BertProcessing with cls and sep, ByteLevel "
                                 "of BPE",
                                 error));
    }
done:
    return status;
}

static pml_status read_post_processor(pml_draft_parser *p, pml_draft_component *component, pml_error *error) {
    pml_status status = PML_OK;
    post_parts *post = NULL;
    PML_TRY(pml_alloc(1, sizeof *post, &post, error));
    post->component = component;
    PML_TRY(pml_draft_object(p, post_member, post, "post_processor: expected an object", error));
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

/* ---- the document -------------------------------------------------------------------------------------------------
 */

/* null is as good as nothing. */
static pml_status part_member(pml_draft_parser *p, const char *key, void *user, pml_error *error) {
    parts *document = user;
    if (strcmp(key, "model") == 0) {
        document->has_model = true;
        return pml_draft_model(p, error);
    }
    if (p->reader.token == PML_JSON_NULL && strcmp(key, "added_tokens") != 0) {
        return PML_OK;
    }
    if (strcmp(key, "normalizer") == 0) {
        document->has_normalizer = true;
        return pml_draft_object(p, normalizer_member, &document->normalizer, "normalizer: expected an object", error);
    }
    if (strcmp(key, "pre_tokenizer") == 0) {
        return pml_draft_object(p, splitter_member, document, "pre_tokenizer: expected an object", error);
    }
    if (strcmp(key, "post_processor") == 0) {
        document->has_post_processor = true;
        return read_post_processor(p, &document->post_processor, error);
    }
    if (strcmp(key, "decoder") == 0) {
        document->has_decoder = true;
        return pml_draft_object(p, kind_member, &document->decoder, "decoder: expected an object", error);
    }
    return strcmp(key, "added_tokens") == 0 ? read_added(p, error) : pml_json_skip(&p->reader, error);
}

/* Whether the components are those that go with the model. */
static pml_status check_parts(const pml_draft_parser *p, const parts *document, pml_error *error) {
    pml_status status = PML_OK;
    const bool is_bpe = p->draft->kind == PML_TOKENIZER_BPE;
    const char *splitter = is_bpe ? "ByteLevel" : "BertPreTokenizer", *decoder = is_bpe ? "ByteLevel" : "WordPiece";
    const char *other_post = is_bpe ? "BertProcessing" : "ByteLevel";
    if (document->has_normalizer && (is_bpe || !is_kind(&document->normalizer, "BertNormalizer"))) {
        PML_TRY(pml_draft_refuse(p, "normalizer", &document->normalizer, is_bpe ? "none, with BPE" : "BertNormalizer",
                                 error));
    }
    if (!is_kind(&document->pre_tokenizer, splitter)) {
        PML_TRY(pml_draft_refuse(p, "pre_tokenizer", &document->pre_tokenizer, splitter, error));
    }
    if (is_bpe && document->has_no_pattern == PML_YES) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: pre_tokenizer ByteLevel without use_regex is not supported",
                         p->file_name));
    }
    if (document->has_post_processor && is_kind(&document->post_processor, other_post)) {
        PML_TRY(pml_draft_refuse(p, "post_processor", &document->post_processor,
                                 is_bpe ? "TemplateProcessing, ByteLevel" : "TemplateProcessing, BertProcessing",
                                 error));
    }
    if (document->has_decoder && !is_kind(&document->decoder, decoder)) {
        PML_TRY(pml_draft_refuse(p, "decoder", &document->decoder, decoder, error));
    }
done:
    return status;
}

pml_status pml_draft_read_json(pml_tokenizer_draft *draft, const char *text, size_t size_bytes, const char *file_name,
                               pml_error *error) {
    pml_status status = PML_OK;
    pml_draft_parser p = {.draft = draft, .file_name = file_name};
    parts document = {0};
    pml_json_reader_init(&p.reader, text, size_bytes, 0, file_name, PML_MAX_TOKEN_BYTES);
    /* The first walk sees to what this one does not look at: a key twice, above all. */
    PML_TRY(pml_json_validate(text, size_bytes, file_name, PML_MAX_TOKEN_BYTES, error));
    PML_TRY(pml_json_next(&p.reader, error));
    PML_TRY(pml_draft_object(&p, part_member, &document, "expected an object", error));
    PML_TRY(pml_json_expect(&p.reader, PML_JSON_END, "the end of the document", error));
    if (!document.has_model) {
        PML_TRY(pml_draft_refuse(&p, "model", &(pml_draft_component){0}, "WordPiece, BPE", error));
    }
    PML_TRY(check_parts(&p, &document, error));
    if (!document.has_post_processor) {
        PML_TRY(make_bert_template(&p, NULL, NULL, error));
    }
    if (!document.has_normalizer) {
        draft->clean_text = draft->handle_chinese = draft->strip_accents = draft->lowercase = PML_NO;
    }
done:
    pml_json_reader_deinit(&p.reader);
    return status;
}
