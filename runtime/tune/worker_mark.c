#include "runtime/tune/worker_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "runtime/base/process_mark.h"

enum { N_FIELDS = 7, BOOT_DIGITS = 8 };

static void read_small(const char *path, char *text, size_t room) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = fd >= 0 ? read(fd, text, room - 1) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    text[length > 0 ? length : 0] = '\0';
}

static void read_boot(char boot[BOOT_DIGITS + 1]) {
    read_small("/proc/sys/kernel/random/boot_id", boot, BOOT_DIGITS + 1);
    if (strspn(boot, "0123456789abcdef") != BOOT_DIGITS) {
        (void)snprintf(boot, BOOT_DIGITS + 1, "unknown");
    }
}

/* Numbers of processes mean something only within one namespace of them. */
static uint64_t pid_namespace(void) {
    char link[64];
    const ssize_t length = readlink("/proc/self/ns/pid", link, sizeof link - 1);
    link[length > 0 ? length : 0] = '\0';
    const char *digits = strchr(link, '[');
    return digits != NULL ? strtoull(digits + 1, NULL, 10) : 0;
}

/* When a process started, in ticks since the boot: field 22 of its stat, the 20th behind the name; 0 where unknown. */
static uint64_t start_of(long pid) {
    char path[32], text[1024];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    read_small(path, text, sizeof text);
    const char *at = strrchr(text, ')');
    for (int i = 0; at != NULL && i < 20; i++) {
        at = strchr(at + 1, ' ');
    }
    return at != NULL ? strtoull(at + 1, NULL, 10) : 0;
}

pml_status pml_worker_mark(char mark[PML_WORKER_MARK_BYTES], pml_error *error) {
    char host[PML_PROCESS_HOST_BYTES], boot[BOOT_DIGITS + 1];
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
        return PML_FAIL(error, PML_E_IO, "cannot get random bytes: %s", strerror(errno));
    }
    pml_process_host(host);
    read_boot(boot);
    const long pid = (long)getpid();
    (void)snprintf(mark, PML_WORKER_MARK_BYTES, "pml.%s.%s.%" PRIu64 ".%ld.%" PRIu64 ".%016" PRIx64, host, boot,
                   pid_namespace(), pid, start_of(pid), number);
    return PML_OK;
}

bool pml_worker_has_ended(const char *mark) {
    char copy[PML_WORKER_MARK_BYTES], host[PML_PROCESS_HOST_BYTES], boot[BOOT_DIGITS + 1];
    char *fields[N_FIELDS], *rest = copy;
    if (strlen(mark) >= sizeof copy) {
        return false;
    }
    (void)snprintf(copy, sizeof copy, "%s", mark);
    for (size_t i = 0; i < N_FIELDS; i++) {
        fields[i] = strsep(&rest, ".");
        if (fields[i] == NULL) {
            return false;
        }
    }
    pml_process_host(host);
    if (rest != NULL || strcmp(fields[0], "pml") != 0 || strcmp(fields[1], host) != 0) {
        return false;
    }
    read_boot(boot);
    if (strcmp(fields[2], boot) != 0) {
        return true;
    }
    const long pid = strtol(fields[4], NULL, 10);
    if (strtoull(fields[3], NULL, 10) != pid_namespace() || pid <= 0) {
        return false;
    }
    return pml_process_has_ended(pid) || start_of(pid) != strtoull(fields[5], NULL, 10);
}
