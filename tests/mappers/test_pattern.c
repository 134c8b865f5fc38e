#include "mappers/pattern.h"

#include <string.h>

#include "tests/harness.h"

static void captures_indexes(void) {
    pml_captures c;
    uint32_t value = 0;
    CU_ASSERT_TRUE(pml_pattern_match("layers.{l}.ff.{k}.weight", "layers.12.ff.0.weight", &c));
    CU_ASSERT_TRUE(pml_captures_get(&c, 'l', &value) && value == 12);
    CU_ASSERT_TRUE(pml_captures_get(&c, 'k', &value) && value == 0);
    CU_ASSERT_FALSE(pml_captures_get(&c, 'x', &value));
    CU_ASSERT_TRUE(pml_pattern_match("{l}", "4294967295", &c));
    CU_ASSERT_TRUE(pml_pattern_match("a{l}b{l}", "a3b3", &c));
}

static void takes_any_ending(void) {
    pml_captures c;
    CU_ASSERT_TRUE(pml_pattern_match("loss.*", "loss.a.b[0]", &c));
    CU_ASSERT_TRUE(pml_pattern_match("loss.*", "loss.", &c));
    CU_ASSERT_FALSE(pml_pattern_match("loss.*", "loss", &c));
    CU_ASSERT_FALSE(pml_pattern_match("a*b", "axb", &c)); /* only there */
    CU_ASSERT_TRUE(pml_pattern_match("a*b", "a*b", &c));
    CU_ASSERT_TRUE(pml_pattern_check("loss.*"));
}

static void leaps_over_any_text(void) {
    pml_captures c;
    uint32_t value = 0;
    CU_ASSERT_TRUE(pml_pattern_match("bert/{*}/bert/layer_._{l}/w", "bert/a/b/bert/layer_._7/w", &c));
    CU_ASSERT_TRUE(pml_captures_get(&c, 'l', &value) && value == 7);
    CU_ASSERT_TRUE(pml_pattern_match("a.{l}/{*}x", "a.3/x", &c)); /* nothing is a text */
    CU_ASSERT_TRUE(pml_captures_get(&c, 'l', &value) && value == 3);
    CU_ASSERT_TRUE(pml_pattern_match("{*}/adam_m", "a/b/adam_m", &c));
    CU_ASSERT_TRUE(pml_pattern_match("a/{*}/b/*", "a/x/b/", &c));
    CU_ASSERT_FALSE(pml_pattern_match("{*}/adam_m", "a/b/adam_m2", &c));
    CU_ASSERT_FALSE(pml_pattern_match("{*}/adam_m", "adam_m", &c));
    CU_ASSERT_FALSE(pml_pattern_match("{*}a{*}", "a", &c)); /* once */
    CU_ASSERT_TRUE(pml_pattern_check("a/{*}/b.{l}"));
    CU_ASSERT_FALSE(pml_pattern_check("{*}a{*}"));
    CU_ASSERT_FALSE(pml_pattern_check("[{*}]"));
}

static void rejects_what_does_not_fit(void) {
    static const char *const cases[][2] = {{"layers.{l}.w", "layers..w"},
                                           {"layers.{l}.w", "layers.01.w"},
                                           {"layers.{l}.w", "layers.-1.w"},
                                           {"layers.{l}.w", "layers.x.w"},
                                           {"layers.{l}.w", "layers.4294967296.w"},
                                           {"layers.{l}.w", "layers.1.w2"},
                                           {"layers.{l}.w", "layers.1"},
                                           {"layers.{l}.w", "xlayers.1.w"},
                                           {"a{l}b{l}", "a3b4"},
                                           {"weight", ""},
                                           {"", "weight"},
                                           {"{a}.{b}.{c}.{d}.{e}", "1.2.3.4.5"},
                                           {"[model.]encoder", "model.mode"},
                                           {"[model.]encoder", "model.model.encoder"},
                                           {"a[b]", "ac"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_captures c = {.count = 99};
        CU_ASSERT_FALSE(pml_pattern_match(cases[i][0], cases[i][1], &c));
        CU_ASSERT_EQUAL(c.count, 99); /* untouched */
    }
}

static void allows_optional_parts(void) {
    pml_captures c;
    CU_ASSERT_TRUE(pml_pattern_match("[model.]encoder.w", "model.encoder.w", &c));
    CU_ASSERT_TRUE(pml_pattern_match("[model.]encoder.w", "encoder.w", &c));
    CU_ASSERT_TRUE(pml_pattern_match("w[.x]", "w", &c));
    CU_ASSERT_TRUE(pml_pattern_match("w[.x]", "w.x", &c));
}

static void fills_names(void) {
    pml_captures c;
    char name[32];
    CU_ASSERT_TRUE(pml_pattern_match("a.{l}.{k}", "a.7.40", &c));
    CU_ASSERT_TRUE(pml_pattern_fill("[m.]b.{k}.{l}.{x}", &c, name, sizeof name));
    CU_ASSERT_STRING_EQUAL(name, "m.b.40.7.{x}");
    CU_ASSERT_FALSE(pml_pattern_fill("a.{k}", &c, name, 4));
    CU_ASSERT_TRUE(pml_pattern_fill("a.{k}", &c, name, 5));
    CU_ASSERT_FALSE(pml_pattern_fill("", &c, name, 0));
}

static void writes_names(void) {
    const pml_captures c = {.count = 1, .letters = "l", .values = {12}};
    char name[32];
    CU_ASSERT_TRUE(pml_pattern_write("[model.]a.{l}[.x].b", &c, true, NULL, name, sizeof name));
    CU_ASSERT_STRING_EQUAL(name, "model.a.12.x.b");
    CU_ASSERT_TRUE(pml_pattern_write("[model.]a.{l}[.x].b", &c, false, NULL, name, sizeof name));
    CU_ASSERT_STRING_EQUAL(name, "a.12.b");
    CU_ASSERT_TRUE(pml_pattern_write("g/{*}/h", &c, false, "net", name, sizeof name));
    CU_ASSERT_STRING_EQUAL(name, "g/net/h");
    CU_ASSERT_TRUE(pml_pattern_write("g/{*}/h.{k}", &c, false, NULL, name, sizeof name));
    CU_ASSERT_STRING_EQUAL(name, "g/{*}/h.{k}"); /* what is not known stays as written */
    CU_ASSERT_FALSE(pml_pattern_write("g/{*}/h", &c, false, "net", name, 7));
    CU_ASSERT_TRUE(pml_pattern_write("g/{*}/h", &c, false, "net", name, 8));
}

static void checks_its_form(void) {
    static const char *const good[] = {"", "a.b", "{l}", "[m.]a.{l}[.x]"};
    static const char *const bad[] = {"{",  "}",     "{}",    "{ll}",           "{L}", "{l", "[a",
                                      "a]", "[[a]]", "[{l}]", "{a}{b}{c}{d}{e}"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT_TRUE(pml_pattern_check(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_FALSE(pml_pattern_check(bad[i]));
    }
}

PML_TESTS("mappers/pattern", PML_TEST(captures_indexes), PML_TEST(takes_any_ending), PML_TEST(leaps_over_any_text),
          PML_TEST(rejects_what_does_not_fit), PML_TEST(allows_optional_parts), PML_TEST(fills_names),
          PML_TEST(writes_names), PML_TEST(checks_its_form))
