/* The arguments of research code: where they come from, what is compared, what is asked for. */
#include "mappers/patchtst/patchtst_config.h"
#include "tests/mappers/synthetic.h"

static pml_error error;

/* Maps a golden case with a config of the test's own (NULL: none); false when the case is not there. */
static bool map(const char *name, const char *config, const char *const *settings, size_t n_settings,
                pml_mapping **mapping, pml_status *status) {
    synthetic_source l = {.config = NULL};
    const pml_map_options options = {.settings = settings, .n_settings = n_settings};
    const char *path = pml_test_golden(name);
    *mapping = NULL;
    if (path == NULL) {
        pml_test_skip("no PatchTST goldens (set PML_GOLDENS)");
        return false;
    }
    PML_ASSERT_OK(pml_source_open(path, &l.map.tensors, &error), &error);
    if (config != NULL) {
        PML_ASSERT_OK(pml_json_document_parse(config, strlen(config), "config.json", &l.config, &error), &error);
    }
    l.map.config = l.config;
    l.map.config_name = "config.json";
    l.map.options = &options;
    *status = pml_mapping_create(&l.map, mapping, &error);
    synthetic_source_deinit(&l);
    return true;
}

static bool says(const char *part) {
    if (strstr(error.message, part) != NULL) {
        return true;
    }
    (void)printf("\n    '%s' is not in: %s\n", part, error.message);
    return false;
}

/* Fails with CONFIG or UNSUPPORTED and says why. */
static void refuses(const char *name, const char *config, const char *setting, pml_status expected, const char *part) {
    pml_mapping *mapping;
    pml_status status;
    if (map(name, config, &setting, setting != NULL ? 1 : 0, &mapping, &status)) {
        CU_ASSERT_EQUAL(status, expected);
        CU_ASSERT_TRUE(says(part));
        CU_ASSERT_PTR_NULL(mapping);
    }
}

static int64_t value_of(const pml_mapping *mapping, const char *expression) {
    int64_t value = INT64_MIN;
    PML_ASSERT_OK(pml_schema_eval(mapping->schema, mapping->config, expression, -1, &value, &error), &error);
    return value;
}

static bool assumes(const pml_mapping *mapping, const char *part) {
    for (size_t i = 0; i < mapping->detection.n_assumed; i++) {
        if (strstr(mapping->detection.assumed[i], part) != NULL) {
            return true;
        }
    }
    return false;
}

#define RUN "ETTh1_42_6_PatchTST_ETTh1_ftM_sl42_ll48_pl6_dm16_nh2_el2_dl1_df32_fc1_ebtimeF_dtTrue_Exp_0"

static void asks_for_the_rest_in_one_message(void) {
    pml_mapping *mapping;
    pml_status status;
    if (map("patchtst/off-42like", NULL, NULL, 0, &mapping, &status)) {
        CU_ASSERT_EQUAL(status, PML_E_CONFIG);
        CU_ASSERT_TRUE(says("--set num_input_channels=N"));
        CU_ASSERT_TRUE(says("--set context_length=N"));
        CU_ASSERT_TRUE(says("--set patch_stride=N"));
        CU_ASSERT_TRUE(says("--set padding=none|end"));
        CU_ASSERT_TRUE(says("--set scaling=std|mean|none"));
        CU_ASSERT_TRUE(says("--set scaling_from_last=true|false"));
        CU_ASSERT_PTR_NULL(strstr(error.message, "num_attention_heads")); /* the frozen factor tells */
        CU_ASSERT_PTR_NULL(strstr(error.message, "d_model"));
    }
}

