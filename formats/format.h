/* Source formats ("providers"): foreign checkpoint files as named tensors. One file per format, one registry line.
 *
 * A provider trusts nothing: every size is checked against the real file before use (limits in runtime/base/limits.h).
 */
#ifndef PML_FORMATS_FORMAT_H
#define PML_FORMATS_FORMAT_H

#include "formats/folder.h"
#include "runtime/base/dtype.h"
#include "runtime/base/error.h"
#include "runtime/base/limits.h"

typedef struct pml_source_tensor { /* pointers are owned by the pml_source */
    const char *name;
    pml_dtype dtype;
    unsigned rank;
    uint64_t shape[PML_MAX_RANK];
    unsigned i_file;       /* which of the source's files holds it */
    uint64_t offset_bytes; /* in that file; where its bytes are made: where what they are made from begins */
    uint64_t size_bytes;   /* of shape x dtype */
    bool is_made;          /* compressed, scattered, byte-swapped or strided in the file: the format's `read` makes the
                            * contiguous little-endian bytes; false: they are bytes of the file as they stand */
} pml_source_tensor;

typedef struct pml_source pml_source;

/* What a probe sees of a candidate file. */
typedef struct pml_probe {
    const char *path;
    const char *base_name;
    uint64_t file_size_bytes;
    const uint8_t *head; /* the first bytes */
    size_t head_bytes;   /* up to 4096 */
} pml_probe;

typedef struct pml_format {
    const char *name;              /* "safetensors" */
    const char *description;       /* one line for `pml-convert formats` */
    const char *const *file_names; /* names looked for in a directory, best first, NULL-terminated:
                                      "model.safetensors.index.json", "model.safetensors" */
    /* Optional; default: none. Endings of file names that are taken, best first, where a directory holds no known name
     * and just one such file: ".safetensors". */
    const char *const *file_endings;
    /* How many bits of evidence speak for this format: 0 = not ours. Must not fail on any input. */
    unsigned (*probe)(const pml_probe *probe);
    /* Reads the structure of `path` into `source` through the pml_source_add_* calls below. Errors: FORMAT,
     * UNSUPPORTED, IO, MEMORY. */
    pml_status (*open)(const char *path, pml_source *source, pml_error *error);
    /* Optional; default: no tensor of this format is made. Fills `buffer` with the size_bytes of a tensor that
     * is_made. `i_tensor` is its position (pml_source_tensor_at). Errors: FORMAT, UNSUPPORTED, IO, MEMORY. */
    pml_status (*read)(pml_source *source, size_t i_tensor, void *buffer, pml_error *error);
    /* Optional; default: nothing to check. Called with each tensor that is not made before a view of it is given: where
     * a format has checksums of tensors. Opening touches no tensor's bytes. Errors: FORMAT, MEMORY. */
    pml_status (*check)(pml_source *source, size_t i_tensor, pml_error *error);
    /* Optional; default: nothing to release beyond what pml_source owns. */
    void (*close)(pml_source *source);
} pml_format;

extern const pml_format *const pml_formats[]; /* NULL-terminated, from registry.def */

/* Opens a file, an index file, a directory, or an archive that holds one (whose best known file name is taken; shards
 * of an index by base name only). Where several formats have a known name there, the registry's order decides: it is
 * the order of preference. A directory without a known name gives its one file of a known ending; several are an error
 * that lists them. A tie between formats is an error that names both. Errors: NOT_FOUND, ARGUMENT (a directory that
 * leaves the choice open, an address, nothing), FORMAT, UNSUPPORTED, IO (not a regular file too), MEMORY. */
pml_status pml_source_open(const char *path, pml_source **source, pml_error *error) PML_WARN_UNUSED;
void pml_source_close(pml_source *source); /* NULL is allowed */

const char *pml_source_path(const pml_source *source);
/* What holds the source and its sidecars (config.json, scaler.json): a directory ("." if none), or an archive. */
const pml_folder *pml_source_folder(const pml_source *source);
/* The path of that directory or archive. */
const char *pml_source_directory(const pml_source *source);
const pml_format *pml_source_format(const pml_source *source);
size_t pml_source_n_files(const pml_source *source);
const char *pml_source_file_name(const pml_source *source, size_t i_file); /* base name */
const char *pml_source_file_path(const pml_source *source, size_t i_file);
uint64_t pml_source_file_size(const pml_source *source, size_t i_file);
/* The whole mapped file, for hashing while streaming. */
const uint8_t *pml_source_file_data(const pml_source *source, size_t i_file);

size_t pml_source_n_tensors(const pml_source *source);
/* Ascending by (file, offset, name). */
const pml_source_tensor *pml_source_tensor_at(const pml_source *source, size_t i_tensor);
const pml_source_tensor *pml_source_tensor_find(const pml_source *source, const char *name); /* hashed */
/* Zero-copy view of a tensor's bytes (any alignment), valid until close; of a tensor that is made, an owned copy that
 * is kept until it is released or the source closed. Errors: those of the format's read and check. */
pml_status pml_source_tensor_view(pml_source *source, const pml_source_tensor *tensor, const void **bytes,
                                  pml_error *error) PML_WARN_UNUSED;
/* Frees the copy of a tensor that is made; views of it end. Nothing happens to others. */
void pml_source_tensor_release(pml_source *source, const pml_source_tensor *tensor);
/* From now on every complex tensor counts as real: its last axis holds the real and the imaginary part. For those who
 * store the two apart. */
void pml_source_pair_complex(pml_source *source);
/* Free-text metadata of the container (safetensors' __metadata__); NULL value past the end. */
size_t pml_source_n_attributes(const pml_source *source);
void pml_source_attribute_at(const pml_source *source, size_t i, const char **key, const char **value);
const char *pml_source_attribute(const pml_source *source, const char *key); /* NULL: absent */

/* ---- for providers ---- */
/* Maps a file at a path that the provider was given, without adding it: an index. Close it with pml_file_map_close. */
pml_status pml_source_map(const pml_source *source, const char *path, pml_file_map *map,
                          pml_error *error) PML_WARN_UNUSED;
/* Maps a file of the source read-only (fstat first; regular files only). */
pml_status pml_source_add_file(pml_source *source, const char *path, size_t *i_file, pml_error *error) PML_WARN_UNUSED;
/* The same for a file that the source itself names: one of the same directory, by base name (formats/file_map.h).
 * `named_by` is the file that gives the name. */
pml_status pml_source_add_sibling(pml_source *source, const char *base_name, const char *named_by, size_t *i_file,
                                  pml_error *error) PML_WARN_UNUSED;
/* Adds a tensor after checking dtype x shape against size_bytes, the range against the file, and the name for
 * duplicates. */
pml_status pml_source_add_tensor(pml_source *source, const pml_source_tensor *tensor, pml_error *error) PML_WARN_UNUSED;
/* A key that is there already keeps its value: shards repeat their metadata. */
pml_status pml_source_add_attribute(pml_source *source, const char *key, const char *value,
                                    pml_error *error) PML_WARN_UNUSED;
void pml_source_set_private(pml_source *source, void *state); /* for `close` and `read` */
void *pml_source_private(const pml_source *source);

#endif
