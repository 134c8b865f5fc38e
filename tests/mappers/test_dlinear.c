#include "tests/mappers/mapped.h"

/* A Linear of T 12 to S 5. */
static void add_map(synthetic *s, const char *name, uint64_t n_in, uint64_t n_out) {
    char full[64];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    synthetic_add(s, full, 2, n_out, n_in);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    synthetic_add(s, full, 1, n_out, 0);
}

static synthetic parts(uint64_t n_out) {
    synthetic s = {.count = 0};
    add_map(&s, "Linear_Seasonal", 12, n_out);
    add_map(&s, "Linear_Trend", 12, n_out);
    return s;
}

static synthetic one(const char *name) {
    synthetic s = {.count = 0};
    add_map(&s, name, 12, 5);
    return s;
}

#define ARGUMENTS(more) "{\"seq_len\":12,\"pred_len\":5,\"enc_in\":3,\"individual\":false" more "}"
#define RUN(model) "setting=a_" model "_ETTh1_ftM_sl12_ll6_pl5_dm512_nh8_el2_dl1_df2048_fc1_ebtimeF_dtTrue_Exp_0"

/* The official code averages over 25 steps whatever its argument says; the library over as many as it is told. */
static void two_code_bases_share_every_name(void) {
    const synthetic s = parts(5);
    CU_ASSERT_TRUE(maps(&s, ARGUMENTS(",\"model\":\"DLinear\",\"moving_avg\":13"), NULL, "official",
                        HOLDS("kind == 'dlinear'", "decomposition_kernel == 25", "share_linear", "context_length == 12",
                              "prediction_length == 5", "num_input_channels == 0")));
    CU_ASSERT_TRUE(maps(&s, ARGUMENTS(",\"task_name\":\"long_term_forecast\",\"moving_avg\":13"), NULL, "tsl",
                        HOLDS("decomposition_kernel == 13", "head == 'prediction'")));
    CU_ASSERT_TRUE(maps(&s, NULL, NULL, "official", HOLDS("decomposition_kernel == 25")));
    CU_ASSERT_TRUE(
        maps(&s, NULL, SETTINGS("decomposition_kernel=13"), "official", HOLDS("decomposition_kernel == 13")));
    CU_ASSERT_TRUE(maps(&s, NULL, SETTINGS(RUN("DLinear")), "official", HOLDS("share_linear")));
    CU_ASSERT_TRUE(maps(
        &s, NULL, SETTINGS("setting=long_term_forecast_a_DLinear_b_ftM_sl12_pl5_dm16_nh2_el2_df32", "moving_avg=7"),
        "tsl", HOLDS("decomposition_kernel == 7")));
}

static void even_kernels_say_why(void) {
    const synthetic s = parts(5);
    CU_ASSERT_TRUE(is_refused(&s, ARGUMENTS(",\"task_name\":\"long_term_forecast\",\"moving_avg\":24"), NULL,
                              PML_E_CONFIG, "must be odd: an even window makes the trend one step shorter"));
    CU_ASSERT_TRUE(is_refused(&s, NULL, SETTINGS("decomposition_kernel=24"), PML_E_CONFIG, "must be odd"));
    CU_ASSERT_TRUE(is_refused(&s, ARGUMENTS(",\"task_name\":\"long_term_forecast\""), NULL, PML_E_CONFIG,
                              "config.json does not say, and the tensors cannot tell; pass --set "
                              "decomposition_kernel=N"));
}

static void one_map_is_asked_about(void) {
    const synthetic s = one("Linear");
    CU_ASSERT_TRUE(is_refused(&s, NULL, NULL, PML_E_CONFIG, "pass --set kind=dlinear|nlinear|linear"));
    CU_ASSERT_TRUE(maps(&s, ARGUMENTS(",\"model\":\"NLinear\""), NULL, "official", HOLDS("kind == 'nlinear'")));
    CU_ASSERT_TRUE(maps(&s, ARGUMENTS(",\"model\":\"Linear\""), NULL, "official", HOLDS("kind == 'linear'")));
    CU_ASSERT_TRUE(maps(&s, NULL, SETTINGS(RUN("NLinear")), "official", HOLDS("kind == 'nlinear'")));
    CU_ASSERT_TRUE(maps(&s, NULL, SETTINGS("kind=linear"), "official", HOLDS("decomposition_kernel == 0")));
    CU_ASSERT_TRUE(is_refused(&s, ARGUMENTS(",\"model\":\"DLinear\""), NULL, PML_E_FORMAT, "seasonal"));
    const synthetic other = parts(5);
    CU_ASSERT_TRUE(is_refused(&other, ARGUMENTS(",\"model\":\"NLinear\""), NULL, PML_E_CONFIG, "says kind = dlinear"));
}

