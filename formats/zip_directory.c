/* End record, central directory, local headers, data: each held against the one before. */
#include "formats/zip_directory.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "runtime/base/alloc.h"
#include "runtime/base/bytes.h"
#include "runtime/base/checked.h"
#include "runtime/base/limits.h"
#include "runtime/base/quote.h"

enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    MOST_COMMENT_BYTES = 65535,
    FLAG_ENCRYPTED = 1 << 0,
    FLAG_DESCRIPTOR = 1 << 3, /* sizes and checksum follow the data */
    FLAG_STRONG_ENCRYPTION = 1 << 6,
    FLAG_MASKED = 1 << 13,
    FLAGS_KNOWN = 1 << 1 | 1 << 2 | FLAG_DESCRIPTOR | 1 << 11, /* effort of compression; the name is UTF-8 */
    TAG_ZIP64 = 1,
};
#define LOCAL_MAGIC UINT32_C(0x04034b50)
#define CENTRAL_MAGIC UINT32_C(0x02014b50)
#define END_MAGIC UINT32_C(0x06054b50)
#define END64_MAGIC UINT32_C(0x06064b50)
#define LOCATOR_MAGIC UINT32_C(0x07064b50)
#define DESCRIPTOR_MAGIC UINT32_C(0x08074b50)

typedef struct central_directory {
    uint64_t offset, size_bytes, n_entries;
} central_directory;

