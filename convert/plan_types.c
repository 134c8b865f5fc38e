/* In which form each weight is stored. */
#include <string.h>

#include "convert/pack.h"
#include "convert/plan.h"
#include "convert/stored_type.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/quote.h"

/* Rows in a group where one scale per column would lose most (pml_schema.grouped): 32 gains little more. */
#define GROUP_ROWS 64u

static pml_status choose(const pml_plan *plan, pml_plan_tensor *tensor, const pml_type_rule *rules, bool *matched,
                         pml_error *error) {
    pml_status status = PML_OK;
    const pml_convert_options *options = plan->options;
    bool is_grouped = false;
    const pml_weight_instance *weight = tensor->mapped->weight;
    /* A scale per column serves an embedding as well as groups do (MiniLM: .0346 and .0347 of relative RMS), in less
     * room. */
    const bool is_embedding = weight->spec->role == PML_ROLE_EMBEDDING;
    pml_stored_type type = {options->dtype, is_embedding ? 0 : options->group_rows};
    if (type.dtype == PML_DTYPE_I8 && type.group_rows == 0) {
        PML_TRY(pml_schema_is_grouped(plan->mapping->schema, plan->mapping->config, weight, &is_grouped, error));
        type.group_rows = is_grouped ? GROUP_ROWS : 0;
    }
    for (size_t i = 0; i < options->n_type_rules; i++) {
        pml_dtype dtype;
        pml_layout layout;
        pml_pack_choose(weight->spec, rules[i].type.dtype, PML_LAYOUT_PANEL, &dtype, &layout);
        const bool is_ours = layout == PML_LAYOUT_PANEL || (is_embedding && rules[i].type.dtype == PML_DTYPE_F32);
        if (is_ours && pml_type_rule_matches(&rules[i], weight->name)) {
            type = rules[i].type;
            matched[i] = true;
        }
    }
    pml_pack_choose(weight->spec, type.dtype, options->layout, &tensor->dtype, &tensor->layout);
    tensor->group_rows = tensor->dtype == PML_DTYPE_I8 ? type.group_rows : 0;
    if (tensor->dtype == PML_DTYPE_I8 && tensor->layout != PML_LAYOUT_PANEL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "weight '%s' cannot be %s in layout row: INT8 is stored in panels only",
                         weight->name, pml_stored_type_name(type)));
    }
done:
    return status;
}

static pml_status measure_size(pml_plan_tensor *tensor, pml_error *error) {
    pml_status status = PML_OK;
    const pml_weight_instance *weight = tensor->mapped->weight;
    uint64_t scales_bytes = 0, sums_bytes = 0;
    PML_TRY(pml_layout_size(tensor->layout, tensor->dtype, weight->shape, weight->rank, &tensor->size_bytes, error));
    PML_TRY(pml_layout_scales(tensor->dtype, weight->shape, weight->rank, tensor->group_rows, &scales_bytes,
                              &sums_bytes, error));
    if (!pml_ck_add(tensor->size_bytes, scales_bytes, &tensor->size_bytes) ||
        !pml_ck_add(tensor->size_bytes, sums_bytes, &tensor->size_bytes)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "weight '%s' is too large", weight->name));
    }
done:
    return status;
}

static pml_status drop_bytes(void *user, const void *bytes, size_t size_bytes, pml_error *error) {
    (void)user, (void)bytes, (void)size_bytes, (void)error;
    return PML_OK;
}

static pml_status drop_side(void *user, bool is_sums, const void *bytes, size_t size_bytes, pml_error *error) {
    (void)is_sums;
    return drop_bytes(user, bytes, size_bytes, error);
}

static pml_status measure_error(const pml_plan *plan, const pml_plan_tensor *tensor, pml_packer *packer,
                                double *relative_rms, pml_error *error) {
    pml_pack_result result = {0};
    const pml_pack_job job = {.source = plan->bundle->tensors,
                              .weight = tensor->mapped,
                              .dtype = tensor->dtype,
                              .group_rows = tensor->group_rows,
                              .layout = tensor->layout,
                              .allow_nonfinite = plan->options->allow_nonfinite,
                              .sink = drop_bytes,
                              .side_sink = drop_side};
    pml_status status = pml_packer_run(packer, &job, &result, error);
    *relative_rms = result.quantization_error;
    return status;
}

/* I8 becomes BF16 where it loses too much; an embedding, which cannot, F32. */
static pml_status limit_error(const pml_plan *plan, pml_plan_tensor *tensor, pml_packer *packer, pml_error *error) {
    pml_status status = PML_OK;
    double relative_rms;
    while (tensor->dtype != PML_DTYPE_F32) {
        PML_TRY(measure_error(plan, tensor, packer, &relative_rms, error));
        if (relative_rms <= plan->options->max_error) {
            break;
        }
        if (tensor->dtype == PML_DTYPE_BF16) {
            PML_TRY(PML_FAIL(error, PML_E_NUMERIC,
                             "weight '%s' has a relative RMS error of %.3g as BF16, above --max-error %.3g",
                             tensor->mapped->weight->name, relative_rms, plan->options->max_error));
        }
        pml_pack_choose(tensor->mapped->weight->spec, PML_DTYPE_BF16, plan->options->layout, &tensor->dtype,
                        &tensor->layout);
        tensor->group_rows = 0;
    }
done:
    return status;
}

pml_status pml_plan_choose_types(pml_plan *plan, pml_error *error) {
    pml_status status = PML_OK;
    const pml_convert_options *options = plan->options;
    pml_type_rule *rules = NULL;
    bool *matched = NULL;
    pml_packer *packer = NULL;
    PML_TRY(pml_alloc(options->n_type_rules + 1, sizeof *rules, &rules, error));
    PML_TRY(pml_alloc(options->n_type_rules + 1, sizeof *matched, &matched, error));
    for (size_t i = 0; i < options->n_type_rules; i++) {
        PML_TRY(pml_type_rule_parse(options->type_rules[i], &rules[i], error));
    }
    if (options->max_error > 0) {
        PML_TRY(pml_packer_create(&packer, error));
    }
    for (size_t i = 0; i < plan->n_tensors; i++) {
        PML_TRY(choose(plan, &plan->tensors[i], rules, matched, error));
        if (packer != NULL) {
            PML_TRY(limit_error(plan, &plan->tensors[i], packer, error));
        }
        PML_TRY(measure_size(&plan->tensors[i], error));
    }
    for (size_t i = 0; i < options->n_type_rules; i++) {
        if (!matched[i]) {
            pml_quoted quoted;
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--tensor-type %s matches no matrix that can be stored so",
                             pml_quote(&quoted, options->type_rules[i])));
        }
    }
done:
    pml_packer_destroy(packer);
    pml_free(matched);
    pml_free(rules);
    return status;
}
