// From what payloads.py packs to numbers.

const LARGEST = 2 ** 24 - 1;

/** base64 -> Uint8Array */
export function bytes(base64) {
  const text = atob(base64);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

/** The packed weights of one layer -> one Float32Array a head: the lower triangle, row by row. */
export function triangles(base64, heads) {
  const packed = bytes(base64);
  const count = packed.length / 3; // three planes: high, middle and low bytes
  const each = count / heads;
  return Array.from({ length: heads }, (_, head) => {
    const out = new Float32Array(each);
    for (let i = 0, j = head * each; i < each; i++, j++) {
      out[i] = ((packed[j] << 16) | (packed[count + j] << 8) | packed[2 * count + j]) / LARGEST;
    }
    return out;
  });
}

/** Where row q begins in a lower triangle. */
export const rowStart = (q) => (q * (q + 1)) / 2;
