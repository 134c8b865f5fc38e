/* Outputs of a rounded model beside FP32's, over whole commands and in their sums. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/calibrate_sums.h"
#include "tests/convert/command_fixture.h"

static const char *write_text(const char *name, const char *text, size_t n) {
    const char *path = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    pml_test_write_file(path, text, n);
    return path;
}

/* The number behind "key": the first time after `from`. */
static double number_of(const char *json, const char *from, const char *key) {
    const char *at = from != NULL ? strstr(json, from) : json;
    at = at != NULL ? strstr(at, pml_test_path("\"%s\": ", key)) : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    return strtod(strchr(at, ':') + 1, NULL);
}

/* What --json says of a calibration; NULL after a failed assertion. The caller frees it. */
static char *calibrated(const char *source, const char *dtype, const char *inputs) {
    char *output = NULL;
    const char *folder = pml_test_path("%s/out", pml_test_temporary_dir());
    (void)mkdir(folder, 0700);
    const int code = test_convert(&output, "'%s' -o '%s/m.pml' --force --json --dtype %s --calibrate '%s'", source,
                                  folder, dtype, inputs);
    CU_ASSERT_EQUAL(code, 0);
    /* Nothing but the output stays behind: FP32's form had no name. */
    char *listed = NULL;
    CU_ASSERT_EQUAL(pml_test_command(&listed, "ls -A '%s'", folder), 0);
    CU_ASSERT_STRING_EQUAL(listed, "m.pml\n");
    free(listed);
    return output;
}

static void texts_of_an_encoder(void) {
    static const char text[] = "A man is eating food.\n\n   \nThe girl is carrying a baby.\xff\xfe\nx\n";
    const char *source = test_copy_case("bert/sentence-transformer", "encoder");
    if (source == NULL) {
        return;
    }
    const char *lines = write_text("lines.txt", text, sizeof text - 1);
    double errors[2];
    for (size_t i = 0; i < 2; i++) {
        char *json = calibrated(source, i == 0 ? "int8" : "bf16", lines);
        CU_ASSERT_EQUAL(number_of(json, "\"calibration\"", "texts"), 3);
        errors[i] = number_of(json, "\"last_hidden_state\"", "relative_rms");
        CU_ASSERT_EQUAL(number_of(json, "\"last_hidden_state\"", "rows"), number_of(json, NULL, "tokens"));
        CU_ASSERT_EQUAL(number_of(json, "\"sentence_embedding\"", "rows"), 3);
        const double mean = number_of(json, "\"sentence_embedding\"", "cosine_mean");
        const double least = number_of(json, "\"sentence_embedding\"", "cosine_min");
        CU_ASSERT_TRUE(least <= mean && mean < 1 && least > 0.98);
        CU_ASSERT_PTR_NULL(strstr(json, "perplexity"));
        free(json);
    }
    CU_ASSERT_TRUE(errors[0] > errors[1] && errors[1] > 0 && errors[0] < 0.1);
    TEST_EXITS(0, "cosine", "'%s' -o '%s/s.pml' --dtype int8 --calibrate '%s'", source, pml_test_temporary_dir(),
               lines);
}

static void perplexity_of_a_language_model(void) {
    const char *source = test_copy_case("gpt2/kjv", "language");
    if (source == NULL) {
        return;
    }
    const char *lines = write_text("verses.txt", "In the beginning God created the heaven and the earth.\nAmen\n", 60);
    char *json = calibrated(source, "int8", lines);
    const double exact = number_of(json, NULL, "perplexity_f32"), rounded = number_of(json, NULL, "perplexity");
    CU_ASSERT_TRUE(exact > 2 && exact < 100);
    CU_ASSERT_DOUBLE_EQUAL(rounded, exact, 0.02 * exact);
    /* FP32's is what `score` says of the same lines. */
    const char *plain = test_converted(source, "plain.pml", "");
    char *scores = NULL;
    CU_ASSERT_EQUAL(
        pml_test_command(&scores, "'%s/pml-run' score '%s' --file '%s'", pml_test_binary_dir(), plain, lines), 0);
    double likelihood = 0;
    size_t n_scored = 0;
    for (char *line = scores; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL) {
        double one = 0;
        size_t n = 0;
        CU_ASSERT_EQUAL(sscanf(line, "%*f %lf %zu", &one, &n), 2);
        likelihood += one;
        n_scored += n;
    }
    CU_ASSERT_EQUAL(number_of(json, NULL, "scored"), (double)n_scored);
    CU_ASSERT_DOUBLE_EQUAL(exact, exp(-likelihood / (double)n_scored), 1e-5 * exact);
    free(scores);
    free(json);
}

