/* A family's schema: what a prepared model of that family consists of, as data only. The mapper fills it, the writer
 * stores it, the model reads it back; nobody else knows the family. */
#ifndef PML_RUNTIME_SCHEMA_SCHEMA_H
#define PML_RUNTIME_SCHEMA_SCHEMA_H

#include "runtime/base/limits.h"
#include "runtime/file/metadata.h"

typedef enum pml_role {
    PML_ROLE_MATRIX,     /* [batch...][in][out], operand of a product: row or panel, quantizable */
    PML_ROLE_VECTOR,     /* norms, biases, statistics: always row, F32 */
    PML_ROLE_TABLE,      /* looked up or added by row (positions): row, F32 */
    PML_ROLE_EMBEDDING,  /* only ever looked up by row: row, F32, or I8 panels */
    PML_ROLE_CONVOLUTION /* flattened to [taps * in][out]: as matrix */
} pml_role;

typedef struct pml_weight_spec {
    /* Canonical and frozen; one placeholder {l} where `repeat` is set: "encoder.layer.{l}.norm1.weight". */
    const char *name;
    pml_role role;
    const char *dims;   /* comma-separated expressions over config keys: "patch_length, d_model" */
    const char *repeat; /* how many instances l = 0 .. n-1; NULL: one, without placeholder */
    const char *when;   /* present only if this is not 0; NULL: always */
} pml_weight_spec;

typedef enum pml_config_type {
    PML_CONFIG_INT,
    PML_CONFIG_REAL,
    PML_CONFIG_BOOL,
    PML_CONFIG_CHOICE, /* one of `choices` */
    PML_CONFIG_INT_LIST,
    PML_CONFIG_REAL_LIST
} pml_config_type;

typedef struct pml_config_key { /* stored as metadata "config.<name>" */
    const char *name;
    pml_config_type type;
    double least, greatest; /* of INT, REAL and list elements */
    const char *choices;    /* CHOICE: "batchnorm|layernorm" */
    bool optional;          /* may be absent; otherwise the file is incomplete without it */
    const char *description;
    unsigned n_elements; /* of the list types: exactly that many; 0: any number */
    /* Of an optional INT, BOOL or CHOICE: what expressions see where the key is absent ("0", "false", a choice); NULL:
     * they may not use it then. */
    const char *absent;
} pml_config_key;

typedef struct pml_derived_number { /* a name for an expression, usable like a config key in every other expression */
    const char *name;               /* "n_patches" */
    const char *expression;         /* over config keys and derived numbers listed before it */
} pml_derived_number;

typedef struct pml_config_constraint {
    const char *expression; /* must not be 0 */
    const char *message;    /* what is wrong when it is */
} pml_config_constraint;

typedef struct pml_port_spec { /* an input, output or recurrent state of the model */
    const char *name;
    /* "B, context_length, num_channels": B, the first, is the free batch dimension; one further axis may be T, the
     * tokens of the longest sequence, or C, the channels of families that take any number of them: equally free and the
     * same in all ports of a run. */
    const char *dims;
    /* An input that may be left out; an output that pml derives from others, and that is absent after a run in which it
     * is not finite although they are. */
    bool optional;
    const char *when; /* exists only if this is not 0; NULL: always */
    const char *description;
} pml_port_spec;

typedef struct pml_index_spec { /* an input that holds indexes: integers from 0 to below an expression over config */
    const char *input;
    const char *below;
} pml_index_spec;

/* A matrix whose rows I8 keeps in groups even where one scale per column is asked for: products with it lose most,
 * since a few channels of what it multiplies are far larger than the rest (specs/quantization.md). */
typedef struct pml_grouped_spec {
    const char *weight; /* name of a weight spec */
    const char *when;   /* expression over config and l; NULL: always */
} pml_grouped_spec;

/* Of heads that foretell a distribution: output ports, all [B, S, C] but the window's, which are [B, 1, C]. */
typedef struct pml_distribution_spec {
    const char *key;  /* config key: "student_t", "normal" or "negative_binomial" */
    const char *when; /* expression over config: there is a distribution, and quantiles follow from these ports */
    const char *df, *location, *scale; /* of student_t alone; negative binomial: total count and logits */
    const char *window_location, *window_scale;
} pml_distribution_spec;

