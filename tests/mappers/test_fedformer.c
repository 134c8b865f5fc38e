#include <stdlib.h>

#include "tests/mappers/seasonal_network.h"

enum { H = 2, E = D / H, M_ENCODER = 4, M_DECODER = 5 };

static void add_modes(synthetic *s, const char *block, uint64_t n_modes, bool is_complex) {
    synthetic_tensor *t = synthetic_add(s, pml_test_path("%s.inner_correlation.weights1", block), 4, H, E);
    t->shape[2] = E;
    t->shape[3] = n_modes;
    if (is_complex) {
        t->rank = 5; /* as mappers see complex tensors */
        t->shape[4] = 2;
        return;
    }
    t = synthetic_add(s, pml_test_path("%s.inner_correlation.weights2", block), 4, H, E);
    t->shape[2] = E;
    t->shape[3] = n_modes;
}

/* T 20, S 4: encoder blocks have 10 frequencies to choose from, the decoder's 7. */
static synthetic fourier(bool is_complex) {
    synthetic s = network("embed.weight", C);
    add_modes(&s, "encoder.attn_layers.0.attention", M_ENCODER, is_complex);
    add_modes(&s, "encoder.attn_layers.1.attention", M_ENCODER, is_complex);
    add_modes(&s, "decoder.layers.0.self_attention", M_DECODER, is_complex);
    add_modes(&s, "decoder.layers.0.cross_attention", M_DECODER, is_complex);
    return s;
}

#define SIZES "\"seq_len\":20,\"label_len\":10,\"pred_len\":4,\"n_heads\":2,\"freq\":\"h\""
#define CONFIG(more) "{\"model\":\"FEDformer\"," SIZES more "}"
#define OFFICIAL ",\"version\":\"Fourier\",\"moving_avg\":[24]"
#define LIBRARY ",\"moving_avg\":25,\"task_name\":\"long_term_forecast\""

static bool has_modes(const synthetic *s, const char *config, const char *const *settings, const char *key,
                      const int64_t *expected, size_t count) {
    pml_status status;
    pml_mapping *mapping = map_with(s, config, settings, &status);
    if (status != PML_OK) {
        (void)printf("\n    %s\n", error.message);
        return false;
    }
    const pml_meta_entry *entry = pml_metadata_find(mapping->config, key);
    const bool is_right = entry != NULL && entry->type == PML_META_I64_ARRAY && entry->count == count &&
                          memcmp(entry->value.i64s, expected, count * sizeof *expected) == 0;
    pml_mapping_destroy(mapping);
    return is_right;
}

static void drawn_frequencies_need_a_seed(void) {
    static const int64_t low[] = {0, 1, 2, 3};
    const synthetic s = fourier(true);
    CU_ASSERT_TRUE(is_refused(&s, CONFIG(OFFICIAL), NULL, PML_E_CONFIG, "pass --set fed.seed=N"));
    CU_ASSERT_TRUE(is_refused(&s, CONFIG(OFFICIAL ",\"mode_select\":\"random\""), NULL, PML_E_CONFIG, "--modes-index"));
    CU_ASSERT_TRUE(maps(&s, CONFIG(OFFICIAL), SETTINGS("fed.seed=2021"), "official",
                        HOLDS("version == 'fourier'", "cross_activation == 'tanh'", "num_encoder_modes == 4",
                              "num_query_modes == 5", "num_gates == 0")));
    CU_ASSERT_TRUE(has_modes(&s, CONFIG(OFFICIAL ",\"mode_select\":\"low\""), NULL, "config.encoder_modes", low, 4));
    CU_ASSERT_FALSE(has_modes(&s, CONFIG(OFFICIAL), SETTINGS("fed.seed=2021"), "config.encoder_modes", low, 4));
    CU_ASSERT_TRUE(is_refused(&s, CONFIG(OFFICIAL), SETTINGS("fed.seed=-1"), PML_E_CONFIG, "0 to 4294967295"));
    CU_ASSERT_TRUE(
        is_refused(&s, CONFIG(OFFICIAL ",\"mode_select\":\"high\""), NULL, PML_E_CONFIG, "mode_select 'high'"));
}

