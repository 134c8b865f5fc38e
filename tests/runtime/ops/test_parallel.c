#include "runtime/ops/parallel.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "tests/runtime/ops/op_test.h"

static void shares_are_whole_grains_and_even(void) {
    static const size_t sizes[] = {0, 1, 5, 16, 17, 100, 1000}, grains[] = {1, 3, 16, 200}, counts[] = {1, 2, 3, 5, 64};
    for (size_t s = 0; s < 7 * 4 * 5; s++) {
        const size_t n = sizes[s % 7], grain = grains[s / 7 % 4], n_shares = counts[s / 28];
        size_t greatest = 0, least = SIZE_MAX;
        CU_ASSERT_EQUAL(pml_share_begin(n, grain, n_shares, 0), 0);
        CU_ASSERT_EQUAL(pml_share_begin(n, grain, n_shares, n_shares), n);
        for (size_t i = 0; i < n_shares; i++) {
            const size_t begin = pml_share_begin(n, grain, n_shares, i),
                         end = pml_share_begin(n, grain, n_shares, i + 1);
            CU_ASSERT_TRUE(begin <= end && (begin % grain == 0 || begin == n));
            const size_t n_grains = (end - begin + grain - 1) / grain;
            greatest = n_grains > greatest ? n_grains : greatest;
            least = n_grains < least ? n_grains : least;
        }
        CU_ASSERT_TRUE(greatest - least <= 1);
    }
    CU_ASSERT_EQUAL(pml_share_begin(SIZE_MAX, 1, 3, 3), SIZE_MAX);
}

/* Every element of a product lies in one cell. */
static void check_grid(size_t n_threads, size_t m, size_t n, size_t row_grain, size_t column_grain, size_t row_parts,
                       size_t column_parts) {
    static unsigned char counts[200][3072];
    PML_ASSERT_OK(pml_context_threads_set(&context, n_threads, &error), &error);
    const pml_grid grid = pml_context_grid(&context, m, n, row_grain, column_grain, 1e9);
    CU_ASSERT_EQUAL(grid.n_row_parts, row_parts);
    CU_ASSERT_EQUAL(grid.n_column_parts, column_parts);
    memset(counts, 0, sizeof counts);
    for (size_t i = 0; i < grid.n_row_parts * grid.n_column_parts; i++) {
        const pml_cell cell = pml_grid_cell(&grid, i);
        for (size_t r = cell.row; r < cell.row + cell.m; r++) {
            for (size_t c = cell.column; c < cell.column + cell.n; c++) {
                counts[r][c]++;
            }
        }
    }
    for (size_t r = 0; r < m; r++) {
        for (size_t c = 0; c < n; c++) {
            CU_ASSERT_EQUAL_FATAL(counts[r][c], 1);
        }
    }
}

static void grids_cover_products(void) {
    begin_test(64);
    check_grid(2, 128, 3072, 12, 32, 1, 2);
    check_grid(3, 1, 770, 12, 64, 1, 3);
    check_grid(8, 128, 384, 12, 32, 2, 4);
    check_grid(2, 200, 21, 12, 32, 2, 1); /* one panel or two: only rows are left */
    check_grid(5, 199, 100, 128, 0, 2, 1);
    check_grid(64, 5, 33, 12, 32, 1, 2);
    check_grid(1, 100, 100, 12, 32, 1, 1);
    end_test();
}

static void small_work_stays_in_one_piece(void) {
    begin_test(64);
    PML_ASSERT_OK(pml_context_threads_set(&context, 4, &error), &error);
    CU_ASSERT_EQUAL(pml_context_shares(&context, 0), 1);
    CU_ASSERT_EQUAL(pml_context_shares(&context, 1.9 * PML_COST_LEAST), 1);
    CU_ASSERT_EQUAL(pml_context_shares(&context, 2.1 * PML_COST_LEAST), 2);
    CU_ASSERT_EQUAL(pml_context_shares(&context, 3.1 * PML_COST_LEAST), 3);
    CU_ASSERT_EQUAL(pml_context_shares(&context, 1e30), 4);
    CU_ASSERT_EQUAL(pml_context_shares(&context, (double)NAN), 1);
    context.share_cost = 10;
    CU_ASSERT_EQUAL(pml_context_shares(&context, 31), 3);
    CU_ASSERT_PTR_NULL(context.pool);
    end_test();
}

static pthread_t callers[8];
static size_t ranges[8][2];
static unsigned n_ranges;

static void note_caller(void *user, size_t i_share) {
    (void)user;
    callers[i_share] = pthread_self();
}

