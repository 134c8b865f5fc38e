/* JSON configuration files as cJSON trees, admitted only after the strict reader accepted every byte. */
#ifndef PML_FORMATS_JSON_DOCUMENT_H
#define PML_FORMATS_JSON_DOCUMENT_H

#include <cjson/cJSON.h>

#include "runtime/base/error.h"

/* Reads and checks `path` (at most PML_MAX_CONFIG_BYTES). The caller owns *root (cJSON_Delete).
 * Errors: NOT_FOUND, IO, FORMAT (message: file, line:column, cause), MEMORY. */
pml_status pml_json_document_load(const char *path, cJSON **root, pml_error *error) PML_WARN_UNUSED;
/* The same from memory; `file_name` is for messages. */
pml_status pml_json_document_parse(const char *text, size_t size_bytes, const char *file_name, cJSON **root,
                                   pml_error *error) PML_WARN_UNUSED;
#endif
