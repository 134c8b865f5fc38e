#include "tests/runtime/plot/kinds/kinds_fixture.h"

static char *golden(void) {
    size_t size_bytes = 0;
    return (char *)pml_test_read_file(pml_test_path("%s/tests/goldens/train/trainer_state.json", pml_test_source_dir()),
                                      &size_bytes);
}

static void hugging_faces_state_is_drawn(void) {
    char *text = golden();
    const pml_plot_request request = request_of(text);
    char *svg = svg_of(&request, "training");
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">loss</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">learning_rate</text>"));
    CU_ASSERT_PTR_NULL(strstr(svg, ">grad_norm</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">training</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">evaluation</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">step (dashed: the best evaluation)</text>"));
    CU_ASSERT_EQUAL(count(svg, "<circle"), 1);            /* the loss behind the infinite one; 10 and 20 are a line */
    CU_ASSERT_EQUAL(count(svg, "stroke=\"#d55e00\""), 2); /* the evaluations, and the legend's */
    free(svg);
    free(text);
}

static void other_values_are_chosen(void) {
    char *text = golden();
    pml_plot_request request = request_of(text);
    request.columns = "grad_norm,samples_per_second";
    char *svg = svg_of(&request, "training");
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">grad_norm</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">samples_per_second</text>"));
    CU_ASSERT_PTR_NULL(strstr(svg, ">loss</text>"));
    free(svg);
    request.columns = "eval_loss";
    refuses(&request, "training", PML_E_CONFIG, "the run has no column 'eval_loss'");
    free(text);
}

static void a_csv_log_is_drawn(void) {
    const pml_plot_request request = request_of("step,epoch,loss,eval_loss,eval_mse\n1,0.5,2,,\n2,1,nan,,\n"
                                                "2,1,,3,4\n3,1,-inf,,\n4,2,1,2,1\n5,2,3,,\n");
    char *svg = svg_of(&request, "training");
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">loss</text>"));
    CU_ASSERT_PTR_NULL(strstr(svg, ">mse</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">step</text>"));
    CU_ASSERT_EQUAL(count(svg, "<circle"), 1);
    free(svg);
}

static void without_a_loss_everything_is_drawn(void) {
    const pml_plot_request request = request_of("step,epoch,eval_eval_x,eval_x\n1,1,2,1\n2,1,3,2\n");
    char *svg = svg_of(&request, "training");
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">x</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">eval_x</text>"));
    free(svg);
}

static void hostile_files(void) {
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"step,epoch\n1,2\n", "x: nothing was logged"},
        {"step,epoch,loss\n", "x: nothing was logged"},
        {"step,epoch,loss,loss\n1,1,1,1\n", "x, line 1, column 'loss': a column without a name, or a name twice"},
        {"step,epoch,step\n1,1,1\n", "a name twice"},
        {"step,epochs,loss\n1,1,1\n", "begins with step,epoch"},
        {"step,epoch,loss\n1,1,x\n", "x, line 2, column 'loss': not a number"},
        {"step,epoch,loss\n1,1,1\n-1,1,1\n", "x, line 3, column 'step': a step"},
        {"step,epoch,loss\n2,1,1\n1,1,1\n", "step 1 was logged behind step 2"},
        {"{\"log_history\": []}", "nothing was logged"},
        {"{\"log_history\": [{\"step\": 18446744073709551615, \"loss\": 1}]}", "beyond any chart"},
        {"{\"log_history\": [{\"step\": 1,\n \"loss\": 1, \"loss\": 2}]}", "x:2:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const pml_plot_request request = request_of(cases[i].text);
        refuses(&request, "training", PML_E_FORMAT, cases[i].part);
    }
}

PML_TESTS("runtime/plot/kinds/training", PML_TEST(hugging_faces_state_is_drawn), PML_TEST(other_values_are_chosen),
          PML_TEST(a_csv_log_is_drawn), PML_TEST(without_a_loss_everything_is_drawn), PML_TEST(hostile_files))
