/* pml-plot: what other commands write, as a picture. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/input.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"
#include "runtime/base/publish.h"
#include "runtime/cli/command.h"
#include "runtime/plot/picture.h"
#include "runtime/plot/plot_kind.h"

enum { LEAST_PIXELS = 100, MOST_PIXELS = 10000, DEFAULT_WIDTH = 1000 };

typedef struct plot_options {
    pml_common_options common;
    const char *csv, *out, *columns, *title, *kind, *study;
    pml_option_u64 history, width, height;
    bool force;
} plot_options;

static const pml_option option_table[] = {
    {"csv", 0, PML_OPTION_TEXT, "FILE", NULL, "the history of a forecast: the CSV that was forecast",
     offsetof(plot_options, csv)},
    {"out", 'o', PML_OPTION_TEXT, "FILE", NULL, "the picture: .png, .svg or .pdf (required)",
     offsetof(plot_options, out)},
    {"kind", 0, PML_OPTION_TEXT, "KIND", NULL, "forecast|backtest|training|history|importance|parallel",
     offsetof(plot_options, kind)},
    {"study", 0, PML_OPTION_TEXT, "NAME", NULL, "which study of a journal with several", offsetof(plot_options, study)},
    {"columns", 0, PML_OPTION_TEXT, "A,B", NULL, "draw these, in this order (default: the first 12)",
     offsetof(plot_options, columns)},
    {"history", 0, PML_OPTION_U64, "N", NULL, "rows before a forecast (default: three times its own)",
     offsetof(plot_options, history)},
    {"title", 0, PML_OPTION_TEXT, "TEXT", NULL, "a line above everything", offsetof(plot_options, title)},
    {"width", 0, PML_OPTION_U64, "N", NULL, "pixels (default: 1000)", offsetof(plot_options, width)},
    {"height", 0, PML_OPTION_U64, "N", NULL, "pixels (default: by the number of columns)",
     offsetof(plot_options, height)},
    {"force", 'f', PML_OPTION_FLAG, NULL, NULL, "replace an existing picture", offsetof(plot_options, force)},
    {NULL, 0, PML_OPTION_FLAG, NULL, NULL, NULL, 0}};

static pml_status check_size(const char *option, pml_option_u64 given, pml_error *error) {
    if (given.is_set && (given.value < LEAST_PIXELS || given.value > MOST_PIXELS)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--%s is %d to %d pixels, not %llu", option, LEAST_PIXELS, MOST_PIXELS,
                        (unsigned long long)given.value);
    }
    return PML_OK;
}

static pml_status check(const plot_options *o, const char *file, pml_error *error) {
    pml_status status = PML_OK;
    if (o->out == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "plot needs -o FILE, the picture"));
    }
    PML_TRY(check_size("width", o->width, error));
    PML_TRY(check_size("height", o->height, error));
    PML_TRY(pml_picture_check(o->out, error));
    PML_TRY(pml_cli_check_output("out", o->out, (const char *const[2]){o->csv, file}, 2, error));
    status = pml_publish_check(o->out, o->force, error);
    if (status == PML_E_ARGUMENT && !o->force) {
        status = PML_FAIL(error, PML_E_ARGUMENT, "--out %s exists; --force replaces it", o->out);
    }
done:
    return status;
}

static pml_status print_json(const pml_plot_kind *kind, const pml_plot_result *result, const char *path,
                             pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, false);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "picture", path);
    pml_json_string(&w, "kind", kind->name);
    pml_json_u64(&w, "width", result->drawing.width);
    pml_json_u64(&w, "height", result->drawing.height);
    pml_json_begin_array(&w, "columns");
    for (size_t i = 0; i < pml_names_count(&result->panels); i++) {
        pml_json_string(&w, NULL, pml_names_at(&result->panels, i));
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const plot_options *o = options;
    pml_status status = PML_OK;
    const pml_plot_kind *kind = NULL;
    pml_plot_result result = {0};
    char *bytes = NULL;
    size_t size_bytes = 0;
    (void)n_operands;
    PML_TRY(check(o, operands[0], error));
    PML_TRY(pml_input_read(operands[0], PML_E_ARGUMENT, PML_MAX_JSON_BYTES, &bytes, &size_bytes, error));
    const pml_plot_request request = {.path = operands[0],
                                      .bytes = bytes,
                                      .size_bytes = size_bytes,
                                      .study = o->study,
                                      .csv = o->csv,
                                      .columns = o->columns,
                                      .has_history = o->history.is_set,
                                      .history = o->history.value,
                                      .width = o->width.is_set ? (unsigned)o->width.value : DEFAULT_WIDTH,
                                      .height = o->height.is_set ? (unsigned)o->height.value : 0,
                                      .title = o->title};
    PML_TRY(pml_plot_kind_find(o->kind, &request, &kind, error));
    PML_TRY(kind->draw(&request, &result, error));
    PML_TRY(pml_picture_write(&result.drawing, o->out, o->force, error));
    if (o->common.json) {
        PML_TRY(print_json(kind, &result, o->out, error));
    } else {
        (void)printf("%s\n", o->out);
    }
done:
    pml_plot_result_deinit(&result);
    pml_free(bytes);
    return status;
}

const pml_command pml_cmd_plot = {
    .name = "plot",
    .operands = "FILE",
    .summary = "Draw a forecast, a backtest, a training run or a study",
    .examples = "pml-run forecast model.pml --csv series.csv -o next.csv\n"
                "pml-run plot next.csv --csv series.csv -o next.png\n"
                "pml-run plot errors.csv -o errors.svg\n"
                "pml-run plot run/trainer_state.json -o loss.pdf\n"
                "pml-run plot study.journal --kind importance -o importance.png",
    .options = option_table,
    .options_bytes = sizeof(plot_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
