#!/usr/bin/python3
"""Writes test/golden/metrics.json: what scikit-learn's metrics are on some data, with ties, weights and absent classes.

Run `python3 test/golden/metrics.py` where scikit-learn and NumPy are installed. Where scikit-learn has no such metric, or
another one by that name, its formula stands here.
"""
import json
import pathlib
import warnings

import numpy as np
from sklearn import metrics as m

warnings.simplefilter('ignore')
rng = np.random.default_rng(13)
softmax = lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)
sigmoid = lambda x: 1 / (1 + np.exp(-x))


def classes(n, c, absent=None):
    target = rng.integers(0, c, n)
    if absent is not None:
        target[target == absent] = (absent + 1) % c
    scores = np.round(rng.normal(size=(n, c)) * 1.5, 1)
    scores[np.arange(n), target] += 1
    if absent is not None:
        scores[:, absent] -= 9
    return {'scores': scores, 'target': target, 'weight': np.round(rng.uniform(0.1, 2, n), 2)}


def labels(n, c):
    target = rng.integers(0, 2, (n, c)) if c > 1 else rng.integers(0, 2, n)
    scores = np.round(rng.normal(size=target.shape) + target, 1)
    return {'scores': scores, 'target': target, 'weight': np.round(rng.uniform(0.1, 2, n), 2)}


def numbers(shape, mean, std):
    target = np.round(rng.normal(mean, std, shape), 3)
    return {'scores': np.round(target + rng.normal(0.1 * std, std / 2, shape), 3), 'target': target,
            'weight': np.round(rng.uniform(0.1, 2, shape[0]), 2)}


data = {
    'multiclass': classes(60, 4), 'absent': classes(40, 4, 2), 'binary': labels(70, 1), 'multilabel': labels(50, 3),
    'numbers': numbers((50,), 0, 2), 'columns': numbers((40, 3), 5, 1), 'far': numbers((64,), 2000, 10),
}
cases = []


def case(name, metric, value, weighted=False, **options):
    plain = lambda v: [plain(x) for x in v] if np.ndim(v) else float(f'{v:.10g}')
    cases.append({'data': name, 'metric': metric, 'options': options, 'weighted': weighted, 'value': plain(value)})


AVERAGES = {'micro': 'micro', 'macro': 'macro', 'weighted': 'weighted', 'none': None}


def averaged(name, target, predicted, w, weighted, **more):
    for ours, average in AVERAGES.items():
        if name == 'binary' and ours != 'none':
            continue
        kw = dict(sample_weight=w, average='binary' if name == 'binary' else average, zero_division=0)
        if average is None and name == 'absent':
            kw['labels'] = range(4)
        wrap = (lambda v: [v]) if name == 'binary' else (lambda v: v)
        case(name, 'Precision', wrap(m.precision_score(target, predicted, **kw)), weighted, average=ours, **more)
        case(name, 'Recall', wrap(m.recall_score(target, predicted, **kw)), weighted, average=ours, **more)
        case(name, 'F1Score', wrap(m.f1_score(target, predicted, **kw)), weighted, average=ours, **more)
        case(name, 'DiceScore', wrap(m.f1_score(target, predicted, **kw)), weighted, average=ours, **more)
        case(name, 'FBetaScore', wrap(m.fbeta_score(target, predicted, beta=2, **kw)), weighted, average=ours, beta=2, **more)
        case(name, 'JaccardIndex', wrap(m.jaccard_score(target, predicted, **kw)), weighted, average=ours, **more)


