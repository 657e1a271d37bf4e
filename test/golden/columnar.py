#!/usr/bin/python3
"""Writes test/data/columnar/ and test/data/images/: small Parquet and Arrow files and images of other programs, and what is in them.

Run `python3 test/golden/columnar.py` where pyarrow, pandas, Pillow and NumPy are installed.
"""
import datetime
import decimal
import json
import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
from PIL import Image

FILES = pathlib.Path(__file__).parent.parent / 'data'
ROWS = 40
rng = np.random.default_rng(12)


def with_missing(values, every=7):
    return [None if i % every == 3 else v for i, v in enumerate(values)]


def columns():
    """Name: type and values, none of them missing."""
    texts = ['', 'a', 'Zürich', 'naïve "quoted"', '日本', 'x' * 40]
    days = [datetime.date(1999, 12, 31) + datetime.timedelta(days=97 * i) for i in range(ROWS)]
    times = [datetime.datetime(2001, 2, 3, 4, 5, 6, 789000) + datetime.timedelta(hours=31 * i) for i in range(ROWS)]
    return {
        'bool': (pa.bool_(), [i % 3 == 0 for i in range(ROWS)]),
        'i8': (pa.int8(), [i - 20 for i in range(ROWS)]),
        'i16': (pa.int16(), [(i - 20) * 1000 for i in range(ROWS)]),
        'i32': (pa.int32(), [(i - 20) * 100_000_000 for i in range(ROWS)]),
        'i64': (pa.int64(), [(i - 20) * 2**44 + i for i in range(ROWS)]),
        'u8': (pa.uint8(), [6 * i for i in range(ROWS)]),
        'u32': (pa.uint32(), [2**32 - 1 - 3 * i for i in range(ROWS)]),
        'f16': (pa.float16(), [np.float16(v) for v in rng.normal(size=ROWS)]),
        'f32': (pa.float32(), [float(np.float32(v)) for v in rng.normal(size=ROWS)]),
        'f64': (pa.float64(), rng.normal(size=ROWS).tolist()),
        'text': (pa.string(), [texts[i % len(texts)] for i in range(ROWS)]),
        'code': (pa.dictionary(pa.int8(), pa.string()), [texts[i * i % len(texts)] for i in range(ROWS)]),
        'date': (pa.date32(), days),
        'ms': (pa.timestamp('ms'), times),
        'us': (pa.timestamp('us', tz='UTC'), [t.replace(tzinfo=datetime.timezone.utc) for t in times]),
        'decimal': (pa.decimal128(9, 2), [decimal.Decimal(i * 1234567 - 999) / 100 for i in range(ROWS)]),
        'list': (pa.list_(pa.int32()), [list(range(i % 4)) for i in range(ROWS)]),
        'struct': (pa.struct([('a', pa.int32()), ('b', pa.string())]), [{'a': i, 'b': str(i)} for i in range(ROWS)]),
    }


def plain(value):
    """As JSON has it: dates in milliseconds, whole numbers beyond 2**53 as text."""
    if isinstance(value, datetime.datetime):
        at = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
        return round(at.timestamp() * 1000)
    if isinstance(value, datetime.date):
        return (value - datetime.date(1970, 1, 1)).days * 86_400_000
    if isinstance(value, (decimal.Decimal, np.floating)):
        return float(value)
    return value


def table_of(some, nullable):
    fields, arrays = [], []
    for name, (kind, values) in some.items():
        fields.append(pa.field(name, kind, nullable=nullable))
        arrays.append(pa.array(with_missing(values) if nullable else values, kind))
    return pa.table(arrays, schema=pa.schema(fields))


