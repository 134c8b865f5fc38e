#include "convert/tokenizer_draft.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/base/utf8.h"

#define DEFAULT_MAX_WORD_CHARS 100u

enum { UNK, CLS, SEP, PAD, MASK, N_SPECIAL };

pml_status pml_draft_add(pml_tokenizer_draft *draft, const char *text, size_t size_bytes, uint32_t id,
                         const char *file_name, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    size_t i_name;
    bool is_new;
    PML_TRY(pml_names_add(&draft->names, text, size_bytes, PML_MAX_VOCABULARY, "tokens", &i_name, &is_new, error));
    if (!is_new) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: token %s is there twice, as %u and %u", file_name,
                         pml_quote(&quoted, pml_names_at(&draft->names, i_name)), draft->ids[i_name], id));
    }
    PML_TRY(pml_grow(&draft->ids, &draft->ids_capacity, i_name + 1, sizeof *draft->ids, PML_MAX_VOCABULARY, "tokens",
                     error));
    draft->ids[i_name] = id;
done:
    return status;
}

pml_status pml_draft_add_added(pml_tokenizer_draft *draft, pml_draft_added *added, pml_error *error) {
    const pml_status status = pml_grow(&draft->added, &draft->added_capacity, draft->n_added + 1, sizeof *draft->added,
                                       PML_MAX_VOCABULARY, "added tokens", error);
    if (status == PML_OK) {
        draft->added[draft->n_added++] = *added;
    } else {
        pml_free(added->text);
    }
    added->text = NULL;
    return status;
}

pml_status pml_draft_read_vocabulary(pml_tokenizer_draft *draft, const char *text, size_t size_bytes,
                                     const char *file_name, pml_error *error) {
    pml_status status = PML_OK;
    uint32_t id = 0;
    for (size_t begin = 0, at = 0; begin < size_bytes; id++) {
        while (at < size_bytes && text[at] != '\n' && text[at] != '\r') {
            const size_t length = pml_utf8_length((const uint8_t *)text + at, size_bytes - at);
            if (length == 0 || text[at] == '\0') {
                PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, at, "%s: line %u %s", file_name, id + 1,
                                    length == 0 ? "is not UTF-8" : "has a zero byte"));
            }
            at += length;
        }
        PML_TRY(pml_draft_add(draft, text + begin, at - begin, id, file_name, error));
        if (at < size_bytes) {
            at += text[at] == '\r' && at + 1 < size_bytes && text[at + 1] == '\n' ? 2 : 1;
        }
        begin = at;
    }
    if (id == 0) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: it has no tokens", file_name));
    }
done:
    return status;
}

/* ---- packing ------------------------------------------------------------------------------------------------------
 */

typedef struct packing { /* the arrays that a spec borrows */
    pml_token_text *tokens;
    pml_token_merge *merges;
    pml_added_token *added;
    size_t n_added;
    pml_template_item single[PML_MAX_TEMPLATE_ITEMS], pair[PML_MAX_TEMPLATE_ITEMS];
} packing;

static uint32_t find(const pml_tokenizer_draft *draft, const char *text) {
    size_t i_name;
    return text != NULL && pml_names_find(&draft->names, text, strlen(text), &i_name) ? draft->ids[i_name]
                                                                                      : PML_NO_TOKEN;
}

/* The file to name where the token `text` is at fault. */
static const char *origin(const pml_tokenizer_draft *draft, const char *text, const char *file_name) {
    for (size_t i = 0; i < draft->n_added; i++) {
        if (strcmp(draft->added[i].text, text) == 0) {
            return draft->added[i].file_name;
        }
    }
    return file_name;
}

/* Every id from 0 to n - 1 exactly once. */
static pml_status order_tokens(const pml_tokenizer_draft *draft, packing *p, const char *file_name, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted, other;
    const size_t n = pml_names_count(&draft->names);
    PML_TRY(pml_alloc(n, sizeof *p->tokens, &p->tokens, error));
    for (size_t i = 0; i < n; i++) {
        const char *text = pml_names_at(&draft->names, i);
        const uint32_t id = draft->ids[i];
        if (id >= n) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: token %s has id %u, but there are %zu tokens: ids have gaps",
                             origin(draft, text, file_name), pml_quote(&quoted, text), id, n));
        }
        if (p->tokens[id].bytes != NULL) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: tokens %s and %s have one id, %u",
                             origin(draft, text, file_name), pml_quote(&other, p->tokens[id].bytes),
                             pml_quote(&quoted, text), id));
        }
        p->tokens[id] = (pml_token_text){text, strlen(text)};
    }
