/* A dialect as something to write: what the rules, run backwards, cannot tell. Data of a mapper, beside its rules.
 *
 * Everything else about a written model follows from what reads it: names from pml_map_rule (the first rule of the
 * dialect whose target is the weight and whose condition holds), shapes from its transform undone, the configuration
 * from pml_config_rule (mappers/reverse.h, mappers/reverse_config.h). */
#ifndef PML_MAPPERS_DIALECT_H
#define PML_MAPPERS_DIALECT_H

#include "mappers/config.h"
#include "runtime/base/dtype.h"

typedef struct pml_map_text { /* a list ends with a NULL text; the first whose condition holds counts */
    const char *text;
    const char *when; /* expression over the canonical configuration; NULL: always */
} pml_map_text;

/* What a tensor's elements are where no weight gives them. */
typedef enum pml_map_fill {
    PML_FILL_NOTHING, /* every element comes from a weight */
    PML_FILL_ZEROS,
    PML_FILL_SINCOS /* [1, rows, columns]: sin (even columns) and cos (odd ones) of row / 10000^(even column / columns)
                     */
} pml_map_fill;

typedef struct pml_map_foreign { /* a tensor of the dialect; a list ends with a NULL pattern */
    const char *pattern;         /* of the rule whose tensor it is, or, with `beside`, of its own */
    /* Its shape, expressions over the canonical configuration, comma-separated; "": a scalar. Needed by rules with
     * reshape, squeeze or narrow, which do not tell what was there before. */
    const char *shape;
    pml_map_fill fill;
    /* With it, a further tensor beside each weight that fits this pattern: one of `dtype`, filled as `fill` says; with
     * PML_FILL_NOTHING the weight once more, as the rule of `pattern` has it. For what frameworks expect in a
     * checkpoint and conversion drops. */
    const char *beside;
    const char *when; /* NULL: always */
    pml_dtype dtype;
} pml_map_foreign;

/* One line of the configuration that pml_config_rule does not give: constants, and keys that say something else than
 * one canonical value. A `source` that is listed is written by these lines alone; where none of its lines counts, the
 * value of its key cannot be said in this dialect. */
typedef struct pml_map_written { /* a list ends with a NULL source */
    const char *source;
    const char *literal; /* JSON: "text" in quotes, true, false, null, a number, or {expression}; NULL: not written */
    const char *when;    /* NULL: always */
} pml_map_written;

typedef struct pml_map_implied { /* a key that has no spelling, because it follows from others; ends with a NULL key */
    const char *key;
    const char *value; /* expression */
} pml_map_implied;

typedef struct pml_map_dialect { /* a list ends with a NULL name */
    const char *name;
    const pml_config_rule *keys; /* how its configuration is read */
    const pml_map_written *written;
    const pml_map_implied *implied; /* NULL: none */
    const pml_map_foreign *tensors; /* NULL: none */
    const char *optional_when;      /* patterns are written with their [optional] parts where it holds; NULL: without */
    const pml_map_text *gaps;       /* what stands for {*}; NULL: no pattern has one */
    const char *config_file;        /* "config.json" */
    const char *unwritten;          /* why models are not written in it again; NULL: they are */
    bool has_labels;                /* text.labels as id2label and label2id */
} pml_map_dialect;

/* NULL: the mapper does not write such a dialect. `name` NULL: the first one. */
const pml_map_dialect *pml_map_dialect_find(const pml_mapper *mapper, const char *name);

#endif
