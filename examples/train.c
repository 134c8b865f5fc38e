/* Trains a model on a CSV series: train MODEL.pml SERIES.csv OUT.pml */
#include <pml/pml.h>
#include <stdio.h>

int main(int argc, char **argv) {
    pml_error error = {0};
    pml_training_session *training = NULL;
    double loss = 0;
    bool more;
    if (argc != 4) {
        (void)fprintf(stderr, "usage: train MODEL.pml SERIES.csv OUT.pml\n");
        return 2;
    }
    const pml_training_options options = {
        .model = argv[1], .data = argv[2], .optimizer = "adam:lr=0.001", .schedule = "cosine", .n_epochs = 3};
    pml_status status = pml_training_create(&options, &training, &error);
    for (size_t epoch = 0; status == PML_OK && epoch < options.n_epochs; epoch++) {
        while ((status = pml_training_next(training, &more, &error)) == PML_OK && more) {
            if ((status = pml_training_loss(training, &loss, &error)) != PML_OK ||
                (status = pml_backward(training, &error)) != PML_OK) {
                break;
            }
            (void)pml_clip_grad_norm(training, 1.0);
            if ((status = pml_training_step(training, &error)) != PML_OK) {
                break;
            }
            pml_scheduler_step(training);
        }
        if (status == PML_OK && (status = pml_training_evaluate(training, &loss, &error)) == PML_OK) {
            (void)printf("epoch %zu: validation loss %.4f\n", epoch + 1, loss);
        }
    }
    status = status == PML_OK ? pml_training_save_model(training, argv[3], &error) : status;
    pml_training_destroy(training);
    if (status != PML_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
    }
    return status == PML_OK ? 0 : 1;
}
