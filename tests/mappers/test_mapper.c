#include "tests/mappers/synthetic.h"

/* Two families of one weight each, to see what the registry's algorithms do with more than one. */
static const pml_config_key no_keys[] = {{.name = "width", .type = PML_CONFIG_INT, .least = 1, .greatest = 9},
                                         {.name = NULL}};
static const pml_config_constraint no_constraints[] = {{NULL, NULL}};
static const pml_weight_spec one_weight[] = {{"w", PML_ROLE_VECTOR, "width", NULL, NULL}, {NULL, 0, NULL, NULL, NULL}};
static const pml_schema schema_a = {.name = "alpha",
                                    .architecture = "one vector",
                                    .config = no_keys,
                                    .constraints = no_constraints,
                                    .weights = one_weight};
static const pml_schema schema_b = {.name = "beta",
                                    .architecture = "one vector",
                                    .config = no_keys,
                                    .constraints = no_constraints,
                                    .weights = one_weight};

static pml_status detect_vector(const pml_map_source *source, pml_detection *d, pml_error *error) {
    const char *name = strcmp(d->mapper->name, "alpha") == 0 ? "a" : "b";
    d->dialect = "own";
    d->score = pml_map_tensor_find(source, name) != NULL || pml_map_tensor_find(source, "shared") != NULL ? 0.9 : 0;
    d->accepted = d->score > 0.5;
    return pml_detection_add(&d->reasons, &d->n_reasons, error, "looked for tensor %s", name);
}

static pml_status config_vector(const pml_map_source *source, pml_detection *d, pml_metadata *config,
                                pml_error *error) {
    (void)d;
    const cJSON *width = cJSON_GetObjectItemCaseSensitive(source->config, "width");
    return pml_metadata_set_i64(config, "config.width", cJSON_IsNumber(width) ? width->valueint : 3, error);
}

static const pml_map_rule rules_ab[] = {{NULL, "a", "w", "reshape(-1)", NULL, NULL},
                                        {NULL, "b", "w", "reshape({width})", NULL, NULL},
                                        {NULL, "shared", "w", "", NULL, NULL},
                                        {NULL, NULL, NULL, NULL, NULL, NULL}};
static const char *const types_a[] = {"alpha", NULL};
static const char *const types_b[] = {"beta", "beta2", NULL};
static const pml_map_refusal refusals_b[] = {{"betamax", "it lost"}, {NULL, NULL}};
static const pml_mapper mapper_a = {.name = "alpha",
                                    .detect = detect_vector,
                                    .config = config_vector,
                                    .rules = rules_ab,
                                    .model_types = types_a,
                                    .schema = &schema_a};
static const pml_mapper mapper_b = {.name = "beta",
                                    .detect = detect_vector,
                                    .config = config_vector,
                                    .rules = rules_ab,
                                    .model_types = types_b,
                                    .refusals = refusals_b,
                                    .schema = &schema_b};
static const pml_mapper *const both[] = {&mapper_a, &mapper_b, NULL};

