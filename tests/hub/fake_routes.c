#include "tests/hub/fake_routes.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/hub/fake_listing.h"
#include "tests/hub/fake_text.h"

/* ---- taking a path apart ---------------------------------------------------------------------------------------- */
/* "org/name/WORD/rest" or "name/WORD/rest" or "org/name": the repository, the word (if any) and the rest, still
 * encoded. */
typedef struct route {
    char *repo, *revision, *rest;
    fake_place place;
} route;

static const struct {
    const char *prefix, *word;
    fake_place place;
} shapes[] = {
    {"/api/models/", "/revision/", FAKE_REVISION},
    {"/api/models/", "/tree/", FAKE_TREE},
    {"/api/resolve-cache/models/", "/", FAKE_RESOLVE_CACHE},
    {"/", "/resolve/", FAKE_RESOLVE},
    {"/lfs/", "/-/", FAKE_OBJECT},
};

/* Behind the prefix of a path: where `word` begins after one or two parts of a name, or NULL. Where a slash is the
 * word, a commit follows it. */
static const char *find_word(const char *at, const char *word) {
    const char *slash = strchr(at, '/');
    bool is_commit = slash != NULL && strspn(slash + 1, "0123456789abcdef") == FAKE_SHA1_TEXT - 1;
    if (slash != NULL && strncmp(slash, word, strlen(word)) == 0 && (strcmp(word, "/") != 0 || is_commit)) {
        return slash;
    }
    slash = slash != NULL ? strchr(slash + 1, '/') : NULL;
    return slash != NULL && strncmp(slash, word, strlen(word)) == 0 ? slash : NULL;
}

static route read_route(const char *path) {
    route r = {0};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0] && r.repo == NULL; i++) {
        size_t length = strlen(shapes[i].prefix);
        const char *name = path + length;
        const char *word = strncmp(path, shapes[i].prefix, length) == 0 ? find_word(name, shapes[i].word) : NULL;
        if (word == NULL) {
            continue;
        }
        const char *revision = word + strlen(shapes[i].word);
        size_t revision_length = strcspn(revision, "/");
        const char *rest = revision + revision_length + (revision[revision_length] == '/');
        r = (route){.repo = fake_text_decode(name, (size_t)(word - name)),
                    .revision = fake_text_decode(revision, revision_length),
                    .rest = fake_text_decode(rest, strlen(rest)),
                    .place = shapes[i].place};
    }
    if (r.repo == NULL && strncmp(path, "/api/models/", 12) == 0) {
        r = (route){.repo = fake_text_decode(path + 12, strlen(path + 12)),
                    .revision = fake_text("main"),
                    .rest = fake_text("%s", ""),
                    .place = FAKE_REVISION};
    } else if (strcmp(path, "/api/models") == 0) {
        r.place = FAKE_MODELS;
    } else if (strcmp(path, "/api/whoami-v2") == 0) {
        r.place = FAKE_WHOAMI;
    }
    return r;
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */
static void refuse(fake_exchange *x, unsigned status, const char *code, const char *message) {
    fake_reply_begin(x, status);
    fake_reply_header(x, "X-Error-Code", code != NULL ? "%s" : NULL, code);
    fake_reply_header(x, "X-Error-Message", "%s", message);
    fake_reply_text(x, "application/json; charset=utf-8", "{\"error\":\"%s\"}", message);
}

static void refuse_repo(fake_exchange *x) {
    if (x->is_known) {
        refuse(x, 404, "RepoNotFound", "Repository not found");
    } else {
        refuse(x, 401, NULL, "Invalid username or password.");
    }
}

/* Whether the repository may be looked at; otherwise the reply says why not. Gated ones may, but for their files. */
static bool may_see(fake_exchange *x, const fake_repo *repo, bool wants_files) {
    if (x->is_refused) {
        refuse(x, 401, NULL, "Invalid credentials in Authorization header");
    } else if (repo == NULL || (fake_repo_flag(repo, "private") && !x->is_known)) {
        refuse_repo(x);
    } else if (fake_repo_flag(repo, "disabled")) {
        refuse(x, 403, NULL, "Access to this resource is disabled.");
    } else if (wants_files && fake_repo_text(repo, "gated") != NULL) {
        refuse(x, 403, "GatedRepo", "Access is restricted and you are not in the authorized list.");
    } else if (wants_files && fake_repo_flag(repo, "gated") && !x->is_known) {
        refuse(x, 401, "GatedRepo", "Access is restricted. You must have access and be authenticated.");
    } else {
        return true;
    }
    return false;
}

/* The new name in the same request; relative, query kept. */
static void redirect_renamed(fake_exchange *x, const route *r, const char *new_name) {
    const char *at = strstr(x->raw_path, r->repo);
    fake_reply_begin(x, 307);
    if (at == NULL) {
        refuse_repo(x);
        return;
    }
    fake_reply_header(x, "Location", "%.*s%s%s%s%s", (int)(at - x->raw_path), x->raw_path, new_name,
                      at + strlen(r->repo), *x->query != '\0' ? "?" : "", x->query);
    fake_reply_text(x, "text/plain", "Temporary Redirect. The repository is now %s\n", new_name);
}

