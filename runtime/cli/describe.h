/* Small pieces of text and JSON that the commands share: shapes, digests, metadata values, verdicts. */
#ifndef PML_RUNTIME_CLI_DESCRIBE_H
#define PML_RUNTIME_CLI_DESCRIBE_H

#include "runtime/base/json_writer.h"
#include "runtime/base/shape_text.h"
#include "runtime/file/reader.h"
#include "runtime/models/selftest.h"

void pml_shape_json(pml_json_writer *w, const char *key, const uint64_t *shape, unsigned rank);

/* "model", "adapter", "checkpoint" */
const char *pml_file_kind_name(pml_file_kind kind);

/* The type's name, such as "i64[]". */
const char *pml_meta_type_name(pml_meta_type type);

/* An entry's value for people: long arrays are cut with their count, strings are as stored (not yet printable). *text
 * is owned (pml_free). NULL entry: "-". Errors: MEMORY. */
pml_status pml_meta_value_text(const pml_meta_entry *entry, char **text, pml_error *error) PML_WARN_UNUSED;
/* The whole value under `key`; NULL entry: null. */
void pml_meta_value_json(pml_json_writer *w, const char *key, const pml_meta_entry *entry);

/* The entries whose keys begin with "<group>.", without that prefix, as an object under that name. */
void pml_meta_group_json(pml_json_writer *w, const pml_metadata *metadata, const char *group);

#define PML_MOST_TENSOR_KINDS 64u

/* What the tensors of one dtype and layout add up to. */
typedef struct pml_tensor_kind {
    pml_dtype dtype;
    pml_layout layout;
    uint64_t n_tensors, n_elements, size_bytes;
} pml_tensor_kind;

/* Adds up the tensors of a file, by kind and all together; returns the number of kinds. */
size_t pml_tensor_kinds_count(const pml_file *file, pml_tensor_kind kinds[PML_MOST_TENSOR_KINDS],
                              pml_tensor_kind *total);
/* An object: "tensors", "elements", "bytes", of a kind also its dtype and layout; the total is under "total". */
void pml_tensor_kind_json(pml_json_writer *w, const pml_tensor_kind *kind, bool is_total);

/* An array under `key`, an object for each output that was judged. */
void pml_selftest_json(pml_json_writer *w, const char *key, const pml_selftest_report *report);

#endif
