// From what payloads.py packs to numbers, and back.

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

/** Uint8Array -> base64 */
export function base64(from) {
  let text = "";
  // In pieces: a function takes some ten thousand arguments, not a million.
  for (let i = 0; i < from.length; i += 8192) text += String.fromCharCode(...from.subarray(i, i + 8192));
  return btoa(text);
}

/** One Float32Array a head -> the packed weights of a layer: what `triangles` reads. */
export function pack(heads) {
  const each = heads[0].length;
  const count = each * heads.length;
  const packed = new Uint8Array(3 * count);
  heads.forEach((weights, head) => {
    for (let i = 0, j = head * each; i < each; i++, j++) {
      const code = Math.round(weights[i] * LARGEST);
      [packed[j], packed[count + j], packed[2 * count + j]] = [code >> 16, code >> 8, code]; // each keeps its low byte
    }
  });
  return base64(packed);
}

/** Where row q begins in a lower triangle. */
export const rowStart = (q) => (q * (q + 1)) / 2;
