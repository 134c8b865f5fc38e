/* The directory of a ZIP archive in mapped bytes: entries by name with the place of their data, so that stored ones are
 * read where they lie.
 *
 * Strict where two readers could see different contents in the same bytes: the central directory ends where the end
 * record begins, the local header of every entry says what the central one says, names are distinct, entries neither
 * overlap nor have anything before the first, and checksums hold. */
#ifndef PML_FORMATS_ZIP_DIRECTORY_H
#define PML_FORMATS_ZIP_DIRECTORY_H

#include "runtime/base/error.h"
#include "runtime/base/names.h"

typedef enum pml_zip_method { PML_ZIP_STORED = 0, PML_ZIP_DEFLATED = 8 } pml_zip_method;

typedef struct pml_zip_entry {
    const char *name; /* as in the archive, directories included; owned by the directory */
    pml_zip_method method;
    uint64_t header_offset; /* of the local header */
    uint64_t data_offset;
    uint64_t stored_bytes; /* of the data in the archive */
    uint64_t size_bytes;   /* of the data itself */
    uint32_t crc32;        /* of the data itself */
} pml_zip_entry;

typedef struct pml_zip { /* all zero = empty, safe to deinit */
    const uint8_t *data; /* borrowed */
    const char *path;    /* borrowed, for messages */
    uint64_t size_bytes;
    pml_names names;        /* index = index into entries */
    pml_zip_entry *entries; /* in the order of the central directory */
    size_t n_entries, capacity;
} pml_zip;

/* True when the bytes begin as an archive does: for probes. */
bool pml_zip_is_archive(const uint8_t *bytes, size_t size_bytes);

/* Reads and checks the directory of the archive in `data`; both `data` and `path` stay borrowed. The caller deinits
 * `zip` also after an error. A deflated entry may not claim to grow beyond PML_MAX_INFLATE_RATIO. Errors: FORMAT,
 * UNSUPPORTED (encryption, several disks, other methods of compression), MEMORY. */
pml_status pml_zip_open(const uint8_t *data, uint64_t size_bytes, const char *path, pml_zip *zip,
                        pml_error *error) PML_WARN_UNUSED;
void pml_zip_deinit(pml_zip *zip);

/* NULL: absent. */
const pml_zip_entry *pml_zip_find(const pml_zip *zip, const char *name);

/* Checks the checksum of a stored entry where it lies. Errors: FORMAT, ARGUMENT (a deflated entry). */
pml_status pml_zip_check(const pml_zip *zip, const pml_zip_entry *entry, pml_error *error) PML_WARN_UNUSED;

/* Fills `buffer` with the first `n_bytes` of an entry, at most its size_bytes. Its checksum is left to pml_zip_read.
 * Errors: FORMAT, MEMORY. */
pml_status pml_zip_peek(const pml_zip *zip, const pml_zip_entry *entry, void *buffer, size_t n_bytes,
                        pml_error *error) PML_WARN_UNUSED;

/* Fills `buffer` with the entry's size_bytes, inflated where needed, and checks them. How much memory an entry may take
 * is the caller's to decide from size_bytes. Errors: FORMAT, MEMORY. */
pml_status pml_zip_read(const pml_zip *zip, const pml_zip_entry *entry, void *buffer, pml_error *error) PML_WARN_UNUSED;

#endif
