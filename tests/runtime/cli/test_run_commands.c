/* pml-run as users run it: the built commands on a small model that pml-convert makes from a golden checkpoint. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/json_reader.h"
#include "tests/harness.h"

enum { T = 48, S = 8, N_ROWS = 400 };

static const char *run_path(void) {
    return pml_test_path("%s/pml-run", pml_test_binary_dir());
}

static const char *temporary(const char *name) {
    return pml_test_path("%s/%s", pml_test_temporary_dir(), name);
}

/* A series of three waves; the columns stand in another order than the model's, beside others. */
static void write_series(const char *path, int step_minutes) {
    FILE *stream = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    (void)fputs("date,gamma,note,alpha,beta\n", stream);
    for (int i = 0; i < N_ROWS; i++) {
        int minutes = i * step_minutes;
        (void)fprintf(stream, "2019-02-%02d %02d:%02d:00,%.4f,ok,%.4f,%.4f\n", minutes / 1440 + 1, minutes / 60 % 24,
                      minutes % 60, 100 + 9 * cos(i * 0.5), 10 + sin(i * 0.2618), -3 + 0.01 * i);
    }
    (void)fclose(stream);
}

static const char *series_path(void) {
    static const char *path;
    if (path == NULL) {
        path = temporary("series.csv");
        write_series(path, 60);
    }
    return path;
}

/* The model with a scaler and column names; NULL (and the test is skipped) without the golden checkpoint. */
static const char *model_path(void) {
    static const char *path;
    static const char scaler[] = "{\"columns\": [\"alpha\", \"beta\", \"gamma\"], \"mean\": [10, 0, 100],"
                                 " \"std\": [1, 2, 9], \"kind\": \"standard\"}";
    const char *golden = pml_test_golden("patchtst/hf-ci-prediction");
    if (golden == NULL) {
        pml_test_skip("golden patchtst/hf-ci-prediction is absent");
        return NULL;
    }
    if (path == NULL) {
        char *output = NULL;
        const char *made = temporary("model.pml");
        CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL, "mkdir '%s' && cp '%s'/config.json '%s'/model.safetensors '%s'",
                                               temporary("source"), golden, golden, temporary("source")),
                              0);
        pml_test_write_file(temporary("source/scaler.json"), scaler, sizeof scaler - 1);
        int code = pml_test_command(
            &output, "'%s/pml-convert' '%s' -o '%s' --set frequency=h --embed-selftest '%s/io.safetensors'",
            pml_test_binary_dir(), temporary("source"), made, golden);
        if (code != 0) {
            (void)printf("\n    %s", output);
        }
        CU_ASSERT_EQUAL_FATAL(code, 0);
        free(output);
        path = made;
    }
    return path;
}

/* Runs pml-run with these arguments; stdout and stderr each go to a file and are returned as kept text. */
typedef struct outcome {
    int code;
    const char *out, *err;
} outcome;

static const char *kept_file(const char *path) {
    size_t size_bytes = 0;
    unsigned char *bytes = pml_test_read_file(path, &size_bytes);
    const char *text = pml_test_path("%s", (const char *)bytes);
    free(bytes);
    return text;
}

static outcome run(const char *arguments) {
    outcome o;
    o.code =
        pml_test_command(NULL, "{ '%s' %s >'%s' 2>'%s'; }", run_path(), arguments, temporary("out"), temporary("err"));
    o.out = kept_file(temporary("out"));
    o.err = kept_file(temporary("err"));
    return o;
}

static outcome expect(int code, const char *arguments, const char *message) {
    outcome o = run(arguments);
    if (o.code != code || (message != NULL && strstr(o.err, message) == NULL)) {
        (void)printf("\n    pml-run %s\n    gave %d: %s", arguments, o.code, o.err);
        CU_FAIL("another exit code or message than expected");
    }
    if (code != 0) {
        CU_ASSERT_PTR_NOT_NULL(strstr(o.err, "pml-run: error: "));
    }
    return o;
}

static void check_json(const char *text) {
    pml_error error = {0};
    PML_ASSERT_OK(pml_json_validate(text, strlen(text), "stdout", 1 << 20, &error), &error);
}

