/* libpml in ten lines: opens a converted file, forecasts from a context of zeros, prints one row per step. */
#include <pml/pml.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    pml_error error = {.message = "usage: forecast FILE.pml"};
    pml_file *file;
    pml_model *model;
    pml_forecast_shape shape;
    if (argc != 2 || pml_file_open(argv[1], &file, &error) || pml_model_create(file, "auto", &model, &error) ||
        pml_model_forecast_shape(model, &shape, &error))
        return fprintf(stderr, "%s\n", error.message), 1;
    double *context = calloc(shape.context_length * shape.n_channels, sizeof *context);
    double *forecast = calloc(shape.horizon * shape.n_channels, sizeof *forecast);
    if (pml_model_forecast(model, context, shape.context_length, shape.n_channels, forecast, &error))
        return fprintf(stderr, "%s\n", error.message), 1;
    for (size_t i = 0; i < shape.horizon * shape.n_channels; i++)
        printf("%g%s", forecast[i], (i + 1) % shape.n_channels ? "," : "\n");
    return pml_model_destroy(model), pml_file_close(file), free(context), free(forecast), 0;
}