def write_tables():
    folder = FILES / 'columnar'
    folder.mkdir(exist_ok=True)
    every = columns()
    flat = {name: column for name, column in every.items() if name not in ('list', 'struct')}
    expected = {}

    def expect(name, table):
        expected[name] = {key: [plain(v) for v in values] for key, values in table.to_pydict().items()}

    full, missing = table_of(every, False), table_of(every, True)
    expect('full', full)
    expect('missing', missing)
    parquet = {
        'full.snappy': (full, {'compression': 'snappy', 'row_group_size': 16}),
        'missing.snappy': (missing, {'compression': 'snappy', 'row_group_size': 16}),
        'missing.none-v1': (missing, {'compression': 'none', 'version': '1.0', 'use_dictionary': False}),
        'missing.v2-pages': (missing, {'compression': 'none', 'data_page_version': '2.0', 'data_page_size': 64}),
        **{f'missing.{codec}': (missing, {'compression': codec}) for codec in ('gzip', 'brotli', 'zstd', 'lz4')},
    }
    for name, (table, options) in parquet.items():
        pq.write_table(table, folder / f'{name}.parquet', **options)
    encodings = {'i32': 'DELTA_BINARY_PACKED', 'i64': 'DELTA_BINARY_PACKED', 'text': 'DELTA_BYTE_ARRAY', 'f32': 'BYTE_STREAM_SPLIT', 'f64': 'BYTE_STREAM_SPLIT'}
    some = missing.select(list(encodings))
    pq.write_table(some, folder / 'missing.encodings.parquet', use_dictionary=False, column_encoding=encodings, compression='none')
    lengths = missing.select(['text'])
    pq.write_table(lengths, folder / 'missing.lengths.parquet', use_dictionary=False, column_encoding={'text': 'DELTA_LENGTH_BYTE_ARRAY'})

    flat_full, flat_missing = table_of(flat, False), table_of(flat, True)
    for codec in (None, 'lz4', 'zstd'):
        options = pa.ipc.IpcWriteOptions(compression=codec)
        with pa.ipc.new_file(folder / f'missing.{codec or "none"}.arrow', missing.schema, options=options) as out:
            out.write_table(missing, max_chunksize=16)
    with pa.ipc.new_file(folder / 'full.arrow', full.schema) as out:
        out.write_table(full, max_chunksize=16)
    with pa.ipc.new_stream(folder / 'missing.stream.arrows', missing.schema) as out:
        out.write_table(missing, max_chunksize=16)
    feather.write_feather(pd.DataFrame({'i32': flat_full['i32'].to_pandas(), 'text': flat_full['text'].to_pandas()}), folder / 'full.feather')
    # More than LZ4's window of 64 KiB, so that blocks point into those before.
    long = pa.table({'n': pa.array([(i * i) % 1009 for i in range(30_000)], pa.int32())})
    feather.write_feather(long, folder / 'long.lz4.feather', compression='lz4')
    (folder / 'expected.json').write_text(json.dumps(expected, separators=(',', ':'), ensure_ascii=False) + '\n')


def write_images():
    folder = FILES / 'images'
    height, width = 7, 10
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x * y * 37) % 256], -1).astype(np.uint8)
    rgba = np.dstack([rgb, np.full((height, width), 255, np.uint8)])
    rgba[2:5, 3:6, 3] = 77
    grey = Image.fromarray(rgb).convert('L')
    # What torchvision's ImageFolder takes: a folder a class.
    files = {
        'cats/colours.png': Image.fromarray(rgb),
        'cats/alpha.png': Image.fromarray(rgba, 'RGBA'),
        'cats/palette.png': Image.fromarray(rgb).quantize(7),
        'cats/bits.png': grey.point(lambda v: 255 * (v > 99)).convert('1'),
        'dogs/grey.png': grey,
        'dogs/deep.png': Image.fromarray((np.asarray(grey).astype(np.uint16) * 257)),
        'dogs/grey-alpha.png': Image.merge('LA', [grey, Image.fromarray(rgba[..., 3])]),
        'dogs/photo.jpg': Image.fromarray(rgb),
        'dogs/grey.jpeg': grey,
    }
    expected = {}
    for name, image in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, **({'bits': 1} if name == 'cats/bits.png' else {}), **({'quality': 95, 'subsampling': 0} if 'jp' in name else {}))
        read = Image.open(path)
        if read.mode.startswith('I'):
            read = Image.fromarray((np.asarray(read) // 256).astype(np.uint8))
        planes = lambda mode, size=None: np.moveaxis(np.atleast_3d(np.asarray((read.convert(mode) if not size else read.convert(mode).resize(size, Image.BILINEAR)))), -1, 0).reshape(-1).tolist()
        expected[name] = {'rgb': planes('RGB'), 'grey': planes('L'), 'small': planes('RGB', (4, 3)), 'large': planes('L', (13, 9))}
    (folder / 'expected.json').write_text(json.dumps(expected, separators=(',', ':')) + '\n')


write_tables()
write_images()