static void help_fits_one_screen(void) {
    static const char *const commands[] = {"",         "info",     "forecast", "evaluate",
                                           "backtest", "selftest", "bench",    "backends"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        outcome o = expect(0, pml_test_path("%s --help", commands[i]), NULL);
        size_t n_lines = 0;
        for (const char *line = o.out; *line != '\0'; n_lines++) {
            size_t length = strcspn(line, "\n");
            CU_ASSERT_TRUE(length <= 80);
            line += length + (line[length] == '\n');
        }
        CU_ASSERT_TRUE(n_lines >= 5 && n_lines <= 24);
    }
}

static void forecast_draws(void) {
    const char *model = model_path();
    if (model == NULL) {
        return;
    }
    const char *picture = temporary("forecast.svg");
    const char *line = pml_test_path("forecast '%s' --csv '%s' --plot '%s'", model, series_path(), picture);
    if (access(pml_test_path("%s/pml-plot", pml_test_binary_dir()), X_OK) != 0) {
        (void)expect(66, line, "--plot needs the program pml-plot");
        return;
    }
    outcome o = expect(0, line, NULL);
    CU_ASSERT_EQUAL(strncmp(o.out, "date,alpha,beta,gamma\n", 22), 0); /* and nothing of the picture's path */
    CU_ASSERT_PTR_NULL(strstr(o.out, "svg"));
    CU_ASSERT_PTR_NOT_NULL(strstr(kept_file(picture), ">gamma</text>"));
    (void)expect(0, line, NULL);
    (void)expect(2, pml_test_path("%s --scaled", line), "it goes without --scaled");
    (void)expect(2, pml_test_path("%s -o '%s'", line, picture), "--plot and --out both name");
    (void)expect(2, pml_test_path("forecast '%s' --csv '%s' --plot '%s'", model, series_path(), series_path()),
                 "would overwrite the input");
    (void)expect(2, pml_test_path("forecast '%s' --csv '%s' --plot '%s'", model, series_path(), temporary("p.gif")),
                 "ends in .png, .svg or .pdf");
}

static void usage_errors(void) {
    static const char *const lines[][2] = {
        {"", "nothing to do"},
        {"forcast x", "did you mean 'forecast'?"},
        {"info", "missing operand: expected FILE"},
        {"info a b", "unexpected operand 'b'"},
        {"forecast x.pml", "forecast needs --csv FILE"},
        {"forecast x.pml --at -3 --csv y", "--at takes a whole number, not '-3'"},
        {"backtest x.pml", "backtest needs --csv"},
        {"evaluate x.pml --csv y", "evaluate needs --split"},
        {"evaluate x.pml --split ett-hour", "evaluate needs --csv"},
        {"evaluate --csv x --split ett-hour", "missing operand"},
        {"evaluate --csv x --split ett-hour --baseline repeat-last", "needs --horizon"},
        {"evaluate --csv x --split ett-hour --baseline repeat-last --horizon 0", "at least 1"},
        {"evaluate x --csv x --split ett-hour --horizon 3", "go with --baseline"},
        {"evaluate x --csv x --split ett-hour --baseline naive", "must be one of repeat-last"},
        {"evaluate x --csv x --split ett-hour --batch-size 0", "between 1 and"},
        {"bench x.pml -b 1,,2", "numbers from 1 to"},
        {"bench x.pml -b 0", "numbers from 1 to"},
        {"bench x.pml -b 1,", "numbers from 1 to"},
        {"bench x.pml -p x", "--tokens takes up to"},
        {"bench", "bench takes 1 to 16 files"},
        {"bench x.pml -r 0", "between 1 and"},
        {"bench x.pml --threads 0", "--threads takes up to"},
        {"selftest x.pml -t 1025", "--threads must lie between 1 and 1024"},
        {"forecast x.pml --csv y -t 99999999999999999999", "too large"},
        {"evaluate x.pml --csv y --split ett-hour -t two", "--threads takes a whole number, not 'two'"},
        {"bench x.pml --backend cqu", "did you mean 'cpu'?"},
        {"info x.pml --nope", "unknown option --nope"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        (void)expect(2, lines[i][0], lines[i][1]);
    }
}

static void files_that_cannot_be_used(void) {
    const char *text = temporary("text.pml");
    pml_test_write_file(text, "this is not a model\n", 20);
    static const char *const commands[] = {"info", "selftest", "bench", "forecast --csv /dev/null",
                                           "evaluate --split ett-hour --csv /dev/null"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        (void)expect(66, pml_test_path("%s '%s'", commands[i], temporary("absent.pml")), "absent.pml");
        (void)expect(65, pml_test_path("%s '%s'", commands[i], text), "text.pml");
    }
}

static void backends_are_listed(void) {
    outcome o = expect(0, "backends", NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "cpu "));
    o = expect(0, "backends --json", NULL);
    check_json(o.out);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "\"cpu-blas\""));
}

