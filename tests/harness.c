#include "tests/harness.h"

#include <CUnit/Basic.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/alloc.h"

static size_t n_skipped;
static char temporary_dir[256];

int pml_test_main(const char *suite_name, const pml_test *tests, size_t n_tests, int argc, char **argv) {
    if (CU_initialize_registry() != CUE_SUCCESS) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    size_t n_added = 0;
    for (size_t i = 0; i < n_tests; i++) {
        bool wanted = argc < 2;
        for (int j = 1; j < argc; j++) {
            wanted = wanted || strcmp(argv[j], tests[i].name) == 0;
        }
        if (wanted) {
            CU_add_test(suite, tests[i].name, tests[i].run);
            n_added++;
        }
    }
    if (n_added == 0) {
        (void)fprintf(stderr, "no such test\n");
        return 1;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned n_failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    if (n_failures > 0) {
        return 1;
    }
    return n_skipped == n_added ? 77 : 0;
}

void pml_test_skip(const char *reason) {
    (void)printf(" skipped: %s ", reason);
    n_skipped++;
}

bool pml_test_cannot_fork(void) {
    const char *reason =
        getenv("PML_TEST_EMULATED") != NULL ? "the emulator cannot fork a process that has threads" : NULL;
#if defined(PML_TEST_THREAD_SANITIZED)
    reason = "ThreadSanitizer ends children that start threads";
#endif
    if (reason != NULL) {
        pml_test_skip(reason);
    }
    return reason != NULL;
}

bool pml_test_ok(pml_status status, const pml_error *error, const char *file, int line) {
    if (status != PML_OK) {
        (void)printf("\n    %s:%d: %s: %s\n", file, line, pml_status_name(status),
                     error != NULL ? error->message : "(no error object)");
    }
    return status == PML_OK;
}

bool pml_test_fails(pml_status status, pml_status expected, const pml_error *error, const char *part, const char *file,
                    int line) {
    bool fits = status == expected && (part == NULL || (error != NULL && strstr(error->message, part) != NULL));
    if (!fits) {
        (void)printf("\n    %s:%d: expected %s%s%s, got %s: %s\n", file, line, pml_status_name(expected),
                     part != NULL ? " with " : "", part != NULL ? part : "", pml_status_name(status),
                     status != PML_OK && error != NULL ? error->message : "");
    }
    return fits;
}

static const char *environment(const char *name, const char *fallback) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : fallback;
}

const char *pml_test_source_dir(void) {
    return environment("PML_TEST_SOURCE_DIR", ".");
}

const char *pml_test_binary_dir(void) {
    return environment("PML_TEST_BINARY_DIR", "build");
}

static void remove_temporary_dir(void) {
    char command[320];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", temporary_dir);
    if (system(command) != 0) {
        (void)fprintf(stderr, "could not remove %s\n", temporary_dir);
    }
}

const char *pml_test_temporary_dir(void) {
    if (temporary_dir[0] == '\0') {
        (void)snprintf(temporary_dir, sizeof temporary_dir, "%s/pml-test-XXXXXX", environment("TMPDIR", "/tmp"));
        if (mkdtemp(temporary_dir) == NULL) {
            perror(temporary_dir);
            exit(1);
        }
        (void)atexit(remove_temporary_dir);
    }
    return temporary_dir;
}

const char *pml_test_fresh_dir(const char *name) {
    const char *path = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    if (mkdir(path, 0700) != 0) {
        perror(path);
        exit(1);
    }
    return path;
}

/* Kept strings form a list that ends with the process; the head keeps them reachable for leak checkers. */
struct kept {
    struct kept *next;
    char text[];
};
static struct kept *kept_strings;

const char *pml_test_path(const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    struct kept *kept = length < 0 ? NULL : malloc(sizeof *kept + (size_t)length + 1);
    if (kept == NULL) {
        abort();
    }
    (void)vsnprintf(kept->text, (size_t)length + 1, format, again);
    va_end(again);
    kept->next = kept_strings;
    kept_strings = kept;
    return kept->text;
}