done:
    return status;
}

static pml_status check_added(const pml_tokenizer_draft *draft, const pml_draft_added *added, pml_error *error) {
    pml_quoted quoted;
    const bool changes =
        draft->kind == PML_TOKENIZER_WORDPIECE && (draft->lowercase != PML_NO || draft->strip_accents == PML_YES);
    if (added->is_single_word) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: added token %s matches only as a word (single_word)",
                        added->file_name, pml_quote(&quoted, added->text));
    }
    if (added->is_normalized && changes) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: added token %s is matched in normalised text (normalized)",
                        added->file_name, pml_quote(&quoted, added->text));
    }
    return PML_OK;
}

/* Added tokens that the vocabulary lacks become its last tokens; all others must agree with it. */
static pml_status place_added(pml_tokenizer_draft *draft, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    for (size_t i = 0; i < draft->n_added; i++) {
        pml_draft_added *added = &draft->added[i];
        PML_TRY(check_added(draft, added, error));
        const uint32_t id = find(draft, added->text);
        if (id == PML_NO_TOKEN) {
            if (!added->has_id) {
                added->id = (uint32_t)pml_names_count(&draft->names);
            }
            PML_TRY(pml_draft_add(draft, added->text, strlen(added->text), added->id, added->file_name, error));
        } else if (added->has_id && added->id != id) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: added token %s has id %u, in the vocabulary it has %u",
                             added->file_name, pml_quote(&quoted, added->text), added->id, id));
        }
        added->id = id != PML_NO_TOKEN ? id : added->id;
    }
done:
    return status;
}

static int compare_added(const void *a, const void *b) {
    const uint32_t x = ((const pml_added_token *)a)->id, y = ((const pml_added_token *)b)->id;
    return (x > y) - (x < y);
}

/* Those of the files, then the special tokens; of two with one id the first one counts. */
static pml_status collect_added(const pml_tokenizer_draft *draft, const pml_draft_special special[N_SPECIAL],
                                packing *p, pml_error *error) {
    pml_status status = PML_OK;
    bool *is_added = NULL;
    PML_TRY(pml_alloc(draft->n_added + N_SPECIAL, sizeof *p->added, &p->added, error));
    PML_TRY(pml_alloc(pml_names_count(&draft->names), sizeof *is_added, &is_added, error));
    for (size_t i = 0; i < draft->n_added; i++) {
        const pml_draft_added *added = &draft->added[i];
        if (!is_added[added->id]) {
            is_added[added->id] = true;
            p->added[p->n_added++] =
                (pml_added_token){added->id, added->is_special, added->strips_left, added->strips_right};
        }
    }
    for (size_t k = 0; k < N_SPECIAL; k++) {
        const uint32_t id = find(draft, special[k].text);
        if (id != PML_NO_TOKEN && special[k].text[0] != '\0' && !is_added[id]) {
            is_added[id] = true;
            p->added[p->n_added++] = (pml_added_token){.id = id, .is_special = true};
        }
    }
    qsort(p->added, p->n_added, sizeof *p->added, compare_added);
done:
    pml_free(is_added);
    return status;
}

static pml_status resolve_template(const pml_tokenizer_draft *draft, const pml_draft_template *from,
                                   pml_template_item *to, const char *file_name, pml_error *error) {
    pml_quoted quoted;
    for (uint32_t i = 0; i < from->n_items; i++) {
        to[i] = from->items[i].item;
        const uint32_t id = find(draft, from->items[i].text);
        if (to[i].kind != PML_TEMPLATE_TOKEN) {
            continue;
        }
        if (id == PML_NO_TOKEN || (to[i].id != PML_NO_TOKEN && to[i].id != id)) {
            return PML_FAIL(error, PML_E_FORMAT, "%s: token %s of the template is not in the vocabulary%s", file_name,
                            pml_quote(&quoted, from->items[i].text), id != PML_NO_TOKEN ? " with that id" : "");
        }
        to[i].id = id;
    }
    return PML_OK;
}

