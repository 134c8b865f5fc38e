#include "runtime/text/tokenizer_bytes.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/utf8.h"

/* All numbers little-endian, as everywhere in the file. */
enum { VERSION = 1, MODEL_WORDPIECE = 1, MODEL_BPE = 2 };
enum { FLAG_CLEAN = 1, FLAG_CHINESE = 2, FLAG_LOWER = 4, FLAG_STRIP = 8, WORDPIECE_FLAGS = 15 };
enum { FLAG_ADDS_SPACE = 16, BPE_FLAGS = 16 };
enum { ADDED_SPECIAL = 1, ADDED_LEFT = 2, ADDED_RIGHT = 4, ADDED_KNOWN = 7 };
#define MAX_PREFIX_BYTES 64u

typedef struct header {
    uint32_t version, model, flags, n_tokens;
    uint32_t word_chars_or_merges;                       /* WordPiece: the longest word; BPE: how many merges */
    uint32_t unk_id, first_id, last_id, pad_id, mask_id; /* first and last: cls and sep, or bos and eos */
    uint32_t n_added, n_single, n_pair, prefix_bytes;
    uint64_t max_tokens, text_bytes;
} header;

typedef struct added_record {
    uint32_t id, flags;
} added_record;

typedef struct template_record {
    uint32_t kind, id, type_id;
} template_record;

typedef struct merge_record {
    uint32_t left_id, right_id, result_id;
} merge_record;

_Static_assert(sizeof(merge_record) == 12 && sizeof(header) == 72 && sizeof(added_record) == 8 &&
                   sizeof(template_record) == 12,
               "no padding");

static uint32_t count_merges(const header *h) {
    return h->model == MODEL_BPE ? h->word_chars_or_merges : 0;
}

/* The size of everything; false when it overflows. */
static bool total_size(const header *h, uint64_t *size_bytes) {
    uint64_t ends, added, templates, n_items, merges;
    return pml_ck_mul(count_merges(h), sizeof(merge_record), &merges) &&
           pml_ck_mul(h->n_tokens, sizeof(uint32_t), &ends) && pml_ck_mul(h->n_added, sizeof(added_record), &added) &&
           pml_ck_add(h->n_single, h->n_pair, &n_items) && pml_ck_mul(n_items, sizeof(template_record), &templates) &&
           pml_ck_add(sizeof *h, ends, size_bytes) && pml_ck_add(*size_bytes, added, size_bytes) &&
           pml_ck_add(*size_bytes, templates, size_bytes) && pml_ck_add(*size_bytes, merges, size_bytes) &&
           pml_ck_add(*size_bytes, h->prefix_bytes, size_bytes) && pml_ck_add(*size_bytes, h->text_bytes, size_bytes);
}

/* ---- checks, the same for what is written and what is read --------------------------------------------------------
 */

static pml_status check_id(uint32_t id, bool may_miss, const char *what, const pml_tokenizer_spec *spec,
                           pml_error *error) {
    if (id >= spec->n_tokens && !(may_miss && id == PML_NO_TOKEN)) {
        return PML_FAIL(error, PML_E_FORMAT, "tokenizer: %s has id %u, the vocabulary has %u tokens", what, id,
                        spec->n_tokens);
    }
    return PML_OK;
}

static pml_status check_token(const pml_tokenizer_spec *spec, uint32_t id, pml_error *error) {
    const pml_token_text *token = &spec->tokens[id];
    if (token->size_bytes > PML_MAX_TOKEN_BYTES) {
        return PML_FAIL(error, PML_E_FORMAT, "tokenizer: token %u has more than %u bytes", id, PML_MAX_TOKEN_BYTES);
    }
    for (size_t at = 0; at < token->size_bytes;) {
        const size_t length = pml_utf8_length((const uint8_t *)token->bytes + at, token->size_bytes - at);
        if (length == 0 || token->bytes[at] == '\0') {
            return PML_FAIL(error, PML_E_FORMAT, "tokenizer: token %u %s at its byte %zu", id,
                            length == 0 ? "is not UTF-8" : "has a zero", at);
        }
        at += length;
    }
    return PML_OK;
}

