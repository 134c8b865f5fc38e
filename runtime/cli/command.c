#include "runtime/cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cpu_count.h"
#include "runtime/base/utf8.h"
#include "runtime/base/version.h"
#include "runtime/cli/command_parts.h"
#include "runtime/cli/command_program.h"
#include "runtime/kernels/kernels.h"

typedef struct frame { /* of one call of pml_cli_main */
    const char *program;
    const pml_common_options *common; /* NULL until a command's options were read */
    FILE *log;
} frame;

int pml_cli_exit_code(pml_status status) {
    switch (status) {
    case PML_OK:
        return 0;
    case PML_E_ARGUMENT:
        return 2;
    case PML_E_FORMAT:
    case PML_E_UNSUPPORTED:
    case PML_E_NUMERIC:
        return 65;
    case PML_E_NOT_FOUND:
        return 66;
    case PML_E_IO:
        return 74;
    case PML_E_CONFIG:
        return 78;
    case PML_E_NETWORK:
        return 69;
    case PML_E_BUSY:
        return 75;
    case PML_E_DENIED:
        return 77;
    case PML_E_MEMORY:
    case PML_E_MISMATCH:
    case PML_E_INTERRUPTED:
        break;
    }
    return 1;
}

/* The longest message, every byte of it escaped. */
enum { SAFE_BYTES = 4 * sizeof((pml_error){0}.message) + 1 };

/* The last guard of the terminal and of the log: whatever a message repeats from a foreign file, no byte of it is
 * obeyed. Controls and bytes that are not UTF-8 become \xNN. Text that does not fit is cut. Returns `safe`. */
static const char *make_safe(const char *text, char safe[SAFE_BYTES]) {
    const uint8_t *bytes = (const uint8_t *)text;
    size_t used = 0;
    for (size_t left = strlen(text); left > 0 && used + 16 < SAFE_BYTES;) {
        const size_t length = pml_utf8_length(bytes, left);
        const bool is_escaped = length == 0 || pml_utf8_steers(pml_utf8_code(bytes, length));
        const size_t taken = length == 0 ? 1 : length;
        for (size_t i = 0; i < taken; i++) {
            used += (size_t)snprintf(safe + used, SAFE_BYTES - used, is_escaped ? "\\x%02x" : "%c", bytes[i]);
        }
        bytes += taken;
        left -= taken;
    }
    safe[used] = '\0';
    return safe;
}

/* Whether a message tells its place in the file itself. */
static bool says_byte(const char *message, uint64_t offset_bytes) {
    char place[32];
    int length = snprintf(place, sizeof place, "byte %llu", (unsigned long long)offset_bytes);
    const char *at = strstr(message, place);
    return at != NULL && !(at[length] >= '0' && at[length] <= '9');
}

static void print_error(const frame *f, const char *message, uint64_t offset_bytes) {
    bool color = pml_cli_color_wanted(f->common != NULL ? f->common->color : NULL);
    char place[48] = "", safe[SAFE_BYTES];
    message = make_safe(message, safe);
    if (offset_bytes != PML_NO_OFFSET && !says_byte(message, offset_bytes)) {
        (void)snprintf(place, sizeof place, " (at byte %llu)", (unsigned long long)offset_bytes);
    }
    pml_progress_clear();
    (void)fprintf(stderr, "%s: %serror:%s %s%s\n", f->program, color ? "\033[31m" : "", color ? "\033[0m" : "", message,
                  place);
    if (f->log != NULL) {
        (void)fprintf(f->log, "%s: error: %s%s\n", f->program, message, place);
    }
}

static void on_log(void *user, pml_log_level level, const char *line) {
    static const char *const names[] = {"debug", "info", "warning"};
    const frame *f = user;
    char safe[SAFE_BYTES];
    line = make_safe(line, safe);
    unsigned verbosity = f->common->quiet ? 0 : f->common->verbosity;
    bool shown = level == PML_LOG_WARNING ? !f->common->quiet : verbosity >= (level == PML_LOG_INFO ? 1u : 2u);
    if (shown) {
        pml_progress_clear();
        (void)fprintf(stderr, "%s: %s: %s\n", f->program, names[level], line);
    }
    if (f->log != NULL) {
        (void)fprintf(f->log, "%s: %s: %s\n", f->program, names[level], line);
    }
}

static pml_status start_log(frame *f, pml_error *error) {
    const char *path = f->common->log_file;
    if (path != NULL) {
        f->log = fopen(path, "ae");
        if (f->log == NULL) {
            return PML_FAIL(error, PML_E_IO, "%s: %s", path, strerror(errno));
        }
    }
    bool all = f->common->verbosity >= 2;
    bool some = f->common->verbosity == 1 || path != NULL;
    pml_log_set(on_log, f, all ? PML_LOG_DEBUG : some ? PML_LOG_INFO : PML_LOG_WARNING);
    return PML_OK;
}

