#include "runtime/text/unicode.h"

#include "runtime/base/utf8.h"

enum { HANGUL_FIRST = 0xac00, HANGUL_LAST = 0xd7a3, N_VOWELS = 21, N_TAILS = 28 };
enum { JAMO_LEAD = 0x1100, JAMO_VOWEL = 0x1161, JAMO_TAIL = 0x11a7, CAPITAL_I_DOT = 0x130, DOT_ABOVE = 0x307 };

typedef struct code_range { /* ascending, disjoint; `value` is what the table says of it */
    uint32_t first, last;
    int32_t step, value;
} code_range;

static const code_range classes[] = {
#define PML_CLASS(first, last, name) {first, last, 1, PML_CHAR_##name},
#include "runtime/text/unicode_tables.def"
#undef PML_CLASS
};

static const code_range lower_cases[] = {
#define PML_LOWER(first, last, step, difference) {first, last, step, difference},
#include "runtime/text/unicode_tables.def"
#undef PML_LOWER
};

static const code_range marks[] = {
#define PML_MARK(first, last, starter) {first, last, 1, starter},
#include "runtime/text/unicode_tables.def"
#undef PML_MARK
};

static const code_range bases_of_one[] = {
#define PML_BASE(code, base) {code, code, 1, base},
#include "runtime/text/unicode_tables.def"
#undef PML_BASE
};

static const uint32_t bases_of_more[][4] = {
#define PML_BASES(code, a, b, c) {code, a, b, c},
#include "runtime/text/unicode_tables.def"
#undef PML_BASES
};

static const code_range combining_classes[] = {
#define PML_COMBINING(code, value) {code, code, 1, value},
#include "runtime/text/unicode_tables.def"
#undef PML_COMBINING
};

static const code_range split_classes[] = {
#define PML_SPLIT(first, last, name) {first, last, 1, PML_SPLIT_##name},
#include "runtime/text/unicode_tables.def"
#undef PML_SPLIT
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* The range that holds `code`, or NULL. */
static const code_range *find(const code_range *table, size_t count, uint32_t code) {
    size_t low = 0;
    while (count > 0) {
        const size_t half = count / 2;
        if (table[low + half].last < code) {
            low += half + 1;
            count -= half + 1;
        } else if (table[low + half].first > code) {
            count = half;
        } else {
            const code_range *range = &table[low + half];
            return (code - range->first) % (uint32_t)range->step == 0 ? range : NULL;
        }
    }
    return NULL;
}

pml_char_class pml_unicode_class(uint32_t code) {
    const code_range *range = find(classes, COUNT(classes), code);
    return range != NULL ? (pml_char_class)range->value : PML_CHAR_WORD;
}

bool pml_unicode_is_space(uint32_t code) {
    return code == 0x0b || code == 0x0c || code == 0x85 || pml_unicode_class(code) == PML_CHAR_SPACE;
}

size_t pml_unicode_lower(uint32_t code, uint32_t lower[2]) {
    if (code == CAPITAL_I_DOT) {
        lower[0] = 'i';
        lower[1] = DOT_ABOVE;
        return 2;
    }
    const code_range *range = find(lower_cases, COUNT(lower_cases), code);
    lower[0] = range != NULL ? (uint32_t)((int32_t)code + range->value) : code;
    return 1;
}

static size_t decompose_hangul(uint32_t code, uint32_t bases[3]) {
    const uint32_t index = code - HANGUL_FIRST;
    const uint32_t tail = index % N_TAILS;
    bases[0] = JAMO_LEAD + index / (N_VOWELS * N_TAILS);
    bases[1] = JAMO_VOWEL + index / N_TAILS % N_VOWELS;
    bases[2] = JAMO_TAIL + tail;
    return tail == 0 ? 2 : 3;
}

size_t pml_unicode_strip(uint32_t code, uint32_t bases[3], bool *ends_run) {
    if (code >= HANGUL_FIRST && code <= HANGUL_LAST) {
        return decompose_hangul(code, bases);
    }
    const code_range *range = find(marks, COUNT(marks), code);
    if (range != NULL) {
        *ends_run = range->value != 0;
        return 0;
    }
    range = find(bases_of_one, COUNT(bases_of_one), code);
    if (range != NULL) {
        bases[0] = (uint32_t)range->value;
        return 1;
    }
    for (size_t i = 0; i < COUNT(bases_of_more) && bases_of_more[i][0] <= code; i++) {
        if (bases_of_more[i][0] == code) {
            bases[0] = bases_of_more[i][1];
            bases[1] = bases_of_more[i][2];
            bases[2] = bases_of_more[i][3];
            return bases[2] == 0 ? 2 : 3;
        }
    }
    bases[0] = code;
    return 1;
}

unsigned pml_unicode_combining(uint32_t code) {
    const code_range *range = find(combining_classes, COUNT(combining_classes), code);
    return range != NULL ? (unsigned)range->value : 0;
}

pml_split_class pml_unicode_split_class(uint32_t code) {
    const code_range *range = find(split_classes, COUNT(split_classes), code);
    return range != NULL ? (pml_split_class)range->value : PML_SPLIT_OTHER;
}

/* The length of the longest beginning of a character at bytes[0], which does not begin a whole one; at least 1. */
static size_t ill_formed_length(const uint8_t *bytes, size_t size_bytes) {
    const uint8_t first = bytes[0];
    if (first < 0xc2 || first > 0xf4 || size_bytes < 2) {
        return 1;
    }
    const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (bytes[1] < low || bytes[1] > high) {
        return 1;
    }
    return first >= 0xf0 && size_bytes > 2 && (bytes[2] & 0xc0) == 0x80 ? 3 : 2;
}

size_t pml_unicode_decode(const uint8_t *bytes, size_t size_bytes, uint32_t *code) {
    const size_t length = pml_utf8_length(bytes, size_bytes);
    if (length == 0) {
        *code = PML_REPLACEMENT;
        return ill_formed_length(bytes, size_bytes);
    }
    *code = pml_utf8_code(bytes, length);
    return length;
}

size_t pml_unicode_encode(uint32_t code, uint8_t bytes[4]) {
    if (code < 0x80) {
        bytes[0] = (uint8_t)code;
        return 1;
    }
    const size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t marks_of_length[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--) {
        bytes[i] = (uint8_t)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    bytes[0] = (uint8_t)(marks_of_length[length] | code);
    return length;
}
