/* pml-run forecast --quantiles, on checkpoints with and without a distribution. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness.h"

enum { C = 3, S = 8 };

static const char *convert(const char *golden) {
    const char *model = pml_test_path("%s/%s.pml", pml_test_temporary_dir(), golden);
    const char *source = pml_test_golden(pml_test_path("patchtst/%s", golden));
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    if (access(model, F_OK) == 0) {
        return model;
    }
    CU_ASSERT_EQUAL_FATAL(
        pml_test_command(NULL, "'%s/pml-convert' '%s' -q -o '%s'", pml_test_binary_dir(), source, model), 0);
    return model;
}

static const char *series(void) {
    const char *path = pml_test_path("%s/series.csv", pml_test_temporary_dir());
    FILE *stream = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    (void)fputs("date,a,\"b,c\",d\n", stream);
    for (int i = 0; i < 60; i++) {
        (void)fprintf(stream, "2021-03-%02d %02d:00,%.4f,%.4f,%.4f\n", 1 + i / 24, i % 24, 50 + 3 * cos(i * 0.5),
                      10 + sin(i * 0.26), -3 + 0.01 * i);
    }
    (void)fclose(stream);
    return path;
}

static char *forecast(int expected, const char *model, const char *options) {
    char *output = NULL;
    const int code = pml_test_command(&output, "'%s/pml-run' forecast '%s' --csv '%s' %s", pml_test_binary_dir(), model,
                                      series(), options);
    if (code != expected) {
        (void)printf("\n    exit %d, expected %d: %s\n", code, expected, output);
    }
    CU_ASSERT_EQUAL(code, expected);
    return output;
}

static void quantiles_follow_each_column(void) {
    static const char *const models[] = {"hf-distribution-normal", "hf-distribution-student_t"};
    static const char header[] = "date,a,a_q0.1,a_q0.5,a_q0.9,\"b,c\",\"b,c_q0.1\",\"b,c_q0.5\",\"b,c_q0.9\","
                                 "d,d_q0.1,d_q0.5,d_q0.9\n";
    for (size_t m = 0; m < 2; m++) {
        char *output = forecast(0, convert(models[m]), "--quantiles 0.1,0.5,0.9");
        CU_ASSERT_EQUAL_FATAL(strncmp(output, header, strlen(header)), 0);
        const char *at = output + strlen(header);
        for (size_t i = 0; i < S; i++) {
            at += strcspn(at, ",");
            for (size_t c = 0; c < C; c++) {
                double v[4];
                for (size_t k = 0; k < 4; k++) {
                    char *end;
                    CU_ASSERT_EQUAL_FATAL(*at, ',');
                    v[k] = strtod(at + 1, &end);
                    at = end;
                }
                CU_ASSERT_TRUE(v[1] < v[2] && v[2] < v[3]);
                CU_ASSERT_DOUBLE_EQUAL(v[2], v[0], 1e-5 * (1 + fabs(v[0])));
                CU_ASSERT_DOUBLE_EQUAL(v[3] - v[2], v[2] - v[1], 1e-5 * (1 + fabs(v[0])));
            }
            CU_ASSERT_EQUAL_FATAL(*at++, '\n');
        }
        CU_ASSERT_EQUAL(*at, '\0');
        free(output);
    }
}

static void json_names_the_level(void) {
    char *output = forecast(0, convert("hf-distribution-normal"), "--json --quantiles 0.9,0.25");
    const char *first = strstr(output, "\"quantiles\":[{\"level\":0.9,\"forecast\":[[");
    CU_ASSERT_PTR_NOT_NULL(first);
    CU_ASSERT_TRUE(first != NULL && strstr(first, "]]},{\"level\":0.25,\"forecast\":[[") != NULL);
    free(output);
    output = forecast(0, convert("hf-distribution-normal"), "--json");
    CU_ASSERT_PTR_NULL(strstr(output, "quantiles"));
    free(output);
}

static void what_cannot_be_is_an_error(void) {
    static const char *const levels[] = {"0,0.5", "1",    "0.5,", "",     ",0.5", "0.1,0.10",
                                         "half",  "0.1x", "nan",  " 0.1", "-0.1"};
    const char *model = convert("hf-distribution-normal");
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        char *output = forecast(2, model, pml_test_path("'--quantiles=%s'", levels[i]));
        CU_ASSERT_PTR_NOT_NULL(strstr(output, "--quantiles"));
        free(output);
    }
    char many[1024] = "--quantiles=0.001";
    for (int i = 2; i <= 100; i++) {
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), ",0.%03d", i);
        if (i >= 99) {
            char *output = forecast(i == 99 ? 0 : 2, model, many);
            CU_ASSERT_PTR_NOT_NULL(strstr(output, i == 99 ? "a_q0.099" : "at most 99 levels"));
            free(output);
        }
    }
    char *output = forecast(65, convert("hf-ci-prediction"), "--quantiles 0.5");
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "hf-ci-prediction.pml: this patchtst model foretells points"));
    free(output);
}

static void a_plot_has_them_as_bands(void) {
    if (access(pml_test_path("%s/pml-plot", pml_test_binary_dir()), X_OK) != 0) {
        pml_test_skip("this build has no pml-plot");
        return;
    }
    const char *picture = pml_test_path("%s/bands.svg", pml_test_temporary_dir());
    free(forecast(0, convert("hf-distribution-normal"), pml_test_path("--quantiles 0.1,0.5,0.9 --plot '%s'", picture)));
    size_t size_bytes = 0;
    char *svg = (char *)pml_test_read_file(picture, &size_bytes);
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">quantiles 0.1 to 0.9</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">median</text>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, "<polygon"));
    free(svg);
}

PML_TESTS("cli/run_quantiles", PML_TEST(quantiles_follow_each_column), PML_TEST(a_plot_has_them_as_bands),
          PML_TEST(json_names_the_level), PML_TEST(what_cannot_be_is_an_error))
