#include "convert/hub/hub_digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"

enum { READ_BYTES = 1048576 };

struct pml_hub_digest {
    EVP_MD_CTX *context;
    bool is_git;
    uint64_t size_bytes;
};

static pml_status check(int done, pml_error *error) {
    return done == 1 ? PML_OK : PML_FAIL(error, PML_E_MEMORY, "a hash could not be taken");
}

pml_status pml_hub_digest_restart(pml_hub_digest *digest, pml_error *error) {
    pml_status status = PML_OK;
    char head[40];
    PML_TRY(check(EVP_DigestInit_ex(digest->context, digest->is_git ? EVP_sha1() : EVP_sha256(), NULL), error));
    if (digest->is_git) {
        const int n = snprintf(head, sizeof head, "blob %llu", (unsigned long long)digest->size_bytes);
        PML_TRY(check(EVP_DigestUpdate(digest->context, head, (size_t)n + 1), error));
    }
done:
    return status;
}

pml_status pml_hub_digest_create(const char *expected, uint64_t size_bytes, pml_hub_digest **digest, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_digest *made = NULL;
    *digest = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->is_git = strlen(expected) == PML_HUB_COMMIT_TEXT_BYTES - 1;
    made->size_bytes = size_bytes;
    made->context = EVP_MD_CTX_new();
    if (made->context == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for a hash"));
    }
    PML_TRY(pml_hub_digest_restart(made, error));
    *digest = made;
    made = NULL;
done:
    pml_hub_digest_destroy(made);
    return status;
}

void pml_hub_digest_destroy(pml_hub_digest *digest) {
    if (digest != NULL) {
        EVP_MD_CTX_free(digest->context);
        pml_free(digest);
    }
}

pml_status pml_hub_digest_update(pml_hub_digest *digest, const void *bytes, size_t size_bytes, pml_error *error) {
    return check(EVP_DigestUpdate(digest->context, bytes, size_bytes), error);
}

pml_status pml_hub_digest_finish(pml_hub_digest *digest, char text[PML_HUB_HASH_TEXT_BYTES], pml_error *error) {
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned n_bytes = 0;
    pml_status status = check(EVP_DigestFinal_ex(digest->context, bytes, &n_bytes), error);
    for (unsigned i = 0; status == PML_OK && i < n_bytes && 2 * i + 2 < PML_HUB_HASH_TEXT_BYTES; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
        text[2 * i + 2] = '\0';
    }
    return status;
}

pml_status pml_hub_digest_file(int fd, const char *expected, uint64_t size_bytes, char text[PML_HUB_HASH_TEXT_BYTES],
                               pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_digest *digest = NULL;
    char *buffer = NULL;
    PML_TRY(pml_alloc(READ_BYTES, 1, &buffer, error));
    PML_TRY(pml_hub_digest_create(expected, size_bytes, &digest, error));
    for (uint64_t offset = 0; offset < size_bytes;) {
        PML_TRY(pml_cancel_check(error));
        const ssize_t n = pread(fd, buffer, READ_BYTES, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            PML_TRY(PML_FAIL(error, PML_E_IO, "cannot read: %s", n == 0 ? "the file became shorter" : strerror(errno)));
        }
        PML_TRY(pml_hub_digest_update(digest, buffer, (size_t)n, error));
        offset += (uint64_t)n;
    }
    PML_TRY(pml_hub_digest_finish(digest, text, error));
done:
    pml_hub_digest_destroy(digest);
    pml_free(buffer);
    return status;
}
