#include "convert/batch/json_fields.h"

#include <string.h>

#include "convert/batch/job_options.h"
#include "runtime/base/json_reader.h"

enum { MOST_TEXT_BYTES = 1048576 };

static pml_status take(pml_json_reader *reader, const pml_json_field *field, pml_arena *texts, pml_error *error) {
    if (reader->token == PML_JSON_STRING && field->kind == PML_FIELD_TEXT) {
        return pml_arena_text(texts, reader->text, reader->text_bytes, (const char **)field->out, error);
    }
    if (reader->token == PML_JSON_NUMBER && field->kind == PML_FIELD_U64 && reader->is_u64) {
        *(uint64_t *)field->out = reader->u64;
    } else if (reader->token == PML_JSON_NUMBER && field->kind == PML_FIELD_F64) {
        *(double *)field->out = reader->number;
    } else if ((reader->token == PML_JSON_TRUE || reader->token == PML_JSON_FALSE) && field->kind == PML_FIELD_BOOL) {
        *(bool *)field->out = reader->token == PML_JSON_TRUE;
    }
    return reader->token == PML_JSON_OBJECT_BEGIN || reader->token == PML_JSON_ARRAY_BEGIN
               ? pml_json_skip(reader, error)
               : PML_OK;
}

pml_status pml_json_fields_read(const char *bytes, size_t size_bytes, const char *name, const pml_json_field *fields,
                                size_t n_fields, pml_arena *texts, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader reader;
    pml_json_reader_init(&reader, bytes, size_bytes, 0, name, MOST_TEXT_BYTES);
    PML_TRY(pml_json_expect(&reader, PML_JSON_OBJECT_BEGIN, "an object", error));
    for (;;) {
        PML_TRY(pml_json_next(&reader, error));
        if (reader.token == PML_JSON_OBJECT_END) {
            break;
        }
        const pml_json_field *field = NULL;
        for (size_t i = 0; i < n_fields && field == NULL; i++) {
            field = strcmp(fields[i].key, reader.text) == 0 ? &fields[i] : NULL;
        }
        if (field == NULL) {
            PML_TRY(pml_json_skip(&reader, error));
        } else {
            PML_TRY(pml_json_next(&reader, error));
            PML_TRY(take(&reader, field, texts, error));
        }
    }
    PML_TRY(pml_json_expect(&reader, PML_JSON_END, "nothing more", error));
done:
    pml_json_reader_deinit(&reader);
    return status;
}
