#include "tests/hub/fake_faults.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/hub/fake_text.h"

#define MAX_ARGUMENTS 5
#define MAX_PARTS 4

typedef struct fault_kind fault_kind;

typedef struct fault_part {
    const fault_kind *kind;
    char *arguments[MAX_ARGUMENTS];
    unsigned n_arguments;
} fault_part;

typedef struct fault_line {
    char *place, *glob;
    fault_part parts[MAX_PARTS];
    unsigned n_parts;
    uint64_t skip, left; /* requests still to be let through, then still to be spoilt */
} fault_line;

struct fake_faults {
    pthread_mutex_t lock;
    fault_line *lines;
    size_t n_lines;
};

struct fault_kind {
    const char *name;
    unsigned least, most; /* arguments */
    void (*apply)(fake_exchange *x, const fault_part *part);
};

/* An argument as a number; "N%" is that share of this reply's body, "-N" counts from its end. */
static uint64_t amount(const fake_exchange *x, const fault_part *part, unsigned index, uint64_t otherwise) {
    if (index >= part->n_arguments) {
        return otherwise;
    }
    const char *text = part->arguments[index];
    char *end = NULL;
    if (*text == '-') {
        uint64_t back = strtoull(text + 1, NULL, 10);
        return back < x->body.n_bytes ? x->body.n_bytes - back : 0;
    }
    double value = strtod(text, &end);
    return *end == '%' ? (uint64_t)(value / 100 * (double)x->body.n_bytes) : strtoull(text, NULL, 10);
}

static const char *argument(const fault_part *part, unsigned index, const char *otherwise) {
    return index < part->n_arguments ? part->arguments[index] : otherwise;
}

/* ---- the kinds -------------------------------------------------------------------------------------------------- */
static void apply_status(fake_exchange *x, const fault_part *part) {
    fake_reply_begin(x, (unsigned)amount(x, part, 0, 500));
    x->is_bytes = false;
    fake_reply_text(x, "text/plain", "%s", "This is a fault.\n");
    for (unsigned i = 1; i < part->n_arguments; i++) {
        const char *text = part->arguments[i], *equals = strchr(text, '=');
        char *name = fake_text("%.*s", equals != NULL ? (int)(equals - text) : (int)strlen(text), text);
        fake_reply_header(x, name, "%s", equals != NULL ? equals + 1 : "");
        free(name);
    }
}

static void apply_cut(fake_exchange *x, const fault_part *part) {
    x->body.stop_at = amount(x, part, 0, 0);
}

static void apply_cut_chunked(fake_exchange *x, const fault_part *part) {
    apply_cut(x, part);
    x->body.framing = FAKE_CHUNKED;
}

static void apply_cut_bare(fake_exchange *x, const fault_part *part) {
    apply_cut(x, part);
    x->body.framing = FAKE_BARE;
}

static void apply_chunked(fake_exchange *x, const fault_part *part) {
    (void)part;
    x->body.framing = FAKE_CHUNKED;
}

static void apply_bare(fake_exchange *x, const fault_part *part) {
    (void)part;
    x->body.framing = FAKE_BARE;
}

static void apply_rst(fake_exchange *x, const fault_part *part) {
    x->body.resets = true;
    x->body.stop_at = amount(x, part, 0, 0);
}

static void apply_close(fake_exchange *x, const fault_part *part) {
    x->closes = true;
    x->body.resets = strcmp(argument(part, 0, ""), "rst") == 0;
}

static void apply_flip(fake_exchange *x, const fault_part *part) {
    x->body.flip_at = part->arguments[0][0] == '@' ? strtoull(part->arguments[0] + 1, NULL, 10)
                                                   : x->body.offset + amount(x, part, 0, 0);
}

static void apply_garbage(fake_exchange *x, const fault_part *part) {
    (void)part;
    x->body.is_garbage = true;
}

