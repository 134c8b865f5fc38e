/* What the parts of the command frame share among themselves. Commands need only runtime/cli/command.h. */
#ifndef PML_RUNTIME_CLI_COMMAND_PARTS_H
#define PML_RUNTIME_CLI_COMMAND_PARTS_H

#include "runtime/cli/command.h"

/* The options that every command accepts, as a table over pml_common_options. Ends with a NULL name. */
extern const pml_option pml_common_option_table[];

/* What parsing found. Zero = safe to deinit. */
typedef struct pml_parsed {
    void *options;   /* the command's options struct, owned; so it starts with pml_common_options */
    char **operands; /* into argv */
    unsigned n_operands;
} pml_parsed;

/* Reads the arguments that follow the command's name (`argv[0]` is skipped; argv is permuted). Operands are counted
 * only when neither help nor version was asked for. Errors: ARGUMENT, naming the option and the nearest known one. */
pml_status pml_parsed_read(const pml_command *command, int argc, char **argv, pml_parsed *parsed,
                           pml_error *error) PML_WARN_UNUSED;
void pml_parsed_deinit(const pml_command *command, pml_parsed *parsed);

/* The name among `n_names` that `text` most likely meant, or NULL when none is near. */
const char *pml_nearest_name(const char *text, const char *const *names, size_t n_names);

void pml_help_program(const char *program, const char *summary, const pml_command *const *commands,
                      const pml_command *default_command);
void pml_help_command(const char *program, const pml_command *command, bool is_default);

/* Installs the handlers once; `program` must live as long as the process. */
void pml_signals_install(const char *program);
/* The signal that asked the process to stop, or 0. */
int pml_signals_stopped_by(void);
/* Ends the process by that signal, as if it had never been caught. */
void pml_signals_reraise(int signal_number);

/* Removes a half-drawn progress bar from the terminal before other text is written to stderr. */
void pml_progress_clear(void);
/* True when `choice` (auto, always, never) means colour on stderr. */
bool pml_cli_color_wanted(const char *choice);

#endif
