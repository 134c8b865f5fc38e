#include "tests/runtime/plot/kinds/kinds_fixture.h"

static const char rows[] = "step,column,mae,mse,values\n1,a,1,4,2\n1,\"b,c\",3,9,2\n2,a,2,9,2\n2,\"b,c\",,,0\n"
                           "3,a,3,16,2\n3,\"b,c\",5,25,6\n";

static void a_panel_per_column_behind_all_of_them(void) {
    const pml_plot_request request = request_of(rows);
    char *svg = svg_of(&request, "backtest");
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">all columns</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">a</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">b,c</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">MAE</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">RMSE</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">step of the horizon</text>"));
    CU_ASSERT_EQUAL(count(svg, "<circle"), 4); /* both sides of b's gap, of two errors */
    free(svg);
}

static void errors_are_where_they_belong(void) {
    pml_plot_request request = request_of("step,column,mae,mse,values\n1,a,1,1,9\n2,a,2,9,9\n");
    pml_error error = {0};
    pml_plot_result result = {0};
    size_t n_lines = 0;
    PML_ASSERT_OK(draw_request(&request, "backtest", &result, &error), &error);
    CU_ASSERT_EQUAL(pml_names_count(&result.panels), 1);
    for (size_t i = 0; i < result.drawing.n_marks; i++) {
        const pml_mark *m = &result.drawing.marks[i];
        const pml_point *p = result.drawing.points + m->first_point;
        if (m->kind == PML_MARK_LINE && m->size == 1.8 && m->n_points == 2) { /* MAE rises by 1, RMSE by 2 */
            CU_ASSERT_TRUE(p[0].x < p[1].x && p[0].y > p[1].y);
            n_lines++;
        }
    }
    CU_ASSERT_EQUAL(n_lines, 2);
    pml_plot_result_deinit(&result);
}

static void columns_are_chosen(void) {
    pml_plot_request request = request_of(rows);
    request.columns = "a";
    char *svg = svg_of(&request, "backtest");
    CU_ASSERT_PTR_NULL(strstr(svg, ">all columns</text>"));
    free(svg);
    request.columns = "a,z";
    refuses(&request, "backtest", PML_E_CONFIG, "the backtest has no column 'z'");
}

static void hostile_files(void) {
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"step,column,mae,mse,values\n", "without rows"},
        {"step,column,mae,mse,values,more\n1,a,1,1,1,1\n", "x, line 1: the header"},
        {"step,column,mae,mse,values\n0,a,1,1,1\n", "x, line 2: a step is a whole number"},
        {"step,column,mae,mse,values\n1.5,a,1,1,1\n", "x, line 2: a step"},
        {"step,column,mae,mse,values\n99999999999,a,1,1,1\n", "x, line 2: a step"},
        {"step,column,mae,mse,values\n1,a,1,1,1\n2,a,-1,1,1\n", "x, line 3: an error"},
        {"step,column,mae,mse,values\n1,a,1,x,1\n", "x, line 2: an error"},
        {"step,column,mae,mse,values\n1,a,1\n", "x, line 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const pml_plot_request request = request_of(cases[i].text);
        refuses(&request, "backtest", PML_E_FORMAT, cases[i].part);
    }
}

PML_TESTS("runtime/plot/kinds/backtest", PML_TEST(a_panel_per_column_behind_all_of_them),
          PML_TEST(errors_are_where_they_belong), PML_TEST(columns_are_chosen), PML_TEST(hostile_files))
