/* Archives (.zip, .tar, .tar.gz, .tar.zst) read as the folder that they hold, without unpacking them by name.
 *
 * What lies in the archive as it is, is read in place; what is compressed is unpacked once into a file without a name
 * in $TMPDIR (else /var/tmp), which the system removes however the process ends. Refused: names that leave the folder,
 * names that stand twice, links and devices, archives that grow more than a thousandfold, encryption. Hidden members
 * are left out, as hidden files of a folder are. A single folder that holds everything is entered. */
#ifndef PML_FORMATS_ARCHIVE_H
#define PML_FORMATS_ARCHIVE_H

#include "runtime/base/error.h"

typedef struct pml_archive pml_archive;

/* Whether these first bytes of a file are those of an archive that this reads. Other formats may be zip files too: they
 * are asked first. */
bool pml_archive_probe(const uint8_t *head, size_t head_bytes);

/* Reads the list of members, and unpacks those that are compressed. Errors: NOT_FOUND, FORMAT (damaged, or refused for
 * the reasons above), UNSUPPORTED (a feature of the container that this does not read), IO (no space for what is
 * unpacked), INTERRUPTED, MEMORY. */
pml_status pml_archive_open(const char *path, pml_archive **archive, pml_error *error) PML_WARN_UNUSED;
void pml_archive_close(pml_archive *archive); /* NULL is allowed */

/* Members are regular files; names are relative to the folder, such as "model.safetensors", "1_Pooling/config.json", in
 * ascending byte order. */
size_t pml_archive_n_members(const pml_archive *archive);
const char *pml_archive_name_at(const pml_archive *archive, size_t i_member);
/* Bytes that stay valid until close; false: no member has that name. */
bool pml_archive_find(const pml_archive *archive, const char *name, const uint8_t **bytes, uint64_t *size_bytes);

#endif