for name in ('multiclass', 'absent'):
    d = data[name]
    target, scores = d['target'], d['scores']
    chosen, chance, c = scores.argmax(1), softmax(scores), scores.shape[1]
    for weighted in (False, True):
        w = d['weight'] if weighted else None
        averaged(name, target, chosen, w, weighted)
        case(name, 'Accuracy', m.accuracy_score(target, chosen, sample_weight=w), weighted)
        case(name, 'Accuracy', m.recall_score(target, chosen, sample_weight=w, average='macro'), weighted, average='macro')
        # Of equal scores the first comes first.
        order = np.argsort(-scores, axis=1, kind='stable')
        among = (order[:, :2] == target[:, None]).any(1)
        case(name, 'Accuracy', np.average(among, weights=w), weighted, topK=2)
        matrix = m.confusion_matrix(target, chosen, labels=range(c), sample_weight=w)
        case(name, 'ConfusionMatrix', matrix, weighted)
        for how in ('true', 'pred', 'all'):
            case(name, 'ConfusionMatrix', m.confusion_matrix(target, chosen, labels=range(c), sample_weight=w, normalize=how), weighted, normalize=how)
        total, hit, actual, took = matrix.sum(), matrix.diagonal(), matrix.sum(1), matrix.sum(0)
        case(name, 'Specificity', (total - actual - took + hit) / (total - actual), weighted, average='none')
        case(name, 'MatthewsCorrCoef', m.matthews_corrcoef(target, chosen, sample_weight=w), weighted)
        for weights in (None, 'linear', 'quadratic'):
            case(name, 'CohenKappa', m.cohen_kappa_score(target, chosen, sample_weight=w, weights=weights, labels=range(c)), weighted, weights=weights)
        case(name, 'LogLoss', m.log_loss(target, chance, sample_weight=w, labels=range(c)), weighted)
        case(name, 'Perplexity', np.exp(m.log_loss(target, chance, sample_weight=w, labels=range(c))), weighted, logits=True)
        case(name, 'BrierScore', m.brier_score_loss(target, chance, sample_weight=w, labels=range(c)), weighted)
        hot = target[:, None] == np.arange(c)
        for ours, average in AVERAGES.items():
            case(name, 'AveragePrecision', m.average_precision_score(hot, chance, average=average, sample_weight=w), weighted, average=ours)
            present = hot.any(0)
            area = m.roc_auc_score(hot[:, present], chance[:, present], average=average, sample_weight=w)
            if ours == 'micro':
                area = m.roc_auc_score(hot.ravel(), chance.ravel(), sample_weight=None if w is None else np.repeat(w, c))
            if ours != 'none' or present.all():
                case(name, 'AUROC', area, weighted, average=ours)
        wide = np.ones(len(target)) if w is None else w
        bins = np.minimum((chance.max(1) * 15).astype(int), 14)
        gaps = [((wide * (chance.max(1) - (chosen == target)))[bins == b]).sum() / wide[bins == b].sum() for b in np.unique(bins)]
        shares = [wide[bins == b].sum() / wide.sum() for b in np.unique(bins)]
        case(name, 'CalibrationError', np.dot(np.abs(gaps), shares), weighted)
        case(name, 'CalibrationError', np.sqrt(np.dot(np.square(gaps), shares)), weighted, norm='l2')
        case(name, 'CalibrationError', np.abs(gaps).max(), weighted, norm='max')
    keep = target != 1
    case(name, 'Accuracy', m.accuracy_score(target[keep], chosen[keep]), ignoreIndex=1)
    case(name, 'F1Score', m.f1_score(target[keep], chosen[keep], average='weighted'), ignoreIndex=1, average='weighted')
    case(name, 'ConfusionMatrix', m.confusion_matrix(target[keep], chosen[keep], labels=range(c)), ignoreIndex=1)
    case(name, 'LogLoss', m.log_loss(target[keep], chance[keep], labels=range(c)), ignoreIndex=1)
    case(name, 'AveragePrecision', m.average_precision_score(hot[keep], chance[keep], average=None), ignoreIndex=1, average='none')

