/* Tar archives, plain or compressed with gzip or Zstandard, by libarchive. Members of a plain archive stay where they
 * lie in the mapped file: libarchive hands out pointers into it. */
#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/archive/members.h"
#include "runtime/base/cancel.h"
#include "runtime/base/quote.h"

/* What libarchive says; its texts may hold bytes of the archive. */
static pml_status damaged(const pml_members *members, struct archive *reader, pml_error *error) {
    pml_quoted quoted;
    const char *text = archive_error_string(reader);
    return PML_FAIL(error, PML_E_FORMAT, "%s: damaged archive: %s", members->path,
                    text != NULL ? pml_quote(&quoted, text) : "no reason given");
}

static pml_status refuse(const pml_members *members, const char *name, const char *cause, pml_error *error) {
    pml_quoted quoted;
    return PML_FAIL(error, PML_E_FORMAT, "%s: the member %s %s", members->path, pml_quote(&quoted, name), cause);
}

/* Reads the bytes of the current member: as a range of the archive where they are one, otherwise unpacked. */
static pml_status read_bytes(pml_members *members, struct archive *reader, const char *name, uint64_t size_bytes,
                             pml_error *error) {
    pml_status status = PML_OK;
    const uint8_t *base = members->map.data;
    uint64_t done_bytes = 0, first_offset = 0;
    bool is_unpacked = false;
    if (size_bytes == 0) {
        PML_TRY(pml_members_add(members, name, 0, 0, error));
    }
    for (;;) {
        const void *block;
        size_t n;
        la_int64_t offset;
        PML_TRY(pml_cancel_check(error));
        const int code = archive_read_data_block(reader, &block, &n, &offset);
        if (code == ARCHIVE_EOF) {
            break;
        }
        if (code != ARCHIVE_OK) {
            PML_TRY(damaged(members, reader, error));
        }
        if (n == 0) {
            continue;
        }
        if (offset < 0 || (uint64_t)offset != done_bytes) {
            PML_TRY(refuse(members, name, "is stored with holes (a sparse file)", error));
        }
        const uintptr_t at = (uintptr_t)block - (uintptr_t)base;
        if (done_bytes == 0) {
            is_unpacked = at >= members->map.size_bytes || n != size_bytes;
            first_offset = at;
            PML_TRY(is_unpacked ? pml_members_begin_unpacked(members, name, error)
                                : pml_members_add(members, name, first_offset, size_bytes, error));
        }
        if (is_unpacked) {
            PML_TRY(pml_members_append(members, block, n, error));
        }
        done_bytes += n;
    }
    if (done_bytes != size_bytes) {
        PML_TRY(refuse(members, name, "is shorter than its header says", error));
    }
done:
    return status;
}

/* Reads past a member that is left out, under the same limit as one that is kept. */
static pml_status skip_bytes(pml_members *members, struct archive *reader, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t done_bytes = 0;
    int code = ARCHIVE_OK;
    while (code != ARCHIVE_EOF) {
        const void *block;
        size_t n = 0;
        la_int64_t offset;
        PML_TRY(pml_cancel_check(error));
        code = archive_read_data_block(reader, &block, &n, &offset);
        if (code != ARCHIVE_OK && code != ARCHIVE_EOF) {
            PML_TRY(damaged(members, reader, error));
        }
        done_bytes += code == ARCHIVE_OK ? n : 0;
        if (done_bytes > members->most_bytes) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT,
                             "%s: unpacks to more than %llu bytes, which no checkpoint of its size does", members->path,
                             (unsigned long long)members->most_bytes));
        }
    }
done:
    return status;
}

static pml_status read_member(pml_members *members, struct archive *reader, struct archive_entry *entry,
                              pml_error *error) {
    const char *name = archive_entry_pathname(entry);
    if (name == NULL) {
        name = archive_entry_pathname_utf8(entry);
    }
    if (name == NULL) {
        return PML_FAIL(error, PML_E_FORMAT, "%s: a member has no name that can be read", members->path);
    }
    while (strncmp(name, "./", 2) == 0) {
        name += 2;
    }
    const mode_t type = archive_entry_filetype(entry);
    if (type == AE_IFDIR || pml_member_is_hidden(name)) {
        return skip_bytes(members, reader, error);
    }
    if (archive_entry_hardlink(entry) != NULL || archive_entry_symlink(entry) != NULL) {
        return refuse(members, name, "is a link, which is not followed (tar -h stores what it leads to)", error);
    }
    if (type != AE_IFREG || !archive_entry_size_is_set(entry) || archive_entry_size(entry) < 0) {
        return refuse(members, name, "is not a regular file", error);
    }
    return read_bytes(members, reader, name, (uint64_t)archive_entry_size(entry), error);
}

pml_status pml_members_read_tar(pml_members *members, pml_error *error) {
    pml_status status = PML_OK;
    struct archive *reader = archive_read_new();
    if (reader == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: out of memory", members->path));
    }
    if (archive_read_support_filter_gzip(reader) < ARCHIVE_WARN ||
        archive_read_support_filter_zstd(reader) < ARCHIVE_WARN ||
        archive_read_support_format_tar(reader) < ARCHIVE_WARN ||
        archive_read_open_memory(reader, members->map.data, members->map.size_bytes) != ARCHIVE_OK) {
        PML_TRY(damaged(members, reader, error));
    }
    for (size_t n_headers = 0;; n_headers++) {
        struct archive_entry *entry;
        PML_TRY(pml_cancel_check(error));
        const int code = archive_read_next_header(reader, &entry);
        if (code == ARCHIVE_EOF) {
            break;
        }
        /* A warning is about a name outside the locale or an attribute that is not used here. */
        if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
            PML_TRY(damaged(members, reader, error));
        }
        if (n_headers >= PML_MAX_ARCHIVE_MEMBERS) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: more than %u members", members->path, PML_MAX_ARCHIVE_MEMBERS));
        }
        PML_TRY(read_member(members, reader, entry, error));
    }
done:
    if (reader != NULL) {
        (void)archive_read_free(reader);
    }
    return status;
}
