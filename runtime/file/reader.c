/* Checks a .pml file from the outside in: header, section bounds, checksum of the head, then what the head says.
 * Nothing is used before it is bounded by the real size of the file. */
#include "runtime/file/reader.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/file/file.h"

#define BAD(file, offset_bytes, error, code, ...)                                                                      \
    pml_error_prefix((error), PML_FAIL_AT((error), (code), (offset_bytes), __VA_ARGS__), "%s", (file)->path)

typedef unsigned long long ull; /* for messages */

/* ---- header ---- */

static pml_status check_magic(const pml_file *file, pml_error *error) {
    if (file->size_bytes < PML_HEADER_BYTES) {
        return BAD(file, file->size_bytes, error, PML_E_FORMAT, "%zu bytes are too few for a .pml file",
                   file->size_bytes);
    }
    if (memcmp(file->bytes, PML_MAGIC, PML_MAGIC_BYTES) == 0) {
        return PML_OK;
    }
    if (memcmp(file->bytes + 1, "PML", 3) == 0) {
        return BAD(file, 0, error, PML_E_FORMAT, "the magic number is damaged, as by a transfer in text mode");
    }
    return BAD(file, 0, error, PML_E_FORMAT, "this is not a .pml file (pml-convert makes one of a checkpoint)");
}

static pml_status check_version(const pml_file *file, pml_error *error) {
    const pml_header *h = &file->header;
    if (h->version_major == 0x0100) {
        return BAD(file, 8, error, PML_E_FORMAT, "the version is written with its bytes swapped");
    }
    if (h->version_major > PML_FORMAT_MAJOR) {
        return BAD(file, 8, error, PML_E_UNSUPPORTED,
                   "format version %u.%u is newer than this pml, which reads version %u: a newer pml is needed",
                   h->version_major, h->version_minor, PML_FORMAT_MAJOR);
    }
    if (h->version_major == 0) {
        return BAD(file, 8, error, PML_E_FORMAT, "format version 0 does not exist");
    }
    bool is_newer = h->version_minor > PML_FORMAT_MINOR;
    if (h->header_bytes < PML_HEADER_BYTES || h->header_bytes % PML_SECTION_ALIGNMENT_BYTES != 0 ||
        h->header_bytes > PML_HEADER_MAX_BYTES || (!is_newer && h->header_bytes != PML_HEADER_BYTES)) {
        return BAD(file, 12, error, PML_E_FORMAT, "a header of %u bytes does not belong to version %u.%u",
                   h->header_bytes, h->version_major, h->version_minor);
    }
    if (h->file_bytes != file->size_bytes) {
        return BAD(file, 24, error, PML_E_FORMAT, "the file has %zu bytes but its header says %llu: it is %s",
                   file->size_bytes, (ull)h->file_bytes,
                   file->size_bytes < h->file_bytes ? "truncated" : "followed by foreign bytes");
    }
    return PML_OK;
}

/* Sections follow each other, each on the next 64-byte boundary, and the tensor data ends with the file. */
static pml_status check_sections(const pml_file *file, pml_error *error) {
    const pml_header *h = &file->header;
    uint64_t end = h->header_bytes;
    for (unsigned i = 0; i < PML_SECTION_COUNT; i++) {
        const pml_section *section = &h->sections[i];
        uint64_t expected, field = 80 + 16 * i;
        if (!pml_ck_pad(end, PML_SECTION_ALIGNMENT_BYTES, &expected) || section->offset_bytes != expected) {
            return BAD(file, field, error, PML_E_FORMAT, "section '%s' is at byte %llu and not behind its predecessor",
                       pml_section_name((pml_section_id)i), (ull)section->offset_bytes);
        }
        if (!pml_ck_range(section->offset_bytes, section->size_bytes, file->size_bytes)) {
            return BAD(file, field + 8, error, PML_E_FORMAT,
                       "section '%s' of %llu bytes at byte %llu runs past the end of the file (%zu bytes)",
                       pml_section_name((pml_section_id)i), (ull)section->size_bytes, (ull)section->offset_bytes,
                       file->size_bytes);
        }
        end = section->offset_bytes + section->size_bytes;
    }
    if (end != file->size_bytes) {
        return BAD(file, 24, error, PML_E_FORMAT, "%llu bytes follow the last section", (ull)(file->size_bytes - end));
    }
    return PML_OK;
}

