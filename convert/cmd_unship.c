/* pml-convert unship: shipped files become .pml files again, bit for bit. */
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "convert/commands.h"
#include "convert/ship/delta.h"
#include "convert/ship/receipt.h"
#include "runtime/base/json_writer.h"

typedef struct unship_options {
    pml_common_options common;
    const char *output;
    const char *patch_from;
    const char *key_path;
    bool force;
} unship_options;

static void on_progress(void *user, uint64_t done_bytes) {
    pml_progress_advance(user, done_bytes);
}

/* The file's own name without the ending that shipping added, beside it unless the user says otherwise. */
static pml_status choose_target(const unship_options *given, const char *path, bool is_delta, char target[PATH_MAX],
                                pml_error *error) {
    const char *ending = is_delta ? ".delta" : ".zst";
    const size_t n = strlen(path), n_ending = strlen(ending);
    const bool has_ending = n > n_ending && strcmp(path + n - n_ending, ending) == 0;
    if (given->output == NULL && !has_ending) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s: does not end in %s: -o OUT.pml says what to write", path, ending);
    }
    const int used = given->output != NULL ? snprintf(target, PATH_MAX, "%s", given->output)
                                           : snprintf(target, PATH_MAX, "%.*s", (int)(n - n_ending), path);
    return used > 0 && used < PATH_MAX ? PML_OK
                                       : PML_FAIL(error, PML_E_ARGUMENT, "%.200s...: the path is too long", path);
}

/* The list that came with the shipped file must be signed, and say what this file will restore. */
static pml_status check_receipt(const char *path, const char *target, const pml_pieces *pieces, const char *key_path,
                                pml_error *error) {
    pml_status status = PML_OK;
    char directory[PATH_MAX] = ".", expected[PML_SHA256_TEXT_BYTES];
    char name[NAME_MAX + 1];
    const char *slash = strrchr(path, '/');
    const char *base_name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(base_name, '.');
    if (slash != NULL) {
        (void)snprintf(directory, sizeof directory, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    }
    (void)snprintf(name, sizeof name, "%.*s", dot != NULL ? (int)(dot - base_name) : (int)strlen(base_name), base_name);
    PML_TRY(pml_receipt_read(directory, name, key_path, expected, error));
    if (strcmp(expected, pieces->sha256) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "%s: would restore a file of SHA-256 %s; the signed list says %s (%s)",
                         path, pieces->sha256, expected, target));
    }
done:
    return status;
}

static pml_status print(const unship_options *given, const char *target, const pml_pieces *pieces,
                        const pml_restore_report *report, pml_error *error) {
    pml_json_writer w;
    if (!given->common.json) {
        char size[32], kept[32];
        if (!given->common.quiet) {
            (void)fprintf(stderr, "restored: %s, SHA-256 right%s%s%s\n", pml_cli_size_text(pieces->content_bytes, size),
                          report->kept_bytes > 0 ? ", " : "",
                          report->kept_bytes > 0 ? pml_cli_size_text(report->kept_bytes, kept) : "",
                          report->kept_bytes > 0 ? " of it from an earlier run" : "");
        }
        (void)printf("%s\n", target);
        return PML_OK;
    }
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "path", target);
    pml_json_u64(&w, "size_bytes", pieces->content_bytes);
    pml_json_u64(&w, "kept_bytes", report->kept_bytes);
    pml_json_string(&w, "sha256", pieces->sha256);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    (void)n_operands;
    const unship_options *given = options;
    const char *path = operands[0];
    pml_status status = PML_OK;
    bool is_delta;
    pml_pieces pieces = {0};
    pml_progress *progress = NULL;
    pml_restore_report report;
    char target[PATH_MAX];
    PML_TRY(pml_delta_probe(path, &is_delta, error));
    if (is_delta && given->patch_from == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s: is a delta: --patch-from OLD.pml says against what", path));
    }
    if (!is_delta && given->patch_from != NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s: is no delta: --patch-from does not go with it", path));
    }
    PML_TRY(choose_target(given, path, is_delta, target, error));
    const char *const inputs[] = {path, given->patch_from, given->key_path};
    PML_TRY(pml_cli_check_output("output", target, inputs, sizeof inputs / sizeof inputs[0], error));
    PML_TRY(is_delta ? pml_delta_open(path, given->patch_from, &pieces, error) : pml_packed_open(path, &pieces, error));
    if (given->key_path != NULL) {
        PML_TRY(check_receipt(path, target, &pieces, given->key_path, error));
    }
    PML_TRY(pml_progress_create(&given->common, "unship", pieces.content_bytes, &progress, error));
    PML_TRY(pml_pieces_restore(&pieces, target, given->force, on_progress, progress, &report, error));
    PML_TRY(print(given, target, &pieces, &report, error));
done:
    pml_progress_destroy(progress);
    pml_pieces_close(&pieces);
    return status;
}

static const pml_option options[] = {
    {"output", 'o', PML_OPTION_TEXT, "OUT.pml", NULL, "the file to write (default: FILE without its last ending)",
     offsetof(unship_options, output)},
    {"patch-from", 0, PML_OPTION_TEXT, "OLD.pml", NULL, "the file that a delta was made against",
     offsetof(unship_options, patch_from)},
    {"key", 0, PML_OPTION_TEXT, "PUBLIC", NULL,
     "take nothing that SHA256SUMS beside FILE, signed with this Ed25519 key, does not name",
     offsetof(unship_options, key_path)},
    {"force", 'f', PML_OPTION_FLAG, NULL, NULL, "replace an existing file", offsetof(unship_options, force)},
    {0},
};

const pml_command pml_cmd_unship = {
    .name = "unship",
    .operands = "FILE",
    .summary = "Restore a shipped file bit for bit; an interrupted run is continued by the next",
    .examples = "pml-convert unship model.pml.zst\n"
                "pml-convert unship tuned.pml.delta --patch-from base.pml -o tuned.pml\n"
                "pml-convert unship model.pml.zst --key public.pem",
    .options = options,
    .options_bytes = sizeof(unship_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
