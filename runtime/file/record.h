/* The byte form of header, tensor records and blob records (specs/pml-format.md §3, §5, §6), shared by the reader and
 * the writer of this floor and by nobody else. Offsets are from the start of the file unless said otherwise. */
#ifndef PML_RUNTIME_FILE_RECORD_H
#define PML_RUNTIME_FILE_RECORD_H

#include "runtime/base/bytes.h"
#include "runtime/file/reader.h"

#define PML_MAGIC "\x89PML\r\n\x1a\n"
#define PML_MAGIC_BYTES 8u
#define PML_FORMAT_MAJOR 1u
#define PML_FORMAT_MINOR 0u
#define PML_HEADER_BYTES 256u
#define PML_HEADER_MAX_BYTES 65536u
#define PML_TENSOR_RECORD_BYTES 192u
#define PML_BLOB_RECORD_BYTES 64u
#define PML_RECORD_MAX_BYTES 4096u
#define PML_SECTION_ALIGNMENT_BYTES 64u
#define PML_CHECKSUM_OFFSET 40u
/* Flags with one of these bits change the meaning of what an old reader knows: it must refuse them. */
#define PML_FLAGS_INCOMPATIBLE 0xffff0000u

/* The sections that follow the header, in the order in which they lie in the file. */
typedef enum pml_section_id {
    PML_SECTION_METADATA,
    PML_SECTION_TENSORS,
    PML_SECTION_STRINGS,
    PML_SECTION_BLOBS,
    PML_SECTION_BLOB_DATA,
    PML_SECTION_TENSOR_DATA,
    PML_SECTION_COUNT
} pml_section_id;

typedef struct pml_section {
    uint64_t offset_bytes;
    uint64_t size_bytes;
} pml_section;

typedef struct pml_header {
    uint16_t version_major;
    uint16_t version_minor;
    uint32_t header_bytes;
    uint32_t kind;
    uint32_t flags;
    uint64_t file_bytes;
    uint32_t i_part; /* 1-based */
    uint32_t n_parts;
    uint64_t checksum;
    uint8_t content_digest[16];
    uint8_t base_digest[16];
    pml_section sections[PML_SECTION_COUNT];
    uint32_t n_tensors;
    uint32_t tensor_record_bytes;
    uint32_t n_blobs;
    uint32_t blob_record_bytes;
} pml_header;

/* A tensor record as stored: where its strings are, beside what pml_file_tensor says. */
typedef struct pml_tensor_record {
    uint64_t name_offset; /* from the start of the string section */
    uint32_t name_bytes;
    uint32_t transforms_bytes;
    uint64_t transforms_offset;
    uint32_t dtype;
    uint32_t layout;
    uint32_t rank;
    uint32_t flags;
    pml_file_tensor tensor; /* dtype, layout, name and transforms are left for the caller to set after checking */
} pml_tensor_record;

typedef struct pml_blob_record {
    uint64_t name_offset;
    uint32_t name_bytes;
    uint32_t flags;
    uint64_t offset_bytes;
    uint64_t size_bytes;
    uint64_t checksum;
} pml_blob_record;

const char *pml_section_name(pml_section_id section);

/* `bytes` has PML_HEADER_BYTES, PML_TENSOR_RECORD_BYTES or PML_BLOB_RECORD_BYTES bytes. Pure translation, no checks. */
void pml_header_encode(const pml_header *header, uint8_t *bytes);
void pml_header_decode(const uint8_t *bytes, pml_header *header);
void pml_tensor_record_encode(const pml_tensor_record *record, uint8_t *bytes);
void pml_tensor_record_decode(const uint8_t *bytes, pml_tensor_record *record);
void pml_blob_record_encode(const pml_blob_record *record, uint8_t *bytes);
void pml_blob_record_decode(const uint8_t *bytes, pml_blob_record *record);

/* The checksum of a file's head: its first `size_bytes` bytes (up to the blob data), the checksum field taken as 0. */
uint64_t pml_head_checksum(const uint8_t *bytes, size_t size_bytes);
uint64_t pml_bytes_checksum(const void *bytes, size_t size_bytes);

/* The content digest over encoded metadata without provenance and `n_tensors` tensors in ascending order of their
 * names. Errors: MEMORY. */
pml_status pml_content_digest(const uint8_t *metadata, size_t metadata_bytes, const pml_file_tensor *tensors,
                              size_t n_tensors, uint8_t digest[16], pml_error *error) PML_WARN_UNUSED;

/* Valid UTF-8 without NUL; with `printable` also without control characters (names and keys). */
bool pml_text_is_valid(const char *text, size_t size_bytes, bool printable);

/* What a stored extent of this size must be aligned to. */
static inline uint64_t pml_extent_alignment(uint64_t size_bytes) {
    return size_bytes >= PML_PAGE_ALIGNMENT_BYTES ? PML_PAGE_ALIGNMENT_BYTES : PML_TENSOR_ALIGNMENT_BYTES;
}

#endif
