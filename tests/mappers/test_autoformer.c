#include "tests/mappers/mapped.h"

enum { D = 8, F = 12, C = 3 };

static void add(synthetic *s, const char *prefix, const char *name, unsigned rank, uint64_t a, uint64_t b, uint64_t c) {
    synthetic_add(s, pml_test_path("%s%s", prefix, name), rank, a, b)->shape[2] = c;
}

static void add_linear(synthetic *s, const char *prefix, const char *name, uint64_t n_out, uint64_t n_in) {
    const char *full = pml_test_path("%s%s", prefix, name);
    add(s, full, ".weight", 2, n_out, n_in, 0);
    add(s, full, ".bias", 1, n_out, 0, 0);
}

static void add_attention(synthetic *s, const char *prefix) {
    static const char *const parts[] = {"query", "key", "value", "out"};
    for (size_t i = 0; i < 4; i++) {
        add_linear(s, prefix, pml_test_path(".%s_projection", parts[i]), D, D);
    }
}

/* Two encoder layers and one decoder layer; `time`: what names the parts of the time embedding, NULL: none. */
static synthetic network(const char *time, uint64_t n_channels) {
    static const char *const sides[] = {"enc_embedding.", "dec_embedding."};
    static const char *const tables[] = {"month", "day", "weekday", "hour"};
    static const uint64_t sizes[] = {13, 32, 7, 24};
    synthetic s = {.count = 0};
    for (size_t i = 0; i < 2; i++) {
        add(&s, sides[i], "value_embedding.tokenConv.weight", 3, D, n_channels, 3);
        add(&s, sides[i], "position_embedding.pe", 3, 1, 50, D);
        if (time != NULL && strcmp(time, "embed.weight") == 0) {
            add(&s, sides[i], "temporal_embedding.embed.weight", 2, D, 4, 0);
        } else if (time != NULL) {
            for (size_t k = 0; k < 4; k++) {
                add(&s, sides[i], pml_test_path("temporal_embedding.%s_%s", tables[k], time), 2, sizes[k], D, 0);
            }
        }
    }
    for (int l = 0; l < 3; l++) {
        const char *layer = pml_test_path("%s.%d", l < 2 ? "encoder.attn_layers" : "decoder.layers", l % 2);
        add_attention(&s, pml_test_path("%s.%s", layer, l < 2 ? "attention" : "self_attention"));
        add(&s, layer, ".conv1.weight", 3, F, D, 1);
        add(&s, layer, ".conv2.weight", 3, D, F, 1);
    }
    add_attention(&s, "decoder.layers.0.cross_attention");
    add(&s, "decoder.layers.0.", "projection.weight", 3, n_channels, D, 3);
    add(&s, "encoder.norm.layernorm", ".weight", 1, D, 0, 0);
    add(&s, "encoder.norm.layernorm", ".bias", 1, D, 0, 0);
    add(&s, "decoder.norm.layernorm", ".weight", 1, D, 0, 0);
    add(&s, "decoder.norm.layernorm", ".bias", 1, D, 0, 0);
    add_linear(&s, "decoder.", "projection", n_channels, D);
    return s;
}

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
                              "decomposition_kernel == 25", "correlation_factor == 3")));
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
          PML_TEST(what_is_missing_is_named))
