#include "convert/ship/receipt.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "convert/ship/signature.h"
#include "runtime/base/input.h"

static pml_status join(const char *directory, const char *name, char path[PATH_MAX], pml_error *error) {
    const int n = snprintf(path, PATH_MAX, "%s/%s", directory, name);
    return n > 0 && n < PATH_MAX ? PML_OK
                                 : PML_FAIL(error, PML_E_ARGUMENT, "%.200s...: the path is too long", directory);
}

pml_status pml_receipt_read(const char *directory, const char *name, const char *key_path,
                            char sha256[PML_SHA256_TEXT_BYTES], pml_error *error) {
    pml_status status = PML_OK;
    pml_sums sums = {0};
    char list[PATH_MAX], signature[PATH_MAX];
    PML_TRY(join(directory, PML_SUMS_NAME, list, error));
    PML_TRY(join(directory, PML_SUMS_SIGNATURE_NAME, signature, error));
    PML_TRY(pml_signature_check(list, key_path, signature, error));
    PML_TRY(pml_sums_read(list, &sums, error));
    const pml_sum *sum = pml_sums_find(&sums, name);
    if (sum == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "%s: has no line for %s", list, name));
    }
    memcpy(sha256, sum->sha256, PML_SHA256_TEXT_BYTES);
done:
    pml_sums_deinit(&sums);
    return status;
}

pml_status pml_receipt_check(const char *path, const char *key_path, pml_error *error) {
    pml_status status = PML_OK;
    pml_file_map map = {0};
    char directory[PATH_MAX] = ".", expected[PML_SHA256_TEXT_BYTES], found[PML_SHA256_TEXT_BYTES];
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    if (slash != NULL && (size_t)(slash - path) < sizeof directory) {
        (void)snprintf(directory, sizeof directory, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    }
    PML_TRY(pml_receipt_read(directory, name, key_path, expected, error));
    PML_TRY(pml_file_map_open(path, PML_E_IO, &map, error));
    PML_TRY(pml_hash_bytes(map.data, map.size_bytes, found, error));
    if (strcmp(found, expected) != 0) {
        PML_TRY(
            PML_FAIL(error, PML_E_MISMATCH, "%s: has the SHA-256 %s; the signed list says %s", path, found, expected));
    }
done:
    pml_file_map_close(&map);
    return status;
}
