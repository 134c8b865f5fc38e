/* Scores taken as they are computed make the loss and the gradients that kept ones make. */
#include <stdlib.h>

#include "runtime/train/trainer.h"
#include "tests/runtime/models/series_model.h"

enum { N_SAMPLES = 2, N_TOKENS = 5 };
static const float ids[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3};
static const float mask[] = {1, 1, 1, 1, 1, 1, 1, 1, 0, 0};
static const char *const bert_settings[] = {"vocab_size=11",
                                            "max_positions=8",
                                            "type_vocab_size=2",
                                            "num_hidden_layers=2",
                                            "d_model=12",
                                            "num_attention_heads=3",
                                            "ffn_dim=20",
                                            "norm_eps=1e-5",
                                            "activation=gelu",
                                            "pooling=none",
                                            "normalize=false",
                                            "num_labels=3",
                                            "head=masked_lm",
                                            "has_pooler=false",
                                            "tied_decoder=true",
                                            "hidden_dropout=0.2",
                                            "attention_dropout=0.3",
                                            NULL};
static const char *const gpt2_settings[] = {"vocab_size=11",         "max_positions=8",
                                            "num_hidden_layers=2",   "d_model=12",
                                            "num_attention_heads=3", "ffn_dim=20",
                                            "norm_eps=1e-5",         "activation=gelu_tanh",
                                            "has_bias=true",         "scale_scores=true",
                                            "scale_by_layer=false",  "tied_head=true",
                                            "num_labels=2",          "head=language_model",
                                            "embedding_dropout=0.1", "attention_dropout=0.3",
                                            "hidden_dropout=0.2",    NULL};

typedef struct text_case {
    pml_file *file;
    pml_model *model;
    pml_trainer *trainer;
    pml_batch_field fields[3];
    pml_batch batch;
} text_case;

/* Labels without the shape of the tokens are compared with kept scores. */
static void open_case(text_case *c, const char *family, const char *const *settings, const char *loss,
                      const int64_t *labels, bool is_taken) {
    pml_metadata *metadata = series_metadata(family, settings);
    *c = (text_case){.file = series_file(metadata, family),
                     .fields = {{"input_ids", PML_DTYPE_F32, ids, 2, {N_SAMPLES, N_TOKENS}},
                                {"attention_mask", PML_DTYPE_F32, mask, 2, {N_SAMPLES, N_TOKENS}},
                                {"labels", PML_DTYPE_I64, labels, 2, {N_SAMPLES, N_TOKENS}}}};
    if (!is_taken) {
        c->fields[2].rank = 1;
        c->fields[2].shape[0] = N_SAMPLES * N_TOKENS;
    }
    c->batch = (pml_batch){.n_all = N_SAMPLES, .n_samples = N_SAMPLES, .n_fields = 3, .fields = c->fields};
    pml_metadata_destroy(metadata);
    const pml_trainable_options options = {.backend = "cpu", .seed = 3};
    PML_ASSERT_OK(pml_model_create_trainable(c->file, &options, &c->model, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c->model);
    PML_ASSERT_OK(pml_trainer_create(c->model, &(pml_trainer_options){.loss = loss}, &c->trainer, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c->trainer);
}

static void close_case(text_case *c) {
    pml_trainer_destroy(c->trainer);
    pml_model_destroy(c->model);
    pml_file_close(c->file);
}

static double evaluate(text_case *c) {
    double loss = 0;
    pml_objective *objective = &c->trainer->objective;
    pml_model_training_set(c->model, false);
    PML_ASSERT_OK(pml_objective_run(objective, c->model, &c->batch, &error), &error);
    PML_ASSERT_OK(pml_objective_loss(objective, c->model, &c->batch, 0.5, false, &loss, &error), &error);
    CU_ASSERT_EQUAL(pml_model_output(c->model, "logits")->data == NULL, objective->taker.is_used);
    return loss;
}

static double count_gradients(const text_case *a, const text_case *b) {
    double most = 0;
    for (size_t i = 0; i < pml_model_n_parameters(a->model); i++) {
        const pml_parameter *p = pml_model_parameter_at(a->model, i), *q = pml_model_parameter_at(b->model, i);
        for (size_t k = 0; k < p->count && p->gradient != NULL; k++) {
            most = fmax(most, fabs((double)p->gradient[k]));
            if (fabs((double)p->gradient[k] - (double)q->gradient[k]) > 1e-5) {
                (void)printf("    %s[%zu]: %.9g, kept %.9g\n", p->name, k, (double)p->gradient[k],
                             (double)q->gradient[k]);
                CU_FAIL("gradient");
                break;
            }
        }
    }
    return most;
}

static void check(const char *family, const char *const *settings, const char *loss, const int64_t *labels,
                  bool is_something) {
    text_case taken, kept;
    open_case(&taken, family, settings, loss, labels, true);
    open_case(&kept, family, settings, loss, labels, false);
    CU_ASSERT_DOUBLE_EQUAL(evaluate(&taken), evaluate(&kept), 1e-6);
    PML_ASSERT_OK(pml_trainer_add(taken.trainer, &taken.batch, &error), &error);
    PML_ASSERT_OK(pml_trainer_add(kept.trainer, &kept.batch, &error), &error);
    CU_ASSERT_TRUE(taken.trainer->objective.taker.is_used);
    CU_ASSERT_FALSE(kept.trainer->objective.taker.is_used);
    CU_ASSERT_DOUBLE_EQUAL(taken.trainer->loss, kept.trainer->loss, 1e-6);
    CU_ASSERT_EQUAL(taken.trainer->loss > 0, is_something);
    CU_ASSERT_EQUAL(count_gradients(&taken, &kept) > 1e-3, is_something);
    close_case(&taken);
    close_case(&kept);
}

static void losses_and_gradients_are_those_of_kept_scores(void) {
    static const int64_t all[] = {1, 4, 1, 5, 10, 2, 6, 5, -100, -100};
    static const int64_t few[] = {-100, 4, -100, -100, 0, -100, -100, 5, -100, -100};
    static const int64_t none[] = {-100, -100, -100, -100, -100, -100, -100, -100, -100, -100};
    static const int64_t *const labels[] = {all, few, none};
    for (size_t i = 0; i < 3; i++) {
        check("bert", bert_settings, "cross_entropy", labels[i], i < 2);
        check("gpt2", gpt2_settings, "cross_entropy:label_smoothing=0.1", labels[i], i < 2);
    }
}

static void labels_out_of_range_are_refused(void) {
    static const int64_t labels[] = {-100, 4, -100, -100, 0, -100, 11, 5, -100, -100};
    text_case c;
    open_case(&c, "gpt2", gpt2_settings, NULL, labels, true);
    PML_ASSERT_FAILS(pml_trainer_add(c.trainer, &c.batch, &error), PML_E_ARGUMENT, &error,
                     "target 6 is class 11 of 11");
    close_case(&c);
}

PML_TESTS("runtime/train/taken_loss", PML_TEST(losses_and_gradients_are_those_of_kept_scores),
          PML_TEST(labels_out_of_range_are_refused))
