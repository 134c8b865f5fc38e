/* Convolutions of images, forwards and backwards: what convolve.c and convolve_backward.c share. Private to
 * runtime/ops.
 *
 * Neighbours of an image row lie side by side; then there is one product per row of taps, over the image rows that it
 * finds a neighbour for. */
#ifndef PML_RUNTIME_OPS_CONVOLVE_H
#define PML_RUNTIME_OPS_CONVOLVE_H

#include "runtime/ops/inception.h"
#include "runtime/ops/op.h"

typedef struct pml_images { /* x [B, H, W, in] and y [B, H, W, out] */
    size_t n_samples, height, width, n_in, n_out, taps;
} pml_images;
pml_images pml_images_of(const pml_tensor *x, const pml_tensor *w);

/* Which rows of one image tap row dy works on: rows source .. source + count - 1 of x, counted in positions, belong to
 * rows first .. of y. */
typedef struct pml_image_rows {
    size_t first, source, count;
} pml_image_rows;
pml_image_rows pml_image_rows_at(const pml_images *images, size_t dy);

/* Products with F32 matrices, image by image, side by side on threads. */
typedef struct pml_convolution {
    pml_images images;
    const float *x;
    pml_matmul_fn *matmul;
    const float *const *matrices; /* by dy: [taps * in, out], as `matmul` reads them */
    const float *bias, *residual; /* NULL: 0; the residual may be y */
    float *y;
    size_t n_shares; /* of pml_convolution_shares */
    float *wide;     /* scratch: pml_convolution_work(images) floats per share */
} pml_convolution;
size_t pml_convolution_shares(pml_context *context, const pml_images *images);
size_t pml_convolution_work(const pml_images *images);
void pml_convolution_run(pml_context *context, const pml_convolution *job);

pml_backward_fn pml_convolve_backward;

#endif