static pml_status check_head(const pml_file *file, pml_error *error) {
    const pml_header *h = &file->header;
    size_t head_bytes = (size_t)h->sections[PML_SECTION_BLOB_DATA].offset_bytes;
    uint64_t checksum = pml_head_checksum(file->bytes, head_bytes);
    if (checksum != h->checksum) {
        return BAD(file, PML_CHECKSUM_OFFSET, error, PML_E_FORMAT,
                   "the checksum of header and tables is %016llx but should be %016llx: the file is damaged",
                   (ull)checksum, (ull)h->checksum);
    }
    uint64_t end = h->header_bytes;
    for (unsigned i = 0; i <= PML_SECTION_BLOB_DATA; i++) {
        size_t gap = (size_t)(h->sections[i].offset_bytes - end);
        if (pml_zero_prefix(file->bytes + end, gap) != gap) {
            return BAD(file, end, error, PML_E_FORMAT, "the padding before section '%s' is not zero",
                       pml_section_name((pml_section_id)i));
        }
        end = h->sections[i].offset_bytes + h->sections[i].size_bytes;
    }
    return PML_OK;
}

static pml_status check_kind(const pml_file *file, pml_error *error) {
    const pml_header *h = &file->header;
    static const uint8_t zeros[64];
    bool is_newer = h->version_minor > PML_FORMAT_MINOR;
    if (h->kind == 0) {
        return BAD(file, 16, error, PML_E_FORMAT, "kind 0 does not exist");
    }
    if (h->kind > PML_KIND_CHECKPOINT) {
        return BAD(file, 16, error, PML_E_UNSUPPORTED, "kind %u is not known to this version", h->kind);
    }
    if (h->flags != 0 && !is_newer) {
        return BAD(file, 20, error, PML_E_FORMAT, "flags %08x do not exist in version 1.0", h->flags);
    }
    if ((h->flags & PML_FLAGS_INCOMPATIBLE) != 0) {
        return BAD(file, 20, error, PML_E_UNSUPPORTED, "flags %08x demand a newer pml", h->flags);
    }
    if (h->i_part == 0 || h->i_part > h->n_parts) {
        return BAD(file, 32, error, PML_E_FORMAT, "part %u of %u does not exist", h->i_part, h->n_parts);
    }
    if (h->n_parts != 1) {
        return BAD(file, 32, error, PML_E_UNSUPPORTED, "part %u of %u: files of several parts are not supported",
                   h->i_part, h->n_parts);
    }
    if (h->kind == PML_KIND_MODEL && memcmp(h->base_digest, zeros, 16) != 0) {
        return BAD(file, 64, error, PML_E_FORMAT, "a model has no base, but its base digest is not zero");
    }
    if (!is_newer && memcmp(file->bytes + 192, zeros, 64) != 0) {
        return BAD(file, 192, error, PML_E_FORMAT, "reserved bytes of the header are not zero");
    }
    return PML_OK;
}

/* The table of `count` records of `record_bytes` must fill its section. */
static pml_status check_table(const pml_file *file, pml_section_id id, uint64_t field, uint32_t count,
                              uint32_t record_bytes, uint32_t known_bytes, uint32_t limit, pml_error *error) {
    const pml_header *h = &file->header;
    bool is_newer = h->version_minor > PML_FORMAT_MINOR;
    uint64_t needed;
    if (record_bytes < known_bytes || record_bytes % 8 != 0 || record_bytes > PML_RECORD_MAX_BYTES ||
        (!is_newer && record_bytes != known_bytes)) {
        return BAD(file, field + 4, error, PML_E_FORMAT, "records of %u bytes do not belong in the %s of version %u.%u",
                   record_bytes, pml_section_name(id), h->version_major, h->version_minor);
    }
    if (count > limit || !pml_ck_mul(count, record_bytes, &needed) || needed != h->sections[id].size_bytes) {
        return BAD(file, field, error, PML_E_FORMAT, "%u records do not fit the %llu bytes of the %s (limit %u)", count,
                   (ull)h->sections[id].size_bytes, pml_section_name(id), limit);
    }
    return PML_OK;
}

