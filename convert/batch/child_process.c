#include "convert/batch/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"

#define SECOND_NS 1000000000ull
enum { GRACE_SECONDS = 10, READ_BYTES = 65536, MOST_OUT_BYTES = 64 << 20, MOST_ERR_BYTES = 65536 };

/* Sanitizers reserve terabytes of address space: no limit of memory can hold beside them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMITS_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define LIMITS_MEMORY 0
#endif
#endif
#ifndef LIMITS_MEMORY
#define LIMITS_MEMORY 1
#endif

uint64_t pml_now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static void limit(__rlimit_resource_t resource, uint64_t value) {
    struct rlimit now;
    if (getrlimit(resource, &now) != 0) {
        return;
    }
    if (now.rlim_max == RLIM_INFINITY || value < now.rlim_max) {
        const struct rlimit wanted = {(rlim_t)value, (rlim_t)value};
        (void)setrlimit(resource, &wanted);
    }
}

/* In the child: nothing here may take a lock that the parent could have held. */
static void become(const char *program, const char *const *arguments, const pml_child_limits *limits, pid_t parent,
                   int in, int out, int err) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        (void)kill(getpid(), SIGKILL); /* it ended before the line above */
    }
    /* When memory runs out, the machine should end this process and not the one that keeps the journal. */
    const int oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (oom >= 0) {
        const ssize_t n = write(oom, "500", 3);
        (void)n;
        (void)close(oom);
    }
    if (LIMITS_MEMORY && limits->memory_bytes > 0) {
        limit(RLIMIT_DATA, limits->memory_bytes);
    }
    if (limits->seconds > 0) {
        const long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
        limit(RLIMIT_CPU, limits->seconds * (uint64_t)(n_cpus > 0 ? n_cpus : 1) + 1);
    }
    limit(RLIMIT_CORE, 0);
    if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2) {
        (void)execv(program, (char *const *)(uintptr_t)arguments);
    }
    static const char text[] = "cannot execute the program of the steps\n";
    const ssize_t n = write(err, text, sizeof text - 1);
    (void)n;
    for (;;) {
        (void)kill(getpid(), SIGKILL); /* nothing of the parent's may run here, not even what happens at an exit */
    }
}

static void close_if_open(int *fd) {
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

pml_status pml_child_start(const char *program, const char *const *arguments, const pml_child_limits *limits,
                           pml_child *child, pml_error *error) {
    pml_status status = PML_OK;
    int out[2] = {-1, -1}, err[2] = {-1, -1};
    *child = (pml_child){.out_fd = -1, .err_fd = -1};
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in < 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "cannot start a process: %s", strerror(errno)));
    }
    const pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        become(program, arguments, limits, parent, in, out[1], err[1]);
    }
    if (pid < 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "cannot start a process: %s", strerror(errno)));
    }
    child->pid = pid;
    child->start_ns = pml_now_ns();
    child->deadline_ns = limits->seconds > 0 ? child->start_ns + limits->seconds * SECOND_NS : 0;
    child->out_fd = out[0];
    child->err_fd = err[0];
    out[0] = err[0] = -1;
    (void)fcntl(child->out_fd, F_SETFL, O_NONBLOCK);
    (void)fcntl(child->err_fd, F_SETFL, O_NONBLOCK);
done:
    close_if_open(&in);
    for (int i = 0; i < 2; i++) {
        close_if_open(&out[i]);
        close_if_open(&err[i]);
    }
    return status;
}

size_t pml_child_poll(const pml_child *child, struct pollfd *entries) {
    size_t n = 0;
    if (child->out_fd >= 0) {
        entries[n++] = (struct pollfd){.fd = child->out_fd, .events = POLLIN};
    }
    if (child->err_fd >= 0) {
        entries[n++] = (struct pollfd){.fd = child->err_fd, .events = POLLIN};
    }
    return n;
}

/* Keeps the last `most` bytes. */
static void collect(pml_child_text *text, const char *bytes, size_t n, size_t most) {
    if (n >= most) {
        bytes += n - most;
        n = most;
        text->size_bytes = 0;
        text->was_cut = true;
    }
    if (text->size_bytes + n > most) {
        const size_t excess = text->size_bytes + n - most;
        memmove(text->bytes, text->bytes + excess, text->size_bytes - excess);
        text->size_bytes -= excess;
        text->was_cut = true;
    }
    if (pml_grow(&text->bytes, &text->capacity, text->size_bytes + n + 1, 1, SIZE_MAX / 2, "bytes", NULL) != PML_OK) {
        text->was_cut = true;
        return;
    }
    memcpy(text->bytes + text->size_bytes, bytes, n);
    text->size_bytes += n;
    text->bytes[text->size_bytes] = '\0';
}

static void drain(int *fd, pml_child_text *text, size_t most) {
    char bytes[READ_BYTES];
    while (*fd >= 0) {
        const ssize_t n = read(*fd, bytes, sizeof bytes);
        if (n > 0) {
            collect(text, bytes, (size_t)n, most);
        } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            close_if_open(fd);
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

void pml_child_stop(pml_child *child) {
    if (child->pid > 0 && child->kill_ns == 0) {
        (void)kill(child->pid, SIGTERM);
        child->kill_ns = pml_now_ns() + GRACE_SECONDS * SECOND_NS;
    }
}

bool pml_child_advance(pml_child *child) {
    drain(&child->out_fd, &child->out, MOST_OUT_BYTES);
    drain(&child->err_fd, &child->err, MOST_ERR_BYTES);
    const uint64_t now = pml_now_ns();
    if (child->deadline_ns != 0 && now > child->deadline_ns && child->kill_ns == 0) {
        child->timed_out = true;
        pml_child_stop(child);
    }
    if (child->kill_ns != 0 && now > child->kill_ns) {
        (void)kill(child->pid, SIGKILL);
    }
    /* Both ends closed: it is ending, and waiting costs nothing. */
    const bool is_ending = child->out_fd < 0 && child->err_fd < 0 && child->kill_ns == 0;
    int result = 0;
    pid_t ended;
    do {
        ended = waitpid(child->pid, &result, is_ending ? 0 : WNOHANG);
    } while (ended < 0 && errno == EINTR);
    if (ended == 0) {
        return false;
    }
    drain(&child->out_fd, &child->out, MOST_OUT_BYTES); /* written between the last look and its end */
    drain(&child->err_fd, &child->err, MOST_ERR_BYTES);
    child->pid = 0;
    child->signal_number = ended > 0 && WIFSIGNALED(result) ? WTERMSIG(result) : 0;
    child->exit_code = ended < 0 ? 1 : child->signal_number != 0 ? 128 + child->signal_number : WEXITSTATUS(result);
    child->seconds = (double)(pml_now_ns() - child->start_ns) * 1e-9;
    return true;
}

void pml_child_deinit(pml_child *child) {
    if (child->pid > 0) {
        (void)kill(child->pid, SIGKILL);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    if (child->start_ns != 0) {
        close_if_open(&child->out_fd);
        close_if_open(&child->err_fd);
    }
    pml_free(child->out.bytes);
    pml_free(child->err.bytes);
    *child = (pml_child){.out_fd = -1, .err_fd = -1};
}
