/* PatchTST: the arguments of the research code bases (yuqinie98/PatchTST, thuml/Time-Series-Library,
 * Nixtla/neuralforecast). Arguments come from JSON beside the weights, from --set, or from the run's folder name;
 * neuralforecast's newer checkpoints hold them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mappers/patchtst/patchtst_arguments.h"
#include "mappers/patchtst/patchtst_config.h"
#include "mappers/research.h"
#include "runtime/base/alloc.h"

#define MAX_RULES 48u

static const char *const other_keys[] = {"decomposition", NULL};
static const char *const models[] = {"PatchTST", NULL};

/* ---- what the tensors say ---- */
typedef struct evidence {
    pml_evidence said;
    const pml_source_tensor *position; /* one row per patch; NULL: a table for any number of them */
    bool has_trend;
} evidence;

static const pml_fact *find_ranked(const pml_facts *facts, const char *target, unsigned rank) {
    const pml_fact *fact = pml_facts_find(facts, target);
    return fact != NULL && fact->source->rank == rank ? fact : NULL;
}

static void examine_body(const pml_facts *facts, const char *dialect, evidence *e) {
    const pml_fact *embedding = find_ranked(facts, "patch_embedding.weight", 2);
    const pml_fact *position = find_ranked(facts, "position", 2);
    const pml_fact *up = pml_facts_find(facts, "encoder.layer.0.ffn.up.weight");
    const pml_fact *norm = pml_facts_find(facts, "encoder.layer.0.norm1.weight");
    const pml_fact *mean = pml_facts_find(facts, "encoder.layer.0.norm1.mean");
    const pml_fact *affine = find_ranked(facts, "scaling.weight", 1);
    if (embedding != NULL) {
        pml_evidence_add_number(&e->said, "d_model", embedding, embedding->source->shape[0]);
        pml_evidence_add_number(&e->said, "patch_length", embedding, embedding->source->shape[1]);
        (void)pml_evidence_add(&e->said, "share_embedding", embedding,
                               pml_fact_is_stacked(embedding) ? "false" : "true");
        if (pml_fact_is_stacked(embedding)) {
            pml_evidence_add_number(&e->said, "num_input_channels", embedding,
                                    pml_facts_count(facts, "patch_embedding.weight", 'c'));
        }
    }
    if (position != NULL) {
        e->position = position->source;
        if (embedding != NULL && position->source->shape[1] == 1 && embedding->source->shape[0] > 1) {
            (void)pml_evidence_add(&e->said, "scalar_position", position, "true");
        }
    }
    pml_evidence_add_layers(&e->said, facts, "encoder.layer");
    if (up != NULL && up->source->rank >= 2) {
        pml_evidence_add_number(&e->said, "ffn_dim", up, up->source->shape[0]);
    }
    if (norm != NULL) {
        (void)pml_evidence_add(&e->said, "norm_type", mean != NULL ? mean : norm,
                               mean != NULL ? "batchnorm" : "layernorm");
    }
    if (affine != NULL) {
        (void)pml_evidence_add(&e->said, "scaling_affine", affine, "true");
        if (!pml_fact_is_stacked(embedding != NULL ? embedding : affine)) {
            pml_evidence_add_number(&e->said, "num_input_channels", affine, affine->source->shape[0]);
        }
    } else {
        pml_evidence_add_absent(&e->said, "scaling_affine", "revin_layer.affine_weight", "false");
    }
    if (strcmp(dialect, "tsl") == 0) {
        const pml_fact *final = pml_facts_find(facts, "encoder.norm.weight");
        bool is_batch = pml_facts_find(facts, "encoder.norm.mean") != NULL;
        if (final != NULL) {
            (void)pml_evidence_add(&e->said, "final_norm", final, is_batch ? "batchnorm" : "layernorm");
        }
    }
    e->has_trend = pml_facts_find(facts, "trend.patch_embedding.weight") != NULL;
}

/* H from the frozen factor (D/H)^-0.5, unless it is another number. */
static pml_status examine_scale(const pml_map_source *source, const pml_facts *facts, evidence *e, pml_error *error) {
    pml_status status = PML_OK;
    const pml_fact *embedding = find_ranked(facts, "patch_embedding.weight", 2);
    const pml_fact *scale = pml_facts_find(facts, "encoder.layer.0.attention.scale");
    const void *bytes;
    float value;
    if (scale == NULL || embedding == NULL || scale->source->dtype != PML_DTYPE_F32 ||
        scale->source->size_bytes != sizeof value) {
        goto done;
    }
    PML_TRY(pml_source_tensor_view(source->tensors, scale->source, &bytes, error));
    memcpy(&value, bytes, sizeof value);
    double width = (double)embedding->source->shape[0], heads = round(width * (double)value * (double)value);
    if (heads >= 1 && heads <= width && fmod(width, heads) == 0 &&
        fabs(sqrt(heads / width) - (double)value) <= 1e-6 * fabs((double)value)) {
        pml_evidence_add_number(&e->said, "num_attention_heads", scale, (uint64_t)heads);
    }
done:
    return status;
}

