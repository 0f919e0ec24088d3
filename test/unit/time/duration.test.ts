import { describe, expect, it } from "vitest";
import { formatSize, parseSize } from "../../../src/size.ts";
import { formatDuration, parseDuration } from "../../../src/time/duration.ts";

describe("durations", () => {
  it.each([
    ["90s", 90_000],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["30d", 2_592_000_000],
    ["2w", 1_209_600_000],
    ["250ms", 250],
    ["0s", 0],
  ])("%s is %d ms", (text, ms) => expect(parseDuration(text)).toBe(ms));
  it.each(["", "5", "5 m", "m5", "1.5h", "30m1h", "1h1h", "-5m", "5M", "99999999999999d"])(
    "refuses %j",
    (text) => expect(parseDuration(text)).toBeUndefined(),
  );
  it.each([
    [0, "0s"],
    [1500, "1s500ms"],
    [5_400_000, "1h30m"],
    [86_400_000 * 14, "14d"],
    [12_345, "12s"],
    [Number.POSITIVE_INFINITY, "forever"],
  ])("writes %d as %s", (ms, text) => expect(formatDuration(ms)).toBe(text));
});

describe("sizes", () => {
  it.each([
    ["0", 0],
    ["1 GiB", 2 ** 30],
    ["1.5GB", 1.5e9],
    ["512 mib", 2 ** 29],
  ])("%s is %d bytes", (text, bytes) => expect(parseSize(text)).toBe(bytes));
  it.each(["", "GiB", "1 XB", "-1", "1e3", "9999999 PiB"])("refuses %j", (text) =>
    expect(parseSize(text)).toBeUndefined(),
  );
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1.5 * 2 ** 30, "1.5 GiB"],
    [1024 * 1024 - 1, "1 MiB"],
    [312 * 2 ** 20, "312 MiB"],
  ])("writes %d as %s", (bytes, text) => expect(formatSize(bytes)).toBe(text));
});
