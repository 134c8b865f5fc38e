/* What every provider fills: files, tensors by name and by place, attributes. Nothing a provider adds is taken
 * unchecked. */
#include "formats/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/file_map.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/names.h"
#include "runtime/base/quote.h"

typedef struct source_file {
    char *path;
    const char *name; /* the last component of path */
    pml_file_map map;
} source_file;

struct pml_source {
    const pml_format *format;
    char *path;
    pml_folder *folder;
    void *private_state;

    source_file *files;
    size_t n_files, file_capacity;

    pml_names tensor_names;     /* index = index into tensors */
    pml_source_tensor *tensors; /* in order of addition */
    size_t n_tensors, tensor_capacity;
    uint32_t *order; /* position by file, offset, name -> index into tensors */
    size_t n_ordered;
    void **copies; /* per position: bytes that a format's own `read` made */

    pml_names attribute_keys;
    char **attribute_values; /* by index of the key */
    size_t n_attributes, attribute_capacity;
};

/* Puts the source in front of a limit that was passed. */
static pml_status name_source(const pml_source *source, pml_status status, pml_error *error) {
    return status == PML_E_FORMAT ? pml_error_prefix(error, status, "%s", source->path) : status;
}

static const char *last_component(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static pml_status directory_of(const char *path, char **directory, pml_error *error) {
    const char *name = last_component(path);
    if (name == path) {
        return pml_string_copy(".", 1, directory, error);
    }
    size_t length = (size_t)(name - path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    return pml_string_copy(path, length, directory, error);
}

pml_status pml_source_create_in(pml_folder *folder, const char *path, const pml_format *format, pml_source **source,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_source *created = NULL;
    *source = NULL;
    PML_TRY(pml_alloc(1, sizeof *created, &created, error));
    created->format = format;
    created->folder = folder;
    folder = NULL;
    PML_TRY(pml_string_copy(path, strlen(path), &created->path, error));
    *source = created;
    created = NULL;
done:
    pml_folder_close(folder);
    pml_source_close(created);
    return status;
}

pml_status pml_source_create(const char *path, const pml_format *format, pml_source **source, pml_error *error) {
    pml_status status = PML_OK;
    char *directory = NULL;
    pml_folder *folder = NULL;
    PML_TRY(directory_of(path, &directory, error));
    PML_TRY(pml_folder_create(directory, &folder, error));
    PML_TRY(pml_source_create_in(folder, path, format, source, error));
done:
    pml_free(directory);
    return status;
}

void pml_source_close(pml_source *source) {
    if (source == NULL) {
        return;
    }
    if (source->format->close != NULL) {
        source->format->close(source);
    }
    for (size_t i = 0; i < source->n_files; i++) {
        pml_file_map_close(&source->files[i].map);
        pml_free(source->files[i].path);
    }
    for (size_t i = 0; source->copies != NULL && i < source->n_ordered; i++) {
        pml_free(source->copies[i]);
    }
    for (size_t i = 0; i < source->n_attributes; i++) {
        pml_free(source->attribute_values[i]);
    }
    pml_names_deinit(&source->tensor_names);
    pml_names_deinit(&source->attribute_keys);
    pml_free(source->attribute_values);
    pml_free(source->copies);
    pml_free(source->order);
    pml_free(source->tensors);
    pml_free(source->files);
    pml_folder_close(source->folder);
    pml_free(source->path);
    pml_free(source);
}

/* ---- files -------------------------------------------------------------------------------------------------- */
/* Takes `map` over, also on failure. */
static pml_status add_map(pml_source *source, const char *directory, const char *path, pml_file_map *map,
                          size_t *i_file, pml_error *error) {
    pml_status status = PML_OK;
    char *joined = NULL;
    PML_TRY(pml_grow(&source->files, &source->file_capacity, source->n_files + 1, sizeof *source->files, PML_MAX_SHARDS,
                     "files of one source", error));
    size_t directory_bytes = directory == NULL ? 0 : strlen(directory);
    PML_TRY(pml_alloc(directory_bytes + strlen(path) + 2, 1, &joined, error));
    if (directory_bytes > 0) {
        memcpy(joined, directory, directory_bytes);
        if (joined[directory_bytes - 1] != '/') {
            joined[directory_bytes++] = '/';
        }
    }
    memcpy(joined + directory_bytes, path, strlen(path) + 1);
    source->files[source->n_files] = (source_file){.path = joined, .name = last_component(joined), .map = *map};
    *map = (pml_file_map){0};
    *i_file = source->n_files++;
done:
    pml_file_map_close(map);
    return status;
}

pml_status pml_source_map(const pml_source *source, const char *path, pml_file_map *map, pml_error *error) {
    return pml_folder_map_path(source->folder, path, map, error);
}

pml_status pml_source_add_file(pml_source *source, const char *path, size_t *i_file, pml_error *error) {
    pml_status status = PML_OK;
    pml_file_map map = {0};
    PML_TRY(pml_source_map(source, path, &map, error));
    PML_TRY(add_map(source, NULL, path, &map, i_file, error));
done:
    return status;
}

pml_status pml_source_add_sibling(pml_source *source, const char *base_name, const char *named_by, size_t *i_file,
                                  pml_error *error) {
    pml_status status = PML_OK;
    pml_file_map map = {0};
    PML_TRY(pml_folder_map_sibling(source->folder, base_name, named_by, &map, error));
    PML_TRY(add_map(source, pml_folder_path(source->folder), base_name, &map, i_file, error));
done:
    return status;
}

pml_status pml_source_add_memory(pml_source *source, const char *path, const void *bytes, size_t size_bytes,
                                 size_t *i_file, pml_error *error) {
    pml_file_map map = {.data = size_bytes == 0 ? (const uint8_t *)"" : bytes, .size_bytes = size_bytes};
    return add_map(source, NULL, path, &map, i_file, error);
}

/* ---- tensors ------------------------------------------------------------------------------------------------ */
static pml_status tensor_fail(const pml_source *source, const pml_source_tensor *tensor, pml_status code,
                              const char *cause, pml_error *error) {
    pml_quoted name;
    return PML_FAIL_AT(error, code, tensor->offset_bytes, "%s: tensor %s at byte %llu: %s",
                       source->files[tensor->i_file].path, pml_quote(&name, tensor->name),
                       (unsigned long long)tensor->offset_bytes, cause);
}

/* Rank, dtype, size and range against the file. */
static pml_status check_tensor(const pml_source *source, const pml_source_tensor *tensor, pml_error *error) {
    char cause[160];
    if (tensor->rank > PML_MAX_RANK) {
        (void)snprintf(cause, sizeof cause, "has %u dimensions; at most %u are supported", tensor->rank, PML_MAX_RANK);
        return tensor_fail(source, tensor, PML_E_UNSUPPORTED, cause, error);
    }
    unsigned element_bits = pml_dtype_bits(tensor->dtype);
    if (element_bits == 0) {
        return tensor_fail(source, tensor, PML_E_UNSUPPORTED, "has an unknown dtype", error);
    }
    uint64_t n_elements, n_bits;
    if (!pml_ck_product(tensor->shape, tensor->rank, &n_elements) || !pml_ck_mul(n_elements, element_bits, &n_bits)) {
        return tensor_fail(source, tensor, PML_E_FORMAT, "the size of its shape overflows 64 bits", error);
    }
    if (n_bits % 8 != 0) {
        return tensor_fail(source, tensor, PML_E_FORMAT, "its elements do not fill whole bytes", error);
    }
    if (n_bits / 8 != tensor->size_bytes) {
        (void)snprintf(cause, sizeof cause, "its shape needs %llu bytes of %s, its byte range holds %llu",
                       (unsigned long long)(n_bits / 8), pml_dtype_name(tensor->dtype),
                       (unsigned long long)tensor->size_bytes);
        return tensor_fail(source, tensor, PML_E_FORMAT, cause, error);
    }
    uint64_t file_bytes = source->files[tensor->i_file].map.size_bytes;
    if (tensor->is_made && source->format->read == NULL) {
        return PML_FAIL(error, PML_E_ARGUMENT, "format %s makes no tensors", source->format->name);
    }
    if (!pml_ck_range(tensor->offset_bytes, tensor->is_made ? 0 : tensor->size_bytes, file_bytes)) {
        (void)snprintf(cause, sizeof cause, "its %llu bytes reach past the end of the file (%llu bytes)",
                       (unsigned long long)tensor->size_bytes, (unsigned long long)file_bytes);
        return tensor_fail(source, tensor, PML_E_FORMAT, cause, error);
    }
    return PML_OK;
}

static pml_status duplicate_fail(const pml_source *source, const pml_source_tensor *tensor, size_t i_first,
                                 pml_error *error) {
    const pml_source_tensor *first = &source->tensors[i_first];
    if (first->i_file == tensor->i_file) {
        return tensor_fail(source, tensor, PML_E_FORMAT, "the name stands twice in this file", error);
    }
    pml_quoted name;
    return PML_FAIL_AT(error, PML_E_FORMAT, tensor->offset_bytes, "%s: tensor %s at byte %llu: is in %s too",
                       source->files[tensor->i_file].path, pml_quote(&name, tensor->name),
                       (unsigned long long)tensor->offset_bytes, source->files[first->i_file].name);
}

pml_status pml_source_add_tensor(pml_source *source, const pml_source_tensor *tensor, pml_error *error) {
    pml_status status = PML_OK;
    size_t name_bytes = strlen(tensor->name);
    if (tensor->i_file >= source->n_files) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "file %u of %zu", tensor->i_file, source->n_files));
    }
    if (name_bytes > PML_MAX_NAME_BYTES) {
        PML_TRY(tensor_fail(source, tensor, PML_E_FORMAT, "the name is longer than 1024 bytes", error));
    }
    PML_TRY(check_tensor(source, tensor, error));
    status = pml_grow(&source->tensors, &source->tensor_capacity, source->n_tensors + 1, sizeof *source->tensors,
                      PML_MAX_TENSORS, "tensors in all files", error);
    PML_TRY(name_source(source, status, error));
    size_t i_tensor;
    bool is_new;
    PML_TRY(pml_names_add(&source->tensor_names, tensor->name, name_bytes, PML_MAX_TENSORS, "tensors", &i_tensor,
                          &is_new, error));
    if (!is_new) {
        PML_TRY(duplicate_fail(source, tensor, i_tensor, error));
    }
    source->tensors[i_tensor] = *tensor;
    source->tensors[i_tensor].name = pml_names_at(&source->tensor_names, i_tensor);
    source->n_tensors++;
