/* Look-ups in an open file; everything here was checked when it was opened. */
#include <stdio.h>
#include <string.h>

#include "runtime/file/file.h"

const char *pml_file_path(const pml_file *file) {
    return file->path;
}

uint64_t pml_file_size(const pml_file *file) {
    return file->size_bytes;
}

pml_file_kind pml_file_get_kind(const pml_file *file) {
    return (pml_file_kind)file->header.kind;
}

void pml_file_version(const pml_file *file, unsigned *major, unsigned *minor) {
    *major = file->header.version_major;
    *minor = file->header.version_minor;
}

const uint8_t *pml_file_content_digest(const pml_file *file) {
    return file->header.content_digest;
}

const uint8_t *pml_file_base_digest(const pml_file *file) {
    return file->header.base_digest;
}

const char *pml_digest_text(const uint8_t *digest, char *text) {
    for (size_t i = 0; i < 16; i++) {
        snprintf(text + 2 * i, 3, "%02x", (unsigned)digest[i]);
    }
    return text;
}

const pml_metadata *pml_file_metadata(const pml_file *file) {
    return file->metadata;
}

size_t pml_file_n_tensors(const pml_file *file) {
    return file->header.n_tensors;
}

const pml_file_tensor *pml_file_tensor_at(const pml_file *file, size_t i_tensor) {
    return i_tensor < file->header.n_tensors ? &file->tensors[i_tensor] : NULL;
}

const pml_file_tensor *pml_file_tensor_find(const pml_file *file, const char *name) {
    size_t low = 0, high = file->header.n_tensors;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(file->tensors[middle].name, name);
        if (order == 0) {
            return &file->tensors[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const void *pml_file_tensor_data(const pml_file *file, const pml_file_tensor *tensor) {
    return file->bytes + tensor->offset_bytes;
}

const void *pml_file_extent_data(const pml_file *file, const pml_file_extent *extent) {
    return extent->size_bytes == 0 ? NULL : file->bytes + extent->offset_bytes;
}

size_t pml_file_n_blobs(const pml_file *file) {
    return file->header.n_blobs;
}

const pml_file_blob *pml_file_blob_at(const pml_file *file, size_t i_blob) {
    return i_blob < file->header.n_blobs ? &file->blobs[i_blob] : NULL;
}

const pml_file_blob *pml_file_blob_find(const pml_file *file, const char *name) {
    for (size_t i = 0; i < file->header.n_blobs; i++) {
        if (strcmp(file->blobs[i].name, name) == 0) {
            return &file->blobs[i];
        }
    }
    return NULL;
}
