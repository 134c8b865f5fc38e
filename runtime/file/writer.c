#include "runtime/file/writer.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/names.h"
#include "runtime/base/publish.h"
#include "runtime/file/record.h"

typedef unsigned long long ull; /* for messages */

/* One extent of a tensor on its way into the file. */
typedef struct stream {
    uint64_t offset_bytes, size_bytes;
    uint64_t written_bytes;
    uint64_t checksum;   /* once everything is written */
    XXH3_state_t *state; /* exists while it is partly written */
} stream;

typedef struct declared_tensor {
    pml_file_tensor tensor; /* name belongs to writer->names, transforms to this; extents are filled from streams */
    char *transforms;
    stream streams[PML_EXTENT_COUNT];
} declared_tensor;

typedef struct declared_blob {
    pml_blob_record record;
    char *name;
    uint8_t *data;
} declared_blob;

typedef enum writer_phase { PHASE_DECLARING, PHASE_STREAMING, PHASE_FINISHED } writer_phase;

struct pml_writer {
    writer_phase phase;
    uint8_t base_digest[16];
    uint32_t kind;
    uint8_t *metadata; /* encoded, with provenance */
    size_t metadata_bytes;
    uint8_t *content; /* encoded, without */
    size_t content_bytes;
    pml_names names; /* of tensors: index in names == index in tensors */
    declared_tensor *tensors;
    size_t n_tensors, tensor_capacity;
    declared_blob *blobs; /* ascending names */
    size_t n_blobs, blob_capacity;
    size_t *order; /* tensors by ascending name */
    pml_header header;
    pml_publish *publish;
};

pml_status pml_writer_create(pml_file_kind kind, pml_writer **writer, pml_error *error) {
    pml_status status;
    pml_writer *created = NULL;
    pml_metadata *empty = NULL;
    PML_TRY(pml_alloc(1, sizeof *created, &created, error));
    created->kind = (uint32_t)kind;
    PML_TRY(pml_metadata_create(&empty, error));
    PML_TRY(pml_writer_set_metadata(created, empty, error));
    *writer = created;
    created = NULL;
done:
    pml_metadata_destroy(empty);
    pml_writer_destroy(created);
    return status;
}

void pml_writer_destroy(pml_writer *writer) {
    if (writer == NULL) {
        return;
    }
    for (size_t i = 0; i < writer->n_tensors; i++) {
        pml_free(writer->tensors[i].transforms);
        for (size_t k = 0; k < PML_EXTENT_COUNT; k++) {
            pml_free(writer->tensors[i].streams[k].state);
        }
    }
    for (size_t i = 0; i < writer->n_blobs; i++) {
        pml_free(writer->blobs[i].name);
        pml_free(writer->blobs[i].data);
    }
    pml_publish_abort(writer->publish);
    pml_names_deinit(&writer->names);
    pml_free(writer->tensors);
    pml_free(writer->blobs);
    pml_free(writer->order);
    pml_free(writer->metadata);
    pml_free(writer->content);
    pml_free(writer);
}

static pml_status expect_phase(const pml_writer *writer, writer_phase phase, const char *what, pml_error *error) {
    return writer->phase == phase ? PML_OK
                                  : PML_FAIL(error, PML_E_ARGUMENT, "%s is not possible %s", what,
                                             writer->phase == PHASE_DECLARING ? "before begin" : "any more");
}

/* ---- declarations ---- */

pml_status pml_writer_set_base_digest(pml_writer *writer, const uint8_t digest[16], pml_error *error) {
    pml_status status;
    PML_TRY(expect_phase(writer, PHASE_DECLARING, "setting the base digest", error));
    if (writer->kind == PML_KIND_MODEL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a model has no base"));
    }
    memcpy(writer->base_digest, digest, 16);
done:
    return status;
}

pml_status pml_writer_set_metadata(pml_writer *writer, const pml_metadata *metadata, pml_error *error) {
    pml_status status;
    uint8_t *full = NULL, *content = NULL;
    size_t full_bytes, content_bytes;
    if (writer->phase == PHASE_FINISHED) {
        PML_TRY(expect_phase(writer, PHASE_STREAMING, "setting metadata", error));
    }
    PML_TRY(pml_metadata_encode(metadata, true, &full, &full_bytes, error));
    PML_TRY(pml_metadata_encode(metadata, false, &content, &content_bytes, error));
    if (writer->phase == PHASE_STREAMING && full_bytes != writer->metadata_bytes) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "metadata of %zu bytes cannot take the place of %zu bytes", full_bytes,
                         writer->metadata_bytes));
    }
    pml_free(writer->metadata);
    pml_free(writer->content);
    writer->metadata = full;
    writer->metadata_bytes = full_bytes;
    writer->content = content;
    writer->content_bytes = content_bytes;
    full = content = NULL;