static void judge(const char *tensor, const char *arch, const char *config, pml_status expected, const char *part) {
    synthetic s = {.count = 0};
    synthetic_source source;
    pml_error error;
    pml_mapping *mapping = NULL;
    synthetic_add(&s, tensor, 1, 3, 0);
    synthetic_source_init(&source, &s, config);
    source.options.arch = arch;
    pml_status status = pml_mapping_create_among(both, &source.map, &mapping, &error);
    if (expected == PML_OK) {
        PML_ASSERT_OK(status, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(mapping);
        CU_ASSERT_STRING_EQUAL(mapping->mapper->name, part);
    } else {
        PML_ASSERT_FAILS(status, expected, &error, part);
    }
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
}

static void chooses_among_families(void) {
    judge("a", NULL, NULL, PML_OK, "alpha");
    judge("b", NULL, NULL, PML_OK, "beta");
    judge("b", NULL, "{\"model_type\":\"beta2\"}", PML_OK, "beta");
    judge("b", NULL, "{\"model_type\":\"\"}", PML_OK, "beta");
}

static void ties_name_both(void) {
    judge("shared", NULL, NULL, PML_E_CONFIG, "fit alpha and beta equally well");
    judge("shared", "beta", NULL, PML_OK, "beta");
    judge("shared", NULL, "{\"model_type\":\"alpha\"}", PML_OK, "alpha");
}

static void claims_are_compared_with_tensors(void) {
    judge("a", NULL, "{\"model_type\":\"beta\"}", PML_E_CONFIG,
          "says model_type 'beta', but the tensors are those of alpha");
    judge("a", NULL, "{\"model_type\":\"gamma\"}", PML_E_CONFIG, "model_type 'gamma'");
    judge("x", NULL, "{\"model_type\":\"beta\"}", PML_E_CONFIG, "do not fit family beta");
    judge("a", "beta", NULL, PML_E_UNSUPPORTED, "nearest is beta");
    judge("x", NULL, NULL, PML_E_UNSUPPORTED, "first tensor: x");
    judge("a", "delta", NULL, PML_E_ARGUMENT, "no family 'delta'");
    judge("b", NULL, "{\"model_type\":\"betamax\"}", PML_E_UNSUPPORTED, "betamax is not supported: it lost");
    judge("b", NULL, "{\"architectures\":[\"betamax\"]}", PML_E_UNSUPPORTED, "betamax");
    /* The arguments of research code name the network, too. */
    judge("a", NULL, "{\"model\":\"beta\"}", PML_E_CONFIG, "says model 'beta', but the tensors are those of alpha");
    judge("a", NULL, "{\"model\":\"DLinear\"}", PML_E_CONFIG,
          "says model 'DLinear', but the tensors are those of alpha");
    judge("a", NULL, "{\"model\":\"alpha\"}", PML_OK, "alpha");
    judge("a", NULL, "{\"model\":\"beta\",\"model_type\":\"alpha\"}", PML_OK, "alpha");
    judge("a", NULL, "{\"model\":\"beta\",\"architectures\":[\"A\"]}", PML_OK, "alpha");
    judge("x", NULL, "{\"model\":\"gamma\"}", PML_E_UNSUPPORTED,
          "first tensor: x; config.json says model 'gamma'): the tensors are not those of alpha, beta");
}

static void transforms_take_expressions(void) {
    synthetic s = {.count = 0};
    synthetic_source source;
    pml_error error;
    pml_mapping *mapping = NULL;
    synthetic_add(&s, "b", 2, 3, 1);
    synthetic_source_init(&source, &s, NULL);
    PML_ASSERT_OK(pml_mapping_create_among(both, &source.map, &mapping, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mapping);
    CU_ASSERT_STRING_EQUAL(mapping->mapped[0].transform, "reshape(3)");
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    judge("b", NULL, "{\"width\":4}", PML_E_FORMAT, "reshape");
    judge("b", NULL, "{\"width\":10}", PML_E_CONFIG, "width");
}

static void reports_every_candidate(void) {
    synthetic s = {.count = 0};
    synthetic_source source;
    pml_error error;
    pml_detect_report report = {0};
    synthetic_add(&s, "b", 1, 3, 0);
    synthetic_add(&s, "extra", 1, 3, 0);
    synthetic_source_init(&source, &s, NULL);
    PML_ASSERT_OK(pml_detect_report_fill_among(both, &source.map, &report, &error), &error);
    CU_ASSERT_EQUAL_FATAL(report.count, 2);
    const pml_detection *d = &report.candidates[0];
    CU_ASSERT_STRING_EQUAL(d->mapper->name, "beta");
    CU_ASSERT_TRUE(d->accepted);
    CU_ASSERT_EQUAL(d->n_matched, 1);
    CU_ASSERT_EQUAL_FATAL(d->n_unexpected, 1);
    CU_ASSERT_STRING_EQUAL(d->unexpected[0], "extra [3]");
    CU_ASSERT_PTR_NOT_NULL(d->failed);
    CU_ASSERT_EQUAL(report.candidates[1].score, 0);
    CU_ASSERT_EQUAL(report.candidates[1].n_reasons, 1);
    pml_detect_report_deinit(&report);
    synthetic_source_deinit(&source);
}

static void detects_a_real_family(void) {
    synthetic s;
    synthetic_source source;
    pml_error error;
    pml_detect_report report = {0};
    synthetic_patchtst(&s);
    synthetic_source_init(&source, &s, SYNTHETIC_CONFIG(""));
    PML_ASSERT_OK(pml_detect_report_fill(&source.map, &report, &error), &error);
    const pml_detection *d = &report.candidates[0];
    CU_ASSERT_STRING_EQUAL(d->mapper->name, "patchtst");
    CU_ASSERT_STRING_EQUAL(d->dialect, "hf");
    CU_ASSERT_EQUAL(d->score, 1.0);
    CU_ASSERT_TRUE(d->accepted);
    CU_ASSERT_PTR_NULL(d->failed);
    CU_ASSERT_EQUAL(d->n_matched, s.count);
    CU_ASSERT_PTR_NOT_NULL(strstr(d->variant, "prediction-ci"));
    pml_detect_report_deinit(&report);
    synthetic_source_deinit(&source);
}

static void families_of_others_are_not_ours(void) {
    synthetic s = {.count = 0};
    synthetic_add(&s, "shared.weight", 2, 30, 4);
    synthetic_expect(&s, NULL, PML_E_UNSUPPORTED, "no model family fits (first tensor: shared.weight");
    synthetic_expect(&s, "{\"model_type\":\"patchtst\"}", PML_E_CONFIG, "do not fit family patchtst");
    synthetic_expect(&s, "{\"model_type\":\"t5\"}", PML_E_UNSUPPORTED, "no model family fits");
    s.count = 0;
    synthetic_expect(&s, NULL, PML_E_UNSUPPORTED, "no tensor at all");
    synthetic_patchtst(&s);
    synthetic_expect(&s, "{\"model_type\":\"bert\"}", PML_E_CONFIG, "the tensors are those of patchtst");
}

/* The encoder that all models of the Time-Series-Library share: only patches make it a PatchTST. */
static void a_shared_encoder_is_no_family(void) {
    static const char *const parts[] = {"attention.query_projection",
                                        "attention.key_projection",
                                        "attention.value_projection",
                                        "attention.out_projection",
                                        "conv1",
                                        "conv2",
                                        "norm1",
                                        "norm2"};
    synthetic s = {.count = 0};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *name = pml_test_path("encoder.attn_layers.0.%s", parts[i]);
        (void)synthetic_add(&s, pml_test_path("%s.weight", name), i < 6 ? 2 : 1, 4, 4);
        (void)synthetic_add(&s, pml_test_path("%s.bias", name), 1, 4, 0);
    }
    (void)synthetic_add(&s, "enc_embedding.patch_embedding.weight", 2, 4, 4);
    synthetic_expect(&s, NULL, PML_E_UNSUPPORTED, "the tensors are not those of");
    synthetic_expect(&s, "{\"model\":\"PatchTST\"}", PML_E_CONFIG, "do not fit family patchtst");
}

/* Few tensors of a family: what is said is that they are few, not what their configuration lacks. */
static void low_scores_are_the_reason(void) {
    synthetic s = {.count = 0};
    (void)synthetic_add(&s, "encoder.layers.0.self_attn.q_proj.weight", 2, 4, 4);
    (void)synthetic_add(&s, "decoder.layers.0.self_attn.q_proj.weight", 2, 4, 4);
    synthetic_expect(&s, NULL, PML_E_UNSUPPORTED, "the nearest is patchtst with score 0.05: 1 of 2 tensors");
}

PML_TESTS("mappers/mapper", PML_TEST(chooses_among_families), PML_TEST(ties_name_both),
          PML_TEST(claims_are_compared_with_tensors), PML_TEST(transforms_take_expressions),
          PML_TEST(reports_every_candidate), PML_TEST(detects_a_real_family), PML_TEST(families_of_others_are_not_ours),
          PML_TEST(a_shared_encoder_is_no_family), PML_TEST(low_scores_are_the_reason))