/* Weights that are not learned: running statistics, tables that follow from the configuration. */
typedef struct pml_fixed_spec {
    const char *pattern; /* of weight names, as fnmatch reads it: "*.mean" */
    const char *when;    /* expression over config; NULL: always */
} pml_fixed_spec;

/* A fresh model, made from nothing: what its configuration has where its maker says nothing. In order, so that an
 * expression may use what stands above. */
typedef struct pml_fresh_key {
    const char *key; /* of `config` */
    /* INT and BOOL: an expression; CHOICE: the choice; REAL: a number; lists: numbers with commas. Or of the data:
     * "@channels" (columns of the series), "@labels" (classes of texts), "@frequency" and "@marks" (of its dates;
     * "timeF", or "none" without dates),
     * "@tokenizer" (what the file that the tokenizer is from has under the same key; nothing where it has nothing),
     * "@modes:N" (at most 64 of the numbers below N / 2, drawn, in ascending order); "@count:KEY" (elements of that
     * list). */
    const char *value;
    const char *when; /* expression; NULL: always */
} pml_fresh_key;

/* And what its weights begin with; the first row that fits. Weights that no row fits begin as PyTorch's layers do. */
typedef struct pml_fresh_weight {
    const char *pattern;     /* of weight names, as fnmatch reads it */
    const char *when;        /* expression; NULL: always */
    const char *initializer; /* "normal:std={init_std}", which stands for that REAL key; NULL: as PyTorch's layers */
    const char *over;        /* expression: values are divided by its root; NULL: they are not */
} pml_fresh_weight;

typedef struct pml_fresh_spec {
    const char *dialect;             /* whose layers these are, and what the model is exported to */
    const char *other, *other_when;  /* another dialect where the expression is not 0; NULL: none */
    const char *unmade_when;         /* no fresh model can be made where this is not 0; NULL: always can */
    const pml_fresh_key *keys;       /* ends with a NULL key */
    const pml_fresh_weight *weights; /* ends with a NULL pattern */
    bool has_tokens;                 /* it reads text, and needs a tokenizer */
} pml_fresh_spec;

typedef struct pml_forecast_spec { /* how a family forecasts, by names of the lists below */
    const char *input;             /* input port [B, T, C] */
    const char *observed_mask;     /* input port of the same shape, 1 = observed; NULL: nothing may be missing */
    const char *const *outputs;    /* output ports [B, S, C], NULL-terminated: the first that exists is the forecast */
    const char *context_length, *horizon, *n_channels; /* expressions over config; n_channels NULL or 0: any number */
    const char *when;                                  /* forecasts only if this is not 0; NULL: always */
    /* Time marks: input ports [B, T, n_marks], of the look-back, and [B, label_length + S, n_marks], of its last
     * label_length steps and the horizon; NULL: not taken. A port that is optional is filled where there are dates. */
    const char *marks, *decoder_marks;
    const char *n_marks, *label_length;        /* expressions over config, 0: none; NULL: 0 */
    const pml_distribution_spec *distribution; /* NULL: points only */
} pml_forecast_spec;

/* Another code base's name for a port, accepted wherever inputs and outputs are looked up. One alias may stand for
 * several ports of which a configured model has one; a port's own name goes first. */
typedef struct pml_port_alias {
    const char *alias; /* "x" */
    const char *port;  /* "past_values" */
} pml_port_alias;

typedef struct pml_schema {
    const char *name;                         /* "patchtst" */
    const char *architecture;                 /* one line */
    const char *const *variants;              /* NULL-terminated */
    const char *const *known_repos;           /* NULL-terminated */
    const pml_config_key *config;             /* each list ends with a NULL name */
    const pml_config_constraint *constraints; /* ends with a NULL expression */
    const pml_weight_spec *weights;
    const pml_port_spec *inputs;
    const pml_port_spec *outputs;
    const pml_forecast_spec *forecast; /* NULL: the family does not forecast */
    const pml_port_spec *state;        /* recurrent state carried from call to call; NULL: none */
    const pml_derived_number *derived; /* ends with a NULL name; NULL: none */
    const pml_port_alias *aliases;     /* ends with a NULL alias; NULL: none */
    const pml_index_spec *indexes;     /* ends with a NULL input; NULL: none */
    const pml_grouped_spec *grouped;   /* ends with a NULL weight; NULL: none */
    const pml_fixed_spec *fixed;       /* ends with a NULL pattern; NULL: every weight is learned */
    const pml_fresh_spec *fresh;       /* NULL: only files of others can be trained */
    bool batch_wide;                   /* in evaluation too the reference lets samples of a batch share what it chooses
                                          by looking at them (pml_model_batch_wide_set) */
} pml_schema;

