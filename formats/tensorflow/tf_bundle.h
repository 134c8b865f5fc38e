/* The index of a checkpoint ("tensor bundle", version 2): what each key stands for, and where its bytes lie. */
#ifndef PML_FORMATS_TENSORFLOW_TF_BUNDLE_H
#define PML_FORMATS_TENSORFLOW_TF_BUNDLE_H

#include "formats/tensorflow/tf_wire.h"
#include "runtime/base/arena.h"
#include "runtime/base/dtype.h"
#include "runtime/base/limits.h"

enum { PML_TF_STRING = 7 }; /* of TensorFlow's numbers of types, the one that is read without being a tensor */

typedef struct pml_tf_entry {
    pml_tf_span key;
    uint64_t offset_bytes, size_bytes; /* in its shard */
    uint32_t i_shard, crc;             /* crc: masked */
    uint32_t type;                     /* TensorFlow's number */
    unsigned rank;
    uint64_t shape[PML_MAX_RANK];
    pml_tf_span slices; /* the repeated field, raw: from its first record to the end of the message */
    bool is_divided;    /* the tensor is stored in slices, which are entries of their own */
    bool is_slice;      /* one of those */
    bool is_claimed;    /* a slice that a tensor has named */
    bool is_checked;    /* its checksum was compared */
} pml_tf_entry;

typedef struct pml_tf_bundle { /* all zero = empty, safe to deinit */
    pml_tf_entry *entries;     /* ascending by key */
    size_t n_entries, capacity;
    uint32_t n_shards;
    bool has_header;
    const char *path; /* borrowed, for messages */
    pml_arena keys;
} pml_tf_bundle;

/* Reads the index; its bytes and `path` must outlive the bundle. Errors: FORMAT, UNSUPPORTED (big-endian, a version
 * that asks for newer readers, too many dimensions), MEMORY. */
pml_status pml_tf_bundle_read(pml_tf_span index, const char *path, pml_tf_bundle *bundle,
                              pml_error *error) PML_WARN_UNUSED;
void pml_tf_bundle_deinit(pml_tf_bundle *bundle);
/* The entry of that key; NULL: none. */
pml_tf_entry *pml_tf_bundle_find(const pml_tf_bundle *bundle, pml_tf_span key);

/* Our type for TensorFlow's; PML_DTYPE_NONE: none. */
pml_dtype pml_tf_dtype(uint32_t type);
/* A failure that names the entry's key. */
pml_status pml_tf_entry_fail(const pml_tf_bundle *bundle, const pml_tf_entry *entry, pml_status code, const char *cause,
                             pml_error *error);

#endif
