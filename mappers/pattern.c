#include "mappers/pattern.h"

#include <stdio.h>
#include <string.h>

static bool is_capture(const char *at) {
    return at[0] == '{' && at[1] >= 'a' && at[1] <= 'z' && at[2] == '}';
}

bool pml_captures_get(const pml_captures *captures, char letter, uint32_t *value) {
    for (unsigned i = 0; i < captures->count; i++) {
        if (captures->letters[i] == letter) {
            *value = captures->values[i];
            return true;
        }
    }
    return false;
}

/* Reads a decimal index without leading zeros at *name and moves *name behind it. */
static bool read_index(const char **name, uint32_t *value) {
    const char *at = *name;
    if (*at < '0' || *at > '9' || (at[0] == '0' && at[1] >= '0' && at[1] <= '9')) {
        return false;
    }
    uint32_t number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint32_t)(*at - '0'), &number)) {
            return false;
        }
    }
    *name = at;
    *value = number;
    return true;
}

/* "{*}" */
static bool is_gap(const char *at) {
    return strncmp(at, "{*}", 3) == 0;
}

/* Matches what is left of both, `found` being what was captured before; a gap tries each place for what follows it. */
static bool match_rest(const char *pattern, const char *name, pml_captures found, pml_captures *captures) {
    while (*pattern != '\0') {
        if (is_gap(pattern)) {
            for (; strstr(pattern + 3, "{*}") == NULL; name++) { /* one gap: depth 2 */
                if (match_rest(pattern + 3, name, found, captures)) {
                    return true;
                }
                if (*name == '\0') {
                    break;
                }
            }
            return false;
        }
        if (is_capture(pattern)) {
            uint32_t value, earlier;
            if (!read_index(&name, &value)) {
                return false;
            }
            if (pml_captures_get(&found, pattern[1], &earlier)) {
                if (earlier != value) {
                    return false;
                }
            } else if (found.count == PML_MAX_CAPTURES) {
                return false;
            } else {
                found.letters[found.count] = pattern[1];
                found.values[found.count++] = value;
            }
            pattern += 3;
        } else if (*pattern == '[') {
            size_t length = strcspn(++pattern, "]");
            if (strncmp(pattern, name, length) == 0) {
                name += length;
            }
            pattern += length + (pattern[length] == ']');
        } else if (pattern[0] == '*' && pattern[1] == '\0') {
            *captures = found;
            return true;
        } else if (*pattern++ != *name++) {
            return false;
        }
    }
    if (*name != '\0') {
        return false;
    }
    *captures = found;
    return true;
}

bool pml_pattern_match(const char *pattern, const char *name, pml_captures *captures) {
    return match_rest(pattern, name, (pml_captures){0}, captures);
}

bool pml_pattern_write(const char *pattern, const pml_captures *captures, bool has_optional, const char *gap,
                       char *name, size_t name_bytes) {
    size_t used = 0;
    while (*pattern != '\0') {
        char digits[16];
        const char *text = pattern;
        size_t length = 1, taken = 1;
        uint32_t value;
        if (*pattern == '[' || *pattern == ']') {
            length = 0;
            taken = *pattern == '[' && !has_optional ? strcspn(pattern, "]") : 1;
        } else if (is_capture(pattern) && pml_captures_get(captures, pattern[1], &value)) {
            length = (size_t)snprintf(digits, sizeof digits, "%u", (unsigned)value);
            text = digits;
            taken = 3;
        } else if (is_gap(pattern) && gap != NULL) {
            length = strlen(gap);
            text = gap;
            taken = 3;
        }
        if (length >= name_bytes - used) {
            return false;
        }
        memcpy(name + used, text, length);
        used += length;
        pattern += taken;
    }
    name[used] = '\0';
    return true;
}

bool pml_pattern_fill(const char *pattern, const pml_captures *captures, char *name, size_t name_bytes) {
    return name_bytes > 0 && pml_pattern_write(pattern, captures, true, NULL, name, name_bytes);
}

bool pml_pattern_check(const char *pattern) {
    bool is_optional = false;
    unsigned n_captures = 0, n_gaps = 0;
    for (; *pattern != '\0'; pattern++) {
        if (is_gap(pattern)) {
            if (is_optional || ++n_gaps > 1) {
                return false;
            }
            pattern += 2;
        } else if (*pattern == '{') {
            if (!is_capture(pattern) || is_optional || ++n_captures > PML_MAX_CAPTURES) {
                return false;
            }
            pattern += 2;
        } else if (*pattern == '[' || *pattern == ']') {
            if (is_optional == (*pattern == '[')) {
                return false;
            }
            is_optional = !is_optional;
        } else if (*pattern == '}') {
            return false;
        }
    }
    return !is_optional;
}
