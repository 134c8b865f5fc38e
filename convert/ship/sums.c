#include "convert/ship/sums.h"

#include <stdlib.h>
#include <string.h>

#include "convert/small_file.h"
#include "formats/file_map.h"
#include "runtime/base/alloc.h"
#include "runtime/base/input.h"
#include "runtime/base/quote.h"

enum {
    MAX_LINES = 1000000,
    MAX_BYTES = 1 << 28,
    HASH_DIGITS = PML_SHA256_TEXT_BYTES - 1,
    LEAST_LINE = HASH_DIGITS + 3
};

static size_t position_of(const pml_sums *sums, const char *name, bool *is_there) {
    size_t low = 0, high = sums->count;
    *is_there = false;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(sums->items[middle].name, name);
        if (order == 0) {
            *is_there = true;
            return middle;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return low;
}

const pml_sum *pml_sums_find(const pml_sums *sums, const char *name) {
    bool is_there;
    const size_t i = position_of(sums, name, &is_there);
    return is_there ? &sums->items[i] : NULL;
}

pml_status pml_sums_set(pml_sums *sums, const char *name, const char *sha256, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    bool is_there;
    if (!pml_is_base_name(name)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s is not the name of a file", pml_quote(&quoted, name)));
    }
    const size_t i = position_of(sums, name, &is_there);
    if (!is_there) {
        char *copy;
        PML_TRY(pml_grow(&sums->items, &sums->capacity, sums->count + 1, sizeof *sums->items, MAX_LINES,
                         "lines of " PML_SUMS_NAME, error));
        PML_TRY(pml_string_copy(name, strlen(name), &copy, error));
        memmove(&sums->items[i + 1], &sums->items[i], (sums->count - i) * sizeof *sums->items);
        sums->items[i] = (pml_sum){.name = copy};
        sums->count++;
    }
    memcpy(sums->items[i].sha256, sha256, PML_SHA256_TEXT_BYTES);
done:
    return status;
}

/* One line, without its end. */
static pml_status read_line(pml_sums *sums, char *line, size_t length, const char *path, size_t i_line,
                            pml_error *error) {
    pml_status status = PML_OK;
    char sha256[PML_SHA256_TEXT_BYTES];
    const bool has_form = length >= LEAST_LINE && strspn(line, "0123456789abcdef") == HASH_DIGITS &&
                          line[HASH_DIGITS] == ' ' && (line[HASH_DIGITS + 1] == ' ' || line[HASH_DIGITS + 1] == '*') &&
                          memchr(line, '\0', length) == NULL;
    const char *name = line + HASH_DIGITS + 2;
    if (!has_form || !pml_is_base_name(name) || pml_sums_find(sums, name) != NULL) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s:%zu: expected a SHA-256, two blanks and the name of a file, once",
                         path, i_line));
    }
    memcpy(sha256, line, HASH_DIGITS);
    sha256[HASH_DIGITS] = '\0';
    PML_TRY(pml_sums_set(sums, name, sha256, error));
done:
    return status;
}

pml_status pml_sums_read(const char *path, pml_sums *sums, pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    size_t size_bytes = 0, i_line = 0;
    status = pml_input_read(path, PML_E_FORMAT, MAX_BYTES, &text, &size_bytes, error);
    if (status == PML_E_NOT_FOUND) {
        status = PML_OK;
        goto done;
    }
    PML_TRY(status);
    for (char *line = text; line < text + size_bytes;) {
        char *end = memchr(line, '\n', (size_t)(text + size_bytes - line));
        end = end != NULL ? end : text + size_bytes;
        *end = '\0';
        PML_TRY(read_line(sums, line, (size_t)(end - line), path, ++i_line, error));
        line = end + 1;
    }
done:
    pml_free(text);
    return status;
}

pml_status pml_sums_write(const pml_sums *sums, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    size_t size_bytes = 0, used = 0;
    for (size_t i = 0; i < sums->count; i++) {
        size_bytes += LEAST_LINE + strlen(sums->items[i].name);
    }
    PML_TRY(pml_alloc(size_bytes + 1, 1, &text, error));
    for (size_t i = 0; i < sums->count; i++) {
        const pml_sum *sum = &sums->items[i];
        const size_t name_bytes = strlen(sum->name);
        memcpy(text + used, sum->sha256, HASH_DIGITS);
        memcpy(text + used + HASH_DIGITS, "  ", 2);
        memcpy(text + used + HASH_DIGITS + 2, sum->name, name_bytes);
        text[used + HASH_DIGITS + 2 + name_bytes] = '\n';
        used += LEAST_LINE + name_bytes;
    }
    PML_TRY(pml_small_file_write(path, text, used, true, error));
done:
    pml_free(text);
    return status;
}

void pml_sums_deinit(pml_sums *sums) {
    for (size_t i = 0; i < sums->count; i++) {
        pml_free(sums->items[i].name);
    }
    pml_free(sums->items);
    *sums = (pml_sums){0};
}
