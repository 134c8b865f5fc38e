#include "tests/mappers/mapped.h"

enum { D = 8, F = 12, C = 3, T = 36, S = 14 };

static void add(synthetic *s, const char *name, unsigned rank, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    uint64_t *shape = synthetic_add(s, name, rank, a, b)->shape;
    shape[2] = c;
    shape[3] = d;
}

/* One block of two kernels. */
static synthetic network(bool is_forecast, bool has_marks, uint64_t n_out, uint64_t n_in) {
    synthetic s = {.count = 0};
    add(&s, "enc_embedding.value_embedding.tokenConv.weight", 3, D, n_out == 1 ? 1 : C, 3, 0);
    add(&s, "enc_embedding.position_embedding.pe", 3, 1, 50, D, 0);
    if (has_marks) {
        add(&s, "enc_embedding.temporal_embedding.embed.weight", 2, D, 4, 0, 0);
    }
    for (uint64_t k = 0; k < 2; k++) {
        add(&s, pml_test_path("model.0.conv.0.kernels.%d.weight", (int)k), 4, F, D, 2 * k + 1, 2 * k + 1);
        add(&s, pml_test_path("model.0.conv.0.kernels.%d.bias", (int)k), 1, F, 0, 0, 0);
        add(&s, pml_test_path("model.0.conv.2.kernels.%d.weight", (int)k), 4, D, F, 2 * k + 1, 2 * k + 1);
        add(&s, pml_test_path("model.0.conv.2.kernels.%d.bias", (int)k), 1, D, 0, 0, 0);
    }
    add(&s, "layer_norm.weight", 1, D, 0, 0, 0);
    add(&s, "layer_norm.bias", 1, D, 0, 0, 0);
    if (is_forecast) {
        add(&s, "predict_linear.weight", 2, T + S, T, 0, 0);
        add(&s, "predict_linear.bias", 1, T + S, 0, 0, 0);
    }
    add(&s, "projection.weight", 2, n_out, n_in, 0, 0);
    add(&s, "projection.bias", 1, n_out, 0, 0, 0);
    return s;
}

static void tensors_and_arguments_agree(void) {
    const synthetic s = network(true, true, C, D), fills = network(false, true, C, D),
                    classes = network(false, true, 5, (uint64_t)T * D);
    CU_ASSERT_TRUE(maps(&s, "{\"model\":\"TimesNet\",\"top_k\":3}", NULL, "tsl",
                        HOLDS("head == 'prediction'", "context_length == 36", "prediction_length == 14",
                              "num_kernels == 2", "num_hidden_layers == 1", "ffn_dim == 12", "num_periods == 3",
                              "scaling == 'std'", "time_embedding == 'timeF'", "frequency == 'h'")));
    CU_ASSERT_TRUE(is_refused(&s, "{\"model\":\"TimesNet\"}", NULL, PML_E_CONFIG, "num_periods"));
    CU_ASSERT_TRUE(is_refused(&s, "{\"top_k\":3,\"num_kernels\":6}", NULL, PML_E_CONFIG, "num_kernels = 2"));
    CU_ASSERT_TRUE(is_refused(&fills, "{\"top_k\":3,\"seq_len\":36}", NULL, PML_E_CONFIG, "head"));
    CU_ASSERT_TRUE(maps(&fills, "{\"top_k\":3,\"seq_len\":36,\"task_name\":\"anomaly_detection\"}", NULL, "tsl",
                        HOLDS("head == 'reconstruction'")));
    CU_ASSERT_TRUE(maps(&classes, "{\"top_k\":3,\"task_name\":\"classification\"}", NULL, "tsl",
                        HOLDS("head == 'classification'", "num_targets == 5", "context_length == 36")));
}

static void neuralforecast_does_not_scale(void) {
    const synthetic s = network(true, false, 1, D);
    CU_ASSERT_TRUE(maps(
        &s,
        "{\"h\":14,\"input_size\":36,\"hidden_size\":8,\"conv_hidden_size\":12,\"num_kernels\":2,\"encoder_layers\":1}",
        NULL, "neuralforecast",
        HOLDS("scaling == 'none'", "num_periods == 5", "num_input_channels == 1", "time_embedding == 'none'")));
}

PML_TESTS("mappers/timesnet", PML_TEST(tensors_and_arguments_agree), PML_TEST(neuralforecast_does_not_scale))
