/* JSON files beside the tensors that mappers ask for by name (pml_mapper.side_files): read whole, hashed, parsed. */
#ifndef PML_CONVERT_MAPPER_FILES_H
#define PML_CONVERT_MAPPER_FILES_H

#include "convert/hash.h"
#include "mappers/mapper.h"

typedef struct pml_mapper_file {
    const char *name; /* of the mapper's: "1_Pooling/config.json" */
    cJSON *root;
    char sha256[PML_SHA256_TEXT_BYTES];
} pml_mapper_file;

typedef struct pml_mapper_files { /* zeroed: none; those that exist, in the order of the registry */
    pml_mapper_file *items;
    pml_map_side *sides; /* the same, as mappers see them */
    size_t count;
} pml_mapper_files;

/* Reads the files of every registered mapper that exist in `folder`. Regular files only, in the folder or in a real
 * folder of it; symbolic links are followed only where a hub cache has them. Errors: FORMAT (no JSON, too large, a
 * link that leaves the directory), IO, MEMORY. */
pml_status pml_mapper_files_load(const pml_folder *folder, pml_mapper_files *files, pml_error *error) PML_WARN_UNUSED;
/* Adds one that the user names: mappers see it as `name` (static), whatever its path. Errors: as above; NOT_FOUND. */
pml_status pml_mapper_files_add(pml_mapper_files *files, const char *name, const char *path,
                                pml_error *error) PML_WARN_UNUSED;
void pml_mapper_files_deinit(pml_mapper_files *files);

#endif
