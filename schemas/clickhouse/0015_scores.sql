-- What stages/analysis/score defines, out of folded blocks. Columns that nobody asks for cost nothing: arrays are read, and the
-- objects of a run compared with each other, for those alone that need it. Conditions on run_id reach the blocks. Array work stays out
-- of the arguments of if: whatever these are in is computed anew wherever it is used.
CREATE OR REPLACE VIEW scores AS
WITH
-- Blocks, put together in the order of epochs. SETTINGS optimize_aggregation_in_order = 1 of a query keeps its memory
-- small however many objects there are.
curves AS
(
    SELECT
        b.run_id AS run_id, b.sample_id AS sample_id, b.object_id AS object_id,
        any(b.dataset) AS dataset,
        argMax(b.class, b.block) AS class,
        sum(b.presentations) AS presentations,
        sum(b.not_finite) AS not_finite,
        sum(b.correct) AS correct,
        min(b.first_learned) AS first_learned,
        isNotNull(first_learned) AS learned,
        arraySort(groupArray((b.block, b.first_correct, b.last_correct))) AS ends,
        sum(b.events) + arrayCount((before, after) -> before.3 AND NOT after.2, arrayPopBack(ends), arrayPopFront(ends)) AS events,
        sum(b.p_count) AS p_count, sum(b.p_sum) AS p_sum, sum(b.p_squares) AS p_squares,
        sum(b.margin_count) AS margin_count, sum(b.margin_sum) AS margin_sum, sum(b.loss_sum) AS loss_sum,
        groupArrayArray(b.el2n) AS first_el2n, groupArrayArray(b.emb_norm) AS first_norms, groupArrayArrayIf(b.epochs, b.block = 0) AS first_epochs,
        arrayFlatten(arraySort(x -> x.1, groupArray((b.block, b.p_true))).2) AS ps,
        arrayFlatten(arraySort(x -> x.1, groupArray((b.block, b.losses))).2) AS losses,
        arrayFlatten(arraySort(x -> x.1, groupArray((b.block, b.epochs))).2) AS epochs
    FROM loss_blocks AS b FINAL
    WHERE b.presentations > 0
    GROUP BY b.run_id, b.sample_id, b.object_id
),
alone AS
(
    SELECT
        run_id, dataset, sample_id, object_id, class, presentations, not_finite,
        events AS forgetting_events,
        if(learned, events, presentations) AS forgetting,
        first_learned,
        (NOT learned)::Bool AS never_learned,
        (learned AND events = 0)::Bool AS unforgettable,
        p_sum / p_count AS confidence,
        sqrt(greatest(0, p_squares / p_count - confidence * confidence)) AS variability,
        correct / presentations AS correctness,
        margin_sum / margin_count AS aum,
        loss_sum / (presentations - not_finite) AS mean_loss,
        arrayFilter((x, epoch) -> epoch < 10 AND isFinite(x), first_el2n, first_epochs) AS early_el2n,
        arraySum(early_el2n) / length(early_el2n) AS el2n,
        arrayFilter((x, norm, epoch) -> epoch < 10 AND norm > 0 AND isFinite(x), arrayMap((x, norm) -> toFloat64(x) * norm, first_el2n, first_norms), first_norms, first_epochs) AS early_grand,
        arraySum(early_grand) / length(early_grand) AS grand,
        arrayMap(x -> toFloat64(x), arrayFilter(x -> isFinite(x), ps)) AS finite_ps,
        if(length(finite_ps) < 10, nan, arrayAvg(arrayReduceInRanges('stddevSamp', arrayMap(i -> (i, 10), range(1, length(finite_ps) - 8)), finite_ps))) AS dyn_unc,
        arrayFilter((epoch, loss) -> isFinite(loss), epochs, losses) AS finite_epochs,
        arrayFilter(x -> isFinite(x), losses) AS finite_losses,
        arraySlice(finite_epochs, intDiv(length(finite_epochs), 2) + 1) AS later_epochs,
        arraySlice(finite_losses, intDiv(length(finite_losses), 2) + 1) AS later_losses
    FROM curves
),
-- The line through the later losses, with the larger of the two standard errors of its slope.
lines AS
(
    SELECT
        *,
        length(later_losses) AS m,
        if(m < 6, nan, 0) AS too_few,
        arrayAvg(later_epochs) AS mean_epoch,
        arrayAvg(later_losses) AS mean_later,
        arrayMap(x -> x - mean_epoch, later_epochs) AS xs,
        arrayMap(x -> x - mean_later, later_losses) AS ys,
        arrayDotProduct(xs, xs) AS xx,
        arrayDotProduct(xs, ys) AS xy,
        arrayDotProduct(ys, ys) AS yy,
        xy / xx + too_few AS trend_slope,
        arrayMap((x, y) -> x * (y - trend_slope * x), xs, ys) AS us,
        arrayDotProduct(us, us)
            + 1.5 * arrayDotProduct(arraySlice(us, 2), arrayPopBack(us))
            + arrayDotProduct(arraySlice(us, 3), arraySlice(us, 1, greatest(m - 2, 0)))
            + 0.5 * arrayDotProduct(arraySlice(us, 4), arraySlice(us, 1, greatest(m - 3, 0))) AS robust,
        sqrt(greatest((yy - trend_slope * xy) / (m - 2) / xx, robust / (xx * xx) * m / (m - 2), (yy / m + mean_later * mean_later) * exp2(-48) / xx)) + too_few AS trend_se
    FROM alone
),
-- Student's test of it, by Hill's normal deviate z.
tested AS
(
    SELECT
        *,
        trend_slope / greatest(trend_se, 1e-300) AS t,
        m - 2.5 AS a,
        a * log1p(t * t / (m - 2)) AS y,
        sqrt(y) * (((((-0.4 * y - 3.3) * y - 24) * y - 85.5) / (0.8 * y * y + 100 + 48 * a * a) + y + 3) / (48 * a * a) + 1) AS z,
        erfc(sign(t) * z / sqrt(2)) / 2 AS trend_p
    FROM lines
),
-- Objects among those of their run.
ranked AS
(
    SELECT
        *,
        countIf(isFinite(trend_p)) OVER (PARTITION BY run_id ORDER BY trend_p) AS place,
        countIf(isFinite(trend_p)) OVER (PARTITION BY run_id) AS tests,
        avgIf(aum, isFinite(aum)) OVER (PARTITION BY run_id) AS run_aum,
        greatest(stddevPopStableIf(aum, isFinite(aum)) OVER (PARTITION BY run_id), 1e-6) AS run_spread,
        avgIf(aum, isFinite(aum)) OVER (PARTITION BY run_id, class) AS class_aum
    FROM tested
),
judged AS
(
    SELECT
        *,
        if(isFinite(trend_p), least(1, min(trend_p * tests / place) OVER (PARTITION BY run_id ORDER BY trend_p DESC)), nan) AS trend_q,
        sqrt(avgIf(pow(class_aum - run_aum, 2), isFinite(aum)) OVER (PARTITION BY run_id)) / run_spread AS eta,
        (run_aum - aum + eta * (class_aum - run_aum)) / run_spread AS error_score,
        (class_aum - aum) / run_spread AS class_outlier
    FROM ranked
)
SELECT
    run_id, dataset, sample_id, lower(hex(sample_id)) AS sample, object_id, class,
    multiIf(
        presentations < 5 OR NOT isFinite(aum), 'unknown',
        aum < 0 AND NOT confidence >= 0.2 AND class_outlier >= 1, 'label_error',
        trend_q <= 0.05, 'edge',
        aum > 0 AND NOT confidence < 0.5, 'easy',
        'hard')::LowCardinality(String) AS kind,
    presentations, not_finite, forgetting_events, forgetting, first_learned, never_learned, unforgettable,
    confidence, variability, correctness, aum, mean_loss, el2n, grand, dyn_unc, trend_slope, trend_se, trend_p, trend_q, error_score, class_outlier
