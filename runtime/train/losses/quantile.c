/* Pinball loss of several levels: the mean over levels q of max(q d, (q - 1) d) with d = target - prediction (Koenker,
 * Bassett 1978). */
#include "runtime/train/loss.h"

enum { LEVELS };
static const pml_plugin_option options[] = {
    {"levels", PML_PLUGIN_LIST, "0.1/0.5/0.9", "(0, 1)", "one prediction each, in this order"}, {0}};

static pml_status check(const pml_settings *settings, const pml_loss_operands *o, pml_error *error) {
    return o->width == settings->n_values[LEVELS]
               ? PML_OK
               : PML_FAIL(error, PML_E_ARGUMENT, "loss quantile: %zu levels, but %zu predictions for a target",
                          settings->n_values[LEVELS], o->width);
}

static void compute(pml_loss_part *part) {
    const pml_loss_operands *o = part->operands;
    const double *levels = part->settings->values[LEVELS];
    const size_t n_levels = o->width;
    part->sum = 0;
    for (size_t i = part->begin; i < part->end; i++) {
        const double weight = pml_loss_weight(o, i);
        double value = 0;
        for (size_t k = 0; k < n_levels; k++) {
            const double d = (double)o->target[i] - (double)o->predictions[0][i * n_levels + k];
            const double slope = d > 0 ? -levels[k] : d < 0 ? 1 - levels[k] : 0 * d;
            value -= slope * d;
            if (o->gradients[0] != NULL) {
                o->gradients[0][i * n_levels + k] =
                    (float)(weight == 0 ? 0 : part->slope * weight * slope / (double)n_levels);
            }
        }
        value = weight == 0 ? 0 : weight * value / (double)n_levels;
        part->sum += value;
        if (o->terms != NULL) {
            o->terms[i] = (float)value;
        }
    }
}

const pml_loss pml_loss_quantile = {
    .plugin = {.name = "quantile", .help = "pinball loss, mean over levels", .options = options, .is_list_open = true},
    .n_predictions = 1,
    .check = check,
    .compute = compute,
};
