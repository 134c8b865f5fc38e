/* Text to token ids and back: WordPiece with BERT's normaliser and pre-tokeniser, exactly as BertTokenizer gives them,
 * and byte-level BPE, exactly as GPT2Tokenizer does; their byte form is the blob "tokenizer" of a .pml file
 * (specs/tokenizer.md). */
#ifndef PML_RUNTIME_TEXT_TOKENIZER_H
#define PML_RUNTIME_TEXT_TOKENIZER_H

#include "runtime/base/error.h"

#define PML_TOKENIZER_BLOB "tokenizer"
#define PML_MAX_VOCABULARY 16777216u
#define PML_MAX_TOKEN_BYTES 65535u
#define PML_MAX_ADDED_BYTES 256u /* of an added token: one is tried at every byte of a text */
#define PML_MAX_TEMPLATE_ITEMS 64u
#define PML_NO_TOKEN UINT32_MAX

typedef enum pml_template_kind { PML_TEMPLATE_TOKEN, PML_TEMPLATE_FIRST, PML_TEMPLATE_SECOND } pml_template_kind;
typedef struct pml_template_item { /* one place in what is made of a text or a pair */
    pml_template_kind kind;
    uint32_t id; /* TEMPLATE_TOKEN: which */
    uint32_t type_id;
} pml_template_item;

typedef struct pml_token_text { /* UTF-8; zeros are not allowed inside */
    const char *bytes;
    size_t size_bytes;
} pml_token_text;

typedef struct pml_added_token { /* matched in the text as it is, before anything else */
    uint32_t id;
    bool is_special;
    bool strips_left, strips_right; /* takes the white space beside it into its range */
} pml_added_token;

typedef struct pml_token_merge { /* two tokens that stand side by side become one, whose text is theirs */
    uint32_t left_id, right_id, result_id;
} pml_token_merge;

typedef enum pml_tokenizer_kind { PML_TOKENIZER_WORDPIECE, PML_TOKENIZER_BPE } pml_tokenizer_kind;

typedef struct pml_tokenizer_spec { /* everything a tokenizer is; borrowed */
    pml_tokenizer_kind kind;
    const pml_token_text *tokens; /* [n_tokens] by id; of BPE in the alphabet of bytes (byte_alphabet.h) */
    uint32_t n_tokens;
    /* WordPiece only */
    bool clean_text, handle_chinese, lowercase, strip_accents;
    const char *prefix;      /* of a piece that continues a word: "##"; "" for BPE */
    uint32_t max_word_chars; /* a longer word is unknown */
    uint32_t cls_id, sep_id; /* PML_NO_TOKEN: none */
    /* BPE only */
    bool adds_space;               /* text between added tokens that does not begin with a space gets one */
    const pml_token_merge *merges; /* the earlier wins; no pair twice */
    uint32_t n_merges;
    uint32_t bos_id, eos_id; /* PML_NO_TOKEN: none, as always for WordPiece */
    /* both */
    uint32_t unk_id;              /* BPE: of bytes without a token, which vanish where it is PML_NO_TOKEN */
    uint32_t pad_id, mask_id;     /* PML_NO_TOKEN: none */
    uint64_t max_tokens;          /* 0: no limit of the tokenizer's */
    const pml_added_token *added; /* ids ascending */
    uint32_t n_added;
    const pml_template_item *single, *pair;
    uint32_t n_single, n_pair;
} pml_tokenizer_spec;

/* The byte form; *bytes is the caller's (pml_free). Errors: FORMAT (what decode would refuse), MEMORY. */
pml_status pml_tokenizer_pack(const pml_tokenizer_spec *spec, uint8_t **bytes, size_t *size_bytes,
                              pml_error *error) PML_WARN_UNUSED;

typedef struct pml_tokenizer pml_tokenizer;
/* Reads the byte form, which stays borrowed until destroy: O(size). Errors: FORMAT (offsets from the start of `bytes`),
 * UNSUPPORTED (another version or model), MEMORY. */
pml_status pml_tokenizer_create(const uint8_t *bytes, size_t size_bytes, pml_tokenizer **tokenizer,
                                pml_error *error) PML_WARN_UNUSED;
void pml_tokenizer_destroy(pml_tokenizer *tokenizer); /* NULL is allowed */
/* The tokenizer's own description; its texts are not zero-terminated. */
const pml_tokenizer_spec *pml_tokenizer_get_spec(const pml_tokenizer *tokenizer);
/* The id of the token with exactly that text, or PML_NO_TOKEN. */
uint32_t pml_tokenizer_find(const pml_tokenizer *tokenizer, const char *text, size_t size_bytes);

/* The bytes that a token of BPE stands for, at most its text's size, which `bytes` has room for; returns how many. Any
 * run of tokens decodes to what its tokens do, one behind the other; a token may end inside a character. An added
 * token stands for its text. */
size_t pml_tokenizer_decode(const pml_tokenizer *tokenizer, uint32_t id, uint8_t *bytes);

/* What a limit cuts: the longer of a pair (when both must give way, half each, the second one more if odd), or only
 * one of them. */
typedef enum pml_truncation { PML_TRUNCATE_LONGEST, PML_TRUNCATE_FIRST, PML_TRUNCATE_SECOND } pml_truncation;

typedef struct pml_token {
    uint32_t id;
    uint32_t type_id;
    size_t start_bytes, end_bytes; /* in its text; 0 and 0 for what the template adds */
    uint8_t i_text;                /* 0, 1; 2: added by the template */
    bool starts_word;              /* the first piece of a word, or a token that stands alone */
} pml_token;

typedef struct pml_encoding { /* zero = valid, empty; reused from call to call; release with deinit */
    pml_token *tokens;
    size_t count, capacity;
    bool is_truncated;
    struct pml_token_scratch *scratch; /* private */
} pml_encoding;

typedef struct pml_encode_options {
    size_t max_tokens; /* template included; 0: no limit */
    pml_truncation truncation;
    bool no_special; /* leave the template away: the ids of the first text, then those of the second */
} pml_encode_options;

/* Tokenizes `text` and, unless it is NULL or empty, `pair`: any bytes, ill-formed UTF-8 being U+FFFD. `options` NULL:
 * no limit. Replaces what `encoding` held. Errors: ARGUMENT (a limit that leaves no room for the template; a text to
 * be cut that is too short), MEMORY. */
pml_status pml_tokenizer_run(const pml_tokenizer *tokenizer, const char *text, size_t text_bytes, const char *pair,
                             size_t pair_bytes, const pml_encode_options *options, pml_encoding *encoding,
                             pml_error *error) PML_WARN_UNUSED;
void pml_encoding_deinit(pml_encoding *encoding);

#endif
