/* Any text through byte-level BPE, and any bytes as the blob that a file carries: ranges side by side, tokens that
 * decode to the text, merges as the plain definition gives them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/text/byte_alphabet.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/unicode.h"
#include "runtime/text/utf8_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

enum { N_BYTES = 256, N_MERGES = 10, N_ADDED = 2, N_TOKENS = N_BYTES + N_MERGES + N_ADDED };
static const pml_token_merge merges[N_MERGES] = {
    {'a', 'b', 256},  {256, 'a', 257},   {'b', 'a', 258},  {' ', 256, 259},   {258, 258, 260},
    {'\'', 's', 261}, {0xef, 0xbf, 262}, {262, 0xbd, 263}, {'\n', '\n', 264}, {'a', 258, 257}};

/* The tokenizer of all bytes and these merges, in four kinds of flags. */
static pml_tokenizer *make_tokenizer(unsigned flags, uint8_t **blob) {
    static char texts[N_TOKENS][16];
    pml_token_text tokens[N_TOKENS];
    for (size_t i = 0; i < N_TOKENS; i++) {
        size_t n = 0;
        if (i < N_BYTES) {
            n = pml_unicode_encode(pml_byte_alphabet_code((uint8_t)i), (uint8_t *)texts[i]);
        } else if (i < N_BYTES + N_MERGES - 1) {
            const pml_token_merge *merge = &merges[i - N_BYTES];
            const pml_token_text *left = &tokens[merge->left_id], *right = &tokens[merge->right_id];
            memcpy(texts[i], left->bytes, left->size_bytes);
            memcpy(texts[i] + left->size_bytes, right->bytes, right->size_bytes);
            n = left->size_bytes + right->size_bytes;
        } else {
            static const char *const others[] = {"unused", "<m>", "<m><n>"};
            n = strlen(others[i - (N_BYTES + N_MERGES - 1)]);
            memcpy(texts[i], others[i - (N_BYTES + N_MERGES - 1)], n);
        }
        tokens[i] = (pml_token_text){texts[i], n};
    }
    const pml_added_token added[N_ADDED] = {{N_TOKENS - 2, true, (flags & 1) != 0, (flags & 1) != 0},
                                            {N_TOKENS - 1, false, false, false}};
    static const pml_template_item items[] = {{PML_TEMPLATE_FIRST, 0, 0}, {PML_TEMPLATE_SECOND, 0, 1}};
    const pml_tokenizer_spec spec = {.kind = PML_TOKENIZER_BPE,
                                     .tokens = tokens,
                                     .n_tokens = N_TOKENS,
                                     .prefix = "",
                                     .adds_space = (flags & 2) != 0,
                                     .merges = merges,
                                     .n_merges = N_MERGES,
                                     .unk_id = PML_NO_TOKEN,
                                     .bos_id = PML_NO_TOKEN,
                                     .eos_id = PML_NO_TOKEN,
                                     .pad_id = PML_NO_TOKEN,
                                     .mask_id = PML_NO_TOKEN,
                                     .added = added,
                                     .n_added = N_ADDED,
                                     .single = items,
                                     .n_single = 1,
                                     .pair = items,
                                     .n_pair = 2};
    pml_tokenizer *tokenizer = NULL;
    size_t size_bytes;
    pml_error error;
    if (pml_tokenizer_pack(&spec, blob, &size_bytes, &error) != PML_OK ||
        pml_tokenizer_create(*blob, size_bytes, &tokenizer, &error) != PML_OK) {
        abort();
    }
    return tokenizer;
}

/* Without flags the tokens are the text, ill-formed bytes being U+FFFD. */
static void check_decoded(const pml_tokenizer *tokenizer, const pml_encoding *encoding, const uint8_t *text,
                          size_t text_bytes) {
    size_t at = 0, waiting = 0;
    uint8_t expected[4];
    for (size_t i = 0, n_expected = 0; i < encoding->count; i++) {
        uint8_t bytes[64];
        const size_t n = pml_tokenizer_decode(tokenizer, encoding->tokens[i].id, bytes);
        for (size_t k = 0; k < n; k++) {
            if (waiting == n_expected) {
                uint32_t code;
                if (at >= text_bytes) {
                    abort();
                }
                at += pml_unicode_decode(text + at, text_bytes - at, &code);
                n_expected = pml_unicode_encode(code, expected);
                waiting = 0;
            }
            if (bytes[k] != expected[waiting++]) {
                abort();
            }
        }
    }
    if (at != text_bytes) {
        abort();
    }
}

