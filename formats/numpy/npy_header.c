/* A reader of the one Python literal that NumPy writes: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } */
#include "formats/numpy/npy_header.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/checked.h"
#include "runtime/base/quote.h"

static const char MAGIC[] = "\x93NUMPY";
enum { MAGIC_BYTES = 6, MAX_WORD_BYTES = 64 };

typedef struct parser {
    const char *shown; /* for messages */
    const char *text;  /* of the whole header; not terminated */
    size_t at, end;
} parser;

typedef struct dtype_row {
    const char *code; /* without the byte order */
    pml_dtype dtype;
    unsigned number_bytes; /* what is swapped as one */
} dtype_row;

static const dtype_row dtypes[] = {
    {"f4", PML_DTYPE_F32, 4}, {"f8", PML_DTYPE_F64, 8}, {"f2", PML_DTYPE_F16, 2}, {"i1", PML_DTYPE_I8, 1},
    {"i2", PML_DTYPE_I16, 2}, {"i4", PML_DTYPE_I32, 4}, {"i8", PML_DTYPE_I64, 8}, {"u1", PML_DTYPE_U8, 1},
    {"u2", PML_DTYPE_U16, 2}, {"u4", PML_DTYPE_U32, 4}, {"u8", PML_DTYPE_U64, 8}, {"b1", PML_DTYPE_BOOL, 1},
    {"c8", PML_DTYPE_C64, 4},
};

bool pml_npy_is_array(const uint8_t *bytes, size_t n_bytes) {
    return n_bytes >= MAGIC_BYTES && memcmp(bytes, MAGIC, MAGIC_BYTES) == 0;
}

static pml_status header_fail(const parser *p, pml_status code, const char *cause, pml_error *error) {
    return PML_FAIL(error, code, "%s: the header of the array, byte %zu: %s", p->shown, p->at, cause);
}

static void skip_spaces(parser *p) {
    while (p->at < p->end && p->text[p->at] == ' ') {
        p->at++;
    }
}

/* Takes `c` if it comes next. */
static bool take(parser *p, char c) {
    skip_spaces(p);
    if (p->at < p->end && p->text[p->at] == c) {
        p->at++;
        return true;
    }
    return false;
}

static pml_status expect(parser *p, char c, pml_error *error) {
    char cause[] = "expected '?'";
    if (take(p, c)) {
        return PML_OK;
    }
    cause[sizeof cause - 3] = c;
    return header_fail(p, PML_E_FORMAT, cause, error);
}

/* A text in quotes of either kind, without escapes. */
static pml_status read_text(parser *p, char word[MAX_WORD_BYTES], pml_error *error) {
    skip_spaces(p);
    if (p->at == p->end || (p->text[p->at] != '\'' && p->text[p->at] != '"')) {
        return header_fail(p, PML_E_FORMAT, "expected a text in quotes", error);
    }
    const char quote = p->text[p->at];
    size_t length = 0;
    for (p->at++; p->at < p->end && p->text[p->at] != quote; p->at++) {
        if (length + 1 == MAX_WORD_BYTES || p->text[p->at] == '\\' || p->text[p->at] == '\0') {
            return header_fail(p, PML_E_FORMAT, "a text is too long, or has a character that does not belong", error);
        }
        word[length++] = p->text[p->at];
    }
    word[length] = '\0';
    return expect(p, quote, error);
}

static pml_status read_bool(parser *p, bool *value, pml_error *error) {
    static const char *const words[] = {"False", "True"};
    skip_spaces(p);
    for (size_t i = 0; i < 2; i++) {
        const size_t length = strlen(words[i]);
        if (p->end - p->at >= length && memcmp(p->text + p->at, words[i], length) == 0) {
            p->at += length;
            *value = i == 1;
            return PML_OK;
        }
    }
    return header_fail(p, PML_E_FORMAT, "expected True or False", error);
}

static pml_status read_number(parser *p, uint64_t *value, pml_error *error) {
    const size_t start = p->at;
    *value = 0;
    while (p->at < p->end && p->text[p->at] >= '0' && p->text[p->at] <= '9') {
        if (!pml_ck_mul(*value, 10, value) || !pml_ck_add(*value, (uint64_t)(p->text[p->at] - '0'), value)) {
            return header_fail(p, PML_E_FORMAT, "a dimension has more than 64 bits", error);
        }
        p->at++;
    }
    if (p->at == start) {
        return header_fail(p, PML_E_FORMAT, "expected a dimension", error);
    }
    if (p->at < p->end && p->text[p->at] == 'L') { /* Python 2 wrote long integers so */
        p->at++;
    }
    return PML_OK;
}

/* "()", "(3,)", "(3, 4)". */
static pml_status read_shape(parser *p, pml_npy_header *header, pml_error *error) {
    pml_status status = PML_OK;
    bool has_comma = false;
    PML_TRY(expect(p, '(', error));
    while (!take(p, ')')) {
        uint64_t size;
        if (header->rank > 0 && !has_comma) {
            PML_TRY(header_fail(p, PML_E_FORMAT, "expected ',' or ')'", error));
        }
        skip_spaces(p);
        PML_TRY(read_number(p, &size, error));
        if (header->rank == PML_MAX_RANK) {
            PML_TRY(header_fail(p, PML_E_UNSUPPORTED, "more than 8 dimensions are not supported", error));
        }
        header->shape[header->rank++] = size;
        has_comma = take(p, ',');
    }
    if (header->rank == 1 && !has_comma) {
        PML_TRY(header_fail(p, PML_E_FORMAT, "a number in brackets is no shape", error));
    }
done:
    return status;
}

