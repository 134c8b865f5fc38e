/* `mpirun -n N pml-run train`: what N ranks make of shares of a batch is what one rank makes of the whole. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/file/reader.h"
#include "runtime/tensor/tensor.h"
#include "tests/harness.h"

/* 161 windows to learn from: batches of 16 leave one over, so that all ranks but one have nothing. */
#define N_WINDOWS 161
#define N_EPOCHS 2
#define STEPS 22
#define LOSS_BOUND 1e-5   /* of each step's loss, relative */
#define WEIGHT_BOUND 2e-5 /* of a weight after all steps, relative to its tensor's largest */

extern char **environ;

static const char *in_dir(const char *name) {
    return pml_test_path("%s/%s", pml_test_temporary_dir(), name);
}

static bool has_mpi(void) {
    static int known = -1;
    if (known < 0) {
        known = pml_test_command(NULL, "mpirun --version >/dev/null 2>&1 && test -f '%s/pml-mpi.so'",
                                 pml_test_binary_dir()) == 0;
        /* Ranks of one test share processors with other tests; root may be who runs them. */
        CU_ASSERT_EQUAL(setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1), 0);
        CU_ASSERT_EQUAL(setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1), 0);
        CU_ASSERT_EQUAL(setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 1), 0);
        CU_ASSERT_EQUAL(setenv("OMPI_MCA_hwloc_base_binding_policy", "none", 1), 0);
        CU_ASSERT_EQUAL(setenv("OMPI_MCA_btl", "self,vader", 1), 0);
        CU_ASSERT_EQUAL(setenv("OMPI_MCA_orte_tmpdir_base", pml_test_temporary_dir(), 1), 0);
#ifdef PML_TEST_SANITIZED
        CU_ASSERT_EQUAL(setenv("ASAN_OPTIONS", "detect_leaks=0:handle_segv=0", 1), 0); /* MPI keeps what it has */
#endif
    }
    if (known == 0) {
        pml_test_skip("no mpirun, or no pml-mpi.so");
    }
    return known == 1;
}

/* Of which 7 tenths are to learn from: windows of so many rows. */
static const char *series(int window_rows) {
    const int n_rows = (N_WINDOWS + window_rows - 1) * 10 / 7 + 1;
    const char *path = in_dir(pml_test_path("series-%d.csv", n_rows));
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fprintf(file, "date,a,b,c\n");
    for (int i = 0; i < n_rows; i++) {
        const double t = i, noise = sin(t * t * 0.37);
        (void)fprintf(file, "2020-01-%02d %02d:00:00,%.5f,%.5f,%.5f\n", 1 + i / 24, i % 24, sin(t / 5) + 0.3 * noise,
                      3 * cos(t / 7) - 0.3 * noise, 0.01 * t + 0.2 * sin(t * 1.7));
    }
    CU_ASSERT_EQUAL(fclose(file), 0);
    return path;
}

static const char *model(const char *golden) {
    const char *path = in_dir(pml_test_path("%s.pml", strrchr(golden, '/') + 1));
    if (access(path, F_OK) != 0) {
        CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL, "'%s/pml-convert' '%s' -o '%s' -q", pml_test_binary_dir(),
                                               pml_test_golden(golden), path),
                              0);
    }
    return path;
}

/* The arguments of a run whose batches have 16 samples on all ranks together. */
static const char *arguments(const char *golden, unsigned n_ranks, const char *folder, const char *more) {
    return pml_test_path("'%s/pml-run' train '%s' --data '%s' -o '%s' --seed 1 --epochs %d --batch-size %u -t 1 "
                         "--optimizer sgd:lr=0.02,momentum=0.9 --clip-norm 1 --every log=1,eval=7,save=4 --keep 99 "
                         "--progress none %s",
                         pml_test_binary_dir(), model(golden),
                         series(strncmp(golden, "dlinear", 7) == 0 ? 19 + 7 : 48 + 8), folder, N_EPOCHS, 16 / n_ranks,
                         more);
}

static int train(char **output, const char *golden, unsigned n_ranks, const char *folder, const char *more) {
    const char *launcher = n_ranks == 1 ? "" : pml_test_path("mpirun -n %u", n_ranks);
    return pml_test_command(output, "%s %s", launcher, arguments(golden, n_ranks, folder, more));
}

