"use strict";
// A GIF89a of RGBA pictures of one size: the 64 colours of two bits a channel, LZW as the format has it.
function gif(pictures, width, height, hundredths) {
  const bytes = [];
  const word = (value) => bytes.push(value & 255, value >> 8);
  bytes.push(..."GIF89a".split("").map((c) => c.charCodeAt(0)));
  word(width); word(height);
  bytes.push(0xf5, 0, 0); // a global table of 64 colours
  for (let i = 0; i < 64; i++) bytes.push((i >> 4) * 85, ((i >> 2) & 3) * 85, (i & 3) * 85);
  bytes.push(0x21, 0xff, 11, ..."NETSCAPE2.0".split("").map((c) => c.charCodeAt(0)), 3, 1, 0, 0, 0); // for ever
  for (const data of pictures) {
    bytes.push(0x21, 0xf9, 4, 0); word(hundredths); bytes.push(0, 0);
    bytes.push(0x2c); word(0); word(0); word(width); word(height); bytes.push(0, 6);
    const packed = lzw(data, width * height);
    for (let i = 0; i < packed.length; i += 255) {
      const block = packed.slice(i, i + 255);
      bytes.push(block.length, ...block);
    }
    bytes.push(0);
  }
  bytes.push(0x3b);
  return new Blob([new Uint8Array(bytes)], { type: "image/gif" });
}
function lzw(data, pixels) {
  const CLEAR = 64, END = 65, out = [];
  let table = new Map(), next = 66, size = 7, held = 0, count = 0;
  const emit = (code) => {
    held |= code << count; count += size;
    while (count >= 8) { out.push(held & 255); held >>= 8; count -= 8; }
  };
  const colour = (i) => (Math.round(data[4 * i] / 85) << 4) | (Math.round(data[4 * i + 1] / 85) << 2) | Math.round(data[4 * i + 2] / 85);
  emit(CLEAR);
  let prefix = colour(0);
  for (let i = 1; i < pixels; i++) {
    const suffix = colour(i), key = prefix * 64 + suffix;
    if (table.has(key)) { prefix = table.get(key); continue; }
    emit(prefix);
    if (next === 4096) { emit(CLEAR); table = new Map(); next = 66; size = 7; }
    else { if (next === 1 << size) size++; table.set(key, next++); }
    prefix = suffix;
  }
  emit(prefix); emit(END);
  if (count) out.push(held & 255);
  return out;
}
