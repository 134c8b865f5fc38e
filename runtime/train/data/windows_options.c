/* The windows that a forecasting model takes. */
#include "runtime/train/data/series_windows.h"

pml_status pml_windows_options_of(const pml_model *model, pml_windows_options *options, pml_error *error) {
    pml_status status = PML_OK;
    pml_forecast_shape shape;
    PML_TRY(pml_model_forecast_shape(model, &shape, error));
    PML_TRY(pml_time_marks_of(model, &options->marks, error));
    options->label_length = 0;
    if (options->marks.count > 0) {
        PML_TRY(pml_model_label_length(model, &options->label_length, error));
    }
    options->context_length = shape.context_length;
    options->horizon = shape.horizon;
    const char *mask = pml_model_schema(model)->forecast->observed_mask;
    options->allows_missing = mask != NULL && pml_model_find_input(model, mask) != NULL;
done:
    return status;
}
