#include "runtime/cli/command.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/cancel.h"
#include "runtime/base/log.h"
#include "runtime/base/publish.h"
#include "runtime/base/version.h"
#include "runtime/cli/command_parts.h"
#include "tests/harness.h"

/* ---- commands made for these tests --------------------------------------------------------------------------- */
typedef struct show_options {
    pml_common_options common;
    bool flag;
    const char *text;
    const char *choice;
    pml_option_u64 number;
    pml_option_list list;
} show_options;

static const pml_option show_table[] = {
    {"flag", 'f', PML_OPTION_FLAG, NULL, NULL, "a switch", offsetof(show_options, flag)},
    {"text", 't', PML_OPTION_TEXT, "WORD", NULL, "some text", offsetof(show_options, text)},
    {"choice", 0, PML_OPTION_TEXT, "WORD", "red|green", "one of two", offsetof(show_options, choice)},
    {"colour", 0, PML_OPTION_TEXT, "WORD", "red|green", NULL, offsetof(show_options, choice)},
    {"texture", 0, PML_OPTION_TEXT, "WORD", NULL, NULL, offsetof(show_options, text)},
    {"number", 'n', PML_OPTION_U64, "N", NULL, "a number", offsetof(show_options, number)},
    {"item", 'i', PML_OPTION_LIST, "ITEM", NULL, "may be repeated", offsetof(show_options, list)},
    {NULL, 0, PML_OPTION_FLAG, NULL, NULL, NULL, 0}};

static pml_status run_show(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const show_options *o = options;
    (void)error;
    (void)printf("%d,%s,%s,%d:%llu,", o->flag, o->text != NULL ? o->text : "-", o->choice != NULL ? o->choice : "-",
                 o->number.is_set, (unsigned long long)o->number.value);
    for (size_t i = 0; i < o->list.count; i++) {
        (void)printf("%s+", o->list.items[i]);
    }
    for (unsigned i = 0; i < n_operands; i++) {
        (void)printf(",%s", operands[i]);
    }
    (void)printf(",v%u%s%s\n", o->common.verbosity, o->common.quiet ? "q" : "", o->common.json ? "j" : "");
    pml_log(PML_LOG_WARNING, "careful");
    pml_log(PML_LOG_INFO, "by the way");
    pml_log(PML_LOG_DEBUG, "in detail");
    return PML_OK;
}

/* Fails with the status of that number. */
static pml_status run_fail(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    (void)options;
    (void)n_operands;
    int code = atoi(operands[0]);
    return code == 0 ? PML_OK : PML_FAIL_AT(error, (pml_status)code, 12, "%s: broken", operands[0]);
}

static void nap(void) {
    const struct timespec pause = {0, 2000000};
    (void)nanosleep(&pause, NULL);
}

/* Holds a temporary file and works until told to stop; `deaf`: does not listen. */
static pml_status work(const char *target, bool deaf, pml_error *error) {
    pml_status status = PML_OK;
    pml_publish *publish = NULL;
    PML_TRY(pml_publish_begin(target, 0, true, &publish, error));
    (void)fprintf(stderr, "ready\n");
    for (int i = 0; i < 10000; i++) {
        nap();
        if (!deaf) {
            PML_TRY(pml_cancel_check(error));
        }
    }
done:
    pml_publish_abort(publish);
    return status;
}

static pml_status run_work(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    (void)options;
    (void)n_operands;
    return work(operands[0], false, error);
}

static pml_status run_deaf(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    (void)options;
    (void)n_operands;
    return work(operands[0], true, error);
}

/* Maps a file, cuts it short and reads on. */
static pml_status run_bus(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    pml_publish *publish = NULL;
    (void)options;
    (void)n_operands;
    pml_status status = pml_publish_begin(operands[0], 0, true, &publish, error);
    if (status == PML_OK) {
        int fd = open(pml_publish_temporary_path(publish), O_RDWR);
        if (fd < 0 || ftruncate(fd, 8192) != 0) {
            return PML_FAIL(error, PML_E_IO, "ftruncate");
        }
        volatile char *bytes = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
        if (bytes == MAP_FAILED || ftruncate(fd, 0) != 0) {
            return PML_FAIL(error, PML_E_IO, "mmap");
        }
        (void)printf("%d\n", bytes[4096]);
    }
    return status;
}

