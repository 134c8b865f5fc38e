/* One text to tokens: added tokens first, then normalisation code point by code point, words as boundaries end them. */
#include "runtime/base/alloc.h"
#include "runtime/text/tokenizer_parts.h"
#include "runtime/text/unicode.h"

enum { GREATEST_COMBINING = 255 };

typedef struct text_stream {
    const pml_tokenizer *tokenizer;
    pml_token_scratch *scratch;
    uint8_t i_text;
} text_stream;

static pml_status end_word(text_stream *s, pml_error *error) {
    pml_status status = PML_OK;
    pml_word *word = &s->scratch->word;
    if (word->n_chars > 0) {
        status = pml_word_tokens(s->tokenizer, s->i_text, s->scratch, error);
        word->n_chars = word->n_bytes = 0;
        word->is_too_long = false;
    }
    return status;
}

/* Appends a code point to the word. What is beyond the longest word is only counted as such. */
static void append(text_stream *s, uint32_t code, size_t start, size_t end) {
    pml_word *word = &s->scratch->word;
    if (word->n_chars == 0) {
        word->start_bytes = start;
    }
    word->end_bytes = end;
    if (word->n_chars == s->tokenizer->spec.max_word_chars) {
        word->is_too_long = true;
        return;
    }
    if (code < 0x80) {
        word->bytes[word->n_bytes++] = (uint8_t)code;
    } else {
        word->n_bytes += (uint32_t)pml_unicode_encode(code, word->bytes + word->n_bytes);
    }
    word->chars[word->n_chars++] = (pml_word_char){start, end, word->n_bytes};
}

/* A normalised code point: part of a word, or a boundary. */
static pml_status split(text_stream *s, uint32_t code, size_t start, size_t end, pml_error *error) {
    pml_status status = PML_OK;
    const pml_char_class kind = pml_unicode_class(code);
    if (kind == PML_CHAR_SPACE || (kind == PML_CHAR_REMOVED && pml_unicode_is_space(code))) {
        PML_TRY(end_word(s, error));
    } else if (kind == PML_CHAR_PUNCTUATION) {
        PML_TRY(end_word(s, error));
        append(s, code, start, end);
        PML_TRY(end_word(s, error));
    } else {
        append(s, code, start, end);
    }
done:
    return status;
}

static pml_status lower(text_stream *s, uint32_t code, size_t start, size_t end, pml_error *error) {
    pml_status status = PML_OK;
    uint32_t codes[2] = {code};
    const size_t n = s->tokenizer->spec.lowercase ? pml_unicode_lower(code, codes) : 1;
    for (size_t i = 0; i < n; i++) {
        PML_TRY(split(s, codes[i], start, end, error));
    }
done:
    return status;
}

/* Puts the marks of a run in the order of their combining classes, those of one class as they came. */
static pml_status sort_marks(pml_token_scratch *scratch, pml_error *error) {
    pml_status status = PML_OK;
    size_t starts[GREATEST_COMBINING + 2] = {0};
    PML_TRY(pml_grow(&scratch->sorted, &scratch->sorted_capacity, scratch->n_marks, sizeof *scratch->sorted,
                     SIZE_MAX / 2, "marks", error));
    for (size_t i = 0; i < scratch->n_marks; i++) {
        starts[scratch->marks[i].combining + 1]++;
    }
    for (size_t k = 1; k <= GREATEST_COMBINING; k++) {
        starts[k] += starts[k - 1];
    }
    for (size_t i = 0; i < scratch->n_marks; i++) {
        scratch->sorted[starts[scratch->marks[i].combining]++] = scratch->marks[i];
    }
    for (size_t i = 0; i < scratch->n_marks; i++) {
        scratch->marks[i].code = scratch->sorted[i].code; /* places in the text stay in their order */
    }
done:
    return status;
}

static pml_status end_run(text_stream *s, pml_error *error) {
    pml_status status = PML_OK;
    pml_token_scratch *scratch = s->scratch;
    const size_t n = scratch->n_marks;
    if (n > 1) {
        PML_TRY(sort_marks(scratch, error));
    }
    scratch->n_marks = 0;
    for (size_t i = 0; i < n; i++) {
        const pml_pending_mark *mark = &scratch->marks[i];
        PML_TRY(lower(s, mark->code, mark->start_bytes, mark->end_bytes, error));
    }
done:
    return status;
}

static pml_status strip(text_stream *s, uint32_t code, size_t start, size_t end, pml_error *error) {
    pml_status status = PML_OK;
    pml_token_scratch *scratch = s->scratch;
    uint32_t bases[3];
    bool ends_run = false;
    const size_t n = pml_unicode_strip(code, bases, &ends_run);
    if (ends_run) {
        PML_TRY(end_run(s, error));
    }
    for (size_t i = 0; i < n; i++) {
        const unsigned combining = pml_unicode_combining(bases[i]);
        if (combining == 0) {
            PML_TRY(end_run(s, error));
            PML_TRY(lower(s, bases[i], start, end, error));
            continue;
        }
        if (scratch->n_marks > s->tokenizer->spec.max_word_chars) {
            PML_TRY(end_run(s, error)); /* too long a word whatever their order: memory need not grow with the text */
        }
        PML_TRY(pml_grow(&scratch->marks, &scratch->marks_capacity, scratch->n_marks + 1, sizeof *scratch->marks,
                         SIZE_MAX / 2, "marks", error));
        scratch->marks[scratch->n_marks++] = (pml_pending_mark){bases[i], combining, start, end};
    }
done:
    return status;
}

static pml_status end_both(text_stream *s, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(end_run(s, error));
    PML_TRY(end_word(s, error));
done:
    return status;
}