static uint16_t load_u16(const uint8_t *bytes) {
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static pml_status zip_fail(const pml_zip *zip, pml_status code, uint64_t offset, const char *cause, pml_error *error) {
    return PML_FAIL_AT(error, code, offset, "%s: byte %llu: %s", zip->path, (unsigned long long)offset, cause);
}

static pml_status entry_fail(const pml_zip *zip, const pml_zip_entry *entry, pml_status code, const char *cause,
                             pml_error *error) {
    pml_quoted name;
    return PML_FAIL_AT(error, code, entry->header_offset, "%s: entry %s at byte %llu: %s", zip->path,
                       pml_quote(&name, entry->name), (unsigned long long)entry->header_offset, cause);
}

bool pml_zip_is_archive(const uint8_t *bytes, size_t size_bytes) {
    return size_bytes >= 4 && (pml_load_u32(bytes) == LOCAL_MAGIC || pml_load_u32(bytes) == END_MAGIC);
}

/* ---- the end record ----------------------------------------------------------------------------------------- */
/* The one end record whose comment reaches to the end of the file. */
static pml_status find_end(const pml_zip *zip, uint64_t *end_offset, pml_error *error) {
    size_t n_found = 0;
    for (uint64_t back = END_BYTES; back <= zip->size_bytes && back <= END_BYTES + MOST_COMMENT_BYTES; back++) {
        const uint8_t *at = zip->data + (zip->size_bytes - back);
        if (pml_load_u32(at) == END_MAGIC && load_u16(at + 20) == back - END_BYTES) {
            *end_offset = zip->size_bytes - back;
            n_found++;
        }
    }
    if (n_found != 1) {
        return zip_fail(zip, PML_E_FORMAT, zip->size_bytes,
                        n_found == 0 ? "the archive has no end record: it is cut off, or something follows it"
                                     : "the archive has two end records",
                        error);
    }
    return PML_OK;
}

/* The 64-bit end record, where a locator in front of the short one points at it. *directory holds the short one's
 * values; those that are not "see there" must be the same. */
static pml_status read_end64(const pml_zip *zip, uint64_t end_offset, central_directory *directory,
                             uint64_t *directory_end, pml_error *error) {
    if (end_offset < LOCATOR_BYTES || pml_load_u32(zip->data + (end_offset - LOCATOR_BYTES)) != LOCATOR_MAGIC) {
        return PML_OK;
    }
    const uint8_t *locator = zip->data + (end_offset - LOCATOR_BYTES);
    uint64_t offset = pml_load_u64(locator + 8), record_bytes;
    uint64_t locator_offset = end_offset - LOCATOR_BYTES;
    if (pml_load_u32(locator + 4) != 0 || pml_load_u32(locator + 16) > 1) {
        return zip_fail(zip, PML_E_UNSUPPORTED, locator_offset, "archives of several disks are not supported", error);
    }
    if (!pml_ck_range(offset, END64_BYTES, locator_offset) || pml_load_u32(zip->data + offset) != END64_MAGIC ||
        !pml_ck_add(pml_load_u64(zip->data + offset + 4), 12, &record_bytes) || record_bytes < END64_BYTES ||
        record_bytes != locator_offset - offset) {
        return zip_fail(zip, PML_E_FORMAT, locator_offset, "no 64-bit end record lies where it should", error);
    }
    const uint8_t *record = zip->data + offset;
    central_directory wide = {
        .offset = pml_load_u64(record + 48),
        .size_bytes = pml_load_u64(record + 40),
        .n_entries = pml_load_u64(record + 32),
    };
    if (pml_load_u32(record + 16) != 0 || pml_load_u32(record + 20) != 0 ||
        pml_load_u64(record + 24) != wide.n_entries) {
        return zip_fail(zip, PML_E_UNSUPPORTED, offset, "archives of several disks are not supported", error);
    }
    if ((directory->offset != UINT32_MAX && directory->offset != wide.offset) ||
        (directory->size_bytes != UINT32_MAX && directory->size_bytes != wide.size_bytes) ||
        (directory->n_entries != UINT16_MAX && directory->n_entries != wide.n_entries)) {
        return zip_fail(zip, PML_E_FORMAT, offset, "the two end records differ", error);
    }
    *directory = wide;
    *directory_end = offset;
    return PML_OK;
}

static pml_status read_end(const pml_zip *zip, central_directory *directory, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t end_offset = 0, end;
    PML_TRY(find_end(zip, &end_offset, error));
    const uint8_t *record = zip->data + end_offset;
    unsigned disk = load_u16(record + 4), first_disk = load_u16(record + 6), n_here = load_u16(record + 8);
    *directory = (central_directory){
        .offset = pml_load_u32(record + 16),
        .size_bytes = pml_load_u32(record + 12),
        .n_entries = load_u16(record + 10),
    };
    if (disk != 0 || first_disk != 0 || n_here != directory->n_entries) {
        PML_TRY(zip_fail(zip, PML_E_UNSUPPORTED, end_offset, "archives of several disks are not supported", error));
    }
    uint64_t directory_end = end_offset;
    PML_TRY(read_end64(zip, end_offset, directory, &directory_end, error));
    if (!pml_ck_add(directory->offset, directory->size_bytes, &end) || end != directory_end) {
        PML_TRY(zip_fail(zip, PML_E_FORMAT, end_offset,
                         "the directory does not end where its end record begins (is something put before the "
                         "archive?)",
                         error));
    }
    if (directory->n_entries > directory->size_bytes / CENTRAL_BYTES) {
        PML_TRY(zip_fail(zip, PML_E_FORMAT, end_offset, "the directory is too small for its number of entries", error));
    }
done:
    return status;
}

/* ---- entries ------------------------------------------------------------------------------------------------ */
/* Puts the 64-bit values of an extra field, in their fixed order, where the 32-bit ones say "see there". */
static bool widen(const uint8_t *extra, size_t extra_bytes, uint64_t *const values[], size_t n_values) {
    const uint8_t *wide = NULL;
    size_t wide_bytes = 0;
    while (extra_bytes >= 4) {
        size_t field_bytes = load_u16(extra + 2);
        if (field_bytes > extra_bytes - 4) {
            return false;
        }
        if (load_u16(extra) == TAG_ZIP64) {
            if (wide != NULL) {
                return false;
            }
            wide = extra + 4;
            wide_bytes = field_bytes;
        }
        extra += 4 + field_bytes;
        extra_bytes -= 4 + field_bytes;
    }
    for (size_t i = 0; i < n_values && wide != NULL; i++) {
        if (*values[i] != UINT32_MAX) {
            continue;
        }
        if (wide_bytes < 8) {
            return false;
        }
        *values[i] = pml_load_u64(wide);
        wide += 8;
        wide_bytes -= 8;
    }
    return true;
}

static const char *unsupported_flags(unsigned flags) {
    if ((flags & (FLAG_ENCRYPTED | FLAG_STRONG_ENCRYPTION | FLAG_MASKED)) != 0) {
        return "is encrypted, which is not supported";
    }
    return (flags & ~(unsigned)FLAGS_KNOWN) != 0 ? "has flags that are not supported" : NULL;
}

/* Sizes and checksum behind the data, 32 or 64 bits wide, with or without a mark. True when one of the forms says what
 * the directory says. */
static bool has_descriptor(const pml_zip *zip, const pml_zip_entry *entry) {
    uint64_t offset = entry->data_offset + entry->stored_bytes;
    for (unsigned form = 0; form < 4; form++) {
        uint64_t mark_bytes = (form & 1) == 0 ? 4 : 0, number_bytes = (form & 2) == 0 ? 4 : 8;
        if (!pml_ck_range(offset, mark_bytes + 4 + number_bytes + number_bytes, zip->size_bytes)) {
            continue;
        }
        const uint8_t *at = zip->data + offset;
        bool is_marked = mark_bytes == 0 || pml_load_u32(at) == DESCRIPTOR_MAGIC;
        at += mark_bytes;
        uint64_t stored = number_bytes == 4 ? pml_load_u32(at + 4) : pml_load_u64(at + 4);
        uint64_t size = number_bytes == 4 ? pml_load_u32(at + 8) : pml_load_u64(at + 12);
        if (is_marked && pml_load_u32(at) == entry->crc32 && stored == entry->stored_bytes &&
            size == entry->size_bytes) {
            return true;
        }
    }
    return false;
}

/* Holds the local header against the entry, and finds the data behind it. */
static pml_status read_local(const pml_zip *zip, unsigned flags, uint64_t directory_offset, pml_zip_entry *entry,
                             pml_error *error) {
    if (!pml_ck_range(entry->header_offset, LOCAL_BYTES, directory_offset) ||
        pml_load_u32(zip->data + entry->header_offset) != LOCAL_MAGIC) {
        return entry_fail(zip, entry, PML_E_FORMAT, "no local header lies there", error);
    }
    const uint8_t *local = zip->data + entry->header_offset;
    size_t name_bytes = load_u16(local + 26), extra_bytes = load_u16(local + 28);
    entry->data_offset = entry->header_offset + LOCAL_BYTES + name_bytes + extra_bytes;
    if (!pml_ck_range(entry->data_offset, entry->stored_bytes, directory_offset)) {
        return entry_fail(zip, entry, PML_E_FORMAT, "its data reaches past the end of the file", error);
    }
    if (name_bytes != strlen(entry->name) || memcmp(local + LOCAL_BYTES, entry->name, name_bytes) != 0) {
        return entry_fail(zip, entry, PML_E_FORMAT, "has another name in its local header", error);
    }
    if (load_u16(local + 6) != flags || load_u16(local + 8) != (unsigned)entry->method) {
        return entry_fail(zip, entry, PML_E_FORMAT, "has other flags or another method in its local header", error);
    }
    uint64_t crc = pml_load_u32(local + 14), stored = pml_load_u32(local + 18), size = pml_load_u32(local + 22);
    if (!widen(local + LOCAL_BYTES + name_bytes, extra_bytes, (uint64_t *const[]){&size, &stored}, 2)) {
        return entry_fail(zip, entry, PML_E_FORMAT, "the extra field of its local header is malformed", error);
    }
    bool is_same = crc == entry->crc32 && stored == entry->stored_bytes && size == entry->size_bytes;
    bool is_left_open = crc == 0 && stored == 0 && size == 0 && (flags & FLAG_DESCRIPTOR) != 0;
    if (!is_same && (!is_left_open || !has_descriptor(zip, entry))) {
        return entry_fail(zip, entry, PML_E_FORMAT, "has other sizes or another checksum in its local header", error);
    }
    return PML_OK;
}

static pml_status check_method(const pml_zip *zip, const pml_zip_entry *entry, unsigned method, pml_error *error) {
    if (method != PML_ZIP_STORED && method != PML_ZIP_DEFLATED) {
        return entry_fail(zip, entry, PML_E_UNSUPPORTED, "is compressed in another way than deflate", error);
    }
    if (method == PML_ZIP_STORED && entry->stored_bytes != entry->size_bytes) {
        return entry_fail(zip, entry, PML_E_FORMAT, "is stored but has two sizes", error);
    }
    if (method == PML_ZIP_DEFLATED && entry->size_bytes > PML_MAX_INFLATE_UNRATED_BYTES &&
        entry->size_bytes / PML_MAX_INFLATE_RATIO > entry->stored_bytes) {
        return entry_fail(zip, entry, PML_E_FORMAT, "claims to grow more than a thousand times", error);
    }
    return PML_OK;
}

/* Adds the entry whose central header is at *offset, and moves *offset behind it. */
static pml_status read_central(pml_zip *zip, const central_directory *directory, uint64_t *offset, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t end = directory->offset + directory->size_bytes;
    const uint8_t *central = zip->data + *offset;
    if (!pml_ck_range(*offset, CENTRAL_BYTES, end) || pml_load_u32(central) != CENTRAL_MAGIC) {
        PML_TRY(zip_fail(zip, PML_E_FORMAT, *offset, "an entry of the directory should begin here", error));
    }
    size_t name_bytes = load_u16(central + 28), extra_bytes = load_u16(central + 30);
    uint64_t total = (uint64_t)CENTRAL_BYTES + name_bytes + extra_bytes + load_u16(central + 32);
    if (!pml_ck_range(*offset, total, end)) {
        PML_TRY(zip_fail(zip, PML_E_FORMAT, *offset, "an entry reaches past the end of the directory", error));
    }
    const char *name = (const char *)central + CENTRAL_BYTES;
    if (name_bytes == 0 || name_bytes > PML_MAX_NAME_BYTES || memchr(name, 0, name_bytes) != NULL) {
        PML_TRY(zip_fail(zip, PML_E_FORMAT, *offset,
                         "the name of an entry is empty, longer than 1024 bytes or has a zero byte", error));
    }
    size_t i_entry;
    bool is_new;
    PML_TRY(pml_grow(&zip->entries, &zip->capacity, zip->n_entries + 1, sizeof *zip->entries, PML_MAX_ZIP_ENTRIES,
                     "entries in an archive", error));
    PML_TRY(pml_names_add(&zip->names, name, name_bytes, PML_MAX_ZIP_ENTRIES, "entries", &i_entry, &is_new, error));
    unsigned flags = load_u16(central + 8), method = load_u16(central + 10);
    pml_zip_entry entry = {
        .name = pml_names_at(&zip->names, i_entry),
        .method = (pml_zip_method)method,
        .crc32 = pml_load_u32(central + 16),
        .stored_bytes = pml_load_u32(central + 20),
        .size_bytes = pml_load_u32(central + 24),
        .header_offset = pml_load_u32(central + 42),
    };
    if (!is_new) {
        PML_TRY(entry_fail(zip, &entry, PML_E_FORMAT, "the name stands twice in the archive", error));
    }
    if (!widen(central + CENTRAL_BYTES + name_bytes, extra_bytes,
               (uint64_t *const[]){&entry.size_bytes, &entry.stored_bytes, &entry.header_offset}, 3)) {
        PML_TRY(entry_fail(zip, &entry, PML_E_FORMAT, "its extra field is malformed", error));
    }
    const char *flaw = unsupported_flags(flags);
    if (flaw == NULL && load_u16(central + 34) != 0) {
        flaw = "is on another disk, which is not supported";
    }
    if (flaw != NULL) {
        PML_TRY(entry_fail(zip, &entry, PML_E_UNSUPPORTED, flaw, error));
    }
    PML_TRY(check_method(zip, &entry, method, error));
    PML_TRY(read_local(zip, flags, directory->offset, &entry, error));
    zip->entries[zip->n_entries++] = entry;
    *offset += total;
done:
    return status;
}

static int compare_offsets(const void *left, const void *right, void *context) {
    const pml_zip_entry *entries = context;
    uint64_t a = entries[*(const uint32_t *)left].header_offset, b = entries[*(const uint32_t *)right].header_offset;
    return (a > b) - (a < b);
}

/* No byte belongs to two entries, and the first begins the file. */
static pml_status check_places(const pml_zip *zip, pml_error *error) {
    pml_status status = PML_OK;
    uint32_t *order = NULL;
    uint64_t end = 0;
    bool is_sorted = true;
    PML_TRY(pml_alloc(zip->n_entries, sizeof *order, &order, error));
    for (size_t i = 0; i < zip->n_entries; i++) {
        order[i] = (uint32_t)i;
        is_sorted = is_sorted && (i == 0 || zip->entries[i - 1].header_offset <= zip->entries[i].header_offset);
    }
    if (!is_sorted) {
        qsort_r(order, zip->n_entries, sizeof *order, compare_offsets, zip->entries);
    }
    for (size_t i = 0; i < zip->n_entries; i++) {
        const pml_zip_entry *entry = &zip->entries[order[i]];
        if (i == 0 && entry->header_offset != 0) {
            PML_TRY(entry_fail(zip, entry, PML_E_FORMAT, "something lies before the archive's first entry", error));
        }
        if (entry->header_offset < end) {
            PML_TRY(entry_fail(zip, entry, PML_E_FORMAT, "overlaps the entry before it", error));
        }
        end = entry->data_offset + entry->stored_bytes;
    }
done:
    pml_free(order);
    return status;
}

pml_status pml_zip_open(const uint8_t *data, uint64_t size_bytes, const char *path, pml_zip *zip, pml_error *error) {
    pml_status status = PML_OK;
    central_directory directory = {0};
    *zip = (pml_zip){.data = data, .path = path, .size_bytes = size_bytes};
    PML_TRY(read_end(zip, &directory, error));
    uint64_t offset = directory.offset;
    for (uint64_t i = 0; i < directory.n_entries; i++) {
        PML_TRY(read_central(zip, &directory, &offset, error));
    }
    if (offset != directory.offset + directory.size_bytes) {
        PML_TRY(zip_fail(zip, PML_E_FORMAT, offset, "the directory holds more than its number of entries", error));
    }
    PML_TRY(check_places(zip, error));
done:
    return status;
}

void pml_zip_deinit(pml_zip *zip) {
    pml_names_deinit(&zip->names);
    pml_free(zip->entries);
    *zip = (pml_zip){0};
}

const pml_zip_entry *pml_zip_find(const pml_zip *zip, const char *name) {
    size_t i_entry;
    return pml_names_find(&zip->names, name, strlen(name), &i_entry) ? &zip->entries[i_entry] : NULL;
}

/* ---- data --------------------------------------------------------------------------------------------------- */
static pml_status check_crc(const pml_zip *zip, const pml_zip_entry *entry, const uint8_t *bytes, pml_error *error) {
    if (crc32_z(0, bytes, (size_t)entry->size_bytes) != entry->crc32) {
        return entry_fail(zip, entry, PML_E_FORMAT, "its data does not have the checksum that the archive states",
                          error);
    }
    return PML_OK;
}

pml_status pml_zip_check(const pml_zip *zip, const pml_zip_entry *entry, pml_error *error) {
    if (entry->method != PML_ZIP_STORED) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s: a deflated entry has no bytes to check in place", zip->path);
    }
    return check_crc(zip, entry, zip->data + entry->data_offset, error);
}