static void maps_of_channels_are_counted(void) {
    synthetic s = {.count = 0};
    for (int c = 0; c < 3; c++) {
        char name[32];
        (void)snprintf(name, sizeof name, "Linear.%d", c);
        add_map(&s, name, 12, 5);
    }
    CU_ASSERT_TRUE(
        maps(&s, NULL, SETTINGS("kind=nlinear"), "official", HOLDS("!share_linear", "num_input_channels == 3")));
    CU_ASSERT_TRUE(is_refused(&s, ARGUMENTS(",\"model\":\"NLinear\""), NULL, PML_E_CONFIG, "share_linear = false"));
    CU_ASSERT_TRUE(is_refused(&s, NULL, SETTINGS("kind=nlinear", "enc_in=4"), PML_E_CONFIG, "num_input_channels = 3"));
    synthetic_remove(&s, "Linear.1.bias");
    CU_ASSERT_TRUE(is_refused(&s, NULL, SETTINGS("kind=nlinear"), PML_E_FORMAT, "linear.bias"));
}

static void the_library_has_other_heads(void) {
    synthetic s = parts(12);
    CU_ASSERT_TRUE(maps(&s, "{\"seq_len\":12,\"pred_len\":0,\"moving_avg\":5,\"task_name\":\"imputation\"}", NULL,
                        "tsl", HOLDS("head == 'reconstruction'", "prediction_length == 0")));
    add_map(&s, "projection", 24, 4);
    CU_ASSERT_TRUE(maps(&s, NULL, SETTINGS("moving_avg=5"), "tsl",
                        HOLDS("head == 'classification'", "num_targets == 4", "num_input_channels == 2")));
    CU_ASSERT_TRUE(is_refused(&s, "{\"moving_avg\":5,\"num_class\":3,\"task_name\":\"classification\"}", NULL,
                              PML_E_CONFIG, "num_targets = 4"));
    CU_ASSERT_TRUE(is_refused(&s, "{\"moving_avg\":5,\"task_name\":\"long_term_forecast\"}", NULL, PML_E_CONFIG,
                              "head = classification"));
}

static void neuralforecast_has_names_of_its_own(void) {
    synthetic s = {.count = 0};
    add_map(&s, "linear_season", 12, 5);
    add_map(&s, "linear_trend", 12, 5);
    CU_ASSERT_TRUE(maps(&s, "{\"input_size\":12,\"h\":5}", NULL, "neuralforecast",
                        HOLDS("kind == 'dlinear'", "decomposition_kernel == 25", "num_input_channels == 0")));
    CU_ASSERT_TRUE(maps(&s, "{\"input_size\":12,\"h\":5,\"moving_avg_window\":7}", NULL, "neuralforecast",
                        HOLDS("decomposition_kernel == 7")));
    CU_ASSERT_TRUE(is_refused(&s, "{\"input_size\":12,\"h\":5,\"loss\":{\"cls\":\"MQLoss\"}}", NULL, PML_E_UNSUPPORTED,
                              "loss 'MQLoss' is not supported"));
    CU_ASSERT_TRUE(is_refused(&s, "{\"input_size\":12,\"h\":6}", NULL, PML_E_CONFIG, "prediction_length = 5"));
    const synthetic small = one("linear");
    CU_ASSERT_TRUE(maps(&small, "{\"input_size\":12,\"h\":5}", NULL, "neuralforecast", HOLDS("kind == 'nlinear'")));
    /* One layer of that name is no evidence. */
    CU_ASSERT_TRUE(is_refused(&small, NULL, NULL, PML_E_UNSUPPORTED, "no model family fits"));
}

PML_TESTS("mappers/dlinear", PML_TEST(two_code_bases_share_every_name), PML_TEST(even_kernels_say_why),
          PML_TEST(one_map_is_asked_about), PML_TEST(maps_of_channels_are_counted),
          PML_TEST(the_library_has_other_heads), PML_TEST(neuralforecast_has_names_of_its_own))
