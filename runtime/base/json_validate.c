/* The strict check of a whole JSON document, duplicate keys included. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/names.h"
#include "runtime/base/quote.h"

enum { SERIAL_BYTES = 5 };

/* One set serves all objects: a key is entered behind the serial number of its object, written without zero bytes. */
typedef struct key_check {
    pml_names seen;
    char *composed; /* serial, then key */
    size_t composed_capacity;
    uint64_t serials[PML_MAX_JSON_DEPTH]; /* of the open objects, by depth */
    uint64_t n_objects;
} key_check;

static pml_status check_key(key_check *check, const pml_json_reader *reader, size_t max_string_bytes,
                            pml_error *error) {
    pml_status status = PML_OK;
    size_t i_name;
    bool is_new;
    PML_TRY(pml_grow(&check->composed, &check->composed_capacity, SERIAL_BYTES + reader->text_bytes, 1,
                     max_string_bytes + SERIAL_BYTES, "bytes of a key", error));
    uint64_t serial = check->serials[reader->depth - 1];
    for (size_t i = 0; i < SERIAL_BYTES; i++) {
        check->composed[i] = (char)(0x80 | ((serial >> (7 * i)) & 0x7f));
    }
    memcpy(check->composed + SERIAL_BYTES, reader->text, reader->text_bytes);
    PML_TRY(pml_names_add(&check->seen, check->composed, SERIAL_BYTES + reader->text_bytes, PML_MAX_TENSORS, "keys",
                          &i_name, &is_new, error));
    if (!is_new) {
        pml_quoted quoted;
        char cause[sizeof quoted + 64];
        (void)snprintf(cause, sizeof cause, "the key %s stands twice in one object", pml_quote(&quoted, reader->text));
        PML_TRY(pml_json_fail(reader, error, cause));
    }
done:
    return status;
}

pml_status pml_json_validate(const void *bytes, size_t size_bytes, const char *file_name, size_t max_string_bytes,
                             pml_error *error) {
    pml_status status = PML_OK;
    key_check check = {0};
    pml_json_reader reader;
    pml_json_reader_init(&reader, bytes, size_bytes, 0, file_name, max_string_bytes);
    do {
        PML_TRY(pml_json_next(&reader, error));
        if (reader.token == PML_JSON_OBJECT_BEGIN) {
            check.serials[reader.depth - 1] = check.n_objects++;
        } else if (reader.token == PML_JSON_KEY) {
            PML_TRY(check_key(&check, &reader, max_string_bytes, error));
        }
    } while (reader.token != PML_JSON_END);
done:
    pml_names_deinit(&check.seen);
    pml_free(check.composed);
    pml_json_reader_deinit(&reader);
    return status;
}
