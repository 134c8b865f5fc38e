#include "convert/ship/signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "convert/small_file.h"
#include "runtime/base/alloc.h"
#include "runtime/base/input.h"

enum { SIGNATURE_BYTES = 64, MAX_KEY_BYTES = 65536, MAX_SIGNED_BYTES = 1 << 28 };

/* An encrypted key would ask for its pass phrase on the terminal. */
static int no_pass_phrase(char *buffer, int size, int is_writing, void *user) {
    (void)buffer, (void)size, (void)is_writing, (void)user;
    return 0;
}

static pml_status read_key(const char *path, bool is_private, EVP_PKEY **key, pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    size_t size_bytes = 0;
    BIO *stream = NULL;
    PML_TRY(pml_input_read(path, PML_E_CONFIG, MAX_KEY_BYTES, &text, &size_bytes, error));
    stream = BIO_new_mem_buf(text, (int)size_bytes);
    if (stream == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: out of memory", path));
    }
    *key = is_private ? PEM_read_bio_PrivateKey(stream, NULL, no_pass_phrase, NULL)
                      : PEM_read_bio_PUBKEY(stream, NULL, no_pass_phrase, NULL);
    if (*key == NULL || EVP_PKEY_id(*key) != EVP_PKEY_ED25519) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: holds no %s Ed25519 key in PEM form%s", path,
                         is_private ? "private" : "public",
                         is_private ? " without a pass phrase (openssl genpkey -algorithm ed25519 -out KEY)"
                                    : " (openssl pkey -in KEY -pubout -out PUBLIC)"));
    }
done:
    (void)BIO_free(stream);
    if (text != NULL) {
        OPENSSL_cleanse(text, size_bytes);
    }
    pml_free(text);
    return status;
}

pml_status pml_signature_check_key(const char *key_path, pml_error *error) {
    EVP_PKEY *key = NULL;
    const pml_status status = read_key(key_path, true, &key, error);
    EVP_PKEY_free(key);
    return status;
}

pml_status pml_signature_write(const char *path, const char *key_path, const char *signature_path, pml_error *error) {
    pml_status status = PML_OK;
    EVP_PKEY *key = NULL;
    EVP_MD_CTX *context = NULL;
    char *text = NULL;
    size_t size_bytes = 0, n = SIGNATURE_BYTES;
    unsigned char signature[SIGNATURE_BYTES];
    PML_TRY(read_key(key_path, true, &key, error));
    PML_TRY(pml_input_read(path, PML_E_FORMAT, MAX_SIGNED_BYTES, &text, &size_bytes, error));
    context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
        EVP_DigestSign(context, signature, &n, (const unsigned char *)text, size_bytes) != 1 || n != SIGNATURE_BYTES) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: cannot be signed", path));
    }
    PML_TRY(pml_small_file_write(signature_path, signature, sizeof signature, true, error));
done:
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    pml_free(text);
    return status;
}

pml_status pml_signature_check(const char *path, const char *key_path, const char *signature_path, pml_error *error) {
    pml_status status = PML_OK;
    EVP_PKEY *key = NULL;
    EVP_MD_CTX *context = NULL;
    char *text = NULL, *signature = NULL;
    size_t size_bytes = 0, n = 0;
    PML_TRY(read_key(key_path, false, &key, error));
    PML_TRY(pml_input_read(path, PML_E_FORMAT, MAX_SIGNED_BYTES, &text, &size_bytes, error));
    PML_TRY(pml_input_read(signature_path, PML_E_FORMAT, MAX_KEY_BYTES, &signature, &n, error));
    context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) != 1) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: cannot be checked", signature_path));
    }
    if (n != SIGNATURE_BYTES ||
        EVP_DigestVerify(context, (const unsigned char *)signature, n, (const unsigned char *)text, size_bytes) != 1) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "%s: is not a signature of %s by the key in %s", signature_path, path,
                         key_path));
    }
done:
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    pml_free(text);
    pml_free(signature);
    return status;
}