/* ---- files ------------------------------------------------------------------------------------------------------ */
static void sign(uint64_t serial, const char *path, char signature[FAKE_SHA256_TEXT]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    char *text = fake_text("a secret of the fake hub %llu %s", (unsigned long long)serial, path);
    if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1) {
        abort();
    }
    fake_hex(digest, 32, signature);
    free(text);
}

static void answer_lfs(fake_world *world, fake_exchange *x, const fake_repo *repo) {
    char *name = fake_text_encode(x->file->path, true);
    char *path = fake_text("/lfs/%s/-/%s/%s", repo->id, x->file->sha256, name);
    char signature[FAKE_SHA256_TEXT];
    (void)pthread_mutex_lock(&world->lock);
    uint64_t serial = world->n_signed;
    world->uses = fake_grow(world->uses, serial, sizeof *world->uses);
    world->uses[world->n_signed++] = 0;
    (void)pthread_mutex_unlock(&world->lock);
    sign(serial, path, signature);
    x->status = 302;
    fake_reply_header(x, "X-Linked-Size", "%llu", (unsigned long long)x->file->size_bytes);
    fake_reply_header(x, "X-Linked-Etag", "\"%s\"", x->file->sha256);
    fake_reply_header(x, "Location", "%s%s?serial=%llu&signature=%s", x->origins[FAKE_CDN], path,
                      (unsigned long long)serial, signature);
    fake_reply_text(x, "text/plain", "Found. Redirecting to %s%s\n", x->origins[FAKE_CDN], path);
    free(name);
    free(path);
}

static void answer_file(fake_world *world, fake_exchange *x, const fake_repo *repo, const route *r) {
    fake_reply_begin(x, 200);
    if (x->revision == NULL) {
        refuse(x, 404, "RevisionNotFound", "Invalid rev id");
        return;
    }
    x->file = fake_revision_file(x->revision, r->rest);
    if (x->file == NULL) {
        refuse(x, 404, "EntryNotFound", "Entry not found");
        fake_reply_header(x, "X-Repo-Commit", "%s", x->revision->commit);
        return;
    }
    fake_reply_header(x, "X-Repo-Commit", "%s", x->revision->commit);
    if (x->file->is_lfs) {
        answer_lfs(world, x, repo);
        return;
    }
    fake_reply_header(x, "ETag", "\"%s\"", x->file->git_sha1);
    if (world->uses_resolve_cache && r->place == FAKE_RESOLVE) {
        char *name = fake_text_encode(r->rest, true);
        x->status = 307;
        fake_reply_header(x, "X-Linked-Size", "%llu", (unsigned long long)x->file->size_bytes);
        fake_reply_header(x, "Location", "/api/resolve-cache/models/%s/%s/%s?etag=%%22%s%%22", repo->id,
                          x->revision->commit, name, x->file->git_sha1);
        fake_reply_text(x, "text/plain", "Temporary Redirect. Redirecting to %s\n", name);
        free(name);
        return;
    }
    fake_reply_header(x, "Content-Type", "%s", "text/plain; charset=utf-8");
    fake_reply_file(x, x->file->on_disk, x->file->size_bytes);
}

/* On the second host: only the signature counts, a token is none of its business. */
static void answer_object(fake_world *world, fake_exchange *x, const route *r) {
    uint64_t serial = fake_query_number(x->query, "serial", FAKE_NEVER), used = 0;
    char *given = fake_query_value(x->query, "signature", 0), signature[FAKE_SHA256_TEXT];
    sign(serial, x->raw_path, signature);
    (void)pthread_mutex_lock(&world->lock);
    bool is_signed = given != NULL && strcmp(given, signature) == 0 && serial < world->n_signed;
    used = is_signed ? world->uses[serial]++ : 0;
    (void)pthread_mutex_unlock(&world->lock);
    free(given);
    const fake_repo *repo = fake_repos_find(world->repos, r->repo);
    x->file = NULL;
    for (const fake_repo *state = repo; state != NULL && x->file == NULL; state = state->older) {
        for (size_t i = 0; i < state->n_revisions && x->file == NULL; i++) {
            const fake_file *file = fake_revision_file(&state->revisions[i], r->rest);
            bool is_it = file != NULL && strcmp(file->sha256, r->revision) == 0;
            x->file = is_it ? file : NULL;
            x->revision = is_it ? &state->revisions[i] : x->revision;
        }
    }
    fake_reply_begin(x, 403);
    if (!is_signed || x->file == NULL) {
        fake_reply_text(x, "application/xml", "%s", "<Error><Code>SignatureDoesNotMatch</Code></Error>\n");
    } else if (world->url_uses > 0 && used >= world->url_uses) {
        fake_reply_text(x, "application/xml", "%s", "<Error><Code>AccessDenied</Code>Request has expired</Error>\n");
    } else {
        fake_reply_header(x, "ETag", "\"%s\"", x->file->sha256);
        fake_reply_header(x, "Content-Type", "%s", "application/octet-stream");
        fake_reply_file(x, x->file->on_disk, x->file->size_bytes);
    }
}

