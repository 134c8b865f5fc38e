/* Zip archives: stored members stay where they lie, deflated ones are unpacked. */
#include <string.h>

#include "formats/archive/members.h"
#include "formats/zip_directory.h"
#include "runtime/base/cancel.h"

static pml_status read_entry(pml_members *members, const pml_zip *zip, const pml_zip_entry *entry, pml_error *error) {
    pml_status status = PML_OK;
    void *room = NULL;
    const size_t length = strlen(entry->name);
    if (pml_member_is_hidden(entry->name) || (length > 0 && entry->name[length - 1] == '/')) {
        goto done;
    }
    if (entry->size_bytes == 0) {
        PML_TRY(pml_zip_read(zip, entry, &(char){0}, error));
        PML_TRY(pml_members_add(members, entry->name, 0, 0, error));
        goto done;
    }
    if (entry->method == PML_ZIP_STORED) {
        PML_TRY(pml_zip_check(zip, entry, error));
        PML_TRY(pml_members_add(members, entry->name, entry->data_offset, entry->size_bytes, error));
        goto done;
    }
    PML_TRY(pml_members_begin_unpacked(members, entry->name, error));
    PML_TRY(pml_members_room_open(members, entry->size_bytes, &room, error));
    PML_TRY(pml_zip_read(zip, entry, room, error));
done:
    if (room != NULL) {
        pml_members_room_close(members, room);
    }
    return status;
}

pml_status pml_members_read_zip(pml_members *members, pml_error *error) {
    pml_status status = PML_OK;
    pml_zip zip = {0};
    PML_TRY(pml_zip_open(members->map.data, members->map.size_bytes, members->path, &zip, error));
    for (size_t i = 0; i < zip.n_entries; i++) {
        PML_TRY(pml_cancel_check(error));
        PML_TRY(read_entry(members, &zip, &zip.entries[i], error));
    }
done:
    pml_zip_deinit(&zip);
    return status;
}
