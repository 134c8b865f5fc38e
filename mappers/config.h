/* From a source's configuration to canonical "config.*" keys, by table: where a key comes from, what its words mean,
 * what may be assumed, what must be asked for. One way to read --set and config.json, one way to compare both with the
 * tensors.
 *
 * Order: --set, the config file, what the tensors say (without a file), the class default. Every assumption is listed
 * in the detection; every value that the tensors also tell is compared with them. */
#ifndef PML_MAPPERS_CONFIG_H
#define PML_MAPPERS_CONFIG_H

#include "mappers/mapper.h"

typedef struct pml_config_reader pml_config_reader;

typedef struct pml_config_rule { /* a table ends with a NULL key */
    const char *key;             /* canonical, a key of the schema */
    const char *source;          /* the dialect's spelling */
    const char *alias;           /* an older spelling of the same meaning, used where `source` is absent; NULL: none */
    const char *words;    /* CHOICE: "source=canonical|…"; @true @false @null are JSON literals; NULL: as they are */
    const char *fallback; /* the class default as canonical text; NULL: the key stays absent */
    const char *when;     /* the key has an effect only if this is not 0; NULL: always. See pml_config_settle. */
    bool alias_wins;      /* where both spellings are present, as upstream decides it */
    bool null_is_absent;  /* null stands for: not given, the fallback without a note (BOOL: false) */
    bool is_list;         /* CHOICE: written as a list of one */
    bool is_open;         /* an unknown word is valid there, but not ours: UNSUPPORTED instead of CONFIG */
    bool must_ask;        /* without a config file there is no safe default */
    bool from_tensors;    /* tensors are asked before the fallback even where there is a config file */
    bool is_fixed;        /* the dialect knows nothing but `fallback`: stored without a note; a setting that says
                             otherwise is an error, the config file is not asked */
    bool is_constant;     /* the fallback is what the repository's own command line cannot change */
    bool is_number;       /* BOOL: 0 and 1 are written for false and true, or those words */
    bool is_inverted;     /* BOOL: `source` says the opposite of the key (a setting of the key itself does not) */
    /* Replaces reading the key: gives an owned text, or NULL for absent (pml_config_get reads what it needs). Optional.
     */
    pml_status (*derive)(pml_config_reader *reader, const struct pml_config_rule *rule, char **text, pml_error *error);
    const char *derived_from; /* the keys that derive reads, for messages; NULL: `source` */
} pml_config_rule;

typedef struct pml_config_evidence { /* what the tensors say about a key */
    const char *key;
    char value[32];                  /* canonical text */
    const pml_source_tensor *tensor; /* the witness; NULL: an absent tensor, named by `absent` */
    const char *absent;
    bool is_soft;      /* likely, not certain: taken where nothing else is known, never held against a configuration */
    const char *doubt; /* of soft evidence: when it would be wrong and what to pass then, said with what is asked for */
} pml_config_evidence;

struct pml_config_reader {
    const pml_map_source *source;
    const pml_schema *schema;
    pml_detection *detection; /* assumptions are appended */
    pml_metadata *config;     /* filled */
    const pml_config_evidence *evidence;
    size_t n_evidence;
    const char *const *other_keys; /* further keys that --set may name, read by `derive`; NULL-terminated or NULL */
};

/* Reads every key of the table. Errors: CONFIG (a value of a wrong type or meaning, a value that the tensors
 * contradict, an unknown --set key, everything that must be asked for in one message), UNSUPPORTED, MEMORY. */
pml_status pml_config_read(pml_config_reader *reader, const pml_config_rule *rules, pml_error *error) PML_WARN_UNUSED;

/* Once everything given has been checked: keys without effect take their fallback, or leave where the schema allows
 * that, so that equal models have equal configurations. Errors: CONFIG, MEMORY. */
pml_status pml_config_settle(pml_config_reader *reader, const pml_config_rule *rules, pml_error *error) PML_WARN_UNUSED;

/* For derive: one further key by its own little rule, as canonical text (owned); NULL when it is absent. `type` says
 * how it is written. */
pml_status pml_config_get(pml_config_reader *reader, const pml_config_rule *rule, pml_config_type type, char **text,
                          pml_error *error) PML_WARN_UNUSED;

/* What the tensors say about `key`; NULL: nothing. */
const pml_config_evidence *pml_config_evidence_find(const pml_config_reader *reader, const char *key);

/* UNSUPPORTED when the config file sets one of these keys (NULL-terminated) to anything but null. */
pml_status pml_config_refuse(const pml_map_source *source, const char *const *keys, const char *reason,
                             pml_error *error) PML_WARN_UNUSED;

/* For a failure that names keys, but not where they stand: puts the configuration's file in front of the message, or
 * the settings, or both. Returns `status`. */
pml_status pml_config_blame(const pml_map_source *source, pml_status status, pml_error *error);

#endif
