#include "tests/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/publish.h"

static void appears_only_at_commit(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("commit");
    const char *path = pml_test_path("%s/out", folder);
    pml_publish *publish = NULL;
    PML_ASSERT_OK(pml_publish_begin(path, 10, false, &publish, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(publish);
    CU_ASSERT(access(path, F_OK) != 0 && access(pml_publish_temporary_path(publish), F_OK) == 0);
    struct stat info;
    CU_ASSERT(stat(pml_publish_temporary_path(publish), &info) == 0 && info.st_size == 10);
    PML_ASSERT_OK(pml_publish_write(publish, 5, "world", 5, &error), &error);
    PML_ASSERT_OK(pml_publish_write(publish, 0, "hello", 5, &error), &error);
    PML_ASSERT_OK(pml_publish_sync(publish, &error), &error);
    PML_ASSERT_OK(pml_publish_commit(publish, &error), &error);
    CU_ASSERT(pml_test_file_holds(path, "helloworld"));
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 1);
}

static void abort_leaves_nothing(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("abort");
    pml_publish *publish = NULL;
    PML_ASSERT_OK(pml_publish_begin(pml_test_path("%s/out", folder), 0, false, &publish, &error), &error);
    pml_publish_abort(publish);
    pml_publish_abort(NULL);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
}

static void never_replaces_unasked(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("replace");
    const char *path = pml_test_path("%s/out", folder);
    pml_publish *publish = NULL, *other = NULL;
    /* Two writers of one target: the second to commit loses, and leaves the first one's file. */
    PML_ASSERT_OK(pml_publish_begin(path, 0, false, &publish, &error), &error);
    PML_ASSERT_OK(pml_publish_begin(path, 0, false, &other, &error), &error);
    PML_ASSERT_OK(pml_publish_write(publish, 0, "one", 3, &error), &error);
    PML_ASSERT_OK(pml_publish_write(other, 0, "two", 3, &error), &error);
    PML_ASSERT_OK(pml_publish_commit(publish, &error), &error);
    PML_ASSERT_FAILS(pml_publish_commit(other, &error), PML_E_ARGUMENT, &error, "exists already");
    CU_ASSERT(pml_test_file_holds(path, "one") && pml_test_count_files(folder) == 1);
    PML_ASSERT_FAILS(pml_publish_begin(path, 0, false, &publish, &error), PML_E_ARGUMENT, &error, "exists already");
    PML_ASSERT_OK(pml_publish_begin(path, 0, true, &publish, &error), &error);
    PML_ASSERT_OK(pml_publish_write(publish, 0, "three", 5, &error), &error);
    PML_ASSERT_OK(pml_publish_commit(publish, &error), &error);
    CU_ASSERT(pml_test_file_holds(path, "three") && pml_test_count_files(folder) == 1);
}

static void refuses_odd_targets(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("odd");
    pml_publish *publish = NULL;
    char longest[300];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    PML_ASSERT_FAILS(pml_publish_begin(folder, 0, true, &publish, &error), PML_E_ARGUMENT, &error,
                     "not a regular file");
    PML_ASSERT_FAILS(pml_publish_begin("/dev/null", 0, true, &publish, &error), PML_E_ARGUMENT, &error,
                     "not a regular file");
    PML_ASSERT_FAILS(pml_publish_begin(pml_test_path("%s/", folder), 0, true, &publish, &error), PML_E_ARGUMENT, &error,
                     "does not name a file");
    PML_ASSERT_FAILS(pml_publish_begin("..", 0, true, &publish, &error), PML_E_ARGUMENT, &error,
                     "does not name a file");
    PML_ASSERT_FAILS(pml_publish_begin(pml_test_path("%s/%s", folder, longest), 0, true, &publish, &error),
                     PML_E_ARGUMENT, &error, "longer than 255");
    PML_ASSERT_FAILS(pml_publish_begin(pml_test_path("%s/none/out", folder), 0, true, &publish, &error), PML_E_IO,
                     &error, "No such file");
    PML_ASSERT_FAILS(pml_publish_begin(pml_test_path("%s/big", folder), UINT64_MAX, true, &publish, &error), PML_E_IO,
                     &error, "18446744073709551615 bytes");
    longest[255] = '\0'; /* the longest name there is still gets a temporary */
    PML_ASSERT_OK(pml_publish_begin(pml_test_path("%s/%s", folder, longest), 0, false, &publish, &error), &error);
    PML_ASSERT_OK(pml_publish_commit(publish, &error), &error);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "bytes"));
}

