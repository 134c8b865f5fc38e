#include "formats/hdf5/hdf5_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/hdf5/hdf5_sandbox.h"

/* Longer than it may compute: a child that is silent for so long is stuck. */
enum { SILENCE_MS = 300000 };

pml_status pml_hdf5_child_start(const char *path, const pml_hdf5_limits *limits,
                                void (*work)(const void *context, int fd), const void *context, pml_hdf5_child *child,
                                pml_error *error) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return PML_FAIL(error, PML_E_IO, "%s: no pipe to a process that reads it: %s", path, strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) { /* in the child: it never comes back from here */
        if (pml_hdf5_sandbox_enter(ends[1], limits->memory_bytes, limits->seconds)) {
            work(context, STDOUT_FILENO);
        }
        _Exit(0); /* of a process that this file started, not of its host */
    }
    int code = errno;
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        return PML_FAIL(error, PML_E_IO, "%s: no process to read it in: %s", path, strerror(code));
    }
    *child = (pml_hdf5_child){.pid = pid, .fd = ends[0], .path = path, .seconds = limits->seconds};
    return PML_OK;
}

/* Waits for it; *how is as waitpid says, -1 where somebody else has taken that. */
static void reap(pml_hdf5_child *child, int *how) {
    while (waitpid(child->pid, how, 0) < 0) {
        if (errno != EINTR) {
            *how = -1;
            break;
        }
    }
    (void)close(child->fd);
    *child = (pml_hdf5_child){.path = child->path, .seconds = child->seconds};
}

static pml_status ended(pml_hdf5_child *child, pml_error *error) {
    int how = -1;
    const unsigned seconds = child->seconds;
    const char *path = child->path;
    reap(child, &how);
    if (how != -1 && WIFSIGNALED(how)) {
        const int number = WTERMSIG(how);
        if (number == SIGXCPU || number == SIGKILL) {
            return PML_FAIL(error, PML_E_FORMAT,
                            "%s: reading it was stopped: it takes more than %u s or more memory than such a file needs "
                            "(it is damaged, or made to do so)",
                            path, seconds);
        }
        return PML_FAIL(error, PML_E_FORMAT,
                        "%s: the HDF5 library crashed on it with signal %d, in a process of its own (the file is "
                        "damaged, or made to do so)",
                        path, number);
    }
    return PML_FAIL(error, PML_E_FORMAT, "%s: the process that reads it ended before its time", path);
}

pml_status pml_hdf5_child_read(pml_hdf5_child *child, void *bytes, size_t size_bytes, pml_error *error) {
    uint8_t *at = bytes;
    while (size_bytes > 0) {
        struct pollfd wait = {.fd = child->fd, .events = POLLIN};
        int n_ready = poll(&wait, 1, SILENCE_MS);
        if (n_ready < 0 && errno == EINTR) {
            continue;
        }
        ssize_t n = n_ready > 0 ? read(child->fd, at, size_bytes) : 0;
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (n_ready == 0) {
            (void)kill(child->pid, SIGKILL);
        }
        if (n_ready < 0 || n < 0) {
            return PML_FAIL(error, PML_E_IO, "%s: %s", child->path, strerror(errno));
        }
        if (n == 0) {
            return ended(child, error);
        }
        at += n;
        size_bytes -= (size_t)n;
    }
    return PML_OK;
}

void pml_hdf5_child_end(pml_hdf5_child *child) {
    int how;
    if (child->pid > 0) {
        (void)kill(child->pid, SIGKILL);
        reap(child, &how);
    }
}