FROM judged
COMMENT 'What the losses of a run say of each object, as of the last fold; NaN: the curve has nothing to compute it from. forgetting_events, forgetting (with those never learned at the number of their presentations, the maximum), first_learned, never_learned, unforgettable: Toneva et al. 2019, An Empirical Study of Example Forgetting. confidence, variability, correctness: Swayamdipta et al. 2020, Dataset Cartography. aum in logits: Pleiss et al. 2020, Area Under the Margin Ranking. el2n, grand (of the last layer), over epochs 0 to 9: Paul et al. 2021, Deep Learning on a Data Diet. dyn_unc, windows of 10: He et al. 2023, Dynamic Uncertainty. trend_slope in nats an epoch and trend_se, of the later half: least squares with Newey and West 1987; trend_p: one-sided, that the loss does not rise; trend_q: that after Benjamini and Hochberg 1995 over the run. error_score: standard deviations of aum below the average, less what its class explains; class_outlier: below its class. kind: unknown, label_error (suspected), edge (the loss rises), easy or hard';

CREATE OR REPLACE VIEW forgetting AS
SELECT
    run_id, dataset, sample_id, sample, object_id, presentations, (NOT never_learned)::Bool AS learned, first_learned, forgetting_events AS events, forgetting, unforgettable
FROM scores
COMMENT 'Forgetting (Toneva et al. 2019, An Empirical Study of Example Forgetting during Deep Neural Network Learning) as of the last fold: events = correct at one presentation of the object in the run and wrong at the next; first_learned = first epoch it was correct; forgetting = events, or for one never learned the number of its presentations, the maximum; unforgettable = learned and never forgotten';
