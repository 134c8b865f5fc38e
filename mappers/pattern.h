/* Name patterns of mapping rules: literal text with captures and optional parts.
 *
 *   {x}      a decimal index without leading zeros (one lower-case letter names it; the same letter twice: equal)
 *   [text]   literal text that may be absent
 *   *        at the end: whatever follows
 *   {*}      once: any text, as short as the rest allows; it is not kept
 *
 * "[model.]encoder.layers.{l}.ff.0.weight" fits "encoder.layers.3.ff.0.weight" with l = 3. */
#ifndef PML_MAPPERS_PATTERN_H
#define PML_MAPPERS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PML_MAX_CAPTURES 4u

typedef struct pml_captures {
    unsigned count;
    char letters[PML_MAX_CAPTURES];
    uint32_t values[PML_MAX_CAPTURES];
} pml_captures;

/* True when the whole name fits; *captures is then set. */
bool pml_pattern_match(const char *pattern, const char *name, pml_captures *captures);

/* The value of a capture; false when there is none of that letter. */
bool pml_captures_get(const pml_captures *captures, char letter, uint32_t *value);

/* The name that a pattern stands for: captures filled in (unknown ones stay as written), optional parts present.
 * False when it does not fit `name_bytes`. */
bool pml_pattern_fill(const char *pattern, const pml_captures *captures, char *name, size_t name_bytes);

/* The same where it is known whether optional parts are there, and what stands for {*} (NULL: it stays as written).
 * `name_bytes` is at least 1. */
bool pml_pattern_write(const char *pattern, const pml_captures *captures, bool has_optional, const char *gap,
                       char *name, size_t name_bytes);

/* True when the pattern is well formed. */
bool pml_pattern_check(const char *pattern);

#endif
