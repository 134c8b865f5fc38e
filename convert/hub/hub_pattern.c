#include "convert/hub/hub_pattern.h"

#include <stdint.h>
#include <string.h>

#include "runtime/base/utf8.h"

enum { MAX_SET = 512, MAX_PATTERN_BYTES = 4096 };

/* The next character, and how many bytes it takes: a byte that is no UTF-8 stands for itself, apart from all
 * characters. */
static uint32_t decode(const char *text, size_t *n_bytes) {
    const size_t n = pml_utf8_length((const uint8_t *)text, strnlen(text, 4));
    *n_bytes = n > 0 ? n : 1;
    return n > 0 ? pml_utf8_code((const uint8_t *)text, n) : 0x110000u + (uint8_t)*text;
}

typedef struct set_item {
    uint32_t code;
    bool is_hyphen; /* between the ends of a range, not a character of the set */
} set_item;

/* The items of the set whose characters are text[0..length): a hyphen makes a range unless it comes first or last or
 * directly after a range's end; a range whose ends are out of order vanishes, ends included. */
static size_t read_set(const char *text, size_t length, set_item items[MAX_SET]) {
    size_t count = 0, n = 0;
    for (size_t i = 0; i < length && count < MAX_SET; i += n) {
        items[count++] = (set_item){.code = decode(text + i, &n)};
    }
    const size_t first = count > 0 && items[0].code == '!' ? 1 : 0;
    for (size_t k = first + 1; k + 1 < count;) {
        if (items[k].code != '-') {
            k++;
            continue;
        }
        items[k].is_hyphen = true;
        k += 3;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (i + 2 < count && items[i + 1].is_hyphen && items[i].code > items[i + 2].code) {
            i += 2;
        } else {
            items[kept++] = items[i];
        }
    }
    return kept;
}

static bool set_has(const set_item *items, size_t count, uint32_t code) {
    const bool is_negated = count > 0 && items[0].code == '!' && !items[0].is_hyphen;
    bool found = false;
    for (size_t i = is_negated ? 1 : 0; i < count; i++) {
        if (i + 2 < count && items[i + 1].is_hyphen) {
            found = found || (code >= items[i].code && code <= items[i + 2].code);
            i += 2;
        } else {
            found = found || code == items[i].code;
        }
    }
    return found != is_negated;
}

/* Where the set that begins behind '[' ends (its ']'), or NULL when it does not: '[' is then itself. */
static const char *set_end(const char *inside) {
    const char *at = inside;
    at += *at == '!' ? 1 : 0;
    at += *at == ']' ? 1 : 0;
    return strchr(at, ']');
}

/* Whether the pattern's item at `pattern` (not '*') takes the character `code`; *next is what follows it. */
static bool item_takes(const char *pattern, uint32_t code, const char **next) {
    set_item items[MAX_SET];
    size_t n = 0;
    const char *end = *pattern == '[' ? set_end(pattern + 1) : NULL;
    if (end != NULL) {
        *next = end + 1;
        return set_has(items, read_set(pattern + 1, (size_t)(end - pattern - 1), items), code);
    }
    const uint32_t wanted = decode(pattern, &n);
    *next = pattern + n;
    return *pattern == '?' || wanted == code;
}

bool pml_hub_pattern_fits(const char *pattern, const char *text) {
    const char *star = NULL, *resume = NULL; /* behind the last '*', and where in the text it may take one more */
    while (*text != '\0' || *pattern != '\0') {
        size_t n = 1;
        const char *next = pattern;
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (*text != '\0' && *pattern != '\0' && item_takes(pattern, decode(text, &n), &next)) {
            pattern = next;
            text += n;
        } else if (star != NULL && *resume != '\0') {
            (void)decode(resume, &n);
            resume += n;
            text = resume;
            pattern = star;
        } else {
            return false;
        }
    }
    return true;
}

static bool one_fits(const char *pattern, const char *path) {
    char changed[MAX_PATTERN_BYTES];
    const size_t length = strlen(pattern);
    if (length + 2 > sizeof changed) {
        return false;
    }
    memcpy(changed, pattern, length + 1);
    for (size_t i = 0; i < length; i++) {
        if (changed[i] == '\\') {
            changed[i] = '/';
        }
    }
    if (length > 0 && changed[length - 1] == '/') {
        memcpy(changed + length, "*", 2);
    }
    return pml_hub_pattern_fits(changed, path);
}

static bool any_fits(const char *const *patterns, size_t count, const char *path) {
    for (size_t i = 0; i < count; i++) {
        if (one_fits(patterns[i], path)) {
            return true;
        }
    }
    return false;
}

bool pml_hub_filter_excludes(const pml_hub_filter *filter, const char *path) {
    return any_fits(filter->exclude, filter->n_exclude, path);
}

bool pml_hub_filter_fits(const pml_hub_filter *filter, const char *path) {
    return (filter->n_include == 0 || any_fits(filter->include, filter->n_include, path)) &&
           !pml_hub_filter_excludes(filter, path);
}
