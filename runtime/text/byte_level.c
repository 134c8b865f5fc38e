/* One text to tokens by byte-level BPE: added tokens first, what lies between them split as GPT-2's pattern
 *
 *     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * does, and each part's bytes merged. The pattern needs one character of look-ahead and one step back, so it is written
 * out here, over frozen tables of classes: linear in the text, and the same whatever Unicode version a library of
 * regular expressions has. */
#include "runtime/base/alloc.h"
#include "runtime/base/utf8.h"
#include "runtime/text/tokenizer_parts.h"
#include "runtime/text/unicode.h"

#define MOST_WORD_BYTES 0x40000000u /* each may be three symbols */

/* ---- the pattern --------------------------------------------------------------------------------------------------
 */

/* The class of the character at text[0]; *length is its length. */
static pml_split_class class_at(const uint8_t *text, size_t size_bytes, size_t *length) {
    const uint8_t byte = text[0];
    if (byte < 0x80) {
        const uint8_t lower = byte | 0x20;
        *length = 1;
        return lower >= 'a' && lower <= 'z'                    ? PML_SPLIT_LETTER
               : byte >= '0' && byte <= '9'                    ? PML_SPLIT_NUMBER
               : byte == ' ' || (byte >= '\t' && byte <= '\r') ? PML_SPLIT_SPACE
                                                               : PML_SPLIT_OTHER;
    }
    uint32_t code;
    *length = pml_unicode_decode(text, size_bytes, &code);
    return pml_unicode_split_class(code);
}

/* The length of an English ending behind an apostrophe, both together; 0: there is none. */
static size_t contraction(const uint8_t *text, size_t size_bytes) {
    if (size_bytes < 2 || text[0] != '\'') {
        return 0;
    }
    const uint8_t first = text[1], second = size_bytes > 2 ? text[2] : 0;
    if (first == 's' || first == 't' || first == 'm' || first == 'd') {
        return 2;
    }
    return ((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l') ? 3 : 0;
}

/* The end of the run of one class that is at `at`. */
static size_t run_end(const uint8_t *text, size_t size_bytes, size_t at, pml_split_class kind) {
    size_t length;
    while (at < size_bytes && class_at(text + at, size_bytes - at, &length) == kind) {
        at += length;
    }
    return at;
}

/* The end of white space that is a part, or the rest of one that a space before the text begins: all of it before the
 * end of the text; otherwise all but the last character, which belongs to what follows or stands alone. */
static size_t space_end(const uint8_t *text, size_t size_bytes, bool follows_space) {
    size_t at = 0, last = 0, length;
    while (at < size_bytes && class_at(text + at, size_bytes - at, &length) == PML_SPLIT_SPACE) {
        last = at;
        at += length;
    }
    return at == size_bytes || (last == 0 && !follows_space) ? at : last;
}

/* The rest of the part that a space before the text begins; it may be empty. Behind it an apostrophe is any character.
 */
static size_t split_behind_space(const uint8_t *text, size_t size_bytes) {
    size_t length;
    const pml_split_class kind = class_at(text, size_bytes, &length);
    return kind == PML_SPLIT_SPACE ? space_end(text, size_bytes, true) : run_end(text, size_bytes, length, kind);
}

size_t pml_byte_level_split(const uint8_t *text, size_t size_bytes) {
    size_t length = contraction(text, size_bytes);
    if (length > 0) {
        return length;
    }
    const pml_split_class kind = class_at(text, size_bytes, &length);
    if (kind != PML_SPLIT_SPACE) {
        return run_end(text, size_bytes, length, kind);
    }
    if (text[0] == ' ' && size_bytes > 1 && class_at(text + 1, size_bytes - 1, &length) != PML_SPLIT_SPACE) {
        return 1 + split_behind_space(text + 1, size_bytes - 1);
    }
    return space_end(text, size_bytes, false);
}

/* ---- a part -------------------------------------------------------------------------------------------------------
 */

typedef struct byte_stream {
    const pml_tokenizer *tokenizer;
    pml_token_scratch *scratch;
    uint8_t i_text;
} byte_stream;

/* A byte without a token that nothing stands in for is left out. */
static pml_status add_symbol(const byte_stream *s, uint8_t byte, size_t start, size_t end, pml_error *error) {
    pml_status status = PML_OK;
    pml_symbol_list *list = &s->scratch->list;
    const uint32_t id = s->tokenizer->byte_ids[byte], i = (uint32_t)list->count;
    if (id == PML_NO_TOKEN) {
        goto done;
    }
    if (list->count == list->capacity) {
        PML_TRY(pml_grow(&list->symbols, &list->capacity, list->count + 1, sizeof *list->symbols, SIZE_MAX / 2,
                         "symbols", error));
    }
    list->symbols[i] = (pml_symbol){id, i > 0 ? i - 1 : PML_NO_SYMBOL, PML_NO_SYMBOL, (uint32_t)start, (uint32_t)end};
    if (i > 0) {
        list->symbols[i - 1].next = i;
    }
    list->count++;
done:
    return status;
}

/* One symbol a byte; a byte that belongs to no character is the three of U+FFFD. */
static pml_status list_bytes(const byte_stream *s, const uint8_t *part, size_t size_bytes, bool adds_space,
                             pml_error *error) {
    static const uint8_t replacement[3] = {0xef, 0xbf, 0xbd};
    pml_status status = PML_OK;
    s->scratch->list.count = 0;
    if (size_bytes >= MOST_WORD_BYTES) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a word of %zu bytes; at most %u are supported", size_bytes,
                         MOST_WORD_BYTES - 1));
    }
    if (adds_space) {
        PML_TRY(add_symbol(s, ' ', 0, 0, error));
    }
    for (size_t at = 0; at < size_bytes;) {
        size_t length = pml_utf8_length(part + at, size_bytes - at);
        for (size_t i = 0; i < length; i++) {
            PML_TRY(add_symbol(s, part[at + i], at + i, at + i + 1, error));
        }
        if (length == 0) {
            uint32_t code;
            length = pml_unicode_decode(part + at, size_bytes - at, &code);
            for (size_t i = 0; i < sizeof replacement; i++) {
                PML_TRY(add_symbol(s, replacement[i], at, at + length, error));
            }
        }
        at += length;
    }
