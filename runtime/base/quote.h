/* Foreign text in messages: a name out of a file must not be able to send escape sequences to a terminal, break a log
 * line, or fill a whole message. */
#ifndef PML_RUNTIME_BASE_QUOTE_H
#define PML_RUNTIME_BASE_QUOTE_H

#include <stddef.h>

typedef struct pml_quoted {
    char text[208];
} pml_quoted;

/* `text` in single quotes; characters that steer (runtime/base/utf8.h) and bytes that are not UTF-8 as \xNN, a quote or
 * backslash behind a backslash; shortened to ~160 bytes with "...". The result lives in *quoted; returns quoted->text.
 */
const char *pml_quote(pml_quoted *quoted, const char *text);

#endif
