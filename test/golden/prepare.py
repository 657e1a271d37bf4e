#!/usr/bin/python3
"""Writes test/data/prepare.json: what scikit-learn's preprocessing makes of some columns.

Run `python3 test/golden/prepare.py` where scikit-learn and NumPy are installed.
"""
import json
import pathlib

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, QuantileTransformer, StandardScaler

rng = np.random.default_rng(3)
x = np.round(rng.lognormal(size=60), 3)
x[10:14] = x[9]  # ties
missing = x.copy()
missing[::7] = np.nan
names = [['red', 'green', 'blue', 'Zürich'][int(k)] for k in rng.integers(0, 4, 60)]
column = lambda v: np.asarray(v).reshape(-1, 1)
plain = lambda v: [None if np.isnan(a) else float(f'{a:.10g}') for a in np.asarray(v, float).reshape(-1)]
order = sorted(set(names), key=lambda v: (-names.count(v), v))
cases = {
    'x': plain(x),
    'missing': plain(missing),
    'names': names,
    'standardize': plain(StandardScaler().fit_transform(column(missing))),
    'minMax': plain(MinMaxScaler((-1, 3)).fit_transform(column(x))),
    'quantile': plain(QuantileTransformer(n_quantiles=20).fit_transform(column(x))),
    'normal': plain(QuantileTransformer(n_quantiles=20, output_distribution='normal').fit_transform(column(x))),
    'median': plain(SimpleImputer(strategy='median', add_indicator=True).fit_transform(column(missing))),
    'mean': plain(SimpleImputer(strategy='mean').fit_transform(column(missing))),
    'oneHot': plain(OneHotEncoder(categories=[order], sparse_output=False).fit_transform(column(names))),
}
(pathlib.Path(__file__).parent.parent / 'data' / 'prepare.json').write_text(json.dumps(cases, separators=(',', ':'), ensure_ascii=False) + '\n')
