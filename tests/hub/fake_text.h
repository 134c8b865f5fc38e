/* Small text work of the fake hub. It is a test program: memory that runs out ends it. */
#ifndef PML_TESTS_HUB_FAKE_TEXT_H
#define PML_TESTS_HUB_FAKE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed memory, or the program ends. Released with free. */
void *fake_allocate(size_t size_bytes);
/* `*items` grown so that one more of `each_bytes` fits behind the `count` that it holds; new space is zeroed. */
void *fake_grow(void *items, size_t count, size_t each_bytes);
/* A formatted string that the caller frees. */
char *fake_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *fake_text_list(const char *format, va_list arguments);
/* %XX becomes its byte; the caller frees. A '%' without two digits stays as it is. */
char *fake_text_decode(const char *text, size_t length);
/* What is not unreserved (nor '/', with `keep_slash`) becomes %XX; the caller frees. */
char *fake_text_encode(const char *text, bool keep_slash);
/* The value of `name` in a query such as "a=1&b=2", decoded, or NULL; the caller frees. `index`: which of several. */
char *fake_query_value(const char *query, const char *name, unsigned index);
/* As above for a number; `otherwise` where it is absent. */
uint64_t fake_query_number(const char *query, const char *name, uint64_t otherwise);
/* "1", "true", "True". */
bool fake_query_flag(const char *query, const char *name);
/* Lower-case hexadecimal digits of `size_bytes` bytes; `text` holds twice as many and a zero. */
void fake_hex(const unsigned char *bytes, size_t size_bytes, char *text);
/* Digits only, up to `length` of them, and nothing else. */
bool fake_is_hex(const char *text, size_t length);

#endif
