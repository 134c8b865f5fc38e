/* pml-run plot as users run it. */
#include <string.h>
#include <unistd.h>

#include "tests/harness.h"

/* With the temporary inputs; and fontconfig keeps its tables until the end, which is no leak of ours. */
static const char *folder(void) {
    static const char *path;
    if (path == NULL) {
        path = pml_test_fresh_dir("plots");
        static const char history[] = "date,a,b\n2020-01-01,1,5\n2020-01-02,2,5\n2020-01-03,,5\n2020-01-04,3,5\n";
        static const char kept[] = "leak:libfontconfig\n";
        pml_test_write_file(pml_test_path("%s/kept", path), kept, sizeof kept - 1);
        (void)setenv("LSAN_OPTIONS", pml_test_path("suppressions=%s/kept:print_suppressions=0", path), 1);
        static const char next[] = "date,a,b\n2020-01-04,2.5,5\n2020-01-05,4,5\n";
        static const char rows[] = "{\"start_row\": 4, \"columns\": [\"b\", \"a\"], \"dates\": null,"
                                   " \"forecast\": [[5, 3], [5, null]]}";
        pml_test_write_file(pml_test_path("%s/h.csv", path), history, sizeof history - 1);
        pml_test_write_file(pml_test_path("%s/f.csv", path), next, sizeof next - 1);
        pml_test_write_file(pml_test_path("%s/f.json", path), rows, sizeof rows - 1);
    }
    return path;
}

static void put(const char *name, const char *text) {
    pml_test_write_file(pml_test_path("%s/%s", folder(), name), text, strlen(text));
}

/* In the folder; output and messages must hold `part`. */
static void expect(int code, const char *arguments, const char *part) {
    char *output = NULL;
    const int got =
        pml_test_command(&output, "cd '%s' && { '%s/pml-run' plot %s; }", folder(), pml_test_binary_dir(), arguments);
    if (got != code || strstr(output, part) == NULL) {
        (void)printf("\n    plot %s\n    gave %d: %s", arguments, got, output);
        CU_FAIL("another exit code or message than expected");
    }
    free(output);
}

static unsigned char *file(const char *name, size_t *size_bytes) {
    return pml_test_read_file(pml_test_path("%s/%s", folder(), name), size_bytes);
}

static void formats(void) {
    size_t size_bytes = 0;
    expect(0, "f.csv --csv h.csv -o o.png --width 640 --height 480", "o.png\n");
    unsigned char *png = file("o.png", &size_bytes);
    static const unsigned char start[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13,
                                          'I',  'H', 'D', 'R', 0,    0,    2,    0x80, 0, 0, 1, 0xe0};
    CU_ASSERT_TRUE(size_bytes > sizeof start && memcmp(png, start, sizeof start) == 0);
    free(png);
    expect(0, "f.csv --csv h.csv -o o.svg", "o.svg\n");
    char *svg = (char *)file("o.svg", &size_bytes);
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">a</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">b</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">forecast</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">4 Jan</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">2020</text>"));
    free(svg);
    expect(0, "f.csv --csv h.csv -o o.pdf", "o.pdf\n");
    char *pdf = (char *)file("o.pdf", &size_bytes);
    CU_ASSERT_TRUE(size_bytes > 100 && memcmp(pdf, "%PDF-1.", 7) == 0);
    CU_ASSERT_PTR_NULL(memmem(pdf, size_bytes, "Date", 4));
    free(pdf);
}

static void json_without_dates(void) {
    size_t size_bytes = 0;
    expect(0, "f.json --csv h.csv -o j.svg --columns a --title Rows", "j.svg\n");
    char *svg = (char *)file("j.svg", &size_bytes);
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">row</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">Rows</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">a</text>"));
    CU_ASSERT_PTR_NULL(strstr(svg, ">b</text>"));
    free(svg);
}

static void result_as_json(void) {
    expect(0, "f.csv --csv h.csv -o r.svg --columns b --width 300 --json",
           "{\"picture\":\"r.svg\",\"kind\":\"forecast\",\"width\":300,\"height\":380,\"columns\":[\"b\"]}\n");
}

static void kinds_are_seen_or_told(void) {
    put("back.csv", "step,column,mae,mse,values\n1,a,1,1,3\n2,a,2,4,3\n");
    put("run.csv", "step,epoch,loss\n1,1,2\n2,2,1\n");
    put("run.json", "{\"log_history\": [{\"step\": 1, \"loss\": NaN}, {\"step\": 2, \"loss\": 1}]}");
    expect(0, "back.csv -o k1.png --json", "\"kind\":\"backtest\"");
    expect(0, "run.csv -o k2.pdf --json", "\"kind\":\"training\"");
    expect(0, "run.json -o k3.svg --json", "\"kind\":\"training\"");
    expect(65, "back.csv --kind training -o k4.svg", "begins with step,epoch");
    expect(2, "back.csv --kind trainings -o k4.svg",
           "'trainings' is no kind of plot; there are backtest, training, history");
}

