/* Distance, whose derivative at 0 is 0. */
#include "tests/runtime/train/losses/loss_case.h"

static void no_distance_pulls_nowhere(void) {
    const pml_loss *loss;
    pml_settings settings;
    pml_context context = make_context(1);
    const oracle *o = plain_oracle(&loss, &settings);
    inputs in = make_inputs(loss, o);
    in.target[0] = in.predictions[0][0];
    in.target[1] = NAN;
    CU_ASSERT_TRUE(isnan(compute(loss, &settings, &in, &context)));
    CU_ASSERT_EQUAL(in.operands.gradients[0][0], 0);
    CU_ASSERT_TRUE(isnan(in.operands.gradients[0][1]));
    free_inputs(&in);
    pml_context_deinit(&context);
}

LOSS_TESTS("l1", PML_TEST(no_distance_pulls_nowhere))
