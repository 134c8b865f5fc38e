#include "tests/hub/hub_fixture.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the hub ---------------------------------------------------------------------------------------------------- */
_Noreturn static void give_up(const char *what) {
    perror(what);
    _exit(1); /* maybe in a child: what the parent's exit would remove is not its own */
}

hub hub_start(const char *root, const char *script, const char *options) {
    static unsigned n_started = 0;
    hub h = {.root = root};
    const char *name = pml_test_path("%s/hub-%d-%u", pml_test_temporary_dir(), (int)getpid(), n_started++);
    h.log = pml_test_path("%s.log", name);
    const char *script_path = pml_test_path("%s.faults", name);
    pml_test_write_file(script_path, script != NULL ? script : "", script != NULL ? strlen(script) : 0);
    pml_test_write_file(h.log, "", 0);
    const char *command =
        pml_test_path("exec '%s/tests/fake_hub' --root '%s' --script '%s' --log '%s' %s", pml_test_binary_dir(), root,
                      script_path, h.log, options != NULL ? options : "");
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        give_up("pipe");
    }
    (void)fflush(NULL);
    h.pid = fork();
    if (h.pid == 0) {
        (void)dup2(in[0], STDIN_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    h.stdin_fd = in[1];
    FILE *stream = fdopen(out[0], "re");
    char line[256] = "";
    if (stream == NULL || fgets(line, sizeof line, stream) == NULL ||
        sscanf(line, "%63s %63s %63s", h.url, h.cdn, h.plain) < 2) {
        give_up("fake_hub does not start");
    }
    (void)fclose(stream);
    return h;
}

void hub_stop(hub *h) {
    if (h->pid > 0) {
        (void)close(h->stdin_fd);
        (void)waitpid(h->pid, NULL, 0);
        h->pid = 0;
    }
}

/* ---- repositories ----------------------------------------------------------------------------------------------- */
static void make_parents(const char *path) {
    char copy[4096];
    (void)snprintf(copy, sizeof copy, "%s", path);
    for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(copy, 0777);
        *slash = '/';
    }
}

void hub_make_file(const char *root, const char *repo, const char *path, size_t size_bytes, unsigned seed) {
    char *bytes = malloc(size_bytes + 1);
    uint64_t state = seed * 2654435761u + 1;
    for (size_t i = 0; bytes != NULL && i < size_bytes; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (char)(state >> 56);
    }
    const char *full = pml_test_path("%s/%s/%s", root, repo, path);
    make_parents(full);
    pml_test_write_file(full, bytes, size_bytes);
    free(bytes);
}

void hub_make_text(const char *root, const char *repo, const char *path, const char *text) {
    const char *full = pml_test_path("%s/%s/%s", root, repo, path);
    make_parents(full);
    pml_test_write_file(full, text, strlen(text));
}

/* ---- the client ------------------------------------------------------------------------------------------------- */
static int run_client(const hub *h, const char *cache, const char *variables, const char *limit, const char *arguments,
                      char **output) {
    return pml_test_command(
        output,
        "( env -i PATH=/usr/bin:/bin HOME='%s.home' HF_ENDPOINT=%s HF_HUB_CACHE='%s' PML_HUB_TIME_SCALE=0.05 "
        "ASAN_OPTIONS=allocator_may_return_null=1 %s timeout %s '%s/pml-convert' %s 2>'%s.err' )",
        cache, h->url, cache, variables != NULL ? variables : "", limit, pml_test_binary_dir(), arguments, cache);
}

int hub_convert(const hub *h, const char *cache, const char *variables, unsigned seconds, char last_line[4096],
                const char *format, ...) {
    char arguments[4096];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    char *output = NULL;
    int code = run_client(h, cache, variables, pml_test_path("-k 2 %u", seconds), arguments, &output);
    size_t length = strlen(output);
    if (length > 0 && output[length - 1] == '\n') {
        output[length - 1] = '\0';
    }
    const char *line = strrchr(output, '\n') != NULL ? strrchr(output, '\n') + 1 : output;
    if (last_line != NULL) {
        (void)snprintf(last_line, 4096, "%s", line);
    }
    free(output);
    return code;
}

int hub_convert_killed(const hub *h, const char *cache, const char *variables, double seconds, const char *arguments) {
    return run_client(h, cache, variables, pml_test_path("-s KILL %.3f", seconds), arguments, NULL);
}

const char *hub_messages(const char *cache) {
    size_t size = 0;
    char *text = (char *)pml_test_read_file(pml_test_path("%s.err", cache), &size);
    const char *kept = pml_test_path("%.*s", (int)size, text);
    free(text);
    return kept;
}

/* ---- what lies on the disk -------------------------------------------------------------------------------------- */
static bool is_equal(const char *a, const char *b) {
    struct stat info = {0};
    if (stat(b, &info) != 0) {
        return false;
    }
    size_t size_a = 0, size_b = 0;
    unsigned char *bytes_a = pml_test_read_file(a, &size_a), *bytes_b = pml_test_read_file(b, &size_b);
    bool equal = size_a == size_b && memcmp(bytes_a, bytes_b, size_a) == 0;
    free(bytes_a);
    free(bytes_b);
    return equal;
}

