/* NumPy: .npy, one array under the name of its file, and .npz, a zip file of them. Parts: numpy/. */
#include <stdio.h>
#include <string.h>

#include "formats/file_map.h"
#include "formats/numpy/npy_order.h"
#include "formats/numpy/numpy_open.h"
#include "formats/source.h"
#include "formats/zip_directory.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/names.h"
#include "runtime/base/quote.h"

static const char ENDING[] = ".npy";

typedef struct array {
    pml_npy_header header;
    uint64_t n_elements;
    const pml_zip_entry *entry; /* NULL: a file of its own */
    bool is_checked;            /* its checksum holds */
} array;

typedef struct numpy_state {
    pml_zip zip;
    pml_names names; /* of tensors; index = index into arrays */
    array *arrays;
    size_t n_arrays, capacity;
} numpy_state;

/* The first member of an archive is an array. */
static bool begins_with_array(const pml_probe *probe) {
    enum { NAME_LENGTH_AT = 26, NAME_AT = 30 };
    const uint8_t *head = probe->head;
    if (probe->head_bytes < NAME_AT || !pml_zip_is_archive(head, probe->head_bytes)) {
        return false;
    }
    const size_t name_bytes = (size_t)head[NAME_LENGTH_AT] | (size_t)head[NAME_LENGTH_AT + 1] << 8;
    const size_t ending_bytes = sizeof ENDING - 1;
    return name_bytes >= ending_bytes && name_bytes <= probe->head_bytes - NAME_AT &&
           memcmp(head + NAME_AT + name_bytes - ending_bytes, ENDING, ending_bytes) == 0;
}

static unsigned probe_numpy(const pml_probe *probe) {
    if (pml_npy_is_array(probe->head, probe->head_bytes)) {
        return 64;
    }
    const bool has_ending = pml_name_ends_with(probe->base_name, ".npz");
    if (begins_with_array(probe)) {
        return has_ending ? 80 : 48;
    }
    return has_ending && pml_zip_is_archive(probe->head, probe->head_bytes) ? 48 : 0;
}

/* Adds one array; `begin` is where its file or member begins, `size_bytes` what it has, header included. */
static pml_status add_array(pml_source *source, size_t i_file, const char *name, const char *shown, const array *given,
                            uint64_t begin, uint64_t size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    numpy_state *state = pml_source_private(source);
    array added = *given;
    const pml_npy_header *header = &added.header;
    const bool is_deflated = added.entry != NULL && added.entry->method != PML_ZIP_STORED;
    size_t i_name;
    bool is_new;
    pml_source_tensor tensor = {.name = name,
                                .dtype = header->dtype,
                                .rank = header->rank,
                                .i_file = (unsigned)i_file,
                                .offset_bytes = is_deflated ? begin : begin + header->header_bytes,
                                .is_made = is_deflated || header->is_fortran || header->swap_bytes > 0};
    memcpy(tensor.shape, header->shape, sizeof tensor.shape);
    if (!pml_ck_product(tensor.shape, tensor.rank, &added.n_elements) ||
        !pml_ck_mul(added.n_elements, pml_dtype_bits(tensor.dtype) / 8, &tensor.size_bytes)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: the size of its shape overflows 64 bits", shown));
    }
    if (tensor.size_bytes != size_bytes - header->header_bytes) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: its shape needs %llu bytes of %s, %llu follow the header", shown,
                         (unsigned long long)tensor.size_bytes, pml_dtype_name(tensor.dtype),
                         (unsigned long long)(size_bytes - header->header_bytes)));
    }
    PML_TRY(pml_source_add_tensor(source, &tensor, error));
    PML_TRY(pml_grow(&state->arrays, &state->capacity, state->n_arrays + 1, sizeof *state->arrays, PML_MAX_TENSORS,
                     "arrays", error));
    PML_TRY(pml_names_add(&state->names, name, strlen(name), PML_MAX_TENSORS, "arrays", &i_name, &is_new, error));
    state->arrays[state->n_arrays++] = added;
done:
    return status;
}

/* ---- one array ---- */
static pml_status add_npy(pml_source *source, size_t i_file, pml_error *error) {
    pml_status status = PML_OK;
    array single = {0};
    char *name = NULL;
    const char *file_name = pml_source_file_name(source, i_file), *path = pml_source_file_path(source, i_file);
    const uint64_t size_bytes = pml_source_file_size(source, i_file);
    const size_t n_cut = pml_name_ends_with(file_name, ENDING) ? strlen(ENDING) : 0;
    PML_TRY(pml_string_copy(file_name, strlen(file_name) - n_cut, &name, error));
    PML_TRY(pml_npy_header_read(pml_source_file_data(source, i_file), (size_t)size_bytes, path, &single.header, error));
    PML_TRY(add_array(source, i_file, name, path, &single, 0, size_bytes, error));
done:
    pml_free(name);
    return status;
}

/* ---- a zip file of arrays ---- */
/* The header of a member: where it lies, or from its first bytes, unpacked into `head`. */
static pml_status read_member_header(const numpy_state *state, const pml_zip_entry *entry, const char *shown,
                                     uint8_t *head, pml_npy_header *header, pml_error *error) {
    pml_status status = PML_OK;
    const uint8_t *bytes = head;
    size_t n_bytes = (size_t)entry->size_bytes;
    if (entry->method == PML_ZIP_STORED) {
        bytes = state->zip.data + entry->data_offset;
    } else {
        n_bytes = entry->size_bytes < PML_NPY_MAX_HEADER_BYTES ? n_bytes : PML_NPY_MAX_HEADER_BYTES;
        PML_TRY(pml_zip_peek(&state->zip, entry, head, n_bytes, error));
    }
    PML_TRY(pml_npy_header_read(bytes, n_bytes, shown, header, error));
done:
    return status;
}

