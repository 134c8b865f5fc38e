/* Plug-ins by name with options, as command lines and checkpoints write them: "adamw:weight_decay=0.01,betas=0.9/0.99".
 *
 * A kind of plug-ins is a list of descriptions; each describes its options as a table, from which come the parser, the
 * values where nothing is said, the checks, the help and the messages that name what there is. */
#ifndef PML_RUNTIME_BASE_PLUGIN_H
#define PML_RUNTIME_BASE_PLUGIN_H

#include "runtime/base/error.h"

#define PML_PLUGIN_MAX_OPTIONS 8u
#define PML_PLUGIN_MAX_VALUES 16u /* of a list */

typedef enum pml_plugin_type {
    PML_PLUGIN_NUMBER,
    PML_PLUGIN_INTEGER, /* magnitude up to 2^53 */
    PML_PLUGIN_SWITCH,  /* true or false: 1 or 0 */
    PML_PLUGIN_CHOICE,  /* the index of the choice */
    PML_PLUGIN_LIST     /* numbers with '/' between them */
} pml_plugin_type;

typedef struct pml_plugin_option { /* static storage; a table ends with a NULL name */
    const char *name;
    pml_plugin_type type;
    const char *fallback; /* as it would be written; a list's number of values is that of all; NULL: must
                           * be given; "": may be left out, and has no values then */
    const char *range;    /* of each number: "[0, 1)", "(0, inf)"; of CHOICE: "mean|sum"; NULL: any finite number */
    const char *help;     /* one line */
} pml_plugin_option;

typedef struct pml_plugin {
    const char *name, *help;
    const pml_plugin_option *options; /* at most PML_PLUGIN_MAX_OPTIONS; NULL: none */
    bool is_list_open;                /* its LIST may have any number of values from 1 on */
} pml_plugin;

/* Values by the place of their option in the table. */
typedef struct pml_settings {
    double values[PML_PLUGIN_MAX_OPTIONS][PML_PLUGIN_MAX_VALUES];
    size_t n_values[PML_PLUGIN_MAX_OPTIONS];
} pml_settings;

static inline double pml_setting(const pml_settings *settings, size_t i_option) {
    return settings->values[i_option][0];
}

/* Reads "name" or "name:key=value,key=value" over a list of plug-ins that ends with NULL; `kind` ("loss") is for
 * messages. Errors: NOT_FOUND (no such plug-in: the message lists those that there are), ARGUMENT (no such option,
 * which are listed, one twice, one that is missing, a value that is none or out of range). */
pml_status pml_plugin_choose(const char *kind, const pml_plugin *const *plugins, const char *spec, size_t *i_plugin,
                             pml_settings *settings, pml_error *error) PML_WARN_UNUSED;
/* The options alone: "key=value,key=value"; NULL or "": all as if nothing were said. Errors: ARGUMENT. */
pml_status pml_plugin_configure(const char *kind, const pml_plugin *plugin, const char *text, pml_settings *settings,
                                pml_error *error) PML_WARN_UNUSED;

#endif
