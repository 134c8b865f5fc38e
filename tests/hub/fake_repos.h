/* The repositories that a fake hub serves: folders, their revisions, and what a hub knows of each file.
 *
 * ROOT/<org>/<name>/ is a repository (ROOT/<name>/ too, when it holds a file itself). Names that begin with a point are
 * not part of it. `.hub.json` says what the files cannot; `.lfs` holds patterns of names that are LFS files
 * ("!pattern": never). Folders are read again when anything in them has changed. */
#ifndef PML_TESTS_HUB_FAKE_REPOS_H
#define PML_TESTS_HUB_FAKE_REPOS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_SHA1_TEXT 41
#define FAKE_SHA256_TEXT 65

typedef struct fake_file {
    char *path;    /* in the repository */
    char *on_disk; /* where its bytes lie */
    uint64_t size_bytes;
    bool is_lfs;
    char oid[FAKE_SHA1_TEXT];      /* git: of the bytes, or of the pointer of an LFS file */
    char sha256[FAKE_SHA256_TEXT]; /* of the bytes */
    char git_sha1[FAKE_SHA1_TEXT]; /* of the bytes, LFS or not */
    size_t pointer_bytes;          /* LFS only */
} fake_file;

typedef struct fake_revision {
    char *name;
    char commit[FAKE_SHA1_TEXT];
    fake_file *files; /* by path */
    size_t n_files;
} fake_revision;

typedef struct fake_repo {
    char *id;
    cJSON *settings; /* .hub.json, or an empty object */
    fake_revision *revisions;
    size_t n_revisions;
    uint64_t stamp; /* of everything in its folder */
    struct fake_repo *older;
} fake_repo;

typedef struct fake_repos fake_repos;

/* `lfs_bytes`: files at least this large are LFS files. The root is not read before it is asked for. */
fake_repos *fake_repos_create(const char *root, uint64_t lfs_bytes);
/* NULL: no such repository. The result stays valid for as long as the program runs. Threads may call it at once. */
const fake_repo *fake_repos_find(fake_repos *repos, const char *id);
/* All ids, sorted; the caller frees the array and each of them. */
char **fake_repos_list(fake_repos *repos, size_t *n_ids);

/* By branch, tag or full commit; an older state of the folder counts when its commit is asked for. */
const fake_revision *fake_repo_revision(const fake_repo *repo, const char *name);
const fake_file *fake_revision_file(const fake_revision *revision, const char *path);
bool fake_repo_flag(const fake_repo *repo, const char *key);
const char *fake_repo_text(const fake_repo *repo, const char *key); /* NULL: absent */

#endif
