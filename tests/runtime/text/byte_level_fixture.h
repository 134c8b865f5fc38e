/* A tokenizer of byte-level BPE out of a few merges, as tests want it: all bytes, then what each merge makes, then
 * added tokens. */
#ifndef PML_TESTS_RUNTIME_TEXT_BYTE_LEVEL_FIXTURE_H
#define PML_TESTS_RUNTIME_TEXT_BYTE_LEVEL_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/text/byte_alphabet.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/unicode.h"
#include "tests/harness.h"

enum { BYTE_TOKENS = 256, MOST_MERGES = 300, MOST_ADDED = 8 };

typedef struct byte_fixture {
    char *texts; /* owned; the tokens are views into it */
    size_t texts_bytes;
    pml_token_text tokens[BYTE_TOKENS + MOST_MERGES + MOST_ADDED];
    pml_token_merge merges[MOST_MERGES];
    pml_added_token added[MOST_ADDED];
    pml_template_item single[1], pair[2];
    pml_tokenizer_spec spec;
    uint8_t *bytes;
    size_t size_bytes;
    pml_tokenizer *tokenizer;
} byte_fixture;

static uint32_t byte_fixture_add(byte_fixture *f, const char *text, size_t size_bytes) {
    const uint32_t id = f->spec.n_tokens++;
    f->tokens[id] = (pml_token_text){f->texts + f->texts_bytes, size_bytes};
    memcpy(f->texts + f->texts_bytes, text, size_bytes);
    f->texts_bytes += size_bytes;
    return id;
}

/* All bytes, byte b being token b; no merges. */
static void byte_fixture_begin(byte_fixture *f) {
    *f = (byte_fixture){.single = {{PML_TEMPLATE_FIRST, 0, 0}},
                        .pair = {{PML_TEMPLATE_FIRST, 0, 0}, {PML_TEMPLATE_SECOND, 0, 1}}};
    f->texts = malloc(1u << 20);
    f->spec = (pml_tokenizer_spec){.kind = PML_TOKENIZER_BPE,
                                   .tokens = f->tokens,
                                   .prefix = "",
                                   .merges = f->merges,
                                   .added = f->added,
                                   .single = f->single,
                                   .n_single = 1,
                                   .pair = f->pair,
                                   .n_pair = 2,
                                   .unk_id = PML_NO_TOKEN,
                                   .bos_id = PML_NO_TOKEN,
                                   .eos_id = PML_NO_TOKEN,
                                   .pad_id = PML_NO_TOKEN,
                                   .mask_id = PML_NO_TOKEN};
    for (unsigned byte = 0; byte < BYTE_TOKENS; byte++) {
        uint8_t text[4];
        const size_t n = pml_unicode_encode(pml_byte_alphabet_code((uint8_t)byte), text);
        (void)byte_fixture_add(f, (const char *)text, n);
    }
}

/* A merge of two tokens; the token that it makes, which may be there already. */
static inline uint32_t byte_fixture_merge(byte_fixture *f, uint32_t left, uint32_t right) {
    char text[4096];
    const size_t n_left = f->tokens[left].size_bytes, n = n_left + f->tokens[right].size_bytes;
    uint32_t id = 0;
    memcpy(text, f->tokens[left].bytes, n_left);
    memcpy(text + n_left, f->tokens[right].bytes, n - n_left);
    while (id < f->spec.n_tokens && (f->tokens[id].size_bytes != n || memcmp(f->tokens[id].bytes, text, n) != 0)) {
        id++;
    }
    if (id == f->spec.n_tokens) {
        (void)byte_fixture_add(f, text, n);
    }
    f->merges[f->spec.n_merges++] = (pml_token_merge){left, right, id};
    return id;
}

static inline uint32_t byte_fixture_special(byte_fixture *f, const char *text, bool strips) {
    const uint32_t id = byte_fixture_add(f, text, strlen(text));
    f->added[f->spec.n_added++] = (pml_added_token){id, true, strips, strips};
    return id;
}

/* Packs what is described and reads it back. */
static bool byte_fixture_make(byte_fixture *f) {
    pml_error error;
    return pml_test_ok(pml_tokenizer_pack(&f->spec, &f->bytes, &f->size_bytes, &error), &error, __FILE__, __LINE__) &&
           pml_test_ok(pml_tokenizer_create(f->bytes, f->size_bytes, &f->tokenizer, &error), &error, __FILE__,
                       __LINE__);
}

static void byte_fixture_deinit(byte_fixture *f) {
    pml_tokenizer_destroy(f->tokenizer);
    pml_free(f->bytes);
    free(f->texts);
}

#endif