static void info_tells_what_is_in_the_file(void) {
    if (model_path() == NULL) {
        return;
    }
    outcome o = expect(0, pml_test_path("info '%s' --verify", model_path()), NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "patchtst"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "alpha, beta, gamma"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "selftest"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "panel"));
    o = expect(0, pml_test_path("info '%s' --json --tensors", model_path()), NULL);
    check_json(o.out);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "\"context_length\": 48"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "\"provenance\": {"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "\"tensors\": ["));
}

static size_t count_lines(const char *text) {
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

static void forecast_answers_in_the_series_own_units_and_dates(void) {
    if (model_path() == NULL) {
        return;
    }
    outcome o = expect(0, pml_test_path("forecast '%s' --csv '%s'", model_path(), series_path()), NULL);
    CU_ASSERT_EQUAL(strncmp(o.out, "date,alpha,beta,gamma\n2019-02-17 16:00:00,", 41), 0);
    CU_ASSERT_EQUAL(count_lines(o.out), S + 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "\n2019-02-17 23:00:00,"));
    CU_ASSERT_STRING_EQUAL(o.err, "");
    const char *first = o.out;
    CU_ASSERT_STRING_EQUAL(run(pml_test_path("forecast '%s' --csv '%s'", model_path(), series_path())).out, first);
    o = expect(0, pml_test_path("forecast '%s' --csv '%s' --at %d", model_path(), series_path(), N_ROWS), NULL);
    CU_ASSERT_STRING_EQUAL(o.out, first);
    o = expect(0, pml_test_path("forecast '%s' --csv '%s' --no-dates", model_path(), series_path()), NULL);
    CU_ASSERT_EQUAL(strncmp(o.out, "alpha,beta,gamma\n", 17), 0);
    o = expect(0, pml_test_path("forecast '%s' --csv '%s' --at %d --json", model_path(), series_path(), T), NULL);
    check_json(o.out);
    static const char begin[] = "{\"start_row\":48,\"columns\":[\"alpha\",\"beta\",\"gamma\"],"
                                "\"dates\":[\"2019-02-03 00:00:00\",";
    CU_ASSERT_EQUAL(strncmp(o.out, begin, sizeof begin - 1), 0);
    /* Every number lies where the series does. */
    double alpha = 0, beta = 0, gamma = 0;
    CU_ASSERT_EQUAL(sscanf(strchr(first, '\n') + 21, "%lf,%lf,%lf", &alpha, &beta, &gamma), 3);
    CU_ASSERT_TRUE(fabs(alpha - 10) < 10 && fabs(beta - 1) < 20 && fabs(gamma - 100) < 90);
}

static void forecast_refuses_what_it_cannot_do(void) {
    if (model_path() == NULL) {
        return;
    }
    const char *model = model_path();
    (void)expect(2, pml_test_path("forecast '%s' --csv '%s' --at 47", model, series_path()), "rows 48 to 400");
    (void)expect(2, pml_test_path("forecast '%s' --csv '%s' --at 401", model, series_path()), "rows 48 to 400");
    (void)expect(66, pml_test_path("forecast '%s' --csv '%s'", model, temporary("no.csv")), "no.csv");
    (void)expect(2, pml_test_path("forecast '%s' --csv '%s'", model, pml_test_temporary_dir()), "not a regular file");
    const char *other = temporary("other.csv");
    pml_test_write_file(other, "alpha,beta\n1,2\n", 15);
    (void)expect(78, pml_test_path("forecast '%s' --csv '%s'", model, other), "no column 'gamma'");
    pml_test_write_file(other, "alpha,beta,gamma\n1,2,3\n", 23);
    (void)expect(65, pml_test_path("forecast '%s' --csv '%s'", model, other), "looks back 48");
    pml_test_write_file(other, "alpha,beta,gamma\n1,2,x\n", 23);
    (void)expect(65, pml_test_path("forecast '%s' --csv '%s'", model, other), "line 2, column 'gamma'");
    /* A gap in the dates that the model looks at, and one that it does not. */
    (void)pml_test_command(NULL, "sed '391d' '%s' > '%s'", series_path(), other);
    (void)expect(65, pml_test_path("forecast '%s' --csv '%s'", model, other), "row 389: date 2019-02-17 06:00:00");
    (void)expect(0, pml_test_path("forecast '%s' --csv '%s' --no-dates", model, other), NULL);
    (void)expect(0, pml_test_path("forecast '%s' --csv '%s' --at 300", model, other), NULL);
    /* Another step than the model was fitted on is worth a word. */
    write_series(other, 15);
    outcome o = expect(0, pml_test_path("forecast '%s' --csv '%s'", model, other), "has the step 15t");
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "\n2019-02-05 04:15:00,"));
}

