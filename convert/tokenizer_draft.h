/* A tokenizer while it is put together from the files of a repository. Private to tokenizer_*.c and their tests. */
#ifndef PML_CONVERT_TOKENIZER_DRAFT_H
#define PML_CONVERT_TOKENIZER_DRAFT_H

#include "runtime/base/names.h"
#include "runtime/text/tokenizer.h"

typedef enum pml_tristate { PML_UNSET, PML_NO, PML_YES } pml_tristate;

typedef struct pml_draft_added {
    char *text;
    const char *file_name; /* that says so, borrowed */
    bool has_id;
    uint32_t id;
    bool is_special, strips_left, strips_right;
    bool is_normalized; /* matched in normalised text */
    bool is_single_word;
} pml_draft_added;

typedef struct pml_draft_special {
    const char *text;
    const char *file_name; /* that names it; NULL: the vocabulary's own, or none */
} pml_draft_special;

typedef struct pml_draft_item { /* of a template; `text` names the token when `kind` is TEMPLATE_TOKEN */
    pml_template_item item;
    char *text;
} pml_draft_item;

typedef struct pml_draft_template {
    pml_draft_item items[PML_MAX_TEMPLATE_ITEMS];
    uint32_t n_items;
} pml_draft_template;

typedef struct pml_draft_merge { /* left and right behind one another from texts[at] on */
    size_t at;
    uint32_t left_bytes, right_bytes;
} pml_draft_merge;

typedef struct pml_draft_merges {
    const char *file_name; /* that has them, borrowed */
    char *texts;
    size_t texts_bytes, texts_capacity;
    pml_draft_merge *items;
    size_t count, capacity;
} pml_draft_merges;

typedef struct pml_tokenizer_draft { /* all zero = empty, safe to deinit */
    pml_tokenizer_kind kind;
    pml_names names; /* the vocabulary's texts, in the order of the file */
    uint32_t *ids;   /* [names.count] */
    size_t ids_capacity;
    pml_draft_added *added;
    size_t n_added, added_capacity;
    pml_tristate clean_text, handle_chinese, lowercase, strip_accents;
    char *prefix, *unk_token; /* NULL: not said */
    uint64_t max_word_chars;  /* 0: not said */
    bool has_template;
    pml_draft_template single, pair;
    /* BPE */
    pml_draft_merges merges;
    pml_tristate adds_space;
    pml_tristate adds_bos, adds_eos; /* the template, where that is stated */
} pml_tokenizer_draft;

/* Reads vocab.txt: one token a line, ids counted from 0. Errors: FORMAT (not UTF-8, a zero, a token twice), MEMORY. */
pml_status pml_draft_read_vocabulary(pml_tokenizer_draft *draft, const char *text, size_t size_bytes,
                                     const char *file_name, pml_error *error) PML_WARN_UNUSED;
/* Reads vocab.json, of BPE: an object of tokens and ids. Errors: FORMAT, MEMORY. */
pml_status pml_draft_read_vocabulary_json(pml_tokenizer_draft *draft, const char *text, size_t size_bytes,
                                          const char *file_name, pml_error *error) PML_WARN_UNUSED;
/* Reads merges.txt: two tokens a line, the first line's first; lines that begin with #version are none. Errors: FORMAT
 * (not UTF-8, a zero, other lines), MEMORY. */
pml_status pml_draft_read_merges(pml_tokenizer_draft *draft, const char *text, size_t size_bytes, const char *file_name,
                                 pml_error *error) PML_WARN_UNUSED;
/* Reads tokenizer.json. Errors: FORMAT, UNSUPPORTED (a model or component other than BERT's and GPT-2's, by name),
 * MEMORY. */
pml_status pml_draft_read_json(pml_tokenizer_draft *draft, const char *text, size_t size_bytes, const char *file_name,
                               pml_error *error) PML_WARN_UNUSED;
/* Adds a token to the vocabulary. Errors: FORMAT (twice, too many), MEMORY. */
pml_status pml_draft_add(pml_tokenizer_draft *draft, const char *text, size_t size_bytes, uint32_t id,
                         const char *file_name, pml_error *error) PML_WARN_UNUSED;
/* Appends a merge of two tokens, or of what a text with a space between them names; FORMAT messages have no place.
 * Errors: FORMAT (an empty token, too many merges), MEMORY. */
pml_status pml_draft_add_merge(pml_tokenizer_draft *draft, const char *left, size_t left_bytes, const char *right,
                               size_t right_bytes, const char *file_name, pml_error *error) PML_WARN_UNUSED;
pml_status pml_draft_add_merge_text(pml_tokenizer_draft *draft, const char *text, size_t size_bytes,
                                    const char *file_name, pml_error *error) PML_WARN_UNUSED;
/* The merges by ids; *merges is the caller's (pml_free), also on failure. Errors: FORMAT (a token that is not in the
 * vocabulary, a pair twice), MEMORY. */
pml_status pml_draft_resolve_merges(const pml_tokenizer_draft *draft, pml_token_merge **merges,
                                    pml_error *error) PML_WARN_UNUSED;
/* Appends an added token, taking over its text, also on failure. */
pml_status pml_draft_add_added(pml_tokenizer_draft *draft, pml_draft_added *added, pml_error *error) PML_WARN_UNUSED;
/* Packs the finished draft; `special` are unk, cls, sep, pad and mask, in that order (of BPE bos and eos in the place
 * of cls and sep); a text that is NULL: there is none; `file_name` is the vocabulary's. Errors: FORMAT (ids with gaps,
 * twice), CONFIG (a token that must be there is not), UNSUPPORTED, MEMORY. */
pml_status pml_draft_pack(pml_tokenizer_draft *draft, const pml_draft_special special[5], uint64_t max_tokens,
                          const char *file_name, uint8_t **bytes, size_t *size_bytes, uint32_t *n_tokens,
                          pml_error *error) PML_WARN_UNUSED;
void pml_draft_deinit(pml_tokenizer_draft *draft);

#endif
