/* Reading a .pml file (specs/pml-format.md): a checked, mapped, read-only view. Floors above see only this. */
#ifndef PML_RUNTIME_FILE_READER_H
#define PML_RUNTIME_FILE_READER_H

#include "runtime/base/limits.h"
#include "runtime/file/layout.h"
#include "runtime/file/metadata.h"

typedef enum pml_file_kind { PML_KIND_MODEL = 1, PML_KIND_ADAPTER = 2, PML_KIND_CHECKPOINT = 3 } pml_file_kind;

typedef struct pml_file_extent { /* a stored array beside a quantized tensor; all 0: there is none */
    uint64_t offset_bytes;       /* from the start of the file */
    uint64_t size_bytes;
    uint64_t checksum; /* XXH3-64 of the stored bytes */
} pml_file_extent;

typedef struct pml_file_tensor { /* pointers are owned by the pml_file */
    const char *name;
    pml_dtype dtype;
    pml_layout layout;
    unsigned rank;
    uint64_t shape[PML_MAX_RANK]; /* logical */
    uint64_t offset_bytes;        /* from the start of the file */
    uint64_t size_bytes;          /* == pml_layout_size */
    uint64_t checksum;            /* XXH3-64 of the stored bytes */
    const char *transforms;       /* what the converter did to the source, such as "transpose"; "" for nothing */
    double quantization_error;    /* relative RMS of what rounding took away; 0 for exact */
    pml_file_extent scales;       /* I8 only, see pml_layout_scales */
    pml_file_extent sums;
    uint32_t group_rows; /* I8: rows per scale, 0 = one scale per column */
    float scale_factor;  /* I8 in groups: what every F16 scale is multiplied by */
} pml_file_tensor;

typedef struct pml_file_blob {
    const char *name; /* such as "selftest" */
    const uint8_t *data;
    uint64_t size_bytes;
    uint64_t offset_bytes;
    uint64_t checksum;
} pml_file_blob;

const char *pml_file_path(const pml_file *file); /* as given to pml_file_open */
uint64_t pml_file_size(const pml_file *file);
pml_file_kind pml_file_get_kind(const pml_file *file);
void pml_file_version(const pml_file *file, unsigned *major, unsigned *minor);
/* Both of 16 bytes: the file's own, and that of the base model that an adapter or checkpoint belongs to (or zeros). */
const uint8_t *pml_file_content_digest(const pml_file *file);
const uint8_t *pml_file_base_digest(const pml_file *file);
/* 16 bytes as 32 hexadecimal digits into a buffer of PML_DIGEST_TEXT_BYTES; returns it. */
#define PML_DIGEST_TEXT_BYTES 33u
const char *pml_digest_text(const uint8_t *digest, char *text);
const pml_metadata *pml_file_metadata(const pml_file *file);

size_t pml_file_n_tensors(const pml_file *file);
const pml_file_tensor *pml_file_tensor_at(const pml_file *file, size_t i_tensor);    /* ascending names */
const pml_file_tensor *pml_file_tensor_find(const pml_file *file, const char *name); /* NULL: absent; O(log n) */
/* The mapped bytes: 64-byte aligned, valid until the file is closed, read-only. */
const void *pml_file_tensor_data(const pml_file *file, const pml_file_tensor *tensor);
/* Those of scales or sums; NULL where there are none. */
const void *pml_file_extent_data(const pml_file *file, const pml_file_extent *extent);

size_t pml_file_n_blobs(const pml_file *file);
const pml_file_blob *pml_file_blob_at(const pml_file *file, size_t i_blob);
const pml_file_blob *pml_file_blob_find(const pml_file *file, const char *name);

#endif
