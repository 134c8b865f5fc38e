#include "runtime/train/loss.h"

#include "runtime/ops/parallel.h"

#define PART_VALUES 8192u /* predictions in a part: fewer are not worth handing over */
#define MAX_PARTS 256u
#define COST_NS 4.0 /* of a prediction */

#define PML_LOSS(name) extern const pml_loss pml_loss_##name;
#include "runtime/train/losses/registry.def"
#undef PML_LOSS

const pml_loss *const pml_losses[] = {
#define PML_LOSS(name) &pml_loss_##name,
#include "runtime/train/losses/registry.def"
#undef PML_LOSS
    NULL};

const pml_plugin *const pml_loss_plugins[] = {
#define PML_LOSS(name) &pml_loss_##name.plugin,
#include "runtime/train/losses/registry.def"
#undef PML_LOSS
    NULL};

pml_status pml_loss_choose(const char *spec, const pml_loss **loss, pml_settings *settings, pml_error *error) {
    size_t i_loss;
    const pml_status status = pml_plugin_choose("loss", pml_loss_plugins, spec, &i_loss, settings, error);
    if (status == PML_OK) {
        *loss = pml_losses[i_loss];
    }
    return status;
}

static pml_status check(const pml_loss *loss, const pml_settings *settings, const pml_loss_operands *o,
                        pml_error *error) {
    const char *name = loss->plugin.name;
    for (size_t i = 0; i < loss->n_predictions; i++) {
        if (o->predictions[i] == NULL) {
            return PML_FAIL(error, PML_E_ARGUMENT, "loss %s is of %zu predictions; number %zu is missing", name,
                            loss->n_predictions, i + 1);
        }
    }
    if (loss->has_classes ? o->classes == NULL : o->target == NULL) {
        return PML_FAIL(error, PML_E_ARGUMENT, "loss %s needs a target%s", name,
                        loss->has_classes ? " of class indexes" : "");
    }
    if (o->n_terms == 0 || o->width == 0 || o->width > SIZE_MAX / o->n_terms) {
        return PML_FAIL(error, PML_E_ARGUMENT, "loss %s of %zu targets with %zu predictions each", name, o->n_terms,
                        o->width);
    }
    if (o->weights != NULL && (o->n_weights == 0 || o->n_terms % o->n_weights != 0)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "loss %s: %zu weights do not fit %zu targets", name, o->n_weights,
                        o->n_terms);
    }
    if ((unsigned)o->reduction >= PML_REDUCTION_COUNT) {
        return PML_FAIL(error, PML_E_ARGUMENT, "loss %s: reduction %u is none", name, (unsigned)o->reduction);
    }
    if (loss->check != NULL) {
        return loss->check(settings, o, error);
    }
    return o->width == 1
               ? PML_OK
               : PML_FAIL(error, PML_E_ARGUMENT, "loss %s: a target has one prediction, not %zu", name, o->width);
}

static double total_weight(const pml_loss *loss, const pml_settings *settings, const pml_loss_operands *o) {
    double total = 0;
    if (loss->total_weight != NULL) {
        return loss->total_weight(settings, o);
    }
    if (o->weights == NULL) {
        return (double)o->n_terms;
    }
    for (size_t i = 0; i < o->n_weights; i++) {
        total += (double)o->weights[i];
    }
    return total * (double)(o->n_terms / o->n_weights);
}

pml_status pml_loss_total_weight(const pml_loss *loss, const pml_settings *settings, const pml_loss_operands *operands,
                                 double *total, pml_error *error) {
    const pml_status status = check(loss, settings, operands, error);
    if (status == PML_OK) {
        *total = total_weight(loss, settings, operands);
    }
    return status;
}

typedef struct job {
    const pml_loss *loss;
    pml_loss_part part; /* what all have in common */
    size_t n_parts;
    double sums[MAX_PARTS];
} job;

static void run_part(void *user, size_t i_part) {
    job *j = user;
    pml_loss_part part = j->part;
    part.begin = pml_share_begin(part.operands->n_terms, 1, j->n_parts, i_part);
    part.end = pml_share_begin(part.operands->n_terms, 1, j->n_parts, i_part + 1);
    j->loss->compute(&part);
    j->sums[i_part] = part.sum;
}

pml_status pml_loss_compute(const pml_loss *loss, const pml_settings *settings, const pml_loss_operands *operands,
                            pml_context *context, double *value, pml_error *error) {
    pml_status status = PML_OK;
    double factor = operands->scale == 0 ? 1 : operands->scale;
    PML_TRY(check(loss, settings, operands, error));
    if (operands->reduction == PML_REDUCTION_MEAN) {
        const double total = total_weight(loss, settings, operands);
        const double n_joint = operands->n_joint == 0 ? 1 : (double)operands->n_joint;
        factor = total == 0 ? 0 : factor * n_joint / total;
    }
    job j = {.loss = loss,
             .part = {.settings = settings, .operands = operands, .kernels = &context->kernels, .slope = factor}};
    /* Parts depend on the sizes alone, and so does the order of their sums. */
    const size_t n_values = operands->n_terms * operands->width;
    j.n_parts = n_values / PART_VALUES < 1           ? 1
                : n_values / PART_VALUES < MAX_PARTS ? n_values / PART_VALUES
                                                     : MAX_PARTS;
    j.n_parts = j.n_parts < operands->n_terms ? j.n_parts : operands->n_terms;
    if (pml_context_shares(context, COST_NS * (double)n_values) > 1) {
        pml_context_run(context, j.n_parts, run_part, &j);
    } else {
        for (size_t i = 0; i < j.n_parts; i++) {
            run_part(&j, i);
        }
    }
    *value = 0;
    for (size_t i = 0; i < j.n_parts; i++) {
        *value += j.sums[i];
    }
    *value *= factor;
done:
    return status;
}