static pml_status check_template(const pml_template_item *items, uint32_t n_items, bool is_pair,
                                 const pml_tokenizer_spec *spec, pml_error *error) {
    pml_status status = PML_OK;
    unsigned n_first = 0, n_second = 0;
    const char *what = is_pair ? "the template of pairs" : "the template of single texts";
    if (n_items > PML_MAX_TEMPLATE_ITEMS) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tokenizer: %s has more than %u items", what, PML_MAX_TEMPLATE_ITEMS));
    }
    for (uint32_t i = 0; i < n_items; i++) {
        n_first += items[i].kind == PML_TEMPLATE_FIRST;
        n_second += items[i].kind == PML_TEMPLATE_SECOND;
        if (items[i].kind == PML_TEMPLATE_TOKEN) {
            PML_TRY(check_id(items[i].id, false, what, spec, error));
        }
    }
    if (n_first != 1 || n_second != (is_pair ? 1 : 0)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tokenizer: %s does not hold %s exactly once", what,
                         is_pair ? "both texts" : "its text"));
    }
done:
    return status;
}

static pml_status check_numbers(const pml_tokenizer_spec *spec, size_t prefix_bytes, pml_error *error) {
    if (spec->n_tokens == 0 || spec->n_tokens > PML_MAX_VOCABULARY) {
        return PML_FAIL(error, PML_E_FORMAT, "tokenizer: %u tokens; a vocabulary has 1 to %u", spec->n_tokens,
                        PML_MAX_VOCABULARY);
    }
    if (spec->n_merges > (spec->kind == PML_TOKENIZER_BPE ? PML_MAX_VOCABULARY : 0)) {
        return PML_FAIL(error, PML_E_FORMAT, "tokenizer: %u merges; supported are %u", spec->n_merges,
                        spec->kind == PML_TOKENIZER_BPE ? PML_MAX_VOCABULARY : 0);
    }
    if (spec->kind == PML_TOKENIZER_BPE && prefix_bytes > 0) {
        return PML_FAIL(error, PML_E_FORMAT, "tokenizer: BPE has no prefix");
    }
    if (spec->kind == PML_TOKENIZER_WORDPIECE &&
        (spec->max_word_chars == 0 || spec->max_word_chars > PML_MAX_WORD_CHARS)) {
        return PML_FAIL(error, PML_E_FORMAT, "tokenizer: words of up to %u characters; supported are 1 to %u",
                        spec->max_word_chars, PML_MAX_WORD_CHARS);
    }
    if (prefix_bytes > MAX_PREFIX_BYTES) {
        return PML_FAIL(error, PML_E_FORMAT, "tokenizer: a prefix of %zu bytes; at most %u are supported", prefix_bytes,
                        MAX_PREFIX_BYTES);
    }
    if (spec->n_added > spec->n_tokens) {
        return PML_FAIL(error, PML_E_FORMAT, "tokenizer: %u added tokens in a vocabulary of %u", spec->n_added,
                        spec->n_tokens);
    }
    return PML_OK;
}

/* Each makes its two tokens' text. */
static pml_status check_merges(const pml_tokenizer_spec *spec, pml_error *error) {
    for (uint32_t i = 0; i < spec->n_merges; i++) {
        const pml_token_merge *merge = &spec->merges[i];
        if (merge->left_id >= spec->n_tokens || merge->right_id >= spec->n_tokens ||
            merge->result_id >= spec->n_tokens) {
            return PML_FAIL(error, PML_E_FORMAT,
                            "tokenizer: merge %u has ids %u, %u and %u, the vocabulary has %u tokens", i,
                            merge->left_id, merge->right_id, merge->result_id, spec->n_tokens);
        }
        const pml_token_text *left = &spec->tokens[merge->left_id], *right = &spec->tokens[merge->right_id],
                             *result = &spec->tokens[merge->result_id];
        if (left->size_bytes == 0 || right->size_bytes == 0 ||
            result->size_bytes != left->size_bytes + right->size_bytes ||
            memcmp(result->bytes, left->bytes, left->size_bytes) != 0 ||
            memcmp(result->bytes + left->size_bytes, right->bytes, right->size_bytes) != 0) {
            return PML_FAIL(error, PML_E_FORMAT, "tokenizer: merge %u does not make the text of its two tokens", i);
        }
    }
    return PML_OK;
}

static pml_status check_special(const pml_tokenizer_spec *spec, pml_error *error) {
    pml_status status = PML_OK;
    const bool is_bpe = spec->kind == PML_TOKENIZER_BPE;
    PML_TRY(check_id(spec->unk_id, is_bpe, "the unknown token", spec, error));
    PML_TRY(
        check_id(is_bpe ? spec->bos_id : spec->cls_id, true, is_bpe ? "the bos token" : "the cls token", spec, error));
    PML_TRY(
        check_id(is_bpe ? spec->eos_id : spec->sep_id, true, is_bpe ? "the eos token" : "the sep token", spec, error));
    PML_TRY(check_id(spec->pad_id, true, "the pad token", spec, error));
    PML_TRY(check_id(spec->mask_id, true, "the mask token", spec, error));
done:
    return status;
}

