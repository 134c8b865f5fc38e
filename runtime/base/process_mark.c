#include "runtime/base/process_mark.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { RANDOM_DIGITS = 16, MOST_PID_DIGITS = 9 };

void pml_process_host(char host[PML_PROCESS_HOST_BYTES]) {
    char full[256] = "";
    (void)gethostname(full, sizeof full - 1);
    size_t n = 0;
    for (; n + 1 < PML_PROCESS_HOST_BYTES && full[n] != '\0'; n++) {
        const bool plain = isalnum((unsigned char)full[n]) || full[n] == '-';
        host[n] = full[n];
        if (!plain) {
            host[n] = '_';
        }
    }
    host[n] = '\0';
    if (n == 0) {
        memcpy(host, "host", 5);
    }
}

pml_status pml_process_mark(char mark[PML_PROCESS_MARK_BYTES], pml_error *error) {
    char host[PML_PROCESS_HOST_BYTES];
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
        return PML_FAIL(error, PML_E_IO, "cannot get random bytes: %s", strerror(errno));
    }
    pml_process_host(host);
    (void)snprintf(mark, PML_PROCESS_MARK_BYTES, "%s.%ld.%016llx", host, (long)getpid(), (unsigned long long)number);
    return PML_OK;
}

bool pml_process_mark_read(const char *name, size_t length, size_t *n_before, char host[PML_PROCESS_HOST_BYTES],
                           long *pid) {
    char copy[NAME_MAX + 1];
    if (length >= sizeof copy) {
        return false;
    }
    memcpy(copy, name, length);
    copy[length] = '\0';
    char *dots[3];
    for (int i = 0; i < 3; i++) {
        dots[i] = strrchr(copy, '.');
        if (dots[i] == NULL) {
            return false;
        }
        *dots[i] = '\0';
    }
    const char *number = dots[0] + 1, *process = dots[1] + 1, *machine = dots[2] + 1;
    const bool fits = strlen(number) == RANDOM_DIGITS && strspn(number, "0123456789abcdef") == RANDOM_DIGITS &&
                      process[0] != '\0' && strlen(process) <= MOST_PID_DIGITS &&
                      strspn(process, "0123456789") == strlen(process) && machine[0] != '\0' &&
                      strlen(machine) < PML_PROCESS_HOST_BYTES;
    if (fits) {
        *pid = strtol(process, NULL, 10);
        *n_before = (size_t)(dots[2] - copy);
        memcpy(host, machine, strlen(machine) + 1);
    }
    return fits;
}

bool pml_process_has_ended(long pid) {
    char path[32], line[256];
    if (kill((pid_t)pid, 0) != 0) {
        return errno == ESRCH;
    }
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    line[length > 0 ? length : 0] = '\0';
    const char *state = strrchr(line, ')'); /* the program's name in front of it may hold anything */
    return state != NULL && state[1] == ' ' && (state[2] == 'Z' || state[2] == 'X');
}
