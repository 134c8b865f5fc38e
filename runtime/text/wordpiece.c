/* Longest match first, from the left: the pieces of one word. */
#include "runtime/base/alloc.h"
#include "runtime/text/tokenizer_parts.h"

pml_status pml_scratch_push(pml_token_scratch *scratch, const pml_token *token, pml_error *error) {
    if (scratch->n_tokens == scratch->tokens_capacity) {
        const pml_status status = pml_grow(&scratch->tokens, &scratch->tokens_capacity, scratch->n_tokens + 1,
                                           sizeof *scratch->tokens, SIZE_MAX / 2, "tokens", error);
        if (status != PML_OK) {
            return status;
        }
    }
    scratch->tokens[scratch->n_tokens++] = *token;
    return PML_OK;
}

/* The longest token that begins at character i_first; *i_last is its last character. */
static uint32_t longest_piece(const pml_tokenizer *tokenizer, const pml_word *word, uint32_t i_first,
                              uint32_t *i_last) {
    const pml_vocabulary *v = &tokenizer->vocabulary;
    const bool continues = i_first > 0;
    const uint32_t from = continues ? word->chars[i_first - 1].word_end_bytes : 0;
    const size_t most = v->longest_bytes - (continues && v->longest_bytes >= v->prefix_bytes ? v->prefix_bytes : 0);
    uint64_t hash = continues ? v->prefix_hash : v->seed;
    uint32_t i_end = i_first, at = from;
    for (; i_end < word->n_chars && word->chars[i_end].word_end_bytes - from <= most; i_end++) {
        for (; at < word->chars[i_end].word_end_bytes; at++) {
            hash = pml_vocabulary_hash(v, hash, word->bytes[at]);
        }
        word->hashes[i_end] = hash;
    }
    while (i_end-- > i_first) {
        const uint32_t id = pml_vocabulary_find(v, word->hashes[i_end], continues, word->bytes + from,
                                                word->chars[i_end].word_end_bytes - from);
        if (id != PML_NO_TOKEN) {
            *i_last = i_end;
            return id;
        }
    }
    return PML_NO_TOKEN;
}

pml_status pml_word_tokens(const pml_tokenizer *tokenizer, uint8_t i_text, pml_token_scratch *scratch,
                           pml_error *error) {
    pml_status status = PML_OK;
    const pml_word *word = &scratch->word;
    const size_t first_token = scratch->n_tokens;
    bool is_known = !word->is_too_long;
    for (uint32_t i = 0, i_last = 0; is_known && i < word->n_chars; i = i_last + 1) {
        const uint32_t id = longest_piece(tokenizer, word, i, &i_last);
        is_known = id != PML_NO_TOKEN;
        if (is_known) {
            const pml_token token = {.id = id,
                                     .start_bytes = word->chars[i].start_bytes,
                                     .end_bytes = word->chars[i_last].end_bytes,
                                     .i_text = i_text,
                                     .starts_word = i == 0};
            PML_TRY(pml_scratch_push(scratch, &token, error));
        }
    }
    if (!is_known) {
        const pml_token unknown = {.id = tokenizer->spec.unk_id,
                                   .start_bytes = word->start_bytes,
                                   .end_bytes = word->end_bytes,
                                   .i_text = i_text,
                                   .starts_word = true};
        scratch->n_tokens = first_token;
        PML_TRY(pml_scratch_push(scratch, &unknown, error));
    }
done:
    return status;
}