static void takes_a_run_by_its_name(void) {
    static const char *const settings[] = {("setting=" RUN), "enc_in=3",          "stride=4",
                                           "revin=1",        "padding_patch=end", "subtract_last=0"};
    pml_mapping *mapping;
    pml_status status;
    if (map("patchtst/off-42like", NULL, settings, 6, &mapping, &status)) {
        PML_ASSERT_OK(status, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(mapping);
        CU_ASSERT_STRING_EQUAL(mapping->detection.dialect, "official-supervised");
        CU_ASSERT_EQUAL(value_of(mapping, "context_length"), 42);
        CU_ASSERT_EQUAL(value_of(mapping, "num_attention_heads"), 2);
        CU_ASSERT_EQUAL(value_of(mapping, "residual_attention && !pre_norm && padding == 'end'"), 1);
        CU_ASSERT_TRUE(assumes(mapping, "residual_attention = true (the repository's constant res_attention)"));
        CU_ASSERT_TRUE(assumes(mapping, "norm_type = batchnorm (from tensor"));
        pml_mapping_destroy(mapping);
    }
    refuses("patchtst/off-42like", NULL, "setting=ETTh1_336_96", PML_E_CONFIG, "no setting string");
}

#define OFFICIAL(rest)                                                                                                 \
    "{\"seq_len\":42,\"pred_len\":6,\"enc_in\":3,\"e_layers\":2,\"n_heads\":2,\"d_model\":16,\"d_ff\":32,"             \
    "\"patch_len\":8,\"stride\":4,\"padding_patch\":\"end\",\"revin\":1,\"affine\":0,\"subtract_last\":0," rest "}"

static void compares_with_the_tensors(void) {
    const char *name = "patchtst/off-42like";
    refuses(name, OFFICIAL("\"decomposition\":1"), NULL, PML_E_CONFIG, "decomposition is true");
    refuses(name, OFFICIAL("\"individual\":1"), NULL, PML_E_CONFIG, "share_projection");
    refuses(name, OFFICIAL("\"individual\":0"), "n_heads=4", PML_E_CONFIG, "sdp_attn.scale");
    refuses(name, OFFICIAL("\"individual\":0"), "pred_len=7", PML_E_CONFIG, "head.linear.weight");
    refuses(name, OFFICIAL("\"individual\":0"), "seq_len=46", PML_E_CONFIG, "model.backbone.W_pos");
    refuses(name, OFFICIAL("\"individual\":0"), "padding_patch=None", PML_E_CONFIG, "model.backbone.W_pos");
    refuses(name, OFFICIAL("\"individual\":0"), "affine=1", PML_E_CONFIG, "affine_weight");
    refuses(name, OFFICIAL("\"individual\":2"), NULL, PML_E_CONFIG, "true, false, 1 or 0 is expected");
    refuses(name, OFFICIAL("\"act\":\"mish\""), NULL, PML_E_UNSUPPORTED, "act 'mish' is not supported");
    refuses(name, OFFICIAL("\"individual\":0"), "use_cls_token=true", PML_E_CONFIG, "is always false in dialect");
    refuses(name, OFFICIAL("\"individual\":0"), "n_head=2", PML_E_CONFIG, "has no such key");
    refuses("patchtst/off-decomposition", OFFICIAL("\"decomposition\":1,\"individual\":0"), "d_ff=16", PML_E_CONFIG,
            "--set decomposition_kernel=N");
    refuses("patchtst/off-decomposition", OFFICIAL("\"decomposition\":1,\"kernel_size\":24"), "d_ff=16", PML_E_CONFIG,
            "must be odd");
    refuses("patchtst/tsl-forecast", "{\"task_name\":\"imputation\"}", NULL, PML_E_UNSUPPORTED,
            "task_name 'imputation' is not supported");
}

/* Upstream reads these flags inside of `if revin`: without it they may say anything. */
static void flags_of_scaling_need_scaling(void) {
    static const char *const settings[] = {"revin=0", "subtract_last=1", "affine=1"};
    pml_mapping *mapping;
    pml_status status;
    if (map("patchtst/off-42like", OFFICIAL("\"individual\":0"), settings, 3, &mapping, &status)) {
        PML_ASSERT_OK(status, &error);
        CU_ASSERT_EQUAL(value_of(mapping, "scaling == 'none' && !scaling_from_last && !scaling_affine"), 1);
        pml_mapping_destroy(mapping);
    }
    refuses("patchtst/off-revin-affine", OFFICIAL("\"individual\":0"), "revin=0", PML_E_CONFIG, "affine_weight");
}

static void settings_of_keys_are_not_inverted(void) {
    static const char *const settings[] = {"share_projection=true"};
    pml_mapping *mapping;
    pml_status status;
    if (map("patchtst/off-42like", OFFICIAL("\"individual\":0"), settings, 1, &mapping, &status)) {
        PML_ASSERT_OK(status, &error);
        pml_mapping_destroy(mapping);
    }
    refuses("patchtst/off-42like", OFFICIAL("\"individual\":0"), "share_projection=false", PML_E_CONFIG,
            "says share_projection = true");
}

/* The official names without channels are neuralforecast's too. */
static void tells_neuralforecast_by_its_arguments(void) {
    const char *config = "{\"input_size\":42,\"h\":6,\"encoder_layers\":2,\"n_heads\":2,\"hidden_size\":16,"
                         "\"linear_hidden_size\":32,\"patch_len\":8,\"stride\":4}";
    pml_mapping *mapping;
    pml_status status;
    if (map("patchtst/off-42like", config, NULL, 0, &mapping, &status)) {
        PML_ASSERT_OK(status, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(mapping);
        CU_ASSERT_STRING_EQUAL(mapping->detection.dialect, "neuralforecast");
        CU_ASSERT_EQUAL(value_of(mapping, "num_input_channels"), 1);
        CU_ASSERT_EQUAL(value_of(mapping, "scaling == 'std' && scaling_from_last && residual_attention"), 1);
        pml_mapping_destroy(mapping);
    }
}

PML_TESTS("mappers/patchtst_research", PML_TEST(asks_for_the_rest_in_one_message), PML_TEST(takes_a_run_by_its_name),
          PML_TEST(compares_with_the_tensors), PML_TEST(flags_of_scaling_need_scaling),
          PML_TEST(settings_of_keys_are_not_inverted), PML_TEST(tells_neuralforecast_by_its_arguments))
