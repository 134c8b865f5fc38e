/* --map FILE: the user's own rules, one a line: pattern, target, optional transform; "-" as target drops the tensor. */
#include <string.h>

#include "mappers/mapper.h"
#include "mappers/pattern.h"
#include "runtime/base/alloc.h"

#define MAX_RULES 65536u
#define SPACE " \t\r"

/* The next word of a line, cut out in place; NULL at its end. */
static char *next_word(char **at) {
    char *word = *at + strspn(*at, SPACE);
    if (*word == '\0') {
        return NULL;
    }
    char *end = word + strcspn(word, SPACE);
    *at = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}

static pml_status copy_word(const char *word, const char **out, pml_error *error) {
    char *copy = NULL;
    pml_status status = pml_string_copy(word, strlen(word), &copy, error);
    *out = copy;
    return status;
}

/* Reads one line into *rule; *is_rule is false for blank lines and comments. */
static pml_status read_line(char *line, const char *file_name, size_t n_line, pml_map_rule *rule, bool *is_rule,
                            pml_error *error) {
    pml_status status = PML_OK;
    line[strcspn(line, "#")] = '\0';
    char *pattern = next_word(&line);
    char *target = pattern != NULL ? next_word(&line) : NULL;
    char *transform = target != NULL ? next_word(&line) : NULL;
    *is_rule = pattern != NULL;
    if (!*is_rule) {
        goto done;
    }
    if (target == NULL || next_word(&line) != NULL) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s:%zu: pattern, target and at most one transform are expected",
                         file_name, n_line));
    }
    bool is_dropped = strcmp(target, "-") == 0;
    if (!pml_pattern_check(pattern) || (!is_dropped && (!pml_pattern_check(target) || strchr(target, '[') != NULL)) ||
        strlen(pattern) > PML_MAX_NAME_BYTES || strlen(target) > PML_MAX_NAME_BYTES) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s:%zu: malformed pattern or target", file_name, n_line));
    }
    PML_TRY(copy_word(pattern, &rule->pattern, error));
    if (!is_dropped) {
        PML_TRY(copy_word(target, &rule->target, error));
    }
    if (transform != NULL) {
        PML_TRY(copy_word(transform, &rule->transform, error));
    }
    rule->reason = is_dropped ? "dropped by a rule of --map" : NULL;
done:
    return status;
}

pml_status pml_map_rules_parse(const char *text, size_t size_bytes, const char *file_name, pml_map_rule **rules,
                               size_t *n_rules, pml_error *error) {
    pml_status status = PML_OK;
    char *copy = NULL;
    pml_map_rule *items = NULL;
    size_t count = 0, capacity = 0, n_line = 0;
    const char *zero = memchr(text, '\0', size_bytes);
    if (zero != NULL) {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, zero - text, "%s: zero byte", file_name));
    }
    PML_TRY(pml_string_copy(text, size_bytes, &copy, error));
    for (char *line = copy; line != NULL;) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end = '\0';
        }
        n_line++;
        status = pml_grow(&items, &capacity, count + 1, sizeof *items, MAX_RULES, "rules", error);
        if (status != PML_OK) {
            PML_TRY(pml_error_prefix(error, status, "%s:%zu", file_name, n_line));
        }
        items[count] = (pml_map_rule){.pattern = NULL};
        bool is_rule = false;
        status = read_line(line, file_name, n_line, &items[count], &is_rule, error);
        count += is_rule; /* counted even when it failed half way, so that its parts are released */
        PML_TRY(status);
        line = end != NULL ? end + 1 : NULL;
    }
    *rules = items;
    *n_rules = count;
    items = NULL;
    count = 0;
done:
    pml_map_rules_destroy(items, count);
    pml_free(copy);
    return status;
}

void pml_map_rules_destroy(pml_map_rule *rules, size_t n_rules) {
    for (size_t i = 0; i < n_rules; i++) {
        pml_free((void *)(uintptr_t)rules[i].pattern);
        pml_free((void *)(uintptr_t)rules[i].target);
        pml_free((void *)(uintptr_t)rules[i].transform);
    }
    pml_free(rules);
}