/* The losses of all steps, from log.csv. */
static size_t read_losses(const char *folder, double *losses, double *evaluation) {
    char line[512];
    size_t n = 0;
    FILE *file = fopen(pml_test_path("%s/log.csv", folder), "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file) != NULL && n < STEPS) {
        double step, epoch;
        const char *last = strrchr(line, ',');
        if (sscanf(line, "%lf,%lf,%lf", &step, &epoch, &losses[n]) == 3) {
            n++;
        } else if (sscanf(line, "%lf,%lf,,", &step, &epoch) == 2) {
            *evaluation = strtod(last + 1, NULL);
        }
    }
    (void)fclose(file);
    return n;
}

static pml_file *open_file(const char *path) {
    pml_error error = {0};
    pml_file *file = NULL;
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    return file;
}

/* The greatest distance of a value, relative to its tensor's largest, or to 0.01 where all are smaller. */
static double distance(const char *one, const char *other) {
    double most = 0;
    pml_file *a = open_file(one), *b = open_file(other);
    CU_ASSERT_EQUAL(pml_file_n_tensors(a), pml_file_n_tensors(b));
    for (size_t i = 0; i < pml_file_n_tensors(a); i++) {
        const pml_file_tensor *from = pml_file_tensor_at(a, i), *to = pml_file_tensor_find(b, from->name);
        pml_buffer buffers[2];
        pml_tensor tensors[2];
        pml_error error = {0};
        CU_ASSERT_PTR_NOT_NULL_FATAL(to);
        PML_ASSERT_OK(pml_tensor_view_file(a, from, &buffers[0], &tensors[0], &error), &error);
        PML_ASSERT_OK(pml_tensor_view_file(b, to, &buffers[1], &tensors[1], &error), &error);
        const size_t n = pml_tensor_count(&tensors[0]);
        const float *x = pml_tensor_f32_const(&tensors[0]), *y = pml_tensor_f32_const(&tensors[1]);
        double largest = 1e-2, apart = 0;
        for (size_t k = 0; k < n; k++) {
            largest = fmax(largest, fabs((double)x[k]));
            apart = fmax(apart, fabs((double)x[k] - (double)y[k]));
        }
        most = fmax(most, apart / largest);
    }
    pml_file_close(a);
    pml_file_close(b);
    return most;
}

/* 2 and 4 ranks against one. */
static void compare(const char *golden, const char *more) {
    double alone[STEPS], shared[STEPS], alone_evaluation = 0, evaluation = 0;
    const char *name = strrchr(golden, '/') + 1;
    const char *one = in_dir(pml_test_path("%s-1", name));
    CU_ASSERT_EQUAL_FATAL(train(NULL, golden, 1, one, ""), 0);
    CU_ASSERT_EQUAL_FATAL(read_losses(one, alone, &alone_evaluation), STEPS);
    for (unsigned n_ranks = 2; n_ranks <= 4; n_ranks += 2) {
        char *output = NULL;
        const char *many = in_dir(pml_test_path("%s-%u", name, n_ranks));
        const int code = train(&output, golden, n_ranks, many, more);
        if (code != 0) {
            (void)fprintf(stderr, "%s\n", output);
        }
        free(output);
        CU_ASSERT_EQUAL_FATAL(code, 0);
        CU_ASSERT_EQUAL_FATAL(read_losses(many, shared, &evaluation), STEPS);
        double apart = 0;
        for (size_t i = 0; i < STEPS; i++) {
            apart = fmax(apart, fabs(shared[i] - alone[i]) / fabs(alone[i]));
        }
        const char *files[] = {"model.pml", pml_test_path("checkpoint-%d.pml", STEPS)};
        double weights = 0;
        for (size_t i = 0; i < 2; i++) {
            weights =
                fmax(weights, distance(pml_test_path("%s/%s", one, files[i]), pml_test_path("%s/%s", many, files[i])));
        }
        (void)printf("%s, %u ranks: losses apart by %.1e, evaluation %.1e, weights %.1e\n", name, n_ranks, apart,
                     fabs(evaluation - alone_evaluation) / alone_evaluation, weights);
        CU_ASSERT(apart <= LOSS_BOUND);
        CU_ASSERT(fabs(evaluation - alone_evaluation) <= LOSS_BOUND * alone_evaluation);
        CU_ASSERT(weights <= WEIGHT_BOUND);
    }
}