static void apply_swap(fake_exchange *x, const fault_part *part) {
    const fake_file *other = x->revision != NULL ? fake_revision_file(x->revision, part->arguments[0]) : NULL;
    if (other != NULL) {
        fake_reply_file(x, other->on_disk, other->size_bytes);
    }
}

static void apply_short(fake_exchange *x, const fault_part *part) {
    uint64_t less = amount(x, part, 0, 1);
    x->body.n_bytes -= less < x->body.n_bytes ? less : x->body.n_bytes;
}

static void apply_long(fake_exchange *x, const fault_part *part) {
    x->body.declared_bytes = x->body.n_bytes + amount(x, part, 0, 1);
}

static void apply_stall(fake_exchange *x, const fault_part *part) {
    x->body.stall_at = amount(x, part, 0, 0);
    x->body.stall_ms = amount(x, part, 1, 3600000);
}

static void apply_delay(fake_exchange *x, const fault_part *part) {
    x->delay_ms = amount(x, part, 0, 0);
}

static void apply_drip(fake_exchange *x, const fault_part *part) {
    x->body.drip_bytes = amount(x, part, 0, 1);
    x->body.drip_ms = amount(x, part, 1, 1000);
}

static void apply_ignore_range(fake_exchange *x, const fault_part *part) {
    (void)part;
    if (x->status == 206) {
        x->status = 200;
        x->body.offset = 0;
        x->body.n_bytes = x->body.total_bytes;
        fake_reply_header(x, "Content-Range", NULL);
    }
}

/* What the reply says of its range, not what it holds; "none" leaves it out. "begin" gives the file's first bytes. */
static void apply_wrong_range(fake_exchange *x, const fault_part *part) {
    const char *kind = part->arguments[0];
    fake_body *body = &x->body;
    uint64_t first = body->offset, last = first + body->n_bytes - 1, total = body->total_bytes;
    if (strcmp(kind, "begin") == 0) {
        last = body->n_bytes - 1;
        first = body->offset = 0;
    }
    first += strcmp(kind, "start") == 0;
    last -= strcmp(kind, "end") == 0;
    total += strcmp(kind, "total") == 0;
    x->status = 206;
    fake_reply_header(x, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)first, (unsigned long long)last,
                      (unsigned long long)total);
    if (strcmp(kind, "none") == 0) {
        fake_reply_header(x, "Content-Range", NULL);
    } else if (strcmp(kind, "text") == 0) {
        fake_reply_header(x, "Content-Range", "%s", "bytes from-to/all");
    } else if (strcmp(kind, "huge") == 0) {
        fake_reply_header(x, "Content-Range", "%s", "bytes 0-18446744073709551615/18446744073709551616");
    }
}

static void apply_partial(fake_exchange *x, const fault_part *part) {
    fake_body *body = &x->body;
    body->n_bytes = amount(x, part, 0, body->n_bytes / 2);
    x->status = 206;
    fake_reply_header(x, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)body->offset,
                      (unsigned long long)(body->offset + body->n_bytes - 1), (unsigned long long)body->total_bytes);
}

static void apply_unsatisfiable(fake_exchange *x, const fault_part *part) {
    (void)part;
    unsigned long long total = x->body.total_bytes;
    fake_reply_begin(x, 416);
    x->is_bytes = false;
    fake_reply_header(x, "Content-Range", "bytes */%llu", total);
}

/* Compresses whatever this reply holds, although nobody asked for it. */
static void apply_gzip(fake_exchange *x, const fault_part *part) {
    (void)part;
    size_t n_bytes = (size_t)x->body.n_bytes;
    char *plain = fake_allocate(n_bytes);
    if (x->body.text != NULL) {
        memcpy(plain, x->body.text + x->body.offset, n_bytes);
    } else if (pread(x->body.fd, plain, n_bytes, (off_t)x->body.offset) != (ssize_t)n_bytes) {
        abort();
    }
    z_stream stream = {0};
    size_t capacity = n_bytes + n_bytes / 100 + 1024;
    char *packed = fake_allocate(capacity);
    if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        abort();
    }
    stream.next_in = (Bytef *)plain;
    stream.avail_in = (uInt)n_bytes;
    stream.next_out = (Bytef *)packed;
    stream.avail_out = (uInt)capacity;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END) {
        abort();
    }
    uint64_t size = stream.total_out;
    (void)deflateEnd(&stream);
    free(plain);
    fake_reply_bytes(x, packed, size);
    fake_reply_header(x, "Content-Encoding", "gzip");
}