/* A code point of the text as it is; *is_space says whether it is white space. */
static pml_status take(text_stream *s, uint32_t code, size_t start, size_t end, bool *is_space, pml_error *error) {
    pml_status status = PML_OK;
    const pml_tokenizer_spec *spec = &s->tokenizer->spec;
    const pml_char_class kind = pml_unicode_class(code);
    *is_space = kind == PML_CHAR_SPACE || (kind == PML_CHAR_REMOVED && pml_unicode_is_space(code));
    if (spec->clean_text ? kind == PML_CHAR_SPACE : *is_space) {
        PML_TRY(end_both(s, error));
        goto done;
    }
    if (spec->clean_text && kind == PML_CHAR_REMOVED) {
        goto done;
    }
    const bool stands_alone = kind == PML_CHAR_CJK && spec->handle_chinese;
    if (stands_alone) {
        PML_TRY(end_both(s, error));
    }
    if (spec->strip_accents) {
        PML_TRY(strip(s, code, start, end, error));
    } else {
        PML_TRY(lower(s, code, start, end, error));
    }
    if (stands_alone) {
        PML_TRY(end_both(s, error));
    }
done:
    return status;
}

/* An ASCII character that is neither removed nor kept back by a run of marks. */
static pml_status take_ascii(text_stream *s, uint8_t byte, size_t at, pml_error *error) {
    pml_status status = PML_OK;
    const uint8_t kind = s->tokenizer->ascii_class[byte];
    if (kind == PML_CHAR_WORD) {
        const bool is_upper = s->tokenizer->spec.lowercase && byte >= 'A' && byte <= 'Z';
        append(s, is_upper ? byte + ('a' - 'A') : byte, at, at + 1);
    } else {
        PML_TRY(end_word(s, error));
        if (kind == PML_CHAR_PUNCTUATION) {
            append(s, byte, at, at + 1);
            PML_TRY(end_word(s, error));
        }
    }
done:
    return status;
}

static size_t skip_spaces(const uint8_t *text, size_t text_bytes, size_t at) {
    while (at < text_bytes) {
        uint32_t code;
        const size_t length = pml_unicode_decode(text + at, text_bytes - at, &code);
        if (!pml_unicode_is_space(code)) {
            break;
        }
        at += length;
    }
    return at;
}

static pml_status prepare_word(pml_token_scratch *scratch, uint32_t most_chars, pml_error *error) {
    pml_status status = PML_OK;
    pml_word *word = &scratch->word;
    if (scratch->word_chars < most_chars) {
        pml_free(word->bytes);
        pml_free(word->chars);
        pml_free(word->hashes);
        scratch->word = (pml_word){0};
        scratch->word_chars = 0;
        PML_TRY(pml_alloc(most_chars, 4, &word->bytes, error));
        PML_TRY(pml_alloc(most_chars, sizeof *word->chars, &word->chars, error));
        PML_TRY(pml_alloc(most_chars, sizeof *word->hashes, &word->hashes, error));
        scratch->word_chars = most_chars;
    }
    word->n_chars = word->n_bytes = 0;
    word->is_too_long = false;
    scratch->n_marks = 0;
done:
    return status;
}

/* The added token that begins at text[*at]: ends what came before and moves *at and *after_text behind it. */
static pml_status take_added(text_stream *s, const pml_added_token *added, size_t length, const uint8_t *text,
                             size_t text_bytes, size_t *at, size_t *after_text, pml_error *error) {
    pml_status status = PML_OK;
    pml_token token = {.id = added->id, .start_bytes = *at, .i_text = s->i_text, .starts_word = true};
    PML_TRY(end_both(s, error));
    if (added->strips_left) {
        token.start_bytes = *after_text;
    }
    *at += length;
    if (added->strips_right) {
        *at = skip_spaces(text, text_bytes, *at);
    }
    *after_text = token.end_bytes = *at;
    PML_TRY(pml_scratch_push(s->scratch, &token, error));
done:
    return status;
}

pml_status pml_text_tokens(const pml_tokenizer *tokenizer, const uint8_t *text, size_t text_bytes, uint8_t i_text,
                           size_t most_tokens, pml_token_scratch *scratch, pml_error *error) {
    pml_status status = PML_OK;
    text_stream s = {tokenizer, scratch, i_text};
    const size_t first_token = scratch->n_tokens;
    size_t at = 0, after_text = 0; /* after_text: behind the last character that is not white space */
    PML_TRY(prepare_word(scratch, tokenizer->spec.max_word_chars, error));
    while (at < text_bytes && scratch->n_tokens - first_token <= most_tokens) {
        const uint8_t byte = text[at];
        if (tokenizer->begins_added[byte]) {
            size_t length_bytes;
            const pml_added_token *added = pml_added_match(tokenizer, text + at, text_bytes - at, &length_bytes);
            if (added != NULL) {
                PML_TRY(take_added(&s, added, length_bytes, text, text_bytes, &at, &after_text, error));
                continue;
            }
        }
        size_t length = 1;
        bool is_space;
        if (byte < 0x80 && tokenizer->ascii_class[byte] != PML_CHAR_REMOVED && scratch->n_marks == 0) {
            is_space = tokenizer->ascii_class[byte] == PML_CHAR_SPACE;
            PML_TRY(take_ascii(&s, byte, at, error));
        } else {
            uint32_t code;
            length = pml_unicode_decode(text + at, text_bytes - at, &code);
            PML_TRY(take(&s, code, at, at + length, &is_space, error));
        }
        at += length;
        if (!is_space) {
            after_text = at;
        }
    }
    PML_TRY(end_both(&s, error));
done:
    return status;
}