done:
    pml_free(full);
    pml_free(content);
    return status;
}

static pml_status check_name(const char *name, const char *what, pml_error *error) {
    size_t length = strnlen(name, PML_MAX_NAME_BYTES + 1);
    return length > 0 && length <= PML_MAX_NAME_BYTES && pml_text_is_valid(name, length, true)
               ? PML_OK
               : PML_FAIL(error, PML_E_ARGUMENT,
                          "a %s name must have 1 to %u bytes of UTF-8 without control characters: '%.100s'", what,
                          PML_MAX_NAME_BYTES, name);
}

/* A shape or dtype that the format cannot hold is the caller's mistake here, not a file's. */
static pml_status check_shape(declared_tensor *declared, pml_error *error) {
    const pml_file_tensor *tensor = &declared->tensor;
    stream *streams = declared->streams;
    if (tensor->dtype != PML_DTYPE_F32 && tensor->dtype != PML_DTYPE_BF16 && tensor->dtype != PML_DTYPE_I8) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "tensor '%.200s': dtype %s is not written by this version",
                        tensor->name, pml_dtype_name(tensor->dtype));
    }
    pml_status status = pml_layout_size(tensor->layout, tensor->dtype, tensor->shape, tensor->rank,
                                        &streams[PML_EXTENT_DATA].size_bytes, error);
    if (status == PML_OK) {
        status = pml_layout_scales(tensor->dtype, tensor->shape, tensor->rank, tensor->group_rows,
                                   &streams[PML_EXTENT_SCALES].size_bytes, &streams[PML_EXTENT_SUMS].size_bytes, error);
    }
    if (status == PML_E_FORMAT) {
        status = PML_E_ARGUMENT;
        if (error != NULL) {
            error->code = status;
        }
    }
    return status == PML_OK ? status : pml_error_prefix(error, status, "tensor '%.200s'", tensor->name);
}

pml_status pml_writer_add_tensor(pml_writer *writer, const char *name, pml_dtype dtype, pml_layout layout,
                                 const uint64_t *shape, unsigned rank, const char *transforms, size_t *i_tensor,
                                 pml_error *error) {
    return pml_writer_add_grouped(writer, name, dtype, layout, 0, shape, rank, transforms, i_tensor, error);
}

pml_status pml_writer_add_grouped(pml_writer *writer, const char *name, pml_dtype dtype, pml_layout layout,
                                  uint32_t group_rows, const uint64_t *shape, unsigned rank, const char *transforms,
                                  size_t *i_tensor, pml_error *error) {
    pml_status status;
    declared_tensor declared = {
        .tensor = {.name = name, .dtype = dtype, .layout = layout, .rank = rank, .group_rows = group_rows}};
    bool is_new;
    size_t index;
    const char *text = transforms == NULL ? "" : transforms;
    size_t text_bytes = strnlen(text, PML_MAX_NAME_BYTES + 1);
    PML_TRY(expect_phase(writer, PHASE_DECLARING, "adding a tensor", error));
    PML_TRY(check_name(name, "tensor", error));
    if (text_bytes > PML_MAX_NAME_BYTES || !pml_text_is_valid(text, text_bytes, true)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "tensor '%.200s': a transform list has at most %u bytes of UTF-8", name,
                         PML_MAX_NAME_BYTES));
    }
    if (writer->n_tensors == PML_MAX_TENSORS) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a file holds at most %u tensors", PML_MAX_TENSORS));
    }
    if (rank > PML_MAX_RANK) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "tensor '%.200s': rank %u is above %u", name, rank, PML_MAX_RANK));
    }
    memcpy(declared.tensor.shape, shape, rank * sizeof *shape);
    PML_TRY(check_shape(&declared, error));
    PML_TRY(pml_grow(&writer->tensors, &writer->tensor_capacity, writer->n_tensors + 1, sizeof *writer->tensors,
                     PML_MAX_TENSORS, "tensors", error));
    PML_TRY(pml_string_copy(text, text_bytes, &declared.transforms, error));
    PML_TRY(pml_names_add(&writer->names, name, strlen(name), PML_MAX_TENSORS, "tensors", &index, &is_new, error));
    if (!is_new) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "tensor '%.200s' is declared twice", name));
    }
    declared.tensor.name = pml_names_at(&writer->names, index);
    declared.tensor.transforms = declared.transforms;
    writer->tensors[writer->n_tensors++] = declared;
    declared.transforms = NULL;
    *i_tensor = index;
