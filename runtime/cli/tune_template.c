/* Command lines with places for parameters: split once, before any value is known, so that no value can become another
 * argument, let alone a command. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/cli/tune_parts.h"

enum { MOST_PIECES = 4096, MOST_BYTES = 1 << 20 };

/* ---- splitting ---- */
/* Reads one piece from *at on into `piece`, which has room for all that is left. */
static pml_status read_piece(const char **at, char *piece, pml_error *error) {
    char quote = '\0';
    const char *c = *at;
    for (; *c != '\0' && (quote != '\0' || strchr(" \t\n", *c) == NULL); c++) {
        if (quote == '\0' && (*c == '\'' || *c == '"')) {
            quote = *c;
        } else if (*c == quote) {
            quote = '\0';
        } else if (*c == '\\' && quote != '\'' && c[1] != '\0') {
            *piece++ = *++c;
        } else {
            *piece++ = *c;
        }
    }
    *piece = '\0';
    *at = c;
    return quote == '\0' ? PML_OK
                         : PML_FAIL(error, PML_E_ARGUMENT, "--command: a quote %c without its other half", quote);
}

/* ---- places ---- */
typedef struct place {
    size_t length;    /* of text or name */
    bool is_name;     /* in braces */
    const char *text; /* into the piece */
    size_t consumed;  /* of the piece */
} place;

/* The next stretch of a piece: plain text up to a brace, a brace, or a name. */
static pml_status next_place(const char *at, place *p, pml_error *error) {
    if ((at[0] == '{' || at[0] == '}') && at[1] == at[0]) {
        *p = (place){1, false, at, 2};
        return PML_OK;
    }
    if (at[0] == '{') {
        const size_t length = strcspn(at + 1, "{}");
        *p = (place){length, true, at + 1, length + 2};
        return at[1 + length] == '}'
                   ? PML_OK
                   : PML_FAIL(error, PML_E_ARGUMENT, "--command: '{' without '}'; a brace itself is written twice");
    }
    if (at[0] == '}') {
        return PML_FAIL(error, PML_E_ARGUMENT, "--command: '}' without '{'; a brace itself is written twice");
    }
    const size_t length = strcspn(at, "{}");
    *p = (place){length, false, at, length};
    return PML_OK;
}

