#include "runtime/file/record.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"
#include "runtime/base/utf8.h"

const char *pml_section_name(pml_section_id section) {
    static const char *const names[PML_SECTION_COUNT] = {
        [PML_SECTION_METADATA] = "metadata",   [PML_SECTION_TENSORS] = "tensor table",
        [PML_SECTION_STRINGS] = "strings",     [PML_SECTION_BLOBS] = "blob table",
        [PML_SECTION_BLOB_DATA] = "blob data", [PML_SECTION_TENSOR_DATA] = "tensor data",
    };
    return (unsigned)section < PML_SECTION_COUNT ? names[section] : "?";
}

void pml_header_encode(const pml_header *header, uint8_t *bytes) {
    memset(bytes, 0, PML_HEADER_BYTES);
    memcpy(bytes, PML_MAGIC, PML_MAGIC_BYTES);
    memcpy(bytes + 8, &header->version_major, 2);
    memcpy(bytes + 10, &header->version_minor, 2);
    pml_store_u32(bytes + 12, header->header_bytes);
    pml_store_u32(bytes + 16, header->kind);
    pml_store_u32(bytes + 20, header->flags);
    pml_store_u64(bytes + 24, header->file_bytes);
    pml_store_u32(bytes + 32, header->i_part);
    pml_store_u32(bytes + 36, header->n_parts);
    pml_store_u64(bytes + PML_CHECKSUM_OFFSET, header->checksum);
    memcpy(bytes + 48, header->content_digest, 16);
    memcpy(bytes + 64, header->base_digest, 16);
    for (unsigned i = 0; i < PML_SECTION_COUNT; i++) {
        pml_store_u64(bytes + 80 + 16 * i, header->sections[i].offset_bytes);
        pml_store_u64(bytes + 88 + 16 * i, header->sections[i].size_bytes);
    }
    pml_store_u32(bytes + 176, header->n_tensors);
    pml_store_u32(bytes + 180, header->tensor_record_bytes);
    pml_store_u32(bytes + 184, header->n_blobs);
    pml_store_u32(bytes + 188, header->blob_record_bytes);
}

void pml_header_decode(const uint8_t *bytes, pml_header *header) {
    memcpy(&header->version_major, bytes + 8, 2);
    memcpy(&header->version_minor, bytes + 10, 2);
    header->header_bytes = pml_load_u32(bytes + 12);
    header->kind = pml_load_u32(bytes + 16);
    header->flags = pml_load_u32(bytes + 20);
    header->file_bytes = pml_load_u64(bytes + 24);
    header->i_part = pml_load_u32(bytes + 32);
    header->n_parts = pml_load_u32(bytes + 36);
    header->checksum = pml_load_u64(bytes + PML_CHECKSUM_OFFSET);
    memcpy(header->content_digest, bytes + 48, 16);
    memcpy(header->base_digest, bytes + 64, 16);
    for (unsigned i = 0; i < PML_SECTION_COUNT; i++) {
        header->sections[i].offset_bytes = pml_load_u64(bytes + 80 + 16 * i);
        header->sections[i].size_bytes = pml_load_u64(bytes + 88 + 16 * i);
    }
    header->n_tensors = pml_load_u32(bytes + 176);
    header->tensor_record_bytes = pml_load_u32(bytes + 180);
    header->n_blobs = pml_load_u32(bytes + 184);
    header->blob_record_bytes = pml_load_u32(bytes + 188);
}

void pml_tensor_record_encode(const pml_tensor_record *record, uint8_t *bytes) {
    const pml_file_tensor *tensor = &record->tensor;
    memset(bytes, 0, PML_TENSOR_RECORD_BYTES);
    pml_store_u64(bytes, record->name_offset);
    pml_store_u32(bytes + 8, record->name_bytes);
    pml_store_u32(bytes + 12, record->transforms_bytes);
    pml_store_u64(bytes + 16, record->transforms_offset);
    pml_store_u32(bytes + 24, record->dtype);
    pml_store_u32(bytes + 28, record->layout);
    pml_store_u32(bytes + 32, record->rank);
    pml_store_u32(bytes + 36, record->flags);
    for (unsigned i = 0; i < PML_MAX_RANK; i++) {
        pml_store_u64(bytes + 40 + 8 * i, tensor->shape[i]);
    }
    pml_store_u64(bytes + 104, tensor->offset_bytes);
    pml_store_u64(bytes + 112, tensor->size_bytes);
    pml_store_u64(bytes + 120, tensor->checksum);
    pml_store_u64(bytes + 128, tensor->scales.offset_bytes);
    pml_store_u64(bytes + 136, tensor->scales.size_bytes);
    pml_store_u64(bytes + 144, tensor->scales.checksum);
    pml_store_u64(bytes + 152, tensor->sums.offset_bytes);
    pml_store_u64(bytes + 160, tensor->sums.size_bytes);
    pml_store_u64(bytes + 168, tensor->sums.checksum);
    memcpy(bytes + 176, &tensor->quantization_error, 8);
    pml_store_u32(bytes + 184, tensor->group_rows);
    memcpy(bytes + 188, &tensor->scale_factor, 4);
}