/* A symbolic link is replaced, never followed. */
static void replaces_the_link_itself(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("link");
    const char *path = pml_test_path("%s/out", folder), *victim = pml_test_path("%s/victim", folder);
    pml_publish *publish = NULL;
    struct stat info;
    pml_test_write_file(victim, "keep", 4);
    CU_ASSERT_EQUAL(symlink("victim", path), 0);
    PML_ASSERT_FAILS(pml_publish_begin(path, 0, false, &publish, &error), PML_E_ARGUMENT, &error, "exists already");
    PML_ASSERT_OK(pml_publish_begin(path, 0, true, &publish, &error), &error);
    PML_ASSERT_OK(pml_publish_write(publish, 0, "new", 3, &error), &error);
    PML_ASSERT_OK(pml_publish_commit(publish, &error), &error);
    CU_ASSERT(pml_test_file_holds(victim, "keep") && pml_test_file_holds(path, "new"));
    CU_ASSERT(lstat(path, &info) == 0 && S_ISREG(info.st_mode));
}

static void names_space_that_is_missing(void) {
    const char *folder = pml_test_fresh_dir("space");
    const char *path = pml_test_path("%s/out", folder);
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {5000, 5000};
        pml_error error = {0};
        pml_publish *publish = NULL;
        (void)signal(SIGXFSZ, SIG_IGN);
        bool fits = setrlimit(RLIMIT_FSIZE, &limit) == 0 &&
                    pml_publish_begin(path, 123456, false, &publish, &error) == PML_E_IO &&
                    strstr(error.message, "123456 bytes") != NULL && strstr(error.message, path) != NULL;
        /* Without a reservation the write is cut short first, then refused. */
        static char zeros[8000];
        fits = fits && pml_publish_begin(path, 0, false, &publish, &error) == PML_OK &&
               pml_publish_write(publish, 0, zeros, sizeof zeros, &error) == PML_E_IO &&
               strstr(error.message, path) != NULL && error.offset_bytes == 5000;
        pml_publish_abort(publish);
        _exit(fits ? 0 : 1);
    }
    int code = 1;
    CU_ASSERT(waitpid(child, &code, 0) == child && code == 0);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
}

static void stops_when_cancelled(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("cancel");
    pml_publish *publish = NULL;
    PML_ASSERT_OK(pml_publish_begin(pml_test_path("%s/out", folder), 0, false, &publish, &error), &error);
    pml_cancel_request();
    PML_ASSERT_FAILS(pml_publish_write(publish, 0, "x", 1, &error), PML_E_INTERRUPTED, &error, NULL);
    PML_ASSERT_FAILS(pml_publish_commit(publish, &error), PML_E_INTERRUPTED, &error, NULL);
    pml_cancel_reset();
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
}

static void on_signal(int number) {
    pml_publish_unlink_all();
    _exit(number);
}

