/* Journals: one that Optuna wrote (scripts/make_golden_study.py), and short ones. */
#ifndef PML_TESTS_RUNTIME_PLOT_KINDS_STUDY_FIXTURE_H
#define PML_TESTS_RUNTIME_PLOT_KINDS_STUDY_FIXTURE_H

#include "tests/runtime/plot/kinds/kinds_fixture.h"

/* Lines of a journal. */
#define STUDY "{\"op_code\": 0, \"worker_id\": \"w\", \"study_name\": \"s\", \"directions\": [1]}\n"
#define TRIAL "{\"op_code\": 4, \"worker_id\": \"w\", \"study_id\": 0}\n"
#define X(id, value)                                                                                                   \
    "{\"op_code\": 5, \"worker_id\": \"w\", \"trial_id\": " id                                                         \
    ", \"param_name\": \"x\", \"param_value_internal\": " value                                                        \
    ", \"distribution\": \"{\\\"name\\\": \\\"FloatDistribution\\\", \\\"attributes\\\": {\\\"step\\\": null, "        \
    "\\\"low\\\": 0.0, \\\"high\\\": 10.0, \\\"log\\\": false}}\"}\n"
#define DONE(id, value)                                                                                                \
    "{\"op_code\": 6, \"worker_id\": \"w\", \"trial_id\": " id ", \"state\": 1, \"values\": [" value "]}\n"

static inline char *golden_journal(void) {
    size_t size_bytes = 0;
    return (char *)pml_test_read_file(pml_test_path("%s/tests/goldens/study/study.journal", pml_test_source_dir()),
                                      &size_bytes);
}

/* A kind by its name, over a request. */
static inline pml_status draw_kind(const char *name, const pml_plot_request *request, pml_plot_result *result,
                                   pml_error *error) {
    const pml_plot_kind *kind = NULL;
    PML_ASSERT_OK(pml_plot_kind_find(name, request, &kind, error), error);
    return kind->draw(request, result, error);
}

/* Marks of lines as wide as that, or as tall dots. */
static inline size_t count_marks(const pml_drawing *drawing, double size, size_t n_points) {
    size_t n = 0;
    for (size_t i = 0; i < drawing->n_marks; i++) {
        const pml_mark *m = &drawing->marks[i];
        n += m->kind == PML_MARK_LINE && m->size == size && m->n_points == n_points;
    }
    return n;
}

/* Whether a text is shown. */
static inline bool shows(const pml_drawing *drawing, const char *text) {
    for (size_t i = 0; i < drawing->n_marks; i++) {
        if (drawing->marks[i].kind == PML_MARK_TEXT && strcmp(drawing->texts + drawing->marks[i].text, text) == 0) {
            return true;
        }
    }
    return false;
}

/* What every kind of study's picture refuses. */
static inline void refuses_hostile_journals(const char *kind) {
    static const struct {
        pml_status status;
        const char *text, *part;
    } cases[] = {
        {PML_E_CONFIG, "", "x has no study"},
        {PML_E_CONFIG, STUDY, "study 's' has no complete trial"},
        {PML_E_CONFIG, STUDY TRIAL DONE("0", "NaN"), "no complete trial"},
        {PML_E_FORMAT, STUDY "{\"op_code\": }\n", "line 2"},
        {PML_E_FORMAT, STUDY "not JSON\n", "line 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const pml_plot_request request = request_of(cases[i].text);
        pml_error error = {0};
        pml_plot_result result = {0};
        PML_ASSERT_FAILS(draw_kind(kind, &request, &result, &error), cases[i].status, &error, cases[i].part);
        pml_plot_result_deinit(&result);
    }
}

static inline void survives_failing_allocations_of(const char *kind) {
    const pml_plot_request request = request_of(STUDY TRIAL X("0", "2.0") DONE("0", "1.0") TRIAL X("1", "6.0")
                                                    DONE("1", "5.0") TRIAL X("2", "4.0") DONE("2", "2.0"));
    pml_status status = PML_E_MEMORY;
    unsigned long n = 1;
    for (; status != PML_OK && n < 5000; n++) {
        pml_error error = {0};
        pml_plot_result result = {0};
        pml_test_fail_allocation(n, false);
        status = draw_kind(kind, &request, &result, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
        pml_plot_result_deinit(&result);
    }
    CU_ASSERT_TRUE(n > 20 && n < 5000);
}

#endif
