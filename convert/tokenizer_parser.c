#include "convert/tokenizer_parser.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"

pml_status pml_draft_object(pml_draft_parser *p, pml_draft_member_fn *member, void *user, const char *what,
                            pml_error *error) {
    pml_status status = PML_OK;
    char key[64];
    if (p->reader.token != PML_JSON_OBJECT_BEGIN) {
        PML_TRY(pml_json_fail(&p->reader, error, what));
    }
    PML_TRY(pml_json_next(&p->reader, error));
    while (p->reader.token == PML_JSON_KEY) {
        const size_t n = p->reader.text_bytes < sizeof key ? p->reader.text_bytes : 0; /* a longer one is not ours */
        memcpy(key, p->reader.text, n);
        key[n] = '\0';
        PML_TRY(pml_json_next(&p->reader, error));
        PML_TRY(member(p, key, user, error));
        PML_TRY(pml_json_next(&p->reader, error));
    }
done:
    return status;
}

pml_status pml_draft_text(pml_draft_parser *p, char **text, pml_error *error) {
    pml_free(*text);
    *text = NULL;
    if (p->reader.token != PML_JSON_STRING) {
        return pml_json_fail(&p->reader, error, "expected a string");
    }
    return pml_string_copy(p->reader.text, p->reader.text_bytes, text, error);
}

pml_status pml_draft_bool(pml_draft_parser *p, bool *value, pml_error *error) {
    if (p->reader.token != PML_JSON_TRUE && p->reader.token != PML_JSON_FALSE) {
        return pml_json_fail(&p->reader, error, "expected true or false");
    }
    *value = p->reader.token == PML_JSON_TRUE;
    return PML_OK;
}

pml_status pml_draft_tristate(pml_draft_parser *p, pml_tristate *value, pml_error *error) {
    bool is_true = false;
    *value = PML_UNSET;
    if (p->reader.token == PML_JSON_NULL) {
        return PML_OK;
    }
    const pml_status status = pml_draft_bool(p, &is_true, error);
    *value = is_true ? PML_YES : PML_NO;
    return status;
}

pml_status pml_draft_id(pml_draft_parser *p, uint32_t *id, pml_error *error) {
    if (p->reader.token != PML_JSON_NUMBER || !p->reader.is_u64 || p->reader.u64 >= PML_MAX_VOCABULARY) {
        return pml_json_fail(&p->reader, error, "expected a token id, an integer from 0 to 2^24 - 1");
    }
    *id = (uint32_t)p->reader.u64;
    return PML_OK;
}

pml_status pml_draft_kind(pml_draft_parser *p, pml_draft_component *component, pml_error *error) {
    if (p->reader.token != PML_JSON_STRING) {
        return pml_json_fail(&p->reader, error, "expected a string");
    }
    const size_t room = sizeof component->kind, n = p->reader.text_bytes < room ? p->reader.text_bytes : room - 1;
    memcpy(component->kind, p->reader.text, n);
    component->kind[n] = '\0';
    component->has_kind = true;
    return PML_OK;
}

pml_status pml_draft_refuse(const pml_draft_parser *p, const char *name, const pml_draft_component *component,
                            const char *supported, pml_error *error) {
    pml_quoted quoted;
    return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: %s %s is not supported; supported: %s", p->file_name, name,
                    component->has_kind ? pml_quote(&quoted, component->kind) : "without a type", supported);
}
