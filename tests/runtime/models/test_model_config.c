#include "tests/runtime/models/patchtst_builder.h"

static void reads_values_by_type(void) {
    opened o = open_model(&(build){0}, NULL);
    size_t size = 0, choice = 9;
    double real = 0;
    bool flag = false;
    pml_activation activation = PML_ACTIVATION_RELU;
    static const char *const norms[] = {"layernorm", "batchnorm", NULL}, *const none[] = {NULL};
    PML_ASSERT_OK(pml_model_config_size(o.model, "ffn_dim", &size, &error), &error);
    CU_ASSERT_EQUAL(size, F);
    PML_ASSERT_OK(pml_model_config_real(o.model, "norm_eps", &real, &error), &error);
    CU_ASSERT_EQUAL(real, 1e-5);
    PML_ASSERT_OK(pml_model_config_bool(o.model, "pre_norm", &flag, &error), &error);
    CU_ASSERT_TRUE(flag);
    PML_ASSERT_OK(pml_model_config_choice(o.model, "norm_type", norms, &choice, &error), &error);
    CU_ASSERT_EQUAL(choice, 1);
    PML_ASSERT_OK(pml_model_config_activation(o.model, "activation", &activation, &error), &error);
    CU_ASSERT_EQUAL(activation, PML_ACTIVATION_GELU);
    PML_ASSERT_FAILS(pml_model_config_choice(o.model, "norm_type", none, &choice, &error), PML_E_CONFIG, &error,
                     "batchnorm");
    PML_ASSERT_FAILS(pml_model_config_activation(o.model, "norm_type", &activation, &error), PML_E_CONFIG, &error,
                     "norm_type");
    PML_ASSERT_FAILS(pml_model_config_size(o.model, "no_such_key", &size, &error), PML_E_NOT_FOUND, &error,
                     "no_such_key");
    close_model(&o);
}

PML_TESTS("runtime/models/model_config", PML_TEST(reads_values_by_type))