static void missing_values_reach_the_model_as_a_mask(void) {
    if (model_path() == NULL) {
        return;
    }
    const char *other = temporary("holes.csv");
    (void)pml_test_command(NULL, "sed '380,384s/,ok,[^,]*,/,ok,,/' '%s' > '%s'", series_path(), other);
    outcome whole = expect(0, pml_test_path("forecast '%s' --csv '%s'", model_path(), series_path()), NULL);
    outcome holes = expect(0, pml_test_path("forecast '%s' --csv '%s' -v", model_path(), other), "5 missing values");
    CU_ASSERT_STRING_NOT_EQUAL(holes.out, whole.out);
    CU_ASSERT_PTR_NULL(strstr(holes.out, "nan"));
    (void)pml_test_command(NULL, "sed '300,$s/,ok,[^,]*,/,ok,,/' '%s' > '%s'", series_path(), other);
    (void)expect(0, pml_test_path("forecast '%s' --csv '%s'", model_path(), other), "has no value in rows 352 to 399");
}

/* A double that no float32 holds is named where it stands, not where it does harm. */
static void values_too_large_for_the_model_are_named(void) {
    if (model_path() == NULL) {
        return;
    }
    const char *other = temporary("huge.csv");
    (void)pml_test_command(NULL, "sed '380s/,ok,[^,]*,/,ok,-1e300,/' '%s' > '%s'", series_path(), other);
    (void)expect(65, pml_test_path("forecast '%s' --csv '%s'", model_path(), other),
                 "row 378, column 'alpha': -1e+300 is too large");
    (void)expect(65, pml_test_path("evaluate '%s' --csv '%s' --split 0.7,0.1,0.2", model_path(), other),
                 "row 378, column 'alpha': -1e+300 is too large");
    (void)expect(0, pml_test_path("forecast '%s' --csv '%s' --at 300", model_path(), other), NULL);
}

/* Room is made for the windows there are, whatever batch is asked for. */
static void a_large_batch_takes_no_more_room_than_its_windows(void) {
#ifndef PML_TEST_SANITIZED
    if (model_path() == NULL) {
        return;
    }
    CU_ASSERT_EQUAL(pml_test_command(NULL,
                                     "ulimit -v 300000 && '%s' evaluate '%s' --csv '%s' --split 0.7,0.1,0.2 "
                                     "--batch-size 1000000",
                                     run_path(), model_path(), series_path()),
                    0);
#endif
}

static void out_is_published_whole_or_not_at_all(void) {
    if (model_path() == NULL) {
        return;
    }
    const char *model = model_path(), *target = temporary("next.csv");
    outcome printed = expect(0, pml_test_path("forecast '%s' --csv '%s'", model, series_path()), NULL);
    for (int i = 0; i < 2; i++) { /* the second time it is replaced */
        outcome o = expect(0, pml_test_path("forecast '%s' --csv '%s' -o '%s'", model, series_path(), target), NULL);
        CU_ASSERT_STRING_EQUAL(o.out, pml_test_path("%s\n", target));
        CU_ASSERT_STRING_EQUAL(kept_file(target), printed.out);
    }
    (void)expect(2, pml_test_path("forecast '%s' --csv '%s' -o '%s'", model, series_path(), series_path()),
                 "would overwrite the input");
    (void)expect(2, pml_test_path("forecast '%s' --csv '%s' -o '%s'", model, series_path(), model),
                 "would overwrite the input");
    (void)expect(2, pml_test_path("forecast '%s' --csv '%s' -o /dev/null", model, series_path()), "not a regular file");
    (void)expect(
        74,
        pml_test_path("forecast '%s' --csv '%s' -o '%s/no/next.csv'", model, series_path(), pml_test_temporary_dir()),
        NULL);
    outcome o = expect(0, pml_test_path("forecast '%s' --csv '%s' -o -", model, series_path()), NULL);
    CU_ASSERT_STRING_EQUAL(o.out, printed.out);
    CU_ASSERT_EQUAL(
        pml_test_command(NULL, "'%s' forecast '%s' --csv '%s' > /dev/full", run_path(), model, series_path()), 74);
    /* A file size limit is a full disk: nothing may stay behind. */
    CU_ASSERT_EQUAL(pml_test_command(NULL, "mkdir '%s' && ulimit -f 0 && '%s' forecast '%s' --csv '%s' -o '%s/x.csv'",
                                     temporary("small"), run_path(), model, series_path(), temporary("small")),
                    74);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "test -z \"$(ls -A '%s')\"", temporary("small")), 0);
}

