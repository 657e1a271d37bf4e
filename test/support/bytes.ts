// What decoders have to read, and what not.

/** `bytes` in everything that holds bytes. */
export function holders(bytes: Uint8Array): Record<string, ArrayBuffer | SharedArrayBuffer | ArrayBufferView> {
  const { length } = bytes;
  const shared = new SharedArrayBuffer(length);
  new Uint8Array(shared).set(bytes);
  // Amid other bytes, at an odd place.
  const inside = new Uint8Array(length + 20).fill(0xaa);
  inside.set(bytes, 3);
  const sharedInside = new SharedArrayBuffer(length + 20);
  new Uint8Array(sharedInside).set(bytes, 5);
  const words = new Uint32Array(Math.ceil(length / 4));
  new Uint8Array(words.buffer).set(bytes);
  return {
    'a Uint8Array': Uint8Array.from(bytes),
    'an ArrayBuffer': Uint8Array.from(bytes).buffer,
    'a SharedArrayBuffer': shared,
    'a view with an offset': inside.subarray(3, 3 + length),
    'a shared view with an offset': new Uint8Array(sharedInside, 5, length),
    'a Buffer': Buffer.from(bytes),
    'a slice of a Buffer': Buffer.concat([Buffer.of(1, 2, 3), bytes, Buffer.of(4)]).subarray(3, 3 + length),
    'a DataView': new DataView(inside.buffer, 3, length),
    'a Uint8ClampedArray': Uint8ClampedArray.from(bytes),
    ...(length % 4 === 0 && { 'a Uint32Array': words }),
  };
}

function transferred(): ArrayBuffer {
  const buffer = new ArrayBuffer(64);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

/** What holds no bytes. */
export const NO_BYTES: Record<string, unknown> = {
  undefined: undefined,
  null: null,
  'a string': 'model.safetensors',
  'a number': 100,
  'an array': [0, 0, 8, 1],
  'an object': { length: 8 },
  'a promise': Promise.resolve(new Uint8Array(8)),
  'a Response': new Response('x'),
  'a Blob': new Blob(['x']),
  'a transferred buffer': transferred(),
};