/* zlib counts in 32 bits: both sides are handed over in pieces. */
static pml_status inflate_into(const pml_zip *zip, const pml_zip_entry *entry, uint8_t *buffer, pml_error *error) {
    pml_status status = PML_OK;
    enum { PIECE = 1 << 30 };
    uint64_t n_read = 0, n_written = 0;
    uint8_t beyond; /* room that only a lie about the size would use */
    z_stream stream = {0};
    int result = inflateInit2(&stream, -MAX_WBITS);
    if (result != Z_OK) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: zlib cannot begin (%d)", zip->path, result));
    }
    do {
        uint64_t in = entry->stored_bytes - n_read, out = entry->size_bytes - n_written;
        stream.next_in = (z_const Bytef *)(uintptr_t)(zip->data + entry->data_offset + n_read);
        stream.avail_in = in < PIECE ? (uInt)in : PIECE;
        stream.next_out = out > 0 ? buffer + n_written : &beyond;
        stream.avail_out = out == 0 ? 1 : out < PIECE ? (uInt)out : PIECE;
        uInt had_in = stream.avail_in, had_out = stream.avail_out;
        result = inflate(&stream, Z_NO_FLUSH);
        n_read += had_in - stream.avail_in;
        n_written += had_out - stream.avail_out;
    } while (result == Z_OK && n_written <= entry->size_bytes);
    (void)inflateEnd(&stream);
    if (result == Z_MEM_ERROR) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: zlib has no memory", zip->path));
    }
    if (result != Z_STREAM_END || n_written != entry->size_bytes || n_read != entry->stored_bytes) {
        PML_TRY(entry_fail(zip, entry, PML_E_FORMAT,
                           result == Z_STREAM_END || n_written > entry->size_bytes
                               ? "its compressed data does not have the size that the archive states"
                               : "its compressed data is damaged",
                           error));
    }
