/** Sizes as people write them: `512 MiB`, `1.5GB`, `100`. Binary and decimal units are both exact. */

const unitBytes: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  pb: 1e15,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  pib: 2 ** 50,
};
const binary = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Bytes, or undefined for text that is no size or too large to count exactly; parts of a byte are dropped. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s?([kmgtp]?i?b)?$/i.exec(text);
  if (match === null) return undefined;
  const factor = unitBytes[(match[2] ?? "b").toLowerCase()];
  if (factor === undefined) return undefined;
  const bytes = Math.floor(Number(match[1]) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Three significant figures with a binary unit: `0 B`, `1.5 GiB`, `312 MiB`. */
export function formatSize(sizeBytes: number): string {
  let value = Math.abs(sizeBytes);
  let unit = 0;
  while (value >= 1023.5 && unit < binary.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  const number = digits === 0 ? value.toFixed(0) : String(Number(value.toFixed(digits)));
  return `${sizeBytes < 0 ? "-" : ""}${number} ${binary[unit]}`;
}
