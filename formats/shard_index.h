/* The index of a sharded checkpoint: which file holds which tensor. */
#ifndef PML_FORMATS_SHARD_INDEX_H
#define PML_FORMATS_SHARD_INDEX_H

#include "formats/format.h"
#include "runtime/base/names.h"

typedef struct pml_shard_index { /* all zero = empty, safe to deinit */
    pml_names tensors;
    uint32_t *i_shards; /* per tensor: index into shards */
    size_t shard_capacity;
    pml_names shards; /* base names, checked to be such; in order of first mention */
    bool has_total_size;
    uint64_t total_size_bytes;
} pml_shard_index;

/* Reads the JSON text of an index. `path` is for messages. Errors: FORMAT, MEMORY. */
pml_status pml_shard_index_parse(const uint8_t *bytes, size_t size_bytes, const char *path, pml_shard_index *index,
                                 pml_error *error) PML_WARN_UNUSED;
void pml_shard_index_deinit(pml_shard_index *index);

/* Adds the file `base_name` of the source's folder, which `named_by` names, and reads its structure. */
typedef pml_status (*pml_shard_open)(pml_source *source, const char *base_name, const char *named_by, pml_error *error);

/* Reads the index at `path`, opens its shards from the same folder in order of their names, and holds their tensors
 * against it: each must be where the index says, and nowhere else. A wrong total_size is only logged: nothing depends
 * on it. Errors: FORMAT, UNSUPPORTED, NOT_FOUND (a shard), IO, MEMORY. */
pml_status pml_shard_index_open(const char *path, pml_source *source, pml_shard_open open_shard,
                                pml_error *error) PML_WARN_UNUSED;

#endif
