/* Parses arguments into the options struct that a table describes. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/choice.h"
#include "runtime/cli/command_parts.h"

/* getopt_long gives FIRST_LONG + the row of the combined table, so that letters never clash with rows. */
enum { FIRST_LONG = 256, MOST_LIST_ITEMS = 65536, MOST_NAMES = 128 };

const pml_option pml_common_option_table[] = {
    {"help", 'h', PML_OPTION_FLAG, NULL, NULL, "show this text", offsetof(pml_common_options, help)},
    {"version", 'V', PML_OPTION_FLAG, NULL, NULL, "show the version", offsetof(pml_common_options, version)},
    {"verbose", 'v', PML_OPTION_COUNT, NULL, NULL, "say more; repeat for more",
     offsetof(pml_common_options, verbosity)},
    {"quiet", 'q', PML_OPTION_FLAG, NULL, NULL, "only results and errors", offsetof(pml_common_options, quiet)},
    {"json", 0, PML_OPTION_FLAG, NULL, NULL, "results as one JSON object", offsetof(pml_common_options, json)},
    {"color", 0, PML_OPTION_TEXT, "WHEN", "auto|always|never", "colour messages", offsetof(pml_common_options, color)},
    {"progress", 0, PML_OPTION_TEXT, "KIND", "auto|bar|plain|none", "progress on stderr",
     offsetof(pml_common_options, progress)},
    {"log-file", 0, PML_OPTION_TEXT, "FILE", NULL, "append diagnostics to FILE",
     offsetof(pml_common_options, log_file)},
    {NULL, 0, PML_OPTION_FLAG, NULL, NULL, NULL, 0},
};

/* Distance in single-character edits, swaps of neighbours included; names are short, so three rows suffice. */
static unsigned edit_distance(const char *a, const char *b) {
    enum { MOST = 64 };
    size_t n_a = strlen(a), n_b = strlen(b);
    if (n_a >= MOST || n_b >= MOST) {
        return MOST;
    }
    unsigned rows[3][MOST + 1];
    for (size_t j = 0; j <= n_b; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= n_a; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n_b; j++) {
            unsigned least = above[j - 1] + (a[i - 1] != b[j - 1]);
            least = above[j] + 1 < least ? above[j] + 1 : least;
            least = row[j - 1] + 1 < least ? row[j - 1] + 1 : least;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && two_above[j - 2] + 1 < least) {
                least = two_above[j - 2] + 1;
            }
            row[j] = least;
        }
    }
    return rows[n_a % 3][n_b];
}

const char *pml_nearest_name(const char *text, const char *const *names, size_t n_names) {
    const char *nearest = NULL;
    unsigned least = 0;
    for (size_t i = 0; i < n_names; i++) {
        unsigned distance = edit_distance(text, names[i]);
        size_t length = strlen(names[i]);
        /* A short name allows one slip, a long one as many as three. */
        unsigned allowed = length < 4 ? 1 : length < 9 ? 2 : 3;
        if (distance <= allowed && (nearest == NULL || distance < least)) {
            nearest = names[i];
            least = distance;
        }
    }
    return nearest;
}

/* The combined table: the command's rows, then the common ones. */
static const pml_option *row_at(const pml_command *command, size_t n_own, size_t i_row) {
    return i_row < n_own ? &command->options[i_row] : &pml_common_option_table[i_row - n_own];
}

static size_t count_rows(const pml_option *table) {
    size_t count = 0;
    while (table != NULL && table[count].name != NULL) {
        count++;
    }
    return count;
}

static pml_status unknown_option(const pml_command *command, const char *argument, int letter, pml_error *error) {
    if (letter != 0) {
        return PML_FAIL(error, PML_E_ARGUMENT, "unknown option -%c", letter);
    }
    char name[64];
    size_t length = strcspn(argument + 2, "=");
    (void)snprintf(name, sizeof name, "%.*s", length > 63 ? 63 : (int)length, argument + 2);
    const char *names[MOST_NAMES];
    size_t n_names = 0, n_own = count_rows(command->options);
    size_t n_rows = n_own + count_rows(pml_common_option_table);
    unsigned n_beginning = 0;
    for (size_t i = 0; i < n_rows && n_names < MOST_NAMES; i++) {
        names[n_names] = row_at(command, n_own, i)->name;
        n_beginning += strncmp(names[n_names], name, strlen(name)) == 0;
        n_names++;
    }
    if (n_beginning > 1) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--%s is short for more than one option", name);
    }
    const char *nearest = pml_nearest_name(name, names, n_names);
    return nearest != NULL ? PML_FAIL(error, PML_E_ARGUMENT, "unknown option --%s; did you mean --%s?", name, nearest)
                           : PML_FAIL(error, PML_E_ARGUMENT, "unknown option --%s", name);
}

static pml_status parse_u64(const pml_option *row, const char *text, uint64_t *value, pml_error *error) {
    uint64_t result = 0;
    for (const char *at = text; *at != '\0' || at == text; at++) {
        if (*at < '0' || *at > '9') {
            return PML_FAIL(error, PML_E_ARGUMENT, "--%s takes a whole number, not '%s'", row->name, text);
        }
        unsigned digit = (unsigned)(*at - '0');
        if (__builtin_mul_overflow(result, 10u, &result) || __builtin_add_overflow(result, digit, &result)) {
            return PML_FAIL(error, PML_E_ARGUMENT, "--%s: %s is too large", row->name, text);
        }
    }
    *value = result;
    return PML_OK;
}