extern const pml_schema *const pml_schemas[];        /* NULL-terminated, from registry.def */
const pml_schema *pml_schema_find(const char *name); /* NULL: unknown */
/* The schema's row of that configuration key; NULL: it has none. */
const pml_config_key *pml_schema_key(const pml_schema *schema, const char *name);

/* Checks a canonical configuration ("config.<key>" entries of `metadata`): every required key present, types, ranges,
 * choices, constraints, no unknown "config." key. Errors: CONFIG, naming the key. */
pml_status pml_schema_check_config(const pml_schema *schema, const pml_metadata *metadata,
                                   pml_error *error) PML_WARN_UNUSED;

/* Integer value of an expression over the configuration; `l` is the placeholder's value (-1: none). Errors: CONFIG. */
pml_status pml_schema_eval(const pml_schema *schema, const pml_metadata *metadata, const char *expression, int64_t l,
                           int64_t *value, pml_error *error) PML_WARN_UNUSED;
/* Evaluates comma-separated dimensions; each must be >= 1. `B` evaluates to `batch` (0: not allowed). Errors: CONFIG.
 */
pml_status pml_schema_dims(const pml_schema *schema, const pml_metadata *metadata, const char *dims, int64_t l,
                           uint64_t batch, uint64_t shape[PML_MAX_RANK], unsigned *rank,
                           pml_error *error) PML_WARN_UNUSED;

/* The same for a port: `T` and `C` evaluate to `n_tokens` (0: not allowed). Errors: CONFIG. */
pml_status pml_schema_port_dims(const pml_schema *schema, const pml_metadata *metadata, const char *dims,
                                uint64_t batch, uint64_t n_tokens, uint64_t shape[PML_MAX_RANK], unsigned *rank,
                                pml_error *error) PML_WARN_UNUSED;

/* One weight that a configured model has. */
typedef struct pml_weight_instance {
    char *name; /* "encoder.layer.3.norm1.weight", owned by the list */
    const pml_weight_spec *spec;
    int64_t l; /* -1 without placeholder */
    unsigned rank;
    uint64_t shape[PML_MAX_RANK];
} pml_weight_instance;
typedef struct pml_weight_list {
    pml_weight_instance *items; /* schema order, instances ascending */
    size_t count;
    uint32_t *slots; /* private: hash table of positions + 1 */
    size_t n_slots;  /* private: a power of two */
} pml_weight_list;
/* Lists every weight that the configuration calls for. Errors: CONFIG, MEMORY, FORMAT (more than `most`: a few numbers
 * of a configuration may ask for millions, so a caller allows what its tensors can fill). */
pml_status pml_schema_weights(const pml_schema *schema, const pml_metadata *metadata, size_t most,
                              pml_weight_list *list, pml_error *error) PML_WARN_UNUSED;
void pml_weight_list_deinit(pml_weight_list *list);
/* Whether the schema's `grouped` names the weight. Errors: CONFIG. */
pml_status pml_schema_is_grouped(const pml_schema *schema, const pml_metadata *metadata,
                                 const pml_weight_instance *weight, bool *is_grouped, pml_error *error) PML_WARN_UNUSED;
/* Whether the schema's `fixed` names the weight. Errors: CONFIG. */
pml_status pml_schema_is_fixed(const pml_schema *schema, const pml_metadata *metadata, const char *name, bool *is_fixed,
                               pml_error *error) PML_WARN_UNUSED;
/* NULL: no such weight. */
const pml_weight_instance *pml_weight_list_find(const pml_weight_list *list, const char *name);

#endif