static pml_status check_spec(const pml_tokenizer_spec *spec, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(check_special(spec, error));
    for (uint32_t id = 0; id < spec->n_tokens; id++) {
        PML_TRY(check_token(spec, id, error));
    }
    for (uint32_t i = 0; i < spec->n_added; i++) {
        PML_TRY(check_id(spec->added[i].id, false, "an added token", spec, error));
        if (spec->tokens[spec->added[i].id].size_bytes > PML_MAX_ADDED_BYTES) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tokenizer: added token %u has more than %u bytes", spec->added[i].id,
                             PML_MAX_ADDED_BYTES));
        }
        if (spec->tokens[spec->added[i].id].size_bytes == 0 || (i > 0 && spec->added[i].id <= spec->added[i - 1].id)) {
            PML_TRY(
                PML_FAIL(error, PML_E_FORMAT, "tokenizer: added token %u is empty or out of order", spec->added[i].id));
        }
    }
    PML_TRY(check_merges(spec, error));
    PML_TRY(check_template(spec->single, spec->n_single, false, spec, error));
    PML_TRY(check_template(spec->pair, spec->n_pair, true, spec, error));
done:
    return status;
}

/* ---- writing ------------------------------------------------------------------------------------------------------
 */

static uint8_t *put(uint8_t *at, const void *bytes, size_t size_bytes) {
    if (size_bytes > 0) {
        memcpy(at, bytes, size_bytes);
    }
    return at + size_bytes;
}

static uint8_t *put_template(uint8_t *at, const pml_template_item *items, uint32_t n_items) {
    for (uint32_t i = 0; i < n_items; i++) {
        const template_record record = {(uint32_t)items[i].kind, items[i].kind == PML_TEMPLATE_TOKEN ? items[i].id : 0,
                                        items[i].type_id};
        at = put(at, &record, sizeof record);
    }
    return at;
}

static uint8_t *put_tokens(uint8_t *at, const pml_tokenizer_spec *spec) {
    uint32_t end = 0;
    for (uint32_t id = 0; id < spec->n_tokens; id++) {
        end += (uint32_t)spec->tokens[id].size_bytes;
        at = put(at, &end, sizeof end);
    }
    return at;
}

static header make_header(const pml_tokenizer_spec *spec, size_t prefix_bytes) {
    const bool is_bpe = spec->kind == PML_TOKENIZER_BPE;
    const uint32_t wordpiece_flags = (spec->clean_text ? FLAG_CLEAN : 0u) | (spec->handle_chinese ? FLAG_CHINESE : 0u) |
                                     (spec->lowercase ? FLAG_LOWER : 0u) | (spec->strip_accents ? FLAG_STRIP : 0u);
    return (header){.version = VERSION,
                    .model = is_bpe ? MODEL_BPE : MODEL_WORDPIECE,
                    .flags = !is_bpe            ? wordpiece_flags
                             : spec->adds_space ? FLAG_ADDS_SPACE
                                                : 0u,
                    .n_tokens = spec->n_tokens,
                    .word_chars_or_merges = is_bpe ? spec->n_merges : spec->max_word_chars,
                    .unk_id = spec->unk_id,
                    .first_id = is_bpe ? spec->bos_id : spec->cls_id,
                    .last_id = is_bpe ? spec->eos_id : spec->sep_id,
                    .pad_id = spec->pad_id,
                    .mask_id = spec->mask_id,
                    .n_added = spec->n_added,
                    .n_single = spec->n_single,
                    .n_pair = spec->n_pair,
                    .prefix_bytes = (uint32_t)prefix_bytes,
                    .max_tokens = spec->max_tokens};
}

