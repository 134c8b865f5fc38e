#include "tests/mappers/mapped.h"

enum { T = 12, S = 5, D = 8, F = 20 };

static void add_linear(synthetic *s, const char *name, uint64_t n_out, uint64_t n_in) {
    synthetic_add(s, pml_test_path("%s.weight", name), 2, n_out, n_in);
    synthetic_add(s, pml_test_path("%s.bias", name), 1, n_out, 0);
}

static void add_norm(synthetic *s, const char *name) {
    synthetic_add(s, pml_test_path("%s.weight", name), 1, D, 0);
    synthetic_add(s, pml_test_path("%s.bias", name), 1, D, 0);
}

/* One layer and a head of that name. */
static synthetic network(const char *head, uint64_t n_out, uint64_t n_in) {
    static const char *const parts[] = {"query", "key", "value", "out"};
    synthetic s = {.count = 0};
    add_linear(&s, "enc_embedding.value_embedding", D, T);
    for (size_t i = 0; i < 4; i++) {
        add_linear(&s, pml_test_path("encoder.attn_layers.0.attention.%s_projection", parts[i]), D, D);
    }
    add_norm(&s, "encoder.attn_layers.0.norm1");
    add_norm(&s, "encoder.attn_layers.0.norm2");
    add_norm(&s, "encoder.norm");
    synthetic_add(&s, "encoder.attn_layers.0.conv1.weight", 3, F, D)->shape[2] = 1;
    synthetic_add(&s, "encoder.attn_layers.0.conv1.bias", 1, F, 0);
    synthetic_add(&s, "encoder.attn_layers.0.conv2.weight", 3, D, F)->shape[2] = 1;
    synthetic_add(&s, "encoder.attn_layers.0.conv2.bias", 1, D, 0);
    add_linear(&s, head, n_out, n_in);
    return s;
}

#define CONFIG(more)                                                                                                   \
    "{\"model\":\"iTransformer\",\"seq_len\":12,\"pred_len\":5,\"n_heads\":2,\"embed\":\"timeF\",\"freq\":\"h\"" more  \
    "}"

static void tensors_and_arguments_agree(void) {
    const synthetic s = network("projector", S, D);
    CU_ASSERT_TRUE(
        maps(&s, CONFIG(",\"use_norm\":1"), NULL, "official",
             HOLDS("context_length == 12", "prediction_length == 5", "d_model == 8", "ffn_dim == 20",
                   "num_hidden_layers == 1", "num_attention_heads == 2", "scaling == 'std'", "n_time_features == 4")));
    CU_ASSERT_TRUE(maps(&s, CONFIG(",\"use_norm\":0,\"data\":\"custom\""), NULL, "official",
                        HOLDS("scaling == 'none'", "n_time_features == 4")));
    CU_ASSERT_TRUE(maps(&s, CONFIG(",\"use_norm\":false"), SETTINGS("freq=15min"), "official",
                        HOLDS("scaling == 'none'", "frequency == 't'", "n_time_features == 5")));
    CU_ASSERT_TRUE(is_refused(&s, CONFIG(",\"use_norm\":1"), SETTINGS("d_model=16"), PML_E_CONFIG, "d_model = 8"));
    CU_ASSERT_TRUE(
        is_refused(&s, CONFIG(",\"use_norm\":1"), SETTINGS("pred_len=6"), PML_E_CONFIG, "prediction_length = 5"));
    CU_ASSERT_TRUE(is_refused(&s, CONFIG(",\"use_norm\":2"), NULL, PML_E_CONFIG, "use_norm"));
    CU_ASSERT_TRUE(is_refused(&s, CONFIG(",\"use_norm\":1"), SETTINGS("freq=fortnight"), PML_E_CONFIG, "fortnight"));
}

/* Two data sets of the official scripts have no time marks. */
static void data_decides_about_marks(void) {
    const synthetic s = network("projector", S, D);
    CU_ASSERT_TRUE(maps(&s, CONFIG(",\"use_norm\":1,\"data\":\"PEMS\""), NULL, "official",
                        HOLDS("time_embedding == 'none'", "n_time_features == 0")));
    CU_ASSERT_TRUE(
        maps(&s, CONFIG(",\"use_norm\":1"), SETTINGS("data=Solar"), "official", HOLDS("time_embedding == 'none'")));
    CU_ASSERT_TRUE(maps(&s, CONFIG(",\"use_norm\":1,\"data\":\"PEMS\""), SETTINGS("time_embedding=timeF"), "official",
                        HOLDS("n_time_features == 4")));
}