done:
    pml_free(declared.transforms);
    return status;
}

pml_status pml_writer_add_blob(pml_writer *writer, const char *name, const void *data, size_t size_bytes,
                               pml_error *error) {
    pml_status status;
    declared_blob blob = {.record = {.size_bytes = size_bytes}};
    void *copy = NULL;
    PML_TRY(expect_phase(writer, PHASE_DECLARING, "adding a blob", error));
    PML_TRY(check_name(name, "blob", error));
    size_t index = 0;
    while (index < writer->n_blobs && strcmp(writer->blobs[index].name, name) < 0) {
        index++;
    }
    if (index < writer->n_blobs && strcmp(writer->blobs[index].name, name) == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "blob '%.200s' is declared twice", name));
    }
    if (writer->n_blobs == PML_MAX_BLOBS) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a file holds at most %u blobs", PML_MAX_BLOBS));
    }
    PML_TRY(pml_grow(&writer->blobs, &writer->blob_capacity, writer->n_blobs + 1, sizeof *writer->blobs, PML_MAX_BLOBS,
                     "blobs", error));
    PML_TRY(pml_alloc_aligned(size_bytes, &copy, error));
    PML_TRY(pml_string_copy(name, strlen(name), &blob.name, error));
    if (size_bytes > 0) {
        memcpy(copy, data, size_bytes);
    }
    blob.data = copy;
    copy = NULL;
    blob.record.name_bytes = (uint32_t)strlen(name);
    blob.record.checksum = pml_bytes_checksum(blob.data, size_bytes);
    memmove(writer->blobs + index + 1, writer->blobs + index, (writer->n_blobs - index) * sizeof blob);
    writer->blobs[index] = blob;
    writer->n_blobs++;
done:
    pml_free(copy);
    return status;
}

/* ---- where everything goes ---- */

static int compare_names(const void *a, const void *b, void *tensors) {
    const declared_tensor *declared = tensors;
    return strcmp(declared[*(const size_t *)a].tensor.name, declared[*(const size_t *)b].tensor.name);
}

/* The next section: aligned, of a size known from the declarations. */
static bool place_section(pml_header *header, pml_section_id id, uint64_t size_bytes, uint64_t *end) {
    pml_section *section = &header->sections[id];
    section->size_bytes = size_bytes;
    return pml_ck_pad(*end, PML_SECTION_ALIGNMENT_BYTES, &section->offset_bytes) &&
           pml_ck_add(section->offset_bytes, size_bytes, end);
}

/* An absent extent has neither place nor bytes. */
static bool place_extent(stream *extent, uint64_t *end) {
    return extent->size_bytes == 0 ||
           (pml_ck_pad(*end, pml_extent_alignment(extent->size_bytes), &extent->offset_bytes) &&
            pml_ck_add(extent->offset_bytes, extent->size_bytes, end));
}

