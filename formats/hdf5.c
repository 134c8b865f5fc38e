/* HDF5, as Keras and Hugging Face's tf_model.h5 have it. libhdf5 runs in a process that can do nothing else (hdf5/): it
 * says which datasets there are and where; those that lie in one piece are mapped, others are read there on demand.
 * Without libhdf5 the format is known, and refused. */
#include <stdio.h>
#include <string.h>

#include "formats/format.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/quote.h"
#ifdef PML_WITH_HDF5
#include "formats/hdf5/hdf5_child.h"
#include "formats/hdf5/hdf5_library.h"
#endif

static unsigned probe_hdf5(const pml_probe *probe) {
    static const uint8_t signature[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    /* A block of the user's may stand in front, of 512 bytes or more, each time doubled. */
    for (size_t at = 0; at + sizeof signature <= probe->head_bytes; at = at == 0 ? 512 : at + at) {
        if (memcmp(probe->head + at, signature, sizeof signature) == 0) {
            return 64;
        }
    }
    return 0;
}

#ifdef PML_WITH_HDF5
static pml_status set_limits(const pml_source *source, uint64_t read_bytes, pml_hdf5_limits *limits, pml_error *error) {
    uint64_t file_bytes = pml_source_file_size(source, 0), seconds = 0;
    if (!pml_ck_add(file_bytes / PML_HDF5_BYTES_PER_SECOND, read_bytes / PML_HDF5_BYTES_PER_SECOND, &seconds) ||
        !pml_ck_add(seconds, PML_MAX_HDF5_SECONDS, &seconds) || seconds > 1000000 ||
        !pml_ck_mul(read_bytes, 3, &limits->memory_bytes) || /* itself, a chunk as it was stored and as it is */
        !pml_ck_add(limits->memory_bytes, PML_MAX_HDF5_LIBRARY_BYTES, &limits->memory_bytes)) {
        return PML_FAIL(error, PML_E_FORMAT, "%s: is too large", pml_source_path(source));
    }
    limits->seconds = (unsigned)seconds;
    return PML_OK;
}

static pml_status start(const pml_source *source, uint64_t read_bytes, void (*work)(const void *, int),
                        pml_hdf5_job *job, pml_hdf5_child *child, pml_error *error) {
    pml_status status = PML_OK;
    pml_hdf5_limits limits;
    job->bytes = pml_source_file_data(source, 0);
    job->size_bytes = (size_t)pml_source_file_size(source, 0);
    PML_TRY(set_limits(source, read_bytes, &limits, error));
    PML_TRY(pml_hdf5_child_start(pml_source_path(source), &limits, work, job, child, error));
done:
    return status;
}

/* The next record and its text; REFUSED becomes the failure that it says. */
static pml_status next_record(pml_hdf5_child *child, pml_hdf5_record *record, char text[PML_HDF5_MAX_TEXT_BYTES + 1],
                              pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_hdf5_child_read(child, record, sizeof *record, error));
    if (record->text_bytes > PML_HDF5_MAX_TEXT_BYTES || record->rank > PML_MAX_RANK || record->is_made > 1) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: the process that reads it talks nonsense", child->path));
    }
    PML_TRY(pml_hdf5_child_read(child, text, record->text_bytes, error));
    text[record->text_bytes] = '\0';
    if (record->kind == PML_HDF5_REFUSED) {
        pml_status code =
            record->code == PML_E_UNSUPPORTED || record->code == PML_E_MEMORY ? (pml_status)record->code : PML_E_FORMAT;
        for (char *c = text; *c != '\0'; c++) { /* its own texts are quoted already */
            *c = *c < ' ' || *c == 0x7f ? '?' : *c;
        }
        PML_TRY(PML_FAIL(error, code, "%s: %s", child->path, text));
    }
done:
    return status;
}

static pml_status list_tensors(pml_source *source, pml_hdf5_child *child, pml_error *error) {
    pml_status status = PML_OK;
    char name[PML_HDF5_MAX_TEXT_BYTES + 1];
    uint64_t made_bytes = 0, most_bytes;
    if (!pml_ck_mul(pml_source_file_size(source, 0), PML_MAX_HDF5_GROWTH, &most_bytes) ||
        !pml_ck_add(most_bytes, PML_MAX_HDF5_FREE_GROWTH_BYTES, &most_bytes)) {
        most_bytes = UINT64_MAX;
    }
    for (;;) {
        pml_hdf5_record record;
        PML_TRY(next_record(child, &record, name, error));
        if (record.kind == PML_HDF5_END) {
            break;
        }
        if (record.kind != PML_HDF5_TENSOR || strlen(name) != record.text_bytes) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: the process that reads it talks nonsense", child->path));
        }
        pml_source_tensor tensor = {.name = name,
                                    .dtype = (pml_dtype)record.code,
                                    .rank = record.rank,
                                    .is_made = record.is_made == 1,
                                    .offset_bytes = record.offset_bytes,
                                    .size_bytes = record.size_bytes};
        memcpy(tensor.shape, record.shape, sizeof tensor.shape);
        if (tensor.is_made && (!pml_ck_add(made_bytes, tensor.size_bytes, &made_bytes) || made_bytes > most_bytes)) {
            pml_quoted quoted;
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: tensor %s: the file grows more than %ufold when it is unpacked",
                             child->path, pml_quote(&quoted, name), PML_MAX_HDF5_GROWTH));
        }
        PML_TRY(pml_source_add_tensor(source, &tensor, error));
    }
done:
    return status;
}

static pml_status open_hdf5(const char *path, pml_source *source, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_file;
    pml_hdf5_child child = {0};
    pml_hdf5_job job = {0};
    PML_TRY(pml_source_add_file(source, path, &i_file, error));
    PML_TRY(start(source, 0, pml_hdf5_list, &job, &child, error));
    PML_TRY(list_tensors(source, &child, error));
done:
    pml_hdf5_child_end(&child);
    return status;
}

static pml_status read_hdf5(pml_source *source, size_t i_tensor, void *buffer, pml_error *error) {
    pml_status status = PML_OK;
    pml_hdf5_child child = {0};
    pml_hdf5_record record;
    char text[PML_HDF5_MAX_TEXT_BYTES + 1];
    const pml_source_tensor *tensor = pml_source_tensor_at(source, i_tensor);
    pml_hdf5_job job = {.name = tensor->name};
    PML_TRY(start(source, tensor->size_bytes, pml_hdf5_read, &job, &child, error));
    PML_TRY(next_record(&child, &record, text, error));
    if (record.kind != PML_HDF5_DATA || record.size_bytes != tensor->size_bytes) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: tensor '%.900s' is not what it was", pml_source_path(source), text));
    }
    PML_TRY(pml_hdf5_child_read(&child, buffer, (size_t)tensor->size_bytes, error));
done:
    pml_hdf5_child_end(&child);
    return status;
}
#else
static pml_status open_hdf5(const char *path, pml_source *source, pml_error *error) {
    (void)source;
    return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: is an HDF5 file; this pml was built without HDF5 (libhdf5)", path);
}
#endif

extern const pml_format pml_format_hdf5;
const pml_format pml_format_hdf5 = {
    .name = "hdf5",
    .description = "HDF5: weights of Keras, Hugging Face's tf_model.h5",
    .file_names = (const char *const[]){"tf_model.h5", NULL},
    .file_endings = (const char *const[]){".h5", ".hdf5", NULL},
    .probe = probe_hdf5,
    .open = open_hdf5,
#ifdef PML_WITH_HDF5
    .read = read_hdf5,
#endif
};
