/* What a receiver checks: a file against the SHA256SUMS that came with it, and that list against its signature. */
#ifndef PML_CONVERT_RECEIPT_H
#define PML_CONVERT_RECEIPT_H

#include "convert/ship/sums.h"

/* Checks the signature of SHA256SUMS in `directory` with the public key in `key_path`, and finds the line of `name`;
 * *sha256 is what it says. Errors: NOT_FOUND (no list, no signature, no such line), MISMATCH (signature), those of
 * pml_signature_check and pml_sums_read. */
pml_status pml_receipt_read(const char *directory, const char *name, const char *key_path,
                            char sha256[PML_SHA256_TEXT_BYTES], pml_error *error) PML_WARN_UNUSED;

/* The same for the file at `path`, which is hashed and compared. Errors also: MISMATCH (the file). */
pml_status pml_receipt_check(const char *path, const char *key_path, pml_error *error) PML_WARN_UNUSED;

#endif
