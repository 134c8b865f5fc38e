#include "tests/hub/fake_repos.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/hub/fake_text.h"

/* What a hub stores as LFS objects by its default attributes, whatever the size. */
static const char *const lfs_names[] = {"*.safetensors", "*.bin", "*.pt",      "*.pth", "*.ckpt", "*.onnx", "*.h5",
                                        "*.npz",         "*.npy", "*.msgpack", "*.zip", "*.gz",   "*.zst",  "*.tar"};

struct fake_repos {
    char *root;
    uint64_t lfs_bytes;
    pthread_mutex_t lock;
    fake_repo **items;
    size_t n_items;
};

fake_repos *fake_repos_create(const char *root, uint64_t lfs_bytes) {
    fake_repos *repos = fake_allocate(sizeof *repos);
    repos->root = fake_text("%s", root);
    repos->lfs_bytes = lfs_bytes;
    (void)pthread_mutex_init(&repos->lock, NULL);
    return repos;
}

/* ---- walking a folder ------------------------------------------------------------------------------------------ */
static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in a folder, sorted; with `hidden` those that begin with a point, too. */
static char **read_names(const char *folder, bool hidden, size_t *n_names) {
    char **names = NULL;
    *n_names = 0;
    DIR *handle = opendir(folder);
    for (struct dirent *entry = NULL; handle != NULL && (entry = readdir(handle)) != NULL;) {
        bool is_self = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (!is_self && (hidden || entry->d_name[0] != '.')) {
            names = fake_grow(names, *n_names, sizeof *names);
            names[(*n_names)++] = fake_text("%s", entry->d_name);
        }
    }
    if (handle != NULL) {
        (void)closedir(handle);
    }
    if (*n_names > 1) {
        qsort(names, *n_names, sizeof *names, by_name);
    }
    return names;
}

#define MAX_FOLDER_DEPTH 16

/* Mixes names, sizes and times of everything below a folder into `stamp`. */
static uint64_t stamp_folder(const char *folder, uint64_t stamp, unsigned depth) {
    size_t n_names = 0;
    char **names = depth < MAX_FOLDER_DEPTH ? read_names(folder, true, &n_names) : NULL;
    for (size_t i = 0; i < n_names; i++) {
        char *path = fake_text("%s/%s", folder, names[i]);
        struct stat info = {0};
        if (stat(path, &info) == 0) {
            uint64_t parts[] = {(uint64_t)info.st_size, (uint64_t)info.st_mtim.tv_sec, (uint64_t)info.st_mtim.tv_nsec,
                                (uint64_t)info.st_ino};
            for (size_t j = 0; j < sizeof parts / sizeof parts[0]; j++) {
                stamp = (stamp ^ parts[j]) * 0x100000001B3u;
            }
            if (S_ISDIR(info.st_mode)) {
                stamp = stamp_folder(path, stamp, depth + 1);
            }
        }
        free(path);
        free(names[i]);
    }
    free(names);
    return stamp;
}

/* ---- what a hub knows of a file -------------------------------------------------------------------------------- */
static void hash_file(fake_file *file) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *sha256 = EVP_MD_CTX_new(), *sha1 = EVP_MD_CTX_new();
    size_t block_bytes = (size_t)1 << 20;
    char *block = fake_allocate(block_bytes);
    int fd = open(file->on_disk, O_RDONLY | O_CLOEXEC);
    char *header = fake_text("blob %llu", (unsigned long long)file->size_bytes);
    bool ok = fd >= 0 && EVP_DigestInit_ex(sha256, EVP_sha256(), NULL) == 1 &&
              EVP_DigestInit_ex(sha1, EVP_sha1(), NULL) == 1 && EVP_DigestUpdate(sha1, header, strlen(header) + 1) == 1;
    for (ssize_t got = 1; ok && got > 0;) {
        got = read(fd, block, block_bytes);
        ok = got >= 0 && EVP_DigestUpdate(sha256, block, (size_t)got) == 1 &&
             EVP_DigestUpdate(sha1, block, (size_t)got) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(sha256, digest, NULL) == 1;
    fake_hex(digest, 32, file->sha256);
    ok = ok && EVP_DigestFinal_ex(sha1, digest, NULL) == 1;
    fake_hex(digest, 20, file->git_sha1);
    if (!ok) {
        (void)fprintf(stderr, "fake_hub: cannot hash %s\n", file->on_disk);
        exit(1);
    }
    (void)close(fd);
    free(header);
    free(block);
    EVP_MD_CTX_free(sha256);
    EVP_MD_CTX_free(sha1);
}

static void sha1_of_text(const char *kind, const char *text, char out[FAKE_SHA1_TEXT]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *sha1 = EVP_MD_CTX_new();
    char *header = fake_text("%s %zu", kind, strlen(text));
    bool ok = EVP_DigestInit_ex(sha1, EVP_sha1(), NULL) == 1 &&
              EVP_DigestUpdate(sha1, header, strlen(header) + 1) == 1 &&
              EVP_DigestUpdate(sha1, text, strlen(text)) == 1 && EVP_DigestFinal_ex(sha1, digest, NULL) == 1;
    if (!ok) {
        abort();
    }
    fake_hex(digest, 20, out);
    free(header);
    EVP_MD_CTX_free(sha1);
}