static pml_status run_flood(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    (void)options;
    (void)operands;
    (void)n_operands;
    (void)error;
    for (int i = 0; i < 100000; i++) {
        (void)printf("a line of output that nobody wants to read to its end\n");
    }
    return PML_OK;
}

#define COMMAND(id, run_function, names, least, most)                                                                  \
    static const pml_command id = {.name = #id,                                                                        \
                                   .operands = names,                                                                  \
                                   .summary = "Does " #id ".",                                                         \
                                   .options_bytes = sizeof(pml_common_options),                                        \
                                   .least_operands = least,                                                            \
                                   .most_operands = most,                                                              \
                                   .run = run_function}
COMMAND(fail, run_fail, "CODE", 1, 1);
COMMAND(toil, run_work, "FILE", 1, 1);
COMMAND(deaf, run_deaf, "FILE", 1, 1);
COMMAND(bus, run_bus, "FILE", 1, 1);
COMMAND(flood, run_flood, "", 0, 0);
static const pml_command show = {.name = "show",
                                 .operands = "A [B]",
                                 .summary = "Shows what was parsed.",
                                 .examples = "demo show x\ndemo show x y",
                                 .options = show_table,
                                 .options_bytes = sizeof(show_options),
                                 .least_operands = 1,
                                 .most_operands = 2,
                                 .run = run_show};
static const pml_command *const commands[] = {&show, &fail, &toil, &deaf, &bus, &flood, NULL};

/* ---- running them ---------------------------------------------------------------------------------------------- */
typedef struct outcome {
    int code; /* exit status, or 128 + signal */
    char out[8192], err[4096];
} outcome;

static void slurp(const char *path, char *text, size_t size_bytes) {
    FILE *stream = fopen(path, "rb");
    size_t got = stream != NULL ? fread(text, 1, size_bytes - 1, stream) : 0;
    text[got] = '\0';
    if (stream != NULL) {
        (void)fclose(stream);
    }
}

/* Starts the program with the words of `line`; stdout and stderr go to files of the temporary folder. */
static pid_t start(const char *line, const pml_command *default_command, const char *out) {
    static char words[1024];
    char *argv[64] = {(char[]){"demo"}};
    int argc = 1;
    (void)snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word != NULL && argc < 63; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    const char *err = pml_test_path("%s/err", pml_test_temporary_dir());
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (freopen(out, "w", stdout) == NULL || freopen(err, "w", stderr) == NULL) {
            _exit(99);
        }
        (void)setvbuf(stderr, NULL, _IONBF, 0);
        _exit(pml_cli_main("demo", "A program for tests.", commands, default_command, argc, argv));
    }
    return pid;
}

static int await(pid_t pid) {
    int code = 0;
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &code, 0), pid);
    return WIFSIGNALED(code) ? 128 + WTERMSIG(code) : WEXITSTATUS(code);
}

static const outcome *demo_with(const char *line, const pml_command *default_command) {
    static outcome o;
    const char *out = pml_test_path("%s/out", pml_test_temporary_dir());
    o.code = await(start(line, default_command, out));
    slurp(out, o.out, sizeof o.out);
    slurp(pml_test_path("%s/err", pml_test_temporary_dir()), o.err, sizeof o.err);
    return &o;
}

static const outcome *demo(const char *line) {
    return demo_with(line, NULL);
}

