/* What the files of the tokenizer share. Private to this floor and its tests. */
#ifndef PML_RUNTIME_TEXT_TOKENIZER_PARTS_H
#define PML_RUNTIME_TEXT_TOKENIZER_PARTS_H

#include "runtime/text/tokenizer.h"

#define PML_MAX_WORD_CHARS 1024u

typedef struct pml_vocabulary_slot {
    uint32_t tag;       /* upper half of the hash */
    uint32_t id_plus_1; /* 0: free */
} pml_vocabulary_slot;

/* Every token by its text. Hashes are built byte by byte, so that all beginnings of a word are hashed in one pass. */
typedef struct pml_vocabulary {
    const pml_token_text *tokens;
    pml_vocabulary_slot *slots; /* open addressing, at most half full */
    size_t mask;
    uint64_t seed, factor; /* at random, so that a file cannot choose texts that collide */
    uint64_t prefix_hash;  /* of the prefix of continuing pieces */
    const char *prefix;
    size_t prefix_bytes;
    size_t longest_bytes; /* of all tokens */
} pml_vocabulary;

/* `tokens` and `prefix` are borrowed until deinit. Errors: FORMAT (two tokens of one text), MEMORY. */
pml_status pml_vocabulary_init(pml_vocabulary *vocabulary, const pml_token_text *tokens, uint32_t n_tokens,
                               const char *prefix, size_t prefix_bytes, pml_error *error) PML_WARN_UNUSED;
void pml_vocabulary_deinit(pml_vocabulary *vocabulary);

static inline uint64_t pml_vocabulary_hash(const pml_vocabulary *vocabulary, uint64_t hash, uint8_t byte) {
    hash ^= byte;
    return (hash << 23 | hash >> 41) * vocabulary->factor;
}

/* The token whose text is the prefix (if `continues`) followed by `bytes`, where `hash` is that of all of it; or
 * PML_NO_TOKEN. */
uint32_t pml_vocabulary_find(const pml_vocabulary *vocabulary, uint64_t hash, bool continues, const uint8_t *bytes,
                             size_t size_bytes);

/* The token of exactly that text, or PML_NO_TOKEN. */
uint32_t pml_vocabulary_find_text(const pml_vocabulary *vocabulary, const char *text, size_t size_bytes);

typedef struct pml_merge_slot {
    uint32_t left_id, right_id;
    uint32_t rank_plus_1; /* 0: free */
    uint32_t result_id;
} pml_merge_slot;

typedef struct pml_merge_table { /* merges by their pair; zero = valid, empty */
    pml_merge_slot *slots;       /* open addressing, at most half full; NULL: no merges */
    size_t mask;
    uint64_t factor; /* at random, so that a file cannot choose pairs that collide */
} pml_merge_table;

/* Errors: FORMAT (a pair twice), MEMORY. */
pml_status pml_merge_table_init(pml_merge_table *table, const pml_token_merge *merges, uint32_t n_merges,
                                pml_error *error) PML_WARN_UNUSED;
void pml_merge_table_deinit(pml_merge_table *table);

struct pml_tokenizer {
    pml_tokenizer_spec spec;
    pml_token_text *tokens;
    pml_token_merge *merges;
    pml_merge_table merge_table;
    uint32_t byte_ids[256]; /* of BPE: the token of each byte, or what stands in for it; PML_NO_TOKEN: none */
    pml_added_token *added;
    pml_template_item *templates;
    char *prefix;
    pml_vocabulary vocabulary;
    uint32_t *added_order;    /* [n_added] indexes of `added`, by the bytes of their texts */
    bool begins_added[256];   /* whether an added token begins with that byte */
    uint8_t ascii_class[128]; /* pml_char_class */
};

/* The longest added token that bytes begin with, or NULL; *length_bytes is its length. */
const pml_added_token *pml_added_match(const pml_tokenizer *tokenizer, const uint8_t *bytes, size_t size_bytes,
                                       size_t *length_bytes);

typedef struct pml_word_char { /* one code point of the normalised word, and what it comes from */
    size_t start_bytes, end_bytes;
    uint32_t word_end_bytes; /* where it ends in the word */
} pml_word_char;

typedef struct pml_word { /* what of a text lies between two boundaries */
    uint8_t *bytes;
    pml_word_char *chars;
    uint64_t *hashes; /* for the search */
    uint32_t n_chars, n_bytes;
    bool is_too_long;
    size_t start_bytes, end_bytes; /* in the text */
} pml_word;

typedef struct pml_pending_mark {
    uint32_t code;
    unsigned combining;
    size_t start_bytes, end_bytes;
} pml_pending_mark;

typedef struct pml_symbol { /* of a word that is being merged */
    uint32_t id;
    uint32_t previous, next;       /* indexes; PML_NO_SYMBOL: none */
    uint32_t start_byte, end_byte; /* of the word */
} pml_symbol;
#define PML_NO_SYMBOL UINT32_MAX

typedef struct pml_merge_candidate {
    uint32_t rank, i_symbol;
} pml_merge_candidate;

typedef struct pml_symbol_list { /* zero = empty */
    pml_symbol *symbols;
    size_t count, capacity;
    pml_merge_candidate *heap; /* least rank first; of one rank the leftmost */
    size_t n_heap, heap_capacity;
} pml_symbol_list;

/* Merges the symbols, first to last, until no two neighbours can be: O(n log n). They stay linked from symbols[0] on.
 * Errors: MEMORY. */
pml_status pml_symbols_merge(const pml_merge_table *table, pml_symbol_list *list, pml_error *error) PML_WARN_UNUSED;

typedef struct pml_token_scratch {
    uint32_t word_chars; /* room of `word` */
    pml_word word;
    pml_pending_mark *marks, *sorted;
    size_t n_marks, marks_capacity, sorted_capacity;
    pml_token *tokens; /* of the texts, before truncation and template */
    size_t n_tokens, tokens_capacity;
    pml_symbol_list list; /* BPE */
} pml_token_scratch;

/* Appends the tokens of one text to scratch->tokens and stops early behind `most_tokens` of them. Errors: MEMORY. */
pml_status pml_text_tokens(const pml_tokenizer *tokenizer, const uint8_t *text, size_t text_bytes, uint8_t i_text,
                           size_t most_tokens, pml_token_scratch *scratch, pml_error *error) PML_WARN_UNUSED;
/* Appends the pieces of scratch->word, or the unknown token. Errors: MEMORY. */
pml_status pml_word_tokens(const pml_tokenizer *tokenizer, uint8_t i_text, pml_token_scratch *scratch,
                           pml_error *error) PML_WARN_UNUSED;
/* As pml_text_tokens, by byte-level BPE. Errors: ARGUMENT (a word of 2^31 bytes or more), MEMORY. */
pml_status pml_byte_level_tokens(const pml_tokenizer *tokenizer, const uint8_t *text, size_t text_bytes, uint8_t i_text,
                                 size_t most_tokens, pml_token_scratch *scratch, pml_error *error) PML_WARN_UNUSED;
/* The length of the first of the parts that GPT-2's pattern splits text of size_bytes > 0 bytes into. */
size_t pml_byte_level_split(const uint8_t *text, size_t size_bytes);
pml_status pml_scratch_push(pml_token_scratch *scratch, const pml_token *token, pml_error *error) PML_WARN_UNUSED;

#endif
