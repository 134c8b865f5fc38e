/* pml-convert ship: finished files, packed for the way to those who run them. */
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/commands.h"
#include "convert/ship/card.h"
#include "convert/ship/delta.h"
#include "convert/ship/signature.h"
#include "convert/ship/sums.h"
#include "runtime/base/alloc.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/publish.h"
#include "runtime/cli/printable.h"

enum { DEFAULT_LEVEL = 3, MOST_LEVEL = 19 };

typedef struct ship_options {
    pml_common_options common;
    const char *directory;
    const char *patch_from;
    const char *key_path;
    pml_option_u64 level;
    bool force;
} ship_options;

typedef struct shipping { /* one file on its way */
    const char *path, *base_name;
    char name[NAME_MAX + 1]; /* without ".pml" */
    char shipped[PATH_MAX], card[PATH_MAX];
    pml_packed_report packed;
    uint64_t same_bytes;
} shipping;

static void on_progress(void *user, uint64_t done_bytes) {
    pml_progress_advance(user, done_bytes);
}

static pml_status join(char path[PATH_MAX], const char *directory, const char *name, const char *ending,
                       pml_error *error) {
    const int n = snprintf(path, PATH_MAX, "%s/%s%s", directory, name, ending);
    return n > 0 && n < PATH_MAX ? PML_OK
                                 : PML_FAIL(error, PML_E_ARGUMENT, "%.200s...: the path is too long", directory);
}

/* Where a file's parts go; everything that can be refused is refused before the first is written. */
static pml_status place(const ship_options *given, shipping *s, pml_error *error) {
    pml_status status = PML_OK;
    pml_file *file = NULL;
    const char *slash = strrchr(s->path, '/');
    s->base_name = slash != NULL ? slash + 1 : s->path;
    const size_t n = strlen(s->base_name);
    const size_t n_name = n > 4 && strcmp(s->base_name + n - 4, ".pml") == 0 ? n - 4 : n;
    (void)snprintf(s->name, sizeof s->name, "%.*s", (int)n_name, s->base_name);
    PML_TRY(join(s->shipped, given->directory, s->base_name, given->patch_from != NULL ? ".delta" : ".zst", error));
    PML_TRY(join(s->card, given->directory, s->name, ".json", error));
    PML_TRY(pml_file_open(s->path, &file, error));
    PML_TRY(pml_publish_check(s->shipped, given->force, error));
    PML_TRY(pml_publish_check(s->card, true, error));
done:
    pml_file_close(file);
    return status;
}

static pml_status ship_one(const ship_options *given, shipping *s, pml_sums *sums, pml_error *error) {
    pml_status status = PML_OK;
    pml_file *file = NULL;
    pml_progress *progress = NULL;
    pml_delta_report delta;
    const int level = given->level.is_set ? (int)given->level.value : DEFAULT_LEVEL;
    const char *from = given->patch_from != NULL ? strrchr(given->patch_from, '/') : NULL;
    PML_TRY(pml_file_open(s->path, &file, error));
    PML_TRY(pml_file_verify(file, error)); /* damage is not shipped */
    PML_TRY(pml_progress_create(&given->common, s->base_name, pml_file_size(file), &progress, error));
    if (given->patch_from != NULL) {
        PML_TRY(pml_delta_write(s->path, given->patch_from, s->shipped, level, given->force, on_progress, progress,
                                &delta, error));
        s->packed = delta.packed;
        s->same_bytes = delta.same_bytes;
    } else {
        PML_TRY(pml_packed_write(s->path, s->shipped, level, given->force, on_progress, progress, &s->packed, error));
    }
    const pml_card card = {.name = s->name,
                           .file_name = s->base_name,
                           .shipped_name = strrchr(s->shipped, '/') + 1,
                           .packed = &s->packed,
                           .delta_from = from != NULL ? from + 1 : given->patch_from};
    PML_TRY(pml_card_write(file, &card, s->card, error));
    PML_TRY(pml_sums_set(sums, s->base_name, s->packed.sha256, error));
done:
    pml_progress_destroy(progress);
    pml_file_close(file);
    return status;
}

