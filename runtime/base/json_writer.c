#include "runtime/base/json_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/utf8.h"

void pml_json_writer_init(pml_json_writer *w, FILE *stream, bool pretty) {
    *w = (pml_json_writer){.stream = stream, .pretty = pretty};
    w->is_first[0] = true;
}

static void write_text(pml_json_writer *w, const char *text, size_t size_bytes) {
    (void)fputc('"', w->stream);
    const uint8_t *s = (const uint8_t *)text;
    for (size_t left = size_bytes, n = 0; left > 0; left -= n, s += n) {
        n = pml_utf8_length(s, left);
        if (n == 0 || *s == '\0') {
            (void)fputs("\xEF\xBF\xBD", w->stream);
            n = 1;
        } else if (*s == '"' || *s == '\\') {
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
    }
    (void)fputc('"', w->stream);
}

/* A host program may have chosen a locale with a decimal comma; the text must not follow it. */
static const char *without_comma(char *text) {
    char *comma = strchr(text, ',');
    if (comma != NULL) {
        *comma = '.';
    }
    return text;
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
        write_text(w, key, strlen(key));
        (void)fputs(w->pretty ? ": " : ":", w->stream);
    }
}

static void begin(pml_json_writer *w, const char *key, char bracket) {
    begin_value(w, key);
    (void)fputc(bracket, w->stream);
    if (w->depth + 1 < PML_MAX_JSON_DEPTH) {
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
        write_text(w, value, strlen(value));
    }
}

void pml_json_text(pml_json_writer *w, const char *key, const char *bytes, size_t size_bytes) {
    begin_value(w, key);
    write_text(w, bytes, size_bytes);
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

void pml_json_f32(pml_json_writer *w, const char *key, float value) {
    char text[PML_F64_TEXT_BYTES];
    if (!isfinite(value)) {
        pml_json_null(w, key);
        return;
    }
    begin_value(w, key);
    for (int digits = 6; digits <= 9; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) {
            break;
        }
    }
    (void)fputs(without_comma(text), w->stream);
}

void pml_json_python_f64(pml_json_writer *w, const char *key, double value) {
    char text[PML_F64_TEXT_BYTES];
    begin_value(w, key);
    if (!isfinite(value)) {
        (void)fputs(isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity", w->stream);
        return;
    }
    (void)pml_f64_text(value, text);
    const double size = fabs(value);
    if (strchr(text, 'e') != NULL && size >= 1e-4 && size < 1e16) { /* where Python writes no exponent */
        (void)snprintf(text, sizeof text, "%.0f", value);           /* exact: %g had too few digits for an integer */
    }
    (void)fputs(text, w->stream);
    if (strpbrk(text, ".e") == NULL) {
        (void)fputs(".0", w->stream);
    }
}

void pml_json_raw(pml_json_writer *w, const char *key, const char *json) {
    begin_value(w, key);
    (void)fputs(json, w->stream);
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
    return without_comma(text);
}
