#include "runtime/plot/importance.h"

#include "runtime/base/json_reader.h"
#include "runtime/plot/study_file.h"
#include "tests/runtime/plot/kinds/study_fixture.h"

typedef struct expected { /* what Optuna says, in its order */
    char names[16][32];
    double values[16];
    size_t n;
} expected;

static expected read_expected(const char *study) {
    expected e = {.n = 0};
    pml_error error;
    pml_json_reader r;
    size_t size_bytes = 0;
    unsigned char *bytes =
        pml_test_read_file(pml_test_path("%s/tests/goldens/study/importance.json", pml_test_source_dir()), &size_bytes);
    pml_json_reader_init(&r, bytes, size_bytes, 0, "importance.json", 256);
    PML_ASSERT_OK(pml_json_expect(&r, PML_JSON_OBJECT_BEGIN, "", &error), &error);
    while (pml_json_next(&r, &error) == PML_OK && r.token == PML_JSON_KEY) {
        const bool is_it = strcmp(r.text, study) == 0;
        PML_ASSERT_OK(pml_json_expect(&r, PML_JSON_OBJECT_BEGIN, "", &error), &error);
        while (pml_json_next(&r, &error) == PML_OK && r.token == PML_JSON_KEY) {
            if (is_it) {
                (void)snprintf(e.names[e.n], sizeof e.names[0], "%s", r.text);
            }
            PML_ASSERT_OK(pml_json_expect(&r, PML_JSON_NUMBER, "", &error), &error);
            if (is_it) {
                e.values[e.n++] = r.number;
            }
        }
    }
    pml_json_reader_deinit(&r);
    free(bytes);
    return e;
}

/* Every kind of parameter, a conditional one, both directions: the numbers of Optuna 5's default evaluator. */
static void numbers_are_optunas(void) {
    static const char *const studies[] = {"least", "greatest"};
    char *text = golden_journal();
    for (size_t s = 0; s < 2; s++) {
        const expected e = read_expected(studies[s]);
        pml_plot_request request = request_of(text);
        pml_error error = {0};
        pml_study_file file = {0};
        double values[16];
        const char *names[16];
        request.study = studies[s];
        PML_ASSERT_OK(pml_study_file_parse(&request, &file, &error), &error);
        CU_ASSERT_TRUE_FATAL(e.n > 2 && e.n == file.n_names);
        for (size_t k = 0; k < e.n; k++) {
            names[k] = e.names[k];
        }
        PML_ASSERT_OK(pml_importance(file.trials, file.n_trials, file.study->direction, names, e.n, values, &error),
                      &error);
        for (size_t k = 0; k < e.n; k++) {
            CU_ASSERT_DOUBLE_EQUAL(values[k], e.values[k], 1e-9);
        }
        pml_study_file_deinit(&file);
    }
    free(text);
}

static void bars_are_sorted_and_in_proportion(void) {
    char *text = golden_journal();
    const expected e = read_expected("least");
    pml_plot_request request = request_of(text);
    pml_error error = {0};
    pml_plot_result result = {0};
    double widths[16];
    size_t n = 0;
    request.study = "least";
    PML_ASSERT_OK(draw_kind("importance", &request, &result, &error), &error);
    for (size_t i = 0; i < result.drawing.n_marks; i++) {
        const pml_mark *m = &result.drawing.marks[i];
        const pml_point *p = result.drawing.points + m->first_point;
        if (m->kind == PML_MARK_AREA && n < 16) {
            widths[n++] = p[1].x - p[0].x;
        }
    }
    CU_ASSERT_EQUAL_FATAL(n, e.n);
    for (size_t k = 0; k < n; k++) {
        CU_ASSERT_DOUBLE_EQUAL(widths[k] / widths[0], e.values[k] / e.values[0], 1e-9);
        CU_ASSERT_STRING_EQUAL(pml_names_at(&result.panels, k), e.names[k]);
        CU_ASSERT_TRUE(shows(&result.drawing, e.names[k]));
    }
    pml_plot_result_deinit(&result);
    request.columns = "width,lr";
    PML_ASSERT_OK(draw_kind("importance", &request, &result, &error), &error);
    CU_ASSERT_FALSE(shows(&result.drawing, "layers"));
    pml_plot_result_deinit(&result);
    request.height = 60;
    PML_ASSERT_FAILS(draw_kind("importance", &request, &result, &error), PML_E_ARGUMENT, &error, "too few for 2 bars");
    pml_plot_result_deinit(&result);
    free(text);
}

static void one_trial_says_nothing(void) {
    const pml_plot_request request = request_of(STUDY TRIAL X("0", "1.0") DONE("0", "3.0"));
    pml_error error = {0};
    pml_plot_result result = {0};
    PML_ASSERT_OK(draw_kind("importance", &request, &result, &error), &error);
    CU_ASSERT_TRUE(shows(&result.drawing, "1.00"));
    pml_plot_result_deinit(&result);
    const pml_plot_request bare = request_of(STUDY TRIAL DONE("0", "3.0"));
    PML_ASSERT_FAILS(draw_kind("importance", &bare, &result, &error), PML_E_CONFIG, &error, "no parameters");
    pml_plot_result_deinit(&result);
}

static void hostile_journals(void) {
    refuses_hostile_journals("importance");
}

static void survives_failing_allocations(void) {
    survives_failing_allocations_of("importance");
}

PML_TESTS("runtime/plot/kinds/importance", PML_TEST(numbers_are_optunas), PML_TEST(bars_are_sorted_and_in_proportion),
          PML_TEST(one_trial_says_nothing), PML_TEST(hostile_journals), PML_TEST(survives_failing_allocations))