/* ---- limits ----------------------------------------------------------------------------------------------------- */
static uint64_t seconds_now(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

/* Counts a request; its headers tell what is left. false: the reply is 429. */
static bool count_request(fake_world *world, fake_exchange *x, unsigned kind) {
    fake_limit *limit = &world->limits[kind];
    if (limit->quota == 0) {
        return true;
    }
    uint64_t now = seconds_now(), window = now / limit->window_s, left = limit->window_s - now % limit->window_s;
    (void)pthread_mutex_lock(&world->lock);
    if (window != limit->window) {
        limit->window = window;
        limit->used = 0;
    }
    bool is_allowed = limit->used < limit->quota;
    limit->used += is_allowed;
    uint64_t remaining = limit->quota - limit->used;
    (void)pthread_mutex_unlock(&world->lock);
    if (!is_allowed) {
        refuse(x, 429, NULL, "You have exceeded the rate limit.");
        fake_reply_header(x, "Retry-After", "%llu", (unsigned long long)left);
    }
    fake_reply_header(x, "RateLimit", "\"%s\";r=%llu;t=%llu", limit->name, (unsigned long long)remaining,
                      (unsigned long long)left);
    fake_reply_header(x, "RateLimit-Policy", "\"fixed window\";\"%s\";q=%llu;w=%llu", limit->name,
                      (unsigned long long)limit->quota, (unsigned long long)limit->window_s);
    return is_allowed;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */
static void answer_whoami(fake_exchange *x) {
    if (x->is_known) {
        fake_reply_begin(x, 200);
        fake_reply_text(
            x, "application/json", "%s",
            "{\"type\":\"user\",\"name\":\"tester\",\"fullname\":\"Tester\",\"orgs\":[],"
            "\"auth\":{\"type\":\"access_token\",\"accessToken\":{\"displayName\":\"t\",\"role\":\"read\"}}}");
    } else {
        refuse(x, 401, NULL, "Invalid credentials in Authorization header");
    }
}

static void answer_repo(fake_world *world, fake_exchange *x, const route *r) {
    const fake_repo *repo = fake_repos_find(world->repos, r->repo);
    bool wants_files = r->place == FAKE_RESOLVE || r->place == FAKE_RESOLVE_CACHE;
    if (!may_see(x, repo, wants_files)) {
        return;
    }
    const char *new_name = fake_repo_text(repo, "renamed_to");
    x->revision = fake_repo_revision(repo, r->revision);
    if (new_name != NULL) {
        redirect_renamed(x, r, new_name);
    } else if (wants_files) {
        answer_file(world, x, repo, r);
    } else if (x->revision == NULL) {
        refuse(x, 404, "RevisionNotFound", "Invalid rev id");
    } else if (r->place == FAKE_TREE) {
        fake_listing_tree(x, world->page_entries, repo, r->revision, r->rest);
    } else {
        fake_listing_revision(x, repo);
    }
}

static void answer(fake_world *world, fake_exchange *x, const route *r) {
    if (x->host != FAKE_HUB) {
        if (r->place == FAKE_OBJECT) {
            answer_object(world, x, r);
        }
    } else if (r->place == FAKE_WHOAMI) {
        answer_whoami(x);
    } else if (r->place == FAKE_MODELS) {
        fake_listing_models(x, world->repos);
    } else if (r->repo != NULL && r->place != FAKE_OBJECT) {
        answer_repo(world, x, r);
    }
}

void fake_routes_answer(fake_world *world, fake_exchange *x) {
    route r = read_route(x->raw_path);
    bool is_next = r.place == FAKE_TREE && strstr(x->query, "cursor=") != NULL;
    x->place = is_next ? FAKE_TREE_NEXT : r.place;
    refuse(x, 404, NULL, "Not found");
    bool is_file = r.place == FAKE_RESOLVE || r.place == FAKE_RESOLVE_CACHE;
    unsigned kind = is_file ? FAKE_LIMIT_RESOLVERS : FAKE_LIMIT_API;
    if (x->host != FAKE_HUB || count_request(world, x, kind)) {
        char *told = fake_text("%s", fake_reply_find(x, "RateLimit") != NULL ? fake_reply_find(x, "RateLimit") : "");
        char *policy =
            fake_text("\"fixed window\";\"%s\";q=%llu;w=%llu", world->limits[kind].name,
                      (unsigned long long)world->limits[kind].quota, (unsigned long long)world->limits[kind].window_s);
        answer(world, x, &r);
        if (*told != '\0') {
            fake_reply_header(x, "RateLimit", "%s", told);
            fake_reply_header(x, "RateLimit-Policy", "%s", policy);
        }
        free(told);
        free(policy);
    }
    free(r.repo);
    free(r.revision);
    free(r.rest);
}