static void windows_of_a_series(void) {
    const char *source = test_copy_case(TEST_CASE, "series");
    if (source == NULL) {
        return;
    }
    char text[16384];
    size_t used = (size_t)snprintf(text, sizeof text, "date,a,b,c\n"), few = 0;
    for (unsigned i = 0; i < 100; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "2024-01-01 00:%02u:%02u,%g,%g,%g\n", i / 60, i % 60,
                                 sin(0.3 * i), cos(0.2 * i), 0.01 * i);
        few = i == 46 ? used : few;
    }
    const char *csv = write_text("series.csv", text, used);
    const char *short_csv = write_text("short.csv", text, few);
    char *json = calibrated(source, "int8", csv);
    CU_ASSERT_EQUAL(number_of(json, "\"calibration\"", "windows"), 53);
    const double mse = number_of(json, NULL, "mse"), mae = number_of(json, NULL, "mae");
    CU_ASSERT_TRUE(mse > 0 && mae > 0 && mae * mae <= mse * 1.0001);
    CU_ASSERT_TRUE(number_of(json, "\"forecast\"", "relative_rms") < 0.1);
    free(json);
    const char *folder = pml_test_temporary_dir();
    used = (size_t)snprintf(text, sizeof text, "a,b\n");
    for (unsigned i = 0; i < 60; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%u,1\n", i);
    }
    const char *narrow = write_text("narrow.csv", text, used);
    TEST_EXITS(65, "the model looks at", "'%s' -o '%s/w.pml' --force --dtype int8 --calibrate '%s'", source, folder,
               short_csv);
    TEST_EXITS(65, "columns of numbers", "'%s' -o '%s/w.pml' --force --dtype int8 --calibrate '%s'", source, folder,
               narrow);
    CU_ASSERT_NOT_EQUAL(access(pml_test_path("%s/w.pml", folder), F_OK), 0);
}

static void what_is_no_input_is_refused_before_any_work(void) {
    const char *source = test_copy_case("bert/sentence-transformer", "refused");
    if (source == NULL) {
        return;
    }
    const char *folder = pml_test_temporary_dir(), *lines = write_text("ok.txt", "x\n", 2);
    const char *large = pml_test_path("%s/large.txt", folder);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "truncate -s 17M '%s' && mkfifo '%s/pipe'", large, folder), 0);
    const struct {
        int code;
        const char *words, *dtype, *path;
    } cases[] = {{66, "no such file", "int8", "/nonexistent/x.txt"},
                 {2, "not a regular file", "int8", folder},
                 {2, "not a regular file", "int8", pml_test_path("%s/pipe", folder)},
                 {2, "a sample is enough", "int8", large},
                 {65, "no text in it", "int8", write_text("blank.txt", " \n\t\n\n", 5)},
                 {65, "no text in it", "int8", write_text("empty.txt", "", 0)},
                 {2, "nothing is rounded", "f32", lines}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        TEST_EXITS(cases[i].code, cases[i].words, "'%s' -o '%s/r.pml' --dtype %s --calibrate '%s'", source, folder,
                   cases[i].dtype, cases[i].path);
        CU_ASSERT_NOT_EQUAL(access(pml_test_path("%s/r.pml", folder), F_OK), 0);
    }
    TEST_EXITS(2, "overwrite the input", "'%s' -o '%s' --force --dtype int8 --calibrate '%s'", source, lines, lines);
    TEST_EXITS(0, NULL, "'%s' -n -o '%s/r.pml' --dtype int8 --calibrate '%s'", source, folder, lines);
    const char *series = test_copy_case("patchtst/hf-classification", "labels");
    if (series != NULL) {
        TEST_EXITS(65, "neither forecasts", "'%s' -o '%s/r.pml' --dtype int8 --calibrate '%s'", series, folder, lines);
    }
}

static void sums_are_those_of_their_definitions(void) {
    static const float exact[] = {3, 4, 0, 0, 1, 0, 0, 0}, rounded[] = {3, 4, 0, 0, 0, 1, 1, 0};
    pml_calibration c = {0};
    pml_calibrated_output *sums = pml_calibrated_find(&c, "y");
    CU_ASSERT_PTR_EQUAL(pml_calibrated_find(&c, "y"), sums);
    pml_calibrated_add(sums, exact, rounded, 8, 2);
    CU_ASSERT_EQUAL(sums->n_rows, 4);
    CU_ASSERT_EQUAL(sums->cosine, 2); /* equal, both nothing, at right angles, one of them nothing */
    CU_ASSERT_EQUAL(sums->cosine_min, 0);
    CU_ASSERT_EQUAL(sums->error, 3);
    CU_ASSERT_EQUAL(sums->signal, 26);
    CU_ASSERT_DOUBLE_EQUAL(pml_calibrated_loss((const float[]){0, 0, 0, 0}, 4, 2), log(4), 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(pml_calibrated_loss((const float[]){1000, 0}, 2, 1), 1000, 1e-9);
    for (size_t i = c.n_outputs; i < 32; i++) {
        CU_ASSERT_PTR_NOT_NULL(pml_calibrated_find(&c, pml_test_path("y%zu", i)));
    }
    CU_ASSERT_PTR_NULL(pml_calibrated_find(&c, "one too many"));
}

PML_TESTS("convert/calibrate", PML_TEST(texts_of_an_encoder), PML_TEST(perplexity_of_a_language_model),
          PML_TEST(windows_of_a_series), PML_TEST(what_is_no_input_is_refused_before_any_work),
          PML_TEST(sums_are_those_of_their_definitions))