static pml_status add_member(pml_source *source, size_t i_file, const pml_zip_entry *entry, uint8_t *head,
                             pml_error *error) {
    pml_status status = PML_OK;
    const numpy_state *state = pml_source_private(source);
    array member = {.entry = entry};
    char *name = NULL, *shown = NULL;
    pml_quoted quoted;
    const char *path = pml_source_file_path(source, i_file);
    const size_t shown_bytes = strlen(path) + sizeof quoted + 16;
    pml_quote(&quoted, entry->name);
    PML_TRY(pml_alloc(shown_bytes, 1, &shown, error));
    (void)snprintf(shown, shown_bytes, "%s: member %s", path, quoted.text);
    if (!pml_name_ends_with(entry->name, ENDING)) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: is no .npy file", shown));
    }
    PML_TRY(pml_string_copy(entry->name, strlen(entry->name) - strlen(ENDING), &name, error));
    PML_TRY(read_member_header(state, entry, shown, head, &member.header, error));
    PML_TRY(add_array(source, i_file, name, shown, &member, entry->data_offset, entry->size_bytes, error));
done:
    pml_free(name);
    pml_free(shown);
    return status;
}

static pml_status add_npz(pml_source *source, size_t i_file, pml_error *error) {
    pml_status status = PML_OK;
    numpy_state *state = pml_source_private(source);
    uint8_t *head = NULL;
    PML_TRY(pml_alloc(PML_NPY_MAX_HEADER_BYTES, 1, &head, error));
    PML_TRY(pml_zip_open(pml_source_file_data(source, i_file), pml_source_file_size(source, i_file),
                         pml_source_file_path(source, i_file), &state->zip, error));
    for (size_t i = 0; i < state->zip.n_entries; i++) {
        PML_TRY(add_member(source, i_file, &state->zip.entries[i], head, error));
    }
done:
    pml_free(head);
    return status;
}

pml_status pml_numpy_open(pml_source *source, size_t i_file, pml_error *error) {
    pml_status status = PML_OK;
    numpy_state *state = NULL;
    PML_TRY(pml_alloc(1, sizeof *state, &state, error));
    pml_source_set_private(source, state);
    const bool is_array =
        pml_npy_is_array(pml_source_file_data(source, i_file), (size_t)pml_source_file_size(source, i_file));
    PML_TRY(is_array ? add_npy(source, i_file, error) : add_npz(source, i_file, error));
done:
    return status;
}

static pml_status open_numpy(const char *path, pml_source *source, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_file;
    PML_TRY(pml_source_add_file(source, path, &i_file, error));
    PML_TRY(pml_numpy_open(source, i_file, error));
done:
    return status;
}

/* ---- elements ---- */
static array *array_of(pml_source *source, size_t i_tensor) {
    numpy_state *state = pml_source_private(source);
    const char *name = pml_source_tensor_at(source, i_tensor)->name;
    size_t i_array = 0;
    (void)pml_names_find(&state->names, name, strlen(name), &i_array); /* every tensor is one of the arrays */
    return &state->arrays[i_array];
}

/* A stored member's checksum, once. */
static pml_status check_stored(pml_source *source, array *a, pml_error *error) {
    pml_status status = PML_OK;
    const numpy_state *state = pml_source_private(source);
    if (a->entry != NULL && a->entry->method == PML_ZIP_STORED && !a->is_checked) {
        PML_TRY(pml_zip_check(&state->zip, a->entry, error));
        a->is_checked = true;
    }
done:
    return status;
}

static pml_status check_numpy(pml_source *source, size_t i_tensor, pml_error *error) {
    return check_stored(source, array_of(source, i_tensor), error);
}

static pml_status read_numpy(pml_source *source, size_t i_tensor, void *buffer, pml_error *error) {
    pml_status status = PML_OK;
    const numpy_state *state = pml_source_private(source);
    const pml_source_tensor *tensor = pml_source_tensor_at(source, i_tensor);
    array *a = array_of(source, i_tensor);
    const uint8_t *bytes = pml_source_file_data(source, tensor->i_file) + tensor->offset_bytes;
    uint8_t *member = NULL;
    size_t member_bytes;
    PML_TRY(check_stored(source, a, error));
    if (a->entry != NULL && a->entry->method != PML_ZIP_STORED) {
        if (!pml_ck_size(a->entry->size_bytes, &member_bytes)) {
            PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: a member is too large for this machine", state->zip.path));
        }
        PML_TRY(pml_alloc_aligned(member_bytes, (void **)&member, error));
        PML_TRY(pml_zip_read(&state->zip, a->entry, member, error));
        bytes = member + a->header.header_bytes;
    }
    pml_npy_order(&a->header, bytes, a->n_elements, buffer);
done:
    pml_free(member);
    return status;
}

static void close_numpy(pml_source *source) {
    numpy_state *state = pml_source_private(source);
    if (state != NULL) {
        pml_zip_deinit(&state->zip);
        pml_names_deinit(&state->names);
        pml_free(state->arrays);
        pml_free(state);
    }
}

extern const pml_format pml_format_numpy;
const pml_format pml_format_numpy = {
    .name = "numpy",
    .description = "NumPy: an .npz file of arrays, or one .npy file",
    .file_endings = (const char *const[]){".npz", NULL},
    .probe = probe_numpy,
    .open = open_numpy,
    .read = read_numpy,
    .check = check_numpy,
    .close = close_numpy,
};
