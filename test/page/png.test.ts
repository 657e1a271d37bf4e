// Pictures as PNG: what other decoders read is what was written.
import { decode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../bindings/index.ts';
import { picture } from '../../bindings/page/charts.ts';
import { encodePng, encodePngNow, pngUrl } from '../../bindings/page/png.ts';
import { randomNumbers } from '../support/random.ts';

const random = randomNumbers(7);

/** Noise, which no filter helps; a slope, which SUB and UP take to nothing; and one colour. */
const PICTURES: Record<string, (i: number) => number> = {
  noise: () => random(256),
  slope: (i) => (i * 3) & 255,
  flat: () => 17,
};

describe.each([1, 2, 3, 4])('%s channels', (channels) => {
  it.each(Object.keys(PICTURES))('%s is read back', async (name) => {
    for (const [width, height] of [
      [1, 1],
      [5, 3],
      [301, 97],
    ] as const) {
      const pixels = Uint8Array.from({ length: width * height * channels }, (_, i) =>
        (PICTURES[name] as (i: number) => number)(i),
      );
      for (const png of [
        await encodePng(pixels, width, height, channels),
        encodePngNow(pixels, width, height, channels),
      ]) {
        const read = decode(png, { checkCrc: true });
        expect({ ...read, data: 0, text: 0 }).toMatchObject({ width, height, channels, depth: 8 });
        expect(
          Buffer.compare(
            Buffer.from(read.data.buffer, read.data.byteOffset, read.data.byteLength),
            Buffer.from(pixels),
          ),
        ).toBe(0);
      }
    }
  });
});

it('packs what repeats', async () => {
  const pixels = new Uint8Array(200 * 200).map((_, i) => i % 200);
  expect((await encodePng(pixels, 200, 200, 1)).length).toBeLessThan(1000);
  expect(pngUrl(await encodePng(pixels, 200, 200, 1))).toMatch(/^data:image\/png;base64,iVBORw0KGgo/);
});

it('refuses pixels that do not fit the size', async () => {
  await expect(encodePng(new Uint8Array(5), 2, 2, 1)).rejects.toThrow(ArgumentError);
  await expect(encodePng(new Uint8Array(5), 2, 2, 1)).rejects.toThrow('expected 4 bytes for 2 × 2 × 1, got 5');
  expect(() => encodePngNow(new Uint8Array(20), 2, 2, 5)).toThrow('1 to 4 channels');
});

it('stands in a page', () => {
  const html = picture(encodePngNow(new Uint8Array(4), 2, 2, 1), 'a "black" square');
  expect(html).toMatch(/^<img src="data:image\/png;base64,[\w+/=]+" alt="a &#34;black&#34; square">$/);
});
