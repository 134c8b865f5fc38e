/* What was verified before, so that a warm start does not hash gigabytes: one line a blob in .pml-verified of the
 * repository's folder, appended in one write, the last one counts. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/hub/hub_cache.h"
#include "convert/hub/hub_folder.h"
#include "runtime/base/alloc.h"

#define VERIFIED_NAME ".pml-verified"
enum { MAX_VERIFIED_BYTES = 16777216, LINE_BYTES = 192 };

pml_status pml_hub_verified_load(pml_hub_cache *cache, pml_error *error) {
    pml_error why = {0};
    const pml_status status = pml_hub_folder_read(cache->repo_fd, VERIFIED_NAME, MAX_VERIFIED_BYTES, &cache->verified,
                                                  &cache->verified_bytes, &why);
    if (status == PML_E_MEMORY && error != NULL) {
        *error = why;
    }
    return status == PML_E_MEMORY ? status : PML_OK;
}

static int format_line(const char *hash, const struct stat *info, char line[LINE_BYTES]) {
    return snprintf(line, LINE_BYTES, "%s %llu %lld.%09ld %llu\n", hash, (unsigned long long)info->st_ino,
                    (long long)info->st_mtim.tv_sec, info->st_mtim.tv_nsec, (unsigned long long)info->st_size);
}

bool pml_hub_verified_has(const pml_hub_cache *cache, const char *hash, const struct stat *info) {
    char line[LINE_BYTES];
    (void)format_line(hash, info, line);
    return cache->verified != NULL && strstr(cache->verified, line) != NULL;
}

void pml_hub_verified_add(pml_hub_cache *cache, const char *hash, const struct stat *info) {
    char line[LINE_BYTES];
    const int length = format_line(hash, info, line);
    if (length <= 0 || length >= LINE_BYTES || pml_hub_verified_has(cache, hash, info)) {
        return;
    }
    const int fd = openat(cache->repo_fd, VERIFIED_NAME,
                          O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (fd >= 0) {
        (void)!write(fd, line, (size_t)length);
        (void)close(fd);
    }
}
