#include "tests/mappers/seasonal_network.h"

#define SIZES "\"seq_len\":36,\"label_len\":18,\"pred_len\":16,\"n_heads\":2,\"moving_avg\":25,\"factor\":3"
#define CONFIG(more) "{\"model\":\"Autoformer\"," SIZES more "}"
#define SAME                                                                                                           \
    "num_input_channels == 3", "d_model == 8", "ffn_dim == 12", "num_encoder_layers == 2", "num_decoder_layers == 1",  \
        "context_length == 36", "label_length == 18", "prediction_length == 16", "correlation_factor == 3",            \
        "decomposition_kernel == 25", "activation == 'gelu'"

static void time_marks_are_told_by_tensors(void) {
    const synthetic timef = network("embed.weight", C), fixed = network("embed.emb.weight", C),
                    learned = network("embed.weight2", C);
    synthetic trained = learned;
    for (size_t i = 0; i < trained.count; i++) { /* "hour_embed.weight2" stands for "hour_embed.weight" */
        char *end = strstr(trained.tensors[i].name, "weight2");
        if (end != NULL) {
            end[6] = 0;
        }
    }
    CU_ASSERT_TRUE(maps(&timef, CONFIG(",\"embed\":\"timeF\",\"freq\":\"h\""), NULL, "official",
                        HOLDS(SAME, "time_embedding == 'timeF'", "frequency == 'h'")));
    CU_ASSERT_TRUE(maps(&timef, CONFIG(""), NULL, "official", HOLDS(SAME, "frequency == 'h'")));
    CU_ASSERT_TRUE(maps(&fixed, CONFIG(",\"freq\":\"h\""), NULL, "official", HOLDS("time_embedding == 'fixed'")));
    CU_ASSERT_TRUE(maps(&trained, CONFIG(",\"freq\":\"h\""), NULL, "official", HOLDS("time_embedding == 'learned'")));
    CU_ASSERT_TRUE(is_refused(&timef, CONFIG(",\"embed\":\"learned\""), NULL, PML_E_CONFIG, "time_embedding = timeF"));
    CU_ASSERT_TRUE(is_refused(&timef, CONFIG(",\"freq\":\"t\""), NULL, PML_E_CONFIG, "frequency = h"));
    CU_ASSERT_TRUE(is_refused(&fixed, CONFIG(""), NULL, PML_E_CONFIG, "--set frequency"));
}

static void arguments_come_from_the_name_of_the_run(void) {
    const synthetic s = network("embed.weight", C);
    CU_ASSERT_TRUE(maps(&s, NULL,
                        SETTINGS("setting=ETTh1_36_16_Autoformer_ETTh1_ftM_sl36_ll18_pl16_dm8_nh2_el2_dl1_df12_fc3_"
                                 "ebtimeF_dtTrue_Exp_0",
                                 "moving_avg=25"),
                        "official", HOLDS(SAME, "num_attention_heads == 2")));
    CU_ASSERT_TRUE(is_refused(&s, NULL, NULL, PML_E_CONFIG, "label_length"));
    CU_ASSERT_TRUE(maps(&s, CONFIG(",\"task_name\":\"long_term_forecast\""), NULL, "tsl", HOLDS(SAME)));
    CU_ASSERT_TRUE(is_refused(&s,
                              "{\"seq_len\":36,\"label_len\":18,\"pred_len\":16,\"n_heads\":2,\"moving_avg\":24,"
                              "\"factor\":3}",
                              NULL, PML_E_CONFIG, "must be odd"));
    CU_ASSERT_TRUE(is_refused(&s, CONFIG(",\"e_layers\":3"), NULL, PML_E_CONFIG, "num_encoder_layers = 2"));
}

static void neuralforecast_counts_for_itself(void) {
    const synthetic s = network(NULL, 1);
    CU_ASSERT_TRUE(maps(&s,
                        "{\"h\":16,\"input_size\":35,\"hidden_size\":8,\"conv_hidden_size\":12,\"n_head\":2,"
                        "\"encoder_layers\":2,\"decoder_layers\":1}",
                        NULL, "neuralforecast",
                        HOLDS("label_length == 18", "num_input_channels == 1", "time_embedding == 'none'",
                              "decomposition_kernel == 25", "correlation_factor == 3", "rounds_correlations")));
}

/* Its inverse transform, and the library's, is not told how many steps there are; the official code's is. */
static void odd_lengths_differ(void) {
    const synthetic s = network("embed.weight", C);
#define LENGTHS(t, label, more)                                                                                        \
    "{\"seq_len\":" t ",\"label_len\":" label                                                                          \
    ",\"pred_len\":4,\"n_heads\":2,\"moving_avg\":25,\"factor\":1,\"freq\":\"h\"" more "}"
#define LIBRARY ",\"task_name\":\"long_term_forecast\""
    CU_ASSERT_TRUE(maps(&s, LENGTHS("20", "10", LIBRARY), NULL, "tsl", HOLDS("!rounds_correlations")));
    CU_ASSERT_TRUE(maps(&s, LENGTHS("21", "10", LIBRARY), NULL, "tsl", HOLDS("rounds_correlations")));
    CU_ASSERT_TRUE(maps(&s, LENGTHS("20", "9", LIBRARY), NULL, "tsl", HOLDS("rounds_correlations")));
    CU_ASSERT_TRUE(maps(&s, LENGTHS("21", "9", ""), NULL, "official", HOLDS("!rounds_correlations")));
}

static void what_is_missing_is_named(void) {
    synthetic s = network("embed.weight", C);
    synthetic_remove(&s, "decoder.layers.0.cross_attention.key_projection.weight");
    CU_ASSERT_TRUE(is_refused(&s, CONFIG(""), NULL, PML_E_FORMAT, "decoder.layer.0.cross.k.weight"));
    synthetic other = network("embed.weight", C);
    synthetic_find(&other, "decoder.projection.weight")->shape[0] = 1; /* the last channel alone */
    CU_ASSERT_TRUE(is_refused(&other, CONFIG(""), NULL, PML_E_FORMAT, "decoder.projection.weight"));
    CU_ASSERT_TRUE(is_refused(&other, "{\"model_type\":\"autoformer\"}", NULL, PML_E_UNSUPPORTED,
                              "another network under the same name"));
}

PML_TESTS("mappers/autoformer", PML_TEST(time_marks_are_told_by_tensors),
          PML_TEST(arguments_come_from_the_name_of_the_run), PML_TEST(neuralforecast_counts_for_itself),
          PML_TEST(odd_lengths_differ), PML_TEST(what_is_missing_is_named))
