/* Batches over repositories of the fake hub. */
#ifndef PML_TESTS_HUB_BATCH_REPOS_H
#define PML_TESTS_HUB_BATCH_REPOS_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/hub/hub_fixture.h"

/* The repository org/<name> from a golden checkpoint; false after marking the test as skipped. */
static inline bool batch_repo(const char *root, const char *name, const char *golden) {
    const char *from = pml_test_golden(golden), *to = pml_test_path("%s/org/%s", root, name);
    if (from == NULL) {
        pml_test_skip(golden);
        return false;
    }
    CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL,
                                           "mkdir -p '%s' && cp -r '%s'/. '%s' && chmod -R u+w '%s' && "
                                           "rm -f '%s'/io.safetensors",
                                           to, from, to, to, to),
                          0);
    return true;
}

static inline const char *batch_list(const char *folder, const char *lines) {
    const char *path = pml_test_path("%s/list.txt", folder);
    pml_test_write_file(path, lines, strlen(lines));
    return path;
}

/* Starts `pml-convert batch LIST -o OUT` beside this process; stdout and stderr go to <out>.text. */
static inline pid_t batch_start(const hub *h, const char *cache, const char *list, const char *out,
                                const char *option) {
    const char *program = pml_test_path("%s/pml-convert", pml_test_binary_dir());
    const char *text = pml_test_path("%s.text", out);
    char *environment[] = {(char *)(uintptr_t)pml_test_path("HOME=%s.home", cache),
                           (char *)(uintptr_t)pml_test_path("HF_ENDPOINT=%s", h->url),
                           (char *)(uintptr_t)pml_test_path("HF_HUB_CACHE=%s", cache),
                           (char *)(uintptr_t) "PML_HUB_TIME_SCALE=0.01",
                           (char *)(uintptr_t) "ASAN_OPTIONS=allocator_may_return_null=1",
                           (char *)(uintptr_t) "PATH=/usr/bin:/bin",
                           NULL};
    const char *const arguments[] = {"pml-convert", "batch", list, "-o", out, "--jobs", "2", option, NULL};
    (void)fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        const int fd = open(text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (fd >= 0 && dup2(fd, 1) == 1 && dup2(fd, 2) == 2) {
            (void)execve(program, (char *const *)(uintptr_t)arguments, environment);
        }
        _exit(127);
    }
    CU_ASSERT_FATAL(pid > 0);
    return pid;
}

/* Its exit code, or 128 + signal. */
static inline int batch_wait(pid_t pid) {
    int result = 0;
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &result, 0), pid);
    return WIFSIGNALED(result) ? 128 + WTERMSIG(result) : WEXITSTATUS(result);
}

/* What it printed; lives until the program ends. */
static inline const char *batch_text(const char *out) {
    size_t size = 0;
    char *bytes = (char *)pml_test_read_file(pml_test_path("%s.text", out), &size);
    const char *kept = pml_test_path("%.*s", (int)(size < 6000 ? size : 6000), bytes);
    free(bytes);
    return kept;
}

static inline int batch_run(const hub *h, const char *cache, const char *list, const char *out) {
    return batch_wait(batch_start(h, cache, list, out, NULL));
}

/* Nothing unfinished lies below the folder. */
static inline bool batch_is_tidy(const char *folder) {
    char *found = NULL;
    (void)pml_test_command(&found, "find '%s' -name '.*.tmp.*' -o -name 'lock-*' -o -name '*.incomplete'", folder);
    const bool is_tidy = found[0] == '\0';
    if (!is_tidy) {
        (void)printf("\n    left behind:\n%s\n", found);
    }
    free(found);
    return is_tidy;
}

#endif
