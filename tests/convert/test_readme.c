/* Front matter of README.md: what is read, and that nothing else disturbs. */
#include "convert/readme.h"

#include <string.h>
#include <sys/stat.h>

#include "tests/harness.h"

static void reads_license(void) {
    static const char *const cases[][4] = {
        {"---\nlicense: apache-2.0\n---\n# Title\nlicense: mit\n", "apache-2.0", "", ""},
        {"---\r\ntags:\r\n- a\r\nlicense: \"mit\"\r\n---\r\n", "mit", "", ""},
        {"---\nlicense: other\nlicense_name: my-terms\nlicense_link: https://example.org/t\n---\n", "other", "my-terms",
         "https://example.org/t"},
        {"---\nlicense: [mit, 'apache-2.0' ,bsd]\n---\n", "mit, apache-2.0, bsd", "", ""},
        {"---\nlicense:\n- mit\n  - apache-2.0\nlanguage:\n- en\n---\n", "mit, apache-2.0", "", ""},
        {"---\nlicense: mit\nlicense: bsd\n", "bsd", "", ""},
        {"---\nlicense:\nlanguage:\n- en\n---\n", "", "", ""},
        {"---\n  license: mit\nmy_license: x\n---\n", "", "", ""},
        {"# Title\n---\nlicense: mit\n---\n", "", "", ""},
        {"---\nlicense: m\x01t\n---\n", "", "", ""},
        {"---\nlicense: m\xfft\n---\n", "", "", ""},
        {"---\nlicense: \xc3\xa4\n---\n", "\xc3\xa4", "", ""},
        {"---\nlicense: []\n---\n", "", "", ""},
        {"---\nlicense: [\n---\n", "[", "", ""},
        {"---\nlicense: \"\n---\n", "\"", "", ""},
        {"---", "", "", ""},
        {"", "", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_readme readme;
        pml_readme_parse(cases[i][0], strlen(cases[i][0]), &readme);
        CU_ASSERT_STRING_EQUAL(readme.license, cases[i][1]);
        CU_ASSERT_STRING_EQUAL(readme.license_name, cases[i][2]);
        CU_ASSERT_STRING_EQUAL(readme.license_link, cases[i][3]);
    }
}

static void a_long_text_is_left_out(void) {
    char text[2000];
    pml_readme readme;
    memset(text, 'x', sizeof text);
    memcpy(text, "---\nlicense: ", 13);
    pml_readme_parse(text, sizeof text, &readme);
    CU_ASSERT_STRING_EQUAL(readme.license, "");
}

static void finds_the_file(void) {
    static const char text[] = "---\nlicense: mit\n---\n";
    const char *path = pml_test_fresh_dir("find");
    pml_folder *folder = NULL;
    pml_readme readme;
    pml_error error;
    PML_ASSERT_OK(pml_folder_create(path, &folder, NULL), NULL);
    PML_ASSERT_OK(pml_readme_find(folder, &readme, &error), &error);
    CU_ASSERT_STRING_EQUAL(readme.license, "");
    pml_test_write_file(pml_test_path("%s/README.md", path), text, strlen(text));
    PML_ASSERT_OK(pml_readme_find(folder, &readme, &error), &error);
    CU_ASSERT_STRING_EQUAL(readme.license, "mit");
    CU_ASSERT_EQUAL(remove(pml_test_path("%s/README.md", path)), 0);
    CU_ASSERT_EQUAL(mkdir(pml_test_path("%s/README.md", path), 0700), 0);
    PML_ASSERT_FAILS(pml_readme_find(folder, &readme, &error), PML_E_IO, &error, "README.md");
    CU_ASSERT_STRING_EQUAL(readme.license, "");
    pml_folder_close(folder);
}

PML_TESTS("convert/readme", PML_TEST(reads_license), PML_TEST(a_long_text_is_left_out), PML_TEST(finds_the_file))
