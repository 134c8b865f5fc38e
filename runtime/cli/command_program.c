#include "runtime/cli/command_program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/alloc.h"

pml_status pml_program_beside(const char *beside, char *path, pml_error *error) {
    const ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (length <= 0) {
        return PML_FAIL(error, PML_E_IO, "cannot tell where this program lies: %s", strerror(errno));
    }
    path[length] = '\0';
    char *name = strrchr(path, '/');
    name = name != NULL ? name + 1 : path;
    const size_t room = PATH_MAX - (size_t)(name - path);
    if ((size_t)snprintf(name, room, "%s", beside) >= room) {
        return PML_FAIL(error, PML_E_IO, "the path of this program is too long");
    }
    return PML_OK;
}

static pml_status find(const pml_command *command, char path[PATH_MAX], pml_error *error) {
    return pml_program_beside(command->program, path, error);
}

bool pml_program_is_there(const pml_command *command) {
    char path[PATH_MAX];
    return find(command, path, NULL) == PML_OK && access(path, X_OK) == 0;
}

/* What execv and posix_spawn report. */
static pml_status cannot_start(const pml_command *command, const char *path, int code, pml_error *error) {
    return PML_FAIL(error, code == ENOENT ? PML_E_NOT_FOUND : PML_E_IO, "'%s' needs the program %s: %s", command->name,
                    path, code == ENOENT ? "it is not installed beside this one" : strerror(code));
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
    PML_TRY(cannot_start(command, path, errno, error));
done:
    pml_free(arguments);
    return status;
}

/* A failure with the exit code that another program of ours ended with. */
static pml_status ended(const pml_command *command, int wait_status, pml_error *error) {
    static const pml_status codes[] = {PML_E_ARGUMENT, PML_E_FORMAT, PML_E_NOT_FOUND, PML_E_IO,
                                       PML_E_CONFIG,   PML_E_BUSY,   PML_E_DENIED};
    if (!WIFEXITED(wait_status)) {
        return PML_FAIL(error, PML_E_IO, "%s was ended by signal %d", command->program, WTERMSIG(wait_status));
    }
    const int code = WEXITSTATUS(wait_status);
    pml_status status = PML_E_MISMATCH;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        status = pml_cli_exit_code(codes[i]) == code ? codes[i] : status;
    }
    return code == 0 ? PML_OK : PML_FAIL(error, status, "%s failed with exit code %d", command->program, code);
}

pml_status pml_program_run(const pml_command *command, const char *const *arguments, int stdin_fd, pml_error *error) {
    enum { MOST_ARGUMENTS = 32 };
    char path[PATH_MAX];
    char *list[MOST_ARGUMENTS] = {path};
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int wait_status = 0;
    pml_status status = find(command, path, error);
    if (status != PML_OK) {
        return status;
    }
    for (size_t i = 0; i + 2 < MOST_ARGUMENTS && arguments[i] != NULL; i++) {
        list[i + 1] = (char *)(uintptr_t)arguments[i]; /* posix_spawn leaves them alone */
    }
    int code = posix_spawn_file_actions_init(&actions);
    if (code == 0) {
        code = posix_spawn_file_actions_adddup2(&actions, stdin_fd, STDIN_FILENO);
        code = code != 0 ? code : posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        code = code != 0 ? code : posix_spawn(&pid, path, &actions, NULL, list, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    if (code != 0) {
        return cannot_start(command, path, code, error);
    }
    while (waitpid(pid, &wait_status, 0) < 0) {
        if (errno != EINTR) {
            return PML_FAIL(error, PML_E_IO, "cannot wait for %s: %s", path, strerror(errno));
        }
    }
    return ended(command, wait_status, error);
}
