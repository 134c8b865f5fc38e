#include "formats/archive/members.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "formats/file_map.h"
#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/checked.h"
#include "runtime/base/limits.h"
#include "runtime/base/quote.h"

void pml_members_deinit(pml_members *members) {
    pml_file_map_close(&members->unpacked);
    pml_file_map_close(&members->map);
    if (members->has_unpacked) {
        (void)close(members->unpacked_fd);
    }
    pml_names_deinit(&members->names);
    pml_free(members->items);
    *members = (pml_members){0};
}

bool pml_member_is_hidden(const char *name) {
    if (strncmp(name, "__MACOSX/", 9) == 0) {
        return true;
    }
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        const size_t length = strcspn(part, "/");
        const bool is_step = length == 1 || (length == 2 && part[1] == '.'); /* "." and "..", refused elsewhere */
        if (part[0] == '.' && !is_step) {
            return true;
        }
    }
    return false;
}

/* Every component is one that a folder may have. */
static bool is_inside(const char *name) {
    char component[256];
    for (const char *rest = name;;) {
        const size_t length = strcspn(rest, "/");
        if (length >= sizeof component) {
            return false;
        }
        memcpy(component, rest, length);
        component[length] = '\0';
        if (!pml_is_base_name(component)) {
            return false;
        }
        if (rest[length] == '\0') {
            return true;
        }
        rest += length + 1;
    }
}

static pml_status add(pml_members *members, const char *name, pml_archive_member **member, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    size_t i_name;
    bool is_new;
    if (strlen(name) > PML_MAX_NAME_BYTES || !is_inside(name)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: the member %s leaves the folder that the archive holds",
                         members->path, pml_quote(&quoted, name)));
    }
    status = pml_grow(&members->items, &members->capacity, members->count + 1, sizeof *members->items,
                      PML_MAX_ARCHIVE_MEMBERS, "members of an archive", error);
    if (status == PML_E_FORMAT) {
        PML_TRY(pml_error_prefix(error, status, "%s", members->path));
    }
    PML_TRY(status);
    PML_TRY(pml_names_add(&members->names, name, strlen(name), PML_MAX_ARCHIVE_MEMBERS, "members", &i_name, &is_new,
                          error));
    if (!is_new) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: the member %s stands there twice", members->path,
                         pml_quote(&quoted, name)));
    }
    *member = &members->items[members->count++];
    **member = (pml_archive_member){.name = pml_names_at(&members->names, i_name)};
done:
    return status;
}

pml_status pml_members_add(pml_members *members, const char *name, uint64_t offset_bytes, uint64_t size_bytes,
                           pml_error *error) {
    pml_status status = PML_OK;
    pml_archive_member *member;
    pml_quoted quoted;
    PML_TRY(add(members, name, &member, error));
    if (!pml_ck_range(offset_bytes, size_bytes, members->map.size_bytes)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: the member %s reaches past the end", members->path,
                         pml_quote(&quoted, name)));
    }
    member->offset_bytes = offset_bytes;
    member->size_bytes = size_bytes;
done:
    return status;
}

/* A file without a name: nothing is left of it when the process ends. */
static pml_status open_unnamed(pml_members *members, pml_error *error) {
    const char *folder = getenv("TMPDIR");
    if (folder == NULL || folder[0] == '\0') {
        folder = "/var/tmp";
    }
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        char path[4096];
        const int n = snprintf(path, sizeof path, "%s/.pml-unpacked.XXXXXX", folder);
        fd = n > 0 && (size_t)n < sizeof path ? mkostemp(path, O_CLOEXEC) : -1;
        if (fd >= 0) {
            (void)unlink(path);
        }
    }
    if (fd < 0) {
        return PML_FAIL(error, PML_E_IO, "%s: no room to unpack %s ($TMPDIR names another folder): %s", folder,
                        members->path, strerror(errno));
    }
    members->unpacked_fd = fd;
    members->has_unpacked = true;
    return PML_OK;
}

pml_status pml_members_begin_unpacked(pml_members *members, const char *name, pml_error *error) {
    pml_status status = PML_OK;
    pml_archive_member *member;
    PML_TRY(add(members, name, &member, error));
    if (!members->has_unpacked) {
        PML_TRY(open_unnamed(members, error));
    }
    member->is_unpacked = true;
    member->offset_bytes = members->unpacked_bytes;
done:
    return status;
}

static pml_status check_growth(const pml_members *members, uint64_t size_bytes, pml_error *error) {
    uint64_t end_bytes;
    if (!pml_ck_add(members->unpacked_bytes, size_bytes, &end_bytes) || end_bytes > members->most_bytes) {
        return PML_FAIL(error, PML_E_FORMAT,
                        "%s: unpacks to more than %llu bytes, which no checkpoint of its size does", members->path,
                        (unsigned long long)members->most_bytes);
    }
    return PML_OK;
}

static pml_status no_room(const pml_members *members, int code, pml_error *error) {
    return PML_FAIL(error, PML_E_IO, "%s: cannot be unpacked ($TMPDIR names another folder): %s", members->path,
                    strerror(code));
}

pml_status pml_members_room_open(pml_members *members, uint64_t size_bytes, void **room, pml_error *error) {
    pml_status status = PML_OK;
    pml_archive_member *member = &members->items[members->count - 1];
    const long page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t start_bytes = 0;
    size_t length = 0;
    PML_TRY(check_growth(members, size_bytes, error));
    if (!pml_ck_pad(members->unpacked_bytes, page_bytes > 0 ? (uint64_t)page_bytes : 65536u, &start_bytes) ||
        !pml_ck_size(size_bytes, &length) || start_bytes > INT64_MAX - length) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: is too large for this machine", members->path));
    }
    /* Reserved before it is mapped: a full disk is an error here, not a signal later. */
    int code = EINTR;
    while (code == EINTR) {
        PML_TRY(pml_cancel_check(error));
        code = posix_fallocate(members->unpacked_fd, (off_t)start_bytes, (off_t)length);
    }
    if (code != 0) {
        PML_TRY(no_room(members, code, error));
    }
    void *mapped = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, members->unpacked_fd, (off_t)start_bytes);
    if (mapped == MAP_FAILED) {
        PML_TRY(no_room(members, errno, error));
    }
    member->offset_bytes = start_bytes;
    member->size_bytes = size_bytes;
    members->unpacked_bytes = start_bytes + size_bytes;
    *room = mapped;
done:
    return status;
}

void pml_members_room_close(pml_members *members, void *room) {
    (void)munmap(room, (size_t)members->items[members->count - 1].size_bytes);
}

pml_status pml_members_append(pml_members *members, const void *bytes, size_t size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    const char *next = bytes;
    PML_TRY(check_growth(members, size_bytes, error));
    while (size_bytes > 0) {
        PML_TRY(pml_cancel_check(error));
        const ssize_t n = pwrite(members->unpacked_fd, next, size_bytes, (off_t)members->unpacked_bytes);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            PML_TRY(no_room(members, n < 0 ? errno : ENOSPC, error));
        }
        next += n;
        size_bytes -= (size_t)n;
        members->unpacked_bytes += (uint64_t)n;
        members->items[members->count - 1].size_bytes += (uint64_t)n;
    }
done:
    return status;
}