static size_t find_parameter(const pml_space *space, const place *p) {
    for (size_t i = 0; i < space->n_parameters; i++) {
        const char *name = space->parameters[i].name;
        if (strlen(name) == p->length && memcmp(name, p->text, p->length) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static bool is_trial(const place *p) {
    return p->length == 5 && memcmp(p->text, "trial", 5) == 0;
}

static pml_status check_piece(const char *piece, const pml_space *space, pml_error *error) {
    pml_status status = PML_OK;
    place p;
    for (const char *at = piece; *at != '\0'; at += p.consumed) {
        PML_TRY(next_place(at, &p, error));
        if (p.is_name && !is_trial(&p) && find_parameter(space, &p) == SIZE_MAX) {
            char name[128];
            pml_quoted quoted;
            (void)snprintf(name, sizeof name, "%.*s", (int)(p.length < 120 ? p.length : 120), p.text);
            PML_TRY(
                PML_FAIL(error, PML_E_ARGUMENT, "--command: the space has no parameter %s", pml_quote(&quoted, name)));
        }
    }
done:
    return status;
}

pml_status pml_command_template_parse(const char *text, const pml_space *space, pml_command_template *template,
                                      pml_error *error) {
    pml_status status = PML_OK;
    pml_command_template t = {0};
    char *piece = NULL;
    size_t capacity = 0;
    if (strlen(text) > MOST_BYTES) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--command is too long"));
    }
    PML_TRY(pml_alloc(strlen(text) + 1, 1, &piece, error));
    for (const char *at = text + strspn(text, " \t\n"); *at != '\0'; at += strspn(at, " \t\n")) {
        PML_TRY(read_piece(&at, piece, error));
        PML_TRY(check_piece(piece, space, error));
        PML_TRY(pml_grow(&t.pieces, &capacity, t.n_pieces + 1, sizeof *t.pieces, MOST_PIECES, "arguments", error));
        PML_TRY(pml_string_copy(piece, strlen(piece), &t.pieces[t.n_pieces], error));
        t.n_pieces++;
    }
    if (t.n_pieces == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--command names no program"));
    }
    *template = t;
    t = (pml_command_template){0};
done:
    pml_free(piece);
    pml_command_template_deinit(&t);
    return status;
}

void pml_command_template_deinit(pml_command_template *template) {
    for (size_t i = 0; i < template->n_pieces; i++) {
        pml_free(template->pieces[i]);
    }
    pml_free(template->pieces);
    *template = (pml_command_template){0};
}

/* ---- filling in ---- */
typedef struct text_buffer {
    char *bytes;
    size_t length, capacity;
} text_buffer;

static pml_status add(text_buffer *b, const char *text, size_t length, pml_error *error) {
    const pml_status status =
        pml_grow(&b->bytes, &b->capacity, b->length + length + 1, 1, SIZE_MAX / 2, "bytes", error);
    if (status == PML_OK) {
        memcpy(b->bytes + b->length, text, length);
        b->length += length;
        b->bytes[b->length] = '\0';
    }
    return status;
}

/* *is_there becomes false where the parameter is not. */
static pml_status add_name(text_buffer *b, const place *p, const pml_space *space, const double *values, uint64_t trial,
                           bool *is_there, pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL, number[24];
    const size_t i = find_parameter(space, p); /* one that is called "trial" comes before the number */
    if (i == SIZE_MAX) {
        const int length = snprintf(number, sizeof number, "%llu", (unsigned long long)trial);
        PML_TRY(add(b, number, (size_t)length, error));
    } else if (isnan(values[i])) {
        *is_there = false;
    } else {
        PML_TRY(pml_distribution_value_text(&space->parameters[i].distribution, values[i], &text, error));
        PML_TRY(add(b, text, strlen(text), error));
    }
done:
    pml_free(text);
    return status;
}

static pml_status fill_piece(const char *piece, const pml_space *space, const double *values, uint64_t trial,
                             char **filled, pml_error *error) {
    pml_status status = PML_OK;
    text_buffer b = {0};
    bool is_there = true;
    place p;
    PML_TRY(add(&b, "", 0, error));
    for (const char *at = piece; *at != '\0' && is_there; at += p.consumed) {
        PML_TRY(next_place(at, &p, error));
        PML_TRY(p.is_name ? add_name(&b, &p, space, values, trial, &is_there, error)
                          : add(&b, p.text, p.length, error));
    }
    if (is_there) {
        *filled = b.bytes;
        b.bytes = NULL;
    }
done:
    pml_free(b.bytes);
    return status;
}

void pml_command_arguments_destroy(char **arguments) {
    for (size_t i = 0; arguments != NULL && arguments[i] != NULL; i++) {
        pml_free(arguments[i]);
    }
    pml_free(arguments);
}

pml_status pml_command_template_fill(const pml_command_template *template, const pml_space *space, const double *values,
                                     uint64_t trial, char ***arguments, pml_error *error) {
    pml_status status = PML_OK;
    char **list = NULL;
    size_t n = 0;
    PML_TRY(pml_alloc(template->n_pieces + 1, sizeof *list, &list, error));
    for (size_t i = 0; i < template->n_pieces; i++) {
        PML_TRY(fill_piece(template->pieces[i], space, values, trial, &list[n], error));
        n += list[n] != NULL;
    }
    if (n == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--command: nothing is left of it in this trial"));
    }
    *arguments = list;
    list = NULL;
done:
    pml_command_arguments_destroy(list);
    return status;
}
