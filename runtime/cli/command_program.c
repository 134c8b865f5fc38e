#include "runtime/cli/command_program.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/alloc.h"

/* The program's path, beside this one. */
static pml_status find(const pml_command *command, char path[PATH_MAX], pml_error *error) {
    const ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (length <= 0) {
        return PML_FAIL(error, PML_E_IO, "cannot tell where this program lies: %s", strerror(errno));
    }
    path[length] = '\0';
    char *name = strrchr(path, '/');
    name = name != NULL ? name + 1 : path;
    const size_t room = PATH_MAX - (size_t)(name - path);
    if ((size_t)snprintf(name, room, "%s", command->program) >= room) {
        return PML_FAIL(error, PML_E_IO, "the path of this program is too long");
    }
    return PML_OK;
}

bool pml_program_is_there(const pml_command *command) {
    char path[PATH_MAX];
    return find(command, path, NULL) == PML_OK && access(path, X_OK) == 0;
}

pml_status pml_program_execute(const pml_command *command, int argc, char **argv, pml_error *error) {
    pml_status status = PML_OK;
    char path[PATH_MAX];
    char **arguments = NULL;
    size_t n = 0;
    PML_TRY(find(command, path, error));
    PML_TRY(pml_alloc((size_t)argc + 2, sizeof *arguments, &arguments, error));
    arguments[n++] = path;
    for (int i = command->program_has_commands ? 0 : 1; i < argc; i++) {
        arguments[n++] = argv[i];
    }
    (void)execv(path, arguments);
    const bool is_missing = errno == ENOENT;
    PML_TRY(PML_FAIL(error, is_missing ? PML_E_NOT_FOUND : PML_E_IO, "'%s' needs the program %s: %s", command->name,
                     path, is_missing ? "it is not installed beside this one" : strerror(errno)));
done:
    pml_free(arguments);
    return status;
}