static bool place_all(pml_writer *writer) {
    pml_header *h = &writer->header;
    uint64_t end = PML_HEADER_BYTES, strings_bytes = 0;
    for (size_t i = 0; i < writer->n_tensors; i++) {
        const pml_file_tensor *tensor = &writer->tensors[i].tensor;
        strings_bytes += strlen(tensor->name) + strlen(tensor->transforms) + 2;
    }
    for (size_t i = 0; i < writer->n_blobs; i++) {
        strings_bytes += writer->blobs[i].record.name_bytes + 1;
    }
    bool fits = place_section(h, PML_SECTION_METADATA, writer->metadata_bytes, &end) &&
                place_section(h, PML_SECTION_TENSORS, writer->n_tensors * PML_TENSOR_RECORD_BYTES, &end) &&
                place_section(h, PML_SECTION_STRINGS, strings_bytes, &end) &&
                place_section(h, PML_SECTION_BLOBS, writer->n_blobs * PML_BLOB_RECORD_BYTES, &end) &&
                place_section(h, PML_SECTION_BLOB_DATA, 0, &end);
    for (size_t i = 0; fits && i < writer->n_blobs; i++) {
        pml_blob_record *record = &writer->blobs[i].record;
        fits = pml_ck_pad(end, PML_TENSOR_ALIGNMENT_BYTES, &record->offset_bytes) &&
               pml_ck_add(record->offset_bytes, record->size_bytes, &end);
    }
    h->sections[PML_SECTION_BLOB_DATA].size_bytes = end - h->sections[PML_SECTION_BLOB_DATA].offset_bytes;
    fits = fits && place_section(h, PML_SECTION_TENSOR_DATA, 0, &end);
    for (size_t i = 0; fits && i < writer->n_tensors; i++) {
        declared_tensor *declared = &writer->tensors[writer->order[i]];
        for (size_t k = 0; fits && k < PML_EXTENT_COUNT; k++) {
            fits = place_extent(&declared->streams[k], &end);
        }
    }
    /* The last line is whole, so that every tensor may be read in lines of 64 bytes. */
    if (!fits || !pml_ck_pad(end, PML_TENSOR_ALIGNMENT_BYTES, &end) || end > INT64_MAX) {
        return false;
    }
    h->sections[PML_SECTION_TENSOR_DATA].size_bytes = end - h->sections[PML_SECTION_TENSOR_DATA].offset_bytes;
    h->file_bytes = end;
    return true;
}

static pml_status plan(pml_writer *writer, pml_error *error) {
    pml_status status;
    pml_free(writer->order);
    writer->order = NULL;
    PML_TRY(pml_alloc(writer->n_tensors, sizeof *writer->order, &writer->order, error));
    for (size_t i = 0; i < writer->n_tensors; i++) {
        writer->order[i] = i;
    }
    qsort_r(writer->order, writer->n_tensors, sizeof *writer->order, compare_names, writer->tensors);
    writer->header = (pml_header){.version_major = PML_FORMAT_MAJOR,
                                  .version_minor = PML_FORMAT_MINOR,
                                  .header_bytes = PML_HEADER_BYTES,
                                  .kind = writer->kind,
                                  .i_part = 1,
                                  .n_parts = 1,
                                  .n_tensors = (uint32_t)writer->n_tensors,
                                  .tensor_record_bytes = PML_TENSOR_RECORD_BYTES,
                                  .n_blobs = (uint32_t)writer->n_blobs,
                                  .blob_record_bytes = PML_BLOB_RECORD_BYTES};
    if (!place_all(writer)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the tensors are larger than a file can be"));
    }
done:
    return status;
}

pml_status pml_writer_planned_size(pml_writer *writer, uint64_t *size_bytes, pml_error *error) {
    pml_status status = writer->phase == PHASE_DECLARING ? plan(writer, error) : PML_OK;
    if (status == PML_OK) {
        *size_bytes = writer->header.file_bytes;
    }
    return status;
}

pml_status pml_writer_begin(pml_writer *writer, const char *path, bool replace, pml_error *error) {
    pml_status status;
    PML_TRY(expect_phase(writer, PHASE_DECLARING, "beginning", error));
    PML_TRY(plan(writer, error));
    PML_TRY(pml_publish_begin(path, writer->header.file_bytes, replace, &writer->publish, error));
    writer->phase = PHASE_STREAMING;
done:
    return status;
}

/* ---- streaming ---- */

static pml_status hash_bytes(stream *extent, const void *bytes, size_t size_bytes, pml_error *error) {
    if (extent->written_bytes == 0 && size_bytes == extent->size_bytes) {
        extent->checksum = pml_bytes_checksum(bytes, size_bytes);
        return PML_OK;
    }
    if (extent->state == NULL) {
        void *state;
        pml_status status = pml_alloc_aligned(sizeof *extent->state, &state, error);
        if (status != PML_OK) {
            return status;
        }
        extent->state = state;
        XXH3_INITSTATE(extent->state);
        (void)XXH3_64bits_reset(extent->state);
    }
    (void)XXH3_64bits_update(extent->state, bytes, size_bytes);
    if (extent->written_bytes + size_bytes == extent->size_bytes) {
        extent->checksum = XXH3_64bits_digest(extent->state);
        pml_free(extent->state);
        extent->state = NULL;
    }
    return PML_OK;
}