static pml_status check_header(pml_file *file, pml_error *error) {
    pml_status status;
    PML_TRY(check_magic(file, error));
    pml_header_decode(file->bytes, &file->header);
    const pml_header *h = &file->header;
    PML_TRY(check_version(file, error));
    PML_TRY(check_sections(file, error));
    PML_TRY(check_head(file, error));
    PML_TRY(check_kind(file, error));
    PML_TRY(check_table(file, PML_SECTION_TENSORS, 176, h->n_tensors, h->tensor_record_bytes, PML_TENSOR_RECORD_BYTES,
                        PML_MAX_TENSORS, error));
    PML_TRY(check_table(file, PML_SECTION_BLOBS, 184, h->n_blobs, h->blob_record_bytes, PML_BLOB_RECORD_BYTES,
                        PML_MAX_BLOBS, error));
done:
    return status;
}

/* ---- strings: in the order of the tables, each followed by one zero, nothing between or after them ---- */

typedef struct strings {
    const char *bytes;
    uint64_t size_bytes;
    uint64_t used_bytes;
    uint64_t offset_bytes; /* of the section in the file */
} strings;

static pml_status take_string(const pml_file *file, strings *s, uint64_t offset_bytes, uint32_t length,
                              bool may_be_empty, const char *what, const char **text, pml_error *error) {
    uint64_t at = s->offset_bytes + s->used_bytes;
    if (length > PML_MAX_NAME_BYTES || (length == 0 && !may_be_empty)) {
        return BAD(file, at, error, PML_E_FORMAT, "%s has %u bytes: 1 to %u are allowed", what, length,
                   PML_MAX_NAME_BYTES);
    }
    if (offset_bytes != s->used_bytes || !pml_ck_range(offset_bytes, (uint64_t)length + 1, s->size_bytes)) {
        return BAD(file, at, error, PML_E_FORMAT, "%s at byte %llu of the strings is not where it belongs", what,
                   (ull)offset_bytes);
    }
    *text = s->bytes + offset_bytes;
    if ((*text)[length] != '\0' || !pml_text_is_valid(*text, length, true)) {
        return BAD(file, at, error, PML_E_FORMAT, "%s is not zero-terminated UTF-8 without control characters", what);
    }
    s->used_bytes += (uint64_t)length + 1;
    return PML_OK;
}

/* ---- tensors ---- */

/* The next extent lies at the first aligned byte after *end. An empty one has offset 0 and checksum 0. */
static pml_status take_extent(const pml_file *file, uint64_t record_offset, const char *name, const char *what,
                              uint64_t offset_bytes, uint64_t size_bytes, uint64_t *end, pml_error *error) {
    uint64_t expected;
    if (!pml_ck_pad(*end, pml_extent_alignment(size_bytes), &expected) || offset_bytes != expected) {
        return BAD(
            file, record_offset, error, PML_E_FORMAT,
            "tensor '%.200s': its %s begins at byte %llu, which is not the first aligned byte after what lies before",
            name, what, (ull)offset_bytes);
    }
    if (!pml_ck_range(offset_bytes, size_bytes, file->size_bytes)) {
        return BAD(file, record_offset, error, PML_E_FORMAT,
                   "tensor '%.200s': its %s of %llu bytes at byte %llu runs past the end of the file (%zu bytes)", name,
                   what, (ull)size_bytes, (ull)offset_bytes, file->size_bytes);
    }
    *end = offset_bytes + size_bytes;
    return PML_OK;
}

static pml_status take_side_extent(const pml_file *file, uint64_t record_offset, const char *name, const char *what,
                                   const pml_file_extent *extent, uint64_t needed_bytes, uint64_t *end,
                                   pml_error *error) {
    if (extent->size_bytes != needed_bytes) {
        return BAD(file, record_offset, error, PML_E_FORMAT, "tensor '%.200s': %llu bytes of %s, but it needs %llu",
                   name, (ull)extent->size_bytes, what, (ull)needed_bytes);
    }
    if (needed_bytes == 0) {
        return extent->offset_bytes == 0 && extent->checksum == 0
                   ? PML_OK
                   : BAD(file, record_offset, error, PML_E_FORMAT, "tensor '%.200s' has no %s but says where they are",
                         name, what);
    }
    return take_extent(file, record_offset, name, what, extent->offset_bytes, extent->size_bytes, end, error);
}