static void check_run(const pml_tokenizer *tokenizer, const uint8_t *text, size_t text_bytes, size_t most,
                      bool is_plain) {
    pml_encoding encoding = {0};
    pml_error error;
    const pml_encode_options options = {.max_tokens = most};
    const uint32_t n_tokens = pml_tokenizer_get_spec(tokenizer)->n_tokens;
    if (pml_tokenizer_run(tokenizer, (const char *)text, text_bytes, NULL, 0, &options, &encoding, &error) == PML_OK) {
        size_t start = 0;
        for (size_t i = 0; i < encoding.count; i++) {
            const pml_token *token = &encoding.tokens[i];
            if (token->id >= n_tokens || token->start_bytes > token->end_bytes || token->end_bytes > text_bytes ||
                (token->i_text == 0 && token->start_bytes < start)) {
                abort();
            }
            start = token->i_text == 0 ? token->start_bytes : start;
        }
        if (most > 0 && encoding.count > most) {
            abort();
        }
        if (is_plain) {
            check_decoded(tokenizer, &encoding, text, text_bytes);
        }
    }
    pml_encoding_deinit(&encoding);
}

/* One part of the text by the definition: the earliest merge, the leftmost place. */
static void check_merges(const pml_tokenizer *tokenizer, const uint8_t *text, size_t text_bytes) {
    uint32_t ids[64];
    size_t n = 0;
    uint8_t part[64];
    for (size_t i = 0; i < text_bytes && n < sizeof part; i++) {
        part[n] = text[i] % 2 == 0 ? 'a' : 'b';
        ids[n] = part[n];
        n++;
    }
    pml_encoding encoding = {0};
    pml_error error;
    const size_t part_bytes = n;
    for (bool is_done = n < 2; !is_done;) {
        size_t best = n;
        uint32_t best_rank = N_MERGES;
        for (size_t i = 0; i + 1 < n; i++) {
            for (uint32_t rank = 0; rank < best_rank; rank++) {
                if (merges[rank].left_id == ids[i] && merges[rank].right_id == ids[i + 1]) {
                    best = i;
                    best_rank = rank;
                }
            }
        }
        is_done = best == n;
        if (!is_done) {
            ids[best] = merges[best_rank].result_id;
            memmove(ids + best + 1, ids + best + 2, (n - best - 2) * sizeof *ids);
            n--;
        }
    }
    if (pml_tokenizer_run(tokenizer, (const char *)part, part_bytes, NULL, 0, NULL, &encoding, &error) != PML_OK ||
        encoding.count != n) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        if (encoding.tokens[i].id != ids[i]) {
            abort();
        }
    }
    pml_encoding_deinit(&encoding);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    static pml_tokenizer *tokenizers[4];
    static uint8_t *blobs[4];
    pml_tokenizer *tokenizer = NULL;
    pml_error error;
    if (size_bytes < 2) {
        return 0;
    }
    const unsigned flags = bytes[0] & 3u;
    if (tokenizers[flags] == NULL) {
        tokenizers[flags] = make_tokenizer(flags, &blobs[flags]);
    }
    check_run(tokenizers[flags], bytes + 2, size_bytes - 2, 0, flags == 0);
    check_run(tokenizers[flags], bytes + 2, size_bytes - 2, bytes[1] & 31u, false);
    if (flags == 0) {
        check_merges(tokenizers[0], bytes + 2, size_bytes - 2);
    }
    if (pml_tokenizer_create(bytes, size_bytes, &tokenizer, &error) == PML_OK) {
        check_run(tokenizer, (const uint8_t *)"the a\xff<m> 's", 13, 0, false);
        check_run(tokenizer, bytes + 2, size_bytes - 2, 7, false);
        pml_tokenizer_destroy(tokenizer);
    }
    return 0;
}