pml_status pml_writer_tensor_write(pml_writer *writer, size_t i_tensor, const void *bytes, size_t size_bytes,
                                   pml_error *error) {
    return pml_writer_extent_write(writer, i_tensor, PML_EXTENT_DATA, bytes, size_bytes, error);
}

pml_status pml_writer_extent_write(pml_writer *writer, size_t i_tensor, pml_extent_kind kind, const void *bytes,
                                   size_t size_bytes, pml_error *error) {
    pml_status status;
    PML_TRY(expect_phase(writer, PHASE_STREAMING, "writing a tensor", error));
    if (i_tensor >= writer->n_tensors) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "tensor %zu was not declared", i_tensor));
    }
    stream *extent = &writer->tensors[i_tensor].streams[kind];
    if (size_bytes > extent->size_bytes - extent->written_bytes) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "tensor '%.200s': more than its %llu bytes are written",
                         writer->tensors[i_tensor].tensor.name, (ull)extent->size_bytes));
    }
    if (size_bytes == 0) {
        goto done;
    }
    PML_TRY(pml_publish_write(writer->publish, extent->offset_bytes + extent->written_bytes, bytes, size_bytes, error));
    PML_TRY(hash_bytes(extent, bytes, size_bytes, error));
    extent->written_bytes += size_bytes;
done:
    return status;
}

void pml_writer_set_quantization_error(pml_writer *writer, size_t i_tensor, double relative_rms) {
    if (i_tensor < writer->n_tensors) {
        writer->tensors[i_tensor].tensor.quantization_error = relative_rms;
    }
}

void pml_writer_set_scale_factor(pml_writer *writer, size_t i_tensor, float factor) {
    if (i_tensor < writer->n_tensors) {
        writer->tensors[i_tensor].tensor.scale_factor = factor;
    }
}

/* ---- finish ---- */

/* What the tensor table will say of the extents. */
static void fill_extents(declared_tensor *declared) {
    pml_file_tensor *tensor = &declared->tensor;
    const stream *data = &declared->streams[PML_EXTENT_DATA], *scales = &declared->streams[PML_EXTENT_SCALES];
    const stream *sums = &declared->streams[PML_EXTENT_SUMS];
    tensor->offset_bytes = data->offset_bytes;
    tensor->size_bytes = data->size_bytes;
    tensor->checksum = data->checksum;
    tensor->scales = (pml_file_extent){scales->offset_bytes, scales->size_bytes, scales->checksum};
    tensor->sums = (pml_file_extent){sums->offset_bytes, sums->size_bytes, sums->checksum};
}

static void append_string(uint8_t *strings, uint64_t *used_bytes, const char *text, uint64_t *offset_bytes,
                          uint32_t *length) {
    *length = (uint32_t)strlen(text);
    *offset_bytes = *used_bytes;
    memcpy(strings + *used_bytes, text, *length);
    *used_bytes += (uint64_t)*length + 1;
}

/* Everything from the header to the byte before the blob data, into zeroed memory. */
static void encode_head(const pml_writer *writer, uint8_t *head) {
    const pml_header *h = &writer->header;
    uint8_t *strings = head + h->sections[PML_SECTION_STRINGS].offset_bytes;
    uint8_t *next = head + h->sections[PML_SECTION_TENSORS].offset_bytes;
    uint64_t used_bytes = 0;
    memcpy(head + h->sections[PML_SECTION_METADATA].offset_bytes, writer->metadata, writer->metadata_bytes);
    for (size_t i = 0; i < writer->n_tensors; i++, next += PML_TENSOR_RECORD_BYTES) {
        const pml_file_tensor *tensor = &writer->tensors[writer->order[i]].tensor;
        pml_tensor_record record = {.tensor = *tensor,
                                    .dtype = (uint32_t)tensor->dtype,
                                    .layout = (uint32_t)tensor->layout,
                                    .rank = tensor->rank};
        append_string(strings, &used_bytes, tensor->name, &record.name_offset, &record.name_bytes);
        append_string(strings, &used_bytes, tensor->transforms, &record.transforms_offset, &record.transforms_bytes);
        pml_tensor_record_encode(&record, next);
    }
    next = head + h->sections[PML_SECTION_BLOBS].offset_bytes;
    for (size_t i = 0; i < writer->n_blobs; i++, next += PML_BLOB_RECORD_BYTES) {
        pml_blob_record record = writer->blobs[i].record;
        append_string(strings, &used_bytes, writer->blobs[i].name, &record.name_offset, &record.name_bytes);
        pml_blob_record_encode(&record, next);
    }
    pml_header_encode(h, head);
}