static bool is_finite_bits(uint64_t bits) {
    return (bits & 0x7ff0000000000000u) != 0x7ff0000000000000u;
}

/* Numbers of the record that need no arithmetic: known values, zeros where nothing belongs. */
static pml_status check_numbers(const pml_file *file, uint64_t offset, const pml_tensor_record *record,
                                const char *name, pml_error *error) {
    const pml_file_tensor *tensor = &record->tensor;
    bool is_newer = file->header.version_minor > PML_FORMAT_MINOR;
    if (record->dtype == 0 || record->layout == 0) {
        return BAD(file, offset + 24, error, PML_E_FORMAT, "tensor '%.200s': dtype %u, layout %u: 0 does not exist",
                   name, record->dtype, record->layout);
    }
    if (record->dtype >= PML_DTYPE_COUNT) {
        return BAD(file, offset + 24, error, PML_E_UNSUPPORTED,
                   "tensor '%.200s' has dtype %u, which this version does not know", name, record->dtype);
    }
    if (record->layout > PML_LAYOUT_PANEL) {
        return BAD(file, offset + 28, error, PML_E_UNSUPPORTED,
                   "tensor '%.200s' has layout %u, which this version does not know", name, record->layout);
    }
    if (record->flags != 0 && (!is_newer || (record->flags & PML_FLAGS_INCOMPATIBLE) != 0)) {
        return BAD(file, offset + 36, error, is_newer ? PML_E_UNSUPPORTED : PML_E_FORMAT,
                   "tensor '%.200s' has flags %08x, which this version does not know", name, record->flags);
    }
    if (record->rank > PML_MAX_RANK) {
        return BAD(file, offset + 32, error, PML_E_FORMAT, "tensor '%.200s' has rank %u, more than %u", name,
                   record->rank, PML_MAX_RANK);
    }
    for (unsigned i = record->rank; i < PML_MAX_RANK; i++) {
        if (tensor->shape[i] != 0) {
            return BAD(file, offset + 40 + 8 * i, error, PML_E_FORMAT, "tensor '%.200s' of rank %u has a dimension %u",
                       name, record->rank, i);
        }
    }
    uint64_t error_bits;
    uint32_t factor_bits;
    memcpy(&error_bits, &tensor->quantization_error, 8);
    memcpy(&factor_bits, &tensor->scale_factor, 4);
    if (!is_finite_bits(error_bits) || (error_bits >> 63) != 0) {
        return BAD(file, offset + 176, error, PML_E_FORMAT,
                   "tensor '%.200s': the quantization error is negative or not finite", name);
    }
    if (tensor->group_rows == 0 ? factor_bits != 0 : (factor_bits & 0x7f800000u) == 0x7f800000u || factor_bits >> 31) {
        return BAD(file, offset + 188, error, PML_E_FORMAT,
                   "tensor '%.200s': the scale factor must be finite and not negative with groups, and 0 without",
                   name);
    }
    return PML_OK;
}

static pml_status check_sizes(const pml_file *file, uint64_t offset, const char *name, const pml_file_tensor *tensor,
                              uint64_t *end, pml_error *error) {
    uint64_t needed_bytes, scales_bytes, sums_bytes;
    pml_status status =
        pml_layout_size(tensor->layout, tensor->dtype, tensor->shape, tensor->rank, &needed_bytes, error);
    if (status == PML_OK) {
        status = pml_layout_scales(tensor->dtype, tensor->shape, tensor->rank, tensor->group_rows, &scales_bytes,
                                   &sums_bytes, error);
    }
    if (status != PML_OK) {
        if (error != NULL) {
            error->offset_bytes = offset;
        }
        PML_TRY(pml_error_prefix(error, status, "%s: tensor '%.200s'", file->path, name));
    }
    if (tensor->size_bytes != needed_bytes) {
        PML_TRY(BAD(file, offset + 112, error, PML_E_FORMAT,
                    "tensor '%.200s' is stored in %llu bytes, but its dtype, shape and layout need %llu", name,
                    (ull)tensor->size_bytes, (ull)needed_bytes));
    }
    PML_TRY(take_extent(file, offset + 104, name, "data", tensor->offset_bytes, tensor->size_bytes, end, error));
    PML_TRY(take_side_extent(file, offset + 128, name, "scales", &tensor->scales, scales_bytes, end, error));
    PML_TRY(take_side_extent(file, offset + 152, name, "sums", &tensor->sums, sums_bytes, end, error));
done:
    return status;
}

