/* The 256 characters in which byte-level BPE writes bytes: printable ones of Latin-1 stand for themselves, the other
 * bytes, in their order, for U+0100 and on. Source: bytes_to_unicode of OpenAI's GPT-2. */
#ifndef PML_RUNTIME_TEXT_BYTE_ALPHABET_H
#define PML_RUNTIME_TEXT_BYTE_ALPHABET_H

#include <stddef.h>
#include <stdint.h>

/* The character of a byte. */
uint32_t pml_byte_alphabet_code(uint8_t byte);
/* Reads text of the alphabet as bytes, at most size_bytes of them, for which `bytes` has room; returns how many. Text
 * that holds any other character is itself. */
size_t pml_byte_alphabet_read(const char *text, size_t size_bytes, uint8_t *bytes);

#endif
