/* Mappers: understand a foreign checkpoint of one family. The rule engine (mappers/mapping.c) does the work; a family's
 * file is mostly a table. One file per family, one registry line (runtime/schema/registry.def). */
#ifndef PML_MAPPERS_MAPPER_H
#define PML_MAPPERS_MAPPER_H

#include <cjson/cJSON.h>

#include "formats/format.h"
#include "runtime/base/arena.h"
#include "runtime/schema/schema.h"

/* ---- rules ---- */
typedef struct pml_map_rule {
    const char *dialect;   /* which code base's names: "hf"; NULL: every dialect */
    const char *pattern;   /* source name without wrapper prefixes ("module.", "_orig_mod."), see mappers/pattern.h:
                            * "[model.]encoder.layers.{l}.self_attn.q_proj.weight" */
    const char *target;    /* canonical name, captures may be reused: "encoder.layer.{l}.attention.q.weight"; NULL:
                            * consumed and dropped */
    const char *transform; /* "" or NULL: none; steps joined by ";", see mappers/transform.h; expressions over the
                            * canonical config may stand in braces: "reshape(-1,{d_model},{n_patches})" */
    const char *when;      /* expression over canonical config; NULL: always */
    const char *reason; /* for dropped tensors: why nothing is lost. With a target, the tensor is a stand-in: it fills
                         * the weight where nothing else does, and is dropped for this reason where something does */
} pml_map_rule;

/* ---- detection ---- */
typedef struct pml_detection { /* one candidate; strings owned by the report */
    const struct pml_mapper *mapper;
    const char *dialect;
    double score; /* 0 .. 1: share of the evidence that fits, see pml_detect_report_fill */
    bool accepted;
    char *variant; /* "ForPrediction, channel-independent, batchnorm, …" */
    char *failed;  /* the rule that failed, NULL if none */
    char **reasons;
    size_t n_reasons; /* one line each: what speaks for and against */
    char **assumed;
    size_t n_assumed; /* "norm_type = batchnorm (from tensor names)" */
    char **missing;
    size_t n_missing; /* canonical weights without a source */
    char **unexpected;
    size_t n_unexpected; /* source tensors without a rule */
    size_t n_matched;
    char **mismatched;
    size_t n_mismatched; /* tensors that a rule takes but whose shape, dtype or number is wrong */
} pml_detection;
typedef struct pml_detect_report {
    pml_detection *candidates; /* best first */
    size_t count;
} pml_detect_report;

/* What is known about a source beside its tensors. */
typedef struct pml_map_options {
    const char *const *settings; /* "key=value" (--set), canonical or source spelling; wins over the config file */
    size_t n_settings;
    const char *arch;                       /* --arch: consider only this family; NULL: all */
    const struct pml_map_rule *extra_rules; /* --map FILE, tried first */
    size_t n_extra_rules;
} pml_map_options;

typedef struct pml_map_side { /* a JSON file beside the tensors that some mapper asks for (pml_mapper.side_files) */
    const char *name;         /* "1_Pooling/config.json" */
    const cJSON *root;
} pml_map_side;

/* The input of a mapper. */
typedef struct pml_map_source {
    pml_source *tensors;
    const cJSON *config;            /* parsed config.json, or NULL */
    const char *config_name;        /* "config.json", for messages */
    const pml_map_options *options; /* never NULL */
    const pml_map_side *sides;      /* those that exist */
    size_t n_sides;
    const char *config_text; /* the text that `config` was parsed from, so that 16.0 is told from 16; NULL: unknown */
    size_t config_bytes;
} pml_map_source;

typedef struct pml_map_refusal { /* something that looks like the family and is not */
    const char *name;            /* a "model_type" or an element of "architectures" in the config */
    const char *reason;          /* ends the sentence "<name> is not supported: " */
} pml_map_refusal;