static pml_status take_tensor(const pml_file *file, size_t i_tensor, strings *s, uint64_t *end, const char *previous,
                              pml_file_tensor *tensor, pml_error *error) {
    const pml_header *h = &file->header;
    uint64_t offset = h->sections[PML_SECTION_TENSORS].offset_bytes + (uint64_t)i_tensor * h->tensor_record_bytes;
    pml_tensor_record record;
    pml_status status;
    const char *name = NULL, *transforms = NULL; /* gcc cannot see that they are set on success */
    pml_tensor_record_decode(file->bytes + offset, &record);
    PML_TRY(take_string(file, s, record.name_offset, record.name_bytes, false, "a tensor name", &name, error));
    PML_TRY(take_string(file, s, record.transforms_offset, record.transforms_bytes, true, "a transform list",
                        &transforms, error));
    if (previous != NULL && strcmp(previous, name) >= 0) {
        PML_TRY(BAD(file, offset, error, PML_E_FORMAT, "tensor '%.200s' %s", name,
                    strcmp(previous, name) == 0 ? "occurs twice" : "is not in the order of names"));
    }
    PML_TRY(check_numbers(file, offset, &record, name, error));
    *tensor = record.tensor;
    tensor->name = name;
    tensor->transforms = transforms;
    tensor->dtype = (pml_dtype)record.dtype;
    tensor->layout = (pml_layout)record.layout;
    tensor->rank = record.rank;
    PML_TRY(check_sizes(file, offset, name, tensor, end, error));
done:
    return status;
}

static pml_status take_tensors(pml_file *file, strings *s, pml_error *error) {
    const pml_header *h = &file->header;
    pml_status status;
    const pml_section *data = &h->sections[PML_SECTION_TENSOR_DATA];
    uint64_t end = data->offset_bytes, padded_end;
    PML_TRY(pml_alloc(h->n_tensors, sizeof *file->tensors, &file->tensors, error));
    for (size_t i = 0; i < h->n_tensors; i++) {
        const char *previous = i == 0 ? NULL : file->tensors[i - 1].name;
        PML_TRY(take_tensor(file, i, s, &end, previous, &file->tensors[i], error));
    }
    if (!pml_ck_pad(end, PML_TENSOR_ALIGNMENT_BYTES, &padded_end) || padded_end != file->size_bytes) {
        PML_TRY(BAD(file, end, error, PML_E_FORMAT, "the tensors end at byte %llu, but the file has %zu bytes",
                    (ull)end, file->size_bytes));
    }
done:
    return status;
}

/* ---- blobs: like tensors, 64-byte aligned, one after the other ---- */

static pml_status take_blob(const pml_file *file, size_t i_blob, strings *s, uint64_t *end, const char *previous,
                            pml_file_blob *blob, pml_error *error) {
    const pml_header *h = &file->header;
    uint64_t offset = h->sections[PML_SECTION_BLOBS].offset_bytes + (uint64_t)i_blob * h->blob_record_bytes;
    uint64_t limit = h->sections[PML_SECTION_BLOB_DATA].offset_bytes + h->sections[PML_SECTION_BLOB_DATA].size_bytes;
    pml_blob_record record;
    pml_status status;
    uint64_t expected;
    bool is_newer = h->version_minor > PML_FORMAT_MINOR;
    pml_blob_record_decode(file->bytes + offset, &record);
    PML_TRY(take_string(file, s, record.name_offset, record.name_bytes, false, "a blob name", &blob->name, error));
    if (previous != NULL && strcmp(previous, blob->name) >= 0) {
        PML_TRY(BAD(file, offset, error, PML_E_FORMAT, "blob '%.200s' %s", blob->name,
                    strcmp(previous, blob->name) == 0 ? "occurs twice" : "is not in the order of names"));
    }
    if (record.flags != 0 && (!is_newer || (record.flags & PML_FLAGS_INCOMPATIBLE) != 0)) {
        PML_TRY(BAD(file, offset + 12, error, is_newer ? PML_E_UNSUPPORTED : PML_E_FORMAT,
                    "blob '%.200s' has flags %08x, which this version does not know", blob->name, record.flags));
    }
    if (!is_newer && pml_zero_prefix(file->bytes + offset + 40, 24) != 24) {
        PML_TRY(BAD(file, offset + 40, error, PML_E_FORMAT, "blob '%.200s': reserved bytes are not zero", blob->name));
    }
    if (!pml_ck_pad(*end, PML_TENSOR_ALIGNMENT_BYTES, &expected) || record.offset_bytes != expected ||
        !pml_ck_range(record.offset_bytes, record.size_bytes, limit)) {
        PML_TRY(BAD(file, offset + 16, error, PML_E_FORMAT,
                    "blob '%.200s': %llu bytes at byte %llu are not behind what lies before, or run past the blob data",
                    blob->name, (ull)record.size_bytes, (ull)record.offset_bytes));
    }
    blob->offset_bytes = record.offset_bytes;
    blob->size_bytes = record.size_bytes;
    blob->checksum = record.checksum;
    blob->data = file->bytes + record.offset_bytes;
    *end = record.offset_bytes + record.size_bytes;
    status = PML_OK;
done:
    return status;
}