pml_status pml_tokenizer_pack(const pml_tokenizer_spec *spec, uint8_t **bytes, size_t *size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t total = 0;
    const size_t prefix_bytes = strlen(spec->prefix);
    *bytes = NULL;
    PML_TRY(check_numbers(spec, prefix_bytes, error));
    PML_TRY(check_spec(spec, error));
    header h = make_header(spec, prefix_bytes);
    for (uint32_t id = 0; id < spec->n_tokens; id++) {
        h.text_bytes += spec->tokens[id].size_bytes;
    }
    if (h.text_bytes > UINT32_MAX || !total_size(&h, &total) || !pml_ck_size(total, size_bytes)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tokenizer: the vocabulary has more than 4 GiB of text"));
    }
    PML_TRY(pml_alloc(*size_bytes, 1, bytes, error));
    uint8_t *at = put(*bytes, &h, sizeof h);
    at = put_tokens(at, spec);
    for (uint32_t i = 0; i < spec->n_added; i++) {
        const pml_added_token *added = &spec->added[i];
        const added_record record = {added->id, (added->is_special ? ADDED_SPECIAL : 0u) |
                                                    (added->strips_left ? ADDED_LEFT : 0u) |
                                                    (added->strips_right ? ADDED_RIGHT : 0u)};
        at = put(at, &record, sizeof record);
    }
    at = put_template(at, spec->single, spec->n_single);
    at = put_template(at, spec->pair, spec->n_pair);
    for (uint32_t i = 0; i < spec->n_merges; i++) {
        const merge_record record = {spec->merges[i].left_id, spec->merges[i].right_id, spec->merges[i].result_id};
        at = put(at, &record, sizeof record);
    }
    at = put(at, spec->prefix, prefix_bytes);
    for (uint32_t id = 0; id < spec->n_tokens; id++) {
        at = put(at, spec->tokens[id].bytes, spec->tokens[id].size_bytes);
    }
done:
    return status;
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

static pml_status read_header(const uint8_t *bytes, size_t size_bytes, header *h, pml_error *error) {
    uint64_t total;
    if (size_bytes < sizeof *h) {
        return PML_FAIL_AT(error, PML_E_FORMAT, size_bytes, "tokenizer: it ends inside its header");
    }
    memcpy(h, bytes, sizeof *h);
    if (h->version != VERSION || (h->model != MODEL_WORDPIECE && h->model != MODEL_BPE)) {
        return PML_FAIL_AT(error, PML_E_UNSUPPORTED, 0,
                           "tokenizer: version %u, model %u; this program knows version 1, models 1 and 2", h->version,
                           h->model);
    }
    if ((h->flags & ~(uint32_t)(h->model == MODEL_BPE ? BPE_FLAGS : WORDPIECE_FLAGS)) != 0) {
        return PML_FAIL_AT(error, PML_E_UNSUPPORTED, 8, "tokenizer: unknown flags %#x", h->flags);
    }
    if (!total_size(h, &total) || total != size_bytes) {
        return PML_FAIL_AT(error, PML_E_FORMAT, 0, "tokenizer: its parts do not add up to its %zu bytes", size_bytes);
    }
    return PML_OK;
}

static pml_status read_tokens(const uint8_t *ends, const char *texts, const header *h, pml_token_text *tokens,
                              pml_error *error) {
    uint32_t begin = 0;
    for (uint32_t id = 0; id < h->n_tokens; id++) {
        uint32_t end;
        memcpy(&end, ends + (size_t)id * sizeof end, sizeof end);
        if (end < begin || end > h->text_bytes || (id + 1 == h->n_tokens && end != h->text_bytes)) {
            return PML_FAIL_AT(error, PML_E_FORMAT, sizeof *h + (uint64_t)id * sizeof end,
                               "tokenizer: token %u ends at %u of %llu bytes, after %u", id, end,
                               (unsigned long long)h->text_bytes, begin);
        }
        tokens[id] = (pml_token_text){texts + begin, end - begin};
        begin = end;
    }
    return PML_OK;
}

static pml_status read_added(const uint8_t *at, uint32_t n_added, pml_added_token *added, pml_error *error) {
    for (uint32_t i = 0; i < n_added; i++) {
        added_record record;
        memcpy(&record, at + (size_t)i * sizeof record, sizeof record);
        if ((record.flags & ~(uint32_t)ADDED_KNOWN) != 0) {
            return PML_FAIL(error, PML_E_UNSUPPORTED, "tokenizer: added token %u has unknown flags %#x", i,
                            record.flags);
        }
        added[i] = (pml_added_token){record.id, (record.flags & ADDED_SPECIAL) != 0, (record.flags & ADDED_LEFT) != 0,
                                     (record.flags & ADDED_RIGHT) != 0};
    }
    return PML_OK;
}

static pml_status read_templates(const uint8_t *at, uint32_t n_items, pml_template_item *items, pml_error *error) {
    for (uint32_t i = 0; i < n_items; i++) {
        template_record record;
        memcpy(&record, at + (size_t)i * sizeof record, sizeof record);
        if (record.kind > PML_TEMPLATE_SECOND) {
            return PML_FAIL(error, PML_E_UNSUPPORTED, "tokenizer: item %u of the templates has unknown kind %u", i,
                            record.kind);
        }
        items[i] = (pml_template_item){(pml_template_kind)record.kind, record.id, record.type_id};
    }
    return PML_OK;
}

static pml_status read_merges(const uint8_t *at, uint32_t n_merges, pml_tokenizer *t, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_alloc(n_merges, sizeof *t->merges, &t->merges, error));
    for (uint32_t i = 0; i < n_merges; i++) {
        merge_record record;
        memcpy(&record, at + (size_t)i * sizeof record, sizeof record);
        t->merges[i] = (pml_token_merge){record.left_id, record.right_id, record.result_id};
    }
    t->spec.merges = t->merges;
done:
    return status;
}

