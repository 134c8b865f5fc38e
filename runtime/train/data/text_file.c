#include "runtime/train/data/text_file.h"

#include <string.h>

#include "runtime/base/utf8.h"

static pml_status check_text(const pml_text_file *file, pml_error *error) {
    const uint8_t *bytes = (const uint8_t *)file->text;
    size_t line = 1;
    for (size_t i = 0; i < file->size_bytes;) {
        const size_t length = pml_utf8_length(bytes + i, file->size_bytes - i);
        if (length == 0 || bytes[i] == 0) {
            return PML_FAIL(error, PML_E_FORMAT, "%s, line %zu: %s", file->path, line,
                            length == 0 ? "bytes that are not UTF-8" : "a NUL byte; the text must be UTF-8");
        }
        line += bytes[i] == '\n';
        i += length;
    }
    return PML_OK;
}

pml_status pml_text_file_open(const char *path, pml_text_file *file, pml_error *error) {
    *file = (pml_text_file){.path = path};
    pml_status status = pml_file_map_open(path, PML_E_ARGUMENT, &file->map, error);
    if (status != PML_OK) {
        return status;
    }
    const size_t mark_bytes = file->map.size_bytes >= 3 && memcmp(file->map.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    file->text = (const char *)file->map.data + mark_bytes;
    file->size_bytes = file->map.size_bytes - mark_bytes;
    status = check_text(file, error);
    if (status != PML_OK) {
        pml_text_file_close(file);
    }
    return status;
}

void pml_text_file_close(pml_text_file *file) {
    pml_file_map_close(&file->map);
    *file = (pml_text_file){0};
}

static bool is_blank(const char *text, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i++) {
        if (memchr(" \t\r\v\f", text[i], 5) == NULL) {
            return false;
        }
    }
    return true;
}

bool pml_text_file_next(const pml_text_file *file, pml_text_line *line) {
    while (line->next < file->size_bytes) {
        line->begin = line->next;
        const char *at = file->text + line->begin;
        const char *ending = memchr(at, '\n', file->size_bytes - line->begin);
        line->end = ending != NULL ? (size_t)(ending - file->text) : file->size_bytes;
        line->next = ending != NULL ? line->end + 1 : line->end;
        line->number++;
        if (line->end > line->begin && file->text[line->end - 1] == '\r') {
            line->end--;
        }
        if (!is_blank(at, line->end - line->begin)) {
            return true;
        }
    }
    return false;
}