static pml_status print(const ship_options *given, const shipping *items, unsigned count, pml_error *error) {
    pml_json_writer w;
    if (!given->common.json) {
        for (unsigned i = 0; i < count; i++) {
            const pml_packed_report *r = &items[i].packed;
            char before[32], after[32];
            if (!given->common.quiet) {
                (void)fprintf(stderr, "shipped: ");
                pml_printable_write(stderr, items[i].base_name);
                (void)fprintf(stderr, ", %s as %s (%.1f %%)\n", pml_cli_size_text(r->content_bytes, before),
                              pml_cli_size_text(r->packed_bytes, after),
                              r->content_bytes > 0 ? 100.0 * (double)r->packed_bytes / (double)r->content_bytes : 100);
            }
            (void)printf("%s\n", items[i].shipped);
        }
        return PML_OK;
    }
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_begin_array(&w, "files");
    for (unsigned i = 0; i < count; i++) {
        const pml_packed_report *r = &items[i].packed;
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "path", items[i].path);
        pml_json_string(&w, "shipped", items[i].shipped);
        pml_json_string(&w, "card", items[i].card);
        pml_json_u64(&w, "size_bytes", r->content_bytes);
        pml_json_u64(&w, "shipped_bytes", r->packed_bytes);
        pml_json_string(&w, "sha256", r->sha256);
        if (given->patch_from != NULL) {
            pml_json_u64(&w, "same_bytes", items[i].same_bytes);
        }
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

/* *is_made: the folder was not there before. */
static pml_status check_options(const ship_options *given, unsigned n_files, bool *is_made, pml_error *error) {
    struct stat info;
    if (given->directory == NULL) {
        return PML_FAIL(error, PML_E_ARGUMENT, "missing option: -o DIR says where the files go");
    }
    if (given->level.is_set && (given->level.value < 1 || given->level.value > MOST_LEVEL)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--level %llu: expected 1 to %d", (unsigned long long)given->level.value,
                        MOST_LEVEL);
    }
    if (given->patch_from != NULL && n_files != 1) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--patch-from makes a delta of one file, not of %u", n_files);
    }
    *is_made = mkdir(given->directory, 0777) == 0;
    if (!*is_made && (stat(given->directory, &info) != 0 || !S_ISDIR(info.st_mode))) {
        return PML_FAIL(error, PML_E_IO, "%s: is no folder, and none can be made there", given->directory);
    }
    return PML_OK;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const ship_options *given = options;
    pml_status status = PML_OK;
    pml_sums sums = {0};
    shipping *items = NULL;
    bool is_made = false;
    char list[PATH_MAX], signature[PATH_MAX];
    PML_TRY(check_options(given, n_operands, &is_made, error));
    PML_TRY(join(list, given->directory, PML_SUMS_NAME, "", error));
    PML_TRY(join(signature, given->directory, PML_SUMS_SIGNATURE_NAME, "", error));
    if (given->key_path == NULL && access(signature, F_OK) == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT,
                         "%s: the list in this folder is signed: pass --sign KEY, or ship to another", signature));
    }
    if (given->key_path != NULL) { /* a list that changed under a signature that did not would be worth nothing */
        PML_TRY(pml_signature_check_key(given->key_path, error));
    }
    PML_TRY(pml_sums_read(list, &sums, error));
    PML_TRY(pml_alloc(n_operands, sizeof *items, &items, error));
    for (unsigned i = 0; i < n_operands; i++) {
        items[i].path = operands[i];
        PML_TRY(place(given, &items[i], error));
        for (unsigned k = 0; k < i; k++) {
            if (strcmp(items[k].card, items[i].card) == 0) {
                PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s and %s have the same name: ship them to different folders",
                                 operands[k], operands[i]));
            }
        }
    }
    for (unsigned i = 0; i < n_operands; i++) {
        PML_TRY(ship_one(given, &items[i], &sums, error));
        PML_TRY(pml_sums_write(&sums, list, error));
    }
    if (given->key_path != NULL) {
        PML_TRY(pml_signature_write(list, given->key_path, signature, error));
    }
    PML_TRY(print(given, items, n_operands, error));
done:
    if (status != PML_OK && is_made) {
        (void)rmdir(given->directory); /* refused where there is nothing in it */
    }
    pml_free(items);
    pml_sums_deinit(&sums);
    return status;
}

static const pml_option options[] = {
    {"output", 'o', PML_OPTION_TEXT, "DIR", NULL, "the folder for packed files, cards and " PML_SUMS_NAME,
     offsetof(ship_options, directory)},
    {"patch-from", 0, PML_OPTION_TEXT, "OLD.pml", NULL,
     "make a delta against this file, which the receiver has (one FILE only)", offsetof(ship_options, patch_from)},
    {"sign", 0, PML_OPTION_TEXT, "KEY", NULL, "sign " PML_SUMS_NAME " with this Ed25519 private key (PEM)",
     offsetof(ship_options, key_path)},
    {"level", 0, PML_OPTION_U64, "N", NULL, "Zstandard's level, 1 (fast) to 19 (small); default 3",
     offsetof(ship_options, level)},
    {"force", 'f', PML_OPTION_FLAG, NULL, NULL, "replace what was shipped before", offsetof(ship_options, force)},
    {0},
};

const pml_command pml_cmd_ship = {
    .name = "ship",
    .operands = "FILE...",
    .summary = "Pack .pml files for shipping, with checksums, a card each and, on request, a signature",
    .examples = "pml-convert ship model.pml -o outbox\n"
                "pml-convert ship tuned.pml -o outbox --patch-from base.pml\n"
                "pml-convert ship *.pml -o outbox --sign key.pem",
    .options = options,
    .options_bytes = sizeof(ship_options),
    .least_operands = 1,
    .most_operands = 10000,
    .run = run,
};
