#include "runtime/plot/forecast_file.h"
#include "tests/runtime/plot/kinds/kinds_fixture.h"

static const char *history(void) {
    static const char text[] = "a,b\n1,5\n2,5\n3,5\n4,5\n";
    const char *path = pml_test_path("%s/history.csv", pml_test_temporary_dir());
    pml_test_write_file(path, text, sizeof text - 1);
    return path;
}

static void quantiles_are_bands_and_no_columns(void) {
    static const char *const files[] = {
        "a,a_q0.9,a_q0.1,a_q0.5,b,b_q0.1,b_q0.5,b_q0.9\n1,3,0,1,5,4,5,6\n2,4,1,2,5,4,5,6\n",
        "{\"columns\":[\"a\",\"b\"],\"dates\":null,\"quantiles\":[{\"level\":0.9,\"forecast\":[[3,6],[4,6]]},"
        "{\"forecast\":[[0,4],[1,4]],\"level\":0.1},{\"level\":0.5,\"forecast\":[[1,5],[2,5]]}],"
        "\"forecast\":[[1,5],[2,5]],\"start_row\":4}"};
    char *svgs[2];
    for (size_t i = 0; i < 2; i++) {
        pml_plot_request request = request_of(files[i]);
        request.csv = history();
        svgs[i] = svg_of(&request, "forecast");
        CU_ASSERT_EQUAL(count(svgs[i], "<polygon"), 3); /* a's, b's, and the legend's */
        CU_ASSERT_PTR_NOT_NULL(strstr(svgs[i], ">quantiles 0.1 to 0.9</text>"));
        CU_ASSERT_PTR_NOT_NULL(strstr(svgs[i], ">median</text>"));
        CU_ASSERT_PTR_NULL(strstr(svgs[i], "_q"));
    }
    CU_ASSERT_STRING_EQUAL(svgs[0], svgs[1]);
    free(svgs[0]);
    free(svgs[1]);
}

static void two_levels_have_no_middle_and_one_no_band(void) {
    pml_plot_request request = request_of("a,a_q0.25,a_q0.75\n1,0,3\n,1,4\n2,,4\n");
    request.csv = history();
    char *svg = svg_of(&request, "forecast");
    CU_ASSERT_EQUAL(count(svg, "<polygon"), 2);
    CU_ASSERT_PTR_NULL(strstr(svg, "median"));
    free(svg);
    request = request_of("a,a_q0.25\n1,0\n2,1\n");
    request.csv = history();
    svg = svg_of(&request, "forecast");
    CU_ASSERT_EQUAL(count(svg, "<polygon"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">quantile 0.25</text>"));
    free(svg);
}

/* A band is as high as its levels are apart, and the axis holds it. */
static void bands_lie_around_the_forecast(void) {
    pml_plot_request request = request_of("a,a_q0.1,a_q0.9\n1,-10,10\n2,-10,10\n");
    pml_error error = {0};
    pml_plot_result result = {0};
    bool found = false;
    request.csv = history();
    PML_ASSERT_OK(draw_request(&request, "forecast", &result, &error), &error);
    for (size_t i = 0; i < result.drawing.n_marks; i++) {
        const pml_mark *m = &result.drawing.marks[i];
        const pml_point *p = result.drawing.points + m->first_point;
        if (m->kind == PML_MARK_AREA && m->n_points == 4 && p[1].x - p[0].x > 25) {
            found = true;
            CU_ASSERT_TRUE(p[0].y > p[3].y + 100 && p[1].y > p[2].y + 100);
            CU_ASSERT_TRUE(p[0].x == p[3].x && p[3].y > 0 && p[0].y < result.drawing.height);
        }
    }
    CU_ASSERT_TRUE(found);
    pml_plot_result_deinit(&result);
}

static void names_that_only_look_like_quantiles_are_columns(void) {
    static const char text[] = "a,a_q2,a_q,z_q0.5,a_q0.5,a_q0.5_q0.5\n1,1,1,1,1,1\n";
    pml_error error = {0};
    pml_forecast_file file = {0};
    PML_ASSERT_OK(pml_forecast_file_parse(text, strlen(text), "x", &file, &error), &error);
    CU_ASSERT_EQUAL(file.n_points, 4);
    CU_ASSERT_EQUAL_FATAL(file.n_quantiles, 1);
    CU_ASSERT_TRUE(file.quantiles[0].level == 0.5 && file.quantiles[0].i_point == 0 && file.quantiles[0].i_column == 4);
    pml_forecast_file_deinit(&file);
}

static void hostile_files(void) {
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"{\"columns\":[\"a\"],\"forecast\":[[1]],\"quantiles\":[1]}", "a quantile is an object"},
        {"{\"columns\":[\"a\"],\"forecast\":[[1]],\"quantiles\":[{\"level\":0.5}]}", "not with its quantiles"},
        {"{\"columns\":[\"a\"],\"forecast\":[[1]],\"quantiles\":[{\"level\":0.5,\"forecast\":[[1],[2]]}]}",
         "not with its quantiles"},
        {"{\"columns\":[\"a\"],\"forecast\":[[1]],\"quantiles\":[{\"level\":1,\"forecast\":[[1]]}]}",
         "between 0 and 1"},
        {"{\"columns\":[\"a\"],\"forecast\":[[1]],\n\"quantiles\":[{\"forecast\":[[1]]}]}", "x:2:"},
        {"{\"columns\":[\"a\"],\"forecast\":[[1]],\"quantiles\":[],\"quantiles\":[]}", "a key twice"},
        {"{\"columns\":[\"a\"],\"forecast\":[]}", "no forecast"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_plot_request request = request_of(cases[i].text);
        request.csv = history();
        refuses(&request, "forecast", PML_E_FORMAT, cases[i].part);
    }
    const pml_plot_request request = request_of("a\n1\n");
    refuses(&request, "forecast", PML_E_ARGUMENT, "plot needs --csv FILE");
}

static void survives_failing_allocations(void) {
    static const char text[] =
        "{\"columns\":[\"a\"],\"dates\":null,\"quantiles\":[{\"level\":0.9,\"forecast\":[[3],[4]]}],"
        "\"forecast\":[[1],[2]]}";
    pml_plot_request request = request_of(text);
    const pml_plot_kind *kind = NULL;
    pml_error error;
    pml_status status = PML_E_MEMORY;
    unsigned long n = 1;
    request.csv = history();
    PML_ASSERT_OK(pml_plot_kind_find("forecast", &request, &kind, &error), &error);
    for (; status != PML_OK && n < 2000; n++) {
        pml_plot_result result = {0};
        pml_test_fail_allocation(n, false);
        status = kind->draw(&request, &result, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
        pml_plot_result_deinit(&result);
    }
    CU_ASSERT_TRUE(n > 20 && n < 2000);
}

PML_TESTS("runtime/plot/kinds/forecast", PML_TEST(quantiles_are_bands_and_no_columns),
          PML_TEST(two_levels_have_no_middle_and_one_no_band), PML_TEST(bands_lie_around_the_forecast),
          PML_TEST(names_that_only_look_like_quantiles_are_columns), PML_TEST(hostile_files),
          PML_TEST(survives_failing_allocations))