static void note_range(void *user, size_t begin, size_t end) {
    const unsigned i = __atomic_fetch_add((unsigned *)user, 1, __ATOMIC_RELAXED);
    ranges[i][0] = begin;
    ranges[i][1] = end;
}

static void threads_are_made_when_they_are_needed(void) {
    begin_test(64);
    PML_ASSERT_OK(pml_context_threads_set(&context, 3, &error), &error);
    CU_ASSERT_EQUAL(pml_context_threads(&context), 3);
    pml_context_run(&context, 1, note_caller, NULL);
    CU_ASSERT_PTR_NULL(context.pool);
    pml_context_run(&context, 3, note_caller, NULL);
    CU_ASSERT_PTR_NOT_NULL(context.pool);
    CU_ASSERT_TRUE(pthread_equal(callers[0], pthread_self()) && !pthread_equal(callers[0], callers[1]) &&
                   !pthread_equal(callers[1], callers[2]) && !pthread_equal(callers[2], callers[0]));
    const uint64_t before = pml_allocation_count();
    n_ranges = 0;
    pml_context_ranges(&context, 10, 4, 1e9, note_range, &n_ranges);
    CU_ASSERT_EQUAL(n_ranges, 3);
    CU_ASSERT_EQUAL(ranges[0][1] - ranges[0][0] + ranges[1][1] - ranges[1][0] + ranges[2][1] - ranges[2][0], 10);
    n_ranges = 0;
    pml_context_ranges(&context, 10, 4, 1, note_range, &n_ranges);
    CU_ASSERT_TRUE(n_ranges == 1 && ranges[0][0] == 0 && ranges[0][1] == 10);
    pml_context_ranges(&context, 0, 4, 1e9, note_range, &n_ranges);
    CU_ASSERT_EQUAL(n_ranges, 1);
    CU_ASSERT_EQUAL(pml_allocation_count(), before);
    PML_ASSERT_OK(pml_context_threads_set(&context, 1, &error), &error);
    CU_ASSERT_PTR_NULL(context.pool);
    pml_context_run(&context, 4, note_caller, NULL);
    CU_ASSERT_TRUE(pthread_equal(callers[3], pthread_self()));
    end_test();
}

static void without_memory_the_caller_works_alone(void) {
    begin_test(64);
    PML_ASSERT_OK(pml_context_threads_set(&context, 3, &error), &error);
    pml_test_fail_allocation(1, true);
    pml_context_run(&context, 3, note_caller, NULL);
    pml_test_fail_allocation(0, false);
    CU_ASSERT_TRUE(pthread_equal(callers[2], pthread_self()));
    CU_ASSERT_EQUAL(pml_context_threads(&context), 1);
    end_test();
}

static void a_child_has_threads_of_its_own(void) {
    if (pml_test_cannot_fork()) {
        return;
    }
    begin_test(64);
    PML_ASSERT_OK(pml_context_threads_set(&context, 2, &error), &error);
    pml_context_run(&context, 2, note_caller, NULL);
    const pid_t child = fork();
    if (child == 0) {
        callers[1] = pthread_self();
        pml_context_run(&context, 2, note_caller, NULL);
        const bool is_right = !pthread_equal(callers[1], pthread_self()) && pml_context_threads(&context) == 2;
        pml_context_deinit(&context);
        _exit(is_right ? 0 : 1);
    }
    int status = 1;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    end_test();
}

static void counts_out_of_range_are_refused(void) {
    begin_test(64);
    PML_ASSERT_FAILS(pml_context_threads_set(&context, 0, &error), PML_E_ARGUMENT, &error, "0 threads");
    PML_ASSERT_FAILS(pml_context_threads_set(&context, PML_MAX_THREADS + 1, &error), PML_E_ARGUMENT, &error, "1024");
    (void)setenv("PML_THREADS", "2", 1);
    CU_ASSERT_EQUAL(pml_context_threads(&context), 2);
    end_test();
    (void)setenv("PML_THREADS", "none", 1);
    PML_ASSERT_FAILS(pml_context_init(&context, NULL, &error), PML_E_ARGUMENT, &error, "PML_THREADS");
    (void)unsetenv("PML_THREADS");
}

PML_TESTS("runtime/ops/parallel", PML_TEST(shares_are_whole_grains_and_even), PML_TEST(grids_cover_products),
          PML_TEST(small_work_stays_in_one_piece), PML_TEST(threads_are_made_when_they_are_needed),
          PML_TEST(without_memory_the_caller_works_alone), PML_TEST(a_child_has_threads_of_its_own),
          PML_TEST(counts_out_of_range_are_refused))