/* What GPT-2's tokenizer_config.json asks for: A, or A and B, each between the tokens that are wanted. */
static void bpe_templates(const pml_tokenizer_draft *draft, pml_tokenizer_spec *spec, packing *p) {
    for (uint32_t i_text = 0; i_text < 2; i_text++) {
        const pml_template_item items[3] = {{PML_TEMPLATE_TOKEN, spec->bos_id, i_text},
                                            {i_text == 0 ? PML_TEMPLATE_FIRST : PML_TEMPLATE_SECOND, 0, i_text},
                                            {PML_TEMPLATE_TOKEN, spec->eos_id, i_text}};
        for (size_t i = 0; i < 3; i++) {
            if (i == 1 || (i == 0 ? draft->adds_bos : draft->adds_eos) == PML_YES) {
                p->pair[spec->n_pair++] = items[i];
            }
        }
        if (i_text == 0) {
            memcpy(p->single, p->pair, sizeof p->single);
            spec->n_single = spec->n_pair;
        }
    }
}

/* BERT's own: [CLS] A [SEP], and [CLS] A [SEP] B [SEP] with B and its end of type 1. */
static void default_templates(pml_tokenizer_spec *spec, packing *p) {
    const pml_template_item items[5] = {{PML_TEMPLATE_TOKEN, spec->cls_id, 0},
                                        {PML_TEMPLATE_FIRST, 0, 0},
                                        {PML_TEMPLATE_TOKEN, spec->sep_id, 0},
                                        {PML_TEMPLATE_SECOND, 0, 1},
                                        {PML_TEMPLATE_TOKEN, spec->sep_id, 1}};
    memcpy(p->single, items, 3 * sizeof items[0]);
    memcpy(p->pair, items, sizeof items);
    spec->n_single = 3;
    spec->n_pair = 5;
}

static pml_status make_templates(const pml_tokenizer_draft *draft, packing *p, pml_tokenizer_spec *spec,
                                 const char *file_name, pml_error *error) {
    pml_status status = PML_OK;
    const bool is_bpe = draft->kind == PML_TOKENIZER_BPE;
    if (is_bpe && (!draft->has_template || draft->adds_bos != PML_UNSET || draft->adds_eos != PML_UNSET)) {
        bpe_templates(draft, spec, p);
    } else if (draft->has_template) {
        PML_TRY(resolve_template(draft, &draft->single, p->single, file_name, error));
        PML_TRY(resolve_template(draft, &draft->pair, p->pair, file_name, error));
        spec->n_single = draft->single.n_items;
        spec->n_pair = draft->pair.n_items;
    } else {
        default_templates(spec, p);
    }
    spec->single = p->single;
    spec->pair = p->pair;
done:
    return status;
}

static pml_status require(uint32_t id, const pml_draft_special *special, const char *file_name, pml_error *error) {
    pml_quoted quoted;
    return id != PML_NO_TOKEN ? PML_OK
                              : PML_FAIL(error, PML_E_CONFIG, "%s: the special token %s is not in the vocabulary%s%s",
                                         special->file_name != NULL ? special->file_name : file_name,
                                         pml_quote(&quoted, special->text), special->file_name != NULL ? ", " : "",
                                         special->file_name != NULL ? file_name : "");
}

/* The tokens without which nothing works, and those that a file names for a template or for GPT-2. */
static pml_status require_all(const pml_tokenizer_draft *draft, const pml_draft_special special[N_SPECIAL],
                              const pml_tokenizer_spec *spec, const char *file_name, pml_error *error) {
    pml_status status = PML_OK;
    if (draft->kind == PML_TOKENIZER_BPE) {
        const bool is_needed[N_SPECIAL] = {[CLS] = draft->adds_bos == PML_YES, [SEP] = draft->adds_eos == PML_YES};
        for (size_t i = UNK; i <= SEP; i++) {
            if (is_needed[i] || (special[i].text != NULL && special[i].file_name != NULL)) {
                PML_TRY(require(find(draft, special[i].text), &special[i], file_name, error));
            }
        }
        if (draft->unk_token != NULL) {
            const pml_draft_special unknown = {draft->unk_token, NULL};
            PML_TRY(require(spec->unk_id, &unknown, file_name, error));
        }
        goto done;
    }
    PML_TRY(require(spec->unk_id, &special[UNK], file_name, error));
    if (!draft->has_template) {
        PML_TRY(require(spec->cls_id, &special[CLS], file_name, error));
        PML_TRY(require(spec->sep_id, &special[SEP], file_name, error));
    }
done:
    return status;
}