static double number_after(const char *text, const char *key) {
    const char *at = strstr(text, key);
    return at != NULL ? strtod(at + strlen(key), NULL) : NAN;
}

static void evaluate_does_not_depend_on_the_batch(void) {
    if (model_path() == NULL) {
        return;
    }
    static const int batches[] = {1, 7, 32, 1000};
    double mse = 0, mae = 0;
    for (size_t i = 0; i < 4; i++) {
        outcome o = expect(0,
                           pml_test_path("evaluate '%s' --csv '%s' --split 0.7,0.1,0.2 --json --batch-size %d",
                                         model_path(), series_path(), batches[i]),
                           NULL);
        check_json(o.out);
        if (i == 0) {
            mse = number_after(o.out, "\"mse\": ");
            mae = number_after(o.out, "\"mae\": ");
            CU_ASSERT_TRUE(mse > 0 && mae > 0 && isfinite(mse));
        }
        CU_ASSERT_EQUAL(number_after(o.out, "\"mse\": "), mse);
        CU_ASSERT_EQUAL(number_after(o.out, "\"mae\": "), mae);
        CU_ASSERT_EQUAL(number_after(o.out, "\"windows\": "), 80 - S + 1);
        CU_ASSERT_EQUAL(number_after(o.out, "\"horizon\": "), S);
    }
    outcome o = expect(0,
                       pml_test_path("evaluate '%s' --csv '%s' --split 0.7,0.1,0.2 --baseline repeat-last",
                                     model_path(), series_path()),
                       NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "windows   73 (test)"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "scaler    of the file"));
    CU_ASSERT_TRUE(number_after(o.out, "MSE") != mse);
    o = expect(0,
               pml_test_path("evaluate '%s' --csv '%s' --split 0.7,0.1,0.2 --set-part train --progress plain",
                             model_path(), series_path()),
               NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "windows   225 (train)"));
    (void)expect(65, pml_test_path("evaluate '%s' --csv '%s' --split ett-hour", model_path(), series_path()),
                 pml_test_path("%s: the split ett-hour needs 14400 rows", series_path()));
    (void)expect(2, pml_test_path("evaluate '%s' --csv '%s' --split 1,2,3", model_path(), series_path()), "a split is");
}

static void evaluate_matches_forecast_by_hand(void) {
    if (model_path() == NULL) {
        return;
    }
    /* A part with a single window: shares such that the test rows are the horizon, so that one forecast decides. */
    outcome o = expect(
        0, pml_test_path("evaluate '%s' --csv '%s' --split 0.9,0.08,0.02 --json", model_path(), series_path()), NULL);
    CU_ASSERT_EQUAL_FATAL(number_after(o.out, "\"windows\": "), 1);
    outcome f =
        expect(0, pml_test_path("forecast '%s' --csv '%s' --at %d", model_path(), series_path(), N_ROWS - S), NULL);
    const char *line = strchr(f.out, '\n');
    double squared = 0, absolute = 0;
    static const double std[3] = {1, 2, 9};
    for (int i = N_ROWS - S; i < N_ROWS; i++) {
        double y[3];
        CU_ASSERT_PTR_NOT_NULL_FATAL(line);
        CU_ASSERT_EQUAL_FATAL(sscanf(line + 21, "%lf,%lf,%lf", &y[0], &y[1], &y[2]), 3);
        const double target[3] = {10 + sin(i * 0.2618), -3 + 0.01 * i, 100 + 9 * cos(i * 0.5)};
        for (int j = 0; j < 3; j++) {
            double difference = (y[j] - target[j]) / std[j];
            squared += difference * difference / (3 * S);
            absolute += fabs(difference) / (3 * S);
        }
        line = strchr(line + 1, '\n');
    }
    CU_ASSERT_DOUBLE_EQUAL(number_after(o.out, "\"mse\": "), squared, 1e-3 * squared);
    CU_ASSERT_DOUBLE_EQUAL(number_after(o.out, "\"mae\": "), absolute, 1e-3 * absolute);
}