static void examine_head(const pml_facts *facts, const char *dialect, evidence *e) {
    const pml_fact *head = find_ranked(facts, "head.0.weight", 2);
    const pml_fact *embedding = find_ranked(facts, "patch_embedding.weight", 2);
    if (head == NULL || embedding == NULL) {
        return;
    }
    uint64_t out = head->source->shape[0], in = head->source->shape[1];
    uint64_t d_model = embedding->source->shape[0];
    bool is_projection = strncmp(head->rule->pattern, "projection.", 11) == 0;
    pml_evidence_add_number(&e->said, "prediction_length", head, out);
    pml_evidence_add_number(&e->said, "num_targets", head, out);
    (void)pml_evidence_add(&e->said, "share_projection", head, pml_fact_is_stacked(head) ? "false" : "true");
    if (pml_fact_is_stacked(head)) {
        (void)pml_evidence_add(&e->said, "head", head, "prediction");
        if (!pml_fact_is_stacked(embedding) && pml_facts_find(facts, "scaling.weight") == NULL) {
            pml_evidence_add_number(&e->said, "num_input_channels", head, pml_facts_count(facts, "head.0.weight", 'c'));
        }
    } else if (strcmp(dialect, "tsl") == 0) {
        (void)pml_evidence_add(&e->said, "head", head, is_projection ? "classification" : "prediction");
    } else if (in == d_model && out == embedding->source->shape[1]) {
        pml_evidence_add(&e->said, "head", head, "pretraining")->is_soft =
            true; /* so has a univariate classifier with P classes */
    }
}

/* ---- arguments that take more than a word ---- */
pml_status pml_patchtst_derive_scaling(pml_config_reader *r, const pml_config_rule *rule, char **text,
                                       pml_error *error) {
    return pml_research_derive_flag(r, rule, "std", "none", text, error);
}

/* A flag that says nothing where windows are not scaled. As long as scaling is still to be asked for, it may. */
pml_status pml_patchtst_derive_of_scaling(pml_config_reader *r, const pml_config_rule *rule, char **text,
                                          pml_error *error) {
    pml_status status = PML_OK;
    const pml_config_rule flag = {.key = rule->key, .source = rule->source, .is_number = rule->is_number};
    int64_t is_scaled;
    if (pml_schema_eval(r->schema, r->config, "scaling == 'std'", -1, &is_scaled, NULL) == PML_OK && is_scaled == 0) {
        PML_TRY(pml_string_copy("false", 5, text, error));
    } else {
        PML_TRY(pml_config_get(r, &flag, PML_CONFIG_BOOL, text, error));
    }
done:
    return status;
}

static bool has_trend(const pml_config_reader *r) {
    const pml_config_evidence *e = pml_config_evidence_find(r, "decomposition");
    return e != NULL && strcmp(e->value, "true") == 0;
}

/* The kernel counts only where there are two networks. */
pml_status pml_patchtst_derive_kernel(pml_config_reader *r, const pml_config_rule *rule, char **text,
                                      pml_error *error) {
    pml_status status = PML_OK;
    static const pml_config_rule flag_rule = {.key = "decomposition", .source = "decomposition", .is_number = true};
    const pml_config_rule kernel_rule = {.key = rule->key, .source = rule->source};
    char *flag = NULL;
    PML_TRY(pml_config_get(r, &flag_rule, PML_CONFIG_BOOL, &flag, error));
    if (flag != NULL && (strcmp(flag, "true") == 0) != has_trend(r)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "decomposition is %s, but %s", flag,
                         has_trend(r) ? "there are tensors model_trend.* and model_res.*"
                                      : "there is no tensor model_trend.backbone.W_P.weight"));
    }
    if (has_trend(r)) {
        PML_TRY(pml_config_get(r, &kernel_rule, PML_CONFIG_INT, text, error));
    }
done:
    pml_free(flag);
    return status;
}

