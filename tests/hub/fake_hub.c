/* fake_hub: a hub of model repositories on this machine, for tests. README.md tells its options and its faults. */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/hub/fake_faults.h"
#include "tests/hub/fake_routes.h"
#include "tests/hub/fake_text.h"

typedef struct listener {
    struct fake_hub *hub;
    fake_host host;
    struct MHD_Daemon *daemon;
} listener;

typedef struct fake_hub {
    fake_world world;
    fake_faults *faults;
    FILE *log;
    pthread_mutex_t log_lock;
    atomic_uint n_running; /* requests whose reply is not over */
    char *origins[FAKE_N_HOSTS];
    char *certificate; /* PEM text of certificate and key, or NULL */
    listener listeners[FAKE_N_HOSTS];
} fake_hub;

static const char help[] = "usage: fake_hub --root DIR [options]\n"
                           "  --script FILE          faults\n"
                           "  --log FILE             one JSON line per request\n"
                           "  --token T              the token that opens gated and private repositories\n"
                           "  --lfs-bytes N          files from this size on are LFS files (default 1048576)\n"
                           "  --page N               entries of a tree's page (default 1000)\n"
                           "  --url-uses N           a signed URL expires after N requests (default: never)\n"
                           "  --resolve-cache        small files answer by a relative redirect first\n"
                           "  --limit KIND:N:W       N requests in W seconds; KIND is api or resolvers\n"
                           "  --tls FILE             HTTPS with certificate and key from one PEM file; a third origin "
                           "is printed that speaks HTTP\n"
                           "  --cdn-name NAME        host name in the second host's origin (default 127.0.0.1)\n"
                           "  --stay                 serve until killed; otherwise until stdin ends\n"
                           "Prints one line, the origins of hub and second host, and serves.\n";

/* ---- one request ------------------------------------------------------------------------------------------------ */
static size_t keep_escapes(void *state, struct MHD_Connection *connection, char *text) {
    (void)state;
    (void)connection;
    return strlen(text);
}

/* Called with the path as it was sent, query included, before anything is parsed. */
static void *begin_exchange(void *state, const char *uri, struct MHD_Connection *connection) {
    listener *from = state;
    fake_exchange *x = fake_allocate(sizeof *x);
    (void)atomic_fetch_add(&from->hub->n_running, 1);
    x->connection = connection;
    x->host = from->host;
    x->origins = (const char *const *)from->hub->origins;
    size_t length = strcspn(uri, "?");
    x->raw_path = fake_text("%.*s", (int)length, uri);
    x->path = fake_text_decode(uri, length);
    x->query = fake_text("%s", uri[length] == '?' ? uri + length + 1 : "");
    return x;
}

static void read_token(fake_exchange *x, const char *token) {
    const char *value = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Authorization");
    x->has_authorization = value != NULL;
    bool is_bearer = value != NULL && strncmp(value, "Bearer ", 7) == 0;
    x->is_known = is_bearer && token != NULL && strcmp(value + 7, token) == 0;
    x->is_refused = value != NULL && !x->is_known;
}

static enum MHD_Result on_request(void *state, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_bytes, void **context) {
    listener *from = state;
    fake_exchange *x = *context;
    (void)connection;
    (void)url;
    (void)version;
    (void)upload;
    if (x->method[0] == '\0') { /* the headers are there; the reply waits for the end of the request */
        (void)snprintf(x->method, sizeof x->method, "%s", method);
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        *upload_bytes = 0;
        return MHD_YES;
    }
    x->range = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Range");
    read_token(x, from->hub->world.token);
    fake_routes_answer(&from->hub->world, x);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        fake_reply_begin(x, 405);
    }
    char *id = fake_text("fake-%p", (void *)x);
    fake_reply_header(x, "X-Request-Id", "%s", id);
    free(id);
    fake_faults_apply(from->hub->faults, x);
    return fake_reply_send(x);
}

static void end_exchange(void *state, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code) {
    listener *from = state;
    fake_exchange *x = *context;
    (void)connection;
    (void)code;
    if (x != NULL) {
        (void)pthread_mutex_lock(&from->hub->log_lock);
        if (from->hub->log != NULL && x->method[0] != '\0') {
            fake_exchange_log(x, from->hub->log);
        }
        (void)pthread_mutex_unlock(&from->hub->log_lock);
        fake_exchange_destroy(x);
        *context = NULL;
        (void)atomic_fetch_sub(&from->hub->n_running, 1);
    }
}

/* ---- listening -------------------------------------------------------------------------------------------------- */
static void start(fake_hub *hub, fake_host host, const char *name) {
    listener *out = &hub->listeners[host];
    *out = (listener){.hub = hub, .host = host};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool is_tls = hub->certificate != NULL && host != FAKE_PLAIN;
    unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION | (is_tls ? MHD_USE_TLS : 0);
    const struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, hub->certificate},
                                         {MHD_OPTION_HTTPS_MEM_KEY, 0, hub->certificate},
                                         {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem nothing[] = {{MHD_OPTION_END, 0, NULL}};
    out->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, out, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
                         MHD_OPTION_URI_LOG_CALLBACK, begin_exchange, out, MHD_OPTION_NOTIFY_COMPLETED, end_exchange,
                         out, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, out, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)8 << 20, MHD_OPTION_ARRAY, is_tls ? tls : nothing, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        out->daemon != NULL ? MHD_get_daemon_info(out->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (info == NULL) {
        (void)fprintf(stderr, "fake_hub: cannot listen\n");
        exit(1);
    }
    hub->origins[host] = fake_text("%s://%s:%u", is_tls ? "https" : "http", name, (unsigned)info->port);
}

