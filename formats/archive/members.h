/* What the readers of containers fill: members of an archive, checked one by one, and the room for unpacked bytes. */
#ifndef PML_FORMATS_ARCHIVE_MEMBERS_H
#define PML_FORMATS_ARCHIVE_MEMBERS_H

#include "runtime/base/input.h"
#include "runtime/base/names.h"

#define PML_MAX_ARCHIVE_MEMBERS 100000u

typedef struct pml_archive_member {
    const char *name; /* owned by pml_members.names; see pml_archive_name_at */
    bool is_unpacked; /* in the unnamed file, otherwise in the archive itself */
    uint64_t offset_bytes;
    uint64_t size_bytes;
} pml_archive_member;

typedef struct pml_members { /* zero = empty, safe to deinit */
    const char *path;        /* of the archive, for messages; borrowed */
    pml_file_map map;        /* its bytes */
    pml_names names;
    pml_archive_member *items;
    size_t count, capacity;
    int unpacked_fd; /* of the unnamed file, valid where has_unpacked */
    bool has_unpacked;
    uint64_t unpacked_bytes, most_bytes;
    pml_file_map unpacked;
} pml_members;

void pml_members_deinit(pml_members *members);

/* Whether a member of this name is to be left out: hidden, or in a hidden folder. */
bool pml_member_is_hidden(const char *name);
/* Adds a member whose bytes lie in the archive. FORMAT (a name that leaves the folder or stands twice, a range outside
 * the archive, too many), MEMORY. */
pml_status pml_members_add(pml_members *members, const char *name, uint64_t offset_bytes, uint64_t size_bytes,
                           pml_error *error) PML_WARN_UNUSED;
/* Adds a member of no bytes at the end of the unnamed file; pml_members_append makes it longer. Errors: those of
 * pml_members_add, IO. */
pml_status pml_members_begin_unpacked(pml_members *members, const char *name, pml_error *error) PML_WARN_UNUSED;
/* Appends to the member that was begun last. Errors: FORMAT (the archive grows beyond its limit), IO, INTERRUPTED. */
pml_status pml_members_append(pml_members *members, const void *bytes, size_t size_bytes,
                              pml_error *error) PML_WARN_UNUSED;

/* Makes the member that was begun last `size_bytes` long at once; *room is where they are to be written, until
 * pml_members_room_close. Errors: as pml_members_append, MEMORY. */
pml_status pml_members_room_open(pml_members *members, uint64_t size_bytes, void **room,
                                 pml_error *error) PML_WARN_UNUSED;
void pml_members_room_close(pml_members *members, void *room);

/* Readers of containers. Errors: those of pml_archive_open. */
pml_status pml_members_read_tar(pml_members *members, pml_error *error) PML_WARN_UNUSED;
pml_status pml_members_read_zip(pml_members *members, pml_error *error) PML_WARN_UNUSED;

#endif