for name in ('binary', 'multilabel'):
    d = data[name]
    target, scores, chance = d['target'], d['scores'], sigmoid(d['scores'])
    chosen = (chance > 0.5).astype(int)
    for weighted in (False, True):
        w = d['weight'] if weighted else None
        averaged(name, target, chosen, w, weighted, logits=True)
        for ours, average in AVERAGES.items():
            if name == 'multilabel' or ours == 'macro':
                case(name, 'AUROC', m.roc_auc_score(target, scores, average=average, sample_weight=w), weighted, average=ours)
                case(name, 'AveragePrecision', m.average_precision_score(target, scores, average=average, sample_weight=w), weighted, average=ours)
        if name == 'multilabel':
            case(name, 'Accuracy', np.average(chosen == target, axis=0, weights=w), weighted, average='none', logits=True)
            case(name, 'Accuracy', np.average((chosen == target).mean(1), weights=w), weighted, logits=True)
            case(name, 'ConfusionMatrix', m.multilabel_confusion_matrix(target, chosen, sample_weight=w), weighted, logits=True)
            continue
        case(name, 'Accuracy', m.accuracy_score(target, chosen, sample_weight=w), weighted, logits=True)
        case(name, 'Precision', m.precision_score(target, scores > 0.3, sample_weight=w), weighted, threshold=0.3, logits=False)
        case(name, 'ConfusionMatrix', m.confusion_matrix(target, chosen, sample_weight=w), weighted, logits=True)
        case(name, 'MatthewsCorrCoef', m.matthews_corrcoef(target, chosen, sample_weight=w), weighted, logits=True)
        case(name, 'CohenKappa', m.cohen_kappa_score(target, chosen, sample_weight=w), weighted, logits=True)
        case(name, 'LogLoss', m.log_loss(target, chance, sample_weight=w), weighted, logits=True)
        case(name, 'BrierScore', m.brier_score_loss(target, chance, sample_weight=w), weighted, logits=True)
        case(name, 'Specificity', m.recall_score(target, chosen, pos_label=0, sample_weight=w), weighted, logits=True)
curves = {}
d = data['binary']
for name, w in (('plain', None), ('weighted', d['weight'])):
    fpr, tpr, thresholds = m.roc_curve(d['target'], d['scores'], sample_weight=w, drop_intermediate=False)
    precision, recall, at = m.precision_recall_curve(d['target'], d['scores'], sample_weight=w)
    flat = lambda v: [float(f'{x:.10g}') for x in v]
    curves[name] = {'ROC': {'fpr': flat(fpr), 'tpr': flat(tpr), 'thresholds': ['Infinity', *flat(thresholds[1:])]},
                    'PrecisionRecallCurve': {'precision': flat(precision), 'recall': flat(recall), 'thresholds': flat(at)}}

for name in ('numbers', 'columns', 'far'):
    d = data[name]
    target, scores = d['target'], d['scores']
    for weighted in (False, True):
        w = d['weight'] if weighted else None
        case(name, 'MeanAbsoluteError', m.mean_absolute_error(target, scores, sample_weight=w), weighted)
        case(name, 'MeanSquaredError', m.mean_squared_error(target, scores, sample_weight=w), weighted)
        case(name, 'MeanSquaredError', np.sqrt(m.mean_squared_error(target, scores, sample_weight=w)), weighted, squared=False)
        case(name, 'MeanAbsolutePercentageError', m.mean_absolute_percentage_error(target, scores, sample_weight=w), weighted)
        for ours, theirs in {'uniformAverage': 'uniform_average', 'rawValues': 'raw_values', 'varianceWeighted': 'variance_weighted'}.items():
            for metric, fn in (('R2Score', m.r2_score), ('ExplainedVariance', m.explained_variance_score)):
                case(name, metric, fn(target, scores, sample_weight=w, multioutput=theirs), weighted, multioutput=ours)

out = {'data': {k: {a: b.tolist() for a, b in v.items()} for k, v in data.items()}, 'cases': cases, 'curves': curves}
pathlib.Path(__file__).with_name('metrics.json').write_text(json.dumps(out, separators=(',', ':')) + '\n')
