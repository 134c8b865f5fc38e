/* Tokens by text: a hash table over the blob's own bytes. */
#include <string.h>
#include <sys/random.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/text/tokenizer_parts.h"

static uint64_t finish(uint64_t hash) {
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static bool is_token(const pml_vocabulary *v, uint32_t id, bool continues, const uint8_t *bytes, size_t size_bytes) {
    const pml_token_text *token = &v->tokens[id];
    const size_t skipped = continues ? v->prefix_bytes : 0;
    return token->size_bytes == size_bytes + skipped && memcmp(token->bytes + skipped, bytes, size_bytes) == 0 &&
           memcmp(token->bytes, v->prefix, skipped) == 0;
}

uint32_t pml_vocabulary_find(const pml_vocabulary *v, uint64_t hash, bool continues, const uint8_t *bytes,
                             size_t size_bytes) {
    const uint64_t mixed = finish(hash);
    const uint32_t tag = (uint32_t)(mixed >> 32);
    for (size_t i = (size_t)mixed & v->mask; v->slots[i].id_plus_1 != 0; i = (i + 1) & v->mask) {
        if (v->slots[i].tag == tag && is_token(v, v->slots[i].id_plus_1 - 1, continues, bytes, size_bytes)) {
            return v->slots[i].id_plus_1 - 1;
        }
    }
    return PML_NO_TOKEN;
}

static uint64_t hash_text(const pml_vocabulary *v, const char *bytes, size_t size_bytes) {
    uint64_t hash = v->seed;
    for (size_t i = 0; i < size_bytes; i++) {
        hash = pml_vocabulary_hash(v, hash, (uint8_t)bytes[i]);
    }
    return hash;
}

uint32_t pml_vocabulary_find_text(const pml_vocabulary *v, const char *text, size_t size_bytes) {
    return pml_vocabulary_find(v, hash_text(v, text, size_bytes), false, (const uint8_t *)text, size_bytes);
}

static pml_status insert(pml_vocabulary *v, uint32_t id, pml_error *error) {
    const pml_token_text *token = &v->tokens[id];
    const uint64_t hash = hash_text(v, token->bytes, token->size_bytes);
    const uint64_t mixed = finish(hash);
    const uint32_t other = pml_vocabulary_find(v, hash, false, (const uint8_t *)token->bytes, token->size_bytes);
    if (other != PML_NO_TOKEN) {
        char text[64];
        pml_quoted quoted;
        const size_t shown = token->size_bytes < sizeof text ? token->size_bytes : sizeof text - 1;
        memcpy(text, token->bytes, shown);
        text[shown] = '\0';
        return PML_FAIL(error, PML_E_FORMAT, "token %s is in the vocabulary twice, as %u and %u",
                        pml_quote(&quoted, text), other, id);
    }
    size_t i = (size_t)mixed & v->mask;
    while (v->slots[i].id_plus_1 != 0) {
        i = (i + 1) & v->mask;
    }
    v->slots[i] = (pml_vocabulary_slot){(uint32_t)(mixed >> 32), id + 1};
    if (token->size_bytes > v->longest_bytes) {
        v->longest_bytes = token->size_bytes;
    }
    return PML_OK;
}

pml_status pml_vocabulary_init(pml_vocabulary *v, const pml_token_text *tokens, uint32_t n_tokens, const char *prefix,
                               size_t prefix_bytes, pml_error *error) {
    pml_status status = PML_OK;
    size_t n_slots = 16;
    *v = (pml_vocabulary){.tokens = tokens, .prefix = prefix, .prefix_bytes = prefix_bytes};
    while (n_slots < (size_t)n_tokens * 2) {
        n_slots *= 2;
    }
    if (getrandom(&v->seed, sizeof v->seed, GRND_NONBLOCK) != (ssize_t)sizeof v->seed ||
        getrandom(&v->factor, sizeof v->factor, GRND_NONBLOCK) != (ssize_t)sizeof v->factor) {
        v->factor = (uint64_t)(uintptr_t)v ^ 0xd1342543de82ef95u; /* early at boot: an address must do */
    }
    v->factor |= 1;
    PML_TRY(pml_alloc(n_slots, sizeof *v->slots, &v->slots, error));
    v->mask = n_slots - 1;
    v->prefix_hash = hash_text(v, prefix, prefix_bytes);
    for (uint32_t id = 0; id < n_tokens; id++) {
        PML_TRY(insert(v, id, error));
    }
done:
    if (status != PML_OK) {
        pml_vocabulary_deinit(v);
    }
    return status;
}

void pml_vocabulary_deinit(pml_vocabulary *v) {
    pml_free(v->slots);
    *v = (pml_vocabulary){0};
}