/* A log that could not be written is worth a word, but never the result. */
static void stop_log(frame *f) {
    pml_log_set(NULL, NULL, PML_LOG_WARNING);
    if (f->log != NULL) {
        bool failed = ferror(f->log) != 0;
        failed = fclose(f->log) != 0 || failed;
        if (failed) {
            (void)fprintf(stderr, "%s: warning: %s could not be written in full\n", f->program, f->common->log_file);
        }
    }
    f->log = NULL;
}

/* A full disk shows only when the stream is flushed, on some file systems only when it is closed: closing a duplicate
 * asks for both and leaves stdout open. */
static pml_status flush_stdout(pml_error *error) {
    errno = 0;
    bool failed = fflush(stdout) != 0 || ferror(stdout) != 0;
    int code = errno;
    int copy = dup(STDOUT_FILENO);
    if (copy >= 0 && close(copy) != 0 && !failed) {
        failed = true;
        code = errno;
    }
    return failed ? PML_FAIL(error, PML_E_IO, "cannot write to standard output: %s",
                             code != 0 ? strerror(code) : "an earlier write failed")
                  : PML_OK;
}

/* If a standard stream is closed, the next file opened would take its number and receive its text. */
static void hold_standard_streams(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) {
            /* Standard output opens for reading only, so that writing a result to nowhere is an error. */
            int got = open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
            if (got > 2) {
                (void)close(got);
            }
        }
    }
}

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif
#if defined(__x86_64__)
#define MACHINE "x86-64"
#elif defined(__aarch64__)
#define MACHINE "arm64"
#else
#define MACHINE "another machine"
#endif

/* What a report of a fault should begin with. */
static void print_version(const char *program) {
    uint32_t isa_mask;
    size_t n_threads = 0;
    if (pml_isa_allowed(&isa_mask, NULL) != PML_OK) {
        isa_mask = pml_isa_detect();
    }
    (void)printf("%s %s (commit %s)\nbuilt with %s for %s\ninstruction sets used here:", program, pml_version(),
                 pml_version_commit(), COMPILER, MACHINE);
    for (unsigned i = 0; pml_isa_name(i) != NULL; i++) {
        (void)printf("%s%s", (isa_mask >> i & 1) != 0 ? " " : "", (isa_mask >> i & 1) != 0 ? pml_isa_name(i) : "");
    }
    if (pml_cpu_threads(&n_threads, NULL) != PML_OK) {
        n_threads = pml_cpu_count();
    }
    (void)printf("\nthreads used here: %zu\nbackends that work here:", n_threads);
    for (size_t i = 0; pml_backend_at(i) != NULL; i++) {
        if (pml_backend_check(pml_backend_at(i), NULL) == PML_OK) {
            (void)printf(" %s", pml_backend_at(i));
        }
    }
    (void)printf("\n");
}

/* Runs one command on argv (argv[0] is its name). */
static int run_command(frame *f, const pml_command *command, bool is_default, int argc, char **argv) {
    pml_error error = {.offset_bytes = PML_NO_OFFSET};
    pml_parsed parsed = {0};
    bool was_parsed = false;
    pml_status status = PML_OK;
    PML_TRY(pml_parsed_read(command, argc, argv, &parsed, &error));
    was_parsed = true;
    const pml_common_options *common = parsed.options;
    if (common->help) {
        pml_help_command(f->program, command, is_default);
    } else if (common->version) {
        print_version(f->program);
    } else {
        f->common = common;
        PML_TRY(start_log(f, &error));
        status = command->run(parsed.options, parsed.operands, parsed.n_operands, &error);
        pml_progress_clear();
    }
done:;
    int stopped_by = pml_signals_stopped_by();
    bool quiet = f->common != NULL && f->common->quiet;
    if (status == PML_E_INTERRUPTED && stopped_by != 0) {
        if (!quiet) {
            (void)fprintf(stderr, "%s: interrupted\n", f->program);
        }
    } else if (status != PML_OK && (error.message[0] != '\0')) {
        print_error(f, error.message, error.offset_bytes);
        if (!was_parsed) {
            (void)fprintf(stderr, "Try '%s%s%s --help'.\n", f->program, is_default ? "" : " ",
                          is_default ? "" : command->name);
        } else if (f->common != NULL && f->common->verbosity > 0 && error.source_file != NULL) {
            (void)fprintf(stderr, "%s: info: %s error from %s:%d\n", f->program, pml_status_name(status),
                          error.source_file, error.source_line);
        }
    }
    pml_status flushed = flush_stdout(&error);
    if (status == PML_OK && flushed != PML_OK) {
        print_error(f, error.message, PML_NO_OFFSET);
        status = flushed;
    }
    if (f->common != NULL) {
        stop_log(f);
    }
    f->common = NULL;
    pml_parsed_deinit(command, &parsed);
    if (status == PML_E_INTERRUPTED && stopped_by != 0) {
        pml_signals_reraise(stopped_by);
    }
    return pml_cli_exit_code(status);
}

