/* The CSV reader and everything that is read out of it: numbers, dates, and the step between them. */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/series/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void parse(const uint8_t *bytes, size_t size_bytes, const pml_series_request *request) {
    pml_series *series = NULL;
    pml_error error;
    if (pml_series_parse(bytes, size_bytes, "fuzz", request, &series, &error) != PML_OK) {
        return;
    }
    if (series->n_rows == 0 || series->n_columns == 0) {
        abort();
    }
    pml_step step;
    char text[PML_STAMP_TEXT_BYTES], name[32];
    if (series->stamps_us != NULL && pml_step_find(series->stamps_us, series->n_rows, 0, &step, &error) == PML_OK) {
        int64_t next_us = series->stamps_us[series->n_rows - 1];
        (void)pml_step_name(&step, name);
        for (int i = 0; i < 8 && pml_step_next(&step, next_us, &next_us, &error) == PML_OK; i++) {
            int64_t again_us;
            pml_stamp_form form = series->stamp_form;
            (void)pml_stamp_text(next_us, &form, text);
            if (!form.has_time || form.fraction_digits < 6) {
                continue;
            }
            size_t length = 0;
            while (text[length] != '\0') {
                length++;
            }
            /* Written with all digits, a date must read back as itself. */
            if (!pml_stamp_parse(text, length, &again_us, &form) || again_us != next_us) {
                abort();
            }
        }
    }
    pml_series_destroy(series);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    static const char *const names[] = {"a", "b"};
    const pml_series_request named = {names, 2, false}, undated = {NULL, 0, true};
    parse(bytes, size_bytes, NULL);
    parse(bytes, size_bytes, &named);
    parse(bytes, size_bytes, &undated);
    return 0;
}