static void read_spec(const header *h, pml_tokenizer_spec *spec) {
    const bool is_bpe = h->model == MODEL_BPE;
    *spec = (pml_tokenizer_spec){.kind = is_bpe ? PML_TOKENIZER_BPE : PML_TOKENIZER_WORDPIECE,
                                 .n_tokens = h->n_tokens,
                                 .clean_text = (h->flags & FLAG_CLEAN) != 0,
                                 .handle_chinese = (h->flags & FLAG_CHINESE) != 0,
                                 .lowercase = (h->flags & FLAG_LOWER) != 0,
                                 .strip_accents = (h->flags & FLAG_STRIP) != 0,
                                 .max_word_chars = is_bpe ? 0 : h->word_chars_or_merges,
                                 .cls_id = is_bpe ? PML_NO_TOKEN : h->first_id,
                                 .sep_id = is_bpe ? PML_NO_TOKEN : h->last_id,
                                 .adds_space = (h->flags & FLAG_ADDS_SPACE) != 0,
                                 .n_merges = count_merges(h),
                                 .bos_id = is_bpe ? h->first_id : PML_NO_TOKEN,
                                 .eos_id = is_bpe ? h->last_id : PML_NO_TOKEN,
                                 .unk_id = h->unk_id,
                                 .pad_id = h->pad_id,
                                 .mask_id = h->mask_id,
                                 .max_tokens = h->max_tokens,
                                 .n_added = h->n_added,
                                 .n_single = h->n_single,
                                 .n_pair = h->n_pair};
}

pml_status pml_tokenizer_unpack(const uint8_t *bytes, size_t size_bytes, pml_tokenizer *t, pml_error *error) {
    pml_status status = PML_OK;
    header h;
    PML_TRY(read_header(bytes, size_bytes, &h, error));
    read_spec(&h, &t->spec);
    PML_TRY(check_numbers(&t->spec, h.prefix_bytes, error));
    const size_t n_items = (size_t)h.n_single + h.n_pair;
    const uint8_t *ends = bytes + sizeof h;
    const uint8_t *added = ends + (size_t)h.n_tokens * sizeof(uint32_t);
    const uint8_t *templates = added + (size_t)h.n_added * sizeof(added_record);
    const uint8_t *merges = templates + n_items * sizeof(template_record);
    const char *prefix = (const char *)merges + (size_t)count_merges(&h) * sizeof(merge_record);
    PML_TRY(pml_alloc(h.n_tokens, sizeof *t->tokens, &t->tokens, error));
    PML_TRY(pml_alloc(h.n_added, sizeof *t->added, &t->added, error));
    PML_TRY(pml_alloc(n_items, sizeof *t->templates, &t->templates, error));
    PML_TRY(read_tokens(ends, prefix + h.prefix_bytes, &h, t->tokens, error));
    PML_TRY(read_added(added, h.n_added, t->added, error));
    PML_TRY(read_templates(templates, (uint32_t)n_items, t->templates, error));
    PML_TRY(read_merges(merges, count_merges(&h), t, error));
    PML_TRY(pml_string_copy(prefix, h.prefix_bytes, &t->prefix, error));
    if (strlen(t->prefix) != h.prefix_bytes) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tokenizer: its prefix has a zero"));
    }
    t->spec.tokens = t->tokens;
    t->spec.added = t->added;
    t->spec.single = t->templates;
    t->spec.pair = t->templates + h.n_single;
    t->spec.prefix = t->prefix;
    PML_TRY(check_spec(&t->spec, error));
done:
    return status;
}