done:
    return status;
}

pml_status pml_zip_read(const pml_zip *zip, const pml_zip_entry *entry, void *buffer, pml_error *error) {
    pml_status status = PML_OK;
    if (entry->method == PML_ZIP_STORED) {
        memcpy(buffer, zip->data + entry->data_offset, (size_t)entry->size_bytes);
    } else {
        PML_TRY(inflate_into(zip, entry, buffer, error));
    }
    PML_TRY(check_crc(zip, entry, buffer, error));
done:
    return status;
}

pml_status pml_zip_peek(const pml_zip *zip, const pml_zip_entry *entry, void *buffer, size_t n_bytes,
                        pml_error *error) {
    pml_status status = PML_OK;
    enum { PIECE = 1 << 30 };
    z_stream stream = {.next_out = buffer};
    if (entry->method == PML_ZIP_STORED) {
        memcpy(buffer, zip->data + entry->data_offset, n_bytes);
        goto done;
    }
    /* A piece is always enough: what fills `n_bytes` stands at the beginning. */
    stream.next_in = (z_const Bytef *)(uintptr_t)(zip->data + entry->data_offset);
    stream.avail_in = entry->stored_bytes < PIECE ? (uInt)entry->stored_bytes : PIECE;
    stream.avail_out = n_bytes < PIECE ? (uInt)n_bytes : PIECE;
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: zlib has no memory", zip->path));
    }
    int result = Z_OK;
    while (result == Z_OK && stream.avail_out > 0) {
        result = inflate(&stream, Z_SYNC_FLUSH);
    }
    (void)inflateEnd(&stream);
    if (stream.avail_out > 0) {
        PML_TRY(result == Z_MEM_ERROR ? PML_FAIL(error, PML_E_MEMORY, "%s: zlib has no memory", zip->path)
                                      : entry_fail(zip, entry, PML_E_FORMAT, "its compressed data is damaged", error));
    }
done:
    return status;
}
