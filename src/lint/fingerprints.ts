/** What a finding is called where it has to be known again: in a baseline and by code scanning. */
import type { Finding } from "../finding.ts";

/**
 * One per finding, in their order. It stays while lines move, changes when what is said changes, and a count tells
 * equal findings of one file apart, so all of them differ.
 */
export function fingerprintsOf(findings: readonly Finding[]): readonly string[] {
  const occurrences = new Map<string, number>();
  return findings.map(({ rule, location, message }) => {
    const print = `${rule}|${location.file.replaceAll("\\", "/")}|${message}`;
    const count = (occurrences.get(print) ?? 0) + 1;
    occurrences.set(print, count);
    return `${hash(print)}:${count}`;
  });
}

/** FNV-1a over UTF-16 units, twice: only has to tell findings apart, not to resist anybody. */
function hash(text: string): string {
  const round = (seed: number): string => {
    let value = seed;
    for (let i = 0; i < text.length; i += 1) {
      value ^= text.charCodeAt(i);
      value = Math.imul(value, 0x01000193);
    }
    return (value >>> 0).toString(16).padStart(8, "0");
  };
  return round(0x811c9dc5) + round(0x9e3779b9);
}
