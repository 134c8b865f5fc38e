/* Which ranks there are, and what they agree on: with a module in this process that plays the others. */
#include "runtime/train/ranks.h"

#include <string.h>

#include "tests/harness.h"

#define N_RANKS 3u

static pml_ranks_vote votes[N_RANKS];
static uint64_t numbers[N_RANKS];
static int32_t ends[N_RANKS];
static size_t mine;

static void gather(const void *own, size_t size_bytes, void *all) {
    char *at = all;
    memcpy(all, size_bytes == sizeof votes[0] ? (const void *)votes : numbers, N_RANKS * size_bytes);
    memcpy(at + mine * size_bytes, own, size_bytes);
}

static bool meet(const void *own, size_t size_bytes, void *all, double seconds) {
    char *at = all;
    memcpy(all, ends, sizeof ends);
    memcpy(at + mine * size_bytes, own, size_bytes);
    return seconds == 0 || ends[0] >= 0;
}

static const pml_rank_module module = {.version = PML_RANK_MODULE_VERSION, .gather = gather, .meet = meet};

static pml_ranks rank(size_t i_rank) {
    mine = i_rank;
    return (pml_ranks){.i_rank = i_rank, .n_ranks = N_RANKS, .module = &module};
}

static void set(const char *name, const char *value) {
    CU_ASSERT_EQUAL(value == NULL ? unsetenv(name) : setenv(name, value, 1), 0);
}

static void forget(void) {
    static const char *const names[] = {
        "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "PMI_SIZE", "PMI_RANK", "PMIX_RANK", "SLURM_NTASKS",
        "SLURM_PROCID",         "SLURM_STEP_NUM_TASKS"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        set(names[i], NULL);
    }
}

static void launchers_say_how_many(void) {
    forget();
    CU_ASSERT_EQUAL(pml_ranks_launched(), 1);
    set("SLURM_NTASKS", "8"); /* a batch script has it, too */
    CU_ASSERT_EQUAL(pml_ranks_launched(), 1);
    set("PMIX_RANK", "5");
    CU_ASSERT_EQUAL(pml_ranks_launched(), 8);
    CU_ASSERT_EQUAL(pml_ranks_i_launched(), 5);
    set("SLURM_STEP_NUM_TASKS", "6");
    CU_ASSERT_EQUAL(pml_ranks_launched(), 6);
    set("PMI_SIZE", "4");
    CU_ASSERT_EQUAL(pml_ranks_launched(), 4);
    set("OMPI_COMM_WORLD_SIZE", "2");
    CU_ASSERT_EQUAL(pml_ranks_launched(), 2);
    set("OMPI_COMM_WORLD_SIZE", "1");
    CU_ASSERT_EQUAL(pml_ranks_launched(), 1);
    set("OMPI_COMM_WORLD_SIZE", "2x");
    CU_ASSERT_EQUAL(pml_ranks_launched(), 4);
    forget();
}

static void one_rank_needs_no_module(void) {
    pml_error error = {0};
    pml_ranks ranks;
    forget();
    PML_ASSERT_OK(pml_ranks_open("/nowhere/module.so", &ranks, &error), &error);
    CU_ASSERT_FALSE(pml_ranks_are_several(&ranks));
    CU_ASSERT_TRUE(pml_ranks_is_first(&ranks));
    CU_ASSERT_EQUAL(pml_ranks_count(&ranks), 1);
    set("PMI_SIZE", "2");
    PML_ASSERT_FAILS(pml_ranks_open("/nowhere/module.so", &ranks, &error), PML_E_NOT_FOUND, &error,
                     "2 ranks were started, but this installation has no module that joins them: /nowhere/module.so");
    forget();
}

static void votes_are_added_up_in_the_order_of_ranks(void) {
    pml_error error = {0};
    /* 1 is lost behind 1e16, and not before it is gone. */
    const pml_ranks_vote cast[N_RANKS] = {{1e16, 1, 0}, {-1e16, 2, 1}, {1, 4, 0}};
    memcpy(votes, cast, sizeof votes);
    for (size_t i = 0; i < N_RANKS; i++) {
        const pml_ranks ranks = rank(i);
        pml_ranks_vote vote = cast[i];
        PML_ASSERT_OK(pml_ranks_vote_on(&ranks, &vote, &error), &error);
        CU_ASSERT_EQUAL(vote.sum, 1);
        CU_ASSERT_EQUAL(vote.weight, 7);
        CU_ASSERT_EQUAL(vote.is_stopped, 1);
    }
    pml_ranks_vote alone = {3, 2, 0};
    PML_ASSERT_OK(pml_ranks_vote_on(NULL, &alone, &error), &error);
    CU_ASSERT_EQUAL(alone.sum, 3);
}

static void a_rank_that_differs_is_named_on_all(void) {
    pml_error error = {0};
    for (size_t i = 0; i < N_RANKS; i++) {
        const pml_ranks ranks = rank(i);
        numbers[0] = numbers[1] = numbers[2] = 7;
        PML_ASSERT_OK(pml_ranks_compare(&ranks, 7, "weights", &error), &error);
        numbers[2] = 8;
        PML_ASSERT_FAILS(pml_ranks_compare(&ranks, numbers[i], "weights", &error), PML_E_MISMATCH, &error,
                         "rank 2 has other weights than rank 0");
    }
}

static void the_first_that_failed_speaks(void) {
    const struct {
        int32_t ends[N_RANKS];
        size_t i_speaks;
        pml_status status;
        bool is_common;
    } cases[] = {{{PML_OK, PML_OK, PML_OK}, 0, PML_OK, true},
                 {{PML_OK, PML_E_IO, PML_E_FORMAT}, 1, PML_E_IO, false},
                 {{PML_E_IO, PML_E_IO, PML_E_IO}, 0, PML_E_IO, true}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        memcpy(ends, cases[c].ends, sizeof ends);
        for (size_t i = 0; i < N_RANKS; i++) {
            const pml_ranks ranks = rank(i);
            const pml_ranks_end end = pml_ranks_meet(&ranks, (pml_status)ends[i]);
            CU_ASSERT_TRUE(end.is_complete);
            CU_ASSERT_EQUAL(end.speaks, i == cases[c].i_speaks);
            CU_ASSERT_EQUAL(end.status, cases[c].status);
            CU_ASSERT_EQUAL(end.is_common, cases[c].is_common);
        }
    }
    ends[0] = -1; /* the others do not come */
    const pml_ranks ranks = rank(1);
    const pml_ranks_end end = pml_ranks_meet(&ranks, PML_E_IO);
    CU_ASSERT_FALSE(end.is_complete);
    CU_ASSERT_TRUE(end.speaks);
    CU_ASSERT_EQUAL(end.status, PML_E_IO);
}

PML_TESTS("runtime/train/ranks", PML_TEST(launchers_say_how_many), PML_TEST(one_rank_needs_no_module),
          PML_TEST(votes_are_added_up_in_the_order_of_ranks), PML_TEST(a_rank_that_differs_is_named_on_all),
          PML_TEST(the_first_that_failed_speaks))
