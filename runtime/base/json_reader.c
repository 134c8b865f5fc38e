/* The pull reader: one state says what may come next, a stack of brackets says where. */
#include "runtime/base/json_reader.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/utf8.h"

enum { MAX_NUMBER_BYTES = 1024 };

/* What may come next. */
enum {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END, /* after '[' */
    EXPECT_KEY_OR_END,   /* after '{' */
    EXPECT_SEPARATOR,    /* ',' or the closing bracket */
    EXPECT_NOTHING       /* the document is complete */
};

/* Text files of their own are located by line and column too; a header inside a binary file only by its byte. */
static pml_status fail(const pml_json_reader *reader, size_t position, const char *cause, pml_error *error) {
    uint64_t offset = reader->base_offset + position;
    if (reader->base_offset != 0) {
        return PML_FAIL_AT(error, PML_E_FORMAT, offset, "%s: byte %llu: %s", reader->file_name,
                           (unsigned long long)offset, cause);
    }
    size_t line = 1, line_start = 0;
    for (size_t i = 0; i < position && i < reader->size_bytes; i++) {
        if (reader->bytes[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    return PML_FAIL_AT(error, PML_E_FORMAT, offset, "%s:%zu:%zu: %s", reader->file_name, line,
                       position - line_start + 1, cause);
}

static int peek(const pml_json_reader *reader) {
    return reader->position < reader->size_bytes ? reader->bytes[reader->position] : -1;
}

static void skip_space(pml_json_reader *reader) {
    while (reader->position < reader->size_bytes) {
        uint8_t byte = reader->bytes[reader->position];
        if (byte != ' ' && byte != '\n' && byte != '\r' && byte != '\t') {
            break;
        }
        reader->position++;
    }
}

/* ---- strings ------------------------------------------------------------------------------------------------ */
static pml_status append(pml_json_reader *reader, const void *bytes, size_t size_bytes, pml_error *error) {
    if (size_bytes > reader->max_string_bytes - reader->text_bytes) {
        return fail(reader, reader->token_offset, "the string is too long", error);
    }
    size_t needed = reader->text_bytes + size_bytes + 1;
    pml_status status = pml_grow(&reader->buffer, &reader->buffer_capacity, needed, 1, reader->max_string_bytes + 1,
                                 "bytes of a string", error);
    if (status == PML_OK && size_bytes > 0) {
        memcpy(reader->buffer + reader->text_bytes, bytes, size_bytes);
        reader->text_bytes += size_bytes;
    }
    return status;
}

/* The four digits at the position as a number, or -1. */
static int32_t read_hex4(pml_json_reader *reader) {
    if (reader->size_bytes - reader->position < 4) {
        return -1;
    }
    int32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        uint8_t byte = reader->bytes[reader->position + i];
        int32_t digit = byte >= '0' && byte <= '9'   ? byte - '0'
                        : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                        : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                                     : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    reader->position += 4;
    return value;
}

static size_t encode_utf8(int32_t code_point, uint8_t utf8[4]) {
    uint32_t c = (uint32_t)code_point;
    if (c < 0x80) {
        utf8[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        utf8[0] = (uint8_t)(0xc0 | (c >> 6));
        utf8[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        utf8[0] = (uint8_t)(0xe0 | (c >> 12));
        utf8[1] = (uint8_t)(0x80 | ((c >> 6) & 0x3f));
        utf8[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    utf8[0] = (uint8_t)(0xf0 | (c >> 18));
    utf8[1] = (uint8_t)(0x80 | ((c >> 12) & 0x3f));
    utf8[2] = (uint8_t)(0x80 | ((c >> 6) & 0x3f));
    utf8[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* The position is behind "\u". */
static pml_status read_unicode_escape(pml_json_reader *reader, pml_error *error) {
    size_t start = reader->position - 2;
    int32_t code_point = read_hex4(reader);
    if (code_point < 0) {
        return fail(reader, start, "\\u needs four hexadecimal digits", error);
    }
    if (code_point == 0) {
        return fail(reader, start, "\\u0000 is not allowed in a string", error);
    }
    if (code_point >= 0xdc00 && code_point <= 0xdfff) {
        return fail(reader, start, "a low surrogate without a high one", error);
    }
    if (code_point >= 0xd800 && code_point <= 0xdbff) {
        int32_t low = -1;
        if (reader->size_bytes - reader->position >= 2 && reader->bytes[reader->position] == '\\' &&
            reader->bytes[reader->position + 1] == 'u') {
            reader->position += 2;
            low = read_hex4(reader);
        }
        if (low < 0xdc00 || low > 0xdfff) {
            return fail(reader, start, "a high surrogate without a low one", error);
        }
        code_point = 0x10000 + ((code_point - 0xd800) << 10) + (low - 0xdc00);
    }
    uint8_t utf8[4];
    return append(reader, utf8, encode_utf8(code_point, utf8), error);
}

/* The position is at the backslash. */
static pml_status read_escape(pml_json_reader *reader, pml_error *error) {
    static const char letters[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    size_t start = reader->position++;
    int letter = peek(reader);
    if (letter < 0) {
        return fail(reader, start, "the text ends inside a string", error);
    }
    reader->position++;
    if (letter == 'u') {
        return read_unicode_escape(reader, error);
    }
    const char *found = letter == 0 ? NULL : strchr(letters, letter);
    if (found == NULL) {
        return fail(reader, start, "an unknown escape", error);
    }
    return append(reader, &values[found - letters], 1, error);
}

/* The position is at the opening quote; afterwards behind the closing one. */
static pml_status read_string(pml_json_reader *reader, pml_error *error) {
    pml_status status = PML_OK;
    reader->text_bytes = 0;
    reader->position++;
    for (;;) {
        size_t run = reader->position;
        int byte = peek(reader);
        while (byte >= 0x20 && byte != '"' && byte != '\\') {
            size_t length = pml_utf8_length(reader->bytes + reader->position, reader->size_bytes - reader->position);
            if (length == 0) {
                PML_TRY(fail(reader, reader->position, "a string is not valid UTF-8", error));
            }
            reader->position += length;
            byte = peek(reader);
        }
        PML_TRY(append(reader, reader->bytes + run, reader->position - run, error));
        if (byte == '"') {
            break;
        }
        if (byte == '\\') {
            PML_TRY(read_escape(reader, error));
        } else {
            PML_TRY(fail(reader, reader->position,
                         byte < 0 ? "the text ends inside a string" : "an unescaped control character in a string",
                         error));
        }
    }
    reader->position++;
    reader->buffer[reader->text_bytes] = '\0';
    reader->text = reader->buffer;
done:
    return status;
}

/* ---- numbers ------------------------------------------------------------------------------------------------ */
static locale_t c_locale;

static void make_c_locale(void) {
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* Skips digits; false when there is none. */
static bool skip_digits(pml_json_reader *reader) {
    size_t start = reader->position;
    while (peek(reader) >= '0' && peek(reader) <= '9') {
        reader->position++;
    }
    return reader->position > start;
}

/* Fills the integer fields from the token's text, which follows the grammar and has no fraction or exponent. */
static void set_integer(pml_json_reader *reader) {
    bool negative = reader->text[0] == '-';
    uint64_t magnitude = 0;
    for (const char *digit = reader->text + negative; *digit != '\0'; digit++) {
        if (__builtin_mul_overflow(magnitude, (uint64_t)10, &magnitude) ||
            __builtin_add_overflow(magnitude, (uint64_t)(*digit - '0'), &magnitude)) {
            return;
        }
    }
    if (!negative) {
        reader->is_u64 = true;
        reader->u64 = magnitude;
        reader->is_i64 = magnitude <= INT64_MAX;
        reader->i64 = reader->is_i64 ? (int64_t)magnitude : 0;
    } else if (magnitude <= (uint64_t)INT64_MAX + 1) {
        reader->is_i64 = true;
        reader->i64 = magnitude == 0 ? 0 : -(int64_t)(magnitude - 1) - 1;
    }
}

static pml_status read_number(pml_json_reader *reader, pml_error *error) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pml_status status = PML_OK;
    size_t start = reader->position;
    bool is_integer = true;
    if (peek(reader) == '-') {
        reader->position++;
    }
    if (peek(reader) == '0') {
        reader->position++;
    } else if (!skip_digits(reader)) {
        PML_TRY(fail(reader, reader->position, "a number needs a digit here", error));
    }
    if (peek(reader) == '.') {
        is_integer = false;
        reader->position++;
        if (!skip_digits(reader)) {
            PML_TRY(fail(reader, reader->position, "a number needs a digit after its point", error));
        }
    }
    if (peek(reader) == 'e' || peek(reader) == 'E') {
        is_integer = false;
        reader->position++;
        if (peek(reader) == '+' || peek(reader) == '-') {
            reader->position++;
        }
        if (!skip_digits(reader)) {
            PML_TRY(fail(reader, reader->position, "a number needs a digit in its exponent", error));
        }
    }
    size_t length = reader->position - start;
    if (length > MAX_NUMBER_BYTES) {
        PML_TRY(fail(reader, start, "a number of more than 1024 characters", error));
    }
    PML_TRY(pml_grow(&reader->buffer, &reader->buffer_capacity, length + 1, 1, SIZE_MAX / 2, "bytes", error));
    memcpy(reader->buffer, reader->bytes + start, length);
    reader->buffer[length] = '\0';
    reader->text = reader->buffer;
    reader->text_bytes = length;
    reader->token = PML_JSON_NUMBER;
    if (is_integer) {
        set_integer(reader);
    }
    (void)pthread_once(&once, make_c_locale);
    if (c_locale == (locale_t)0) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory: the C locale"));
    }
    reader->number = strtod_l(reader->text, NULL, c_locale);
    if (isinf(reader->number)) {
        PML_TRY(fail(reader, start, "the number is too large", error));
    }
done:
    return status;
}

/* NaN, Infinity and -Infinity; false when none of them is at the position. */
static bool read_python_number(pml_json_reader *reader) {
    static const struct {
        const char *text;
        double number;
    } words[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const size_t length = strlen(words[i].text);
        if (reader->size_bytes - reader->position >= length &&
            memcmp(reader->bytes + reader->position, words[i].text, length) == 0) {
            reader->position += length;
            reader->token = PML_JSON_NUMBER;
            reader->text = words[i].text;
            reader->text_bytes = length;
            reader->number = words[i].number;
            return true;
        }
    }
    return false;
}

/* ---- structure ---------------------------------------------------------------------------------------------- */
static void value_done(pml_json_reader *reader) {
    reader->expect = reader->depth == 0 ? EXPECT_NOTHING : EXPECT_SEPARATOR;
}

static pml_status begin(pml_json_reader *reader, pml_error *error) {
    if (reader->depth == PML_MAX_JSON_DEPTH) {
        return fail(reader, reader->position, "nested too deep", error);
    }
    bool is_object = reader->bytes[reader->position++] == '{';
    reader->stack[reader->depth++] = is_object ? '{' : '[';
    reader->token = is_object ? PML_JSON_OBJECT_BEGIN : PML_JSON_ARRAY_BEGIN;
    reader->expect = is_object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return PML_OK;
}

static void end(pml_json_reader *reader) {
    reader->position++;
    reader->depth--;
    reader->token = reader->stack[reader->depth] == '{' ? PML_JSON_OBJECT_END : PML_JSON_ARRAY_END;
    value_done(reader);
}

static pml_status read_key(pml_json_reader *reader, pml_error *error) {
    pml_status status = PML_OK;
    if (peek(reader) != '"') {
        PML_TRY(fail(reader, reader->position, "a key in double quotes is missing", error));
    }
    PML_TRY(read_string(reader, error));
    skip_space(reader);
    if (peek(reader) != ':') {
        PML_TRY(fail(reader, reader->position, "the ':' after a key is missing", error));
    }
    reader->position++;
    reader->token = PML_JSON_KEY;
    reader->expect = EXPECT_VALUE;
done:
    return status;
}

static pml_status read_word(pml_json_reader *reader, pml_error *error) {
    static const struct {
        const char *text;
        pml_json_token token;
    } words[] = {{"true", PML_JSON_TRUE}, {"false", PML_JSON_FALSE}, {"null", PML_JSON_NULL}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i].text);
        if (reader->size_bytes - reader->position >= length &&
            memcmp(reader->bytes + reader->position, words[i].text, length) == 0) {
            reader->position += length;
            reader->token = words[i].token;
            return PML_OK;
        }
    }
    return fail(reader, reader->position,
                peek(reader) < 0 ? "the text ends where a value is missing" : "this begins no JSON value", error);
}

static pml_status read_value(pml_json_reader *reader, pml_error *error) {
    pml_status status = PML_OK;
    int byte = peek(reader);
    if (byte == '{' || byte == '[') {
        PML_TRY(begin(reader, error));
        goto done;
    }
    if (byte == '"') {
        PML_TRY(read_string(reader, error));
        reader->token = PML_JSON_STRING;
    } else if (reader->has_python_numbers && read_python_number(reader)) {
        /* the token is complete */
    } else if (byte == '-' || (byte >= '0' && byte <= '9')) {
        PML_TRY(read_number(reader, error));
    } else {
        PML_TRY(read_word(reader, error));
    }
    value_done(reader);
done:
    return status;
}

/* After a value inside an object or array. */
static pml_status read_after_separator(pml_json_reader *reader, pml_error *error) {
    bool in_object = reader->stack[reader->depth - 1] == '{';
    int byte = peek(reader);
    if (byte == (in_object ? '}' : ']')) {
        end(reader);
        return PML_OK;
    }
    if (byte != ',') {
        return fail(reader, reader->position, in_object ? "',' or '}' is missing" : "',' or ']' is missing", error);
    }
    reader->position++;
    skip_space(reader);
    reader->token_offset = reader->position;
    return in_object ? read_key(reader, error) : read_value(reader, error);
}

void pml_json_reader_init(pml_json_reader *reader, const void *bytes, size_t size_bytes, uint64_t base_offset,
                          const char *file_name, size_t max_string_bytes) {
    memset(reader, 0, sizeof *reader);
    reader->bytes = bytes;
    reader->size_bytes = size_bytes;
    reader->base_offset = base_offset;
    reader->file_name = file_name;
    reader->max_string_bytes = max_string_bytes < SIZE_MAX / 4 ? max_string_bytes : SIZE_MAX / 4;
    reader->expect = EXPECT_VALUE;
}

void pml_json_reader_deinit(pml_json_reader *reader) {
    pml_free(reader->buffer);
    memset(reader, 0, sizeof *reader);
}

void pml_json_reader_begin(pml_json_reader *reader, size_t begin, size_t end) {
    reader->position = begin;
    reader->size_bytes = end;
    reader->depth = 0;
    reader->expect = EXPECT_VALUE;
}

pml_status pml_json_next(pml_json_reader *reader, pml_error *error) {
    reader->text = NULL;
    reader->text_bytes = 0;
    reader->number = 0;
    reader->is_u64 = reader->is_i64 = false;
    reader->u64 = 0;
    reader->i64 = 0;
    skip_space(reader);
    reader->token_offset = reader->position;
    switch (reader->expect) {
    case EXPECT_NOTHING:
        if (reader->position < reader->size_bytes) {
            return fail(reader, reader->position, "text after the end of the JSON value", error);
        }
        reader->token = PML_JSON_END;
        return PML_OK;
    case EXPECT_KEY_OR_END:
        if (peek(reader) == '}') {
            end(reader);
            return PML_OK;
        }
        return read_key(reader, error);
    case EXPECT_VALUE_OR_END:
        if (peek(reader) == ']') {
            end(reader);
            return PML_OK;
        }
        return read_value(reader, error);
    case EXPECT_SEPARATOR:
        return read_after_separator(reader, error);
    default:
        return read_value(reader, error);
    }
}

pml_status pml_json_skip(pml_json_reader *reader, pml_error *error) {
    pml_status status = PML_OK;
    if (reader->token == PML_JSON_KEY) {
        PML_TRY(pml_json_next(reader, error));
    }
    if (reader->token == PML_JSON_OBJECT_BEGIN || reader->token == PML_JSON_ARRAY_BEGIN) {
        unsigned outside = reader->depth - 1;
        while (reader->depth > outside) {
            PML_TRY(pml_json_next(reader, error));
        }
    }
done:
    return status;
}

pml_status pml_json_fail(const pml_json_reader *reader, pml_error *error, const char *cause) {
    return fail(reader, reader->token_offset, cause, error);
}

pml_status pml_json_locate(const pml_json_reader *reader, pml_status status, pml_error *error) {
    if (status == PML_E_FORMAT && error != NULL) {
        char cause[sizeof error->message];
        memcpy(cause, error->message, sizeof cause);
        return fail(reader, reader->token_offset, cause, error);
    }
    return status;
}

pml_status pml_json_expect(pml_json_reader *reader, pml_json_token token, const char *what, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_next(reader, error));
    if (reader->token != token) {
        char cause[256];
        (void)snprintf(cause, sizeof cause, "expected %s", what);
        PML_TRY(fail(reader, reader->token_offset, cause, error));
    }
done:
    return status;
}