typedef struct pml_mapper {
    const char *name; /* the family */
    /* Fills score, dialect, variant and reasons from names, shapes and config. Never fails on strange input: score 0.
     */
    pml_status (*detect)(const pml_map_source *source, pml_detection *detection, pml_error *error);
    /* Source config (or, without one, what tensors and settings tell) → canonical "config.*" keys. What cannot be known
     * is an error that asks for it ("pass --set num_attention_heads=N"); unknown values are errors that name the key.
     * Appends what was assumed to detection->assumed. Errors: CONFIG, UNSUPPORTED. */
    pml_status (*config)(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                         pml_error *error);
    const pml_map_rule *rules;       /* ends with a NULL pattern */
    const char *const *witnesses;    /* weights without which no model of the family computes, NULL-terminated; read
                                      * by pml_fit_measure alone: NULL where `detect` does without */
    const char *const *model_types;  /* values of "model_type" (of "model", in research code) that claim it,
                                        NULL-terminated; NULL: none */
    const pml_map_refusal *refusals; /* ends with a NULL name; NULL: none */
    const pml_schema *schema;        /* NULL: the registered schema of that name */
    /* JSON files beside the tensors that this family reads, relative to their directory, at most one folder deep;
     * NULL-terminated; NULL: none but config.json. */
    const char *const *side_files;
    /* Optional; default: none. What its code bases call the configuration beside the tensors where there is no
     * config.json, best first; NULL-terminated: "bert_config.json". */
    const char *const *config_files;
    /* Optional; default: none. The attribute of the container (pml_source_attribute) that holds the configuration as
     * JSON text, where no file does: "hyper_parameters". */
    const char *config_attribute;
    /* Beside it: the attribute that says what the checkpoint is, and what it may say (NULL-terminated). What no family
     * takes is refused. */
    const char *class_attribute;
    const char *const *class_names;
    /* How models are written in its dialects again (mappers/dialect.h); ends with a NULL name, the first one is that of
     * files that do not say which they came from. NULL: none of them is written. */
    const struct pml_map_dialect *dialects;
} pml_mapper;

extern const pml_mapper *const pml_mappers[]; /* NULL-terminated, order of runtime/schema/registry.def */

/* ---- the result: a complete, checked mapping ---- */
typedef struct pml_mapped_part { /* one source tensor that contributes to a weight */
    const pml_source_tensor *source;
    uint64_t i_stack; /* position along the leading axis for stacked weights, else 0 */
} pml_mapped_part;
typedef struct pml_mapped_weight {
    const pml_weight_instance *weight; /* in pml_mapping.weights */
    const char *transform;             /* of each part, as recorded: expressions evaluated, stack(n) with n parts */
    pml_mapped_part *parts;            /* ascending i_stack; 1 unless stacked */
    size_t n_parts;
} pml_mapped_weight;
typedef struct pml_dropped_tensor {
    const pml_source_tensor *source;
    const char *reason;
} pml_dropped_tensor;

typedef struct pml_mapping {
    const pml_mapper *mapper;
    const pml_schema *schema;
    pml_detection detection; /* the accepted candidate */
    pml_metadata *config;    /* general.family, general.variant, provenance.dialect, general.architecture, config.* */
    pml_weight_list weights;
    pml_mapped_weight *mapped; /* one per weight, order of `weights` */
    pml_dropped_tensor *dropped;
    size_t n_dropped;
    pml_arena storage; /* private: owns transforms, parts and reasons */
} pml_mapping;

/* Scores every registered family and dialect. Always succeeds on a readable source, possibly with no accepted
 * candidate. A tie of accepted candidates, a config that claims another family than the tensors, and "nothing fits" are
 * told apart by pml_mapping_create. */
pml_status pml_detect_report_fill(const pml_map_source *source, pml_detect_report *report,
                                  pml_error *error) PML_WARN_UNUSED;
void pml_detect_report_deinit(pml_detect_report *report);

/* Detects, reads the config, applies the rules, checks completeness and shapes: every source tensor consumed or dropped
 * with a reason, every weight filled once. Errors: CONFIG, UNSUPPORTED (no family fits; legacy or foreign variant),
 * FORMAT (missing, unexpected, wrong shape: the message names the first tensors and counts the rest), MEMORY. */
pml_status pml_mapping_create(const pml_map_source *source, pml_mapping **mapping, pml_error *error) PML_WARN_UNUSED;
void pml_mapping_destroy(pml_mapping *mapping);

/* What a file of --map holds: lines "pattern target [transform]" (white space between, # comments). *rules is owned by
 * the caller: pml_map_rules_destroy. Errors: FORMAT (file:line), MEMORY. */
pml_status pml_map_rules_parse(const char *text, size_t size_bytes, const char *file_name, pml_map_rule **rules,
                               size_t *n_rules, pml_error *error) PML_WARN_UNUSED;
void pml_map_rules_destroy(pml_map_rule *rules, size_t n_rules);

#endif
