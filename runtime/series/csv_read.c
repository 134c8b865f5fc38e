/* The reading of CSV, by libcsv. */
#include <csv.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/input.h"
#include "runtime/series/csv.h"

/* libcsv's buffer for one field: allocated once, never grown, so that an unclosed quote cannot swallow the file. */
enum { FIELD_BUFFER_BYTES = 2 * PML_MAX_CSV_FIELD_BYTES, READ_BYTES = 65536 };

typedef struct reader {
    const char *file_name;
    pml_csv_record_fn *record;
    void *user;
    struct csv_parser parser;
    uint64_t line;     /* of the bytes being read, from 1 */
    bool after_return; /* the byte before was CR: an LF now ends no further line */
    char *text;        /* the fields of the record so far, each zero-terminated */
    size_t n_text, text_capacity;
    size_t *offsets; /* of each field in text */
    size_t n_fields, offsets_capacity;
    const char **fields;
    size_t fields_capacity;
    size_t n_columns; /* of the header; 0: not read yet */
    pml_status status;
    pml_error *error;
} reader;

static void *allocate_field(void *pointer, size_t size_bytes) {
    void *made = NULL;
    if (pointer != NULL || size_bytes > FIELD_BUFFER_BYTES || pml_alloc_raw(1, size_bytes, &made, NULL) != PML_OK) {
        return NULL;
    }
    return made;
}

static void on_field(void *bytes, size_t length, void *user) {
    reader *r = user;
    pml_status status;
    PML_TRY(r->status); /* libcsv cannot be stopped in the middle of a piece */
    if (length > PML_MAX_CSV_FIELD_BYTES) {
        PML_TRY(PML_FAIL(r->error, PML_E_FORMAT, "%s, line %llu: a field is longer than %u bytes", r->file_name,
                         (unsigned long long)r->line, PML_MAX_CSV_FIELD_BYTES));
    }
    if (r->n_columns > 0 && r->n_fields == r->n_columns) {
        PML_TRY(PML_FAIL(r->error, PML_E_FORMAT, "%s, line %llu: more fields than the header's %zu", r->file_name,
                         (unsigned long long)r->line, r->n_columns));
    }
    status = pml_grow(&r->offsets, &r->offsets_capacity, r->n_fields + 1, sizeof *r->offsets, PML_MAX_CSV_COLUMNS,
                      "columns", r->error);
    if (status != PML_OK) {
        PML_TRY(pml_error_prefix(r->error, status, "%s, line %llu", r->file_name, (unsigned long long)r->line));
    }
    PML_TRY(
        pml_grow(&r->text, &r->text_capacity, r->n_text + length + 1, 1, SIZE_MAX / 4, "bytes in a record", r->error));
    memcpy(r->text + r->n_text, bytes, length);
    r->text[r->n_text + length] = '\0';
    r->offsets[r->n_fields++] = r->n_text;
    r->n_text += length + 1;
done:
    r->status = status;
}

static void on_record(int terminator, void *user) {
    reader *r = user;
    pml_status status;
    (void)terminator;
    PML_TRY(r->status);
    if (r->n_columns == 0) {
        r->n_columns = r->n_fields;
    } else if (r->n_fields < r->n_columns) {
        PML_TRY(PML_FAIL(r->error, PML_E_FORMAT, "%s, line %llu: %zu field%s where the header has %zu", r->file_name,
                         (unsigned long long)r->line, r->n_fields, r->n_fields == 1 ? "" : "s", r->n_columns));
    }
    PML_TRY(pml_grow(&r->fields, &r->fields_capacity, r->n_fields, sizeof *r->fields, PML_MAX_CSV_COLUMNS, "columns",
                     r->error));
    for (size_t i = 0; i < r->n_fields; i++) {
        r->fields[i] = r->text + r->offsets[i];
    }
    PML_TRY(r->record(r->user, r->fields, r->n_fields, r->line, r->error));
    r->n_fields = 0;
    r->n_text = 0;
done:
    r->status = status;
}

static pml_status parser_error(reader *r) {
    unsigned long long line = r->line;
    switch (csv_error(&r->parser)) {
    case CSV_EPARSE:
        return PML_FAIL(r->error, PML_E_FORMAT, "%s, line %llu: a quote out of place or not closed", r->file_name,
                        line);
    case CSV_ENOMEM:
        if (r->parser.entry_size >= FIELD_BUFFER_BYTES) {
            return PML_FAIL(r->error, PML_E_FORMAT, "%s, line %llu: a field is longer than %u bytes", r->file_name,
                            line, PML_MAX_CSV_FIELD_BYTES);
        }
        return PML_FAIL(r->error, PML_E_MEMORY, "%s: not enough memory", r->file_name);
    default:
        return PML_FAIL(r->error, PML_E_FORMAT, "%s, line %llu: not CSV", r->file_name, line);
    }
}

