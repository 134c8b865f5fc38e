#include "tests/mappers/synthetic.h"

static pml_status parse(const char *text, pml_map_rule **rules, size_t *n_rules, pml_error *error) {
    return pml_map_rules_parse(text, strlen(text), "rules.map", rules, n_rules, error);
}

static void reads_rules(void) {
    pml_map_rule *rules = NULL;
    size_t n = 0;
    pml_error error;
    PML_ASSERT_OK(parse("# my names\n\n  enc.{l}.q.w\tencoder.layer.{l}.attention.q.weight  "
                        "transpose # as torch\r\nextra.{k} -\npos position",
                        &rules, &n, &error),
                  &error);
    CU_ASSERT_EQUAL_FATAL(n, 3);
    CU_ASSERT_STRING_EQUAL(rules[0].pattern, "enc.{l}.q.w");
    CU_ASSERT_STRING_EQUAL(rules[0].target, "encoder.layer.{l}.attention.q.weight");
    CU_ASSERT_STRING_EQUAL(rules[0].transform, "transpose");
    CU_ASSERT_PTR_NULL(rules[1].target);
    CU_ASSERT_PTR_NOT_NULL(rules[1].reason);
    CU_ASSERT_STRING_EQUAL(rules[2].target, "position");
    CU_ASSERT_PTR_NULL(rules[2].transform);
    pml_map_rules_destroy(rules, n);
    PML_ASSERT_OK(parse("", &rules, &n, &error), &error);
    CU_ASSERT_EQUAL(n, 0);
    pml_map_rules_destroy(rules, n);
}

static void names_the_line_of_a_fault(void) {
    static const char *const faults[] = {"a b\nonly\n", "a b\na b transpose more\n", "a b\na{ b\n", "a b\na b{x\n",
                                         "a b\na [b]c\n"};
    pml_map_rule *rules = NULL;
    size_t n = 0;
    pml_error error;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        PML_ASSERT_FAILS(parse(faults[i], &rules, &n, &error), PML_E_FORMAT, &error, "rules.map:2:");
    }
    CU_ASSERT_PTR_NULL(rules);
    PML_ASSERT_FAILS(pml_map_rules_parse("a\0b c", 5, "zero.map", &rules, &n, &error), PML_E_FORMAT, &error,
                     "zero byte");
    CU_ASSERT_EQUAL(error.offset_bytes, 1);
}

/* Other names for the whole checkpoint, and a fused query-key-value matrix that slices take apart. */
static const char *const foreign_rules = "emb.W patch_embedding.weight\n" /* stored [in][out] already */
                                         "emb.b patch_embedding.bias\n"
                                         "pos position reshape(3,4)\n"
                                         "block.{l}.W encoder.layer.{l}.attention.q.weight slice(0,0,3);transpose\n"
                                         "block.{l}.W encoder.layer.{l}.attention.k.weight slice(0,1,3);transpose\n"
                                         "block.{l}.W encoder.layer.{l}.attention.v.weight slice(0,2,3);transpose\n"
                                         "block.{l}.b encoder.layer.{l}.attention.q.bias slice(0,0,3)\n"
                                         "block.{l}.b encoder.layer.{l}.attention.k.bias slice(0,1,3)\n"
                                         "block.{l}.b encoder.layer.{l}.attention.v.bias slice(0,2,3)\n"
                                         "junk.{k} -\n";

static void foreign_checkpoint(synthetic *s) {
    synthetic_patchtst(s);
    synthetic_tensor *t = synthetic_find(s, "model.encoder.embedder.input_embedding.weight");
    *t = (synthetic_tensor){"emb.W", "F32", 2, {5, 4}};
    t = synthetic_find(s, "model.encoder.embedder.input_embedding.bias");
    *t = (synthetic_tensor){"emb.b", "F32", 1, {4}};
    t = synthetic_find(s, "model.encoder.positional_encoder.position_enc");
    *t = (synthetic_tensor){"pos", "F32", 3, {1, 3, 4}};
    t = synthetic_find(s, "model.encoder.layers.0.self_attn.q_proj.weight");
    *t = (synthetic_tensor){"block.0.W", "F32", 2, {12, 4}};
    t = synthetic_find(s, "model.encoder.layers.0.self_attn.q_proj.bias");
    *t = (synthetic_tensor){"block.0.b", "F32", 1, {12}};
    synthetic_remove(s, "model.encoder.layers.0.self_attn.k_proj.weight");
    synthetic_remove(s, "model.encoder.layers.0.self_attn.k_proj.bias");
    synthetic_remove(s, "model.encoder.layers.0.self_attn.v_proj.weight");
    synthetic_remove(s, "model.encoder.layers.0.self_attn.v_proj.bias");
    synthetic_add(s, "junk.0", 1, 3, 0);
    synthetic_add(s, "junk.1", 1, 3, 0)->dtype = "I64";
}

static pml_status map_with(const char *rules_text, const char *config, pml_mapping **mapping, synthetic_source *source,
                           pml_map_rule **rules, size_t *n, pml_error *error) {
    synthetic s;
    foreign_checkpoint(&s);
    PML_ASSERT_OK(parse(rules_text, rules, n, error), error);
    synthetic_source_init(source, &s, config);
    source->options.extra_rules = *rules;
    source->options.n_extra_rules = *n;
    return pml_mapping_create(&source->map, mapping, error);
}