static char *read_file(const char *path) {
    FILE *stream = fopen(path, "re");
    char *text = fake_allocate(65536);
    if (stream == NULL || fread(text, 1, 65535, stream) == 0) {
        (void)fprintf(stderr, "fake_hub: cannot read %s\n", path);
        exit(2);
    }
    (void)fclose(stream);
    return text;
}

static void read_limit(fake_world *world, const char *text) {
    unsigned kind = strncmp(text, "api:", 4) == 0 ? FAKE_LIMIT_API : FAKE_LIMIT_RESOLVERS;
    char *at = strchr(text, ':');
    uint64_t quota = at != NULL ? strtoull(at + 1, &at, 10) : 0, window = *at == ':' ? strtoull(at + 1, NULL, 10) : 0;
    if (quota == 0 || window == 0) {
        (void)fprintf(stderr, "fake_hub: --limit KIND:N:W\n");
        exit(2);
    }
    world->limits[kind].quota = quota;
    world->limits[kind].window_s = window;
}

typedef struct fake_options {
    const char *root, *script, *log, *cdn_name, *certificate;
    uint64_t lfs_bytes;
    bool stays;
} fake_options;

static const struct option option_names[] = {{"root", required_argument, NULL, 'r'},
                                             {"script", required_argument, NULL, 's'},
                                             {"log", required_argument, NULL, 'l'},
                                             {"token", required_argument, NULL, 't'},
                                             {"lfs-bytes", required_argument, NULL, 'b'},
                                             {"page", required_argument, NULL, 'p'},
                                             {"url-uses", required_argument, NULL, 'u'},
                                             {"resolve-cache", no_argument, NULL, 'c'},
                                             {"limit", required_argument, NULL, 'm'},
                                             {"tls", required_argument, NULL, 'x'},
                                             {"cdn-name", required_argument, NULL, 'n'},
                                             {"stay", no_argument, NULL, 'y'},
                                             {"help", no_argument, NULL, 'h'},
                                             {NULL, 0, NULL, 0}};

static void read_option(fake_options *o, fake_world *world, int option) {
    switch (option) {
    case 'r':
        o->root = optarg;
        break;
    case 's':
        o->script = optarg;
        break;
    case 'l':
        o->log = optarg;
        break;
    case 't':
        world->token = optarg;
        break;
    case 'b':
        o->lfs_bytes = strtoull(optarg, NULL, 10);
        break;
    case 'p':
        world->page_entries = strtoull(optarg, NULL, 10);
        break;
    case 'u':
        world->url_uses = strtoull(optarg, NULL, 10);
        break;
    case 'c':
        world->uses_resolve_cache = true;
        break;
    case 'm':
        read_limit(world, optarg);
        break;
    case 'n':
        o->cdn_name = optarg;
        break;
    case 'y':
        o->stays = true;
        break;
    case 'x':
        o->certificate = optarg;
        break;
    default:
        (void)fputs(help, option == 'h' ? stdout : stderr);
        exit(option == 'h' ? 0 : 2);
    }
}

int main(int argc, char **argv) {
    static fake_hub hub;
    fake_options o = {.cdn_name = "127.0.0.1", .lfs_bytes = 1048576};
    hub.world.page_entries = 1000;
    hub.world.limits[FAKE_LIMIT_API].name = "api";
    hub.world.limits[FAKE_LIMIT_RESOLVERS].name = "resolvers";
    for (int option; (option = getopt_long(argc, argv, "", option_names, NULL)) != -1;) {
        read_option(&o, &hub.world, option);
    }
    if (o.root == NULL || optind < argc) {
        (void)fputs(help, stderr);
        return 2;
    }
    if (o.certificate != NULL) {
        hub.certificate = read_file(o.certificate);
    }
    (void)pthread_mutex_init(&hub.world.lock, NULL);
    (void)pthread_mutex_init(&hub.log_lock, NULL);
    hub.world.repos = fake_repos_create(o.root, o.lfs_bytes);
    hub.faults = fake_faults_read(o.script);
    hub.log = o.log != NULL ? fopen(o.log, "ae") : NULL;
    start(&hub, FAKE_CDN, o.cdn_name);
    start(&hub, FAKE_PLAIN, "127.0.0.1");
    start(&hub, FAKE_HUB, "127.0.0.1");
    (void)printf("%s %s%s%s\n", hub.origins[FAKE_HUB], hub.origins[FAKE_CDN], hub.certificate != NULL ? " " : "",
                 hub.certificate != NULL ? hub.origins[FAKE_PLAIN] : "");
    (void)fflush(stdout);
    char rest[256];
    while (o.stays || read(STDIN_FILENO, rest, sizeof rest) > 0) {
        if (o.stays) {
            (void)pause();
        }
    }
    for (unsigned i = 0; i < 100 && atomic_load(&hub.n_running) > 0; i++) {
        (void)usleep(10000); /* their clients are gone: the log is complete in a moment */
    }
    (void)pthread_mutex_lock(&hub.log_lock); /* no line is cut */
    _exit(0);
}
