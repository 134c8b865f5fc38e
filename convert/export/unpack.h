/* Unpacking: a tensor of a foreign checkpoint from the weights of a .pml file, in its own order, whatever layout they
 * are stored in. The reverse of convert/pack.h, and as streaming: a buffer of one size for tensors of any. */
#ifndef PML_CONVERT_EXPORT_UNPACK_H
#define PML_CONVERT_EXPORT_UNPACK_H

#include "mappers/reverse.h"
#include "runtime/file/reader.h"

typedef struct pml_unpacker pml_unpacker; /* the buffer, reused from tensor to tensor */

pml_status pml_unpacker_create(pml_unpacker **unpacker, pml_error *error) PML_WARN_UNUSED;
void pml_unpacker_destroy(pml_unpacker *unpacker); /* NULL is allowed */

/* The dtype of a tensor: that of its stored weights. Errors: FORMAT (a weight that the file lacks or has in another
 * shape), UNSUPPORTED (weights that are stored as no plain floats, or that differ). */
pml_status pml_unpack_dtype(const pml_file *file, const pml_reverse_tensor *tensor, pml_dtype *dtype,
                            pml_error *error) PML_WARN_UNUSED;

typedef struct pml_unpack_job {
    const pml_file *file;
    const pml_reverse *reverse;
    const pml_reverse_tensor *tensor;
    pml_dtype dtype; /* of pml_unpack_dtype */
    /* Takes the next bytes, borrowed for the call; in total the tensor's. */
    pml_status (*sink)(void *user, const void *bytes, size_t size_bytes, pml_error *error);
    void *user;
} pml_unpack_job;

/* Errors: CONFIG (rules that do not run backwards), MEMORY, and whatever `sink` returns. */
pml_status pml_unpacker_run(pml_unpacker *unpacker, const pml_unpack_job *job, pml_error *error) PML_WARN_UNUSED;

#endif
