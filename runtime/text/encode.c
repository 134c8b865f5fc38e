/* A text or a pair as a model takes it: tokens, cut to length, between what the template adds. */
#include "runtime/base/alloc.h"
#include "runtime/text/tokenizer_parts.h"

typedef struct text_lengths { /* tokens of the two texts */
    size_t n[2];
} text_lengths;

static size_t count_added(const pml_template_item *items, uint32_t n_items) {
    size_t n = 0;
    for (uint32_t i = 0; i < n_items; i++) {
        n += items[i].kind == PML_TEMPLATE_TOKEN;
    }
    return n;
}

/* The shorter text is kept whole if half of the room is enough for it. */
static void cut_longest(text_lengths *lengths, size_t room) {
    const size_t i_short = lengths->n[0] > lengths->n[1] ? 1 : 0;
    size_t shorter = lengths->n[i_short];
    size_t longer = shorter > room ? shorter : shorter > room - shorter ? shorter : room - shorter;
    if (longer > room || shorter > room - longer) {
        shorter = room / 2;
        longer = room - shorter;
    }
    lengths->n[i_short] = shorter;
    lengths->n[1 - i_short] = longer;
}

/* Cuts both lengths to `room` tokens. */
static pml_status cut(text_lengths *lengths, bool is_pair, size_t room, pml_truncation truncation, bool *is_truncated,
                      pml_error *error) {
    const size_t total = lengths->n[0] + lengths->n[1];
    *is_truncated = total > room;
    if (total <= room) {
        return PML_OK;
    }
    if (!is_pair) {
        lengths->n[0] = room;
        return PML_OK;
    }
    if (truncation == PML_TRUNCATE_LONGEST) {
        cut_longest(lengths, room);
        return PML_OK;
    }
    const size_t i_cut = truncation == PML_TRUNCATE_FIRST ? 0 : 1;
    if (lengths->n[1 - i_cut] >= room) {
        return PML_FAIL(error, PML_E_ARGUMENT, "the %s text alone has %s%zu tokens; with the other one at most %zu fit",
                        i_cut == 0 ? "second" : "first", lengths->n[1 - i_cut] > room ? "more than " : "",
                        lengths->n[1 - i_cut] > room ? room : lengths->n[1 - i_cut], room);
    }
    lengths->n[i_cut] = room - lengths->n[1 - i_cut];
    return PML_OK;
}

static void assemble(const pml_template_item *items, uint32_t n_items, const pml_token_scratch *scratch,
                     size_t second_at, const text_lengths *lengths, pml_encoding *encoding) {
    for (uint32_t i = 0; i < n_items; i++) {
        if (items[i].kind == PML_TEMPLATE_TOKEN) {
            encoding->tokens[encoding->count++] =
                (pml_token){.id = items[i].id, .type_id = items[i].type_id, .i_text = 2, .starts_word = true};
            continue;
        }
        const bool is_second = items[i].kind == PML_TEMPLATE_SECOND;
        const size_t from = is_second ? second_at : 0;
        for (size_t k = 0; k < lengths->n[is_second]; k++) {
            encoding->tokens[encoding->count] = scratch->tokens[from + k];
            encoding->tokens[encoding->count++].type_id = items[i].type_id;
        }
    }
}

static pml_status tokenize(const pml_tokenizer *tokenizer, const char *text, size_t text_bytes, uint8_t i_text,
                           size_t most_tokens, pml_token_scratch *scratch, pml_error *error) {
    return tokenizer->spec.kind == PML_TOKENIZER_BPE
               ? pml_byte_level_tokens(tokenizer, (const uint8_t *)text, text_bytes, i_text, most_tokens, scratch,
                                       error)
               : pml_text_tokens(tokenizer, (const uint8_t *)text, text_bytes, i_text, most_tokens, scratch, error);
}

pml_status pml_tokenizer_run(const pml_tokenizer *tokenizer, const char *text, size_t text_bytes, const char *pair,
                             size_t pair_bytes, const pml_encode_options *options, pml_encoding *encoding,
                             pml_error *error) {
    static const pml_encode_options no_limit;
    static const pml_template_item bare[] = {{PML_TEMPLATE_FIRST, 0, 0}, {PML_TEMPLATE_SECOND, 0, 1}};
    pml_status status = PML_OK;
    const pml_tokenizer_spec *spec = &tokenizer->spec;
    const bool is_pair = pair != NULL && pair_bytes > 0;
    options = options != NULL ? options : &no_limit;
    const pml_template_item *items = options->no_special ? bare : is_pair ? spec->pair : spec->single;
    const uint32_t n_items = options->no_special ? (is_pair ? 2 : 1) : is_pair ? spec->n_pair : spec->n_single;
    const size_t n_added = count_added(items, n_items);
    encoding->count = 0;
    encoding->is_truncated = false;
    if (options->max_tokens > 0 && options->max_tokens < n_added) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "at most %zu tokens: the template alone has %zu", options->max_tokens,
                         n_added));
    }
    if (encoding->scratch == NULL) {
        PML_TRY(pml_alloc(1, sizeof *encoding->scratch, &encoding->scratch, error));
    }
    pml_token_scratch *scratch = encoding->scratch;
    const size_t room = options->max_tokens > 0 ? options->max_tokens - n_added : SIZE_MAX / 4;
    scratch->n_tokens = 0;
    PML_TRY(tokenize(tokenizer, text, text_bytes, 0, room, scratch, error));
    const size_t second_at = scratch->n_tokens;
    if (is_pair) {
        PML_TRY(tokenize(tokenizer, pair, pair_bytes, 1, room, scratch, error));
    }
    text_lengths lengths = {{second_at, scratch->n_tokens - second_at}};
    PML_TRY(cut(&lengths, is_pair, room, options->truncation, &encoding->is_truncated, error));
    PML_TRY(pml_grow(&encoding->tokens, &encoding->capacity, lengths.n[0] + lengths.n[1] + n_added + 1,
                     sizeof *encoding->tokens, SIZE_MAX / 2, "tokens", error));
    assemble(items, n_items, scratch, second_at, &lengths, encoding);
done:
    return status;
}

void pml_encoding_deinit(pml_encoding *encoding) {
    if (encoding->scratch != NULL) {
        pml_free(encoding->scratch->word.bytes);
        pml_free(encoding->scratch->word.chars);
        pml_free(encoding->scratch->word.hashes);
        pml_free(encoding->scratch->marks);
        pml_free(encoding->scratch->sorted);
        pml_free(encoding->scratch->tokens);
        pml_free(encoding->scratch->list.symbols);
        pml_free(encoding->scratch->list.heap);
        pml_free(encoding->scratch);
    }
    pml_free(encoding->tokens);
    *encoding = (pml_encoding){0};
}
