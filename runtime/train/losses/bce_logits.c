/* Binary cross entropy of logits; positive targets may count more (class_weights, PyTorch's pos_weight). */
#include <math.h>

#include "runtime/train/losses/term.h"

enum { POS_WEIGHT };
static const pml_plugin_option options[] = {
    {"pos_weight", PML_PLUGIN_NUMBER, "1", "[0, inf)", "how much positive targets count"}, {0}};

static inline double term(const pml_loss_part *part, size_t i, const double *p, double target, double *slopes) {
    const pml_loss_operands *o = part->operands;
    const double positive = pml_setting(part->settings, POS_WEIGHT) *
                            (o->class_weights == NULL ? 1 : (double)o->class_weights[i % o->n_class_weights]);
    /* -log sigmoid(x) = log(1 + e^-x), without overflow; sigmoid(-x) is its slope. */
    const double x = p[0], e = exp(-fabs(x));
    const double minus_log = log1p(e) + (x < 0 ? -x : 0), sigmoid_of_minus = x < 0 ? 1 / (1 + e) : e / (1 + e);
    const double factor = 1 + (positive - 1) * target;
    slopes[0] = (1 - target) - factor * sigmoid_of_minus;
    return (1 - target) * x + factor * minus_log;
}

static void compute(pml_loss_part *part) {
    pml_loss_terms(part, 1, term);
}

static pml_status check(const pml_settings *settings, const pml_loss_operands *o, pml_error *error) {
    (void)settings;
    if (o->width != 1 ||
        (o->class_weights != NULL && (o->n_class_weights == 0 || o->n_terms % o->n_class_weights != 0))) {
        return PML_FAIL(error, PML_E_ARGUMENT,
                        "loss bce_logits: a target has one prediction, not %zu, and %zu weights must fit %zu targets",
                        o->width, o->n_class_weights, o->n_terms);
    }
    return PML_OK;
}

const pml_loss pml_loss_bce_logits = {
    .plugin = {.name = "bce_logits", .help = "binary cross entropy of logits", .options = options},
    .n_predictions = 1,
    .check = check,
    .compute = compute,
};