static void replace_named(fake_exchange *x, const char *const *names, size_t n_names, const char *format) {
    for (size_t i = 0; i < n_names; i++) {
        if (format == NULL) {
            fake_reply_header(x, names[i], NULL);
        } else if (fake_reply_find(x, names[i]) != NULL) {
            fake_reply_header(x, names[i], "%s", format);
        }
    }
}

static void apply_etag(fake_exchange *x, const fault_part *part) {
    static const char *const names[] = {"ETag", "X-Linked-Etag"};
    char *quoted = fake_text("\"%s\"", argument(part, 0, ""));
    replace_named(x, names, 2, part->n_arguments > 0 ? quoted : NULL);
    free(quoted);
}

static void apply_weak_etag(fake_exchange *x, const fault_part *part) {
    (void)part;
    static const char *const names[] = {"ETag", "X-Linked-Etag"};
    for (size_t i = 0; i < 2; i++) {
        const char *value = fake_reply_find(x, names[i]);
        char *weak = fake_text("W/%s", value != NULL ? value : "");
        replace_named(x, &names[i], 1, weak);
        free(weak);
    }
}

static void apply_header(fake_exchange *x, const fault_part *part) {
    const char *equals = strchr(part->arguments[0], '=');
    char *name = fake_text("%.*s", (int)strcspn(part->arguments[0], "="), part->arguments[0]);
    fake_reply_header(x, name, equals != NULL ? "%s" : NULL, equals != NULL ? equals + 1 : "");
    free(name);
}

static void apply_huge_headers(fake_exchange *x, const fault_part *part) {
    uint64_t count = amount(x, part, 0, 1), n_bytes = amount(x, part, 1, 100000);
    char *filler = fake_allocate((size_t)n_bytes + 1);
    memset(filler, 'h', (size_t)n_bytes);
    for (uint64_t i = 0; i < count && i < FAKE_MAX_HEADERS / 2; i++) {
        char *name = fake_text("X-Filler-%llu", (unsigned long long)i);
        fake_reply_header(x, name, "%s", filler);
        free(name);
    }
    free(filler);
}

static void apply_redirect(fake_exchange *x, const fault_part *part) {
    char *target = fake_reply_expand(x, part->arguments[0]);
    unsigned status = (unsigned)amount(x, part, 1, 302);
    fake_reply_begin(x, status);
    x->is_bytes = false;
    fake_reply_header(x, "Location", "%s", target);
    fake_reply_text(x, "text/plain", "Redirected to %s\n", target);
    free(target);
}

static void apply_location(fake_exchange *x, const fault_part *part) {
    char *target = fake_reply_expand(x, part->arguments[0]);
    fake_reply_header(x, "Location", "%s", target);
    free(target);
}

static void apply_body(fake_exchange *x, const fault_part *part) {
    char *text = fake_reply_expand(x, part->arguments[0]);
    x->is_bytes = false;
    fake_reply_text(x, argument(part, 1, "application/json"), "%s", text);
    free(text);
}