static pml_status take_blobs(pml_file *file, strings *s, pml_error *error) {
    const pml_header *h = &file->header;
    const pml_section *data = &h->sections[PML_SECTION_BLOB_DATA];
    pml_status status;
    uint64_t end = data->offset_bytes;
    PML_TRY(pml_alloc(h->n_blobs, sizeof *file->blobs, &file->blobs, error));
    for (size_t i = 0; i < h->n_blobs; i++) {
        const char *previous = i == 0 ? NULL : file->blobs[i - 1].name;
        PML_TRY(take_blob(file, i, s, &end, previous, &file->blobs[i], error));
    }
    if (end != data->offset_bytes + data->size_bytes) {
        PML_TRY(
            BAD(file, end, error, PML_E_FORMAT, "the blobs end at byte %llu, but their section does not", (ull)end));
    }
    if (s->used_bytes != s->size_bytes) {
        PML_TRY(BAD(file, s->offset_bytes + s->used_bytes, error, PML_E_FORMAT,
                    "%llu bytes of the strings belong to nothing", (ull)(s->size_bytes - s->used_bytes)));
    }
done:
    return status;
}

/* ---- open ---- */

static pml_status parse(pml_file *file, pml_error *error) {
    pml_status status;
    PML_TRY(check_header(file, error));
    const pml_section *metadata = &file->header.sections[PML_SECTION_METADATA];
    const pml_section *text = &file->header.sections[PML_SECTION_STRINGS];
    strings s = {(const char *)file->bytes + text->offset_bytes, text->size_bytes, 0, text->offset_bytes};
    PML_TRY(pml_metadata_decode(file->bytes + metadata->offset_bytes, (size_t)metadata->size_bytes,
                                metadata->offset_bytes, file->path, &file->metadata, error));
    PML_TRY(take_tensors(file, &s, error));
    PML_TRY(take_blobs(file, &s, error));
done:
    return status;
}

pml_status pml_file_parse(const void *bytes, size_t size_bytes, const char *name, pml_file **file, pml_error *error) {
    pml_status status;
    pml_file *opened = NULL;
    PML_TRY(pml_alloc(1, sizeof *opened, &opened, error));
    PML_TRY(pml_string_copy(name, strlen(name), &opened->path, error));
    opened->bytes = bytes;
    opened->size_bytes = size_bytes;
    PML_TRY(parse(opened, error));
    *file = opened;
    opened = NULL;
done:
    pml_file_close(opened);
    return status;
}

pml_status pml_file_open(const char *path, pml_file **file, pml_error *error) {
    pml_status status;
    pml_file_map map = {0};
    PML_TRY(pml_file_map_open(path, PML_E_FORMAT, &map, error));
    PML_TRY(pml_file_parse(map.data, map.size_bytes, path, file, error));
    (*file)->map = map;
    map = (pml_file_map){0};
done:
    pml_file_map_close(&map);
    return status;
}

void pml_file_close(pml_file *file) {
    if (file == NULL) {
        return;
    }
    pml_file_map_close(&file->map);
    pml_metadata_destroy(file->metadata);
    pml_free(file->tensors);
    pml_free(file->blobs);
    pml_free(file->path);
    pml_free(file);
}
