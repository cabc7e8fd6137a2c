// zlib's format (RFC 1950, 1951) where the browser has no DecompressionStream.

function inflateByHand(input, size) {
  const output = new Uint8Array(size);
  let at = 2, to = 0, held = 0, bits = 0;
  const take = (count) => {
    while (bits < count) { held |= input[at++] << bits; bits += 8; }
    const value = held & ((1 << count) - 1);
    held >>>= count; bits -= count;
    return value;
  };
  // Canonical Huffman codes: how many of each length, and the symbols in order.
  const table = (lengths) => {
    const counts = new Uint16Array(16), offsets = new Uint16Array(16), symbols = new Uint16Array(lengths.length);
    for (const length of lengths) ++counts[length];
    counts[0] = 0;
    for (let i = 1; i < 15; ++i) offsets[i + 1] = offsets[i] + counts[i];
    lengths.forEach((length, symbol) => { if (length) symbols[offsets[length]++] = symbol; });
    return { counts, symbols };
  };
  const decode = ({ counts, symbols }) => {
    let code = 0, first = 0, index = 0;
    for (let length = 1; length < 16; ++length) {
      code |= take(1);
      if (code - counts[length] < first) return symbols[index + code - first];
      index += counts[length];
      first = (first + counts[length]) << 1;
      code <<= 1;
    }
    throw new Error("attention data is damaged");
  };
  const lengthBase = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
  const lengthMore = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
  const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  for (let last = 0; !last;) {
    last = take(1);
    const type = take(2);
    if (type === 0) {
      held = bits = 0;
      const length = input[at] | (input[at + 1] << 8);
      output.set(input.subarray(at + 4, at + 4 + length), to);
      at += 4 + length; to += length;
      continue;
    }
    let literals, distances;
    if (type === 1) {
      literals = table(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)));
      distances = table(new Array(30).fill(5));
    } else {
      const literalCount = take(5) + 257, distanceCount = take(5) + 1, codeCount = take(4) + 4;
      const lengths = new Array(19).fill(0);
      for (let i = 0; i < codeCount; ++i) lengths[order[i]] = take(3);
      const codes = table(lengths), all = [];
      while (all.length < literalCount + distanceCount) {
        const symbol = decode(codes);
        if (symbol < 16) all.push(symbol);
        else {
          const [value, count] = symbol === 16 ? [all[all.length - 1], 3 + take(2)] : [0, symbol === 17 ? 3 + take(3) : 11 + take(7)];
          for (let i = 0; i < count; ++i) all.push(value);
        }
      }
      literals = table(all.slice(0, literalCount));
      distances = table(all.slice(literalCount));
    }
    for (;;) {
      const symbol = decode(literals);
      if (symbol < 256) { output[to++] = symbol; continue; }
      if (symbol === 256) break;
      const length = lengthBase[symbol - 257] + take(lengthMore[symbol - 257]);
      const code = decode(distances), more = code < 2 ? 0 : (code >> 1) - 1;
      const distance = (code < 2 ? code + 1 : ((2 + (code & 1)) << more) + 1) + take(more);
      for (let i = 0; i < length; ++i, ++to) output[to] = output[to - distance];
    }
  }
  return output;
}

async function inflate(input, size) {
  if (typeof DecompressionStream === "undefined") return inflateByHand(input, size);
  const stream = new Blob([input]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
