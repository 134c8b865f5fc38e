#include "runtime/text/utf8_stream.h"

#include <stdbool.h>
#include <string.h>

#include "runtime/base/utf8.h"
#include "runtime/text/unicode.h"

/* Whether the bytes, which begin no whole character, may become one. */
static bool may_begin(const uint8_t *bytes, size_t size_bytes) {
    uint32_t code;
    const size_t whole = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    return bytes[0] >= 0xc2 && bytes[0] <= 0xf4 && size_bytes < whole &&
           pml_unicode_decode(bytes, size_bytes, &code) == size_bytes;
}

static size_t put_one(const uint8_t *bytes, size_t size_bytes, size_t *length, char *text) {
    uint32_t code;
    *length = pml_unicode_decode(bytes, size_bytes, &code);
    return pml_unicode_encode(code, (uint8_t *)text);
}

size_t pml_utf8_stream_put(pml_utf8_stream *stream, const uint8_t *bytes, size_t size_bytes, char *text) {
    size_t n = 0, at = 0, length;
    while (stream->n_waiting > 0 && at < size_bytes) {
        stream->waiting[stream->n_waiting++] = bytes[at++];
        while (stream->n_waiting > 0 && !(pml_utf8_length(stream->waiting, stream->n_waiting) == 0 &&
                                          may_begin(stream->waiting, stream->n_waiting))) {
            n += put_one(stream->waiting, stream->n_waiting, &length, text + n);
            stream->n_waiting -= length;
            memmove(stream->waiting, stream->waiting + length, stream->n_waiting);
        }
    }
    while (at < size_bytes) {
        if (pml_utf8_length(bytes + at, size_bytes - at) == 0 && may_begin(bytes + at, size_bytes - at)) {
            stream->n_waiting = size_bytes - at;
            memcpy(stream->waiting, bytes + at, stream->n_waiting);
            break;
        }
        n += put_one(bytes + at, size_bytes - at, &length, text + n);
        at += length;
    }
    return n;
}

size_t pml_utf8_stream_end(pml_utf8_stream *stream, char *text) {
    size_t n = 0, at = 0, length;
    while (at < stream->n_waiting) {
        n += put_one(stream->waiting + at, stream->n_waiting - at, &length, text + n);
        at += length;
    }
    stream->n_waiting = 0;
    return n;
}