static void selftest_proves_the_machine(void) {
    if (model_path() == NULL) {
        return;
    }
    outcome o = expect(0, pml_test_path("selftest '%s'", model_path()), NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "prediction_outputs"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "passed"));
    o = expect(0, pml_test_path("selftest '%s' --json --backend cpu --verify", model_path()), NULL);
    check_json(o.out);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "\"passed\": true"));
    /* A model whose file carries no vectors. */
    const char *bare = temporary("bare.pml");
    CU_ASSERT_EQUAL(
        pml_test_command(NULL, "'%s/pml-convert' '%s' -o '%s'", pml_test_binary_dir(), temporary("source"), bare), 0);
    (void)expect(65, pml_test_path("selftest '%s'", bare), "carries no self-test");
}

static void bench_times_every_batch(void) {
    if (model_path() == NULL) {
        return;
    }
    outcome o = expect(0, pml_test_path("bench '%s' -b 1,3 -r 2 --warmup 0 -o csv", model_path()), NULL);
    const char *title = "file,dtype,file_bytes,threads,test,batch_size,tokens,depth,min_ms,median_ms,samples_per_s,"
                        "tokens_per_s,gflop_per_s,gb_per_s,read_gb_per_s\n";
    CU_ASSERT_EQUAL(strncmp(o.out, title, strlen(title)), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "model.pml,f32,"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, ",run,3,0,0,"));
    CU_ASSERT_EQUAL(count_lines(o.out), 3);
    o = expect(0, pml_test_path("bench '%s' -r 1 -o md", model_path()), NULL);
    CU_ASSERT_EQUAL(strncmp(o.out, "| file | dtype | MB |", 21), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "|\n|---|---|--:|"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "\n| model.pml | f32 | "));
    o = expect(0, pml_test_path("bench '%s' -r 1", model_path()), NULL);
    CU_ASSERT_EQUAL(count_lines(o.out), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "batch 1"));
    o = expect(0, pml_test_path("bench '%s' -r 1 -o json", model_path()), NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.out, "\"median_ms\""));
}

static void bench_counts_what_it_times(void) {
    if (model_path() == NULL) {
        return;
    }
    outcome o = expect(0, pml_test_path("bench -m '%s' '%s' -b 2 -r 3 --json", model_path(), model_path()), NULL);
    check_json(o.out);
    CU_ASSERT_TRUE(number_after(o.out, "\"min_ms\": ") > 0);
    CU_ASSERT_TRUE(number_after(o.out, "\"median_ms\": ") >= number_after(o.out, "\"min_ms\": "));
    CU_ASSERT_TRUE(number_after(o.out, "\"read_gb_per_s\": ") > 0);
    CU_ASSERT_TRUE(number_after(o.out, "\"gflop_per_s\": ") > 0);
    const double weight_bytes = number_after(o.out, "\"weight_bytes\": ");
    CU_ASSERT_TRUE(weight_bytes > 0 && weight_bytes < number_after(o.out, "\"bytes\": ") * 8);
    o = expect(0, pml_test_path("bench '%s' -b 4 -r 1 --json", model_path()), NULL);
    /* A larger batch does more work with the same weights. */
    CU_ASSERT_TRUE(number_after(o.out, "\"weight_bytes\": ") <= 2 * weight_bytes);
    (void)expect(2, pml_test_path("bench '%s' -p 16", model_path()), "takes no tokens");
    (void)expect(2, pml_test_path("bench '%s' -n 16", model_path()), "is no language model");
    (void)expect(2, pml_test_path("bench '%s' -d 16", model_path()), "--depth");
}