static pml_status refuse_dtype(const parser *p, const char *descr, pml_error *error) {
    pml_quoted quoted;
    const char kind = descr[strcspn(descr, "OSUVMm")]; /* the zero at the end, if none of them */
    const char *what = kind == 'O'   ? ": an array of Python objects, which only running them would tell"
                       : kind == 'V' ? ": raw bytes, whose meaning the file does not tell"
                       : kind != 0   ? ": text or dates"
                                     : "";
    return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: the dtype %s is not supported%s", p->shown,
                    pml_quote(&quoted, descr), what);
}

static pml_status read_dtype(parser *p, pml_npy_header *header, pml_error *error) {
    pml_status status = PML_OK;
    char descr[MAX_WORD_BYTES];
    const dtype_row *row = NULL;
    skip_spaces(p);
    if (p->at < p->end && p->text[p->at] == '[') {
        PML_TRY(header_fail(p, PML_E_UNSUPPORTED, "arrays of structures are not supported", error));
    }
    PML_TRY(read_text(p, descr, error));
    const bool has_order = descr[0] != '\0' && strchr("<>|=", descr[0]) != NULL;
    for (size_t i = 0; has_order && i < sizeof dtypes / sizeof dtypes[0]; i++) {
        row = strcmp(dtypes[i].code, descr + 1) == 0 ? &dtypes[i] : row;
    }
    if (row == NULL || (descr[0] == '|' && row->number_bytes > 1)) {
        PML_TRY(refuse_dtype(p, descr, error));
    }
    header->dtype = row->dtype;
    header->swap_bytes = descr[0] == '>' && row->number_bytes > 1 ? row->number_bytes : 0;
done:
    return status;
}

static pml_status read_dictionary(parser *p, pml_npy_header *header, pml_error *error) {
    enum { DESCR, ORDER, SHAPE, N_KEYS };
    static const char *const keys[N_KEYS] = {"descr", "fortran_order", "shape"};
    pml_status status = PML_OK;
    bool has[N_KEYS] = {false};
    PML_TRY(expect(p, '{', error));
    while (!take(p, '}')) {
        char word[MAX_WORD_BYTES];
        size_t i_key = 0;
        PML_TRY(read_text(p, word, error));
        while (i_key < N_KEYS && strcmp(word, keys[i_key]) != 0) {
            i_key++;
        }
        if (i_key == N_KEYS || has[i_key]) {
            PML_TRY(header_fail(p, PML_E_FORMAT, "a key that does not belong there, or a second time", error));
        }
        has[i_key] = true;
        PML_TRY(expect(p, ':', error));
        PML_TRY(i_key == DESCR   ? read_dtype(p, header, error)
                : i_key == ORDER ? read_bool(p, &header->is_fortran, error)
                                 : read_shape(p, header, error));
        if (!take(p, ',')) {
            PML_TRY(expect(p, '}', error));
            break;
        }
    }
    if (!has[DESCR] || !has[ORDER] || !has[SHAPE]) {
        PML_TRY(header_fail(p, PML_E_FORMAT, "descr, fortran_order or shape is missing", error));
    }
    while (p->at < p->end) {
        if (p->text[p->at] != ' ' && p->text[p->at] != '\n') {
            PML_TRY(header_fail(p, PML_E_FORMAT, "something follows the dictionary", error));
        }
        p->at++;
    }
done:
    return status;
}

/* Version and length. */
static pml_status read_frame(parser *p, const uint8_t *bytes, size_t n_bytes, pml_error *error) {
    const size_t length_bytes = n_bytes > MAGIC_BYTES && bytes[MAGIC_BYTES] == 1 ? 2 : 4;
    const size_t start = MAGIC_BYTES + 2 + length_bytes;
    uint64_t length = 0;
    if (!pml_npy_is_array(bytes, n_bytes) || n_bytes < start) {
        return header_fail(p, PML_E_FORMAT, "it is no array of NumPy, or cut short", error);
    }
    if (bytes[MAGIC_BYTES] < 1 || bytes[MAGIC_BYTES] > 3 || bytes[MAGIC_BYTES + 1] != 0) {
        return header_fail(p, PML_E_UNSUPPORTED, "versions other than 1.0, 2.0 and 3.0 are not supported", error);
    }
    for (size_t i = length_bytes; i-- > 0;) {
        length = length << 8 | bytes[MAGIC_BYTES + 2 + i];
    }
    if (length > PML_NPY_MAX_HEADER_BYTES - start || length > n_bytes - start) {
        return header_fail(p, PML_E_FORMAT, "it is longer than the file, or than any header is", error);
    }
    p->text = (const char *)bytes;
    p->at = start;
    p->end = start + (size_t)length;
    return PML_OK;
}

pml_status pml_npy_header_read(const uint8_t *bytes, size_t n_bytes, const char *shown, pml_npy_header *header,
                               pml_error *error) {
    pml_status status = PML_OK;
    parser p = {.shown = shown};
    size_t n_long = 0; /* axes that order the elements */
    *header = (pml_npy_header){0};
    PML_TRY(read_frame(&p, bytes, n_bytes, error));
    PML_TRY(read_dictionary(&p, header, error));
    header->header_bytes = p.end;
    for (unsigned i = 0; i < header->rank; i++) {
        n_long += header->shape[i] > 1 ? 1 : 0;
    }
    header->is_fortran = header->is_fortran && n_long > 1;
done:
    return status;
}
