/* Shares of a batch: as given, and as each scheduler's environment says. */
#include <stdlib.h>
#include <string.h>

#include "convert/batch/shard.h"
#include "tests/harness.h"

static const char *const variables[] = {
    "SLURM_ARRAY_TASK_ID",
    "SLURM_ARRAY_TASK_COUNT",
    "JOB_COMPLETION_INDEX",
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
    "PMI_RANK",
    "PMI_SIZE",
    "SLURM_PROCID",
    "SLURM_NTASKS",
    "RANK",
    "WORLD_SIZE",
};
enum { N_VARIABLES = sizeof variables / sizeof variables[0] };

/* Sets exactly the variables of "NAME=value NAME=value". */
static void set_environment(const char *settings) {
    for (int i = 0; i < N_VARIABLES; i++) {
        (void)unsetenv(variables[i]);
    }
    const char *copy = pml_test_path("%s", settings);
    for (char *at = (char *)(uintptr_t)copy, *word; (word = strsep(&at, " ")) != NULL;) {
        if (word[0] != '\0') {
            (void)putenv(word);
        }
    }
}

static void reads_a_share(void) {
    pml_error error = {0};
    pml_shard shard;
    set_environment("SLURM_ARRAY_TASK_ID=3");
    PML_ASSERT_OK(pml_shard_choose(NULL, 0, 0, &shard, &error), &error);
    CU_ASSERT_TRUE(shard.index == 0 && shard.count == 1); /* never without being asked */
    PML_ASSERT_OK(pml_shard_choose("2/5", 0, 0, &shard, &error), &error);
    CU_ASSERT_TRUE(shard.index == 2 && shard.count == 5);
    static const char *const wrong[] = {"5/5", "0/0", "1", "a/2", "1/", "/2", "-1/2", "1/2/3", " 1/2", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        PML_ASSERT_FAILS(pml_shard_choose(wrong[i], 0, 0, &shard, &error), PML_E_ARGUMENT, &error, NULL);
    }
    PML_ASSERT_FAILS(pml_shard_choose("0/2", 4, 0, &shard, &error), PML_E_ARGUMENT, &error, "go with --shard auto");
}

static void reads_every_scheduler(void) {
    static const struct {
        const char *environment;
        uint64_t count, base, index, n;
    } rows[] = {
        {"SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=3 SLURM_PROCID=0 SLURM_NTASKS=1 RANK=9", 4, 0, 2, 4},
        {"SLURM_ARRAY_TASK_ID=12", 4, 10, 2, 4},
        {"JOB_COMPLETION_INDEX=7 RANK=1 WORLD_SIZE=2", 8, 0, 7, 8},
        {"OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=4 PMI_RANK=3 PMI_SIZE=9", 0, 0, 1, 4},
        {"PMI_RANK=3 PMI_SIZE=9 SLURM_PROCID=0 SLURM_NTASKS=2", 0, 0, 3, 9},
        {"SLURM_PROCID=1 SLURM_NTASKS=2 RANK=0 WORLD_SIZE=7", 0, 0, 1, 2},
        {"RANK=6 WORLD_SIZE=7", 0, 0, 6, 7},
        {"RANK=6 WORLD_SIZE=7", 10, 0, 6, 10},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pml_error error = {0};
        pml_shard shard;
        set_environment(rows[i].environment);
        PML_ASSERT_OK(pml_shard_choose("auto", rows[i].count, rows[i].base, &shard, &error), &error);
        CU_ASSERT_TRUE(shard.index == rows[i].index && shard.count == rows[i].n);
    }
}

static void never_guesses(void) {
    static const struct {
        const char *environment, *message;
        uint64_t count, base;
    } rows[] = {
        {"", "none of SLURM_ARRAY_TASK_ID", 4, 0},
        {"SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=4", "give --shard-count", 0, 0},
        {"JOB_COMPLETION_INDEX=1", "give --shard-count", 0, 0},
        {"SLURM_ARRAY_TASK_ID=4", "no shard 4 of 4", 4, 0},
        {"SLURM_ARRAY_TASK_ID=1", "--shard-base 2", 4, 2},
        {"SLURM_ARRAY_TASK_ID=x RANK=0", "not a number", 4, 0},
        {"RANK= WORLD_SIZE=2", "not a number", 0, 0},
        {"RANK=0 WORLD_SIZE=0", "no shard 0 of 0", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pml_error error = {0};
        pml_shard shard;
        set_environment(rows[i].environment);
        PML_ASSERT_FAILS(pml_shard_choose("auto", rows[i].count, rows[i].base, &shard, &error), PML_E_ARGUMENT, &error,
                         rows[i].message);
    }
}

PML_TESTS("convert/shard", PML_TEST(reads_a_share), PML_TEST(reads_every_scheduler), PML_TEST(never_guesses))
