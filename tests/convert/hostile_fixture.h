/* Running the commands on hostile files: under limits that the kernel watches, with the rules of every refusal. */
#ifndef PML_TESTS_CONVERT_HOSTILE_FIXTURE_H
#define PML_TESTS_CONVERT_HOSTILE_FIXTURE_H

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/convert/command_fixture.h"
#include "tests/mappers/synthetic.h"

#ifdef PML_TEST_SANITIZED
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
#if defined(__OPTIMIZE__) && !SANITIZED
#define CPU_SECONDS 2
#else
#define CPU_SECONDS 30
#endif

enum { MIB = 1 << 20 };

typedef struct outcome {
    int code;        /* exit code, or 128 + signal */
    long peak_kib;   /* greatest resident size */
    const char *err; /* stderr, kept */
} outcome;

static inline const char *temporary(const char *name) {
    return pml_test_path("%s/%s", pml_test_temporary_dir(), name);
}

static inline pid_t start(const char *const *arguments, size_t address_space_bytes) {
    const char *err_path = temporary("stderr"), *out_path = temporary("stdout");
    const char *program = pml_test_path("%s/%s", pml_test_binary_dir(), arguments[0]);
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS}, no_core = {0, 0};
        const struct rlimit space = {address_space_bytes, address_space_bytes};
        (void)setrlimit(RLIMIT_CPU, &cpu);
        (void)setrlimit(RLIMIT_CORE, &no_core);
        if (!SANITIZED && address_space_bytes != 0 && setrlimit(RLIMIT_AS, &space) != 0) {
            _exit(126);
        }
        if (freopen(out_path, "w", stdout) == NULL || freopen(err_path, "w", stderr) == NULL) {
            _exit(126);
        }
        (void)execv(program, (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    CU_ASSERT_FATAL(child > 0);
    return child;
}

static inline outcome finish(pid_t child) {
    int status = 0;
    struct rusage usage;
    outcome o = {0};
    CU_ASSERT_EQUAL_FATAL(wait4(child, &status, 0, &usage), child);
    o.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    o.peak_kib = usage.ru_maxrss;
    size_t size_bytes;
    char *text = (char *)pml_test_read_file(temporary("stderr"), &size_bytes);
    o.err = pml_test_path("%s", strlen(text) == size_bytes ? text : "(a zero byte in stderr)");
    free(text);
    return o;
}

static inline size_t file_bytes(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) ? (size_t)info.st_size : 0;
}

static inline bool is_empty_folder(const char *path) {
    DIR *entries = opendir(path);
    size_t n = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(entries);
    while (readdir(entries) != NULL) {
        n++;
    }
    (void)closedir(entries);
    return n == 2;
}

static inline const char *output_folder(void) {
    static const char *path;
    if (path == NULL) {
        path = temporary("output");
        CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    }
    return path;
}

/* Runs and asserts what holds for every refusal: this exit code, one line "PROGRAM: error: …" on stderr that holds
 * `name` and `cause` and nothing that a terminal would obey, nothing on stdout, nothing in the output folder, memory
 * within 64 MiB + 4 x input_bytes. The message is returned, kept. */
static inline const char *refused(const char *const *arguments, size_t input_bytes, int expected, const char *name,
                                  const char *cause) {
    const size_t allowed_bytes = 64 * (size_t)MIB + 4 * input_bytes;
    const outcome o = finish(start(arguments, 256 * (size_t)MIB));
    const char *begin = pml_test_path("%s: error: ", arguments[0]);
    const size_t length = strlen(o.err);
    bool fits = o.code == expected && strncmp(o.err, begin, strlen(begin)) == 0;
    fits = fits && length > 0 && strchr(o.err, '\n') == o.err + length - 1;
    fits = fits && strstr(o.err, name) != NULL && strstr(o.err, cause) != NULL;
    for (size_t i = 0; i + 1 < length; i++) {
        fits = fits && (unsigned char)o.err[i] >= 0x20 && o.err[i] != 0x7f;
    }
    fits = fits && file_bytes(temporary("stdout")) == 0 && is_empty_folder(output_folder());
    fits = fits && (SANITIZED || (size_t)o.peak_kib * 1024 <= allowed_bytes);
    if (!fits) {
        (void)printf("\n    %s", arguments[0]);
        for (size_t i = 1; arguments[i] != NULL; i++) {
            (void)printf(" %s", arguments[i]);
        }
        (void)printf("\n    exit %d, expected %d with '%s' and '%s'; %ld KiB of %zu; stderr: %.1200s\n", o.code,
                     expected, name, cause, o.peak_kib, allowed_bytes / 1024, o.err);
    }
    CU_ASSERT_TRUE(fits);
    if (!is_empty_folder(output_folder())) { /* one failure must not look like many */
        (void)pml_test_command(NULL, "rm -rf '%s' && mkdir '%s'", output_folder(), output_folder());
    }
    return o.err;
}

/* What specs/command-line.md promises for a status. */
static inline int exit_code_of(const char *status_name) {
    static const struct {
        const char *status;
        int code;
    } rows[] = {{"format", 65},    {"unsupported", 65}, {"numeric", 65}, {"not found", 66}, {"io", 74},
                {"not_found", 66}, {"config", 78},      {"mismatch", 1}, {"argument", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].status, status_name) == 0) {
            return rows[i].code;
        }
    }
    (void)printf("\n    no exit code for the status '%s'\n", status_name);
    CU_FAIL("status");
    return -1;
}

/* The synthetic checkpoint in a folder of its own, with its true configuration. */
static inline const char *synthetic_folder(void) {
    static const char *folder;
    if (folder == NULL) {
        synthetic s;
        synthetic_patchtst(&s);
        folder = temporary("synthetic");
        CU_ASSERT_EQUAL_FATAL(mkdir(folder, 0700), 0);
        (void)synthetic_write(&s, pml_test_path("%s/model.safetensors", folder), NULL);
        static const char config[] = SYNTHETIC_CONFIG("");
        pml_test_write_file(pml_test_path("%s/config.json", folder), config, strlen(config));
    }
    return folder;
}

/* A model that names no columns, so that a series is read as it is. */
static inline const char *plain_model(void) {
    static const char *path;
    if (path == NULL) {
        path = temporary("plain.pml");
        TEST_EXITS(0, NULL, "'%s' -o '%s' -q", synthetic_folder(), path);
    }
    return path;
}

#endif
