/* Preloaded into a client: a file system on which every lock is granted to everybody. */
int flock(int fd, int operation);

__attribute__((visibility("default"))) int flock(int fd, int operation) {
    (void)fd;
    (void)operation;
    return 0;
}