done:
    return status;
}

static int compare_tensors(const void *left, const void *right, void *context) {
    const pml_source *source = context;
    const pml_source_tensor *a = &source->tensors[*(const uint32_t *)left];
    const pml_source_tensor *b = &source->tensors[*(const uint32_t *)right];
    if (a->i_file != b->i_file) {
        return a->i_file < b->i_file ? -1 : 1;
    }
    if (a->offset_bytes != b->offset_bytes) {
        return a->offset_bytes < b->offset_bytes ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

pml_status pml_source_sort(pml_source *source, pml_error *error) {
    pml_status status = PML_OK;
    if (source->order != NULL && source->n_ordered == source->n_tensors) {
        goto done;
    }
    pml_free(source->order);
    source->order = NULL;
    source->n_ordered = 0;
    PML_TRY(pml_alloc(source->n_tensors, sizeof *source->order, &source->order, error));
    source->n_ordered = source->n_tensors;
    bool is_sorted = true;
    for (size_t i = 0; i < source->n_tensors; i++) {
        source->order[i] = (uint32_t)i;
        is_sorted = is_sorted && (i == 0 || compare_tensors(&source->order[i - 1], &source->order[i], source) < 0);
    }
    if (!is_sorted) {
        qsort_r(source->order, source->n_ordered, sizeof *source->order, compare_tensors, source);
    }
done:
    return status;
}

size_t pml_source_n_tensors(const pml_source *source) {
    return source->n_ordered;
}

const pml_source_tensor *pml_source_tensor_at(const pml_source *source, size_t i_tensor) {
    return &source->tensors[source->order[i_tensor]];
}

const pml_source_tensor *pml_source_tensor_find(const pml_source *source, const char *name) {
    size_t i_tensor;
    return pml_names_find(&source->tensor_names, name, strlen(name), &i_tensor) ? &source->tensors[i_tensor] : NULL;
}

/* The position of a tensor of this source in its order. */
static size_t position_of(const pml_source *source, const pml_source_tensor *tensor) {
    uint32_t i_tensor = (uint32_t)(tensor - source->tensors);
    size_t low = 0, high = source->n_ordered;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_tensors(&source->order[middle], &i_tensor, (void *)(uintptr_t)source) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static pml_status read_copy(pml_source *source, const pml_source_tensor *tensor, const void **bytes, pml_error *error) {
    pml_status status = PML_OK;
    void *copy = NULL;
    size_t position = position_of(source, tensor), size_bytes;
    if (source->copies == NULL) {
        PML_TRY(pml_alloc(source->n_ordered, sizeof *source->copies, &source->copies, error));
    }
    if (source->copies[position] == NULL) {
        if (!pml_ck_size(tensor->size_bytes, &size_bytes)) {
            PML_TRY(tensor_fail(source, tensor, PML_E_MEMORY, "is too large for this machine", error));
        }
        PML_TRY(pml_alloc_aligned(size_bytes, &copy, error));
        PML_TRY(source->format->read(source, position, copy, error));
        source->copies[position] = copy;
        copy = NULL;
    }
    *bytes = source->copies[position];
done:
    pml_free(copy);
    return status;
}

pml_status pml_source_tensor_view(pml_source *source, const pml_source_tensor *tensor, const void **bytes,
                                  pml_error *error) {
    if (tensor->is_made) {
        return read_copy(source, tensor, bytes, error);
    }
    if (source->format->check != NULL) {
        pml_status status = source->format->check(source, position_of(source, tensor), error);
        if (status != PML_OK) {
            return status;
        }
    }
    *bytes = source->files[tensor->i_file].map.data + tensor->offset_bytes;
    return PML_OK;
}

void pml_source_tensor_release(pml_source *source, const pml_source_tensor *tensor) {
    if (tensor->is_made && source->copies != NULL) {
        void **copy = &source->copies[position_of(source, tensor)];
        pml_free(*copy);
        *copy = NULL;
    }
}

/* ---- attributes --------------------------------------------------------------------------------------------- */
pml_status pml_source_add_attribute(pml_source *source, const char *key, const char *value, pml_error *error) {
    pml_status status = PML_OK;
    char *copy = NULL;
    size_t i_key;
    bool is_new;
    if (pml_names_find(&source->attribute_keys, key, strlen(key), &i_key)) {
        goto done;
    }
    status = pml_grow(&source->attribute_values, &source->attribute_capacity, source->n_attributes + 1,
                      sizeof *source->attribute_values, PML_MAX_METADATA_KEYS, "metadata entries in all files", error);
    PML_TRY(name_source(source, status, error));
    PML_TRY(pml_string_copy(value, strlen(value), &copy, error));
    PML_TRY(pml_names_add(&source->attribute_keys, key, strlen(key), PML_MAX_METADATA_KEYS, "metadata entries", &i_key,
                          &is_new, error));
    source->attribute_values[source->n_attributes++] = copy;
    copy = NULL;
done:
    pml_free(copy);
    return status;
}

size_t pml_source_n_attributes(const pml_source *source) {
    return source->n_attributes;
}

void pml_source_attribute_at(const pml_source *source, size_t i, const char **key, const char **value) {
    bool is_there = i < source->n_attributes;
    *key = is_there ? pml_names_at(&source->attribute_keys, i) : NULL;
    *value = is_there ? source->attribute_values[i] : NULL;
}

const char *pml_source_attribute(const pml_source *source, const char *key) {
    size_t i_key;
    return pml_names_find(&source->attribute_keys, key, strlen(key), &i_key) ? source->attribute_values[i_key] : NULL;
}

/* ---- plain fields ------------------------------------------------------------------------------------------- */
const char *pml_source_path(const pml_source *source) {
    return source->path;
}

const char *pml_source_directory(const pml_source *source) {
    return pml_folder_path(source->folder);
}

const pml_folder *pml_source_folder(const pml_source *source) {
    return source->folder;
}

const pml_format *pml_source_format(const pml_source *source) {
    return source->format;
}

size_t pml_source_n_files(const pml_source *source) {
    return source->n_files;
}

const char *pml_source_file_name(const pml_source *source, size_t i_file) {
    return source->files[i_file].name;
}

const char *pml_source_file_path(const pml_source *source, size_t i_file) {
    return source->files[i_file].path;
}

uint64_t pml_source_file_size(const pml_source *source, size_t i_file) {
    return source->files[i_file].map.size_bytes;
}

const uint8_t *pml_source_file_data(const pml_source *source, size_t i_file) {
    return source->files[i_file].map.data;
}

void pml_source_set_private(pml_source *source, void *state) {
    source->private_state = state;
}

void *pml_source_private(const pml_source *source) {
    return source->private_state;
}

void pml_source_pair_complex(pml_source *source) {
    for (size_t i = 0; i < source->n_tensors; i++) {
        pml_source_tensor *tensor = &source->tensors[i];
        if (tensor->dtype == PML_DTYPE_C64 && tensor->rank < PML_MAX_RANK) {
            tensor->dtype = PML_DTYPE_F32;
            tensor->shape[tensor->rank++] = 2;
        }
    }
}
