/* Cross entropy of logits: great ones do not overflow. */
#include "tests/runtime/train/losses/loss_case.h"

static void great_logits_are_finite(void) {
    const pml_loss *loss;
    pml_settings settings;
    pml_context context = make_context(1);
    pml_error error;
    (void)plain_oracle(&loss, &settings);
    PML_ASSERT_OK(pml_loss_choose("bce_logits", &loss, &settings, &error), &error);
    size_t position = 0;
    inputs in = make_inputs(loss, next_oracle(&position));
    in.operands.reduction = PML_REDUCTION_SUM;
    in.operands.n_terms = 2;
    in.predictions[0][0] = -1e4f;
    in.predictions[0][1] = 1e4f;
    in.target[0] = in.target[1] = 1;
    CU_ASSERT_EQUAL(compute(loss, &settings, &in, &context), 1e4);
    CU_ASSERT_EQUAL(in.operands.gradients[0][0], -1);
    CU_ASSERT_EQUAL(in.operands.gradients[0][1], 0);
    free_inputs(&in);
    pml_context_deinit(&context);
}

LOSS_TESTS("bce_logits", PML_TEST(great_logits_are_finite))
