#include "formats/archive.h"

#include <stdlib.h>
#include <string.h>

#include "formats/archive/members.h"
#include "formats/file_map.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"

/* What is unpacked may be this many times as long as the archive, and SMALL_BYTES in any case. */
enum { MOST_GROWTH = 1000, SMALL_BYTES = 1 << 24, TAR_MAGIC_AT = 257 };

struct pml_archive {
    pml_members members;
    size_t root_bytes; /* of the folder in front of every name, with its '/' */
    const pml_archive_member **order;
};

typedef struct container {
    const char *magic;
    size_t at, length;
    pml_status (*read)(pml_members *members, pml_error *error);
} container;

static const container containers[] = {
    {"PK\3\4", 0, 4, pml_members_read_zip},
    {"\x1f\x8b", 0, 2, pml_members_read_tar},
    {"\x28\xb5\x2f\xfd", 0, 4, pml_members_read_tar},
    {"ustar", TAR_MAGIC_AT, 5, pml_members_read_tar},
};

static const container *recognise(const uint8_t *head, size_t head_bytes) {
    for (size_t i = 0; i < sizeof containers / sizeof containers[0]; i++) {
        const container *c = &containers[i];
        if (head_bytes >= c->at + c->length && memcmp(head + c->at, c->magic, c->length) == 0) {
            return c;
        }
    }
    return NULL;
}

bool pml_archive_probe(const uint8_t *head, size_t head_bytes) {
    return recognise(head, head_bytes) != NULL;
}

static int compare_members(const void *left, const void *right) {
    return strcmp((*(const pml_archive_member *const *)left)->name, (*(const pml_archive_member *const *)right)->name);
}

/* The folders that every member lies in: names begin behind them. Names are in order, so the first and the last tell.
 */
static size_t measure_root(const pml_archive *archive) {
    const size_t count = archive->members.count;
    size_t root_bytes = 0;
    if (count == 0) {
        return 0;
    }
    const char *first = archive->order[0]->name, *last = archive->order[count - 1]->name;
    for (size_t i = 0; first[i] != '\0' && first[i] == last[i]; i++) {
        if (first[i] == '/') {
            root_bytes = i + 1;
        }
    }
    return root_bytes;
}

static pml_status read_members(pml_archive *archive, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    pml_members *members = &archive->members;
    members->path = path;
    PML_TRY(pml_foreign_map(path, &members->map, error));
    const container *c = recognise(members->map.data, members->map.size_bytes);
    if (c == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: is no archive that pml reads", path));
    }
    if (!pml_ck_mul(members->map.size_bytes, MOST_GROWTH, &members->most_bytes) ||
        !pml_ck_add(members->most_bytes, SMALL_BYTES, &members->most_bytes)) {
        members->most_bytes = UINT64_MAX;
    }
    PML_TRY(c->read(members, error));
    if (members->has_unpacked) {
        members->has_unpacked = false; /* the map takes the descriptor over */
        PML_TRY(pml_file_map_take(members->unpacked_fd, path, PML_E_IO, &members->unpacked, error));
    }
done:
    return status;
}

pml_status pml_archive_open(const char *path, pml_archive **archive, pml_error *error) {
    pml_status status = PML_OK;
    pml_archive *opened = NULL;
    *archive = NULL;
    PML_TRY(pml_alloc(1, sizeof *opened, &opened, error));
    PML_TRY(read_members(opened, path, error));
    const pml_members *members = &opened->members;
    PML_TRY(pml_alloc(members->count, sizeof *opened->order, &opened->order, error));
    for (size_t i = 0; i < members->count; i++) {
        opened->order[i] = &members->items[i];
    }
    if (members->count > 0) {
        qsort(opened->order, members->count, sizeof *opened->order, compare_members);
    }
    opened->root_bytes = measure_root(opened);
    opened->members.path = NULL; /* the caller's */
    *archive = opened;
    opened = NULL;
done:
    pml_archive_close(opened);
    return status;
}

void pml_archive_close(pml_archive *archive) {
    if (archive != NULL) {
        pml_members_deinit(&archive->members);
        pml_free(archive->order);
        pml_free(archive);
    }
}

size_t pml_archive_n_members(const pml_archive *archive) {
    return archive->members.count;
}

const char *pml_archive_name_at(const pml_archive *archive, size_t i_member) {
    return archive->order[i_member]->name + archive->root_bytes;
}

bool pml_archive_find(const pml_archive *archive, const char *name, const uint8_t **bytes, uint64_t *size_bytes) {
    size_t low = 0, high = archive->members.count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(pml_archive_name_at(archive, middle), name);
        if (order == 0) {
            const pml_archive_member *member = archive->order[middle];
            *bytes = member->size_bytes == 0
                         ? (const uint8_t *)""
                         : (member->is_unpacked ? archive->members.unpacked.data : archive->members.map.data) +
                               member->offset_bytes;
            *size_bytes = member->size_bytes;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}