static void the_same_bytes_again(void) {
    static const char *const endings[] = {"png", "svg", "pdf"};
    for (size_t i = 0; i < 3; i++) {
        const char *e = endings[i];
        expect(0, pml_test_path("f.csv --csv h.csv -o s1.%s", e), "s1");
        CU_ASSERT_EQUAL(pml_test_command(NULL, "sleep 1.1"), 0);
        expect(0, pml_test_path("f.csv --csv h.csv -o s2.%s", e), "s2");
        CU_ASSERT_EQUAL(pml_test_command(NULL, "cd '%s' && cmp s1.%s s2.%s", folder(), e, e), 0);
    }
}

static void without_fonts(void) {
    put("fonts.conf", "<?xml version=\"1.0\"?><!DOCTYPE fontconfig SYSTEM \"fonts.dtd\"><fontconfig></fontconfig>");
    (void)setenv("FONTCONFIG_FILE", pml_test_path("%s/fonts.conf", folder()), 1);
    expect(0, "f.csv --csv h.csv -o n.png", "n.png\n");
    expect(0, "f.csv --csv h.csv -o n.pdf", "n.pdf\n");
    (void)unsetenv("FONTCONFIG_FILE");
}

static void existing_files(void) {
    put("keep.png", "mine");
    expect(2, "f.csv --csv h.csv -o keep.png", "--force replaces it");
    CU_ASSERT_TRUE(pml_test_file_holds(pml_test_path("%s/keep.png", folder()), "mine"));
    expect(0, "f.csv --csv h.csv -o keep.png --force", "keep.png");
    CU_ASSERT_EQUAL(pml_test_command(NULL, "cd '%s' && ln -sf h.csv h.svg && cp f.csv f.pdf", folder()), 0);
    expect(2, "f.csv --csv h.csv -o h.svg --force", "would overwrite the input");
    expect(2, "f.pdf --csv h.csv -o f.pdf --force", "would overwrite the input");
}

static void errors(void) {
    put("up.csv", "date,a\n2020-01-05,1\n2020-01-04,2\n");
    put("far.json", "{\"start_row\":99,\"columns\":[\"a\"],\"dates\":null,\"forecast\":[[1]]}");
    put("uneven.json", "{\"start_row\":4,\"columns\":[\"a\"],\"dates\":null,\"forecast\":[[1],[1,2]]}");
    put("short.json", "{\"start_row\":4,\"columns\":[\"a\"],\"dates\":null,\"forecast\":[[1]");
    put("empty.csv", "");
    put("undated.csv", "a\n1\n2\n");
    put("other.csv", "date,z\n2020-01-01,1\n");
    static const struct {
        int code;
        const char *arguments, *message;
    } cases[] = {
        {2, "f.csv -o x.png", "plot needs --csv FILE"},
        {2, "f.csv --csv h.csv", "plot needs -o FILE"},
        {2, "f.csv --csv h.csv -o x.gif", "ends in .png, .svg or .pdf"},
        {2, "f.csv --csv h.csv -o x.png --width 99", "--width is 100 to 10000 pixels"},
        {2, "f.csv --csv h.csv -o x.png --height 100", "pixels are too few for 2 panels"},
        {66, "nothing.csv --csv h.csv -o x.png", "nothing.csv"},
        {66, "f.csv --csv nothing.csv -o x.png", "nothing.csv"},
        {78, "f.csv --csv h.csv -o x.png --columns a,q", "the forecast has no column 'q'"},
        {78, "f.csv --csv h.csv -o x.png --columns a,a", "asked for twice"},
        {78, "f.csv --csv other.csv -o x.png", "other.csv has no column 'a'"},
        {78, "f.csv --csv undated.csv -o x.png --columns a", "the forecast has dates and undated.csv has none"},
        {78, "far.json --csv h.csv -o x.png", "begins at row 99"},
        {65, "up.csv --csv h.csv -o x.png", "not after that of the row before"},
        {65, "uneven.json --csv h.csv -o x.png", "rows of different length"},
        {65, "short.json --csv h.csv -o x.png", "short.json"},
        {65, "empty.csv --csv h.csv -o x.png", "empty.csv"},
        {74, "f.csv --csv h.csv -o no/such/x.png", "no/such"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(cases[i].code, cases[i].arguments, cases[i].message);
    }
    CU_ASSERT_NOT_EQUAL(access(pml_test_path("%s/x.png", folder()), F_OK), 0);
}

/* A limit on the size of files stands for the full disk. */
static void full_disk(void) {
    char *output = NULL;
    const int code = pml_test_command(
        &output, "cd '%s' && (ulimit -f 1; trap '' XFSZ; '%s/pml-run' plot f.csv --csv h.csv -o full.png)", folder(),
        pml_test_binary_dir());
    CU_ASSERT_EQUAL(code, 74);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "error:"));
    CU_ASSERT_EQUAL(pml_test_command(NULL, "cd '%s' && ls -A | grep full", folder()), 1);
    free(output);
}

PML_TESTS("runtime/plot/command", PML_TEST(formats), PML_TEST(json_without_dates), PML_TEST(result_as_json),
          PML_TEST(kinds_are_seen_or_told), PML_TEST(the_same_bytes_again), PML_TEST(without_fonts),
          PML_TEST(existing_files), PML_TEST(errors), PML_TEST(full_disk))