static bool matches_line(const char *patterns, const char *path, bool negated) {
    const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    for (const char *at = patterns; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, "\n");
        bool is_negated = length > 0 && *at == '!';
        char *pattern = fake_text("%.*s", (int)length - is_negated, at + is_negated);
        bool fits = *pattern != '\0' && is_negated == negated &&
                    (fnmatch(pattern, path, 0) == 0 || fnmatch(pattern, base, 0) == 0);
        free(pattern);
        if (fits) {
            return true;
        }
        at += length + (at[length] == '\n');
    }
    return false;
}

static bool is_lfs_file(const char *path, uint64_t size_bytes, uint64_t lfs_bytes, const char *patterns) {
    if (matches_line(patterns, path, true)) {
        return false;
    }
    bool is_lfs = size_bytes >= lfs_bytes || matches_line(patterns, path, false);
    for (size_t i = 0; i < sizeof lfs_names / sizeof lfs_names[0]; i++) {
        is_lfs = is_lfs || fnmatch(lfs_names[i], path, 0) == 0;
    }
    return is_lfs;
}

static void describe(fake_file *file, uint64_t lfs_bytes, const char *patterns) {
    hash_file(file);
    file->is_lfs = is_lfs_file(file->path, file->size_bytes, lfs_bytes, patterns);
    memcpy(file->oid, file->git_sha1, sizeof file->oid);
    if (file->is_lfs) {
        char *pointer = fake_text("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %llu\n",
                                  file->sha256, (unsigned long long)file->size_bytes);
        sha1_of_text("blob", pointer, file->oid);
        file->pointer_bytes = strlen(pointer);
        free(pointer);
    }
}

/* ---- reading a repository -------------------------------------------------------------------------------------- */
static char *read_text(const char *folder, const char *name) {
    char *path = fake_text("%s/%s", folder, name);
    FILE *stream = fopen(path, "rbe");
    free(path);
    if (stream == NULL) {
        return NULL;
    }
    size_t used = 0, limit = (size_t)1 << 20;
    char *text = fake_allocate(limit + 1);
    used = fread(text, 1, limit, stream);
    text[used] = '\0';
    (void)fclose(stream);
    return text;
}

static void add_files(fake_revision *revision, const char *folder, const char *below, unsigned depth) {
    size_t n_names = 0;
    char **names = depth < MAX_FOLDER_DEPTH ? read_names(folder, depth == 0 ? false : true, &n_names) : NULL;
    for (size_t i = 0; i < n_names; i++) {
        char *on_disk = fake_text("%s/%s", folder, names[i]);
        char *path = fake_text("%s%s%s", below, *below != '\0' ? "/" : "", names[i]);
        struct stat info = {0};
        int found = stat(on_disk, &info);
        if (found == 0 && S_ISDIR(info.st_mode)) {
            add_files(revision, on_disk, path, depth + 1);
        } else if (found == 0 && S_ISREG(info.st_mode)) {
            revision->files = fake_grow(revision->files, revision->n_files, sizeof *revision->files);
            revision->files[revision->n_files++] =
                (fake_file){.path = path, .on_disk = on_disk, .size_bytes = (uint64_t)info.st_size};
            path = NULL;
            on_disk = NULL;
        }
        free(path);
        free(on_disk);
        free(names[i]);
    }
    free(names);
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const fake_file *)a)->path, ((const fake_file *)b)->path);
}

static void add_revision(const fake_repos *repos, fake_repo *repo, const char *name, const char *folder,
                         const char *patterns, const char *commit) {
    repo->revisions = fake_grow(repo->revisions, repo->n_revisions, sizeof *repo->revisions);
    fake_revision *revision = &repo->revisions[repo->n_revisions++];
    revision->name = fake_text("%s", name);
    add_files(revision, folder, "", 0);
    if (revision->n_files > 1) {
        qsort(revision->files, revision->n_files, sizeof *revision->files, by_path);
    }
    char *listing = fake_text("%s\n", repo->id);
    for (size_t i = 0; i < revision->n_files; i++) {
        describe(&revision->files[i], repos->lfs_bytes, patterns);
        char *longer = fake_text("%s%s %s\n", listing, revision->files[i].oid, revision->files[i].path);
        free(listing);
        listing = longer;
    }
    if (commit != NULL && strlen(commit) < FAKE_SHA1_TEXT) {
        (void)snprintf(revision->commit, sizeof revision->commit, "%s", commit);
    } else {
        sha1_of_text("commit", listing, revision->commit);
    }
    free(listing);
}

