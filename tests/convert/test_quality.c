/* What a file says of its own rounding: written, listed, checked. */
#include "convert/quality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file/writer.h"
#include "tests/convert/command_fixture.h"

static void what_was_rounded_is_listed_worst_first(void) {
    static const char *const forms[] = {"int8", "int8-g64", "bf16"};
    const char *source = test_copy_case(TEST_CASE, "quality");
    if (source == NULL) {
        return;
    }
    for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++) {
        const char *path =
            test_converted(source, pml_test_path("q-%s.pml", forms[k]), pml_test_path("--dtype %s", forms[k]));
        pml_error error;
        pml_file *file = NULL;
        const double *max_errors = NULL;
        PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
        PML_ASSERT_OK(pml_quality_max_errors(file, &max_errors, &error), &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(max_errors);
        for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
            const double relative = pml_file_tensor_at(file, i)->quantization_error;
            CU_ASSERT_EQUAL(max_errors[i] > 0, relative > 0);
        }
        char *text = NULL, *shown = NULL;
        size_t text_bytes = 0;
        FILE *stream = open_memstream(&text, &text_bytes);
        PML_ASSERT_OK(pml_quality_print(file, false, stream, &error), &error);
        (void)fclose(stream);
        double before = 1;
        size_t n_rows = 0;
        shown = strchr(text, '\n');
        while (shown != NULL && shown[1] != '\0') {
            double relative = 0, greatest = 0, snr = 0;
            char *row = shown + 1;
            shown = strchr(row, '\n');
            const char *numbers = strstr(row, "e-0"); /* the relative error is the first number written so */
            while (numbers != NULL && numbers > row && numbers[-1] != ' ') {
                numbers--;
            }
            CU_ASSERT_EQUAL(sscanf(numbers, "%lf %lf %lf", &relative, &greatest, &snr), 3);
            CU_ASSERT_TRUE(relative <= before && relative > 0 && greatest > 0);
            CU_ASSERT_DOUBLE_EQUAL(snr, -20 * log10(relative), 0.06);
            before = relative;
            n_rows++;
        }
        CU_ASSERT_TRUE(n_rows > 3);
        free(text);
        pml_file_close(file);
        TEST_EXITS(0, "\"snr_db\"", "inspect '%s' --quality --json", path);
        TEST_EXITS(0, "SNR dB", "inspect '%s' --quality", path);
        TEST_EXITS(0, "0 differences", "verify '%s' --source '%s'", path, source);
    }
    const char *plain = test_converted(source, "q-f32.pml", "");
    TEST_EXITS(0, "nothing was rounded", "inspect '%s' --quality", plain);
    TEST_EXITS(0, "\"n_rounded\": 0", "inspect '%s' --quality --json", plain);
    TEST_EXITS(2, "no .pml file", "inspect '%s' --quality", source);
}

/* A file of one BF16 and one F32 tensor that says `n` greatest errors. */
static const char *write_sample(const char *name, double relative, const double *max_errors, size_t n) {
    const char *path = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    const uint64_t shape[] = {4};
    const uint8_t bytes[16] = {0};
    size_t i_half, i_full;
    pml_error error;
    pml_writer *writer = NULL;
    pml_metadata *metadata = NULL;
    PML_ASSERT_OK(pml_metadata_create(&metadata, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64s(metadata, "provenance.max_errors", max_errors, n, &error), &error);
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    PML_ASSERT_OK(pml_writer_set_metadata(writer, metadata, &error), &error);
    PML_ASSERT_OK(pml_writer_add_tensor(writer, "a", PML_DTYPE_BF16, PML_LAYOUT_ROW, shape, 1, NULL, &i_half, &error),
                  &error);
    PML_ASSERT_OK(pml_writer_add_tensor(writer, "b", PML_DTYPE_F32, PML_LAYOUT_ROW, shape, 1, NULL, &i_full, &error),
                  &error);
    PML_ASSERT_OK(pml_writer_begin(writer, path, true, &error), &error);
    PML_ASSERT_OK(pml_writer_tensor_write(writer, i_half, bytes, 8, &error), &error);
    PML_ASSERT_OK(pml_writer_tensor_write(writer, i_full, bytes, 16, &error), &error);
    pml_writer_set_quantization_error(writer, i_half, relative);
    PML_ASSERT_OK(pml_writer_finish(writer, &error), &error);
    pml_writer_destroy(writer);
    pml_metadata_destroy(metadata);
    return path;
}

static void what_cannot_be_is_a_mismatch(void) {
    static const struct {
        const char *words;
        double relative, max_errors[3];
        size_t n;
    } cases[] = {{NULL, 0.01, {0.5, 0}, 2},
                 {NULL, 0, {0, 0}, 2},
                 {"one number for each", 0.01, {0.5, 0, 0}, 3},
                 {"one number for each", 0.01, {0.5}, 1},
                 {"'a'", 0.01, {0, 0}, 2},
                 {"'a'", 0, {0.5, 0}, 2},
                 {"'a'", 0.01, {-0.5, 0}, 2},
                 {"'a'", 0.01, {NAN, 0}, 2},
                 {"'a'", 0.01, {INFINITY, 0}, 2},
                 {"'b'", 0.01, {0.5, 0.5}, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path =
            write_sample(pml_test_path("%zu.pml", i), cases[i].relative, cases[i].max_errors, cases[i].n);
        TEST_EXITS(cases[i].words == NULL ? 0 : 1, cases[i].words == NULL ? "are right" : cases[i].words, "verify '%s'",
                   path);
        TEST_EXITS(cases[i].words == NULL ? 0 : 1, cases[i].words == NULL ? "" : cases[i].words,
                   "inspect '%s' --quality", path);
    }
}

PML_TESTS("convert/quality", PML_TEST(what_was_rounded_is_listed_worst_first), PML_TEST(what_cannot_be_is_a_mismatch))
