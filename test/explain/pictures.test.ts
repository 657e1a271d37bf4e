// Pictures: their colours, their forms, and what they refuse.
import { inflateSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import * as explain from '../../bindings/explain/index.ts';
import { init, ones, rand, ShapeError, shutdown, tensor, zeros } from '../../bindings/index.ts';

await init({ simd: 'strict', threads: 1 });
afterAll(() => shutdown());

/** The first pixel of a PNG, whose first scanline has no neighbours above. */
function firstPixel(png: Uint8Array): number[] {
  const view = new DataView(png.buffer, png.byteOffset);
  let at = 8;
  while (String.fromCharCode(...png.subarray(at + 4, at + 8)) !== 'IDAT') at += 12 + view.getUint32(at);
  const channels = [1, 0, 3, 0, 2, 0, 4][png[25] as number] as number;
  return [...inflateSync(png.subarray(at + 8, at + 8 + view.getUint32(at))).subarray(1, 1 + channels)];
}

it('heat maps are orange for, blue against, and nothing where there is nothing', async () => {
  const map = tensor([
    [1, 0],
    [0, -1],
  ]);
  const found = await explain.heatMap(map, { size: 2, limit: 1 });
  expect(firstPixel(found.png as Uint8Array)).toEqual([232, 89, 12, 255]);
  expect(firstPixel((await explain.heatMap(map.neg(), { size: 2, limit: 2 })).png as Uint8Array)).toEqual([
    31, 131, 201, 152,
  ]);
  expect(firstPixel((await explain.heatMap(zeros([3, 2, 2]), { size: 2 })).png as Uint8Array)[3]).toBe(0);
  expect(found.svg).toMatch(/^<svg xmlns=.*<image href="data:image\/png;base64,/s);
  expect(found.html).toContain('alt="what the output comes from"');
});

it('heat maps lie over images, gray or in colours', async () => {
  const image = tensor([
    [1, 0],
    [0, 0],
  ]);
  const over = await explain.heatMap(zeros([1, 1, 2, 2]), { image, size: 2, label: 'a <b>' });
  expect(firstPixel(over.png as Uint8Array)).toEqual([255, 255, 255]);
  expect(over.html).toContain('alt="a &#60;b&#62;"');
  const colours = await explain.heatMap(zeros([2, 2]), { image: rand([3, 2, 2]), size: 64 });
  expect(colours.html).toContain('width="64" height="64"');
  await expect(explain.heatMap(ones([2, 1, 2, 2]))).rejects.toThrow(ShapeError);
  await expect(explain.heatMap(ones([2, 2]), { image: ones([2, 2, 2]) })).rejects.toThrow(/1 or 3 channels/);
});

it('bars show the largest first, with names that are escaped', async () => {
  const { svg, html } = await explain.barChart(tensor([0.5, -2, 0.1]), ['a<', 'b', 'c'], { most: 2 });
  expect([...html.matchAll(/<title>(.*?)<\/title>/g)].map(([, text]) => text)).toEqual(['b: -2', 'a&#60;: 0.5']);
  expect(svg).toMatch(/^<svg xmlns=/);
  expect(svg).toContain('prefers-color-scheme:dark');
  await expect(explain.barChart([1], [])).rejects.toThrow(/a name for each of 1/);
});

it('text lies on colours', async () => {
  const { html, svg, png } = await explain.colouredText([1, -0.5], ['good ', '& bad']);
  expect(html).toContain('background:rgba(232,89,12,0.6)');
  expect(html).toContain('background:rgba(31,131,201,0.3)');
  expect(html).toContain('&#38; bad');
  expect([svg, png]).toEqual([null, null]);
});

it('pages hold them all in one file without scripts', async () => {
  const dependence = explain.partialDependence((x) => x.select(1, 0), rand([10, 2]), { feature: 0 });
  const cards = [
    { title: 'Maps', wide: true, pictures: [{ picture: await explain.heatMap(ones([2, 2])), caption: 'a 7' }] },
    { title: 'Lines', note: 'by age', pictures: [{ picture: await explain.dependenceChart(dependence, { most: 3 }) }] },
  ];
  const page = await explain.picturePage(cards, { title: 'Why', subtitle: 'of <all>' });
  expect(page).toMatch(/^<!doctype html>/);
  expect(page).toContain('<figcaption>a 7</figcaption>');
  expect(page).toContain('of &#60;all&#62;');
  expect(page).toContain('speaks against it');
  expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
});

it('refuses what is no picture, and no dependence', async () => {
  await expect(explain.picturePage([{ title: 'x', pictures: [{ picture: {} as never }] }])).rejects.toThrow(
    /await the pictures/,
  );
  await expect(explain.picturePage([{} as never])).rejects.toThrow(/expected cards/);
  await expect(explain.dependenceChart({} as never)).rejects.toThrow(/partialDependence/);
});
