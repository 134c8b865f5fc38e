/* What tokenizers do with one code point: BERT's text normalisation (classes, lower case, letters without accents) and
 * the classes of GPT-2's splitting pattern. Frozen tables (scripts/make_unicode_tables.py), so that ids do not depend
 * on the Unicode version of a library. */
#ifndef PML_RUNTIME_TEXT_UNICODE_H
#define PML_RUNTIME_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PML_REPLACEMENT 0xfffdu

typedef enum pml_char_class {
    PML_CHAR_WORD,
    PML_CHAR_REMOVED, /* control and format characters, unassigned, private use, U+FFFD */
    PML_CHAR_SPACE,
    PML_CHAR_PUNCTUATION, /* stands alone */
    PML_CHAR_CJK          /* an ideograph: stands alone where CJK handling is on */
} pml_char_class;

/* The class of a code point of text that is cleaned of control characters. */
pml_char_class pml_unicode_class(uint32_t code);
/* Whether it separates words in text that is not cleaned. */
bool pml_unicode_is_space(uint32_t code);

/* The lower case, one or two code points; returns how many. No letter depends on its neighbours. */
size_t pml_unicode_lower(uint32_t code, uint32_t lower[2]);

/* The canonical decomposition without its nonspacing marks, at most three code points; returns how many. 0: the code
 * point is such a mark; *ends_run then says whether it has combining class 0. */
size_t pml_unicode_strip(uint32_t code, uint32_t bases[3], bool *ends_run);

/* The combining class of marks that pml_unicode_strip leaves; 0 for everything else. */
unsigned pml_unicode_combining(uint32_t code);

/* Classes of GPT-2's splitting pattern: \p{L}, \p{N} and \s of the reference's version of Unicode. */
typedef enum pml_split_class { PML_SPLIT_OTHER, PML_SPLIT_LETTER, PML_SPLIT_NUMBER, PML_SPLIT_SPACE } pml_split_class;
pml_split_class pml_unicode_split_class(uint32_t code);

/* Reads one code point of size_bytes > 0 bytes; returns how many bytes it takes. An ill-formed sequence gives U+FFFD
 * for each of its longest parts that could begin a character, as Unicode recommends. */
size_t pml_unicode_decode(const uint8_t *bytes, size_t size_bytes, uint32_t *code);
/* Writes the UTF-8 form; returns its length. */
size_t pml_unicode_encode(uint32_t code, uint8_t bytes[4]);

#endif