static pml_tokenizer_spec make_spec(const pml_tokenizer_draft *draft, const pml_draft_special special[N_SPECIAL],
                                    const packing *p) {
    const bool is_bpe = draft->kind == PML_TOKENIZER_BPE;
    const uint64_t most_chars = draft->max_word_chars > 0 ? draft->max_word_chars : DEFAULT_MAX_WORD_CHARS;
    const pml_tristate lowercase = draft->lowercase != PML_UNSET ? draft->lowercase : PML_YES;
    /* Accents as BERT's first tokenizer did. */
    const pml_tristate strip_accents = draft->strip_accents != PML_UNSET ? draft->strip_accents : lowercase;
    const uint32_t first_id = find(draft, special[CLS].text), last_id = find(draft, special[SEP].text);
    return (pml_tokenizer_spec){.kind = draft->kind,
                                .tokens = p->tokens,
                                .n_tokens = (uint32_t)pml_names_count(&draft->names),
                                .clean_text = draft->clean_text != PML_NO,
                                .handle_chinese = draft->handle_chinese != PML_NO,
                                .lowercase = lowercase == PML_YES,
                                .strip_accents = strip_accents == PML_YES,
                                .prefix = is_bpe                  ? ""
                                          : draft->prefix != NULL ? draft->prefix
                                                                  : "##",
                                .max_word_chars = most_chars < UINT32_MAX ? (uint32_t)most_chars : UINT32_MAX,
                                .cls_id = is_bpe ? PML_NO_TOKEN : first_id,
                                .sep_id = is_bpe ? PML_NO_TOKEN : last_id,
                                .adds_space = draft->adds_space == PML_YES,
                                .merges = p->merges,
                                .n_merges = is_bpe ? (uint32_t)draft->merges.count : 0,
                                .bos_id = is_bpe ? first_id : PML_NO_TOKEN,
                                .eos_id = is_bpe ? last_id : PML_NO_TOKEN,
                                .unk_id = find(draft, is_bpe ? draft->unk_token : special[UNK].text),
                                .pad_id = find(draft, special[PAD].text),
                                .mask_id = find(draft, special[MASK].text),
                                .added = p->added,
                                .n_added = (uint32_t)p->n_added};
}

pml_status pml_draft_pack(pml_tokenizer_draft *draft, const pml_draft_special special[N_SPECIAL], uint64_t max_tokens,
                          const char *file_name, uint8_t **bytes, size_t *size_bytes, uint32_t *n_tokens,
                          pml_error *error) {
    pml_status status = PML_OK;
    packing *p = NULL;
    *bytes = NULL;
    PML_TRY(pml_alloc(1, sizeof *p, &p, error));
    if (draft->kind == PML_TOKENIZER_BPE) { /* merges are of the model's own tokens */
        PML_TRY(pml_draft_resolve_merges(draft, &p->merges, error));
    }
    PML_TRY(place_added(draft, error));
    PML_TRY(order_tokens(draft, p, file_name, error));
    PML_TRY(collect_added(draft, special, p, error));
    pml_tokenizer_spec spec = make_spec(draft, special, p);
    spec.max_tokens = max_tokens;
    PML_TRY(require_all(draft, special, &spec, file_name, error));
    PML_TRY(make_templates(draft, p, &spec, file_name, error));
    status = pml_tokenizer_pack(&spec, bytes, size_bytes, error);
    if (status != PML_OK) {
        PML_TRY(pml_error_prefix(error, status, "%s", file_name));
    }
    *n_tokens = spec.n_tokens;
done:
    if (p != NULL) {
        pml_free(p->tokens);
        pml_free(p->merges);
        pml_free(p->added);
        pml_free(p);
    }
    return status;
}

static void free_template(pml_draft_template *template) {
    for (uint32_t i = 0; i < template->n_items; i++) {
        pml_free(template->items[i].text);
    }
}

void pml_draft_deinit(pml_tokenizer_draft *draft) {
    for (size_t i = 0; i < draft->n_added; i++) {
        pml_free(draft->added[i].text);
    }
    pml_free(draft->added);
    free_template(&draft->single);
    free_template(&draft->pair);
    pml_names_deinit(&draft->names);
    pml_free(draft->ids);
    pml_free(draft->prefix);
    pml_free(draft->unk_token);
    pml_free(draft->merges.texts);
    pml_free(draft->merges.items);
    *draft = (pml_tokenizer_draft){0};
}
