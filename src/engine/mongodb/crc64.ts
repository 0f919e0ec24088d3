/** CRC-64/XZ (ECMA-182, reflected), the checksum of mongodump's archives; two 32-bit halves, for speed. */

const polynomialHigh = 0xc96c5795;
const polynomialLow = 0xd7870f42;
const tableHigh = new Uint32Array(256);
const tableLow = new Uint32Array(256);

for (let byte = 0; byte < 256; byte += 1) {
  let high = 0;
  let low = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    const isOdd = (low & 1) === 1;
    low = (low >>> 1) | ((high & 1) << 31);
    high >>>= 1;
    if (!isOdd) continue;
    high ^= polynomialHigh;
    low ^= polynomialLow;
  }
  tableHigh[byte] = high >>> 0;
  tableLow[byte] = low >>> 0;
}

/** The checksum of everything given to `update` so far. */
export class Crc64 {
  #high = 0xffffffff;
  #low = 0xffffffff;

  update(bytes: Uint8Array): void {
    let high = this.#high;
    let low = this.#low;
    for (let at = 0; at < bytes.length; at += 1) {
      const index = (low ^ (bytes[at] as number)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (tableLow[index] as number);
      high = (high >>> 8) ^ (tableHigh[index] as number);
    }
    this.#high = high >>> 0;
    this.#low = low >>> 0;
  }

  /** 16 hex digits. */
  digest(): string {
    return `${hex(~this.#high)}${hex(~this.#low)}`;
  }
}

function hex(half: number): string {
  return (half >>> 0).toString(16).padStart(8, "0");
}
