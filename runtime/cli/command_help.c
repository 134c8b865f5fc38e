/* Help texts, made from the option tables. */
#include <stdio.h>
#include <string.h>

#include "runtime/cli/command_parts.h"
#include "runtime/cli/command_program.h"

enum { WIDTH = 80, HELP_COLUMN = 26 };

/* Prints `text` from `column` on, broken at blanks so that no line passes WIDTH. */
static void print_wrapped(const char *text, unsigned column) {
    unsigned at = column;
    for (const char *word = text; *word != '\0';) {
        size_t length = strcspn(word, " ");
        if (at > column && at + 1 + length > WIDTH) {
            (void)printf("\n%*s", (int)column, "");
            at = column;
        }
        (void)printf("%s%.*s", at > column ? " " : "", (int)length, word);
        at += (unsigned)length + (at > column);
        word += length + (word[length] == ' ');
    }
    (void)printf("\n");
}

static void print_option(const pml_option *row) {
    char left[96], help[256];
    char letter[8] = "    ";
    if (row->letter != 0) {
        (void)snprintf(letter, sizeof letter, "-%c, ", row->letter);
    }
    int width = snprintf(left, sizeof left, "  %s--%s%s%s", letter, row->name, row->argument != NULL ? " " : "",
                         row->argument != NULL ? row->argument : "");
    bool names_choices = row->choices != NULL && strcmp(row->choices, row->argument) != 0;
    (void)snprintf(help, sizeof help, "%s%s%s", row->help, names_choices ? ": " : "",
                   names_choices ? row->choices : "");
    if (width >= HELP_COLUMN) {
        (void)printf("%s  ", left);
        print_wrapped(help, (unsigned)width + 2);
    } else {
        (void)printf("%-*s", HELP_COLUMN, left);
        print_wrapped(help, HELP_COLUMN);
    }
}

/* The common options take two lines, so that the help of a command fits one screen. */
static void print_common(void) {
    char line[512] = "Every command:";
    size_t used = strlen(line);
    for (const pml_option *row = pml_common_option_table; row->name != NULL; row++) {
        char letter[8] = "";
        if (row->letter != 0) {
            (void)snprintf(letter, sizeof letter, "-%c/", row->letter);
        }
        const char *value = row->choices != NULL ? row->choices : row->argument;
        int width = snprintf(line + used, sizeof line - used, " %s--%s%s%s", letter, row->name,
                             value != NULL ? "=" : "", value != NULL ? value : "");
        used += width > 0 ? (size_t)width : 0;
    }
    print_wrapped(line, 2);
}

static void print_examples(const char *examples) {
    if (examples == NULL || examples[0] == '\0') {
        return;
    }
    (void)printf("Examples:\n");
    for (const char *line = examples; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        (void)printf("  %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

void pml_help_command(const char *program, const pml_command *command, bool is_default) {
    bool has_operands = command->operands != NULL && command->operands[0] != '\0';
    (void)printf("Usage: %s %s%s%s%s[options]\n", program, is_default ? "" : command->name, is_default ? "" : " ",
                 has_operands ? command->operands : "", has_operands ? " " : "");
    print_wrapped(command->summary, 0);
    bool any = false;
    for (const pml_option *row = command->options; row != NULL && row->name != NULL; row++) {
        if (row->help != NULL) {
            (void)printf("%s", any ? "" : "Options:\n");
            print_option(row);
            any = true;
        }
    }
    print_common();
    print_examples(command->examples);
}

void pml_help_program(const char *program, const char *summary, const pml_command *const *commands,
                      const pml_command *default_command) {
    if (default_command != NULL) {
        (void)printf("Usage: %s %s [options]\n   or: %s COMMAND [operands] [options]\n", program,
                     default_command->operands, program);
    } else {
        (void)printf("Usage: %s COMMAND [operands] [options]\n", program);
    }
    print_wrapped(summary, 0);
    (void)printf("Commands ('%s COMMAND --help' explains one):\n", program);
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (commands[i]->program != NULL && !pml_program_is_there(commands[i])) {
            continue;
        }
        (void)printf("  %-12s ", commands[i]->name);
        print_wrapped(commands[i]->summary, 15);
    }
    print_common();
}
