/* Cross entropy of logits against a class index: -log softmax(x)[class], with class weights, label smoothing and an
 * index that marks targets which do not count. Exponentials are the softmax kernel's. */
#include <math.h>
#include <string.h>

#include "runtime/train/loss.h"

enum { LABEL_SMOOTHING, IGNORE_INDEX };
static const pml_plugin_option options[] = {
    {"label_smoothing", PML_PLUGIN_NUMBER, "0", "[0, 1]", "share of the target that all classes have alike"},
    {"ignore_index", PML_PLUGIN_INTEGER, "-100", NULL, "class index of targets that do not count"},
    {0}};

enum { N_LANES = 16, BLOCK = 1024 };

static float greatest(const float *x, size_t n) {
    float lanes[N_LANES];
    size_t i = 0;
    for (size_t k = 0; k < N_LANES; k++) {
        lanes[k] = -INFINITY;
    }
    for (; n - i >= N_LANES; i += N_LANES) {
        for (size_t k = 0; k < N_LANES; k++) {
            lanes[k] = x[i + k] > lanes[k] ? x[i + k] : lanes[k];
        }
    }
    for (; i < n; i++) {
        lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
    }
    for (size_t k = 1; k < N_LANES; k++) {
        lanes[0] = lanes[k] > lanes[0] ? lanes[k] : lanes[0];
    }
    return lanes[0];
}

/* x [n] becomes its softmax; the result is log sum exp x: the greatest share is 1 / sum exp(x - greatest). */
static double soften(const pml_kernels *kernels, float *x, size_t n) {
    const double most = (double)greatest(x, n);
    const pml_softmax softmax = {.n_rows = 1, .n_columns = n, .x = x, .x_stride = n};
    kernels->softmax_f32(&softmax);
    return most - log((double)greatest(x, n));
}

/* log sum exp of x, which stays as it is. */
static double log_sum_exp(const pml_kernels *kernels, const float *x, size_t n) {
    float block[BLOCK];
    double total = -INFINITY;
    for (size_t begin = 0; begin < n; begin += BLOCK) {
        const size_t width = n - begin < BLOCK ? n - begin : BLOCK;
        memcpy(block, x + begin, width * sizeof *x);
        if (!isinf(greatest(block, width)) || n <= BLOCK) { /* softmax of nothing but -infinity would be NaN */
            const double one = soften(kernels, block, width), most = one > total ? one : total;
            total = isinf(total) ? one : most + log(exp(total - most) + exp(one - most));
        }
    }
    return total;
}

typedef struct row {
    size_t class;
    double own, other; /* weights of the target's class, and of each (class weight excluded) */
    double other_sum;  /* other * sum of class weights */
    double smoothed;   /* sum over classes of class weight * x, where other is not 0 */
} row;

static double class_weight(const pml_loss_operands *o, size_t class) {
    return o->class_weights == NULL ? 1 : (double)o->class_weights[class];
}

static row look_at(const pml_loss_part *part, size_t i) {
    const pml_loss_operands *o = part->operands;
    const double smoothing = pml_setting(part->settings, LABEL_SMOOTHING);
    const float *x = o->predictions[0] + i * o->width;
    row r = {.class = (size_t)o->classes[i], .other = smoothing / (double)o->width};
    r.own = (1 - smoothing) * class_weight(o, r.class);
    for (size_t k = 0; r.other != 0 && k < o->width; k++) {
        r.other_sum += r.other * class_weight(o, k);
        r.smoothed += class_weight(o, k) * (double)x[k];
    }
    return r;
}

/* What softmax left in gradient [width] becomes the derivatives, times `factor`. */
static void differentiate(const pml_loss_operands *o, const row *r, double factor, float *gradient) {
    const float share = (float)(factor * (r->own + r->other_sum));
    for (size_t k = 0; k < o->width; k++) {
        gradient[k] *= share;
    }
    for (size_t k = 0; r->other != 0 && k < o->width; k++) {
        gradient[k] -= (float)(factor * r->other * class_weight(o, k));
    }
    gradient[r->class] -= (float)(factor * r->own);
}

static double compute_row(const pml_loss_part *part, size_t i, double weight) {
    const pml_loss_operands *o = part->operands;
    const float *x = o->predictions[0] + i * o->width;
    float *gradient = o->gradients[0] == NULL ? NULL : o->gradients[0] + i * o->width;
    if (weight == 0 || o->classes[i] == (int64_t)pml_setting(part->settings, IGNORE_INDEX)) {
        if (gradient != NULL) {
            memset(gradient, 0, o->width * sizeof *gradient);
        }
        return 0;
    }
    const row r = look_at(part, i);
    const double at_class = (double)x[r.class];
    double log_sum;
    if (gradient != NULL) {
        memmove(gradient, x, o->width * sizeof *gradient);
        log_sum = soften(part->kernels, gradient, o->width);
        differentiate(o, &r, part->slope * weight, gradient);
    } else {
        log_sum = log_sum_exp(part->kernels, x, o->width);
    }
    const double smoothed = r.other == 0 ? 0 : r.other_sum * log_sum - r.other * r.smoothed;
    return r.own * (log_sum - at_class) + smoothed;
}

static void compute(pml_loss_part *part) {
    part->sum = 0;
    for (size_t i = part->begin; i < part->end; i++) {
        const double weight = pml_loss_weight(part->operands, i);
        const double value = weight * compute_row(part, i, weight);
        part->sum += value;
        if (part->operands->terms != NULL) {
            part->operands->terms[i] = (float)value;
        }
    }
}

static double total_weight(const pml_settings *settings, const pml_loss_operands *o) {
    double total = 0;
    for (size_t i = 0; i < o->n_terms; i++) {
        if (o->classes[i] != (int64_t)pml_setting(settings, IGNORE_INDEX)) {
            total += pml_loss_weight(o, i) * class_weight(o, (size_t)o->classes[i]);
        }
    }
    return total;
}

static pml_status check(const pml_settings *settings, const pml_loss_operands *o, pml_error *error) {
    if (o->class_weights != NULL && o->n_class_weights != o->width) {
        return PML_FAIL(error, PML_E_ARGUMENT, "loss cross_entropy: %zu class weights for %zu classes",
                        o->n_class_weights, o->width);
    }
    for (size_t i = 0; i < o->n_terms; i++) {
        if ((o->classes[i] < 0 || (uint64_t)o->classes[i] >= o->width) &&
            o->classes[i] != (int64_t)pml_setting(settings, IGNORE_INDEX)) {
            return PML_FAIL(error, PML_E_ARGUMENT, "loss cross_entropy: target %zu is class %lld of %zu", i,
                            (long long)o->classes[i], o->width);
        }
    }
    return PML_OK;
}

const pml_loss pml_loss_cross_entropy = {
    .plugin = {.name = "cross_entropy", .help = "of logits, against class indexes", .options = options},
    .n_predictions = 1,
    .has_classes = true,
    .check = check,
    .total_weight = total_weight,
    .compute = compute,
};