static fake_repo *read_repo(const fake_repos *repos, const char *id, const char *folder, uint64_t stamp) {
    fake_repo *repo = fake_allocate(sizeof *repo);
    repo->id = fake_text("%s", id);
    repo->stamp = stamp;
    char *text = read_text(folder, ".hub.json"), *patterns = read_text(folder, ".lfs");
    repo->settings = text != NULL ? cJSON_Parse(text) : cJSON_CreateObject();
    if (repo->settings == NULL) {
        (void)fprintf(stderr, "fake_hub: %s/.hub.json is not JSON\n", folder);
        exit(1);
    }
    add_revision(repos, repo, "main", folder, patterns, fake_repo_text(repo, "commit"));
    for (const cJSON *item = cJSON_GetObjectItemCaseSensitive(repo->settings, "revisions"); item != NULL; item = NULL) {
        const cJSON *revision = NULL;
        cJSON_ArrayForEach(revision, item) {
            const cJSON *commit = cJSON_GetObjectItemCaseSensitive(revision, "commit");
            const char *below = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(revision, "folder"));
            char *path = fake_text("%s/%s", folder, below != NULL ? below : ".");
            add_revision(repos, repo, revision->string, path, patterns, cJSON_GetStringValue(commit));
            free(path);
        }
    }
    free(text);
    free(patterns);
    return repo;
}

static bool holds_files(const char *folder) {
    size_t n_names = 0;
    char **names = read_names(folder, true, &n_names);
    bool found = false;
    for (size_t i = 0; i < n_names; i++) {
        char *path = fake_text("%s/%s", folder, names[i]);
        struct stat info = {0};
        found = found || (stat(path, &info) == 0 && S_ISREG(info.st_mode));
        free(path);
        free(names[i]);
    }
    free(names);
    return found;
}

const fake_repo *fake_repos_find(fake_repos *repos, const char *id) {
    char *folder = fake_text("%s/%s", repos->root, id);
    struct stat info = {0};
    bool is_plain = strstr(id, "..") == NULL && id[0] != '.' && strstr(id, "/.") == NULL;
    bool exists = is_plain && stat(folder, &info) == 0 && S_ISDIR(info.st_mode) &&
                  (strchr(id, '/') != NULL || holds_files(folder));
    fake_repo *repo = NULL;
    if (exists) {
        uint64_t stamp = stamp_folder(folder, 1, 0);
        (void)pthread_mutex_lock(&repos->lock);
        size_t index = 0;
        while (index < repos->n_items && strcmp(repos->items[index]->id, id) != 0) {
            index++;
        }
        repo = index < repos->n_items ? repos->items[index] : NULL;
        if (repo == NULL || repo->stamp != stamp) {
            fake_repo *fresh = read_repo(repos, id, folder, stamp);
            fresh->older = repo;
            if (index == repos->n_items) {
                repos->items = fake_grow(repos->items, repos->n_items, sizeof(fake_repo *));
                repos->n_items++;
            }
            repos->items[index] = repo = fresh;
        }
        (void)pthread_mutex_unlock(&repos->lock);
    }
    free(folder);
    return repo;
}

char **fake_repos_list(fake_repos *repos, size_t *n_ids) {
    char **ids = NULL;
    size_t n_found = 0, n_orgs = 0;
    char **orgs = read_names(repos->root, false, &n_orgs);
    for (size_t i = 0; i < n_orgs; i++) {
        char *folder = fake_text("%s/%s", repos->root, orgs[i]);
        size_t n_names = 0;
        bool is_repo = holds_files(folder);
        char **names = is_repo ? NULL : read_names(folder, false, &n_names);
        for (size_t j = 0; j < n_names + is_repo; j++) {
            ids = fake_grow(ids, n_found, sizeof *ids);
            ids[n_found++] = is_repo ? fake_text("%s", orgs[i]) : fake_text("%s/%s", orgs[i], names[j]);
        }
        for (size_t j = 0; j < n_names; j++) {
            free(names[j]);
        }
        free(names);
        free(folder);
        free(orgs[i]);
    }
    free(orgs);
    *n_ids = n_found;
    return ids;
}

/* ---- asking a repository --------------------------------------------------------------------------------------- */
const fake_revision *fake_repo_revision(const fake_repo *repo, const char *name) {
    for (const fake_repo *state = repo; state != NULL; state = state->older) {
        for (size_t i = 0; i < state->n_revisions; i++) {
            bool is_named = state == repo && strcmp(state->revisions[i].name, name) == 0;
            if (is_named || strcmp(state->revisions[i].commit, name) == 0) {
                return &state->revisions[i];
            }
        }
    }
    return NULL;
}

const fake_file *fake_revision_file(const fake_revision *revision, const char *path) {
    fake_file wanted = {.path = (char *)(uintptr_t)path};
    return revision->n_files > 0
               ? bsearch(&wanted, revision->files, revision->n_files, sizeof *revision->files, by_path)
               : NULL;
}

bool fake_repo_flag(const fake_repo *repo, const char *key) {
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(repo->settings, key));
}

const char *fake_repo_text(const fake_repo *repo, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(repo->settings, key));
}