static void parses_every_kind_of_option(void) {
    static const char *const lines[][2] = {
        {"show x", "0,-,-,0:0,,x,v0\n"},
        {"show -f -t word --choice=red -n 7 -i a -i b x y", "1,word,red,1:7,a+b+,x,y,v0\n"},
        {"show x --text=a=b --number 18446744073709551615", "0,a=b,-,1:18446744073709551615,,x,v0\n"},
        {"show --colour green x", "0,-,green,0:0,,x,v0\n"},
        {"show x -vvq --json", "0,-,-,0:0,,x,v2qj\n"},
        {"show -- -x", "0,-,-,0:0,,-x,v0\n"},
        {"show -", "0,-,-,0:0,,-,v0\n"},
        {"show x -tabc -n0", "0,abc,-,1:0,,x,v0\n"},
        {"show x --text one --text two", "0,two,-,0:0,,x,v0\n"},
        {"show x --tex w", "0,w,-,0:0,,x,v0\n"}, /* short for the option and its alias alike */
        {"-q --json show x", "0,-,-,0:0,,x,v0qj\n"},
        {"--color never --progress=none show x", "0,-,-,0:0,,x,v0\n"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const outcome *o = demo(lines[i][0]);
        CU_ASSERT_EQUAL(o->code, 0);
        CU_ASSERT_STRING_EQUAL(o->out, lines[i][1]);
    }
}

static void usage_errors_exit_2_and_say_what_was_meant(void) {
    static const char *const lines[][2] = {
        {"", "nothing to do"},
        {"shwo x", "unknown command 'shwo'; did you mean 'show'?"},
        {"help shwo", "unknown command 'shwo'; did you mean 'show'?"},
        {"frobnicate", "unknown command 'frobnicate'\n"},
        {"help show x", "unexpected operand 'x'"},
        {"show", "missing operand: expected A [B]"},
        {"show a b c", "unexpected operand 'c'"},
        {"show x --tetx y", "unknown option --tetx; did you mean --text?"},
        {"show x --jason", "unknown option --jason; did you mean --json?"},
        {"show x --zzzzzz", "unknown option --zzzzzz\n"},
        {"show x -Z", "unknown option -Z"},
        {"show x -fZ", "unknown option -Z"},
        {"show x --co red", "--co is short for more than one option"},
        {"show x -t", "--text needs an argument"},
        {"show x --number", "--number needs an argument"},
        {"show x --flag=1", "--flag takes no argument"},
        {"show x --number 1.5", "--number takes a whole number, not '1.5'"},
        {"show x --number -1", "--number takes a whole number, not '-1'"},
        {"show x --number=", "--number takes a whole number, not ''"},
        {"show x --number 0x10", "--number takes a whole number"},
        {"show x --number 18446744073709551616", "too large"},
        {"show x --choice blue", "--choice must be one of red|green, not 'blue'"},
        {"show x --choice red|green", "must be one of"},
        {"show x --color sometimes", "--color must be one of auto|always|never"},
        {"--frob show x", "the command comes before its options"},
        {"--text show show x", "the command comes before its options"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const outcome *o = demo(lines[i][0]);
        CU_ASSERT_EQUAL(o->code, 2);
        CU_ASSERT_STRING_EQUAL(o->out, "");
        CU_ASSERT_EQUAL(strncmp(o->err, "demo: error: ", 13), 0);
        if (strstr(o->err, lines[i][1]) == NULL) {
            (void)printf("\n    '%s' gave: %s", lines[i][0], o->err);
            CU_FAIL("another message than expected");
        }
        CU_ASSERT_PTR_NOT_NULL(strstr(o->err, "--help"));
    }
}

static void exit_codes_follow_the_status(void) {
    static const int codes[][2] = {{0, 0},
                                   {PML_E_ARGUMENT, 2},
                                   {PML_E_MEMORY, 1},
                                   {PML_E_IO, 74},
                                   {PML_E_FORMAT, 65},
                                   {PML_E_UNSUPPORTED, 65},
                                   {PML_E_NOT_FOUND, 66},
                                   {PML_E_CONFIG, 78},
                                   {PML_E_NETWORK, 69},
                                   {PML_E_BUSY, 75},
                                   {PML_E_DENIED, 77},
                                   {PML_E_MISMATCH, 1},
                                   {PML_E_NUMERIC, 65}};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        const outcome *o = demo(pml_test_path("fail %d", codes[i][0]));
        CU_ASSERT_EQUAL(o->code, codes[i][1]);
        CU_ASSERT_EQUAL(pml_cli_exit_code((pml_status)codes[i][0]), codes[i][1]);
        CU_ASSERT_STRING_EQUAL(
            o->err, codes[i][0] == 0 ? "" : pml_test_path("demo: error: %d: broken (at byte 12)\n", codes[i][0]));
    }
}

/* A screen of 24 lines of 80 columns, and no line longer. */
static void check_screen(const char *text) {
    size_t n_lines = 0;
    for (const char *line = text; *line != '\0'; n_lines++) {
        size_t length = strcspn(line, "\n");
        CU_ASSERT_TRUE(length <= 80);
        line += length + (line[length] == '\n');
    }
    CU_ASSERT_TRUE(n_lines <= 24);
}

static void help_comes_from_the_table(void) {
    static const char *const lines[] = {"show --help", "show -h", "help show"};
    for (size_t i = 0; i < 3; i++) {
        const outcome *o = demo(lines[i]);
        CU_ASSERT_EQUAL(o->code, 0);
        CU_ASSERT_STRING_EQUAL(o->err, "");
        CU_ASSERT_PTR_NOT_NULL(strstr(o->out, "Usage: demo show A [B] [options]\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(o->out, "  -n, --number N          a number\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(o->out, "      --choice WORD       one of two: red|green\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(o->out, "Examples:\n  demo show x\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(o->out, "--log-file"));
        CU_ASSERT_PTR_NULL(strstr(o->out, "colour")); /* an alias without help is not shown */
        check_screen(o->out);
    }
    static const char *const whole[] = {"--help", "-h", "help"};
    for (size_t i = 0; i < 3; i++) {
        const outcome *o = demo(whole[i]);
        CU_ASSERT_EQUAL(o->code, 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(o->out, "Shows what was parsed."));
        check_screen(o->out);
    }
}

static void version(void) {
    static const char *const lines[] = {"--version", "-V", "show --version", "show -V"};
    for (size_t i = 0; i < 4; i++) {
        const outcome *o = demo(lines[i]);
        CU_ASSERT_EQUAL(o->code, 0);
        CU_ASSERT_EQUAL(strncmp(o->out, "demo ", 5), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(o->out, pml_version()));
        CU_ASSERT_PTR_NOT_NULL(strstr(o->out, pml_test_path("(commit %s)\n", pml_version_commit())));
        CU_ASSERT_PTR_NOT_NULL(strstr(o->out, "instruction sets used here: scalar"));
        CU_ASSERT_PTR_NOT_NULL(strstr(o->out, "threads used here: "));
        CU_ASSERT_PTR_NOT_NULL(strstr(o->out, "backends that work here: cpu"));
    }
}

/* A checkout names one of its commits; anything else says that it does not know. */
static void the_commit_is_that_of_the_checkout(void) {
    const char *commit = pml_version_commit(), *folder = pml_test_source_dir();
    char *top = NULL;
    bool is_checkout = pml_test_command(&top, "git -C '%s' rev-parse --show-toplevel 2>/dev/null", folder) == 0 &&
                       strncmp(top, folder, strlen(folder)) == 0 && top[strlen(folder)] == '\n';
    free(top);
    if (is_checkout) {
        CU_ASSERT_EQUAL(strspn(commit, "0123456789abcdef"), strlen(commit));
        CU_ASSERT_EQUAL(pml_test_command(NULL, "git -C '%s' cat-file -e %s", folder, commit), 0);
    } else {
        CU_ASSERT_STRING_EQUAL(commit, "unknown");
    }
}

static void the_default_command_takes_what_is_no_command(void) {
    const outcome *o = demo_with("model-dir -n 3", &show);
    CU_ASSERT_EQUAL(o->code, 0);
    CU_ASSERT_STRING_EQUAL(o->out, "0,-,-,1:3,,model-dir,v0\n");
    o = demo_with("-n 3 org/name", &show);
    CU_ASSERT_STRING_EQUAL(o->out, "0,-,-,1:3,,org/name,v0\n");
    o = demo_with("--json x", &show);
    CU_ASSERT_STRING_EQUAL(o->out, "0,-,-,0:0,,x,v0j\n");
    o = demo_with("fial 3", &show);
    CU_ASSERT_EQUAL(o->code, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(o->err, "did you mean 'fail'?"));
    o = demo_with("--tetx x", &show);
    CU_ASSERT_EQUAL(o->code, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(o->err, "did you mean --text?"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o->err, "Try 'demo --help'"));
    o = demo_with("fail 5", &show);
    CU_ASSERT_EQUAL(o->code, 65);
}

static void diagnostics_follow_verbosity(void) {
    CU_ASSERT_STRING_EQUAL(demo("show x")->err, "demo: warning: careful\n");
    CU_ASSERT_STRING_EQUAL(demo("show x -v")->err, "demo: warning: careful\ndemo: info: by the way\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(demo("show x -vv")->err, "demo: debug: in detail\n"));
    CU_ASSERT_STRING_EQUAL(demo("show x -q")->err, "");
    const char *log = pml_test_path("%s/log", pml_test_temporary_dir());
    char text[1024];
    CU_ASSERT_STRING_EQUAL(demo(pml_test_path("show x -q --log-file %s", log))->err, "");
    CU_ASSERT_EQUAL(demo(pml_test_path("fail 3 -q --log-file %s", log))->code, 74);
    slurp(log, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "demo: warning: careful\ndemo: info: by the way\n"
                                 "demo: error: 3: broken (at byte 12)\n");
    CU_ASSERT_EQUAL(demo("show x --log-file /nonexistent/log")->code, 74);
    CU_ASSERT_PTR_NOT_NULL(strstr(demo("fail 3 --color=always")->err, "demo: \033[31merror:\033[0m 3"));
    CU_ASSERT_PTR_NOT_NULL(strstr(demo("fail 3 -v")->err, "io error from "));
}

static void a_full_disk_is_exit_74(void) {
    CU_ASSERT_EQUAL(await(start("show x", NULL, "/dev/full")), 74);
    CU_ASSERT_EQUAL(await(start("--help", NULL, "/dev/full")), 74);
    CU_ASSERT_EQUAL(await(start("--version", NULL, "/dev/full")), 74);
    CU_ASSERT_EQUAL(await(start("flood", NULL, "/dev/full")), 74);
    /* The command's own failure wins. */
    CU_ASSERT_EQUAL(await(start("fail 5", NULL, "/dev/full")), 65);
}

static void a_closed_pipe_ends_quietly(void) {
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    (void)close(ends[0]);
    const char *err = pml_test_path("%s/err", pml_test_temporary_dir());
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {(char[]){"demo"}, (char[]){"flood"}, NULL};
        if (dup2(ends[1], STDOUT_FILENO) < 0 || freopen(err, "w", stderr) == NULL) {
            _exit(99);
        }
        _exit(pml_cli_main("demo", "", commands, NULL, 2, argv));
    }
    (void)close(ends[1]);
    char text[256];
    CU_ASSERT_EQUAL(await(pid), 128 + SIGPIPE);
    slurp(err, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "");
}

/* ---- signals --------------------------------------------------------------------------------------------------- */
static bool is_empty(const char *folder) {
    int code = pml_test_command(NULL, "test -z \"$(ls -A '%s')\"", folder);
    return code == 0;
}

static pid_t start_and_wait_until_ready(const char *command, const char *folder) {
    const char *err = pml_test_path("%s/err", pml_test_temporary_dir());
    char text[256] = "";
    (void)unlink(err);
    pid_t pid = start(pml_test_path("%s %s/out.pml", command, folder), NULL, "/dev/null");
    for (int i = 0; i < 5000 && strstr(text, "ready") == NULL; i++) {
        nap();
        slurp(err, text, sizeof text);
    }
    CU_ASSERT_FALSE(is_empty(folder)); /* the temporary is there */
    return pid;
}

static void the_first_signal_stops_and_cleans_up(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    const char *folder = pml_test_path("%s/stop", pml_test_temporary_dir());
    CU_ASSERT_EQUAL(pml_test_command(NULL, "mkdir -p '%s'", folder), 0);
    for (size_t i = 0; i < 3; i++) {
        char text[256];
        pid_t pid = start_and_wait_until_ready("toil", folder);
        (void)kill(pid, signals[i]);
        CU_ASSERT_EQUAL(await(pid), 128 + signals[i]);
        CU_ASSERT_TRUE(is_empty(folder));
        slurp(pml_test_path("%s/err", pml_test_temporary_dir()), text, sizeof text);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "demo: interrupted\n"));
    }
}

static void the_second_signal_ends_at_once_and_cleans_up(void) {
    const char *folder = pml_test_path("%s/twice", pml_test_temporary_dir());
    CU_ASSERT_EQUAL(pml_test_command(NULL, "mkdir -p '%s'", folder), 0);
    pid_t pid = start_and_wait_until_ready("deaf", folder);
    (void)kill(pid, SIGTERM);
    for (int i = 0; i < 20; i++) {
        nap();
    }
    CU_ASSERT_EQUAL(waitpid(pid, NULL, WNOHANG), 0);
    (void)kill(pid, SIGINT);
    CU_ASSERT_EQUAL(await(pid), 128 + SIGINT);
    CU_ASSERT_TRUE(is_empty(folder));
}

static void a_file_cut_short_while_mapped_is_exit_74(void) {
    const char *folder = pml_test_path("%s/bus", pml_test_temporary_dir());
    CU_ASSERT_EQUAL(pml_test_command(NULL, "mkdir -p '%s'", folder), 0);
    const outcome *o = demo(pml_test_path("bus %s/out", folder));
    CU_ASSERT_EQUAL(o->code, 74);
    CU_ASSERT_PTR_NOT_NULL(strstr(o->err, "demo: error: a file changed while it was mapped"));
    CU_ASSERT_TRUE(is_empty(folder));
}

static void sizes_are_readable(void) {
    char text[32];
    CU_ASSERT_STRING_EQUAL(pml_cli_size_text(0, text), "0 B");
    CU_ASSERT_STRING_EQUAL(pml_cli_size_text(1023, text), "1023 B");
    CU_ASSERT_STRING_EQUAL(pml_cli_size_text(320000, text), "312.5 KiB");
    CU_ASSERT_STRING_EQUAL(pml_cli_size_text(UINT64_MAX, text), "16.0 EiB");
}

static void every_failed_allocation_of_parsing_is_an_error(void) {
    bool finished = false;
    for (unsigned long n = 1; n < 50 && !finished; n++) {
        char words[5][16] = {"show", "x", "-ia", "-ib", "-ic"};
        char *argv[] = {words[0], words[1], words[2], words[3], words[4], NULL};
        pml_parsed parsed = {0};
        pml_error error = {0};
        pml_test_fail_allocation(n, true);
        pml_status status = pml_parsed_read(&show, 5, argv, &parsed, &error);
        pml_test_fail_allocation(0, false);
        finished = status == PML_OK;
        CU_ASSERT_TRUE(finished || status == PML_E_MEMORY);
        pml_parsed_deinit(&show, &parsed);
    }
    CU_ASSERT_TRUE(finished);
}

PML_TESTS("runtime/cli/command", PML_TEST(parses_every_kind_of_option),
          PML_TEST(usage_errors_exit_2_and_say_what_was_meant), PML_TEST(exit_codes_follow_the_status),
          PML_TEST(help_comes_from_the_table), PML_TEST(version), PML_TEST(the_commit_is_that_of_the_checkout),
          PML_TEST(the_default_command_takes_what_is_no_command), PML_TEST(diagnostics_follow_verbosity),
          PML_TEST(a_full_disk_is_exit_74), PML_TEST(a_closed_pipe_ends_quietly),
          PML_TEST(the_first_signal_stops_and_cleans_up), PML_TEST(the_second_signal_ends_at_once_and_cleans_up),
          PML_TEST(a_file_cut_short_while_mapped_is_exit_74), PML_TEST(sizes_are_readable),
          PML_TEST(every_failed_allocation_of_parsing_is_an_error))