static void shares_of_a_batch_of_a_linear_model_are_the_batch(void) {
    if (has_mpi()) {
        compare("dlinear/neuralforecast", "");
    }
}

static void layer_norms_are_of_each_sample(void) {
    if (has_mpi()) {
        compare("patchtst/hf-ci-postnorm-layernorm", "");
    }
}

static void batch_norms_are_of_all_ranks_where_that_is_asked_for(void) {
    if (has_mpi()) {
        compare("patchtst/hf-ci-prediction", "--sync-batchnorm");
    }
}

/* The check above can fail: statistics of each rank's own share are others. */
static void batch_norms_are_of_one_rank_otherwise(void) {
    double alone[STEPS], shared[STEPS], evaluation;
    const char *golden = "patchtst/hf-ci-prediction";
    if (has_mpi()) {
        CU_ASSERT_EQUAL_FATAL(train(NULL, golden, 1, in_dir("own-1"), "--steps 2"), 0);
        CU_ASSERT_EQUAL_FATAL(train(NULL, golden, 2, in_dir("own-2"), "--steps 2"), 0);
        CU_ASSERT_EQUAL(read_losses(in_dir("own-1"), alone, &evaluation), 2);
        CU_ASSERT_EQUAL(read_losses(in_dir("own-2"), shared, &evaluation), 2);
        CU_ASSERT(fabs(shared[1] - alone[1]) > 10 * LOSS_BOUND * alone[1]);
    }
}

/* Masked tokens: how many labels count differs from rank to rank, and in one batch of three texts a rank has none. */
static void a_mean_over_labels_weighs_each_rank_by_its_labels(void) {
    double alone[STEPS], shared[STEPS], evaluation;
    const char *golden = pml_test_golden("bert/kjv-cls");
    const char *text = in_dir("text.txt"), *tokenizer = in_dir("tokenizer.pml");
    if (!has_mpi()) {
        return;
    }
    if (golden == NULL) {
        pml_test_skip("no golden data");
        return;
    }
    FILE *file = fopen(text, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (int i = 0; i < 11; i++) {
        (void)fprintf(file, "and in the %d days of the king%s the waters were upon the earth\n", i,
                      i % 3 == 0 ? ", who was a righteous man and whose sons were four," : "");
    }
    CU_ASSERT_EQUAL(fclose(file), 0);
    CU_ASSERT_EQUAL_FATAL(
        pml_test_command(NULL, "'%s/pml-convert' '%s' -o '%s' -q", pml_test_binary_dir(), golden, tokenizer), 0);
    for (unsigned n_ranks = 1; n_ranks <= 4; n_ranks *= 2) {
        const char *folder = in_dir(pml_test_path("labels-%u", n_ranks));
        CU_ASSERT_EQUAL_FATAL(
            pml_test_command(
                NULL,
                "%s '%s/pml-run' train --new bert --tokenizer '%s' --set hidden_dropout=0 --set attention_dropout=0 "
                "--set num_hidden_layers=1 --set d_model=16 --set num_attention_heads=2 --set ffn_dim=16 --data '%s' "
                "--by-line -o '%s' --seed 1 --steps 4 --batch-size %u -t 1 --every log=1 --optimizer sgd:lr=0.1 -q",
                n_ranks == 1 ? "" : pml_test_path("mpirun -n %u", n_ranks), pml_test_binary_dir(), tokenizer, text,
                folder, 8 / n_ranks),
            0);
        CU_ASSERT_EQUAL(read_losses(folder, n_ranks == 1 ? alone : shared, &evaluation), 4);
        for (size_t i = 0; n_ranks > 1 && i < 4; i++) {
            CU_ASSERT(fabs(shared[i] - alone[i]) <= LOSS_BOUND * alone[i]);
        }
    }
}

/* The state that rank 0 reads goes to all. */
static void a_resumed_run_has_the_same_bits(void) {
    const char *golden = "patchtst/hf-ci-prediction", *whole = in_dir("whole"), *cut = in_dir("cut");
    if (!has_mpi()) {
        return;
    }
    CU_ASSERT_EQUAL_FATAL(train(NULL, golden, 2, whole, "--sync-batchnorm"), 0);
    CU_ASSERT_EQUAL_FATAL(
        pml_test_command(NULL, "mkdir '%s' && cp '%s/checkpoint-8.pml' '%s'/best.pml '%s'", cut, whole, whole, cut), 0);
    CU_ASSERT_EQUAL_FATAL(train(NULL, golden, 2, cut, "--sync-batchnorm --resume"), 0);
    const char *last = pml_test_path("checkpoint-%d.pml", STEPS);
    CU_ASSERT_EQUAL(distance(pml_test_path("%s/%s", whole, last), pml_test_path("%s/%s", cut, last)), 0);
}

static size_t count(const char *text, const char *part) {
    size_t n = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        n++;
    }
    return n;
}

