#include "tests/runtime/models/patchtst_builder.h"

static void refuses_files_that_contradict_the_configuration(void) {
    const char *name = "encoder.layer.1.ffn.up.weight";
    PML_ASSERT_FAILS(try_create(&(build){.skip = name}), PML_E_FORMAT, &error, name);
    PML_ASSERT_FAILS(try_create(&(build){.reshape = name}), PML_E_FORMAT, &error, name);
    PML_ASSERT_FAILS(try_create(&(build){.reshape = "head.0.bias"}), PML_E_FORMAT, &error, "[6]");
    PML_ASSERT_FAILS(try_create(&(build){.extra = "encoder.layer.9.extra"}), PML_E_FORMAT, &error,
                     "encoder.layer.9.extra");
    PML_ASSERT_FAILS(try_create(&(build){.narrow = "encoder.layer.0.norm1.var"}), PML_E_FORMAT, &error,
                     "encoder.layer.0.norm1.var");
    PML_ASSERT_FAILS(try_create(&(build){.narrow = "position"}), PML_E_FORMAT, &error, "BF16");
    PML_ASSERT_FAILS(try_create(&(build){.drop_key = "config.d_model"}), PML_E_CONFIG, &error, "d_model");
    PML_ASSERT_FAILS(try_create(&(build){.family = "perceptron"}), PML_E_UNSUPPORTED, &error, "perceptron");
    PML_ASSERT_FAILS(try_create(&(build){.drop_key = "general.family"}), PML_E_NOT_FOUND, &error, "general.family");
    PML_ASSERT_FAILS(try_create(&(build){.family = "perceptron"}), PML_E_UNSUPPORTED, &error, ".pml");
}

static void refuses_an_unknown_backend(void) {
    pml_file *file = make_file(&(build){0});
    pml_model *model = NULL;
    PML_ASSERT_FAILS(pml_model_create(file, "abacus", &model, &error), PML_E_NOT_FOUND, &error, "abacus");
    CU_ASSERT_PTR_NULL(model);
    pml_model_destroy(NULL);
    pml_file_close(file);
}

static void knows_its_ports(void) {
    opened o = open_model(&(build){.distribution = "student_t"}, NULL);
    CU_ASSERT_EQUAL(pml_model_n_inputs(o.model), 2);
    CU_ASSERT_STRING_EQUAL(pml_model_input_at(o.model, 0)->name, "past_values");
    CU_ASSERT_FALSE(pml_model_input_at(o.model, 0)->optional);
    CU_ASSERT_PTR_NULL(pml_model_input_at(o.model, 2));
    CU_ASSERT_PTR_NULL(pml_model_find_input(o.model, "mask")); /* this configuration masks nothing */
    CU_ASSERT_PTR_NOT_NULL(pml_model_find_output(o.model, "df"));
    CU_ASSERT_PTR_NULL(pml_model_find_output(o.model, "prediction_outputs"));
    CU_ASSERT_EQUAL(pml_model_n_outputs(o.model), 6);
    CU_ASSERT_STRING_EQUAL(pml_model_output_at(o.model, 0)->name, "df");
    CU_ASSERT_PTR_NULL(pml_model_output_at(o.model, 0)->data); /* nothing has run */
    CU_ASSERT_PTR_NULL(pml_model_output_at(o.model, 6));
    CU_ASSERT_TRUE(pml_model_has_weight(o.model, "head.2.bias"));
    CU_ASSERT_FALSE(pml_model_has_weight(o.model, "head.3.bias"));
    close_model(&o);
}

static void survives_failing_allocations(void) {
    pml_file *file = make_file(&(build){0});
    for (unsigned long n = 1;; n++) {
        pml_model *model = NULL;
        pml_test_fail_allocation(n, false);
        pml_status status = pml_model_create(file, NULL, &model, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
        CU_ASSERT_TRUE((status == PML_OK) == (model != NULL));
        pml_model_destroy(model);
        if (status == PML_OK || n > 10000) {
            CU_ASSERT_TRUE(n > 3);
            break;
        }
    }
    pml_file_close(file);
}

PML_TESTS("runtime/models/model", PML_TEST(refuses_files_that_contradict_the_configuration),
          PML_TEST(refuses_an_unknown_backend), PML_TEST(knows_its_ports), PML_TEST(survives_failing_allocations))