static const pml_command *find_command(const pml_command *const *commands, const char *name) {
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

/* Comes back only when that does not work. */
static int run_program(const frame *f, const pml_command *command, int argc, char **argv) {
    pml_error error = {.offset_bytes = PML_NO_OFFSET};
    const pml_status status = pml_program_execute(command, argc, argv, &error);
    print_error(f, error.message, PML_NO_OFFSET);
    return pml_cli_exit_code(status);
}

static const char *nearest_command(const pml_command *const *commands, const char *name) {
    const char *names[64];
    size_t n_names = 0;
    while (n_names < sizeof names / sizeof names[0] && commands[n_names] != NULL) {
        names[n_names] = commands[n_names]->name;
        n_names++;
    }
    return pml_nearest_name(name, names, n_names);
}

static bool is_common_letter(char letter) {
    for (const pml_option *row = pml_common_option_table; row->name != NULL; row++) {
        if (row->letter == letter && row->argument == NULL) {
            return true;
        }
    }
    return false;
}

/* How many arguments the common option at `argument` takes up: 0 when it is not one. */
static int common_option_arguments(const char *argument) {
    for (const pml_option *row = pml_common_option_table; row->name != NULL; row++) {
        size_t length = strlen(row->name);
        bool is_long = strncmp(argument, "--", 2) == 0 && strncmp(argument + 2, row->name, length) == 0;
        if (is_long && argument[2 + length] == '=') {
            return 1;
        }
        if (is_long && argument[2 + length] == '\0') {
            return row->argument == NULL ? 1 : 2;
        }
    }
    if (argument[0] != '-' || argument[1] == '\0') {
        return 0;
    }
    for (const char *letter = argument + 1; *letter != '\0'; letter++) {
        if (!is_common_letter(*letter)) {
            return 0;
        }
    }
    return 1;
}

/* Common options may stand before the command: moves the command's name to the front. */
static void bring_command_forward(const pml_command *const *commands, int argc, char **argv) {
    int at = 1;
    while (at < argc && common_option_arguments(argv[at]) > 0) {
        at += common_option_arguments(argv[at]);
    }
    if (at > 1 && at < argc && find_command(commands, argv[at]) != NULL) {
        char *name = argv[at];
        memmove(argv + 2, argv + 1, (size_t)(at - 1) * sizeof *argv);
        argv[1] = name;
    }
}

static int usage_error(const frame *f, const char *message) {
    print_error(f, message, PML_NO_OFFSET);
    (void)fprintf(stderr, "Try '%s --help'.\n", f->program);
    return pml_cli_exit_code(PML_E_ARGUMENT);
}

static int finish_text(const frame *f) {
    pml_error error = {0};
    if (flush_stdout(&error) != PML_OK) {
        print_error(f, error.message, PML_NO_OFFSET);
        return pml_cli_exit_code(PML_E_IO);
    }
    return 0;
}

int pml_cli_main(const char *program, const char *summary, const pml_command *const *commands,
                 const pml_command *default_command, int argc, char **argv) {
    frame f = {.program = program};
    char message[256];
    hold_standard_streams();
    pml_signals_install(program);
    bring_command_forward(commands, argc, argv);
    const char *first = argc > 1 ? argv[1] : "";
    if (commands[0] == NULL) { /* a program of one command */
        return run_command(&f, default_command, true, argc, argv);
    }
    bool is_help = strcmp(first, "help") == 0 && find_command(commands, "help") == NULL;
    if (argc < 2) {
        return usage_error(&f, default_command != NULL ? "nothing to do: name a source or a command"
                                                       : "nothing to do: name a command");
    }
    if (is_help && argc > 3) {
        (void)snprintf(message, sizeof message, "unexpected operand '%.100s'", argv[3]);
        return usage_error(&f, message);
    }
    if (is_help && argc == 3 && find_command(commands, argv[2]) != NULL) {
        if (find_command(commands, argv[2])->program != NULL) {
            char help[] = "--help", *const arguments[] = {argv[2], help, NULL};
            return run_program(&f, find_command(commands, argv[2]), 2, (char **)arguments);
        }
        pml_help_command(program, find_command(commands, argv[2]), false);
        return finish_text(&f);
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || (is_help && argc == 2)) {
        pml_help_program(program, summary, commands, default_command);
        return finish_text(&f);
    }
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) {
        print_version(program);
        return finish_text(&f);
    }
    if (is_help) {
        first = argv[2];
    }
    const pml_command *command = is_help ? NULL : find_command(commands, first);
    if (command != NULL && command->program != NULL) {
        return run_program(&f, command, argc - 1, argv + 1);
    }
    if (command != NULL) {
        return run_command(&f, command, false, argc - 1, argv + 1);
    }
    const char *nearest = first[0] == '-' ? NULL : nearest_command(commands, first);
    bool may_be_source = default_command != NULL && !is_help &&
                         (nearest == NULL || strchr(first, '/') != NULL || access(first, F_OK) == 0);
    if (may_be_source) {
        return run_command(&f, default_command, true, argc, argv);
    }
    if (first[0] == '-') {
        (void)snprintf(message, sizeof message, "the command comes before its options, such as %.100s", first);
    } else {
        (void)snprintf(message, sizeof message, "unknown command '%.100s'%s%s%s", first,
                       nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                       nearest != NULL ? "'?" : "");
    }
    return usage_error(&f, message);
}
