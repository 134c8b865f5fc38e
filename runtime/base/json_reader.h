/* A strict RFC 8259 pull reader over bytes in memory (usually a mapped file), bounded in memory and depth.
 *
 * Stricter than many: UTF-8 is validated, lone surrogates and \u0000 are rejected, a value must be followed by nothing
 * but white space, numbers follow the grammar exactly, duplicate keys are the caller's to reject (it sees decoded
 * keys), depth is limited to PML_MAX_JSON_DEPTH. Memory: one growing buffer for the current string, capped. */
#ifndef PML_RUNTIME_BASE_JSON_READER_H
#define PML_RUNTIME_BASE_JSON_READER_H

#include "runtime/base/error.h"
#include "runtime/base/limits.h"

typedef enum pml_json_token {
    PML_JSON_END, /* the document is complete */
    PML_JSON_OBJECT_BEGIN,
    PML_JSON_OBJECT_END,
    PML_JSON_ARRAY_BEGIN,
    PML_JSON_ARRAY_END,
    PML_JSON_KEY,    /* text */
    PML_JSON_STRING, /* text */
    PML_JSON_NUMBER, /* text as written, number; u64 and i64 where is_u64 and is_i64 say so */
    PML_JSON_TRUE,
    PML_JSON_FALSE,
    PML_JSON_NULL
} pml_json_token;

typedef struct pml_json_reader { /* storage of the caller; fields below `token` are results, the rest is private */
    const uint8_t *bytes;
    size_t size_bytes;
    size_t position;      /* next byte */
    uint64_t base_offset; /* added to offsets in messages */
    const char *file_name;
    unsigned depth;
    uint8_t stack[PML_MAX_JSON_DEPTH]; /* '{' or '[' */
    uint8_t expect;
    char *buffer;
    size_t buffer_capacity;
    size_t max_string_bytes;
    bool has_python_numbers; /* set after init: NaN, Infinity and -Infinity are numbers, as Python's json writes them */

    pml_json_token token;
    size_t token_offset; /* first byte of the token, without base_offset */
    const char *text;    /* decoded, zero-terminated, valid until the next call; KEY, STRING, NUMBER */
    size_t text_bytes;
    double number;
    /* The number was written as a plain integer (no sign for u64, no fraction, no exponent) that fits. */
    bool is_u64, is_i64;
    uint64_t u64;
    int64_t i64;
} pml_json_reader;

/* `bytes` and `file_name` are borrowed until deinit. Strings longer than `max_string_bytes` are FORMAT errors. */
void pml_json_reader_init(pml_json_reader *reader, const void *bytes, size_t size_bytes, uint64_t base_offset,
                          const char *file_name, size_t max_string_bytes);
void pml_json_reader_deinit(pml_json_reader *reader);
/* Begins another document, which lies at [begin, end) of the same `bytes`, as in files of a document a line. Messages
 * still count lines from the start of `bytes`. */
void pml_json_reader_begin(pml_json_reader *reader, size_t begin, size_t end);
/* Reads the next token into reader->token. Errors: FORMAT with the offset, MEMORY. */
pml_status pml_json_next(pml_json_reader *reader, pml_error *error) PML_WARN_UNUSED;
/* Skips the value that the current token begins (or the next value after a KEY). */
pml_status pml_json_skip(pml_json_reader *reader, pml_error *error) PML_WARN_UNUSED;
/* Reads and requires one token kind. */
pml_status pml_json_expect(pml_json_reader *reader, pml_json_token token, const char *what,
                           pml_error *error) PML_WARN_UNUSED;
/* A FORMAT error at the current token, located as the reader's own errors are ("file:line:column: cause", or "file:
 * byte N: cause" behind a base offset). */
pml_status pml_json_fail(const pml_json_reader *reader, pml_error *error, const char *cause);
/* Gives the FORMAT message that *error holds (of a limit that was passed, say) file and place of the current token. Any
 * other status leaves it alone. Returns `status`. */
pml_status pml_json_locate(const pml_json_reader *reader, pml_status status, pml_error *error);
/* Reads a whole document and forgets it: the check before a lax parser sees the text. Duplicate keys within an object
 * are rejected here (hash set per object, bounded). */
pml_status pml_json_validate(const void *bytes, size_t size_bytes, const char *file_name, size_t max_string_bytes,
                             pml_error *error) PML_WARN_UNUSED;
#endif
