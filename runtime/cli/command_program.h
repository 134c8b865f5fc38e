/* Commands that are programs of their own, beside this one, because of what they link. */
#ifndef PML_RUNTIME_CLI_COMMAND_PROGRAM_H
#define PML_RUNTIME_CLI_COMMAND_PROGRAM_H

#include "runtime/cli/command.h"

/* "<folder of the running program>/<name>" into path [PATH_MAX]. Errors: IO. */
pml_status pml_program_beside(const char *name, char *path, pml_error *error) PML_WARN_UNUSED;

/* Becomes the program of the command, found in the folder of the running one and nowhere else; argv[0] is the command's
 * name. Comes back only with an error: NOT_FOUND (it is not installed), IO. */
pml_status pml_program_execute(const pml_command *command, int argc, char **argv, pml_error *error) PML_WARN_UNUSED;
/* Runs the program of the command with `arguments` (NULL behind the last; the program's name is not among them), reads
 * `stdin_fd` as its standard input, and drops its standard output. Errors: NOT_FOUND, IO, and for each exit code but 0
 * a status that has that code, the program having told the cause on stderr. */
pml_status pml_program_run(const pml_command *command, const char *const *arguments, int stdin_fd,
                           pml_error *error) PML_WARN_UNUSED;
/* Whether it is there. */
bool pml_program_is_there(const pml_command *command);

#endif