/* Which numbers they are is what tests/mappers/test_frequency_modes.c compares with numpy; that a set which is whole
 * needs no seed, and that lengths must fit the weights, is shown here. */
static void whole_sets_need_none(void) {
    static const int64_t all[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    synthetic s = network("embed.weight", C);
    add_modes(&s, "encoder.attn_layers.0.attention", 10, true);
    add_modes(&s, "decoder.layers.0.self_attention", 7, true);
    add_modes(&s, "decoder.layers.0.cross_attention", 7, true);
    CU_ASSERT_TRUE(has_modes(&s, CONFIG(OFFICIAL), NULL, "config.key_modes", all, 10));
    CU_ASSERT_TRUE(is_refused(&s, "{\"seq_len\":18,\"label_len\":9,\"pred_len\":4,\"freq\":\"h\"" OFFICIAL "}", NULL,
                              PML_E_CONFIG, "have 9 frequencies to choose from"));
}

static void the_library_differs(void) {
    const synthetic s = fourier(false);
    CU_ASSERT_TRUE(maps(&s, CONFIG(LIBRARY), SETTINGS("fed.seed=1"), "tsl",
                        HOLDS("cross_activation == 'tanh_separate'", "has_positions", "num_decoder_modes == 5")));
    /* Parts that lie apart are its own, whatever the arguments say. */
    CU_ASSERT_TRUE(maps(&s, CONFIG(OFFICIAL), SETTINGS("fed.seed=1"), "tsl", HOLDS("has_positions")));
}

static void layers_share_their_blocks(void) {
    synthetic s = fourier(true);
    synthetic_find(&s, "encoder.attn_layers.1.attention.inner_correlation.weights1")->shape[3] = 3;
    CU_ASSERT_TRUE(is_refused(&s, CONFIG(OFFICIAL), SETTINGS("fed.seed=1"), PML_E_FORMAT,
                              "encoder.attn_layers.1.attention.inner_correlation.weights1 is not the same as"));
}

static void averages_are_a_number_or_a_list(void) {
    const synthetic s = fourier(true);
    CU_ASSERT_TRUE(has_modes(&s, CONFIG(",\"version\":\"Fourier\",\"moving_avg\":25,\"mode_select\":\"low\""), NULL,
                             "config.decomposition_kernels", (const int64_t[]){25}, 1));
    CU_ASSERT_TRUE(has_modes(&s, CONFIG(",\"version\":\"Fourier\",\"moving_avg\":[12,24],\"mode_select\":\"low\""),
                             NULL, "config.decomposition_kernels", (const int64_t[]){12, 24}, 2));
    CU_ASSERT_TRUE(is_refused(&s, CONFIG(",\"version\":\"Fourier\",\"mode_select\":\"low\""), NULL, PML_E_CONFIG,
                              "decomposition_kernels"));
}

/* Its own argument seeds numpy, so nothing is asked; the average is its class default. */
static void neuralforecast_tells_its_seed(void) {
    static const int64_t average[] = {25};
    synthetic s = network(NULL, 1);
    synthetic_remove(&s, "enc_embedding.position_embedding.pe");
    synthetic_remove(&s, "dec_embedding.position_embedding.pe");
    add_modes(&s, "encoder.attn_layers.0.attention", M_ENCODER, true);
    add_modes(&s, "decoder.layers.0.self_attention", M_DECODER, true);
    add_modes(&s, "decoder.layers.0.cross_attention", M_DECODER, true);
#define NEURALFORECAST(more) "{\"h\":4,\"input_size\":20,\"n_head\":2,\"decoder_input_size_multiplier\":0.5" more "}"
    CU_ASSERT_TRUE(maps(&s, NEURALFORECAST(",\"random_seed\":1"), NULL, "neuralforecast",
                        HOLDS("cross_activation == 'tanh'", "window_scaler == 'identity'")));
    CU_ASSERT_TRUE(
        has_modes(&s, NEURALFORECAST(",\"random_seed\":1"), NULL, "config.decomposition_kernels", average, 1));
    CU_ASSERT_TRUE(is_refused(&s, NEURALFORECAST(""), NULL, PML_E_CONFIG, "--set fed.seed"));
    CU_ASSERT_TRUE(is_refused(&s, NEURALFORECAST(",\"random_seed\":null"), NULL, PML_E_CONFIG, "--set fed.seed"));
    for (unsigned seed = 1; seed < 3; seed++) {
        pml_status status;
        char config[160], setting[32];
        (void)snprintf(config, sizeof config, NEURALFORECAST(",\"random_seed\":%u"), seed);
        (void)snprintf(setting, sizeof setting, "fed.seed=%u", 2u);
        pml_mapping *own = map_with(&s, config, NULL, &status), *set = map_with(&s, config, SETTINGS(setting), &status);
        CU_ASSERT_TRUE_FATAL(own != NULL && set != NULL);
        const pml_meta_entry *a = pml_metadata_find(own->config, "config.query_modes"),
                             *b = pml_metadata_find(set->config, "config.query_modes");
        CU_ASSERT_EQUAL(memcmp(a->value.i64s, b->value.i64s, M_DECODER * sizeof(int64_t)) == 0, seed == 2);
        pml_mapping_destroy(own);
        pml_mapping_destroy(set);
    }
}

/* As a file of --modes-index. */
static pml_status map_with_index(const char *index) {
    const synthetic s = fourier(true);
    synthetic_source source;
    pml_mapping *mapping = NULL;
    cJSON *root = cJSON_Parse(index);
    const pml_map_side side = {"modes-index", root};
    synthetic_source_init(&source, &s, CONFIG(OFFICIAL));
    source.map.sides = &side;
    source.map.n_sides = 1;
    const pml_status status = pml_mapping_create(&source.map, &mapping, &error);
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    cJSON_Delete(root);
    return status;
}

#define INDEX(encoder, second, query)                                                                                  \
    "{\"encoder.attn_layers.0.attention.inner_correlation\":{\"index\":" encoder "},"                                  \
    "\"encoder.attn_layers.1.attention.inner_correlation\":{\"index\":" second "},"                                    \
    "\"decoder.layers.0.self_attention.inner_correlation\":{\"index\":[0,1,2,3,6]},"                                   \
    "\"decoder.layers.0.cross_attention.inner_correlation\":{\"index_q\":" query ",\"index_kv\":[1,2,3,9]}}"

static void frequencies_come_from_a_file(void) {
    static const struct {
        const char *index, *words;
    } cases[] = {{INDEX("[0,2,4,10]", "[0,2,4,10]", "[0,1,2,3,4]"), "below 10"},
                 {INDEX("[0,2,2,9]", "[0,2,2,9]", "[0,1,2,3,4]"), "above the one before"},
                 {INDEX("[0,2,4]", "[0,2,4]", "[0,1,2,3,4]"), "not a list of 4 numbers"},
                 {INDEX("[0,2,4.5,9]", "[0,2,4.5,9]", "[0,1,2,3,4]"), "element 2"},
                 {INDEX("[0,2,\"4\",9]", "[0,2,4,9]", "[0,1,2,3,4]"), "element 2"},
                 {INDEX("[0,2,4,9]", "[0,2,4,8]", "[0,1,2,3,4]"), "is not that of layer 0"},
                 {INDEX("[0,2,4,9]", "[0,2,4,9]", "null"), "index_q is not a list"},
                 {"{}", "index is not a list"},
                 {"[]", "index is not a list"}};
    PML_ASSERT_OK(map_with_index(INDEX("[0,2,4,9]", "[0,2,4,9]", "[0,1,2,3,6]")), &error);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PML_ASSERT_FAILS(map_with_index(cases[i].index), PML_E_CONFIG, &error, cases[i].words);
    }
}

PML_TESTS("mappers/fedformer", PML_TEST(drawn_frequencies_need_a_seed), PML_TEST(whole_sets_need_none),
          PML_TEST(the_library_differs), PML_TEST(layers_share_their_blocks), PML_TEST(averages_are_a_number_or_a_list),
          PML_TEST(frequencies_come_from_a_file), PML_TEST(neuralforecast_tells_its_seed))
