/* The names of variables in an object-based checkpoint: its keys are paths of objects; what the variables are called
 * stands in the string tensor "_CHECKPOINTABLE_OBJECT_GRAPH" (TrackableObjectGraph of trackable_object_graph.proto). */
#ifndef PML_FORMATS_TENSORFLOW_TF_NAMES_H
#define PML_FORMATS_TENSORFLOW_TF_NAMES_H

#include "formats/tensorflow/tf_bundle.h"
#include "runtime/base/names.h"

#define PML_TF_GRAPH_KEY "_CHECKPOINTABLE_OBJECT_GRAPH"

typedef struct pml_tf_names { /* all zero = none, safe to deinit */
    pml_names keys, names;
    uint32_t *i_names; /* per key: its name */
    size_t capacity;
    bool *is_shared; /* per name: several keys have it */
    size_t shared_capacity;
} pml_tf_names;

/* Reads the graph out of `shard`, the data file that holds its tensor. `entry` is that of the key above. Errors: FORMAT
 * (a range past the shard, a wrong checksum, a damaged text or message), MEMORY. */
pml_status pml_tf_names_read(const pml_tf_bundle *bundle, const pml_tf_entry *entry, pml_tf_span shard,
                             pml_tf_names *names, pml_error *error) PML_WARN_UNUSED;
void pml_tf_names_deinit(pml_tf_names *names);
/* The name of the variable with that key; the key itself where there is none, or where several have it. */
const char *pml_tf_names_find(const pml_tf_names *names, const char *key);

#endif
