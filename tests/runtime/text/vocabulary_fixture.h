/* A tokenizer out of a plain vocabulary, as tests want it: standard special tokens, standard templates. */
#ifndef PML_TESTS_RUNTIME_TEXT_VOCABULARY_FIXTURE_H
#define PML_TESTS_RUNTIME_TEXT_VOCABULARY_FIXTURE_H

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/text/tokenizer.h"
#include "tests/harness.h"

typedef struct fixture {
    char *text; /* owned; the tokens are views into it */
    pml_token_text *tokens;
    pml_added_token added[5];
    pml_template_item single[3], pair[5];
    pml_tokenizer_spec spec;
    uint8_t *bytes;
    size_t size_bytes;
    pml_tokenizer *tokenizer;
} fixture;

static uint32_t fixture_find(const fixture *f, const char *text) {
    for (uint32_t id = 0; id < f->spec.n_tokens; id++) {
        if (f->tokens[id].size_bytes == strlen(text) && memcmp(f->tokens[id].bytes, text, strlen(text)) == 0) {
            return id;
        }
    }
    return PML_NO_TOKEN;
}

static int fixture_compare(const void *a, const void *b) {
    const uint32_t x = ((const pml_added_token *)a)->id, y = ((const pml_added_token *)b)->id;
    return (x > y) - (x < y);
}

/* Fills everything but the byte form. `text`: tokens, each ended by a newline. */
static void fixture_describe(fixture *f, const char *text, size_t size_bytes, bool lowercase) {
    static const char *const special[5] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};
    *f = (fixture){0};
    f->text = malloc(size_bytes + 1);
    memcpy(f->text, text, size_bytes);
    f->tokens = calloc(size_bytes + 1, sizeof *f->tokens);
    for (size_t at = 0; at < size_bytes;) {
        const char *end = memchr(f->text + at, '\n', size_bytes - at);
        const size_t length = end != NULL ? (size_t)(end - (f->text + at)) : size_bytes - at;
        f->tokens[f->spec.n_tokens++] = (pml_token_text){f->text + at, length};
        at += length + 1;
    }
    f->spec.tokens = f->tokens;
    uint32_t ids[5];
    for (size_t i = 0; i < 5; i++) {
        ids[i] = fixture_find(f, special[i]);
        if (ids[i] != PML_NO_TOKEN) {
            f->added[f->spec.n_added++] = (pml_added_token){.id = ids[i], .is_special = true};
        }
    }
    qsort(f->added, f->spec.n_added, sizeof f->added[0], fixture_compare);
    const pml_template_item cls = {PML_TEMPLATE_TOKEN, ids[1], 0}, sep = {PML_TEMPLATE_TOKEN, ids[2], 0},
                            sep_1 = {PML_TEMPLATE_TOKEN, ids[2], 1}, a = {PML_TEMPLATE_FIRST, 0, 0},
                            b = {PML_TEMPLATE_SECOND, 0, 1};
    const pml_template_item items[5] = {cls, a, sep, b, sep_1};
    memcpy(f->single, items, sizeof f->single);
    memcpy(f->pair, items, sizeof f->pair);
    f->spec.clean_text = f->spec.handle_chinese = true;
    f->spec.lowercase = f->spec.strip_accents = lowercase;
    f->spec.prefix = "##";
    f->spec.max_word_chars = 100;
    f->spec.unk_id = ids[0];
    f->spec.cls_id = ids[1];
    f->spec.sep_id = ids[2];
    f->spec.pad_id = ids[3];
    f->spec.mask_id = ids[4];
    f->spec.added = f->added;
    f->spec.single = f->single;
    f->spec.n_single = 3;
    f->spec.pair = f->pair;
    f->spec.n_pair = 5;
}

/* Packs what is described and reads it back. */
static bool fixture_make(fixture *f) {
    pml_error error;
    return pml_test_ok(pml_tokenizer_pack(&f->spec, &f->bytes, &f->size_bytes, &error), &error, __FILE__, __LINE__) &&
           pml_test_ok(pml_tokenizer_create(f->bytes, f->size_bytes, &f->tokenizer, &error), &error, __FILE__,
                       __LINE__);
}

static inline bool fixture_init(fixture *f, const char *text, bool lowercase) {
    fixture_describe(f, text, strlen(text), lowercase);
    return fixture_make(f);
}

static void fixture_deinit(fixture *f) {
    pml_tokenizer_destroy(f->tokenizer);
    pml_free(f->bytes);
    free(f->tokens);
    free(f->text);
    *f = (fixture){0};
}

#endif
