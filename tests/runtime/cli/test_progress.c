#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/cli/command.h"
#include "runtime/cli/command_parts.h"
#include "tests/harness.h"

/* What 28 steps of `step_ms` each write to stderr (a file: no terminal). */
static const char *written(const pml_common_options *common, const char *unit, const char *detail, int step_ms) {
    const char *path = pml_test_path("%s/err", pml_test_temporary_dir());
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        pml_progress *progress = NULL;
        const struct timespec pause = {0, step_ms * 1000000L};
        if (freopen(path, "w", stderr) == NULL ||
            pml_progress_create_units(common, "working", unit, 28000, &progress, NULL) != PML_OK) {
            _exit(1);
        }
        for (uint64_t i = 1; i <= 28; i++) {
            (void)nanosleep(&pause, NULL);
            if (detail != NULL) {
                pml_progress_detail(progress, detail);
            }
            pml_progress_advance(progress, i * 1000);
            if (i == 20) {
                pml_progress_note(progress, "a part is done");
            }
        }
        pml_progress_destroy(progress);
        (void)fflush(stderr);
        _exit(0);
    }
    int code = 1;
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &code, 0), pid);
    CU_ASSERT_EQUAL_FATAL(code, 0);
    size_t size_bytes = 0;
    unsigned char *bytes = pml_test_read_file(path, &size_bytes);
    const char *text = pml_test_path("%s", (const char *)bytes);
    free(bytes);
    return text;
}

static void plain_lines_where_there_is_no_terminal(void) {
    const pml_common_options common = {0};
    const char *text = written(&common, "windows", NULL, 50);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "working 100%  28000/28000 windows"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "working: a part is done\n"));
    CU_ASSERT_PTR_NULL(strchr(text, '\r'));
    CU_ASSERT_PTR_NULL(strchr(text, '\033'));
}

static void bars_when_asked_leave_nothing_behind(void) {
    const pml_common_options common = {.progress = "bar"};
    const char *text = written(&common, NULL, NULL, 50);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\033[Kworking"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "/27.3 KiB"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "ETA"));
    size_t length = strlen(text);
    CU_ASSERT_TRUE(length > 4 && strcmp(text + length - 4, "\r\033[K") == 0);
}

static void a_training_run_shows_its_loss(void) {
    const pml_common_options common = {0}, bar = {.progress = "bar"};
    const char *text = written(&common, "samples", "loss 0.371", 50);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "working 100%  28000/28000 samples"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " samples/s  ETA "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  loss 0.371\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(written(&bar, "samples", "loss 0.371", 20), "  loss 0.371\r"));
}

static void silence(void) {
    const pml_common_options quiet = {.quiet = true}, json = {.json = true}, none = {.progress = "none"};
    CU_ASSERT_STRING_EQUAL(written(&quiet, "windows", NULL, 40), "");
    CU_ASSERT_STRING_EQUAL(written(&json, "windows", NULL, 40), "");
    CU_ASSERT_STRING_EQUAL(written(&none, "windows", NULL, 40), "");
}

static void nothing_to_advance_is_allowed(void) {
    pml_progress_advance(NULL, 1);
    pml_progress_detail(NULL, "x");
    pml_progress_destroy(NULL);
}

static void colour_follows_choice_and_environment(void) {
    CU_ASSERT_TRUE(pml_cli_color_wanted("always"));
    CU_ASSERT_FALSE(pml_cli_color_wanted("never"));
    CU_ASSERT_EQUAL(setenv("NO_COLOR", "1", 1), 0);
    CU_ASSERT_FALSE(pml_cli_color_wanted("auto"));
    CU_ASSERT_FALSE(pml_cli_color_wanted(NULL));
    CU_ASSERT_EQUAL(unsetenv("NO_COLOR"), 0);
}

PML_TESTS("runtime/cli/progress", PML_TEST(plain_lines_where_there_is_no_terminal),
          PML_TEST(bars_when_asked_leave_nothing_behind), PML_TEST(a_training_run_shows_its_loss), PML_TEST(silence),
          PML_TEST(nothing_to_advance_is_allowed), PML_TEST(colour_follows_choice_and_environment))