static pml_status fill_digests(pml_writer *writer, pml_error *error) {
    pml_status status;
    pml_file_tensor *sorted = NULL;
    PML_TRY(pml_alloc(writer->n_tensors, sizeof *sorted, &sorted, error));
    for (size_t i = 0; i < writer->n_tensors; i++) {
        sorted[i] = writer->tensors[writer->order[i]].tensor;
    }
    PML_TRY(pml_content_digest(writer->content, writer->content_bytes, sorted, writer->n_tensors,
                               writer->header.content_digest, error));
    memcpy(writer->header.base_digest, writer->base_digest, 16);
done:
    pml_free(sorted);
    return status;
}

static pml_status write_head(pml_writer *writer, pml_error *error) {
    pml_status status;
    uint8_t *head = NULL;
    size_t head_bytes = (size_t)writer->header.sections[PML_SECTION_BLOB_DATA].offset_bytes;
    PML_TRY(fill_digests(writer, error));
    PML_TRY(pml_alloc(head_bytes, 1, &head, error));
    encode_head(writer, head);
    pml_store_u64(head + PML_CHECKSUM_OFFSET, pml_head_checksum(head, head_bytes));
    /* The header comes last, so that a file without all of its bytes never has one. */
    PML_TRY(pml_publish_write(writer->publish, PML_HEADER_BYTES, head + PML_HEADER_BYTES, head_bytes - PML_HEADER_BYTES,
                              error));
    PML_TRY(pml_publish_write(writer->publish, 0, head, PML_HEADER_BYTES, error));
done:
    pml_free(head);
    return status;
}

/* Reads the temporary back through the reader: what is published was valid on disk. */
static pml_status verify_written(const pml_writer *writer, pml_error *error) {
    pml_file *file = NULL;
    pml_status status = pml_file_open(pml_publish_temporary_path(writer->publish), &file, error);
    if (status == PML_OK) {
        status = pml_file_verify(file, error);
    }
    if (status == PML_E_FORMAT || status == PML_E_UNSUPPORTED) {
        status = PML_E_MISMATCH;
        if (error != NULL) {
            error->code = status;
        }
    }
    pml_file_close(file);
    return status == PML_OK ? status : pml_error_prefix(error, status, "what was written does not read back");
}

pml_status pml_writer_finish(pml_writer *writer, pml_error *error) {
    pml_status status;
    PML_TRY(expect_phase(writer, PHASE_STREAMING, "finishing", error));
    writer->phase = PHASE_FINISHED;
    for (size_t i = 0; i < writer->n_tensors; i++) {
        declared_tensor *declared = &writer->tensors[i];
        for (size_t k = 0; k < PML_EXTENT_COUNT; k++) {
            const stream *extent = &declared->streams[k];
            if (extent->written_bytes != extent->size_bytes) {
                PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "tensor '%.200s' has %llu of its %llu bytes",
                                 declared->tensor.name, (ull)extent->written_bytes, (ull)extent->size_bytes));
            }
        }
        fill_extents(declared);
    }
    for (size_t i = 0; i < writer->n_blobs; i++) {
        PML_TRY(pml_publish_write(writer->publish, writer->blobs[i].record.offset_bytes, writer->blobs[i].data,
                                  (size_t)writer->blobs[i].record.size_bytes, error));
    }
    PML_TRY(write_head(writer, error));
    PML_TRY(pml_publish_sync(writer->publish, error));
    PML_TRY(verify_written(writer, error));
    pml_publish *publish = writer->publish;
    writer->publish = NULL;
    PML_TRY(pml_publish_commit(publish, error));
done:
    if (status != PML_OK) {
        pml_publish_abort(writer->publish);
        writer->publish = NULL;
    }
    return status;
}