static void one_rank_that_fails_ends_all(void) {
    char *output = NULL;
    const char *golden = "dlinear/neuralforecast";
    if (!has_mpi()) {
        return;
    }
    const char *good = arguments(golden, 2, in_dir("fails"), "");
    const char *bad = pml_test_path("%s --loss nonsense", good);
    CU_ASSERT_EQUAL(pml_test_command(&output, "mpirun -n 1 %s : -n 1 %s", good, bad), 66);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "pml-train: error: rank 1: "));
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "mpirun -n 4 %s", bad), 66); /* all fail alike, one says so */
    CU_ASSERT_EQUAL(count(output, "error: "), 1);
    CU_ASSERT_PTR_NULL(strstr(output, "rank 1: "));
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "mpirun -n 1 %s : -n 1 %s --drop-last --loss l1", good, good), 1);
    CU_ASSERT_EQUAL(count(output, "rank 1 has other model, data or options than rank 0"), 1);
    free(output);
}

static void only_rank_0_speaks(void) {
    char *output = NULL;
    if (has_mpi()) {
        CU_ASSERT_EQUAL(train(&output, "dlinear/neuralforecast", 4, in_dir("speaks"), "--steps 3 --json"), 0);
        CU_ASSERT_EQUAL(count(output, "\"train_loss\""), 1);
        free(output);
    }
}

/* SIGINT to mpirun: it asks the ranks to end, which they do behind the same step. */
static void an_interrupted_run_leaves_a_checkpoint_to_go_on_from(void) {
    const char *golden = "dlinear/neuralforecast", *folder = in_dir("interrupted");
    char *argv[] = {"/bin/sh", "-c", NULL, NULL};
    pid_t pid;
    int wait_status = 0;
    if (!has_mpi()) {
        return;
    }
    const char *run = arguments(golden, 2, folder, "--every log=1000,eval=100000000,save=100000000");
    argv[2] = (char *)(uintptr_t)pml_test_path(
        "exec mpirun --mca odls_base_sigkill_timeout 6 -n 2 %s --epochs 10000000 >'%s' 2>&1", run, in_dir("int.log"));
    CU_ASSERT_EQUAL_FATAL(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), 0);
    const struct timespec nap = {0, 50000000};
    const char *log = pml_test_path("%s/log.csv", folder);
    for (int i = 0; i < 2000 && pml_test_command(NULL, "test -s '%s'", log) != 0; i++) {
        (void)nanosleep(&nap, NULL);
    }
    (void)kill(pid, SIGINT);
    CU_ASSERT_EQUAL(waitpid(pid, &wait_status, 0), pid);
    CU_ASSERT(!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "test -f '%s'/checkpoint-*.pml", folder), 0);
    CU_ASSERT_NOT_EQUAL(access(pml_test_path("%s/model.pml", folder), F_OK), 0);
}

PML_TESTS("runtime/mpi/train_ranks", PML_TEST(shares_of_a_batch_of_a_linear_model_are_the_batch),
          PML_TEST(layer_norms_are_of_each_sample), PML_TEST(batch_norms_are_of_all_ranks_where_that_is_asked_for),
          PML_TEST(batch_norms_are_of_one_rank_otherwise), PML_TEST(a_mean_over_labels_weighs_each_rank_by_its_labels),
          PML_TEST(a_resumed_run_has_the_same_bits), PML_TEST(one_rank_that_fails_ends_all),
          PML_TEST(only_rank_0_speaks), PML_TEST(an_interrupted_run_leaves_a_checkpoint_to_go_on_from))
