// What a file is that a reader cannot read: the wrong reader, or no file of numbers at all, is the usual mistake.

/** What files begin with, and what they are; then what to do. */
const BEGINNINGS: readonly (readonly [beginning: string, is: string])[] = [
  ['PK\x03\x04', 'a zip archive; loadPyTorch() reads what torch.save wrote, loadNpz() what numpy.savez wrote'],
  ['\x93NUMPY', 'a file of NumPy; loadNpy() reads it'],
  ['\x89HDF', 'a file of HDF5; save it as safetensors where it was made'],
  ['GGUF', 'a file of GGUF; take the model as safetensors'],
  ['version ', 'a pointer of Git LFS; git lfs pull fetches the file'],
  ['\x1f\x8b', 'a file packed by gzip; unpack it'],
  ['<', 'a page; look whether its address is that of the file'],
];

/** What a file is that begins with `bytes`, of which 8 will do, and what to do; or undefined. */
export function otherKind(bytes: Uint8Array): string | undefined {
  const text = String.fromCharCode(...bytes.subarray(0, 9));
  // The length of the header, below 2 ** 32, and the header.
  if (text.endsWith('\0\0\0\0{')) return 'a file of safetensors; loadSafetensors() reads it';
  if (text[0] === '\x80' && text[1] !== undefined && text[1] <= '\x05')
    return 'a pickle; loadPyTorch() reads what torch.save wrote';
  return BEGINNINGS.find(([beginning]) => text.startsWith(beginning))?.[1];
}