static pml_status store(const pml_option *row, void *options, const char *text, pml_error *error) {
    char *field = (char *)options + row->offset;
    if (row->kind == PML_OPTION_FLAG) {
        *(bool *)(void *)field = true;
        return PML_OK;
    }
    if (row->kind == PML_OPTION_COUNT) {
        ++*(unsigned *)(void *)field;
        return PML_OK;
    }
    if (row->choices != NULL && !pml_choice_has(row->choices, text)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--%s must be one of %s, not '%s'", row->name, row->choices, text);
    }
    if (row->kind == PML_OPTION_TEXT) {
        *(const char **)(void *)field = text;
        return PML_OK;
    }
    if (row->kind == PML_OPTION_U64) {
        pml_option_u64 *number = (pml_option_u64 *)(void *)field;
        number->is_set = true;
        return parse_u64(row, text, &number->value, error);
    }
    pml_option_list *list = (pml_option_list *)(void *)field;
    /* Grown by one copy per item: lists of options are short. */
    const char **items = NULL;
    pml_status status = list->count >= MOST_LIST_ITEMS
                            ? PML_FAIL(error, PML_E_ARGUMENT, "--%s is given too often", row->name)
                            : pml_alloc(list->count + 1, sizeof *items, &items, error);
    if (status == PML_OK) {
        if (list->count > 0) {
            memcpy(items, list->items, list->count * sizeof *items);
        }
        pml_free(list->items);
        items[list->count] = text;
        list->items = items;
        list->count++;
    }
    return status;
}

static const pml_option *find_letter(const pml_command *command, size_t n_own, size_t n_rows, int letter) {
    for (size_t i = 0; i < n_rows; i++) {
        if (row_at(command, n_own, i)->letter == letter) {
            return row_at(command, n_own, i);
        }
    }
    return NULL;
}

static pml_status check_operands(const pml_command *command, const pml_parsed *parsed, pml_error *error) {
    if (parsed->n_operands < command->least_operands) {
        return PML_FAIL(error, PML_E_ARGUMENT, "missing operand: expected %s", command->operands);
    }
    if (parsed->n_operands > command->most_operands) {
        return PML_FAIL(error, PML_E_ARGUMENT, "unexpected operand '%s'", parsed->operands[command->most_operands]);
    }
    return PML_OK;
}

/* The row that an alias stands for; any other row itself. Sharing its value, an alias never makes the beginning of a
 * name ambiguous. */
static size_t meant_row(const pml_command *command, size_t n_own, size_t i_row) {
    const pml_option *row = row_at(command, n_own, i_row);
    for (size_t i = 0; row->help == NULL && i < n_own; i++) {
        const pml_option *other = &command->options[i];
        if (other->help != NULL && other->offset == row->offset && other->kind == row->kind) {
            return i;
        }
    }
    return i_row;
}

pml_status pml_parsed_read(const pml_command *command, int argc, char **argv, pml_parsed *parsed, pml_error *error) {
    pml_status status = PML_OK;
    struct option *table = NULL;
    size_t n_own = count_rows(command->options);
    size_t n_rows = n_own + count_rows(pml_common_option_table);
    char letters[2 * MOST_NAMES + 2];
    size_t n_letters = 0;
    letters[n_letters++] = ':'; /* tells a missing argument from an unknown option */
    PML_TRY(pml_alloc(1, command->options_bytes, &parsed->options, error));
    PML_TRY(pml_alloc(n_rows + 1, sizeof *table, &table, error));
    for (size_t i = 0; i < n_rows; i++) {
        const pml_option *row = row_at(command, n_own, i);
        bool takes = row->argument != NULL;
        table[i] = (struct option){row->name, takes ? required_argument : no_argument, NULL,
                                   FIRST_LONG + (int)meant_row(command, n_own, i)};
        if (row->letter != 0 && n_letters + 3 < sizeof letters) {
            letters[n_letters++] = row->letter;
            if (takes) {
                letters[n_letters++] = ':';
            }
        }
    }
    letters[n_letters] = '\0';
    opterr = 0;
    optind = 0; /* getopt is process-wide: start afresh */
    for (int got = getopt_long(argc, argv, letters, table, NULL); got != -1;
         got = getopt_long(argc, argv, letters, table, NULL)) {
        int value = got == '?' || got == ':' ? optopt : got;
        const pml_option *row = value >= FIRST_LONG ? row_at(command, n_own, (size_t)(value - FIRST_LONG))
                                                    : find_letter(command, n_own, n_rows, value);
        if (got == ':') {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--%s needs an argument", row != NULL ? row->name : "?"));
        }
        if (got == '?' && row != NULL && value != 0) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--%s takes no argument", row->name));
        }
        if (got == '?' || row == NULL) {
            PML_TRY(unknown_option(command, argv[optind - 1], value, error));
        }
        PML_TRY(store(row, parsed->options, optarg, error));
    }
    parsed->operands = argv + optind;
    parsed->n_operands = (unsigned)(argc - optind);
    const pml_common_options *common = parsed->options;
    if (!common->help && !common->version) {
        PML_TRY(check_operands(command, parsed, error));
    }
done:
    pml_free(table);
    return status;
}

void pml_parsed_deinit(const pml_command *command, pml_parsed *parsed) {
    for (size_t i = 0; parsed->options != NULL && i < count_rows(command->options); i++) {
        if (command->options[i].kind == PML_OPTION_LIST) {
            pml_option_list *list = (pml_option_list *)(void *)((char *)parsed->options + command->options[i].offset);
            pml_free(list->items);
            list->items = NULL; /* an alias row may share the field */
        }
    }
    pml_free(parsed->options);
    *parsed = (pml_parsed){0};
}
