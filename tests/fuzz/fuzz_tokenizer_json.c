/* tokenizer.json, vocab.txt, vocab.json and merges.txt as found in any repository: refused, or a tokenizer that its own
 * reader accepts. */
#include <stdint.h>
#include <stdlib.h>

#include "convert/tokenizer_draft.h"
#include "runtime/base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void use_draft(pml_tokenizer_draft *draft) {
    static const pml_draft_special special[] = {
        {"[UNK]", NULL}, {"[CLS]", NULL}, {"[SEP]", NULL}, {"[PAD]", NULL}, {"[MASK]", NULL}};
    uint8_t *blob = NULL;
    size_t size_bytes;
    uint32_t n_tokens;
    pml_tokenizer *tokenizer = NULL;
    pml_encoding encoding = {0};
    pml_error error;
    if (pml_draft_pack(draft, special, 0, "fuzz", &blob, &size_bytes, &n_tokens, &error) == PML_OK) {
        if (pml_tokenizer_create(blob, size_bytes, &tokenizer, &error) != PML_OK) {
            abort();
        }
        if (pml_tokenizer_run(tokenizer, "The cats [MASK].", 16, "a", 1, NULL, &encoding, &error) != PML_OK) {
            abort();
        }
    }
    pml_encoding_deinit(&encoding);
    pml_tokenizer_destroy(tokenizer);
    pml_free(blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    static const char letters[] = "{\"a\":0,\"b\":1,\"ab\":2,\"\\u0120\":3,\"\\u0120ab\":4}";
    pml_error error;
    pml_tokenizer_draft draft = {0};
    if (pml_draft_read_json(&draft, (const char *)bytes, size_bytes, "fuzz", &error) == PML_OK) {
        use_draft(&draft);
    }
    pml_draft_deinit(&draft);
    if (pml_draft_read_vocabulary(&draft, (const char *)bytes, size_bytes, "fuzz", &error) == PML_OK) {
        use_draft(&draft);
    }
    pml_draft_deinit(&draft);
    if (pml_draft_read_vocabulary_json(&draft, (const char *)bytes, size_bytes, "fuzz", &error) == PML_OK) {
        use_draft(&draft);
    }
    pml_draft_deinit(&draft);
    if (pml_draft_read_vocabulary_json(&draft, letters, sizeof letters - 1, "fuzz", &error) != PML_OK) {
        abort();
    }
    if (pml_draft_read_merges(&draft, (const char *)bytes, size_bytes, "fuzz", &error) == PML_OK) {
        use_draft(&draft);
    }
    pml_draft_deinit(&draft);
    return 0;
}
