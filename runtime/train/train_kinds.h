/* The kinds of plug-ins that a training run is made of, for who lists them all with their options. */
#ifndef PML_RUNTIME_TRAIN_TRAIN_KINDS_H
#define PML_RUNTIME_TRAIN_TRAIN_KINDS_H

#include "runtime/base/plugin.h"

typedef struct pml_train_kind {
    const char *name;                 /* of one: "loss" */
    const char *plural;               /* "losses" */
    const pml_plugin *const *plugins; /* ends with NULL */
} pml_train_kind;

extern const pml_train_kind pml_train_kinds[]; /* ends with a NULL name */

#endif