static void maps_a_checkpoint_with_other_names(void) {
    synthetic_source source;
    pml_map_rule *rules;
    size_t n;
    pml_error error;
    pml_mapping *mapping = NULL;
    PML_ASSERT_OK(map_with(foreign_rules, SYNTHETIC_CONFIG(""), &mapping, &source, &rules, &n, &error), &error);
    if (mapping != NULL) {
        for (unsigned i = 0; i < 3; i++) { /* one tensor fills three weights */
            const pml_weight_instance *w =
                pml_weight_list_find(&mapping->weights, pml_test_path("encoder.layer.0.attention.%c.weight", "qkv"[i]));
            const pml_mapped_weight *m = &mapping->mapped[w - mapping->weights.items];
            CU_ASSERT_STRING_EQUAL(m->transform, pml_test_path("slice(0,%u,3);transpose", i));
            CU_ASSERT_STRING_EQUAL(m->parts[0].source->name, "block.0.W");
        }
        CU_ASSERT_EQUAL(mapping->detection.n_matched, pml_source_n_tensors(source.map.tensors));
        CU_ASSERT_EQUAL(mapping->detection.score, 1.0);
        CU_ASSERT_EQUAL(mapping->n_dropped, 4); /* two counters, two of ours */
    }
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    pml_map_rules_destroy(rules, n);
}

static void checks_targets_and_leftovers(void) {
    static const struct {
        const char *more;
        pml_status expected;
        const char *part;
    } cases[] = {
        {"a.{k} encoder.layer.{k}.attention.w", PML_E_CONFIG, "no weight \"encoder.layer.{k}.attention.w\""},
        {"a.{k} position.{k}", PML_E_CONFIG, "no weight"},
        {"head.projection.bias head.0.bias transpose", PML_E_FORMAT, "two axes"},
        {"head.projection.bias head.0.bias nonsense", PML_E_FORMAT, "unknown step"},
        {"head.projection.bias -", PML_E_FORMAT, "missing: head.0.bias"},
        {"head.projection.bias head.9.bias", PML_E_FORMAT, "head.projection.bias"},
        {"junk.0 head.0.bias", PML_OK, NULL}, /* the earlier rule drops junk.0 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        synthetic_source source;
        pml_map_rule *rules;
        size_t n;
        pml_error error;
        pml_mapping *mapping = NULL;
        pml_status status = map_with(pml_test_path("%s%s", foreign_rules, cases[i].more), SYNTHETIC_CONFIG(""),
                                     &mapping, &source, &rules, &n, &error);
        if (cases[i].expected == PML_OK) {
            PML_ASSERT_OK(status, &error);
        } else {
            PML_ASSERT_FAILS(status, cases[i].expected, &error, cases[i].part);
        }
        pml_mapping_destroy(mapping);
        synthetic_source_deinit(&source);
        pml_map_rules_destroy(rules, n);
    }
}

static void survives_failing_allocations(void) {
    const char *text = "a.{k} b.{k} transpose\nc - \nd e\nf g{ h\n";
    pml_error error;
    pml_status status = PML_E_MEMORY;
    unsigned long n = 0;
    while (status == PML_E_MEMORY && n < 100) {
        pml_map_rule *rules = NULL;
        size_t n_rules = 0;
        n++;
        pml_test_fail_allocation(n, n % 2 == 0);
        status = parse(text, &rules, &n_rules, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT(rules == NULL && (status == PML_E_MEMORY || status == PML_E_FORMAT)); /* line 4 is malformed */
    }
    CU_ASSERT(n > 5 && n < 100);
}

/* A part of a fused tensor that no rule takes, or that two take, is not dropped in silence. */
static void slices_are_the_whole_tensor(void) {
    static const struct {
        const char *rule, *instead;
        const char *part;
    } cases[] = {{"block.{l}.b encoder.layer.{l}.attention.v.bias slice(0,2,3)\n", "",
                  "block.0.b [12]: its slices are not all of it"},
                 {"k.bias slice(0,1,3)", "k.bias slice(0,0,3)", "block.0.b [12]: its slices are not all of it"},
                 {"k.bias slice(0,1,3)", "k.bias slice(0,1,2)", "block.0.b [12] gives [6]"},
                 {"attention.v.weight slice(0,2,3);transpose", "attention.out.weight slice(0,2,3);transpose",
                  "missing: encoder.layer.0.attention.v.weight"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        synthetic_source source;
        pml_map_rule *rules;
        size_t n;
        pml_error error;
        pml_mapping *mapping = NULL;
        const char *at = strstr(foreign_rules, cases[i].rule);
        CU_ASSERT_PTR_NOT_NULL_FATAL(at);
        const char *text = pml_test_path("%.*s%s%s", (int)(at - foreign_rules), foreign_rules, cases[i].instead,
                                         at + strlen(cases[i].rule));
        PML_ASSERT_FAILS(map_with(text, SYNTHETIC_CONFIG(""), &mapping, &source, &rules, &n, &error), PML_E_FORMAT,
                         &error, cases[i].part);
        synthetic_source_deinit(&source);
        pml_map_rules_destroy(rules, n);
    }
}

PML_TESTS("mappers/map_file", PML_TEST(reads_rules), PML_TEST(survives_failing_allocations),
          PML_TEST(names_the_line_of_a_fault), PML_TEST(maps_a_checkpoint_with_other_names),
          PML_TEST(checks_targets_and_leftovers), PML_TEST(slices_are_the_whole_tensor))