/* What is printed does not depend on how many threads computed it, nor on who chose their number. */
static void threads_change_nothing(void) {
    if (model_path() == NULL) {
        return;
    }
    static const char *const counts[] = {"-t 1", "-t 2", "--threads=5", ""};
    char *first = NULL;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const outcome o =
            expect(0, pml_test_path("forecast '%s' --csv '%s' %s", model_path(), series_path(), counts[i]), NULL);
        first = first == NULL ? strdup(o.out) : first;
        CU_ASSERT_STRING_EQUAL(o.out, first);
    }
    free(first);
    (void)setenv("PML_THREADS", "3", 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(expect(0, "--version", NULL).out, "threads used here: 3\n"));
    CU_ASSERT_EQUAL(
        number_after(expect(0, pml_test_path("bench '%s' -r 1 --json -t 2", model_path()), NULL).out, "\"threads\": "),
        2);
    (void)expect(2, pml_test_path("bench '%s' -t 1,1025", model_path()), "there may be 1 to 1024");
    (void)setenv("PML_THREADS", "0", 1);
    (void)expect(2, pml_test_path("forecast '%s' --csv '%s'", model_path(), series_path()),
                 "PML_THREADS must be a whole number");
    (void)unsetenv("PML_THREADS");
}

static void damage_is_found(void) {
    if (model_path() == NULL) {
        return;
    }
    /* One bit of the last tensor: opening does not look at it, --verify does. */
    size_t size_bytes = 0;
    unsigned char *bytes = pml_test_read_file(model_path(), &size_bytes);
    const char *damaged = temporary("damaged.pml");
    bytes[size_bytes - 64] ^= 1;
    pml_test_write_file(damaged, bytes, size_bytes);
    (void)expect(0, pml_test_path("info '%s'", damaged), NULL);
    (void)expect(1, pml_test_path("info '%s' --verify", damaged), "damaged.pml");
    (void)expect(1, pml_test_path("forecast '%s' --csv '%s' --verify", damaged, series_path()), "damaged.pml");
    bytes[100] ^= 1;
    pml_test_write_file(damaged, bytes, size_bytes);
    (void)expect(65, pml_test_path("info '%s'", damaged), "damaged.pml");
    free(bytes);
}

static void ctrl_c_stops_a_long_run(void) {
    if (model_path() == NULL) {
        return;
    }
    CU_ASSERT_EQUAL(pml_test_command(NULL, "timeout --signal=INT --preserve-status 1 '%s' bench '%s' -b 512 -r 100000",
                                     run_path(), model_path()),
                    128 + SIGINT);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "timeout --signal=TERM --preserve-status 1 '%s' bench '%s' -b 512 -r 100000",
                                     run_path(), model_path()),
                    128 + SIGTERM);
}

static void a_model_cut_short_while_it_runs_is_exit_74(void) {
    if (model_path() == NULL) {
        return;
    }
    const char *copy = temporary("cut.pml");
    char *output = NULL;
    int code =
        pml_test_command(&output, "{ cp '%s' '%s'; '%s' bench '%s' -b 64 -r 100000 & sleep 1; : > '%s'; wait $!; }",
                         model_path(), copy, run_path(), copy, copy);
    CU_ASSERT_EQUAL(code, 74);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "pml-run: error: a file changed while it was mapped"));
    free(output);
}

PML_TESTS("runtime/cli/run_commands", PML_TEST(help_fits_one_screen), PML_TEST(usage_errors), PML_TEST(forecast_draws),
          PML_TEST(files_that_cannot_be_used), PML_TEST(backends_are_listed), PML_TEST(info_tells_what_is_in_the_file),
          PML_TEST(forecast_answers_in_the_series_own_units_and_dates), PML_TEST(forecast_refuses_what_it_cannot_do),
          PML_TEST(missing_values_reach_the_model_as_a_mask), PML_TEST(out_is_published_whole_or_not_at_all),
          PML_TEST(evaluate_does_not_depend_on_the_batch), PML_TEST(evaluate_matches_forecast_by_hand),
          PML_TEST(selftest_proves_the_machine), PML_TEST(bench_times_every_batch),
          PML_TEST(bench_counts_what_it_times), PML_TEST(threads_change_nothing),
          PML_TEST(values_too_large_for_the_model_are_named),
          PML_TEST(a_large_batch_takes_no_more_room_than_its_windows), PML_TEST(damage_is_found),
          PML_TEST(ctrl_c_stops_a_long_run), PML_TEST(a_model_cut_short_while_it_runs_is_exit_74))
