/* JSON configuration files as cJSON trees, admitted only after the strict reader accepted every byte. */
#ifndef PML_FORMATS_JSON_DOCUMENT_H
#define PML_FORMATS_JSON_DOCUMENT_H

#include <cjson/cJSON.h>

#include "runtime/base/error.h"

/* At most PML_MAX_CONFIG_BYTES are taken. `file_name` is for messages. The caller owns *root (cJSON_Delete).
 * Errors: FORMAT (message: file, line:column, cause), MEMORY. */
pml_status pml_json_document_parse(const char *text, size_t size_bytes, const char *file_name, cJSON **root,
                                   pml_error *error) PML_WARN_UNUSED;
#endif
