/* Writes JSON to a stream, correctly escaped and nested: the one way in which pml's commands emit JSON. */
#ifndef PML_RUNTIME_BASE_JSON_WRITER_H
#define PML_RUNTIME_BASE_JSON_WRITER_H

#include <stdio.h>

#include "runtime/base/error.h"
#include "runtime/base/limits.h"

typedef struct pml_json_writer {
    FILE *stream;
    unsigned depth;
    bool is_first[PML_MAX_JSON_DEPTH];
    bool pretty; /* two-space indentation and newlines; otherwise one line */
} pml_json_writer;

void pml_json_writer_init(pml_json_writer *w, FILE *stream, bool pretty);
/* `key` NULL: an element of an array or the top value. */
void pml_json_begin_object(pml_json_writer *w, const char *key);
void pml_json_end_object(pml_json_writer *w);
void pml_json_begin_array(pml_json_writer *w, const char *key);
void pml_json_end_array(pml_json_writer *w);
/* A NULL value is null; invalid UTF-8 becomes U+FFFD. */
void pml_json_string(pml_json_writer *w, const char *key, const char *value);
/* The same of bytes that need not end with a zero; zeros inside become U+FFFD, too. */
void pml_json_text(pml_json_writer *w, const char *key, const char *bytes, size_t size_bytes);
void pml_json_u64(pml_json_writer *w, const char *key, uint64_t value);
void pml_json_i64(pml_json_writer *w, const char *key, int64_t value);
/* The shortest text that reads back equal; NaN and infinities: null. */
void pml_json_f64(pml_json_writer *w, const char *key, double value);
/* The same of a float: the shortest text that reads back as the same float. */
void pml_json_f32(pml_json_writer *w, const char *key, float value);
/* As Python's json writes a float: never without a point or an exponent, so that it reads back as one, and NaN,
 * Infinity and -Infinity by name, which JSON has no word for. For files whose readers are Python programs. */
void pml_json_python_f64(pml_json_writer *w, const char *key, double value);
/* A value whose text is JSON already. */
void pml_json_raw(pml_json_writer *w, const char *key, const char *json);
void pml_json_bool(pml_json_writer *w, const char *key, bool value);
void pml_json_null(pml_json_writer *w, const char *key);
/* The shortest decimal text that reads back as `value`, with a point whatever the locale; returns `text`. */
#define PML_F64_TEXT_BYTES 32
const char *pml_f64_text(double value, char text[PML_F64_TEXT_BYTES]);
/* Newline, flush. Errors: IO when the stream failed at any point. */
pml_status pml_json_finish(pml_json_writer *w, pml_error *error) PML_WARN_UNUSED;

#endif