void pml_tensor_record_decode(const uint8_t *bytes, pml_tensor_record *record) {
    pml_file_tensor *tensor = &record->tensor;
    memset(record, 0, sizeof *record);
    record->name_offset = pml_load_u64(bytes);
    record->name_bytes = pml_load_u32(bytes + 8);
    record->transforms_bytes = pml_load_u32(bytes + 12);
    record->transforms_offset = pml_load_u64(bytes + 16);
    record->dtype = pml_load_u32(bytes + 24);
    record->layout = pml_load_u32(bytes + 28);
    record->rank = pml_load_u32(bytes + 32);
    record->flags = pml_load_u32(bytes + 36);
    for (unsigned i = 0; i < PML_MAX_RANK; i++) {
        tensor->shape[i] = pml_load_u64(bytes + 40 + 8 * i);
    }
    tensor->offset_bytes = pml_load_u64(bytes + 104);
    tensor->size_bytes = pml_load_u64(bytes + 112);
    tensor->checksum = pml_load_u64(bytes + 120);
    tensor->scales.offset_bytes = pml_load_u64(bytes + 128);
    tensor->scales.size_bytes = pml_load_u64(bytes + 136);
    tensor->scales.checksum = pml_load_u64(bytes + 144);
    tensor->sums.offset_bytes = pml_load_u64(bytes + 152);
    tensor->sums.size_bytes = pml_load_u64(bytes + 160);
    tensor->sums.checksum = pml_load_u64(bytes + 168);
    memcpy(&tensor->quantization_error, bytes + 176, 8);
    tensor->group_rows = pml_load_u32(bytes + 184);
    memcpy(&tensor->scale_factor, bytes + 188, 4);
}

void pml_blob_record_encode(const pml_blob_record *record, uint8_t *bytes) {
    memset(bytes, 0, PML_BLOB_RECORD_BYTES);
    pml_store_u64(bytes, record->name_offset);
    pml_store_u32(bytes + 8, record->name_bytes);
    pml_store_u32(bytes + 12, record->flags);
    pml_store_u64(bytes + 16, record->offset_bytes);
    pml_store_u64(bytes + 24, record->size_bytes);
    pml_store_u64(bytes + 32, record->checksum);
}

void pml_blob_record_decode(const uint8_t *bytes, pml_blob_record *record) {
    record->name_offset = pml_load_u64(bytes);
    record->name_bytes = pml_load_u32(bytes + 8);
    record->flags = pml_load_u32(bytes + 12);
    record->offset_bytes = pml_load_u64(bytes + 16);
    record->size_bytes = pml_load_u64(bytes + 24);
    record->checksum = pml_load_u64(bytes + 32);
}

uint64_t pml_bytes_checksum(const void *bytes, size_t size_bytes) {
    return XXH3_64bits(bytes, size_bytes);
}

uint64_t pml_head_checksum(const uint8_t *bytes, size_t size_bytes) {
    static const uint8_t zeros[8];
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    (void)XXH3_64bits_reset(&state);
    (void)XXH3_64bits_update(&state, bytes, PML_CHECKSUM_OFFSET);
    (void)XXH3_64bits_update(&state, zeros, sizeof zeros);
    (void)XXH3_64bits_update(&state, bytes + PML_CHECKSUM_OFFSET + 8, size_bytes - PML_CHECKSUM_OFFSET - 8);
    return XXH3_64bits_digest(&state);
}

/* What the digest says of one tensor: everything but where it lies and how it came about. */
static void digest_tensor(XXH3_state_t *state, const pml_file_tensor *tensor) {
    uint8_t fixed[8 * (PML_MAX_RANK + 9)];
    size_t name_bytes = strlen(tensor->name);
    pml_store_u32(fixed, (uint32_t)name_bytes);
    (void)XXH3_128bits_update(state, fixed, 4);
    (void)XXH3_128bits_update(state, tensor->name, name_bytes);
    pml_store_u32(fixed, (uint32_t)tensor->dtype);
    pml_store_u32(fixed + 4, (uint32_t)tensor->layout);
    pml_store_u32(fixed + 8, tensor->rank);
    pml_store_u32(fixed + 12, tensor->group_rows);
    memcpy(fixed + 16, &tensor->scale_factor, 4);
    size_t used = 20;
    for (unsigned i = 0; i < tensor->rank; i++) {
        pml_store_u64(fixed + used, tensor->shape[i]);
        used += 8;
    }
    const uint64_t tail[] = {tensor->size_bytes,      tensor->checksum,        tensor->scales.size_bytes,
                             tensor->scales.checksum, tensor->sums.size_bytes, tensor->sums.checksum};
    memcpy(fixed + used, tail, sizeof tail);
    (void)XXH3_128bits_update(state, fixed, used + sizeof tail);
}

pml_status pml_content_digest(const uint8_t *metadata, size_t metadata_bytes, const pml_file_tensor *tensors,
                              size_t n_tensors, uint8_t digest[16], pml_error *error) {
    void *storage;
    pml_status status = pml_alloc_aligned(sizeof(XXH3_state_t), &storage, error);
    if (status != PML_OK) {
        return status;
    }
    XXH3_state_t *state = storage;
    XXH3_INITSTATE(state);
    (void)XXH3_128bits_reset(state);
    (void)XXH3_128bits_update(state, metadata, metadata_bytes);
    uint8_t count[8];
    pml_store_u64(count, n_tensors);
    (void)XXH3_128bits_update(state, count, sizeof count);
    for (size_t i = 0; i < n_tensors; i++) {
        digest_tensor(state, &tensors[i]);
    }
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
    memcpy(digest, canonical.digest, 16);
    pml_free(state);
    return PML_OK;
}

bool pml_text_is_valid(const char *text, size_t size_bytes, bool printable) {
    const uint8_t *bytes = (const uint8_t *)text;
    for (size_t i = 0; i < size_bytes;) {
        if (bytes[i] == 0 || (printable && (bytes[i] < 0x20 || bytes[i] == 0x7f))) {
            return false;
        }
        size_t length = pml_utf8_length(bytes + i, size_bytes - i);
        if (length == 0) {
            return false;
        }
        i += length;
    }
    return true;
}
