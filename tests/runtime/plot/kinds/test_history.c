#include "tests/runtime/plot/kinds/study_fixture.h"

static void trials_are_dots_and_the_best_a_staircase(void) {
    const pml_plot_request request =
        request_of(STUDY TRIAL X("0", "1.0") DONE("0", "3.0") TRIAL X("1", "2.0") DONE("1", "5.0") TRIAL X("2", "3.0")
                       DONE("2", "1.0") "{\"op_code\": 4, \"worker_id\": \"w\", \"stud"); /* still being written */
    pml_error error = {0};
    pml_plot_result result = {0};
    PML_ASSERT_OK(draw_request(&request, "history", &result, &error), &error);
    const pml_drawing *d = &result.drawing;
    CU_ASSERT_EQUAL(count_marks(d, 2.4, 1), 4); /* three trials, and the legend's */
    CU_ASSERT_TRUE(shows(d, "s"));
    CU_ASSERT_TRUE(shows(d, "value (the least is best)"));
    CU_ASSERT_TRUE(shows(d, "best so far"));
    bool found = false;
    for (size_t i = 0; i < d->n_marks; i++) {
        const pml_mark *m = &d->marks[i];
        const pml_point *p = d->points + m->first_point;
        if (m->kind == PML_MARK_LINE && m->size == 1.8 && m->n_points >= 4) {
            found = true;
            CU_ASSERT_TRUE(p[0].y == p[1].y && p[0].y < p[m->n_points - 1].y); /* downwards, in pixels */
        }
    }
    CU_ASSERT_TRUE(found);
    pml_plot_result_deinit(&result);
}

static void optunas_journal_is_drawn(void) {
    char *text = golden_journal();
    pml_plot_request request = request_of(text);
    pml_error error = {0};
    pml_plot_result result = {0};
    refuses(&request, "history", PML_E_CONFIG, "--study");
    request.study = "nobody";
    refuses(&request, "history", PML_E_CONFIG, "x has no study 'nobody'");
    request.study = "greatest";
    PML_ASSERT_OK(draw_request(&request, "history", &result, &error), &error);
    CU_ASSERT_EQUAL(count_marks(&result.drawing, 2.4, 1), 31);
    CU_ASSERT_TRUE(shows(&result.drawing, "value (the greatest is best)"));
    pml_plot_result_deinit(&result);
    free(text);
}

static void hostile_journals(void) {
    refuses_hostile_journals("history");
}

static void survives_failing_allocations(void) {
    survives_failing_allocations_of("history");
}

PML_TESTS("runtime/plot/kinds/history", PML_TEST(trials_are_dots_and_the_best_a_staircase),
          PML_TEST(optunas_journal_is_drawn), PML_TEST(hostile_journals), PML_TEST(survives_failing_allocations))
