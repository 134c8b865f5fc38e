#include "tests/runtime/plot/kinds/study_fixture.h"

static void an_axis_per_parameter_and_a_line_per_trial(void) {
    char *text = golden_journal();
    static const char *const shown[] = {"least", "value", "lr",   "layers", "width", "dropout",         "optimizer",
                                        "adam",  "sgd",   "lion", "0.001",  "100",   "darker is better"};
    pml_plot_request request = request_of(text);
    pml_error error = {0};
    pml_plot_result result = {0};
    size_t n_whole = 0, n_cut = 0, n_trials = 0;
    double last_size = 0;
    request.study = "least";
    PML_ASSERT_OK(draw_kind("parallel", &request, &result, &error), &error);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        CU_ASSERT_TRUE(shows(&result.drawing, shown[i]));
    }
    for (size_t i = 0; i < result.drawing.n_marks; i++) {
        const pml_mark *m = &result.drawing.marks[i];
        if (m->kind == PML_MARK_LINE && m->n_points > 2) {
            n_whole += m->n_points == 7;
            n_cut += m->n_points == 6; /* no momentum */
            n_trials++;
            CU_ASSERT_TRUE(m->size >= last_size); /* the best last */
            last_size = m->size;
        }
    }
    CU_ASSERT_EQUAL(n_trials, 31); /* of 34, three were pruned */
    CU_ASSERT_TRUE(n_whole > 5 && n_cut > 5 && n_whole + n_cut == n_trials);
    pml_plot_result_deinit(&result);
    free(text);
}

static void values_lie_where_axes_say(void) {
    const pml_plot_request request = request_of(STUDY TRIAL X("0", "2.0") DONE("0", "1.0") TRIAL X("1", "6.0")
                                                    DONE("1", "5.0") TRIAL X("2", "4.0") DONE("2", "2.0"));
    pml_error error = {0};
    pml_plot_result result = {0};
    size_t n = 0;
    PML_ASSERT_OK(draw_kind("parallel", &request, &result, &error), &error);
    for (size_t i = 0; i < result.drawing.n_marks; i++) {
        const pml_mark *m = &result.drawing.marks[i];
        const pml_point *p = result.drawing.points + m->first_point;
        if (m->kind == PML_MARK_LINE && m->n_points == 2 && p[1].x - p[0].x > 100) { /* worst first: 5, 2, 1 */
            static const double shares[3][2] = {{1, 1}, {0.25, 0.5}, {0, 0}};
            const double height = 480 - 14 - 6 - (14 + 48);
            CU_ASSERT_TRUE_FATAL(n < 3);
            CU_ASSERT_DOUBLE_EQUAL(p[0].y, 460 - shares[n][0] * height, 1e-6);
            CU_ASSERT_DOUBLE_EQUAL(p[1].y, 460 - shares[n][1] * height, 1e-6);
            n++;
        }
    }
    CU_ASSERT_EQUAL(n, 3);
    pml_plot_result_deinit(&result);
}

static void odd_studies(void) {
    pml_error error = {0};
    pml_plot_result result = {0};
    pml_plot_request request = request_of(STUDY TRIAL X("0", "2.0") DONE("0", "1e308") TRIAL DONE("1", "-1e308"));
    PML_ASSERT_OK(draw_kind("parallel", &request, &result, &error), &error);
    pml_plot_result_deinit(&result);
    request.width = 100;
    PML_ASSERT_FAILS(draw_kind("parallel", &request, &result, &error), PML_E_ARGUMENT, &error, "too few for 2 axes");
    pml_plot_result_deinit(&result);
    request = request_of(STUDY TRIAL X("0", "2.0") DONE("0", "1.0"));
    request.columns = "y";
    PML_ASSERT_FAILS(draw_kind("parallel", &request, &result, &error), PML_E_CONFIG, &error, "no column 'y'");
    pml_plot_result_deinit(&result);
    request = request_of(STUDY TRIAL DONE("0", "3.0"));
    PML_ASSERT_FAILS(draw_kind("parallel", &request, &result, &error), PML_E_CONFIG, &error, "no parameters");
    pml_plot_result_deinit(&result);
}

static void hostile_journals(void) {
    refuses_hostile_journals("parallel");
}

static void survives_failing_allocations(void) {
    survives_failing_allocations_of("parallel");
}

PML_TESTS("runtime/plot/kinds/parallel", PML_TEST(an_axis_per_parameter_and_a_line_per_trial),
          PML_TEST(values_lie_where_axes_say), PML_TEST(odd_studies), PML_TEST(hostile_journals),
          PML_TEST(survives_failing_allocations))