static void a_handler_can_unlink_everything(void) {
    const char *folder = pml_test_fresh_dir("signal");
    pid_t child = fork();
    if (child == 0) {
        pml_publish *publish[3];
        (void)signal(SIGTERM, on_signal);
        for (int i = 0; i < 3; i++) {
            if (pml_publish_begin(pml_test_path("%s/out%d", folder, i), 100, false, &publish[i], NULL) != PML_OK) {
                _exit(100);
            }
        }
        /* A child of the writer must not take its files away. */
        pid_t grandchild = fork();
        if (grandchild == 0) {
            pml_publish_unlink_all();
            _exit(0);
        }
        int code = 1;
        if (waitpid(grandchild, &code, 0) != grandchild || code != 0 || pml_test_count_files(folder) != 3) {
            _exit(101);
        }
        (void)raise(SIGTERM);
        _exit(102);
    }
    int code = 0;
    CU_ASSERT(waitpid(child, &code, 0) == child && WIFEXITED(code) && WEXITSTATUS(code) == SIGTERM);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
}

/* A killed writer's file goes at the next publication in that folder; everything else stays. */
static void sweeps_what_a_killed_process_left(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("sweep");
    int ready[2];
    CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        pml_publish *publish = NULL;
        bool begun = pml_publish_begin(pml_test_path("%s/killed", folder), 100, false, &publish, NULL) == PML_OK;
        (void)!write(ready[1], begun ? "y" : "n", 1);
        for (;;) {
            (void)pause();
        }
    }
    char answer = 'n';
    CU_ASSERT(read(ready[0], &answer, 1) == 1 && answer == 'y');
    pml_publish *publish = NULL;
    /* The writer lives: its file stays. */
    PML_ASSERT_OK(pml_publish_begin(pml_test_path("%s/out", folder), 0, false, &publish, &error), &error);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 2);
    pml_publish_abort(publish);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 1);
    int code;
    CU_ASSERT(kill(child, SIGKILL) == 0 && waitpid(child, &code, 0) == child);

    static const char *const strangers[] = {".x.tmp.otherhost.1.0123456789abcdef", /* young, of another host */
                                            ".x.tmp.otherhost.1.0123456789abcde",  /* old, but not our pattern */
                                            ".x.tmp.otherhost.a.0123456789abcdef", "x.tmp.otherhost.1.0123456789abcdef",
                                            ".x.pmt.otherhost.1.0123456789abcdef"};
    const char *old = pml_test_path("%s/.x.tmp.otherhost.1.00000000000000aa", folder);
    const char *locked = pml_test_path("%s/.x.tmp.otherhost.1.00000000000000bb", folder);
    const struct timespec long_ago[2] = {{time(NULL) - 100000, 0}, {time(NULL) - 100000, 0}};
    for (size_t i = 0; i < 5; i++) {
        const char *path = pml_test_path("%s/%s", folder, strangers[i]);
        pml_test_write_file(path, "", 0);
        CU_ASSERT(i == 0 || utimensat(AT_FDCWD, path, long_ago, 0) == 0);
    }
    pml_test_write_file(old, "", 0);
    pml_test_write_file(locked, "", 0);
    CU_ASSERT(utimensat(AT_FDCWD, old, long_ago, 0) == 0 && utimensat(AT_FDCWD, locked, long_ago, 0) == 0);
    int lock = open(locked, O_RDWR | O_CLOEXEC);
    CU_ASSERT_EQUAL(flock(lock, LOCK_EX), 0);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 8);
    PML_ASSERT_OK(pml_publish_begin(pml_test_path("%s/out", folder), 0, false, &publish, &error), &error);
    pml_publish_abort(publish);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 6);
    CU_ASSERT(access(old, F_OK) != 0 && access(locked, F_OK) == 0);
    (void)close(lock);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

