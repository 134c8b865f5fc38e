/* Quantiles of distributions. Normal and Student's t invert their upper tail by Newton's method on the logarithms of
 * tail and argument, where heavy and light tails alike are nearly straight or bend one way, kept in a bracket. */
#include "runtime/models/quantiles.h"

#include <float.h>
#include <math.h>

#define MAX_FRACTION_TERMS 2000000 /* convergence takes about the square root of the greater parameter */
#define MAX_STEPS 200              /* of a search in doubles */
#define LARGE_DF 1e4               /* from here on an expansion in 1 / df is more exact than differences of lgamma */
#define MAX_COUNT 1e9
#define MAX_ARGUMENT 1e150 /* squares stay finite */

static const double root_2 = 1.41421356237309504880, root_2_pi = 2.50662827463100050242, pi = 3.14159265358979323846;

static double away_from_zero(double value) {
    return fabs(value) < DBL_MIN ? DBL_MIN : value;
}

/* The continued fraction of the incomplete beta function (DLMF 8.17.22) by Lentz's method; converges fast for x below
 * (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x) {
    double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), result = d;
    for (double m = 1; m < MAX_FRACTION_TERMS; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / away_from_zero(1 + even * d);
        c = away_from_zero(1 + even / c);
        result *= c * d;
        d = 1 / away_from_zero(1 + odd * d);
        c = away_from_zero(1 + odd / c);
        result *= c * d;
        if (fabs(c * d - 1) < DBL_EPSILON) {
            break;
        }
    }
    return result;
}

/* I_x(a, b), the regularized incomplete beta function; y = 1 - x, given apart so that neither loses digits. */
static double beta_share(double a, double b, double x, double y) {
    if (x <= 0 || y <= 0) {
        return x <= 0 ? 0 : 1;
    }
    const double factor = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y));
    return x < (a + 1) / (a + b + 2) ? factor * beta_fraction(a, b, x) / a : 1 - factor * beta_fraction(b, a, y) / b;
}

/* P(X > x) for x >= 0 and the density there; df 0: normal. */
static double upper_tail(double df, double x, double *density) {
    if (df == 0) {
        *density = exp(-x * x / 2) / root_2_pi;
        return erfc(x / root_2) / 2;
    }
    const double square = x * x / df;
    *density = exp(lgamma((df + 1) / 2) - lgamma(df / 2) - (df + 1) / 2 * log1p(square)) / sqrt(df * pi);
    return beta_share(df / 2, 0.5, 1 / (1 + square), 1 / (1 + 1 / square)) / 2;
}

/* The x >= 0 with P(X > x) = tail, 0 < tail < 1/2. Infinite from 1e150 on. */
static double invert_tail(double df, double tail) {
    double low = 0, high = 1, density;
    while (upper_tail(df, high, &density) > tail && high < MAX_ARGUMENT) {
        low = high;
        high *= 2;
    }
    double x = high;
    for (int i = 0; i < MAX_STEPS; i++) {
        const double reached = upper_tail(df, x, &density);
        if (reached > tail) {
            low = x;
        } else {
            high = x;
        }
        double next = x * exp((log(reached) - log(tail)) * reached / (density * x));
        if (!(next >= low && next <= high)) {
            next = low + (high - low) / 2;
        }
        if (fabs(next - x) <= 2 * DBL_EPSILON * x) {
            x = next;
            break;
        }
        x = next;
    }
    return x < MAX_ARGUMENT ? x : (double)INFINITY;
}

static double symmetric_quantile(double df, double level) {
    return level == 0.5 ? 0 : level < 0.5 ? -invert_tail(df, level) : invert_tail(df, 1 - level);
}

double pml_normal_quantile(double level) {
    return symmetric_quantile(0, level);
}

double pml_student_t_quantile(double level, double df) {
    if (df < LARGE_DF) {
        return symmetric_quantile(df, level);
    }
    const double z = pml_normal_quantile(level), square = z * z;
    return z + z * (square + 1) / (4 * df) + z * ((5 * square + 16) * square + 3) / (96 * df * df);
}

double pml_negative_binomial_quantile(double level, double count, double log_odds) {
    const double mean = count * exp(log_odds), failure = 1 / (1 + exp(log_odds)), success = 1 / (1 + exp(-log_odds));
    if (count == 0) {
        return 0;
    }
    if (!(count <= MAX_COUNT && mean <= MAX_COUNT)) {
        return (double)INFINITY;
    }
    double low = -1, high = ceil(mean); /* P(X <= low) < level <= P(X <= high) */
    while (beta_share(count, high + 1, failure, success) < level) {
        low = high;
        high = 2 * high + 1;
        if (high > 4 * MAX_COUNT) {
            return (double)INFINITY;
        }
    }
    while (high - low > 1) {
        const double middle = floor((low + high) / 2);
        if (beta_share(count, middle + 1, failure, success) < level) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high <= MAX_COUNT ? high : (double)INFINITY;
}
