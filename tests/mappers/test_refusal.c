#include "tests/mappers/synthetic.h"

static void refuses_quantized_weights_by_scheme(void) {
    static const char *const cases[][2] = {{"model.encoder.layers.0.ff.0.SCB", "bitsandbytes INT8"},
                                           {"model.encoder.layers.0.ff.0.weight_format", "bitsandbytes INT8"},
                                           {"model.encoder.layers.0.ff.0.weight.absmax", "bitsandbytes 4-bit"},
                                           {"model.encoder.layers.0.ff.0.weight.quant_map", "bitsandbytes 4-bit"},
                                           {"model.encoder.layers.0.ff.0.weight_scale_inv", "FP8"},
                                           {"model.encoder.layers.0.ff.0.qweight", "GPTQ"},
                                           {"model.encoder.layers.0.ff.0.g_idx", "GPTQ"},
                                           {"model.encoder.layers.0.ff.0._scale", "scaled integer"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        synthetic s;
        synthetic_patchtst(&s);
        synthetic_add(&s, cases[i][0], 1, 8, 0);
        synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_E_UNSUPPORTED, cases[i][1]);
        synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_E_UNSUPPORTED, cases[i][0]);
    }
}

static void refuses_small_floats_by_name(void) {
    synthetic s;
    synthetic_patchtst(&s);
    synthetic_find(&s, "model.encoder.layers.0.ff.0.weight")->dtype = "F8_E4M3";
    synthetic_expect(&s, SYNTHETIC_CONFIG(""), PML_E_UNSUPPORTED, "ff.0.weight is F8_E4M3");
    synthetic_expect(&s, NULL, PML_E_UNSUPPORTED, "F8_E4M3");
}

static void detection_tells_of_the_refusal(void) {
    synthetic s;
    synthetic_source source;
    pml_error error;
    pml_detect_report report = {0};
    synthetic_patchtst(&s);
    synthetic_add(&s, "model.encoder.layers.0.ff.0.SCB", 1, 8, 0);
    synthetic_source_init(&source, &s, SYNTHETIC_CONFIG(""));
    PML_ASSERT_OK(pml_detect_report_fill(&source.map, &report, &error), &error);
    CU_ASSERT_FALSE(report.candidates[0].accepted);
    CU_ASSERT_PTR_NOT_NULL(strstr(report.candidates[0].failed, "bitsandbytes"));
    pml_detect_report_deinit(&report);
    synthetic_source_deinit(&source);
}

PML_TESTS("mappers/refusal", PML_TEST(refuses_quantized_weights_by_scheme), PML_TEST(refuses_small_floats_by_name),
          PML_TEST(detection_tells_of_the_refusal))
