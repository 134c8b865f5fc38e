/* What servers of the hub say: answers about revisions and files, the list that the cache keeps, header lines. The
 * first byte chooses. What is accepted must be safe to use, and a list that was read must write and read back the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/hub/http_reply.h"
#include "convert/hub/hub_listing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void check_listing(const pml_hub_listing *listing) {
    for (size_t i = 0; i < listing->count; i++) {
        const pml_hub_file *file = &listing->files[i];
        require(pml_hub_path_check(file->path, NULL) == PML_OK && file->path[0] != '/' &&
                strchr(file->path, '\\') == NULL);
        require(pml_hub_is_hash(file->hash) && file->size_bytes <= INT64_MAX);
        require(pml_hub_listing_find(listing, file->path) == file);
    }
}

static void write_and_read(const pml_hub_listing *listing) {
    pml_hub_listing again = {0};
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    require(stream != NULL && pml_hub_listing_write(listing, stream, NULL) == PML_OK && fclose(stream) == 0);
    require(pml_hub_listing_read(text, length, "again", &again, NULL) == PML_OK && again.count == listing->count);
    check_listing(&again);
    pml_hub_listing_deinit(&again);
    free(text);
}

static void read_headers(const char *text, size_t size) {
    pml_http_reply reply = {0};
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        const size_t n = end != NULL ? (size_t)(end - text) + 1 : size;
        require(pml_http_reply_line(&reply, text, n, NULL) == PML_OK);
        text += n;
        size -= n;
    }
    require(!reply.has_range || (reply.range_first <= reply.range_last && reply.range_last < reply.range_total));
    require(memchr(reply.etag, '\0', sizeof reply.etag) != NULL &&
            memchr(reply.commit, '\0', sizeof reply.commit) != NULL &&
            memchr(reply.error_message, '\0', sizeof reply.error_message) != NULL);
    pml_http_reply_deinit(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pml_hub_listing listing = {0};
    char commit[PML_HUB_COMMIT_TEXT_BYTES];
    if (size == 0) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    switch (data[0] & 3) {
    case 0:
        require(pml_hub_listing_read_commit(text, size - 1, "fuzz", commit, NULL) != PML_OK ||
                pml_hub_is_commit(commit));
        break;
    case 1:
        if (pml_hub_listing_read_page(text, size - 1, "fuzz", &listing, NULL) == PML_OK) {
            write_and_read(&listing);
        }
        break;
    case 2:
        if (pml_hub_listing_read(text, size - 1, "fuzz", &listing, NULL) == PML_OK) {
            write_and_read(&listing);
        }
        break;
    default:
        read_headers(text, size - 1);
    }
    check_listing(&listing);
    pml_hub_listing_deinit(&listing);
    return 0;
}
