/* The tokenizer as an object: look-ups over what tokenizer_bytes.c read. */
#include "runtime/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/text/byte_alphabet.h"
#include "runtime/text/tokenizer_bytes.h"
#include "runtime/text/tokenizer_parts.h"
#include "runtime/text/unicode.h"

static const pml_token_text *added_text(const pml_tokenizer *t, uint32_t i_order) {
    return &t->tokens[t->added[t->added_order[i_order]].id];
}

static int compare_texts(const pml_token_text *a, const pml_token_text *b) {
    const size_t shorter = a->size_bytes < b->size_bytes ? a->size_bytes : b->size_bytes;
    const int order = memcmp(a->bytes, b->bytes, shorter);
    return order != 0 ? order : (a->size_bytes > b->size_bytes) - (a->size_bytes < b->size_bytes);
}

static int compare_added(const void *a, const void *b, void *user) {
    const pml_tokenizer *t = user;
    return compare_texts(&t->tokens[t->added[*(const uint32_t *)a].id], &t->tokens[t->added[*(const uint32_t *)b].id]);
}

static pml_status prepare_added(pml_tokenizer *t, pml_error *error) {
    const uint32_t n = t->spec.n_added;
    const pml_status status = pml_alloc(n, sizeof *t->added_order, &t->added_order, error);
    if (status != PML_OK) {
        return status;
    }
    for (uint32_t i = 0; i < n; i++) {
        t->added_order[i] = i;
        t->begins_added[(uint8_t)t->tokens[t->added[i].id].bytes[0]] = true;
    }
    if (n > 1) {
        qsort_r(t->added_order, n, sizeof *t->added_order, compare_added, t);
    }
    return PML_OK;
}

/* The first of the texts [low, high), which agree in their first `at` bytes, whose byte `at` is at least `least`; a
 * text that ends there comes before all. */
static uint32_t first_from(const pml_tokenizer *t, uint32_t low, uint32_t high, size_t at, unsigned least) {
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const pml_token_text *text = added_text(t, middle);
        if (text->size_bytes <= at || (uint8_t)text->bytes[at] < least) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Whether all of the texts [low, high), which agree in their first `at` bytes, have that byte there: the first and the
 * last one tell. */
static bool has_byte(const pml_tokenizer *t, uint32_t low, uint32_t high, size_t at, uint8_t byte) {
    if (low == high) {
        return false;
    }
    const pml_token_text *first = added_text(t, low), *last = added_text(t, high - 1);
    return first->size_bytes > at && last->size_bytes > at && (uint8_t)first->bytes[at] == byte &&
           (uint8_t)last->bytes[at] == byte;
}

const pml_added_token *pml_added_match(const pml_tokenizer *t, const uint8_t *bytes, size_t size_bytes,
                                       size_t *length_bytes) {
    const pml_added_token *found = NULL;
    uint32_t low = 0, high = t->spec.n_added;
    for (size_t at = 0; at < size_bytes; at++) {
        if (!has_byte(t, low, high, at, bytes[at])) {
            const uint32_t from = first_from(t, low, high, at, bytes[at]);
            high = first_from(t, from, high, at, bytes[at] + 1u);
            low = from;
        }
        if (low == high) {
            break;
        }
        if (added_text(t, low)->size_bytes == at + 1) {
            found = &t->added[t->added_order[low]];
            *length_bytes = at + 1;
        }
    }
    return found;
}

/* Which token each byte is. */
static pml_status prepare_merges(pml_tokenizer *t, pml_error *error) {
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t text[4];
        const size_t n = pml_unicode_encode(pml_byte_alphabet_code((uint8_t)byte), text);
        const uint32_t id = pml_vocabulary_find_text(&t->vocabulary, (const char *)text, n);
        t->byte_ids[byte] = id != PML_NO_TOKEN ? id : t->spec.unk_id;
    }
    return pml_merge_table_init(&t->merge_table, t->merges, t->spec.n_merges, error);
}

pml_status pml_tokenizer_create(const uint8_t *bytes, size_t size_bytes, pml_tokenizer **tokenizer, pml_error *error) {
    pml_status status = PML_OK;
    pml_tokenizer *made = NULL;
    *tokenizer = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    PML_TRY(pml_tokenizer_unpack(bytes, size_bytes, made, error));
    PML_TRY(pml_vocabulary_init(&made->vocabulary, made->tokens, made->spec.n_tokens, made->prefix,
                                strlen(made->prefix), error));
    PML_TRY(prepare_added(made, error));
    if (made->spec.kind == PML_TOKENIZER_BPE) {
        PML_TRY(prepare_merges(made, error));
    }
    for (uint32_t code = 0; code < 128; code++) {
        made->ascii_class[code] = (uint8_t)pml_unicode_class(code);
    }
    *tokenizer = made;
    made = NULL;
done:
    pml_tokenizer_destroy(made);
    return status;
}

void pml_tokenizer_destroy(pml_tokenizer *t) {
    if (t != NULL) {
        pml_vocabulary_deinit(&t->vocabulary);
        pml_merge_table_deinit(&t->merge_table);
        pml_free(t->merges);
        pml_free(t->tokens);
        pml_free(t->added);
        pml_free(t->templates);
        pml_free(t->prefix);
        pml_free(t->added_order);
        pml_free(t);
    }
}

const pml_tokenizer_spec *pml_tokenizer_get_spec(const pml_tokenizer *tokenizer) {
    return &tokenizer->spec;
}

uint32_t pml_tokenizer_find(const pml_tokenizer *tokenizer, const char *text, size_t size_bytes) {
    return pml_vocabulary_find_text(&tokenizer->vocabulary, text, size_bytes);
}

static bool is_added(const pml_tokenizer_spec *spec, uint32_t id) {
    size_t low = 0, high = spec->n_added;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (spec->added[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < spec->n_added && spec->added[low].id == id;
}

size_t pml_tokenizer_decode(const pml_tokenizer *tokenizer, uint32_t id, uint8_t *bytes) {
    const pml_token_text *token = &tokenizer->tokens[id];
    if (is_added(&tokenizer->spec, id)) {
        memcpy(bytes, token->bytes, token->size_bytes);
        return token->size_bytes;
    }
    return pml_byte_alphabet_read(token->bytes, token->size_bytes, bytes);
}
