/* What a control group allows of processor time. Where cgroup file systems are mounted is what every init system and
 * container runtime agrees on; a container may see paths of its host that do not exist inside: those say nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cpu_count.h"

enum { PATH_BYTES = 4096, LINE_BYTES = 2048 };

static size_t lesser(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t whole_processors(long long quota_us, long long period_us) {
    if (quota_us <= 0 || period_us <= 0) {
        return SIZE_MAX;
    }
    return quota_us < period_us ? 1 : (size_t)(quota_us / period_us);
}

/* Reads "QUOTA PERIOD" (v2), or QUOTA alone (v1), both in microseconds. "max" and -1 mean none. */
static bool read_pair(const char *path, long long *first, long long *second) {
    char line[LINE_BYTES];
    FILE *file = fopen(path, "re");
    const bool is_read = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (!is_read || strncmp(line, "max", 3) == 0) {
        return false;
    }
    char *end;
    *first = strtoll(line, &end, 10);
    *second = strtoll(end, NULL, 10);
    return end != line;
}

/* The quota of one group, whose folder is `path`. */
static size_t group_quota(const char *path, bool is_v2) {
    char file[PATH_BYTES + 32];
    long long quota_us = 0, period_us = 0, none;
    if (is_v2) {
        (void)snprintf(file, sizeof file, "%s/cpu.max", path);
        return read_pair(file, &quota_us, &period_us) ? whole_processors(quota_us, period_us) : SIZE_MAX;
    }
    (void)snprintf(file, sizeof file, "%s/cpu.cfs_quota_us", path);
    if (!read_pair(file, &quota_us, &none)) {
        return SIZE_MAX;
    }
    (void)snprintf(file, sizeof file, "%s/cpu.cfs_period_us", path);
    return read_pair(file, &period_us, &none) ? whole_processors(quota_us, period_us) : SIZE_MAX;
}

/* The least quota of the group and of all above it. */
static size_t least_quota(const char *mount, const char *group, bool is_v2) {
    char path[PATH_BYTES];
    const int length = snprintf(path, sizeof path, "%s%s", mount, group);
    const size_t mount_length = strlen(mount);
    if (length < 0 || (size_t)length >= sizeof path) {
        return SIZE_MAX;
    }
    for (size_t least = SIZE_MAX;;) {
        least = lesser(least, group_quota(path, is_v2));
        char *slash = strrchr(path + mount_length, '/');
        if (slash == NULL) {
            return least;
        }
        *slash = '\0';
    }
}

/* Whether a comma list holds the controller `cpu`. */
static bool has_cpu_controller(const char *list) {
    for (; *list != '\0'; list += strcspn(list, ","), list += *list == ',') {
        if (strncmp(list, "cpu", 3) == 0 && (list[3] == ',' || list[3] == '\0')) {
            return true;
        }
    }
    return false;
}

size_t pml_cpu_quota(const char *root) {
    static const char *const v1_mounts[] = {"cpu,cpuacct", "cpuacct,cpu", "cpu"};
    char path[PATH_BYTES], line[LINE_BYTES];
    size_t least = SIZE_MAX;
    (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) { /* ID:CONTROLLERS:GROUP */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (group == NULL || group[1] != '/') {
            continue;
        }
        *group++ = '\0';
        controllers++;
        if (*controllers == '\0') {
            (void)snprintf(path, sizeof path, "%s/sys/fs/cgroup", root);
            least = lesser(least, least_quota(path, group, true));
        }
        for (size_t i = 0; has_cpu_controller(controllers) && i < sizeof v1_mounts / sizeof *v1_mounts; i++) {
            (void)snprintf(path, sizeof path, "%s/sys/fs/cgroup/%s", root, v1_mounts[i]);
            least = lesser(least, least_quota(path, group, false));
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return least;
}
