#include "runtime/tune/truncated_normal.h"

#include <math.h>

#define LOG_SQRT_2PI 0.91893853320467274178
#define TAIL (-20.0) /* below, the complementary error function nears its least number */

/* Far out the tail is density / |x| times an asymptotic series in 1 / x^2 (Abramowitz and Stegun 26.2.12), whose terms
 * alternate in sign; at 20 twelve of them reach double precision. */
static double log_tail(double x) {
    const double inverse = 1 / (x * x);
    double sum = 1, term = 1;
    for (int k = 1; k <= 12; k++) {
        term *= -(2 * k - 1) * inverse;
        sum += term;
    }
    return -x * x / 2 - LOG_SQRT_2PI - log(-x) + log(sum);
}

double pml_normal_log_below(double x) {
    if (x < TAIL) {
        return log_tail(x);
    }
    return x < 5 ? log(erfc(-x * M_SQRT1_2) / 2) : log1p(-erfc(x * M_SQRT1_2) / 2);
}

double pml_normal_log_mass(double a, double b) {
    if (a > 0) { /* the same on the other side, where logarithms keep their precision */
        const double mirrored = -a;
        a = -b;
        b = mirrored;
    }
    if (b <= 0) {
        const double above = pml_normal_log_below(b);
        return above + log1p(-exp(pml_normal_log_below(a) - above));
    }
    return log1p(-(erfc(-a * M_SQRT1_2) + erfc(b * M_SQRT1_2)) / 2);
}

double pml_normal_log_density(double x) {
    return -x * x / 2 - LOG_SQRT_2PI;
}

static double log_add(double p, double q) {
    const double most = fmax(p, q);
    return most == -INFINITY ? most : most + log1p(exp(-fabs(p - q)));
}

/* Newton's method on the logarithm of the probability, which is concave and so approached from one side; bisection
 * where a step would leave what is known to hold the point. */
double pml_normal_truncated_quantile(double q, double a, double b) {
    if (a >= 0) {
        return -pml_normal_truncated_quantile(1 - q, -b, -a);
    }
    const double goal = log_add(pml_normal_log_below(a), log(q) + pml_normal_log_mass(a, b));
    double low = a, high = b, x = fmin(fmax(0, a), b);
    for (int i = 0; i < 100; i++) {
        const double log_below = pml_normal_log_below(x);
        const double miss = log_below - goal;
        if (miss > 0) {
            high = x;
        } else {
            low = x;
        }
        double next = x - miss * exp(log_below - pml_normal_log_density(x));
        if (!(next > low && next < high)) {
            next = low + (high - low) / 2;
        }
        if (fabs(next - x) <= 1e-12 * fmax(1, fabs(x))) {
            x = next;
            break;
        }
        x = next;
    }
    return fmin(fmax(x, a), b);
}
