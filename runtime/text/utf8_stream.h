/* Bytes that come in pieces, as tokens of BPE do, written as valid UTF-8: a character whose end is still to come waits
 * for it, and what can be no character becomes U+FFFD, one for each longest part that could begin one. */
#ifndef PML_RUNTIME_TEXT_UTF8_STREAM_H
#define PML_RUNTIME_TEXT_UTF8_STREAM_H

#include <stddef.h>
#include <stdint.h>

typedef struct pml_utf8_stream { /* zero = empty */
    uint8_t waiting[4];          /* at most 3: the beginning of a character */
    size_t n_waiting;
} pml_utf8_stream;

#define PML_UTF8_STREAM_ROOM(size_bytes) (3 * ((size_bytes) + 3))

/* Takes `bytes` and writes all characters that are complete; returns how many bytes it wrote. `text` has room for
 * PML_UTF8_STREAM_ROOM(size_bytes) and does not overlap `bytes`. */
size_t pml_utf8_stream_put(pml_utf8_stream *stream, const uint8_t *bytes, size_t size_bytes, char *text);
/* Writes what waits, which nothing will complete any more, as U+FFFD; returns how many bytes it wrote, at most
 * PML_UTF8_STREAM_ROOM(0). */
size_t pml_utf8_stream_end(pml_utf8_stream *stream, char *text);

#endif
