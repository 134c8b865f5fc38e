#include "convert/calibrate_sums.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

size_t pml_calibrated_size(const pml_array *output) {
    size_t n = output->data != NULL ? 1 : 0;
    for (size_t a = 0; a < output->rank; a++) {
        n *= output->shape[a];
    }
    return n;
}

pml_calibrated_output *pml_calibrated_find(pml_calibration *calibration, const char *name) {
    const size_t most = sizeof calibration->outputs / sizeof calibration->outputs[0];
    size_t i = 0;
    while (i < calibration->n_outputs && strcmp(calibration->outputs[i].name, name) != 0) {
        i++;
    }
    if (i == calibration->n_outputs) {
        if (i == most || strlen(name) >= sizeof calibration->outputs[i].name) {
            return NULL;
        }
        calibration->outputs[i] = (pml_calibrated_output){.cosine_min = 1};
        (void)snprintf(calibration->outputs[i].name, sizeof calibration->outputs[i].name, "%s", name);
        calibration->n_outputs++;
    }
    return &calibration->outputs[i];
}

void pml_calibrated_add(pml_calibrated_output *sums, const float *exact, const float *rounded, size_t n, size_t n_row) {
    for (size_t first = 0; first < n; first += n_row) {
        double aa = 0, bb = 0, ab = 0, error = 0;
        for (size_t i = first; i < first + n_row; i++) {
            const double a = (double)exact[i], b = (double)rounded[i];
            aa += a * a;
            bb += b * b;
            ab += a * b;
            error += (b - a) * (b - a);
        }
        /* Two vectors of zeros agree; one of them has no direction to agree with. */
        double cosine = aa > 0 && bb > 0 ? ab / (sqrt(aa) * sqrt(bb)) : aa == bb ? 1 : 0;
        cosine = cosine > 1 ? 1 : cosine;
        sums->n_rows++;
        sums->error += error;
        sums->signal += aa;
        sums->cosine += cosine;
        sums->cosine_min = cosine < sums->cosine_min ? cosine : sums->cosine_min;
    }
}

double pml_calibrated_loss(const float *scores, size_t n, size_t target) {
    double greatest = (double)scores[0], sum = 0;
    for (size_t i = 1; i < n; i++) {
        greatest = (double)scores[i] > greatest ? (double)scores[i] : greatest;
    }
    for (size_t i = 0; i < n; i++) {
        sum += exp((double)scores[i] - greatest);
    }
    return greatest + log(sum) - (double)scores[target];
}

static double relative_rms(const pml_calibrated_output *o) {
    return o->error > 0 ? sqrt(o->error / o->signal) : 0;
}

void pml_calibration_print(const pml_calibration *c, FILE *stream) {
    if (c->is_series) {
        (void)fprintf(stream, "calibration: %zu windows\n", c->n_inputs);
    } else {
        (void)fprintf(stream, "calibration: %zu texts, %zu tokens\n", c->n_inputs, c->n_tokens);
    }
    (void)fprintf(stream, "  %-24s %12s %12s %12s\n", "output", "relative RMS", "cosine", "least");
    for (size_t i = 0; i < c->n_outputs; i++) {
        const pml_calibrated_output *o = &c->outputs[i];
        (void)fprintf(stream, "  %-24s %12.3e %12.6f %12.6f\n", o->name, relative_rms(o), o->cosine / (double)o->n_rows,
                      o->cosine_min);
    }
    if (c->n_scored > 0) {
        const double exact = exp(c->loss_f32 / (double)c->n_scored), rounded = exp(c->loss / (double)c->n_scored);
        (void)fprintf(stream, "  perplexity %.4f, in FP32 %.4f (%+.3f %%)\n", rounded, exact,
                      100 * (rounded / exact - 1));
    }
    if (c->n_values > 0) {
        (void)fprintf(stream, "  between the forecasts: MSE %.3e, MAE %.3e\n", c->squared / (double)c->n_values,
                      c->absolute / (double)c->n_values);
    }
}

void pml_calibration_json(const pml_calibration *c, pml_json_writer *w) {
    pml_json_begin_object(w, "calibration");
    pml_json_u64(w, c->is_series ? "windows" : "texts", c->n_inputs);
    if (!c->is_series) {
        pml_json_u64(w, "tokens", c->n_tokens);
    }
    pml_json_begin_array(w, "outputs");
    for (size_t i = 0; i < c->n_outputs; i++) {
        const pml_calibrated_output *o = &c->outputs[i];
        pml_json_begin_object(w, NULL);
        pml_json_string(w, "name", o->name);
        pml_json_u64(w, "rows", o->n_rows);
        pml_json_f64(w, "relative_rms", relative_rms(o));
        pml_json_f64(w, "cosine_mean", o->cosine / (double)o->n_rows);
        pml_json_f64(w, "cosine_min", o->cosine_min);
        pml_json_end_object(w);
    }
    pml_json_end_array(w);
    if (c->n_scored > 0) {
        pml_json_u64(w, "scored", c->n_scored);
        pml_json_f64(w, "perplexity_f32", exp(c->loss_f32 / (double)c->n_scored));
        pml_json_f64(w, "perplexity", exp(c->loss / (double)c->n_scored));
    }
    if (c->n_values > 0) {
        pml_json_f64(w, "mse", c->squared / (double)c->n_values);
        pml_json_f64(w, "mae", c->absolute / (double)c->n_values);
    }
    pml_json_end_object(w);
}