/* A scratch file is its maker's to remove; when that died first, it is swept like any temporary. */
static void scratch_files_of_the_dead_are_swept(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("scratch"), *target = pml_test_path("%s/out", folder);
    char *mine = NULL;
    pml_publish *publish = NULL;
    pid_t child = fork();
    if (child == 0) {
        char *path = NULL;
        bool made = pml_publish_scratch_path(target, &path, &error) == PML_OK;
        int fd = made ? open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600) : -1;
        _exit(fd >= 0 ? 0 : 1);
    }
    /* The child has ended, and stays what nobody has waited for yet. */
    siginfo_t ended = {0};
    CU_ASSERT(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT) == 0 && ended.si_status == 0);
    PML_ASSERT_OK(pml_publish_scratch_path(target, &mine, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mine);
    pml_test_write_file(mine, "", 0);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 2);
    PML_ASSERT_OK(pml_publish_begin(target, 0, false, &publish, &error), &error);
    PML_ASSERT_OK(pml_publish_commit(publish, &error), &error);
    CU_ASSERT(pml_test_count_files(folder) == 2 && access(mine, F_OK) == 0);
    CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
    pml_free(mine);
    PML_ASSERT_FAILS(pml_publish_scratch_path(pml_test_path("%s/", folder), &mine, &error), PML_E_ARGUMENT, &error,
                     "does not name a file");
    CU_ASSERT_PTR_NULL(mine);
}

/* The same refusals as when the publication begins, and no trace of having asked. */
static void checks_without_writing(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("check"), *path = pml_test_path("%s/out", folder);
    PML_ASSERT_OK(pml_publish_check(path, false, &error), &error);
    PML_ASSERT_FAILS(pml_publish_check(folder, true, &error), PML_E_ARGUMENT, &error, "is a directory");
    PML_ASSERT_FAILS(pml_publish_check("/dev/null", true, &error), PML_E_ARGUMENT, &error, "not a regular file");
    PML_ASSERT_FAILS(pml_publish_check(pml_test_path("%s/none/out", folder), true, &error), PML_E_IO, &error,
                     "No such file");
    PML_ASSERT_FAILS(pml_publish_check("", true, &error), PML_E_ARGUMENT, &error, "does not name a file");
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
    pml_test_write_file(path, "", 0);
    PML_ASSERT_OK(pml_publish_check(path, true, &error), &error);
    PML_ASSERT_FAILS(pml_publish_check(path, false, &error), PML_E_ARGUMENT, &error, "exists already");
    PML_ASSERT_FAILS(pml_publish_check(pml_test_path("%s/below", path), true, &error), PML_E_IO, &error,
                     "Not a directory");
}

static void survives_failing_allocations(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("allocations");
    pml_status status = PML_E_MEMORY;
    unsigned long n = 0;
    while (status == PML_E_MEMORY && n < 50) {
        pml_publish *publish = NULL;
        n++;
        pml_test_fail_allocation(n, true);
        status = pml_publish_begin(pml_test_path("%s/out", folder), 10, false, &publish, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT((status == PML_OK) == (publish != NULL));
        pml_publish_abort(publish);
        CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
    }
    CU_ASSERT(status == PML_OK && n > 3);
}

static void has_a_limit_of_open_publications(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("limit");
    pml_publish *publish[33] = {NULL};
    pml_status status = PML_OK;
    size_t n = 0;
    while (status == PML_OK && n < 33) {
        status = pml_publish_begin(pml_test_path("%s/%zu", folder, n), 0, false, &publish[n], &error);
        n++;
    }
    PML_ASSERT_FAILS(status, PML_E_IO, &error, "at once");
    for (size_t i = 0; i < 33; i++) {
        pml_publish_abort(publish[i]);
    }
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
}

PML_TESTS("runtime/base/publish", PML_TEST(appears_only_at_commit), PML_TEST(abort_leaves_nothing),
          PML_TEST(never_replaces_unasked), PML_TEST(refuses_odd_targets), PML_TEST(replaces_the_link_itself),
          PML_TEST(names_space_that_is_missing), PML_TEST(stops_when_cancelled),
          PML_TEST(a_handler_can_unlink_everything), PML_TEST(sweeps_what_a_killed_process_left),
          PML_TEST(scratch_files_of_the_dead_are_swept), PML_TEST(checks_without_writing),
          PML_TEST(survives_failing_allocations), PML_TEST(has_a_limit_of_open_publications))
