#include "convert/batch/manifest_line.h"

#include <string.h>

#include "convert/batch/job_options.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/quote.h"

enum { MOST_FIELD_BYTES = 65536 };

/* The first name of each row is ours; others call it differently. */
static const struct {
    const char *name;
    pml_line_field field;
} names[] = {
    {"source", PML_LINE_SOURCE},   {"repo", PML_LINE_SOURCE},   {"revision", PML_LINE_REVISION},
    {"commit", PML_LINE_REVISION}, {"dtype", PML_LINE_DTYPE},   {"outtype", PML_LINE_DTYPE},
    {"options", PML_LINE_OPTIONS}, {"output", PML_LINE_OUTPUT}, {"id", PML_LINE_ID},
};
enum { N_NAMES = sizeof names / sizeof names[0] };

static bool find_field(const char *text, size_t length, pml_line_field *field) {
    for (size_t i = 0; i < N_NAMES; i++) {
        if (strlen(names[i].name) == length && strncmp(names[i].name, text, length) == 0) {
            *field = names[i].field;
            return true;
        }
    }
    return false;
}

static pml_status add_option(pml_manifest_line *line, const char *text, size_t length, pml_arena *texts,
                             pml_error *error) {
    if (line->n_options == PML_LINE_MAX_OPTIONS) {
        return PML_FAIL(error, PML_E_CONFIG, "more than %d options", PML_LINE_MAX_OPTIONS);
    }
    pml_status status = pml_arena_text(texts, text, length, &line->options[line->n_options], error);
    line->n_options += status == PML_OK;
    return status;
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static pml_status read_json_options(pml_json_reader *reader, pml_arena *texts, pml_manifest_line *line,
                                    pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_expect(reader, PML_JSON_ARRAY_BEGIN, "a list of options", error));
    for (;;) {
        PML_TRY(pml_json_next(reader, error));
        if (reader->token == PML_JSON_ARRAY_END) {
            goto done;
        }
        if (reader->token != PML_JSON_STRING) {
            PML_TRY(pml_json_fail(reader, error, "an option is a text such as \"--layout=row\""));
        }
        PML_TRY(add_option(line, reader->text, reader->text_bytes, texts, error));
    }
done:
    return status;
}

static pml_status read_member(pml_json_reader *reader, pml_arena *texts, pml_manifest_line *line, pml_error *error) {
    pml_status status = PML_OK;
    pml_line_field field = PML_LINE_FIELDS;
    if (!find_field(reader->text, reader->text_bytes, &field)) {
        PML_TRY(pml_json_fail(reader, error, "unknown key; known are id, source, revision, dtype, options, output"));
    }
    if (field == PML_LINE_OPTIONS) {
        PML_TRY(read_json_options(reader, texts, line, error));
        goto done;
    }
    if (line->fields[field] != NULL) {
        PML_TRY(pml_json_fail(reader, error, "given twice"));
    }
    PML_TRY(pml_json_next(reader, error));
    if (reader->token == PML_JSON_STRING && reader->text_bytes > 0) {
        PML_TRY(pml_arena_text(texts, reader->text, reader->text_bytes, &line->fields[field], error));
    } else if (reader->token != PML_JSON_NULL && reader->token != PML_JSON_STRING) {
        PML_TRY(pml_json_fail(reader, error, "expected a text"));
    }
done:
    return status;
}

static pml_status read_json(const char *text, size_t length, const char *name, pml_arena *texts,
                            pml_manifest_line *line, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader reader;
    pml_json_reader_init(&reader, text, length, 0, name, MOST_FIELD_BYTES);
    PML_TRY(pml_json_expect(&reader, PML_JSON_OBJECT_BEGIN, "an object", error));
    for (;;) {
        PML_TRY(pml_json_next(&reader, error));
        if (reader.token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(read_member(&reader, texts, line, error));
    }
    PML_TRY(pml_json_expect(&reader, PML_JSON_END, "nothing more", error));
done:
    pml_json_reader_deinit(&reader);
    return status;
}

/* ---- columns ----------------------------------------------------------------------------------------------------- */

static pml_status split_options(const char *text, size_t length, pml_arena *texts, pml_manifest_line *line,
                                pml_error *error) {
    pml_status status = PML_OK;
    for (size_t at = 0; at < length;) {
        size_t width = 0;
        while (at + width < length && text[at + width] != ' ') {
            width++;
        }
        if (width > 0) {
            PML_TRY(add_option(line, text + at, width, texts, error));
        }
        at += width + 1;
    }
done:
    return status;
}

/* Whether every column is a known name, "source" among them. */
static bool read_header(const char *text, size_t length, pml_manifest_columns *columns) {
    pml_manifest_columns found = {.count = 0};
    bool has_source = false;
    for (const char *end = text + length; text <= end;) {
        const char *tab = memchr(text, '\t', (size_t)(end - text));
        const size_t width = (size_t)((tab != NULL ? tab : end) - text);
        if (found.count == sizeof found.fields / sizeof found.fields[0] ||
            !find_field(text, width, &found.fields[found.count])) {
            return false;
        }
        has_source = has_source || found.fields[found.count] == PML_LINE_SOURCE;
        found.count++;
        text += width + 1;
    }
    if (has_source) {
        *columns = found;
    }
    return has_source;
}

static pml_status read_columns(const char *text, size_t length, pml_manifest_columns *columns, pml_arena *texts,
                               pml_manifest_line *line, pml_error *error) {
    pml_status status = PML_OK;
    const char *const end = text + length;
    for (size_t i = 0; text <= end; i++) {
        const char *tab = memchr(text, '\t', (size_t)(end - text));
        const size_t width = (size_t)((tab != NULL ? tab : end) - text);
        if (i >= columns->count) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "more than %zu columns", columns->count));
        }
        if (width > 0 && !(width == 1 && text[0] == '-')) {
            if (columns->fields[i] == PML_LINE_OPTIONS) {
                PML_TRY(split_options(text, width, texts, line, error));
            } else {
                PML_TRY(pml_arena_text(texts, text, width, &line->fields[columns->fields[i]], error));
            }
        }
        text += width + 1;
    }
done:
    return status;
}

pml_status pml_manifest_line_read(const char *text, size_t length, const char *name, size_t i_line,
                                  pml_manifest_columns *columns, pml_arena *texts, pml_manifest_line *line,
                                  pml_error *error) {
    static const pml_manifest_columns usual = {
        {PML_LINE_SOURCE, PML_LINE_REVISION, PML_LINE_DTYPE, PML_LINE_OPTIONS, PML_LINE_OUTPUT}, 5};
    pml_status status = PML_OK;
    pml_quoted quoted;
    *line = (pml_manifest_line){0};
    if (columns->count == 0) {
        *columns = usual;
    }
    if (memchr(text, '\0', length) != NULL) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "a zero byte"));
    }
    if (text[0] == '{') {
        PML_TRY(read_json(text, length, name, texts, line, error));
    } else if (memchr(text, '\t', length) == NULL) {
        PML_TRY(pml_arena_text(texts, text, length, &line->fields[PML_LINE_SOURCE], error));
    } else if (read_header(text, length, columns)) {
        line->is_header = true;
    } else {
        PML_TRY(read_columns(text, length, columns, texts, line, error));
    }
    if (!line->is_header && line->fields[PML_LINE_SOURCE] == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "no source"));
    }
done:
    if (status == PML_E_FORMAT) {
        status = PML_E_CONFIG;
    }
    return status == PML_OK ? status
                            : pml_error_prefix(error, status, "%s, line %zu", pml_quote(&quoted, name), i_line);
}
