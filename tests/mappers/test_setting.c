#include "mappers/setting.h"

#include "tests/mappers/synthetic.h"

static pml_error error;
static const char *const autoformer[] = {"Autoformer", NULL};
static const char *const fedformer[] = {"FEDformer", NULL};
static const char *const inverted[] = {"iTransformer", NULL};
static const char *const linears[] = {"DLinear", "NLinear", NULL};

static cJSON *read_setting(const char *setting, const char *const *models) {
    cJSON *arguments = NULL;
    PML_ASSERT_OK(pml_setting_read(setting, models, &arguments, &error), &error);
    return arguments;
}

static bool is_text(const cJSON *arguments, const char *key, const char *value) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(arguments, key));
    return text != NULL && strcmp(text, value) == 0;
}

static bool is_number(const cJSON *arguments, const char *key, double value) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(arguments, key);
    return cJSON_IsNumber(item) && item->valuedouble == value;
}

#define AUTOFORMER "ETTh1_96_96_Autoformer_ETTh1_ftM_sl96_ll48_pl192_dm512_nh8_el2_dl1_df2048_fc3_ebtimeF_dtTrue_Exp_0"

static void every_argument_has_its_name(void) {
    static const struct {
        const char *key;
        double value;
    } numbers[] = {{"seq_len", 96}, {"label_len", 48}, {"pred_len", 192}, {"d_model", 512}, {"n_heads", 8},
                   {"e_layers", 2}, {"d_layers", 1},   {"d_ff", 2048},    {"factor", 3}};
    static const char *const settings[] = {AUTOFORMER, "long_term_forecast_" AUTOFORMER};
    for (size_t k = 0; k < 2; k++) {
        cJSON *a = read_setting(settings[k], autoformer);
        CU_ASSERT_PTR_NOT_NULL_FATAL(a);
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            CU_ASSERT_TRUE(is_number(a, numbers[i].key, numbers[i].value));
        }
        CU_ASSERT_TRUE(is_text(a, "model", "Autoformer"));
        CU_ASSERT_TRUE(is_text(a, "data", "ETTh1"));
        CU_ASSERT_TRUE(is_text(a, "features", "M"));
        CU_ASSERT_TRUE(is_text(a, "embed", "timeF"));
        CU_ASSERT_EQUAL(is_text(a, "task_name", "long_term_forecast"), k == 1);
        cJSON_Delete(a);
    }
}

static void knows_the_forms_of_other_repositories(void) {
    cJSON *a = read_setting("x_TimesNet_FEDformer_random_modes64_custom_ftS_sl96_ll48_pl96_dm512_nh8_el2_dl1_df2048_fc3_"
                    "ebfixed_dtTrue_Exp_0",
                    fedformer);
    CU_ASSERT_TRUE(is_text(a, "mode_select", "random"));
    CU_ASSERT_TRUE(is_number(a, "modes", 64));
    CU_ASSERT_TRUE(is_text(a, "data", "custom"));
    CU_ASSERT_TRUE(is_text(a, "embed", "fixed"));
    cJSON_Delete(a);
    a = read_setting("long_term_forecast_x_DLinear_ETTm1_ftM_sl336_ll48_pl96_dm512_nh8_el2_dl1_df2048_expand2_dc4_fc1_ebtimeF_"
             "dtTrue_Exp_0",
             linears);
    CU_ASSERT_TRUE(is_number(a, "expand", 2));
    CU_ASSERT_TRUE(is_number(a, "factor", 1));
    CU_ASSERT_TRUE(is_text(a, "model", "DLinear"));
    cJSON_Delete(a);
    /* One argument too many: each value stands behind its neighbour's letters. */
    a = read_setting("ETTh1_96_192_iTransformer_ETTh1_M_ft96_sl48_ll192_pl256_dm8_nh2_el1_dl512_df1_fctimeF_ebTrue_dtExp_"
             "projection_0",
             inverted);
    CU_ASSERT_TRUE(is_text(a, "data", "ETTh1"));
    CU_ASSERT_TRUE(is_text(a, "features", "M"));
    CU_ASSERT_TRUE(is_number(a, "seq_len", 96));
    CU_ASSERT_TRUE(is_number(a, "label_len", 48));
    CU_ASSERT_TRUE(is_number(a, "pred_len", 192));
    CU_ASSERT_TRUE(is_number(a, "d_model", 256));
    CU_ASSERT_TRUE(is_number(a, "n_heads", 8));
    CU_ASSERT_TRUE(is_number(a, "e_layers", 2));
    CU_ASSERT_TRUE(is_number(a, "d_ff", 512));
    CU_ASSERT_TRUE(is_text(a, "embed", "timeF"));
    cJSON_Delete(a);
    a = read_setting("sl9_sl9_NLinear_d_ftM_sl42_pl6_dm16_nh2_el2_df32", linears);
    CU_ASSERT_TRUE(is_number(a, "seq_len", 42));
    CU_ASSERT_TRUE(is_text(a, "model", "NLinear"));
    cJSON_Delete(a);
}

