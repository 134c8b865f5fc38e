/* The sorted table that an index file is: blocks of entries whose keys share prefixes, a block of block handles, a
 * footer (the table format of LevelDB, doc/table_format.md there). */
#ifndef PML_FORMATS_TENSORFLOW_TF_TABLE_H
#define PML_FORMATS_TENSORFLOW_TF_TABLE_H

#include "formats/tensorflow/tf_wire.h"
#include "runtime/base/error.h"

#define PML_TF_FOOTER_BYTES 48u
#define PML_TF_MAX_KEY_BYTES 4096u /* twice the longest name, for its zeros are written as two bytes, and its slices   \
                                    */

/* One entry. The key is valid during the call, the value as long as the table's bytes; `offset_bytes` is the entry's in
 * the file. */
typedef pml_status pml_tf_entry_fn(void *user, pml_tf_span key, pml_tf_span value, uint64_t offset_bytes,
                                   pml_error *error);

/* Calls `visit` with each entry, in strictly ascending order of keys (bytes compared). Checksums, handles, prefixes and
 * restart points are checked on the way. `path` is for messages. Errors: FORMAT, UNSUPPORTED (compressed blocks),
 * MEMORY, and those of `visit`. */
pml_status pml_tf_table_walk(pml_tf_span table, const char *path, pml_tf_entry_fn *visit, void *user,
                             pml_error *error) PML_WARN_UNUSED;

/* Whether `a` sorts before, at, or behind `b`: negative, 0, positive. */
int pml_tf_key_compare(pml_tf_span a, pml_tf_span b);

#endif