done:
    return status;
}

/* The part of a text that begins at `start`, as tokens. */
static pml_status take_part(const byte_stream *s, const uint8_t *part, size_t size_bytes, size_t start, bool adds_space,
                            pml_error *error) {
    pml_status status = PML_OK;
    const pml_symbol_list *list = &s->scratch->list;
    PML_TRY(list_bytes(s, part, size_bytes, adds_space, error));
    if (list->count > 1 && s->tokenizer->merge_table.slots != NULL) {
        PML_TRY(pml_symbols_merge(&s->tokenizer->merge_table, &s->scratch->list, error));
    }
    for (uint32_t i = list->count > 0 ? 0 : PML_NO_SYMBOL; i != PML_NO_SYMBOL; i = list->symbols[i].next) {
        const pml_symbol *symbol = &list->symbols[i];
        const pml_token token = {.id = symbol->id,
                                 .start_bytes = start + symbol->start_byte,
                                 .end_bytes = start + symbol->end_byte,
                                 .i_text = s->i_text,
                                 .starts_word = i == 0};
        PML_TRY(pml_scratch_push(s->scratch, &token, error));
    }
done:
    return status;
}

/* ---- a text -------------------------------------------------------------------------------------------------------
 */

/* What lies between two added tokens, or one and an end of the text; stops early behind `most` tokens in all. */
static pml_status take_section(const byte_stream *s, const uint8_t *text, size_t start, size_t end, size_t most,
                               pml_error *error) {
    pml_status status = PML_OK;
    bool adds_space = s->tokenizer->spec.adds_space && start < end && text[start] != ' ';
    while (start < end && s->scratch->n_tokens <= most) {
        const size_t length = adds_space ? split_behind_space(text + start, end - start)
                                         : pml_byte_level_split(text + start, end - start);
        PML_TRY(take_part(s, text + start, length, start, adds_space, error));
        adds_space = false;
        start += length;
    }
done:
    return status;
}

/* The start of the white space that ends at `at`, not before `start`. */
static size_t spaces_before(const uint8_t *text, size_t start, size_t at) {
    while (at > start) {
        size_t first = at - 1, length;
        while (first > start && (text[first] & 0xc0) == 0x80) {
            first--;
        }
        if (class_at(text + first, at - first, &length) != PML_SPLIT_SPACE || length != at - first) {
            break;
        }
        at = first;
    }
    return at;
}

/* The added token that begins at text[at], with the white space that it takes, behind what lies before it from `start`
 * on. */
static pml_status take_added(const byte_stream *s, const pml_added_token *added, const uint8_t *text, size_t start,
                             size_t at, size_t end, size_t most, pml_error *error) {
    pml_status status = PML_OK;
    const size_t begin = added->strips_left ? spaces_before(text, start, at) : at;
    const pml_token token = {
        .id = added->id, .start_bytes = begin, .end_bytes = end, .i_text = s->i_text, .starts_word = true};
    PML_TRY(take_section(s, text, start, begin, most, error));
    PML_TRY(pml_scratch_push(s->scratch, &token, error));
done:
    return status;
}

pml_status pml_byte_level_tokens(const pml_tokenizer *tokenizer, const uint8_t *text, size_t text_bytes, uint8_t i_text,
                                 size_t most_tokens, pml_token_scratch *scratch, pml_error *error) {
    pml_status status = PML_OK;
    const byte_stream s = {tokenizer, scratch, i_text};
    const size_t most = scratch->n_tokens + most_tokens;
    size_t start = 0, at = 0, length;
    while (tokenizer->spec.n_added > 0 && at < text_bytes && scratch->n_tokens <= most) {
        const pml_added_token *added =
            tokenizer->begins_added[text[at]] ? pml_added_match(tokenizer, text + at, text_bytes - at, &length) : NULL;
        if (added == NULL) {
            at++;
            continue;
        }
        size_t end = at + length;
        if (added->strips_right) {
            end = run_end(text, text_bytes, end, PML_SPLIT_SPACE);
        }
        PML_TRY(take_added(&s, added, text, start, at, end, most, error));
        start = at = end;
    }
    PML_TRY(take_section(&s, text, start, text_bytes, most, error));
done:
    return status;
}
