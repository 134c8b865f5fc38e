/* Patterns of --include and --exclude, against what Python's fnmatch.fnmatchcase says. */
#include <stdio.h>
#include <string.h>

#include "convert/hub/hub_pattern.h"
#include "tests/harness.h"

static void patterns_fit(void) {
    static const struct {
        const char *pattern, *text;
        bool fits;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "a/b/c", true},
        {"*.json", "a/b.json", true},
        {"*.json", "a.jsonl", false},
        {"?", "a", true},
        {"?", "", false},
        {"?", "ä", true},
        {"[ab]", "b", true},
        {"[!ab]", "b", false},
        {"[^ab]", "^", true},
        {"[^ab]", "c", false},
        {"[a-c]x", "bx", true},
        {"[c-a]", "b", false},
        {"[!c-a]", "b", true},
        {"[]a]", "]", true},
        {"[!]a]", "]", false},
        {"[", "[", true},
        {"[a", "[a", true},
        {"[]", "[]", true},
        {"a[-]b", "a-b", true},
        {"[a-]", "-", true},
        {"[-a]", "-", true},
        {"[[]", "[", true},
        {"A", "a", false},
        {"*a*b*c", "xaybzc", true},
        {"*a*b*c", "xaybz", false},
        {"a*", "a", true},
        {"**", "x", true},
        {"*.[sp]*", "m.safetensors", true},
        {"\xff*", "\xff\xfe", true},
        {"[\xff]", "\xff", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const bool fits = pml_hub_pattern_fits(cases[i].pattern, cases[i].text);
        if (fits != cases[i].fits) {
            (void)printf("\n    '%s' and '%s'\n", cases[i].pattern, cases[i].text);
        }
        CU_ASSERT_EQUAL(fits, cases[i].fits);
    }
}

/* Many stars over a text that almost fits must not take exponential time. */
static void stars_are_cheap(void) {
    char text[4001];
    memset(text, 'a', 4000);
    text[4000] = '\0';
    CU_ASSERT_FALSE(pml_hub_pattern_fits("*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
    CU_ASSERT_TRUE(pml_hub_pattern_fits("*a*a*a*a*a*a*a*a*a*a*a*a*", text));
}

static void filters(void) {
    static const char *const include[] = {"*.json", "sub/", "win\\*"};
    static const char *const exclude[] = {"*secret*"};
    const pml_hub_filter both = {.include = include, .n_include = 3, .exclude = exclude, .n_exclude = 1};
    const pml_hub_filter none = {0};
    CU_ASSERT_TRUE(pml_hub_filter_fits(&none, "anything"));
    CU_ASSERT_TRUE(pml_hub_filter_fits(&both, "a.json"));
    CU_ASSERT_TRUE(pml_hub_filter_fits(&both, "sub/x/y.bin"));
    CU_ASSERT_TRUE(pml_hub_filter_fits(&both, "win/x"));
    CU_ASSERT_FALSE(pml_hub_filter_fits(&both, "subx"));
    CU_ASSERT_FALSE(pml_hub_filter_fits(&both, "a.bin"));
    CU_ASSERT_FALSE(pml_hub_filter_fits(&both, "secret.json"));
}

/* Random patterns and texts over the characters that mean something; Python's verdict is a line each. */
static const char script[] =
    "import fnmatch, random, sys\n"
    "random.seed(20240817)\n"
    "out = open(sys.argv[1], 'w', encoding='utf-8')\n"
    "signs = 'ab-[]!^*?/.\\\\&~|zé'\n"
    "for i in range(60000):\n"
    "    p = ''.join(random.choice(signs) for _ in range(random.randrange(10)))\n"
    "    t = ''.join(random.choice('ab-[]!^/.\\\\&~|zé') for _ in range(random.randrange(6)))\n"
    "    out.write(f'{int(fnmatch.fnmatchcase(t, p))}\\t{p}\\t{t}\\n')\n";

static void python_agrees(void) {
    const char *program = pml_test_path("%s/pairs.py", pml_test_temporary_dir());
    const char *pairs = pml_test_path("%s/pairs.txt", pml_test_temporary_dir());
    pml_test_write_file(program, script, strlen(script));
    if (pml_test_command(NULL, "'%s' -W ignore '%s' '%s'", getenv("PML_TEST_PYTHON"), program, pairs) != 0) {
        pml_test_skip("no Python");
        return;
    }
    size_t size = 0, n_pairs = 0, n_fits = 0, n_wrong = 0;
    char *text = (char *)pml_test_read_file(pairs, &size);
    for (char *line = text; line < text + size;) {
        char *end = memchr(line, '\n', (size_t)(text + size - line));
        *end = '\0';
        char *pattern = strchr(line, '\t') + 1, *word = strchr(pattern, '\t');
        *word++ = '\0';
        const bool wanted = *line == '1';
        if (pml_hub_pattern_fits(pattern, word) != wanted && n_wrong++ < 10) {
            (void)printf("\n    '%s' and '%s': Python says %d\n", pattern, word, wanted);
        }
        n_pairs++;
        n_fits += wanted;
        line = end + 1;
    }
    free(text);
    CU_ASSERT_EQUAL(n_wrong, 0);
    CU_ASSERT_EQUAL(n_pairs, 60000);
    CU_ASSERT_TRUE(n_fits > 1000);
}

PML_TESTS("convert/hub_pattern", PML_TEST(patterns_fit), PML_TEST(stars_are_cheap), PML_TEST(filters),
          PML_TEST(python_agrees))
