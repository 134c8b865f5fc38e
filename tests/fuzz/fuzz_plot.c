/* Whatever pml-plot may be handed: every kind of chart over any text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/plot/forecast_file.h"
#include "runtime/plot/plot_kind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_forecast(const char *text, size_t size) {
    pml_error error;
    pml_forecast_file file = {0};
    if (pml_forecast_file_parse(text, size, "x", &file, &error) == PML_OK) {
        if (file.n_points == 0 || file.n_points + file.n_quantiles > file.series->n_columns) {
            abort();
        }
        for (size_t i = 0; i < file.n_quantiles; i++) {
            if (file.quantiles[i].i_point >= file.n_points || file.quantiles[i].i_column >= file.series->n_columns) {
                abort();
            }
        }
    }
    pml_forecast_file_deinit(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    const pml_plot_request request = {.path = "x", .bytes = text, .size_bytes = size, .width = 800};
    parse_forecast(text, size);
    for (const pml_plot_kind *const *kind = pml_plot_kinds(); *kind != NULL; kind++) {
        pml_error error;
        pml_plot_result result = {0};
        (void)(*kind)->fits(&request);
        if ((*kind)->draw(&request, &result, &error) == PML_OK && result.drawing.n_marks == 0) {
            abort();
        }
        pml_plot_result_deinit(&result);
    }
    free(text);
    return 0;
}