/* Feeds bytes line by line, so that messages know their line and an error stops the reading soon. */
static pml_status feed(reader *r, const char *bytes, size_t size_bytes) {
    for (size_t begin = 0; begin < size_bytes;) {
        size_t end = begin;
        while (end < size_bytes && bytes[end] != '\n' && bytes[end] != '\r' && bytes[end] != '\0') {
            end++;
        }
        if (end < size_bytes && bytes[end] == '\0') {
            return PML_FAIL(r->error, PML_E_FORMAT, "%s, line %llu: a NUL byte; the text must be UTF-8", r->file_name,
                            (unsigned long long)r->line);
        }
        bool ends_line = end < size_bytes;
        bool is_second = ends_line && r->after_return && end == begin && bytes[end] == '\n';
        size_t length = end - begin + (ends_line ? 1 : 0);
        if (csv_parse(&r->parser, bytes + begin, length, on_field, on_record, r) != length) {
            return parser_error(r);
        }
        if (r->status != PML_OK) {
            return r->status;
        }
        r->line += ends_line && !is_second;
        if (is_second) {
            r->after_return = false;
        } else {
            r->after_return = ends_line && bytes[end] == '\r';
        }
        begin += length;
    }
    return PML_OK;
}

static pml_status start(reader *r, const char *file_name, pml_csv_record_fn *record, void *user, pml_error *error) {
    *r = (reader){.file_name = file_name, .record = record, .user = user, .line = 1, .error = error};
    if (csv_init(&r->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0) {
        return PML_FAIL(error, PML_E_MEMORY, "%s: not enough memory", file_name);
    }
    csv_set_realloc_func(&r->parser, allocate_field);
    csv_set_free_func(&r->parser, pml_free);
    csv_set_blk_size(&r->parser, FIELD_BUFFER_BYTES);
    return PML_OK;
}

static pml_status end_text(reader *r) {
    if (csv_fini(&r->parser, on_field, on_record, r) != 0) {
        return parser_error(r);
    }
    if (r->status == PML_OK && r->n_columns == 0) {
        return PML_FAIL(r->error, PML_E_FORMAT, "%s: no header row; the file is empty", r->file_name);
    }
    return r->status;
}

static void release(reader *r) {
    csv_free(&r->parser);
    pml_free(r->text);
    pml_free(r->offsets);
    pml_free(r->fields);
}

static size_t mark_bytes(const char *bytes, size_t size_bytes) {
    return size_bytes >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

pml_status pml_csv_parse(const void *bytes, size_t size_bytes, const char *file_name, pml_csv_record_fn *record,
                         void *user, pml_error *error) {
    pml_status status = PML_OK;
    reader r;
    size_t skipped = mark_bytes(bytes, size_bytes);
    PML_TRY(start(&r, file_name, record, user, error));
    PML_TRY(feed(&r, (const char *)bytes + skipped, size_bytes - skipped));
    PML_TRY(end_text(&r));
done:
    release(&r);
    return status;
}

/* Fills the buffer unless the file ends. */
static pml_status read_some(int fd, const char *path, char *buffer, size_t *size_bytes, pml_error *error) {
    size_t used = 0;
    while (used < READ_BYTES) {
        ssize_t got = read(fd, buffer + used, READ_BYTES - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return PML_FAIL(error, PML_E_IO, "%s: %s", path, strerror(errno));
        }
        if (got == 0) {
            break;
        }
        used += (size_t)got;
    }
    *size_bytes = used;
    return PML_OK;
}

pml_status pml_csv_read(const char *path, pml_csv_record_fn *record, void *user, pml_error *error) {
    pml_status status = PML_OK;
    int fd = -1;
    char *buffer = NULL;
    reader r;
    bool is_first = true;
    size_t size_bytes = 0;
    uint64_t file_bytes = 0;
    PML_TRY(start(&r, path, record, user, error));
    PML_TRY(pml_input_open(path, PML_E_ARGUMENT, &fd, &file_bytes, error));
    PML_TRY(pml_alloc(READ_BYTES, 1, &buffer, error));
    do {
        PML_TRY(pml_cancel_check(error));
        PML_TRY(read_some(fd, path, buffer, &size_bytes, error));
        size_t skipped = is_first ? mark_bytes(buffer, size_bytes) : 0;
        PML_TRY(feed(&r, buffer + skipped, size_bytes - skipped));
        is_first = false;
    } while (size_bytes == READ_BYTES);
    PML_TRY(end_text(&r));
done:
    if (fd >= 0) {
        (void)close(fd);
    }
    pml_free(buffer);
    release(&r);
    return status;
}