/* Every occurrence of one text in a reply that is text (a revision, a tree) becomes another. */
static void apply_replace(fake_exchange *x, const fault_part *part) {
    const char *from = part->arguments[0], *at = NULL;
    if (x->body.text == NULL || *from == '\0') {
        return;
    }
    char *to = fake_reply_expand(x, part->arguments[1]), *out = fake_text("%s", "");
    char *old = fake_text("%.*s", (int)x->body.n_bytes, x->body.text);
    const char *rest = old;
    while ((at = strstr(rest, from)) != NULL) {
        char *longer = fake_text("%s%.*s%s", out, (int)(at - rest), rest, to);
        free(out);
        out = longer;
        rest = at + strlen(from);
    }
    char *whole = fake_text("%s%s", out, rest);
    fake_reply_bytes(x, whole, strlen(whole));
    free(out);
    free(old);
    free(to);
}

/* A body of so many spaces, JSON as far as it goes: how much does a client take? */
static void apply_flood(fake_exchange *x, const fault_part *part) {
    uint64_t n_bytes = amount(x, part, 0, (uint64_t)1 << 30);
    char *text = fake_allocate((size_t)n_bytes + 1);
    memset(text, ' ', (size_t)n_bytes);
    fake_reply_bytes(x, text, n_bytes);
}

static const fault_kind kinds[] = {
    {"status", 1, 5, apply_status},
    {"cut", 1, 1, apply_cut},
    {"cut-chunked", 1, 1, apply_cut_chunked},
    {"cut-bare", 1, 1, apply_cut_bare},
    {"chunked", 0, 0, apply_chunked},
    {"bare", 0, 0, apply_bare},
    {"rst", 1, 1, apply_rst},
    {"close", 0, 1, apply_close},
    {"flip", 1, 1, apply_flip},
    {"garbage", 0, 0, apply_garbage},
    {"swap", 1, 1, apply_swap},
    {"short", 1, 1, apply_short},
    {"long", 1, 1, apply_long},
    {"stall", 1, 2, apply_stall},
    {"delay", 1, 1, apply_delay},
    {"drip", 2, 2, apply_drip},
    {"ignore-range", 0, 0, apply_ignore_range},
    {"wrong-range", 1, 1, apply_wrong_range},
    {"partial", 1, 1, apply_partial},
    {"unsatisfiable", 0, 0, apply_unsatisfiable},
    {"gzip", 0, 0, apply_gzip},
    {"etag", 0, 1, apply_etag},
    {"weak-etag", 0, 0, apply_weak_etag},
    {"header", 1, 1, apply_header},
    {"huge-headers", 2, 2, apply_huge_headers},
    {"redirect", 1, 2, apply_redirect},
    {"location", 1, 1, apply_location},
    {"body", 1, 2, apply_body},
    {"replace", 2, 2, apply_replace},
    {"flood", 1, 1, apply_flood},
};

/* ---- reading the script ----------------------------------------------------------------------------------------- */
_Noreturn static void refuse(const char *path, unsigned number, const char *cause, const char *word) {
    (void)fprintf(stderr, "fake_hub: %s:%u: %s '%s'\n", path, number, cause, word);
    exit(2);
}

/* The next word, in quotes of either kind or without; NULL at the end. The caller frees. */
static char *next_word(const char **at) {
    *at += strspn(*at, " \t\n");
    if (**at == '\0' || **at == '#') {
        return NULL;
    }
    const char *end = **at == '"' ? "\"" : **at == '\'' ? "'" : " \t\n";
    bool is_quoted = *end != ' ';
    *at += is_quoted;
    size_t length = strcspn(*at, end);
    char *word = fake_text("%.*s", (int)length, *at);
    *at += length + (is_quoted && (*at)[length] == *end);
    return word;
}

static const fault_kind *find_kind(const char *name) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

static bool is_count(const char *word, char sign) {
    return word[0] == sign && word[1] != '\0' && strspn(word + 1, "0123456789") == strlen(word + 1);
}

