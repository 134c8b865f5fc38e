#include "formats/hdf5/hdf5_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/checked.h"

#if defined(__x86_64__)
#define SANDBOX_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SANDBOX_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef SANDBOX_ARCH
#define LET_THROUGH(number)                                                                                            \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* Everything else fails with EPERM, as if it were forbidden to the user: a library that merely asks goes on. */
static const struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SANDBOX_ARCH, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    LET_THROUGH(SYS_write),
    LET_THROUGH(SYS_exit_group),
    LET_THROUGH(SYS_exit),
    LET_THROUGH(SYS_rt_sigreturn),
    LET_THROUGH(SYS_brk),
    LET_THROUGH(SYS_mmap),
    LET_THROUGH(SYS_munmap),
    LET_THROUGH(SYS_mremap),
    LET_THROUGH(SYS_mprotect),
    LET_THROUGH(SYS_madvise),
    LET_THROUGH(SYS_futex),
    LET_THROUGH(SYS_clock_gettime),
    LET_THROUGH(SYS_gettimeofday),
    LET_THROUGH(SYS_getpid),
    LET_THROUGH(SYS_gettid),
    LET_THROUGH(SYS_sched_yield),
    LET_THROUGH(SYS_sigaltstack),
    LET_THROUGH(SYS_rt_sigprocmask),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
};

static void filter_system_calls(void) {
    struct sock_filter copy[sizeof filter / sizeof filter[0]];
    for (size_t i = 0; i < sizeof filter / sizeof filter[0]; i++) {
        copy[i] = filter[i];
    }
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = copy};
    /* Without it (an old kernel, a container that forbids it) the limits above still leave nothing to open. */
    (void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}
#else
static void filter_system_calls(void) {
}
#endif

/* The address space in use, from /proc; 0: not known. */
static uint64_t mapped_bytes(void) {
    char text[64];
    uint64_t n_bytes = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    long page_bytes = sysconf(_SC_PAGESIZE);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (length <= 0 || page_bytes <= 0) {
        return 0;
    }
    text[length] = '\0';
    return pml_ck_mul(strtoull(text, NULL, 10), (uint64_t)page_bytes, &n_bytes) ? n_bytes : 0;
}

static bool limit(int resource, uint64_t value) {
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0) {
        return false;
    }
    rlim_t bound = now.rlim_max != RLIM_INFINITY && now.rlim_max < value ? now.rlim_max : (rlim_t)value;
    return setrlimit((__rlimit_resource_t)resource, &(struct rlimit){bound, bound}) == 0;
}

static void close_others(int fd) {
    (void)dup2(fd, STDOUT_FILENO);
    (void)close(STDIN_FILENO);
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0) {
        return;
    }
#endif
    long n = sysconf(_SC_OPEN_MAX);
    for (int other = 3; other < (n > 0 && n < 65536 ? (int)n : 65536); other++) {
        (void)close(other);
    }
}

bool pml_hdf5_sandbox_enter(int fd, uint64_t memory_bytes, unsigned seconds) {
    static const int signals[] = {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGABRT, SIGINT, SIGTERM, SIGXCPU, SIGPIPE};
    uint64_t address_bytes = mapped_bytes();
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)signal(signals[i], SIG_DFL); /* the parent's handlers speak of the parent's work */
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    close_others(fd);
    bool is_limited =
        limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, 0) && limit(RLIMIT_CPU, seconds);
    if (address_bytes != 0 && pml_ck_add(address_bytes, memory_bytes, &address_bytes)) {
        is_limited = limit(RLIMIT_AS, address_bytes) && is_limited;
    }
    filter_system_calls();
    return is_limited;
}
