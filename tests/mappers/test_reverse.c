/* Rules run backwards: over tables made here, and over those of every family. */
#include <string.h>

#include "mappers/reverse.h"
#include "tests/harness.h"

static const pml_config_key keys[] = {{.name = "n", .type = PML_CONFIG_INT, .least = 1, .greatest = 9},
                                      {.name = "head", .type = PML_CONFIG_CHOICE, .choices = "none|some"},
                                      {.name = NULL}};
static const pml_config_constraint no_constraints[] = {{NULL, NULL}};
static const pml_weight_spec weights[] = {
    {"q.{l}", PML_ROLE_MATRIX, "2, 3", "n", NULL},      {"k.{l}", PML_ROLE_MATRIX, "2, 3", "n", NULL},
    {"stack", PML_ROLE_MATRIX, "2, 4, 5", NULL, NULL},  {"pair", PML_ROLE_VECTOR, "2, 3", NULL, NULL},
    {"turned", PML_ROLE_MATRIX, "2, 3, 4", NULL, NULL}, {"flat", PML_ROLE_VECTOR, "6", NULL, "head == 'some'"},
    {"mean", PML_ROLE_VECTOR, "3", NULL, NULL},         {NULL, 0, NULL, NULL, NULL}};
static const pml_schema schema = {
    .name = "made", .architecture = "for tests", .config = keys, .constraints = no_constraints, .weights = weights};

#define END                                                                                                            \
    { NULL, NULL, NULL, NULL, NULL, NULL }
#define MOST                                                                                                           \
    {"own", "[base.]layer.{l}.qk", "q.{l}", "slice(1,0,2)", NULL, NULL},                                               \
        {"own", "[base.]layer.{l}.qk", "k.{l}", "slice(1,1,2)", NULL, NULL},                                           \
        {"own", "[base.]list.{c}", "stack", "transpose;stack(c)", NULL, NULL},                                         \
        {NULL, "{*}/second", "pair", "stack(1)", NULL, NULL}, {NULL, "{*}/first", "pair", "stack(0)", NULL, NULL},     \
        {"own", "turned", "turned", "permute(2,0,1)", NULL, NULL}, {"own", "mean", "mean", "", NULL, NULL},            \
        {"own", "old.mean", "mean", "", NULL, NULL}, {"other", "elsewhere", "mean", "", NULL, NULL}, {                 \
        "own", "count", NULL, NULL, NULL, "nothing"                                                                    \
    }
static const pml_map_rule rules[] = {MOST, {"own", "flat", "flat", "reshape(-1)", "head == 'some'", NULL}, END};

static const pml_config_rule no_rules[] = {{.key = NULL}};
static const pml_map_text gaps[] = {{"plain", "head == 'none'"}, {"with-head", NULL}, {NULL, NULL}};
static const pml_map_foreign tensors[] = {
    {.pattern = "flat", .shape = "1, 6, 1"},
    {.pattern = "count", .shape = "", .fill = PML_FILL_ZEROS, .beside = "mean", .dtype = PML_DTYPE_I64},
    {.pattern = "old.mean", .beside = "mean", .when = "n == 2"},
    {.pattern = NULL}};
static const pml_map_dialect dialects[] = {{.name = "own",
                                            .keys = no_rules,
                                            .tensors = tensors,
                                            .optional_when = "head == 'some'",
                                            .gaps = gaps,
                                            .config_file = "config.json"},
                                           {.name = "other", .keys = no_rules, .config_file = "config.json"},
                                           {.name = NULL}};
static const pml_mapper mapper = {.name = "made", .rules = rules, .schema = &schema, .dialects = dialects};