static void what_nothing_tells_is_asked_for(void) {
    const synthetic s = network("projector", S, D);
    CU_ASSERT_TRUE(is_refused(&s, NULL, NULL, PML_E_CONFIG, "--set num_attention_heads=N"));
    CU_ASSERT_TRUE(is_refused(&s, NULL, NULL, PML_E_CONFIG, "--set scaling=std|none"));
    CU_ASSERT_TRUE(is_refused(&s, NULL, NULL, PML_E_CONFIG, "--set time_embedding=timeF|fixed|learned|none"));
    CU_ASSERT_TRUE(
        maps(&s, NULL,
             SETTINGS("setting=ETTh1_12_5_iTransformer_ETTh1_M_ft12_sl6_ll5_pl8_dm2_nh1_el1_dl20_df1_fctimeF_"
                      "ebTrue_dtExp_projection_0",
                      "use_norm=1", "freq=h"),
             "official", HOLDS("num_attention_heads == 2", "time_embedding == 'timeF'")));
    CU_ASSERT_TRUE(maps(&s, NULL, SETTINGS("n_heads=2", "scaling=std", "time_embedding=none"), "official",
                        HOLDS("n_time_features == 0")));
}

static void the_library_has_another_head(void) {
    synthetic s = network("projection", S, D);
    CU_ASSERT_TRUE(maps(&s, CONFIG(",\"task_name\":\"long_term_forecast\",\"use_norm\":0"), NULL, "tsl",
                        HOLDS("scaling == 'std'", "head == 'prediction'", "n_time_features == 4")));
    s = network("projection", T, D);
    CU_ASSERT_TRUE(maps(&s, CONFIG(",\"task_name\":\"imputation\""), NULL, "tsl",
                        HOLDS("head == 'reconstruction'", "prediction_length == 0")));
    s = network("projection", 4, 3 * D);
    CU_ASSERT_TRUE(maps(&s, CONFIG(",\"task_name\":\"classification\""), NULL, "tsl",
                        HOLDS("num_targets == 4", "num_input_channels == 3", "n_time_features == 0")));
    CU_ASSERT_TRUE(
        is_refused(&s, CONFIG(",\"task_name\":\"long_term_forecast\""), NULL, PML_E_CONFIG, "head = classification"));
}

static void neuralforecast_never_has_marks(void) {
    const synthetic s = network("projector", S, D);
    CU_ASSERT_TRUE(maps(&s, "{\"input_size\":12,\"h\":5,\"hidden_size\":8,\"d_ff\":20,\"e_layers\":1}", NULL,
                        "neuralforecast",
                        HOLDS("num_attention_heads == 8", "scaling == 'std'", "n_time_features == 0")));
    CU_ASSERT_TRUE(maps(&s,
                        "{\"input_size\":12,\"h\":5,\"hidden_size\":8,\"d_ff\":20,\"e_layers\":1,\"use_norm\":false}",
                        NULL, "neuralforecast", HOLDS("scaling == 'none'")));
}

/* Other networks of these code bases have the same encoder behind another embedding. */
static void the_embedding_makes_it_one(void) {
    synthetic s = network("projection", S, D);
    synthetic_remove(&s, "enc_embedding.value_embedding.weight");
    synthetic_remove(&s, "enc_embedding.value_embedding.bias");
    synthetic_add(&s, "enc_embedding.value_embedding.tokenConv.weight", 3, D, 3)->shape[2] = 3;
    CU_ASSERT_TRUE(is_refused(&s, NULL, NULL, PML_E_UNSUPPORTED, "no model family fits"));
}

PML_TESTS("mappers/itransformer", PML_TEST(tensors_and_arguments_agree), PML_TEST(data_decides_about_marks),
          PML_TEST(what_nothing_tells_is_asked_for), PML_TEST(the_library_has_another_head),
          PML_TEST(neuralforecast_never_has_marks), PML_TEST(the_embedding_makes_it_one))
