/* Runs a fuzz harness over every file of the folders given: corpora as ordinary tests, without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static int replay_file(const char *path) {
    FILE *stream = fopen(path, "rb");
    if (stream == NULL || fseek(stream, 0, SEEK_END) != 0) {
        return 0;
    }
    long size_bytes = ftell(stream);
    rewind(stream);
    /* The exact size, so that a sanitizer sees one byte read too many. */
    uint8_t *bytes = malloc(size_bytes > 0 ? (size_t)size_bytes : 1);
    if (bytes == NULL || fread(bytes, 1, (size_t)size_bytes, stream) != (size_t)size_bytes) {
        exit(1);
    }
    (void)fclose(stream);
    (void)LLVMFuzzerTestOneInput(bytes, (size_t)size_bytes);
    free(bytes);
    return 1;
}

int main(int argc, char **argv) {
    int n_files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        if (folder == NULL) {
            perror(argv[i]);
            return 1;
        }
        for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
            char path[4096];
            (void)snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            if (entry->d_name[0] != '.') {
                n_files += replay_file(path);
            }
        }
        (void)closedir(folder);
    }
    (void)printf("replayed %d files\n", n_files);
    return n_files > 0 ? 0 : 1;
}
