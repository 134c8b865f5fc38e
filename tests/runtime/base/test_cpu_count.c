#include "runtime/base/cpu_count.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/limits.h"
#include "tests/harness.h"

static pml_error error;

/* Writes a file below `root`, with the folders above it. */
static void put(const char *root, const char *name, const char *text) {
    const char *path = pml_test_path("%s/%s", root, name);
    char folder[512];
    for (const char *slash = strchr(path + strlen(root), '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        (void)mkdir(folder, 0777);
    }
    pml_test_write_file(path, text, strlen(text));
}

static void cores_count_once(void) {
    const char *root = pml_test_fresh_dir("cores");
    static const char *const siblings[] = {"0,4\n", "1,5\n", "2-3\n", "2-3\n", "0,4\n", "1,5\n"};
    const unsigned char all[] = {0x3f, 0}, upper[] = {0x30, 0}, more[] = {0xff, 0x01};
    for (size_t i = 0; i < 6; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list", i);
        put(root, name, siblings[i]);
    }
    CU_ASSERT_EQUAL(pml_cpu_cores(root, all, 16), 3);
    CU_ASSERT_EQUAL(pml_cpu_cores(root, upper, 16), 2); /* their partners may not be used */
    CU_ASSERT_EQUAL(pml_cpu_cores(root, more, 16), 6);  /* 6, 7 and 8 say nothing: cores of their own */
    CU_ASSERT_EQUAL(pml_cpu_cores(root, all, 2), 2);
    put(root, "sys/devices/system/cpu/smt/active", "1\n");
    CU_ASSERT_EQUAL(pml_cpu_cores(root, all, 16), 3);
    put(root, "sys/devices/system/cpu/smt/active", "0\n");
    CU_ASSERT_EQUAL(pml_cpu_cores(root, all, 16), 6);
    CU_ASSERT_EQUAL(pml_cpu_cores(pml_test_fresh_dir("nothing"), all, 16), 6);
}

static void the_least_quota_of_all_groups_counts(void) {
    const char *root = pml_test_fresh_dir("v2");
    CU_ASSERT_EQUAL(pml_cpu_quota(root), SIZE_MAX);
    put(root, "proc/self/cgroup", "0::/a/b\n");
    CU_ASSERT_EQUAL(pml_cpu_quota(root), SIZE_MAX);
    put(root, "sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    CU_ASSERT_EQUAL(pml_cpu_quota(root), SIZE_MAX);
    put(root, "sys/fs/cgroup/a/b/cpu.max", "799999 100000\n");
    CU_ASSERT_EQUAL(pml_cpu_quota(root), 7);
    put(root, "sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    CU_ASSERT_EQUAL(pml_cpu_quota(root), 3);
    put(root, "sys/fs/cgroup/cpu.max", "20000 100000\n"); /* as a container sees its own group */
    CU_ASSERT_EQUAL(pml_cpu_quota(root), 1);
    put(root, "proc/self/cgroup", "0::/\n");
    CU_ASSERT_EQUAL(pml_cpu_quota(root), 1);
}

static void the_first_version_is_read_too(void) {
    const char *root = pml_test_fresh_dir("v1");
    put(root, "proc/self/cgroup", "4:memory:/m\n3:cpuset:/s\n2:cpu,cpuacct:/docker/1\n0::/x\n");
    put(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    CU_ASSERT_EQUAL(pml_cpu_quota(root), SIZE_MAX);
    put(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n");
    CU_ASSERT_EQUAL(pml_cpu_quota(root), 2);
    put(root, "sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us", "100000\n");
    put(root, "sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_period_us", "100000\n");
    CU_ASSERT_EQUAL(pml_cpu_quota(root), 1);
}

static void files_that_make_no_sense_say_nothing(void) {
    static const char *const contents[] = {"", "\n", "many\n", "-5 100000\n", "100000\n", "100000 0\n", "100000 x\n"};
    const char *root = pml_test_fresh_dir("strange");
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        put(root, "proc/self/cgroup", "0::/\n");
        put(root, "sys/fs/cgroup/cpu.max", contents[i]);
        CU_ASSERT_EQUAL(pml_cpu_quota(root), SIZE_MAX);
        put(root, "proc/self/cgroup", contents[i]);
        CU_ASSERT_EQUAL(pml_cpu_quota(root), SIZE_MAX);
    }
    put(root, "proc/self/cgroup", ":\n1:cpu\n::\n0::relative\n");
    CU_ASSERT_EQUAL(pml_cpu_quota(root), SIZE_MAX);
}

static void clear_environment(void) {
    static const char *const names[] = {"PML_THREADS",     "SLURM_CPUS_PER_TASK",
                                        "OMP_NUM_THREADS", "OMPI_COMM_WORLD_LOCAL_SIZE",
                                        "MPI_LOCALNRANKS", "LOCAL_WORLD_SIZE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)unsetenv(names[i]);
    }
}

static void schedulers_and_launchers_bound_it(void) {
    clear_environment();
    const size_t count = pml_cpu_count();
    CU_ASSERT_TRUE(count >= 1 && count <= (size_t)CPU_SETSIZE);
    (void)setenv("SLURM_CPUS_PER_TASK", "1", 1);
    CU_ASSERT_EQUAL(pml_cpu_count(), 1);
    (void)setenv("SLURM_CPUS_PER_TASK", "100000", 1);
    CU_ASSERT_EQUAL(pml_cpu_count(), count);
    (void)setenv("OMP_NUM_THREADS", "1,4", 1);
    CU_ASSERT_EQUAL(pml_cpu_count(), 1);
    (void)setenv("OMP_NUM_THREADS", "lots", 1);
    CU_ASSERT_EQUAL(pml_cpu_count(), count);
    (void)setenv("LOCAL_WORLD_SIZE", "100000", 1);
    CU_ASSERT_EQUAL(pml_cpu_count(), 1);
    (void)setenv("LOCAL_WORLD_SIZE", "0", 1);
    CU_ASSERT_EQUAL(pml_cpu_count(), count);
    clear_environment();
}

static void affinity_bounds_it(void) {
    cpu_set_t before, one;
    clear_environment();
    CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
        if (CPU_ISSET(i, &before)) {
            CPU_SET(i, &one);
        }
    }
    CU_ASSERT_EQUAL_FATAL(sched_setaffinity(0, sizeof one, &one), 0);
    CU_ASSERT_EQUAL(pml_cpu_count(), 1);
    CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof before, &before), 0);
}

static void the_users_word_comes_first(void) {
    static const char *const wrong[] = {"0",  "-1",   "two", "2x", " 2",
                                        "2 ", "1025", "1e3", "+2", "99999999999999999999999999"};
    size_t n_threads = 0;
    clear_environment();
    PML_ASSERT_OK(pml_cpu_threads(&n_threads, &error), &error);
    CU_ASSERT_EQUAL(n_threads, pml_cpu_count());
    (void)setenv("PML_THREADS", "", 1);
    PML_ASSERT_OK(pml_cpu_threads(&n_threads, &error), &error);
    CU_ASSERT_EQUAL(n_threads, pml_cpu_count());
    (void)setenv("PML_THREADS", "1024", 1);
    PML_ASSERT_OK(pml_cpu_threads_check(&error), &error);
    PML_ASSERT_OK(pml_cpu_threads(&n_threads, &error), &error);
    CU_ASSERT_EQUAL(n_threads, PML_MAX_THREADS);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        (void)setenv("PML_THREADS", wrong[i], 1);
        PML_ASSERT_FAILS(pml_cpu_threads(&n_threads, &error), PML_E_ARGUMENT, &error, "PML_THREADS");
        PML_ASSERT_FAILS(pml_cpu_threads_check(&error), PML_E_ARGUMENT, &error, wrong[i]);
        CU_ASSERT_EQUAL(n_threads, PML_MAX_THREADS);
    }
    clear_environment();
}

PML_TESTS("runtime/base/cpu_count", PML_TEST(cores_count_once), PML_TEST(the_least_quota_of_all_groups_counts),
          PML_TEST(the_first_version_is_read_too), PML_TEST(files_that_make_no_sense_say_nothing),
          PML_TEST(schedulers_and_launchers_bound_it), PML_TEST(affinity_bounds_it),
          PML_TEST(the_users_word_comes_first))