static pml_metadata *config_of(int64_t n, const char *head) {
    pml_metadata *config = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_metadata_create(&config, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(config, "config.n", n, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(config, "config.head", head, &error), &error);
    return config;
}

static const pml_reverse_tensor *find(const pml_reverse *reverse, const char *name) {
    for (size_t i = 0; i < reverse->count; i++) {
        if (strcmp(reverse->tensors[i].name, name) == 0) {
            return &reverse->tensors[i];
        }
    }
    return NULL;
}

static bool has_shape(const pml_reverse *reverse, const char *name, unsigned rank, uint64_t a, uint64_t b, uint64_t c) {
    const pml_reverse_tensor *tensor = find(reverse, name);
    const uint64_t shape[3] = {a, b, c};
    return tensor != NULL && tensor->rank == rank && memcmp(tensor->shape, shape, rank * sizeof shape[0]) == 0;
}

static void names_shapes_and_parts(void) {
    pml_metadata *config = config_of(2, "some");
    pml_reverse reverse;
    pml_view view;
    pml_error error;
    PML_ASSERT_OK(pml_reverse_create(&mapper, &dialects[0], config, &reverse, &error), &error);
    CU_ASSERT_EQUAL(reverse.count, 11);
    CU_ASSERT_TRUE(has_shape(&reverse, "base.layer.0.qk", 2, 2, 6, 0)); /* two slices */
    CU_ASSERT_TRUE(has_shape(&reverse, "base.layer.1.qk", 2, 2, 6, 0));
    CU_ASSERT_TRUE(has_shape(&reverse, "base.list.0", 2, 5, 4, 0)); /* a tensor per index of the leading axis */
    CU_ASSERT_TRUE(has_shape(&reverse, "base.list.1", 2, 5, 4, 0));
    CU_ASSERT_TRUE(has_shape(&reverse, "with-head/first", 1, 3, 0, 0));
    CU_ASSERT_TRUE(has_shape(&reverse, "with-head/second", 1, 3, 0, 0));
    CU_ASSERT_TRUE(has_shape(&reverse, "turned", 3, 3, 4, 2));   /* permute(2,0,1) undone */
    CU_ASSERT_TRUE(has_shape(&reverse, "flat", 3, 1, 6, 1));     /* said by the dialect */
    CU_ASSERT_TRUE(has_shape(&reverse, "mean", 1, 3, 0, 0));     /* the first of two spellings … */
    CU_ASSERT_TRUE(has_shape(&reverse, "old.mean", 1, 3, 0, 0)); /* … and the other, as the dialect asks for both */
    const pml_reverse_tensor *count = find(&reverse, "count"), *fused = find(&reverse, "base.layer.1.qk");
    CU_ASSERT_PTR_NOT_NULL_FATAL(count);
    CU_ASSERT_TRUE(count->rank == 0 && count->n_parts == 0 && count->dtype == PML_DTYPE_I64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fused);
    CU_ASSERT_EQUAL_FATAL(fused->n_parts, 2);
    CU_ASSERT_STRING_EQUAL(fused->parts[1].weight->name, "k.1");
    PML_ASSERT_OK(pml_reverse_view(&reverse, fused, &fused->parts[1], &view, &error), &error);
    CU_ASSERT_EQUAL(view.offset, 3);
    const pml_reverse_tensor *second = find(&reverse, "with-head/second");
    CU_ASSERT_EQUAL(second->parts[0].i_stack, 1);
    pml_reverse_deinit(&reverse);
    pml_metadata_destroy(config);
}

static void conditions_decide(void) {
    pml_metadata *config = config_of(1, "none");
    pml_reverse reverse;
    pml_error error;
    PML_ASSERT_OK(pml_reverse_create(&mapper, &dialects[0], config, &reverse, &error), &error);
    CU_ASSERT_PTR_NOT_NULL(find(&reverse, "layer.0.qk")); /* without the optional part */
    CU_ASSERT_PTR_NOT_NULL(find(&reverse, "plain/first"));
    CU_ASSERT_PTR_NULL(find(&reverse, "flat"));
    CU_ASSERT_PTR_NULL(find(&reverse, "old.mean"));
    pml_reverse_deinit(&reverse);
    pml_metadata_destroy(config);
}

static void refuse(const pml_map_rule *list, const pml_map_dialect *dialect, pml_status expected, const char *part) {
    const pml_mapper other = {.name = "made", .rules = list, .schema = &schema, .dialects = dialects};
    pml_metadata *config = config_of(2, "some");
    pml_reverse reverse;
    pml_error error;
    PML_ASSERT_FAILS(pml_reverse_create(&other, dialect, config, &reverse, &error), expected, &error, part);
    pml_reverse_deinit(&reverse);
    pml_metadata_destroy(config);
}

static void what_cannot_be_run_backwards(void) {
    static const pml_map_rule without_flat[] = {MOST, END};
    static const pml_map_rule half[] = {{"own", "[base.]layer.{l}.qk", "q.{l}", "slice(1,0,2)", NULL, NULL},
                                        {"own", "k.{l}", "k.{l}", "", NULL, NULL},
                                        {"own", "list.{c}", "stack", "stack(c)", NULL, NULL},
                                        {"own", "pair", "pair", "", NULL, NULL},
                                        {"own", "turned", "turned", "", NULL, NULL},
                                        {"own", "flat", "flat", "reshape(-1)", NULL, NULL},
                                        {"own", "mean", "mean", "", NULL, NULL},
                                        {"own", "old.mean", "mean", "", NULL, NULL},
                                        END};
    static const pml_map_rule shapeless[] = {MOST, {"own", "flat2", "flat", "reshape(-1)", NULL, NULL}, END};
    static const pml_map_rule open[] = {MOST, {"own", "flat.{x}", "flat", "", NULL, NULL}, END};
    refuse(without_flat, &dialects[0], PML_E_UNSUPPORTED, "dialect own has no tensor for weight flat");
    refuse(rules, &dialects[1], PML_E_UNSUPPORTED, "dialect other has no tensor for weight q.0");
    refuse(half, &dialects[0], PML_E_CONFIG, "the weights give 6 of its 12 elements");
    refuse(shapeless, &dialects[0], PML_E_CONFIG, "does not follow from transform \"reshape(-1)\"");
    refuse(open, &dialects[0], PML_E_UNSUPPORTED, "no tensor for weight flat"); /* {x} comes from nowhere */
}

/* ---- the families ---- */
static bool reads(const pml_mapper *m, const char *dialect, const char *pattern) {
    for (const pml_map_rule *rule = m->rules; rule->pattern != NULL; rule++) {
        if ((rule->dialect == NULL || strcmp(rule->dialect, dialect) == 0) && strcmp(rule->pattern, pattern) == 0) {
            return true;
        }
    }
    return false;
}

static const pml_map_foreign *described(const pml_map_dialect *dialect, const char *pattern) {
    for (const pml_map_foreign *f = dialect->tensors; f != NULL && f->pattern != NULL; f++) {
        if (f->beside == NULL && strcmp(f->pattern, pattern) == 0) {
            return f;
        }
    }
    return NULL;
}

/* Every dialect that converts is one that is written, or says why not. A rule that reshapes needs its tensor's shape,
 * unless it is a stand-in: those come after the rule that is written. */
static void every_dialect_is_written(void) {
    for (const pml_mapper *const *m = pml_mappers; *m != NULL; m++) {
        CU_ASSERT_PTR_NOT_NULL((*m)->dialects);
        for (const pml_map_rule *rule = (*m)->rules; rule->pattern != NULL; rule++) {
            const pml_map_dialect *dialect = pml_map_dialect_find(*m, rule->dialect);
            CU_ASSERT_PTR_NOT_NULL_FATAL(dialect);
            const bool reshapes =
                rule->target != NULL && rule->reason == NULL && rule->transform != NULL &&
                (strstr(rule->transform, "reshape") != NULL || strstr(rule->transform, "narrow") != NULL);
            if (reshapes && dialect->unwritten == NULL && described(dialect, rule->pattern) == NULL) {
                CU_FAIL("a shape is missing");
                (void)printf("\n    %s, %s: %s\n", (*m)->name, dialect->name, rule->pattern);
            }
        }
        for (const pml_map_dialect *d = (*m)->dialects; d != NULL && d->name != NULL; d++) {
            CU_ASSERT_TRUE(d->keys != NULL && d->config_file != NULL);
            for (const pml_map_foreign *f = d->tensors; f != NULL && f->pattern != NULL; f++) {
                CU_ASSERT_TRUE(reads(*m, d->name, f->pattern)); /* what is written can be read again */
            }
        }
    }
}

PML_TESTS("mappers/reverse", PML_TEST(names_shapes_and_parts), PML_TEST(conditions_decide),
          PML_TEST(what_cannot_be_run_backwards), PML_TEST(every_dialect_is_written))
