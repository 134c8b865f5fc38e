#include "tests/runtime/train/train_case.h"

static void trained_models_run_as_they_were_trained(void) {
    train_case c;
    open_case(&c, "patchtst", patchtst_settings, NULL, &(pml_trainer_options){.optimizer = "adam:lr=0.01"});
    for (int k = 0; k < 5; k++) {
        (void)one_step(&c);
    }
    const char *path = pml_test_path("%s/trained.pml", pml_test_temporary_dir());
    pml_metadata *extra = NULL;
    pml_file *file = NULL;
    pml_model *model = NULL;
    const double mean = 3;
    PML_ASSERT_OK(pml_metadata_create(&extra, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64s(extra, "series.mean", &mean, 1, &error), &error);
    PML_ASSERT_OK(pml_trained_model_write(c.model, extra, path, &error), &error);
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    PML_ASSERT_OK(pml_file_verify(file, &error), &error);
    CU_ASSERT_PTR_NOT_NULL(pml_metadata_find(pml_file_metadata(file), "series.mean"));
    PML_ASSERT_OK(pml_model_create(file, "cpu", &model, &error), &error);
    const pml_array input = {"past_values", c.values[0], 3, {TRAIN_N, TRAIN_T, TRAIN_C}};
    pml_model_training_set(c.model, false);
    PML_ASSERT_OK(pml_model_run(c.model, &input, 1, &error), &error);
    PML_ASSERT_OK(pml_model_run(model, &input, 1, &error), &error);
    CU_ASSERT_EQUAL(memcmp(pml_model_output(c.model, "prediction_outputs")->data,
                           pml_model_output(model, "prediction_outputs")->data,
                           TRAIN_N * TRAIN_S * TRAIN_C * sizeof(float)),
                    0);
    pml_model_destroy(model);
    pml_file_close(file);
    pml_metadata_destroy(extra);
    pml_model_parameter_at(c.model, 0)->values[0] = NAN;
    PML_ASSERT_FAILS(pml_trained_model_write(c.model, NULL, path, &error), PML_E_NUMERIC, &error, "is not finite");
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error); /* the older one is still there */
    pml_file_close(file);
    close_case(&c, true);
}

static void checkpoints_hold_everything(void) {
    const pml_trainer_options options = {.optimizer = "adamw:lr=0.01"};
    train_case c, again;
    open_case(&c, "patchtst", patchtst_settings, NULL, &options);
    for (int k = 0; k < 3; k++) {
        (void)one_step(&c);
    }
    const char *path = pml_test_path("%s/checkpoint.pml", pml_test_temporary_dir());
    const pml_run_point point = {.n_steps = 3,
                                 .position = pml_loader_tell(c.train),
                                 .has_best = true,
                                 .best_loss = 0.1,
                                 .best_step = 2,
                                 .n_bad_evaluations = 5,
                                 .evaluated_step = 6,
                                 .n_logged = 4,
                                 .logged_loss = 0.2,
                                 .first_loss = 0.3};
    pml_run_point found = {0};
    PML_ASSERT_OK(pml_checkpoint_write(c.trainer, &point, "seed 1", path, &error), &error);
    open_case(&again, NULL, NULL, c.file, &options);
    PML_ASSERT_OK(pml_checkpoint_read(again.trainer, path, "seed 1", &found, &error), &error);
    CU_ASSERT_TRUE(found.n_steps == 3 && found.has_best && found.best_loss == 0.1 && found.best_step == 2 &&
                   found.n_logged == 4 && found.position.i_draw == point.position.i_draw &&
                   found.position.epoch == point.position.epoch);
    CU_ASSERT_TRUE(found.n_bad_evaluations == 5 && found.evaluated_step == 6 && found.logged_loss == 0.2 &&
                   found.first_loss == 0.3);
    PML_ASSERT_OK(pml_loader_seek(again.train, found.position, &error), &error);
    for (int k = 0; k < 4; k++) {
        CU_ASSERT_EQUAL(one_step(&c), one_step(&again));
    }
    for (size_t i = 0; i < pml_model_n_parameters(c.model); i++) {
        const pml_parameter *a = pml_model_parameter_at(c.model, i), *b = pml_model_parameter_at(again.model, i);
        CU_ASSERT_EQUAL(memcmp(a->values, b->values, a->count * sizeof *a->values), 0);
    }
    PML_ASSERT_FAILS(pml_checkpoint_read(again.trainer, path, "seed 2", &found, &error), PML_E_MISMATCH, &error,
                     "other options: seed 1; now seed 2");
    close_case(&again, false);

    train_case other;
    open_case(&other, "dlinear", dlinear_settings, NULL, &options);
    PML_ASSERT_FAILS(pml_checkpoint_read(other.trainer, path, "seed 1", &found, &error), PML_E_MISMATCH, &error,
                     "another model");
    close_case(&other, true);
    open_case(&other, NULL, NULL, c.file, &(pml_trainer_options){.optimizer = "sgd:lr=0.1"});
    PML_ASSERT_FAILS(pml_checkpoint_read(other.trainer, path, "seed 1", &found, &error), PML_E_FORMAT, &error,
                     "tensors, of which this run has");
    PML_ASSERT_FAILS(pml_checkpoint_read(other.trainer, pml_file_path(c.file), "seed 1", &found, &error),
                     PML_E_MISMATCH, &error, "not of kind checkpoint");
    close_case(&other, false);

    pml_model *model = NULL; /* nor is a checkpoint a model */
    pml_file *file = NULL;
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    PML_ASSERT_FAILS(pml_model_create(file, NULL, &model, &error), PML_E_UNSUPPORTED, &error, "kind model");
    pml_file_close(file);
    close_case(&c, true);
}

PML_TESTS("runtime/train/save", PML_TEST(trained_models_run_as_they_were_trained),
          PML_TEST(checkpoints_hold_everything))
