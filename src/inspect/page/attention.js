// Attention from the page's data: sparse rows, dense matrices of the heads that are looked at, pictures.

class Attention {
  /** `about` as PackedAttention says; `text` its deflated bytes in base64. */
  static async read(about, text) {
    const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const rows = about.layers * about.heads * about.tokens;
    const bytes = await inflate(packed, 2 * rows + about.gap_bytes + about.values);
    return new Attention(about, bytes);
  }

  constructor(about, bytes) {
    Object.assign(this, about);
    const rows = this.layers * this.heads * this.tokens;
    const gaps = bytes.subarray(2 * rows, 2 * rows + this.gap_bytes);
    this.levels = bytes.subarray(2 * rows + this.gap_bytes);
    this.starts = new Uint32Array(rows + 1);
    this.columns = new Uint16Array(this.values);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let row = 0, value = 0, gap = 0; row < rows; ++row) {
      let column = 0;
      for (let end = value + view.getUint16(2 * row, true); value < end; ++value) {
        while (gaps[gap] === 255) { column += 255; ++gap; }
        column += gaps[gap++];
        this.columns[value] = column++;
      }
      this.starts[row + 1] = value;
    }
    // A level is the upper bits of a float.
    const bits = new Uint32Array(256);
    for (let level = 0; level < 256; ++level) bits[level] = 0x3f800000 - (level << (23 - this.mantissa));
    this.valueOf = new Float32Array(bits.buffer);
    this.cache = new Map();
  }

  /** What each column of a row has that was not kept. */
  rest(row) {
    const { starts, levels, valueOf, tokens } = this;
    const count = starts[row + 1] - starts[row];
    if (count === tokens) return 0;
    let sum = 0;
    for (let i = starts[row]; i < starts[row + 1]; ++i) sum += valueOf[levels[i]];
    return Math.max(0, 1 - sum) / (tokens - count);
  }

  addHead(matrix, layer, head, weight) {
    const { starts, columns, levels, valueOf, tokens } = this;
    const first = (layer * this.heads + head) * tokens;
    for (let query = 0; query < tokens; ++query) {
      const row = first + query, base = query * tokens, rest = this.rest(row) * weight;
      if (rest > 0) for (let i = base; i < base + tokens; ++i) matrix[i] += rest;
      for (let i = starts[row]; i < starts[row + 1]; ++i) matrix[base + columns[i]] += valueOf[levels[i]] * weight - rest;
    }
  }

  /** [tokens · tokens] of a head, of a layer's mean (head -1), or of all (layer -1). */
  matrix(layer, head) {
    const key = layer + "/" + head;
    let matrix = this.cache.get(key);
    if (matrix) return matrix;
    matrix = new Float32Array(this.tokens * this.tokens);
    const layers = layer < 0 ? [...Array(this.layers).keys()] : [layer];
    const heads = head < 0 ? [...Array(this.heads).keys()] : [head];
    for (const l of layers) for (const h of heads) this.addHead(matrix, l, h, 1 / (layers.length * heads.length));
    if (this.cache.size >= 8) this.cache.delete(this.cache.keys().next().value);
    this.cache.set(key, matrix);
    return matrix;
  }

  /** The greatest value in each of size × size fields of a head, for a thumbnail. */
  thumbnail(layer, head, size) {
    const { starts, columns, levels, valueOf, tokens } = this;
    const first = (layer * this.heads + head) * tokens, fields = new Float32Array(size * size);
    const field = (token) => Math.min(size - 1, Math.floor((token * size) / tokens));
    const spread = tokens >= size ? null : Array.from({ length: size }, (_, i) => Math.floor((i * tokens) / size));
    if (spread) {
      const matrix = new Float32Array(tokens * tokens);
      this.addHead(matrix, layer, head, 1);
      for (let y = 0; y < size; ++y) for (let x = 0; x < size; ++x) fields[y * size + x] = matrix[spread[y] * tokens + spread[x]];
      return fields;
    }
    for (let query = 0; query < tokens; ++query) {
      const row = first + query, base = field(query) * size, rest = this.rest(row);
      for (let x = 0; x < size; ++x) if (fields[base + x] < rest) fields[base + x] = rest;
      for (let i = starts[row]; i < starts[row + 1]; ++i) {
        const at = base + field(columns[i]), value = valueOf[levels[i]];
        if (fields[at] < value) fields[at] = value;
      }
    }
    return fields;
  }
}

/** Shade of a probability, 0 … 255: by its square root, so that small values show. */
const shade = (p) => Math.min(255, Math.round(255 * Math.sqrt(p)));

/** An image of values as shades. */
function picture(values, width, height) {
  const image = new ImageData(width, height), pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; ++i) pixels[i] = colours.ramp[shade(values[i])];
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
