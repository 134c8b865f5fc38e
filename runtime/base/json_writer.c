#include "runtime/base/json_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 64 };

void pml_json_writer_init(pml_json_writer *w, FILE *stream, bool pretty) {
    *w = (pml_json_writer){.stream = stream, .pretty = pretty};
    w->is_first[0] = true;
}

/* Bytes of the UTF-8 sequence at `s`, or 0 when it is not valid (overlong, surrogate, above U+10FFFF, cut short). */
static unsigned utf8_length(const unsigned char *s) {
    static const unsigned char least_second[4] = {0xA0, 0x80, 0x90, 0x80}, most_second[4] = {0xBF, 0x9F, 0xBF, 0x8F};
    unsigned n = s[0] < 0x80                    ? 1
                 : s[0] >= 0xC2 && s[0] <= 0xDF ? 2
                 : (s[0] & 0xF0) == 0xE0        ? 3
                 : s[0] >= 0xF0 && s[0] <= 0xF4 ? 4
                                                : 0;
    for (unsigned i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    /* E0, ED, F0 and F4 narrow the range of the byte that follows. */
    const unsigned char *narrow = (const unsigned char *)"\xE0\xED\xF0\xF4";
    for (unsigned i = 0; n > 2 && i < 4; i++) {
        if (s[0] == narrow[i] && (s[1] < least_second[i] || s[1] > most_second[i])) {
            return 0;
        }
    }
    return n;
}

static void write_text(pml_json_writer *w, const char *text) {
    (void)fputc('"', w->stream);
    for (const unsigned char *s = (const unsigned char *)text; *s != '\0';) {
        unsigned n = utf8_length(s);
        if (n == 0) {
            (void)fputs("\xEF\xBF\xBD", w->stream);
            s++;
            continue;
        }
        if (*s == '"' || *s == '\\') {
            (void)fprintf(w->stream, "\\%c", *s);
        } else if (*s == '\n') {
            (void)fputs("\\n", w->stream);
        } else if (*s == '\t') {
            (void)fputs("\\t", w->stream);
        } else if (*s < 0x20 || *s == 0x7F) {
            (void)fprintf(w->stream, "\\u%04x", *s);
        } else {
            (void)fwrite(s, 1, n, w->stream);
        }
        s += n;
    }
    (void)fputc('"', w->stream);
}

static void new_line(pml_json_writer *w) {
    if (w->pretty) {
        (void)fprintf(w->stream, "\n%*s", (int)(2 * w->depth), "");
    }
}

/* What comes before a value: the comma, the indentation, the key. */
static void begin_value(pml_json_writer *w, const char *key) {
    if (w->depth > 0) {
        if (!w->is_first[w->depth]) {
            (void)fputc(',', w->stream);
        }
        new_line(w);
    }
    w->is_first[w->depth] = false;
    if (key != NULL) {
        write_text(w, key);
        (void)fputs(w->pretty ? ": " : ":", w->stream);
    }
}

static void begin(pml_json_writer *w, const char *key, char bracket) {
    begin_value(w, key);
    (void)fputc(bracket, w->stream);
    if (w->depth + 1 < MOST_DEPTH) {
        w->depth++;
    }
    w->is_first[w->depth] = true;
}

static void end(pml_json_writer *w, char bracket) {
    bool was_empty = w->is_first[w->depth];
    if (w->depth > 0) {
        w->depth--;
    }
    if (!was_empty) {
        new_line(w);
    }
    (void)fputc(bracket, w->stream);
    w->is_first[w->depth] = false;
}

void pml_json_begin_object(pml_json_writer *w, const char *key) {
    begin(w, key, '{');
}

void pml_json_end_object(pml_json_writer *w) {
    end(w, '}');
}

void pml_json_begin_array(pml_json_writer *w, const char *key) {
    begin(w, key, '[');
}

void pml_json_end_array(pml_json_writer *w) {
    end(w, ']');
}

void pml_json_string(pml_json_writer *w, const char *key, const char *value) {
    begin_value(w, key);
    if (value == NULL) {
        (void)fputs("null", w->stream);
    } else {
        write_text(w, value);
    }
}

void pml_json_u64(pml_json_writer *w, const char *key, uint64_t value) {
    begin_value(w, key);
    (void)fprintf(w->stream, "%" PRIu64, value);
}

void pml_json_i64(pml_json_writer *w, const char *key, int64_t value) {
    begin_value(w, key);
    (void)fprintf(w->stream, "%" PRId64, value);
}

void pml_json_f64(pml_json_writer *w, const char *key, double value) {
    if (!isfinite(value)) {
        pml_json_null(w, key);
        return;
    }
    begin_value(w, key);
    char text[PML_F64_TEXT_BYTES];
    (void)fputs(pml_f64_text(value, text), w->stream);
}

void pml_json_bool(pml_json_writer *w, const char *key, bool value) {
    begin_value(w, key);
    (void)fputs(value ? "true" : "false", w->stream);
}

void pml_json_null(pml_json_writer *w, const char *key) {
    begin_value(w, key);
    (void)fputs("null", w->stream);
}

pml_status pml_json_finish(pml_json_writer *w, pml_error *error) {
    errno = 0;
    (void)fputc('\n', w->stream);
    if (fflush(w->stream) != 0 || ferror(w->stream) != 0) {
        return PML_FAIL(error, PML_E_IO, "cannot write the JSON result: %s",
                        errno != 0 ? strerror(errno) : "an earlier write failed");
    }
    return PML_OK;
}

const char *pml_f64_text(double value, char text[PML_F64_TEXT_BYTES]) {
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, PML_F64_TEXT_BYTES, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    /* A host program may have chosen a locale with a decimal comma; the text must not follow it. */
    char *comma = strchr(text, ',');
    if (comma != NULL) {
        *comma = '.';
    }
    return text;
}
