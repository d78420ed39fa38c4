"""Scores of curves by their papers' formulas, for comparison with ours: one JSON array of curves in, one of scores out."""
import json
import math
import sys

import numpy as np


def student_tail(t, df):
    """P(T > t), by Simpson's rule over the angle whose tangent is t/sqrt(df)."""
    angle = np.linspace(math.atan(t / math.sqrt(df)), math.pi / 2, 20001)
    weights = np.ones(20001)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    area = (np.cos(angle) ** (df - 1) * weights).sum() * (angle[1] - angle[0]) / 3
    return area * math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(math.pi)


def trend(epochs, loss):
    keep = np.isfinite(loss)
    x, y = epochs[keep], loss[keep]
    x, y = x[len(x) // 2:], y[len(y) // 2:]
    m = len(x)
    if m < 6:
        return math.nan, math.nan, math.nan
    design = np.stack([np.ones(m), x], axis=1)
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    e = y - design @ coefficients
    bread = np.linalg.inv(design.T @ design)
    ols = e @ e / (m - 2) * bread
    g = design * e[:, None]
    meat = g.T @ g
    for lag in (1, 2, 3):
        s = g[lag:].T @ g[:-lag]
        meat += (1 - lag / 4) * (s + s.T)
    hac = bread @ meat @ bread * m / (m - 2)
    least = np.mean(y**2) * 2.0**-48 * bread[1, 1]
    se = math.sqrt(max(ols[1, 1], hac[1, 1], least))
    return coefficients[1], se, student_tail(coefficients[1] / se, m - 2) if se > 0 else 0.5


def average(values):
    values = values[np.isfinite(values)]
    return float(np.mean(values)) if len(values) else math.nan


def scores(c):
    epochs, correct = np.array(c["epochs"]), np.array(c["correct"], dtype=bool)
    loss, margin, p, el2n, norm = (np.array([float(v) for v in c[k]]) for k in ("loss", "margin", "p_true", "el2n", "emb_norm"))
    early = epochs < 10
    learned = np.flatnonzero(correct)
    finite_p = p[np.isfinite(p)]
    windows = [np.std(finite_p[k:k + 10], ddof=1) for k in range(len(finite_p) - 9)]
    with np.errstate(invalid="ignore", over="ignore"):
        grand = el2n * norm
    slope, se, tail = trend(epochs.astype(float), loss)
    return {
        "events": int(np.sum(correct[:-1] & ~correct[1:])),
        "first_learned": int(epochs[learned[0]]) if len(learned) else -1,
        "confidence": average(p),
        "variability": float(np.std(finite_p)) if len(finite_p) else math.nan,
        "correctness": float(np.mean(correct)),
        "aum": average(margin),
        "mean_loss": average(loss),
        "el2n": average(el2n[early]),
        "grand": average(grand[early & (norm > 0)]),
        "dyn_unc": float(np.mean(windows)) if windows else math.nan,
        "trend_slope": slope, "trend_se": se, "trend_p": tail,
    }


json.dump([{k: v if isinstance(v, int) else repr(float(v)) for k, v in scores(c).items()} for c in json.load(sys.stdin)], sys.stdout)