static fault_line read_line(const char *path, unsigned number, char *match, const char *at) {
    fault_line line = {.left = FAKE_NEVER};
    line.place = fake_text("%.*s", (int)strcspn(match, ":"), match);
    line.glob = fake_text("%s", strchr(match, ':') != NULL ? strchr(match, ':') + 1 : "*");
    fault_part *part = NULL;
    for (char *word = NULL; (word = next_word(&at)) != NULL;) {
        if (part == NULL) {
            part = &line.parts[line.n_parts++];
            part->kind = find_kind(word);
            if (part->kind == NULL) {
                refuse(path, number, "no such fault", word);
            }
        } else if (strcmp(word, "&") == 0 && line.n_parts < MAX_PARTS) {
            part = NULL;
        } else if (is_count(word, 'x')) {
            line.left = strtoull(word + 1, NULL, 10);
        } else if (is_count(word, '+')) {
            line.skip = strtoull(word + 1, NULL, 10);
        } else if (part->n_arguments < part->kind->most) {
            part->arguments[part->n_arguments++] = word;
            continue;
        } else {
            refuse(path, number, "too many arguments:", word);
        }
        free(word);
    }
    for (unsigned i = 0; i < line.n_parts; i++) {
        if (line.parts[i].n_arguments < line.parts[i].kind->least) {
            refuse(path, number, "too few arguments for", line.parts[i].kind->name);
        }
    }
    if (line.n_parts == 0) {
        refuse(path, number, "no fault for", match);
    }
    return line;
}

fake_faults *fake_faults_read(const char *path) {
    fake_faults *faults = fake_allocate(sizeof *faults);
    (void)pthread_mutex_init(&faults->lock, NULL);
    FILE *stream = path != NULL ? fopen(path, "re") : NULL;
    if (path != NULL && stream == NULL) {
        refuse(path, 0, "cannot be read", "");
    }
    char *text = NULL;
    size_t capacity = 0;
    for (unsigned number = 1; stream != NULL && getline(&text, &capacity, stream) >= 0; number++) {
        const char *at = text;
        char *match = next_word(&at);
        if (match != NULL) {
            faults->lines = fake_grow(faults->lines, faults->n_lines, sizeof *faults->lines);
            faults->lines[faults->n_lines++] = read_line(path, number, match, at);
        }
        free(match);
    }
    free(text);
    if (stream != NULL) {
        (void)fclose(stream);
    }
    return faults;
}

/* ---- applying it ------------------------------------------------------------------------------------------------ */
static bool is_at(const fake_exchange *x, const char *place) {
    bool is_get = strcmp(x->method, "GET") == 0, is_resolve = x->place == FAKE_RESOLVE;
    return strcmp(place, "any") == 0 || strcmp(place, fake_place_names[x->place]) == 0 ||
           strcmp(place, fake_host_names[x->host]) == 0 || (strcmp(place, "head") == 0 && is_resolve && !is_get) ||
           (strcmp(place, "get") == 0 && is_resolve && is_get) || (strcmp(place, "bytes") == 0 && x->is_bytes) ||
           (strcmp(place, "resume") == 0 && x->is_bytes && x->body.offset > 0);
}

void fake_faults_apply(fake_faults *faults, fake_exchange *x) {
    const fault_line *chosen = NULL;
    (void)pthread_mutex_lock(&faults->lock);
    for (size_t i = 0; i < faults->n_lines && chosen == NULL; i++) {
        fault_line *line = &faults->lines[i];
        if (line->left == 0 || !is_at(x, line->place) || fnmatch(line->glob, x->path, 0) != 0) {
            continue;
        }
        if (line->skip > 0) {
            line->skip--;
            continue;
        }
        line->left -= line->left != FAKE_NEVER;
        chosen = line;
    }
    (void)pthread_mutex_unlock(&faults->lock);
    for (unsigned i = 0; chosen != NULL && i < chosen->n_parts; i++) {
        const fault_part *part = &chosen->parts[i];
        part->kind->apply(x, part);
        char *names =
            fake_text("%s%s%s", x->faults != NULL ? x->faults : "", x->faults != NULL ? " " : "", part->kind->name);
        free(x->faults);
        x->faults = names;
    }
}
