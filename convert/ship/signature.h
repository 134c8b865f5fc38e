/* Ed25519 signatures (RFC 8032) of small files, by libcrypto: 64 bytes as `openssl pkeyutl -sign -rawin` makes them. */
#ifndef PML_CONVERT_SIGNATURE_H
#define PML_CONVERT_SIGNATURE_H

#include "runtime/base/error.h"

/* Whether `key_path` holds a key that pml_signature_write can use: asked before long work. Errors: NOT_FOUND, CONFIG,
 * IO, MEMORY. */
pml_status pml_signature_check_key(const char *key_path, pml_error *error) PML_WARN_UNUSED;

/* Signs the file at `path` with the private key in the PEM file `key_path` (PKCS #8, not encrypted) into
 * `signature_path`, replacing an older one. Errors: NOT_FOUND, CONFIG (no such key in that file), IO, MEMORY. */
pml_status pml_signature_write(const char *path, const char *key_path, const char *signature_path,
                               pml_error *error) PML_WARN_UNUSED;

/* Checks it with the public key in the PEM file `key_path`. Errors: NOT_FOUND (a file, the signature too), CONFIG (no
 * such key), MISMATCH (the signature is not of this file and key), IO, MEMORY. */
pml_status pml_signature_check(const char *path, const char *key_path, const char *signature_path,
                               pml_error *error) PML_WARN_UNUSED;

#endif
