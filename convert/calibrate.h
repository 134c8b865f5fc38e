/* What rounding does to a model's outputs: the converted file and the same model in FP32 run on real inputs, side by
 * side. */
#ifndef PML_CONVERT_CALIBRATE_H
#define PML_CONVERT_CALIBRATE_H

#include "convert/convert.h"
#include "runtime/cli/text_input.h"
#include "runtime/series/series.h"

#define PML_CALIBRATE_MOST_BYTES ((uint64_t)1 << 24) /* of the file of inputs */
#define PML_CALIBRATE_MOST_TOKENS 16384u             /* of all texts together: what comes behind them is not run */
#define PML_CALIBRATE_MOST_WINDOWS 64u               /* of a series, spread evenly over it */

typedef struct pml_calibration_inputs { /* zero = safe to deinit */
    const char *path;
    pml_texts texts;    /* lines, of models that read text */
    pml_series *series; /* of models that forecast */
} pml_calibration_inputs;

/* Reads what a planned model can be run on: lines of text, or a CSV file with its columns. Errors: ARGUMENT (not a
 * regular file, too large, or a plan that rounds nothing), UNSUPPORTED (the model neither reads text nor forecasts),
 * FORMAT (no text in it; too few rows, or another number of columns than the model's), those of pml_series_read and
 * pml_texts_read. */
pml_status pml_calibration_read(const pml_plan *plan, const char *path, pml_calibration_inputs *inputs,
                                pml_error *error) PML_WARN_UNUSED;
void pml_calibration_inputs_deinit(pml_calibration_inputs *inputs);

typedef struct pml_calibrated_output {
    char name[64];
    uint64_t n_rows;           /* vectors that were compared: one per token where the output has them, else per input */
    double error, signal;      /* sums of squares: of the differences, of FP32's values */
    double cosine, cosine_min; /* sum over the rows, and the least */
} pml_calibrated_output;

typedef struct pml_calibration {
    bool is_series;
    size_t n_inputs, n_tokens; /* texts or windows that were run */
    size_t n_outputs;
    pml_calibrated_output outputs[32];
    uint64_t n_scored;        /* tokens of a language model that were foretold; 0: it is none, or no text had two */
    double loss_f32, loss;    /* sums of negative log-likelihoods */
    uint64_t n_values;        /* of forecasts, in units of the scaler where there is one */
    double squared, absolute; /* sums over the differences */
} pml_calibration;

/* After the conversion: writes the FP32 form beside the output (it has no name as soon as it is mapped) and runs both.
 * Errors: those of conversions and of pml_model_run. */
pml_status pml_calibration_run(const pml_plan *plan, const pml_calibration_inputs *inputs, pml_calibration *calibration,
                               pml_error *error) PML_WARN_UNUSED;

void pml_calibration_print(const pml_calibration *calibration, FILE *stream);
/* An object "calibration". */
void pml_calibration_json(const pml_calibration *calibration, pml_json_writer *w);

#endif