/* ---- keys that follow from others ---- */
static pml_status check_together(const pml_config_reader *r, const evidence *e, pml_error *error) {
    pml_status status = PML_OK;
    int64_t n_patches, context_length, patch_length, patch_stride;
    char shape[PML_SHAPE_TEXT_BYTES];
    PML_TRY(pml_schema_check_config(r->schema, r->config, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "n_patches", -1, &n_patches, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "context_length", -1, &context_length, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "patch_length", -1, &patch_length, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "patch_stride", -1, &patch_stride, error));
    if (e->position != NULL && (uint64_t)n_patches != e->position->shape[0]) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG,
                         "context_length %" PRId64 ", patch_length %" PRId64 ", patch_stride %" PRId64
                         " and padding give %" PRId64 " patches, but tensor %.200s %s says %" PRIu64,
                         context_length, patch_length, patch_stride, n_patches, e->position->name,
                         pml_shape_text(e->position->shape, e->position->rank, shape), e->position->shape[0]));
    }
done:
    return status;
}

static pml_status describe(const pml_config_reader *r, pml_detection *d, pml_error *error) {
    pml_status status = PML_OK;
    const char *head, *norm, *scaling;
    int64_t is_pre_norm, is_residual, has_parts;
    PML_TRY(pml_metadata_get_string(r->config, "config.head", &head, error));
    PML_TRY(pml_metadata_get_string(r->config, "config.norm_type", &norm, error));
    PML_TRY(pml_metadata_get_string(r->config, "config.scaling", &scaling, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "pre_norm", -1, &is_pre_norm, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "residual_attention", -1, &is_residual, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "has_trend", -1, &has_parts, error));
    PML_TRY(pml_detection_set(&d->variant, error, "%s-ci: channels independent, %s-norm %s, scaling %s%s%s", head,
                              is_pre_norm != 0 ? "pre" : "post", norm, scaling,
                              is_residual != 0 ? ", residual attention" : "", has_parts != 0 ? ", decomposition" : ""));
done:
    return status;
}

/* Keys that say, in another way, what the head is. */
static pml_status complete_head(pml_config_reader *r, pml_error *error) {
    pml_status status = PML_OK;
    int64_t is_last, is_masked;
    if (strcmp(r->detection->dialect, "official-self-supervised") != 0) {
        goto done;
    }
    PML_TRY(
        pml_schema_eval(r->schema, r->config, "head == 'classification' || head == 'regression'", -1, &is_last, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "head == 'pretraining'", -1, &is_masked, error));
    if (is_last != 0) {
        PML_TRY(pml_metadata_set_bool(r->config, "config.last_token_head", true, error));
    }
    PML_TRY(pml_metadata_set_bool(r->config, "config.do_mask_input", is_masked != 0, error));
done:
    return status;
}

pml_status pml_patchtst_config_research(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                                        pml_error *error) {
    pml_status status = PML_OK;
    pml_facts facts = {0};
    evidence e = {.has_trend = false};
    pml_setting_source applied = {.settings = NULL};
    pml_config_rule rules[MAX_RULES];
    const pml_patchtst_arguments *arguments = pml_patchtst_arguments_of(detection->dialect);
    if (strcmp(detection->dialect, "neuralforecast") == 0) {
        PML_TRY(pml_neuralforecast_check(source, error));
    }
    memcpy(rules, arguments->rules, arguments->n_rules * sizeof rules[0]);
    if (arguments->has_settings) {
        PML_TRY(pml_setting_apply(source, models, &applied, error));
    }
    PML_TRY(pml_facts_collect(source, detection->mapper, detection->dialect, &facts, error));
    examine_body(&facts, detection->dialect, &e);
    examine_head(&facts, detection->dialect, &e);
    PML_TRY(examine_scale(source, &facts, &e, error));
    pml_evidence_add_absent(&e.said, "decomposition", "model_trend.backbone.W_P.weight",
                            e.has_trend ? "true" : "false");
    for (pml_config_rule *rule = rules; rule->key != NULL; rule++) {
        rule->must_ask = rule->must_ask || (e.has_trend && strcmp(rule->key, "decomposition_kernel") == 0);
    }
    pml_config_reader r = {.source = arguments->has_settings ? &applied.source : source,
                           .schema = pml_schema_find("patchtst"),
                           .detection = detection,
                           .config = config,
                           .evidence = e.said.items,
                           .n_evidence = e.said.count,
                           .other_keys = other_keys};
    PML_TRY(pml_config_read(&r, rules, error));
    PML_TRY(complete_head(&r, error));
    PML_TRY(pml_config_blame(r.source, check_together(&r, &e, error), error));
    PML_TRY(pml_config_settle(&r, rules, error));
    PML_TRY(describe(&r, detection, error));
done:
    pml_setting_deinit(&applied);
    pml_facts_deinit(&facts);
    return status;
}