const char *pml_test_golden(const char *name) {
    const char *path = pml_test_path("%s/tests/goldens/%s", pml_test_source_dir(), name);
    if (access(path, R_OK) == 0) {
        return path;
    }
    const char *shared = environment("PML_GOLDENS", NULL);
    if (shared == NULL) {
        return NULL;
    }
    path = pml_test_path("%s/%s", shared, name);
    return access(path, R_OK) == 0 ? path : NULL;
}

const char *pml_test_data(const char *name) {
    const char *shared = environment("PML_DATA", NULL);
    if (shared == NULL) {
        return NULL;
    }
    const char *path = pml_test_path("%s/%s", shared, name);
    return access(path, R_OK) == 0 ? path : NULL;
}

unsigned char *pml_test_read_file(const char *path, size_t *size_bytes) {
    struct stat info;
    FILE *stream = fopen(path, "rb");
    if (stream == NULL || stat(path, &info) != 0) {
        perror(path);
        exit(1);
    }
    unsigned char *bytes = malloc((size_t)info.st_size + 1);
    if (bytes == NULL || fread(bytes, 1, (size_t)info.st_size, stream) != (size_t)info.st_size) {
        perror(path);
        exit(1);
    }
    (void)fclose(stream);
    bytes[info.st_size] = 0;
    *size_bytes = (size_t)info.st_size;
    return bytes;
}

void pml_test_write_file(const char *path, const void *bytes, size_t size_bytes) {
    FILE *stream = fopen(path, "wb");
    if (stream == NULL || fwrite(bytes, 1, size_bytes, stream) != size_bytes || fclose(stream) != 0) {
        perror(path);
        exit(1);
    }
}

bool pml_test_file_holds(const char *path, const char *text) {
    size_t size_bytes;
    unsigned char *bytes = pml_test_read_file(path, &size_bytes);
    bool same = size_bytes == strlen(text) && memcmp(bytes, text, size_bytes) == 0;
    free(bytes);
    return same;
}

size_t pml_test_count_files(const char *directory) {
    size_t count = 0;
    DIR *stream = opendir(directory);
    if (stream == NULL) {
        perror(directory);
        exit(1);
    }
    for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    (void)closedir(stream);
    return count;
}

int pml_test_command(char **output, const char *format, ...) {
    char command[8192];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(command, sizeof command - 8, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof command - 8) {
        abort();
    }
    memcpy(command + length, " 2>&1", 6);
    (void)fflush(NULL);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL) {
        perror("popen");
        exit(1);
    }
    size_t used = 0, capacity = 65536;
    char *text = malloc(capacity);
    for (;;) {
        if (text == NULL) {
            abort();
        }
        size_t got = fread(text + used, 1, capacity - used - 1, pipe);
        used += got;
        if (got == 0) {
            break;
        }
        if (capacity - used < 4096) {
            capacity *= 2;
            text = realloc(text, capacity);
        }
    }
    text[used] = '\0';
    int code = pclose(pipe);
    if (output != NULL) {
        *output = text;
    } else {
        free(text);
    }
    return WIFSIGNALED(code) ? 128 + WTERMSIG(code) : WEXITSTATUS(code);
}

static unsigned long countdown;
static bool fails_persistently;

static void *failing_allocate(size_t alignment, size_t size_bytes) {
    if (countdown > 0 && --countdown == 0) {
        if (fails_persistently) {
            countdown = 1;
        }
        return NULL;
    }
    return aligned_alloc(alignment, size_bytes);
}

void pml_test_fail_allocation(unsigned long n, bool persistently) {
    countdown = n;
    fails_persistently = persistently;
    pml_allocator_set(n == 0 ? NULL : failing_allocate, n == 0 ? NULL : free);
}
