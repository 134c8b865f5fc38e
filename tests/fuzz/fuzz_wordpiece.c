/* Any text through WordPiece, and any bytes as the blob that a file carries: ids in range, ranges inside the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/text/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void check_run(const pml_tokenizer *tokenizer, const char *text, size_t text_bytes, const char *pair,
                      size_t pair_bytes, const pml_encode_options *options) {
    pml_encoding encoding = {0};
    pml_error error;
    const uint32_t n_tokens = pml_tokenizer_get_spec(tokenizer)->n_tokens;
    if (pml_tokenizer_run(tokenizer, text, text_bytes, pair, pair_bytes, options, &encoding, &error) == PML_OK) {
        for (size_t i = 0; i < encoding.count; i++) {
            const pml_token *token = &encoding.tokens[i];
            const size_t end = token->i_text == 0 ? text_bytes : token->i_text == 1 ? pair_bytes : 0;
            if (token->id >= n_tokens || token->start_bytes > token->end_bytes || token->end_bytes > end) {
                abort();
            }
        }
        if (options->max_tokens > 0 && encoding.count > options->max_tokens) {
            abort();
        }
    }
    pml_encoding_deinit(&encoding);
}

/* A small vocabulary in every combination of flags. */
static pml_tokenizer *make_tokenizer(unsigned flags, uint8_t **blob) {
    static const char *const words[] = {"[UNK]", "[CLS]", "[SEP]", "[MASK]", "a",   "b",           "##a",
                                        "##b",   "ab",    "##ab",  "e",      "##e", "i",           "##i",
                                        ".",     "[",     "]",     "s",      "##s", "\xe4\xb8\xad"};
    enum { N_WORDS = sizeof words / sizeof words[0] };
    static const pml_added_token added[] = {{0, true, false, false}, {1, true, true, false}, {3, true, true, true}};
    static const pml_template_item items[] = {{PML_TEMPLATE_TOKEN, 1, 0},
                                              {PML_TEMPLATE_FIRST, 0, 0},
                                              {PML_TEMPLATE_TOKEN, 2, 0},
                                              {PML_TEMPLATE_SECOND, 0, 1},
                                              {PML_TEMPLATE_TOKEN, 2, 1}};
    pml_token_text tokens[N_WORDS];
    for (size_t i = 0; i < N_WORDS; i++) {
        tokens[i] = (pml_token_text){words[i], strlen(words[i])};
    }
    const pml_tokenizer_spec spec = {.tokens = tokens,
                                     .n_tokens = N_WORDS,
                                     .clean_text = (flags & 1) != 0,
                                     .handle_chinese = (flags & 2) != 0,
                                     .lowercase = (flags & 4) != 0,
                                     .strip_accents = (flags & 8) != 0,
                                     .prefix = "##",
                                     .max_word_chars = 100,
                                     .cls_id = 1,
                                     .sep_id = 2,
                                     .pad_id = PML_NO_TOKEN,
                                     .mask_id = 3,
                                     .added = added,
                                     .n_added = 3,
                                     .single = items,
                                     .n_single = 3,
                                     .pair = items,
                                     .n_pair = 5};
    pml_tokenizer *tokenizer = NULL;
    size_t size_bytes;
    pml_error error;
    if (pml_tokenizer_pack(&spec, blob, &size_bytes, &error) != PML_OK ||
        pml_tokenizer_create(*blob, size_bytes, &tokenizer, &error) != PML_OK) {
        abort();
    }
    return tokenizer;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    pml_tokenizer *tokenizer = NULL;
    uint8_t *blob = NULL;
    pml_error error;
    if (size_bytes < 2) {
        return 0;
    }
    const pml_encode_options no_limit = {0},
                             limit = {.max_tokens = bytes[1] & 31u, .truncation = (pml_truncation)(bytes[1] >> 5 & 1)};
    const char *text = (const char *)bytes + 2;
    const size_t text_bytes = size_bytes - 2, half = text_bytes / 2;
    tokenizer = make_tokenizer(bytes[0], &blob);
    check_run(tokenizer, text, text_bytes, NULL, 0, &no_limit);
    check_run(tokenizer, text, half, text + half, text_bytes - half, &limit);
    pml_tokenizer_destroy(tokenizer);
    pml_free(blob);
    if (pml_tokenizer_create(bytes, size_bytes, &tokenizer, &error) == PML_OK) {
        check_run(tokenizer, text, text_bytes, "ab", 2, &no_limit);
        pml_tokenizer_destroy(tokenizer);
    }
    return 0;
}
