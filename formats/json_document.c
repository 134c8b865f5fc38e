/* cJSON behind the strict reader. */
#include "formats/json_document.h"

#include <pthread.h>

#include "runtime/base/alloc.h"
#include "runtime/base/json_reader.h"

/* Older cJSON copies at most so much of a number before it converts it. */
enum { MAX_CJSON_NUMBER_BYTES = 63 };

static void *allocate(size_t size_bytes) {
    void *pointer;
    return pml_alloc(size_bytes, 1, &pointer, NULL) == PML_OK ? pointer : NULL;
}

static void use_pml_allocator(void) {
    cJSON_Hooks hooks = {.malloc_fn = allocate, .free_fn = pml_free};
    cJSON_InitHooks(&hooks);
}

/* Why cJSON refused a text that the strict reader accepted: a number too long for it, or no memory. */
static pml_status explain(const char *text, size_t size_bytes, const char *file_name, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader reader;
    pml_json_reader_init(&reader, text, size_bytes, 0, file_name, PML_MAX_CONFIG_BYTES);
    do {
        PML_TRY(pml_json_next(&reader, error));
        if (reader.token == PML_JSON_NUMBER && reader.text_bytes > MAX_CJSON_NUMBER_BYTES) {
            PML_TRY(pml_json_fail(&reader, error, "a number of more than 63 characters"));
        }
    } while (reader.token != PML_JSON_END);
    PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory: %s", file_name));
done:
    pml_json_reader_deinit(&reader);
    return status;
}

pml_status pml_json_document_parse(const char *text, size_t size_bytes, const char *file_name, cJSON **root,
                                   pml_error *error) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pml_status status = PML_OK;
    *root = NULL;
    if (size_bytes > PML_MAX_CONFIG_BYTES) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: %zu bytes of JSON, more than allowed (%u)", file_name, size_bytes,
                         PML_MAX_CONFIG_BYTES));
    }
    PML_TRY(pml_json_validate(text, size_bytes, file_name, PML_MAX_CONFIG_BYTES, error));
    (void)pthread_once(&once, use_pml_allocator);
    cJSON *parsed = cJSON_ParseWithLength(text, size_bytes);
    if (parsed == NULL) {
        PML_TRY(explain(text, size_bytes, file_name, error));
    }
    *root = parsed;
done:
    return status;
}
