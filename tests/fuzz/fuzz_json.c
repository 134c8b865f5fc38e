/* The strict JSON reader and what stands behind it: whatever it accepts must be plain for the lax parser too. */
#include <stdlib.h>
#include <string.h>

#include "formats/json_document.h"
#include "runtime/base/json_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

/* Walks the tokens and checks what each promises. */
static pml_status walk(const uint8_t *bytes, size_t size_bytes, bool skips) {
    pml_json_reader reader;
    pml_json_reader_init(&reader, bytes, size_bytes, skips ? 8 : 0, "x", 4096);
    pml_error error;
    pml_status status;
    do {
        status = pml_json_next(&reader, &error);
        if (status != PML_OK) {
            require(status != PML_E_FORMAT || error.offset_bytes <= size_bytes + (skips ? 8 : 0));
            break;
        }
        require(reader.position <= size_bytes && reader.token_offset <= reader.position);
        require(reader.depth <= PML_MAX_JSON_DEPTH);
        if (reader.token == PML_JSON_KEY || reader.token == PML_JSON_STRING || reader.token == PML_JSON_NUMBER) {
            require(strlen(reader.text) == reader.text_bytes && reader.text_bytes <= 4096);
        }
        if (reader.token == PML_JSON_NUMBER) {
            require(reader.number - reader.number == 0.0);
            require(!reader.is_u64 || reader.number == (double)reader.u64);
            require(!reader.is_i64 || reader.number == (double)reader.i64);
        }
        if (skips && reader.token == PML_JSON_KEY) {
            status = pml_json_skip(&reader, NULL);
        }
    } while (status == PML_OK && reader.token != PML_JSON_END);
    pml_json_reader_deinit(&reader);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    pml_status walked = walk(bytes, size_bytes, false);
    pml_status skipped = walk(bytes, size_bytes, true);
    require((walked == PML_OK) == (skipped == PML_OK));
    pml_status validated = pml_json_validate(bytes, size_bytes, "x", 4096, NULL);
    require(validated != PML_OK || walked == PML_OK);
    cJSON *root;
    pml_error error;
    pml_status parsed = pml_json_document_parse((const char *)bytes, size_bytes, "x", &root, &error);
    require((parsed == PML_OK) == (root != NULL));
    /* Only a number that an older cJSON cannot hold may stop a valid document. */
    require(validated != PML_OK || parsed == PML_OK || strstr(error.message, "63 characters") != NULL);
    cJSON_Delete(root);
    return 0;
}