static bool folder_is_good(const char *wanted, const char *got) {
    DIR *handle = opendir(wanted);
    bool good = handle != NULL;
    for (struct dirent *entry = NULL; handle != NULL && (entry = readdir(handle)) != NULL;) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        const char *a = pml_test_path("%s/%s", wanted, entry->d_name);
        const char *b = pml_test_path("%s/%s", got, entry->d_name);
        bool is_good = entry->d_type == DT_DIR ? folder_is_good(a, b) : is_equal(a, b);
        if (!is_good && entry->d_type != DT_DIR) {
            (void)printf("\n    %s is absent or wrong\n", b);
        }
        good = good && is_good;
    }
    if (handle != NULL) {
        (void)closedir(handle);
    }
    return good;
}

bool hub_snapshot_is_good(const hub *h, const char *repo, const char *snapshot) {
    return folder_is_good(pml_test_path("%s/%s", h->root, repo), snapshot);
}

static bool blob_is_good(const char *folder, const char *name) {
    size_t size = 0, length = strlen(name);
    const char *path = pml_test_path("%s/%s", folder, name);
    unsigned char *bytes = pml_test_read_file(path, &size), digest[EVP_MAX_MD_SIZE];
    char header[64], text[2 * EVP_MAX_MD_SIZE + 1] = "";
    int header_bytes = snprintf(header, sizeof header, "blob %zu", size) + 1;
    unsigned digest_bytes = 0;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool ok = EVP_DigestInit_ex(hash, length == 64 ? EVP_sha256() : EVP_sha1(), NULL) == 1;
    ok = ok && (length == 64 || EVP_DigestUpdate(hash, header, (size_t)header_bytes) == 1);
    ok = ok && EVP_DigestUpdate(hash, bytes, size) == 1 && EVP_DigestFinal_ex(hash, digest, &digest_bytes) == 1;
    EVP_MD_CTX_free(hash);
    free(bytes);
    for (unsigned i = 0; ok && i < digest_bytes; i++) {
        (void)snprintf(text + 2 * (size_t)i, 3, "%02x", digest[i]);
    }
    if (strcmp(text, name) != 0) {
        (void)printf("\n    %s has the hash %s\n", path, text);
    }
    return strcmp(text, name) == 0;
}

bool hub_blobs_are_good(const char *cache) {
    bool good = true;
    DIR *repos = opendir(cache);
    for (struct dirent *repo = NULL; repos != NULL && (repo = readdir(repos)) != NULL;) {
        const char *folder = pml_test_path("%s/%s/blobs", cache, repo->d_name);
        DIR *blobs = repo->d_name[0] != '.' ? opendir(folder) : NULL;
        for (struct dirent *blob = NULL; blobs != NULL && (blob = readdir(blobs)) != NULL;) {
            bool is_finished = strchr(blob->d_name, '.') == NULL;
            good = (!is_finished || blob_is_good(folder, blob->d_name)) && good;
        }
        if (blobs != NULL) {
            (void)closedir(blobs);
        }
    }
    if (repos != NULL) {
        (void)closedir(repos);
    }
    return good;
}

/* ---- the log ---------------------------------------------------------------------------------------------------- */
static void copy_text(const cJSON *object, const char *key, char *out, size_t capacity) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    (void)snprintf(out, capacity, "%s", text != NULL ? text : "");
}

static double number(const cJSON *object, const char *key) {
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

hub_request *hub_requests(const hub *h, size_t *n_requests) {
    size_t size = 0, capacity = 1;
    char *text = (char *)pml_test_read_file(h->log, &size);
    for (size_t i = 0; i < size; i++) {
        capacity += text[i] == '\n';
    }
    hub_request *requests = calloc(capacity, sizeof *requests);
    *n_requests = 0;
    for (char *line = text, *end = NULL; requests != NULL && (size_t)(line - text) < size; line = end + 1) {
        end = memchr(line, '\n', size - (size_t)(line - text));
        cJSON *object = end != NULL ? cJSON_ParseWithLength(line, (size_t)(end - line)) : NULL;
        if (object == NULL) {
            break;
        }
        hub_request *r = &requests[(*n_requests)++];
        copy_text(object, "host", r->host, sizeof r->host);
        copy_text(object, "method", r->method, sizeof r->method);
        copy_text(object, "place", r->place, sizeof r->place);
        copy_text(object, "path", r->path, sizeof r->path);
        copy_text(object, "range", r->range, sizeof r->range);
        copy_text(object, "faults", r->faults, sizeof r->faults);
        r->has_authorization = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "has_authorization"));
        r->is_bytes = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "is_bytes"));
        r->status = (unsigned)number(object, "status");
        r->bytes = (uint64_t)number(object, "bytes");
        cJSON_Delete(object);
    }
    free(text);
    return requests;
}

size_t hub_count(const hub *h, const char *host, const char *place) {
    size_t n_requests = 0, count = 0;
    hub_request *requests = hub_requests(h, &n_requests);
    for (size_t i = 0; i < n_requests; i++) {
        count += (host == NULL || strcmp(requests[i].host, host) == 0) &&
                 (place == NULL || strcmp(requests[i].place, place) == 0);
    }
    free(requests);
    return count;
}

uint64_t hub_bytes(const hub *h) {
    size_t n_requests = 0;
    uint64_t bytes = 0;
    hub_request *requests = hub_requests(h, &n_requests);
    for (size_t i = 0; i < n_requests; i++) {
        bytes += requests[i].is_bytes ? requests[i].bytes : 0;
    }
    free(requests);
    return bytes;
}
