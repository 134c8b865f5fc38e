/* Cross entropy: rows longer than a block, great and infinite logits, classes out of range. */
#include "tests/runtime/train/losses/loss_case.h"

static const pml_loss *loss;
static pml_settings settings;
static pml_error error;

static void choose(const char *spec) {
    PML_ASSERT_OK(pml_loss_choose(spec, &loss, &settings, &error), &error);
}

static void rows_of_any_length(void) {
    pml_context context = make_context(1);
    choose("cross_entropy:label_smoothing=0.2");
    for (size_t width = 1; width <= 3000; width += width < 40 ? 1 : 137) {
        const oracle o = {.n_terms = 3, .width = width, .reduction = PML_REDUCTION_SUM};
        inputs in = make_inputs(loss, &o);
        double expected = 0;
        for (size_t i = 0; i < 3; i++) {
            double sum = 0, mean = 0;
            for (size_t k = 0; k < width; k++) {
                sum += exp((double)in.predictions[0][i * width + k]);
                mean += (double)in.predictions[0][i * width + k] / (double)width;
            }
            const double own = (double)in.predictions[0][i * width + (size_t)in.classes[i]];
            expected += log(sum) - .8 * own - .2 * mean;
        }
        CU_ASSERT_TRUE(fabs(compute(loss, &settings, &in, &context) - expected) <= 1e-6 * fabs(expected) + 1e-6);
        double total = 0;
        for (size_t k = 0; k < 3 * width; k++) {
            total += (double)in.operands.gradients[0][k];
        }
        CU_ASSERT_TRUE(fabs(total) < 1e-5);
        free(in.operands.gradients[0]);
        in.operands.gradients[0] = NULL;
        CU_ASSERT_TRUE(fabs(compute(loss, &settings, &in, &context) - expected) <= 1e-6 * fabs(expected) + 1e-6);
        free_inputs(&in);
    }
    pml_context_deinit(&context);
}

static void great_and_infinite_logits(void) {
    pml_context context = make_context(1);
    choose("cross_entropy");
    const oracle o = {.n_terms = 1, .width = 2500, .reduction = PML_REDUCTION_SUM};
    for (int round = 0; round < 2; round++) { /* with derivatives, without */
        inputs in = make_inputs(loss, &o);
        if (round == 1) {
            free(in.operands.gradients[0]);
            in.operands.gradients[0] = NULL;
        }
        for (size_t k = 0; k < 2500; k++) {
            in.predictions[0][k] = -INFINITY;
        }
        in.predictions[0][7] = 1e4f;
        in.predictions[0][2400] = 1e4f;
        in.classes[0] = 7;
        CU_ASSERT_TRUE(fabs(compute(loss, &settings, &in, &context) - log(2)) < 1e-6);
        in.classes[0] = 8;
        CU_ASSERT_EQUAL(compute(loss, &settings, &in, &context), INFINITY);
        in.predictions[0][9] = NAN;
        CU_ASSERT_TRUE(isnan(compute(loss, &settings, &in, &context)));
        free_inputs(&in);
    }
    pml_context_deinit(&context);
}

static void classes_must_be_there(void) {
    pml_context context = make_context(1);
    double value;
    choose("cross_entropy:ignore_index=-1");
    const oracle o = {.n_terms = 5, .width = 4, .reduction = PML_REDUCTION_MEAN};
    inputs in = make_inputs(loss, &o);
    in.classes[2] = -1;
    CU_ASSERT_TRUE(compute(loss, &settings, &in, &context) > 0);
    CU_ASSERT_EQUAL(in.operands.gradients[0][2 * 4], 0);
    in.classes[3] = 4;
    PML_ASSERT_FAILS(pml_loss_compute(loss, &settings, &in.operands, &context, &value, &error), PML_E_ARGUMENT, &error,
                     "target 3 is class 4 of 4");
    in.classes[3] = -100;
    PML_ASSERT_FAILS(pml_loss_compute(loss, &settings, &in.operands, &context, &value, &error), PML_E_ARGUMENT, &error,
                     "target 3 is class -100 of 4");
    for (size_t i = 0; i < 5; i++) {
        in.classes[i] = -1;
    }
    CU_ASSERT_EQUAL(compute(loss, &settings, &in, &context), 0);
    in.operands.class_weights = in.predictions[0];
    in.operands.n_class_weights = 3;
    PML_ASSERT_FAILS(pml_loss_compute(loss, &settings, &in.operands, &context, &value, &error), PML_E_ARGUMENT, &error,
                     "3 class weights for 4 classes");
    free_inputs(&in);
    pml_context_deinit(&context);
}

LOSS_TESTS("cross_entropy", PML_TEST(rows_of_any_length), PML_TEST(great_and_infinite_logits),
           PML_TEST(classes_must_be_there))