static void other_texts_are_none(void) {
    static const char *const others[] = {"",
                                         "DLinear",
                                         "_DLinear",
                                         "_DLinear_",
                                         "ETTh1_336_96",
                                         AUTOFORMER,
                                         "a_DLinear_ftM_sl42_pl6_dm16_nh2_el2_df32",
                                         "a_DLinear_b_ftM_sl42_pl6_dm16_nh2_el2_dfx32",
                                         "a_DLinear_b_ftM_sl42_pl6_dm16_nh2_el2",
                                         "a_DLinear_b_ft_sl42_pl6_dm16_nh2_el2_df32",
                                         "a_DLinear_b_ftM_sl42x_pl6_dm16_nh2_el2_df32",
                                         "a_DLinear_b_ftM_pl42_sl6_dm16_nh2_el2_df32",
                                         "a_DLinear_b_ftM_sl9999999999_pl6_dm16_nh2_el2_df32",
                                         "a_DLinear_r_modesx_b_ftM_sl42_pl6_dm16_nh2_el2_df32",
                                         "a_DLinear_ft96_sl48_ll96_pl256_dm8_nh2_el1_dl512_df1_fctimeF"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        cJSON *a = read_setting(others[i], linears);
        if (a != NULL) {
            (void)printf("\n    %s\n", others[i]);
        }
        CU_ASSERT_PTR_NULL(a);
        cJSON_Delete(a);
    }
}

/* Over a config file, under the user's own settings. */
static void settings_go_before_files(void) {
    static const char *const settings[] = {"setting=a_DLinear_b_ftM_sl42_pl6_dm16_nh2_el2_df32", "seq_len=43"};
    synthetic s;
    synthetic_source source;
    pml_setting_source applied;
    synthetic_patchtst(&s);
    synthetic_source_init(&source, &s, "{\"seq_len\":41,\"moving_avg\":13}");
    source.options = (pml_map_options){.settings = settings, .n_settings = 2};
    PML_ASSERT_OK(pml_setting_apply(&source.map, linears, &applied, &error), &error);
    CU_ASSERT_TRUE(is_number(applied.source.config, "seq_len", 42));
    CU_ASSERT_TRUE(is_number(applied.source.config, "moving_avg", 13));
    CU_ASSERT_EQUAL(applied.source.options->n_settings, 1);
    CU_ASSERT_STRING_EQUAL(applied.source.options->settings[0], "seq_len=43");
    CU_ASSERT_TRUE(pml_setting_has(&applied.source, "pred_len"));
    CU_ASSERT_FALSE(pml_setting_has(&applied.source, "task_name"));
    pml_setting_deinit(&applied);
    PML_ASSERT_FAILS(pml_setting_apply(&source.map, autoformer, &applied, &error), PML_E_CONFIG, &error,
                     "no setting string of a run of Autoformer");
    synthetic_source_deinit(&source);
}

PML_TESTS("mappers/setting", PML_TEST(every_argument_has_its_name), PML_TEST(knows_the_forms_of_other_repositories),
          PML_TEST(other_texts_are_none), PML_TEST(settings_go_before_files))
