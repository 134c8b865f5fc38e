/* Loaded before libc (LD_PRELOAD): the Nth call of one function of the system fails, or does less than was asked.
 *
 *   PML_FAULT=CALL:N:WHAT   WHAT is the number of an error, or "short": half of the bytes, at least one
 *   PML_FAULT_MARK=FILE     made when the fault happened
 *   PML_OPEN_LOG=FILE       gets a line for each path that is opened, as the system resolved it
 *
 * Writes to the standard streams are neither counted nor touched. */
/* Both names of each call are wanted, not one made to mean the other. */
#undef _FILE_OFFSET_BITS
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char wanted[32];
static atomic_long countdown;
static int fault_errno; /* 0: short */
static atomic_int is_ready;

static void prepare(void) {
    int expected = 0;
    if (!atomic_compare_exchange_strong(&is_ready, &expected, 1)) {
        return;
    }
    const char *text = getenv("PML_FAULT");
    long n = 0;
    char what[16] = "";
    if (text != NULL && sscanf(text, "%31[^:]:%ld:%15s", wanted, &n, what) == 3) {
        fault_errno = strcmp(what, "short") == 0 ? 0 : atoi(what);
        atomic_store(&countdown, n);
    }
}

/* Whether this call is the one. */
static bool is_hit(const char *call) {
    prepare();
    if (strcmp(call, wanted) != 0 || atomic_load(&countdown) <= 0 || atomic_fetch_sub(&countdown, 1) != 1) {
        return false;
    }
    const char *mark = getenv("PML_FAULT_MARK");
    if (mark != NULL) {
        const long fd = syscall(SYS_openat, AT_FDCWD, mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0) {
            (void)syscall(SYS_close, (int)fd);
        }
    }
    return true;
}

/* ---- opening ---- */
static void note_open(int fd) {
    const char *log = getenv("PML_OPEN_LOG");
    char link[64], line[4097];
    if (fd < 0 || log == NULL) {
        return;
    }
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, line, sizeof line - 1);
    const long log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (n > 0 && log_fd >= 0) {
        line[n++] = '\n';
        (void)syscall(SYS_write, (int)log_fd, line, (size_t)n);
    }
    if (log_fd >= 0) {
        (void)syscall(SYS_close, (int)log_fd);
    }
}

static int open_any(const char *call, int folder, const char *path, int flags, mode_t mode) {
    if (is_hit(call)) {
        errno = fault_errno;
        return -1;
    }
    const int fd = (int)syscall(SYS_openat, folder, path, flags | O_LARGEFILE, mode);
    const int kept = errno;
    note_open(fd);
    errno = kept;
    return fd;
}

#define OPEN_MODE                                                                                                      \
    mode_t mode = 0;                                                                                                   \
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {                                                                        \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, mode_t);                                                                                   \
        va_end(rest);                                                                                                  \
    }

int open(const char *path, int flags, ...) {
    OPEN_MODE
    return open_any("open", AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    OPEN_MODE
    return open_any("open", AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...) {
    OPEN_MODE
    return open_any("open", folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
    OPEN_MODE
    return open_any("open", folder, path, flags, mode);
}

/* ---- bytes: `size` is made smaller, or the call fails ---- */
#define MAY_FAIL(call, size)                                                                                           \
    if (is_hit(call)) {                                                                                                \
        if (fault_errno != 0 || (size) < 2) {                                                                          \
            errno = fault_errno != 0 ? fault_errno : EINTR;                                                            \
            return -1;                                                                                                 \
        }                                                                                                              \
        (size) /= 2;                                                                                                   \
    }

ssize_t read(int fd, void *bytes, size_t size) {
    if (fd > 2) {
        MAY_FAIL("read", size)
    }
    return syscall(SYS_read, fd, bytes, size);
}
ssize_t pread(int fd, void *bytes, size_t size, off_t at) {
    MAY_FAIL("pread", size)
    return syscall(SYS_pread64, fd, bytes, size, at);
}
ssize_t pread64(int fd, void *bytes, size_t size, off_t at) {
    MAY_FAIL("pread", size)
    return syscall(SYS_pread64, fd, bytes, size, at);
}
ssize_t write(int fd, const void *bytes, size_t size) {
    if (fd > 2) {
        MAY_FAIL("write", size)
    }
    return syscall(SYS_write, fd, bytes, size);
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    MAY_FAIL("pwrite", size)
    return syscall(SYS_pwrite64, fd, bytes, size, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t at) {
    MAY_FAIL("pwrite", size)
    return syscall(SYS_pwrite64, fd, bytes, size, at);
}

/* ---- the rest fails or does not ---- */
#define FAILS(call)                                                                                                    \
    if (is_hit(call)) {                                                                                                \
        errno = fault_errno;                                                                                           \
        return -1;                                                                                                     \
    }

int fsync(int fd) {
    FAILS("fsync")
    return (int)syscall(SYS_fsync, fd);
}
int ftruncate(int fd, off_t size) {
    FAILS("ftruncate")
    return (int)syscall(SYS_ftruncate, fd, size);
}
int ftruncate64(int fd, off_t size) {
    FAILS("ftruncate")
    return (int)syscall(SYS_ftruncate, fd, size);
}
int posix_fallocate(int fd, off_t at, off_t size) {
    if (is_hit("fallocate")) {
        return fault_errno;
    }
    return syscall(SYS_fallocate, fd, 0, at, size) == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off_t at, off_t size) {
    return posix_fallocate(fd, at, size);
}
/* A failing close closes all the same, as Linux does. */
int close(int fd) {
    const bool fails = fd > 2 && is_hit("close");
    const int result = (int)syscall(SYS_close, fd);
    if (fails) {
        errno = fault_errno;
        return -1;
    }
    return result;
}
int rename(const char *from, const char *to) {
    FAILS("rename")
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat(int a, const char *from, int b, const char *to) {
    FAILS("rename")
    return (int)syscall(SYS_renameat2, a, from, b, to, 0);
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    FAILS("rename")
    return (int)syscall(SYS_renameat2, a, from, b, to, flags);
}
int mkdir(const char *path, mode_t mode) {
    FAILS("mkdir")
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}
int mkdirat(int folder, const char *path, mode_t mode) {
    FAILS("mkdir")
    return (int)syscall(SYS_mkdirat, folder, path, mode);
}
int symlinkat(const char *text, int folder, const char *path) {
    FAILS("symlink")
    return (int)syscall(SYS_symlinkat, text, folder, path);
}
/* What pml's own allocator asks; what libraries ask is left alone. */
extern void *__libc_memalign(size_t alignment, size_t size);
void *aligned_alloc(size_t alignment, size_t size) {
    if (is_hit("aligned_alloc")) {
        errno = fault_errno;
        return NULL;
    }
    return __libc_memalign(alignment, size);
}
void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t at) {
    if (fd >= 0 && is_hit("mmap")) {
        errno = fault_errno;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, at);
}
void *mmap64(void *address, size_t size, int protection, int flags, int fd, off_t at) {
    return mmap(address, size, protection, flags, fd, at);
}
