/* Cross entropy of probabilities: certain ones are finite, impossible ones refused. */
#include "tests/runtime/train/losses/loss_case.h"

static void certain_predictions_are_finite(void) {
    const pml_loss *loss;
    pml_settings settings;
    pml_context context = make_context(1);
    pml_error error;
    const oracle *o = plain_oracle(&loss, &settings);
    inputs in = make_inputs(loss, o);
    in.operands.reduction = PML_REDUCTION_SUM;
    in.operands.n_terms = 2;
    in.predictions[0][0] = 0;
    in.target[0] = 1;
    in.predictions[0][1] = 1;
    in.target[1] = 1;
    CU_ASSERT_EQUAL(compute(loss, &settings, &in, &context), 100);
    CU_ASSERT_TRUE(fabs((double)in.operands.gradients[0][0] + 1e12) < 1e6);
    CU_ASSERT_EQUAL(in.operands.gradients[0][1], 0);
    double value;
    in.predictions[0][1] = 1.5f;
    PML_ASSERT_FAILS(pml_loss_compute(loss, &settings, &in.operands, &context, &value, &error), PML_E_ARGUMENT, &error,
                     "1.5 is no probability");
    free_inputs(&in);
    pml_context_deinit(&context);
}

LOSS_TESTS("bce", PML_TEST(certain_predictions_are_finite))
