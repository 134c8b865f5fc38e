#include "convert/hash.h"

#include <openssl/evp.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"

/* Hashed at a time: small enough to answer Ctrl-C at once. */
#define PIECE_BYTES ((size_t)4 << 20)

struct pml_hash {
    EVP_MD_CTX *context;
};

pml_status pml_hash_create(pml_hash **hash, pml_error *error) {
    pml_status status = PML_OK;
    pml_hash *created = NULL;
    *hash = NULL;
    PML_TRY(pml_alloc(1, sizeof *created, &created, error));
    created->context = EVP_MD_CTX_new();
    if (created->context == NULL || EVP_DigestInit_ex(created->context, EVP_sha256(), NULL) != 1) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "SHA-256 could not be started"));
    }
    *hash = created;
    created = NULL;
done:
    pml_hash_destroy(created);
    return status;
}

void pml_hash_destroy(pml_hash *hash) {
    if (hash != NULL) {
        EVP_MD_CTX_free(hash->context);
        pml_free(hash);
    }
}

pml_status pml_hash_update(pml_hash *hash, const void *bytes, size_t size_bytes, pml_error *error) {
    if (EVP_DigestUpdate(hash->context, bytes, size_bytes) != 1) {
        return PML_FAIL(error, PML_E_MEMORY, "SHA-256 failed");
    }
    return PML_OK;
}

pml_status pml_hash_finish(pml_hash *hash, char text[PML_SHA256_TEXT_BYTES], pml_error *error) {
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n_bytes = 0;
    if (EVP_DigestFinal_ex(hash->context, digest, &n_bytes) != 1 || n_bytes != (PML_SHA256_TEXT_BYTES - 1) / 2) {
        return PML_FAIL(error, PML_E_MEMORY, "SHA-256 failed");
    }
    for (unsigned i = 0; i < n_bytes; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    text[2 * n_bytes] = '\0';
    return PML_OK;
}

pml_status pml_hash_bytes(const void *bytes, size_t size_bytes, char text[PML_SHA256_TEXT_BYTES], pml_error *error) {
    pml_status status = PML_OK;
    pml_hash *hash = NULL;
    PML_TRY(pml_hash_create(&hash, error));
    for (const uint8_t *next = bytes; size_bytes > 0;) {
        const size_t n = size_bytes < PIECE_BYTES ? size_bytes : PIECE_BYTES;
        PML_TRY(pml_cancel_check(error));
        PML_TRY(pml_hash_update(hash, next, n, error));
        next += n;
        size_bytes -= n;
    }
    PML_TRY(pml_hash_finish(hash, text, error));
done:
    pml_hash_destroy(hash);
    return status;
}
