/* The two containers of PyTorch files, an archive and a row of pickles, as one: a pickle, and storages by key. */
#ifndef PML_FORMATS_TORCH_CONTAINER_H
#define PML_FORMATS_TORCH_CONTAINER_H

#include "formats/format.h"
#include "formats/torch/view.h"
#include "formats/zip_directory.h"

/* Where a storage's bytes are. */
typedef struct pml_torch_place {
    uint64_t data_offset;          /* in the file */
    const pml_zip_entry *deflated; /* NULL: the bytes are there as they stand */
} pml_torch_place;

typedef struct pml_torch_container { /* all zero = empty, safe to deinit */
    const char *path;
    const uint8_t *data;
    uint64_t size_bytes;

    pml_pickle pickle; /* of the checkpoint */
    uint32_t root;
    uint8_t *inflated; /* the pickle's bytes where the archive has them deflated */

    bool is_archive;
    pml_zip zip;
    const char *prefix; /* "archive/": what every name in the archive begins with, `prefix_bytes` long */
    size_t prefix_bytes;
    bool *is_checked; /* per entry of the archive: its checksum was compared */

    pml_names keys; /* of the row of pickles: its storages */
    struct pml_torch_row {
        uint64_t offset, size_bytes; /* offset 0: not found yet */
        uint8_t element_bytes;
    } * rows; /* by index of the key */
    size_t row_capacity;
} pml_torch_container;

/* Opens the mapped bytes of a file; `path` and `data` stay borrowed. The caller deinits also after an error. Errors:
 * FORMAT, UNSUPPORTED (TorchScript, older containers, a big-endian machine's file), MEMORY. */
pml_status pml_torch_container_open(const uint8_t *data, uint64_t size_bytes, const char *path,
                                    pml_torch_container *container, pml_error *error) PML_WARN_UNUSED;
void pml_torch_container_deinit(pml_torch_container *container);
/* Releases all that is needed only to find tensors; the archive's directory stays. */
void pml_torch_container_forget(pml_torch_container *container);

/* Finds a storage and holds its size against what the pickle declares; checks its checksum where it lies as it stands.
 * The message does not say whose it is. Errors: FORMAT, MEMORY. */
pml_status pml_torch_container_place(pml_torch_container *container, const pml_torch_storage *storage,
                                     pml_torch_place *place, pml_error *error) PML_WARN_UNUSED;

/* The first bytes of the container that is a row of pickles. */
#define PML_TORCH_ROW_MAGIC "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
enum { PML_TORCH_ROW_MAGIC_BYTES = 15 };

/* For pml_torch_container_open. */
pml_status pml_torch_archive_open(pml_torch_container *container, pml_error *error) PML_WARN_UNUSED;
pml_status pml_torch_row_open(pml_torch_container *container, pml_error *error) PML_WARN_UNUSED;
pml_status pml_torch_archive_place(pml_torch_container *container, const char *key, uint64_t size_bytes,
                                   pml_torch_place *place, pml_error *error) PML_WARN_UNUSED;

#endif
