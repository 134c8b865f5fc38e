#include "convert/readme.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/utf8.h"

enum { MOST_BYTES = 65536 };

typedef struct span {
    const char *text;
    size_t length;
} span;

static span trim(span s) {
    while (s.length > 0 && (s.text[0] == ' ' || s.text[0] == '\t')) {
        s.text++;
        s.length--;
    }
    while (s.length > 0 && strchr(" \t\r", s.text[s.length - 1]) != NULL && s.text[s.length - 1] != '\0') {
        s.length--;
    }
    const bool is_quoted =
        s.length >= 2 && (s.text[0] == '"' || s.text[0] == '\'') && s.text[s.length - 1] == s.text[0];
    return is_quoted ? (span){s.text + 1, s.length - 2} : s;
}

static bool next_line(span *rest, span *line) {
    if (rest->length == 0) {
        return false;
    }
    const char *end = memchr(rest->text, '\n', rest->length);
    line->text = rest->text;
    line->length = end != NULL ? (size_t)(end - rest->text) : rest->length;
    const size_t used = line->length + (end != NULL);
    rest->text += used;
    rest->length -= used;
    if (line->length > 0 && line->text[line->length - 1] == '\r') {
        line->length--;
    }
    return true;
}

static bool is_text(span s, const char *text) {
    return s.length == strlen(text) && memcmp(s.text, text, s.length) == 0;
}

/* Adds a value behind those that are there; one that is no printable text, or does not fit, is left out. */
static void add(char out[PML_README_TEXT_BYTES], span value) {
    value = trim(value);
    const size_t used = strlen(out);
    for (size_t i = 0; i < value.length;) {
        const size_t n = pml_utf8_length((const uint8_t *)value.text + i, value.length - i);
        if (n == 0 || (unsigned char)value.text[i] < 0x20 || value.text[i] == 0x7f) {
            return;
        }
        i += n;
    }
    if (value.length > 0 && used + value.length + 3 < PML_README_TEXT_BYTES) {
        (void)snprintf(out + used, PML_README_TEXT_BYTES - used, "%s%.*s", used > 0 ? ", " : "", (int)value.length,
                       value.text);
    }
}

/* "a", or "[a, b]" */
static void add_values(char out[PML_README_TEXT_BYTES], span value) {
    value = trim(value);
    if (value.length < 2 || value.text[0] != '[' || value.text[value.length - 1] != ']') {
        add(out, value);
        return;
    }
    span rest = {value.text + 1, value.length - 2};
    while (rest.length > 0) {
        const char *comma = memchr(rest.text, ',', rest.length);
        const size_t n = comma != NULL ? (size_t)(comma - rest.text) : rest.length;
        add(out, (span){rest.text, n});
        rest.text += n + (comma != NULL);
        rest.length -= n + (comma != NULL);
    }
}

void pml_readme_parse(const char *text, size_t size_bytes, pml_readme *readme) {
    const struct {
        const char *key;
        char *out;
    } rows[] = {{"license:", readme->license},
                {"license_name:", readme->license_name},
                {"license_link:", readme->license_link}};
    span rest = {text, size_bytes}, line;
    char *list = NULL; /* where "- value" lines belong */
    *readme = (pml_readme){0};
    if (!next_line(&rest, &line) || !is_text(line, "---")) {
        return;
    }
    while (next_line(&rest, &line) && !is_text(line, "---")) {
        const span item = trim(line);
        if (list != NULL && item.length > 1 && item.text[0] == '-' && item.text[1] == ' ') {
            add(list, (span){item.text + 1, item.length - 1});
            continue;
        }
        list = NULL;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            const size_t n = strlen(rows[i].key);
            if (line.length >= n && memcmp(line.text, rows[i].key, n) == 0) {
                rows[i].out[0] = '\0';
                add_values(rows[i].out, (span){line.text + n, line.length - n});
                list = rows[i].out[0] == '\0' ? rows[i].out : NULL;
            }
        }
    }
}

pml_status pml_readme_find(const pml_folder *folder, pml_readme *readme, pml_error *error) {
    pml_status status = PML_OK;
    char path[4096];
    pml_file_map map = {0};
    *readme = (pml_readme){0};
    const int n = snprintf(path, sizeof path, "%s/README.md", pml_folder_path(folder));
    if (n < 0 || (size_t)n >= sizeof path || !pml_folder_has(folder, "README.md")) {
        goto done;
    }
    PML_TRY(pml_folder_map_path(folder, path, &map, error));
    pml_readme_parse((const char *)map.data, map.size_bytes < MOST_BYTES ? map.size_bytes : MOST_BYTES, readme);
done:
    pml_file_map_close(&map);
    return status;
}
