/* Reading the JSON files of a tokenizer through the strict pull reader: what tokenizer_*json.c share. Private to them.
 */
#ifndef PML_CONVERT_TOKENIZER_PARSER_H
#define PML_CONVERT_TOKENIZER_PARSER_H

#include "convert/tokenizer_draft.h"
#include "runtime/base/json_reader.h"

typedef struct pml_draft_component { /* of tokenizer.json: its "type" */
    char kind[64];
    bool has_kind;
} pml_draft_component;

typedef struct pml_draft_parser {
    pml_json_reader reader;
    pml_tokenizer_draft *draft;
    const char *file_name;
} pml_draft_parser;

/* Reads the value of `key`, whose first token is the current one. */
typedef pml_status pml_draft_member_fn(pml_draft_parser *p, const char *key, void *user, pml_error *error);

/* The object that the current token begins, member by member; `what` is the error where none does. */
pml_status pml_draft_object(pml_draft_parser *p, pml_draft_member_fn *member, void *user, const char *what,
                            pml_error *error) PML_WARN_UNUSED;
/* Readers of the value that is the current token. They replace what *text and *kind held. */
pml_status pml_draft_text(pml_draft_parser *p, char **text, pml_error *error) PML_WARN_UNUSED;
pml_status pml_draft_bool(pml_draft_parser *p, bool *value, pml_error *error) PML_WARN_UNUSED;
pml_status pml_draft_tristate(pml_draft_parser *p, pml_tristate *value, pml_error *error) PML_WARN_UNUSED;
pml_status pml_draft_id(pml_draft_parser *p, uint32_t *id, pml_error *error) PML_WARN_UNUSED;
pml_status pml_draft_kind(pml_draft_parser *p, pml_draft_component *component, pml_error *error) PML_WARN_UNUSED;

/* UNSUPPORTED: "<file>: <name> <kind> is not supported; supported: <supported>". */
pml_status pml_draft_refuse(const pml_draft_parser *p, const char *name, const pml_draft_component *component,
                            const char *supported, pml_error *error);

/* The vocabulary, an object of tokens and ids, that the current token begins. */
pml_status pml_draft_vocabulary(pml_draft_parser *p, pml_error *error) PML_WARN_UNUSED;
/* The "model" of tokenizer.json; sets draft->kind. */
pml_status pml_draft_model(pml_draft_parser *p, pml_error *error) PML_WARN_UNUSED;

#endif
