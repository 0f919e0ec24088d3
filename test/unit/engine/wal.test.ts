import { describe, expect, it } from "vitest";
import {
  formatLsn,
  logNames,
  parseHistory,
  parseLsn,
  parseSegment,
  segmentName,
} from "../../../src/engine/postgresql/wal.ts";

const mebibyte = 1024 * 1024;
const sizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024].map((m) => m * mebibyte);

describe("names of WAL segments", () => {
  it.each(sizes)("go there and back at %i bytes, also where a log of 4 GiB ends", (segmentBytes) => {
    const perLog = 2 ** 32 / segmentBytes;
    for (const sequence of [0, 1, perLog - 1, perLog, perLog + 1, 7 * perLog - 1, 2 ** 20 * perLog]) {
      const name = segmentName("0000000A", sequence, segmentBytes);
      expect(name).toHaveLength(24);
      expect(parseSegment(name, segmentBytes)).toEqual({ branch: "0000000A", sequence });
    }
    expect(segmentName("00000001", perLog, segmentBytes)).toBe("000000010000000100000000");
  });

  it("are those the server gives", () => {
    // pg_walfile_name('16/B374D848') at 16 MiB
    expect(
      segmentName("00000001", Math.floor((parseLsn("16/B374D848") ?? 0) / (16 * mebibyte)), 16 * mebibyte),
    ).toBe("0000000100000016000000B3");
    expect(segmentName("00000001", Math.floor((parseLsn("16/B374D848") ?? 0) / mebibyte), mebibyte)).toBe(
      "000000010000001600000B37",
    );
  });

  it.each([
    "",
    "00000001000000000000000",
    "0000000100000000000000001",
    "00000001000000000000000g",
    "0000000a0000000000000001",
    "000000010000000000000001.partial",
    "00000002.history",
    "000000010000000000000001.00000028.backup",
  ])("'%s' is none", (name) => {
    expect(parseSegment(name, 16 * mebibyte)).toBeUndefined();
  });

  it("a number beyond the log's end belongs to another segment size", () => {
    expect(parseSegment("0000000100000000000000FF", 16 * mebibyte)?.sequence).toBe(255);
    expect(parseSegment("000000010000000000000100", 16 * mebibyte)).toBeUndefined();
    expect(parseSegment("000000010000000000000100", mebibyte)?.sequence).toBe(256);
  });

  it("follow the segment size of a manifest", () => {
    const manifest = { engine: { segmentBytes: mebibyte } } as never;
    expect(logNames().forManifest?.(manifest).segmentBytes).toBe(mebibyte);
    expect(logNames(mebibyte).forManifest?.({ engine: {} } as never).segmentBytes).toBe(mebibyte);
  });
});

describe("positions", () => {
  it.each(["0/0", "0/1", "0/FFFFFFFF", "1/0", "16/B374D848", "1FFFFF/FFFFFFFF"])(
    "%s goes there and back",
    (lsn) => {
      expect(formatLsn(parseLsn(lsn) ?? Number.NaN)).toBe(lsn);
    },
  );
  it.each(["", "0", "0/", "/0", "0/G", "0/123456789", "-1/0", "0/0 x"])("'%s' is none", (text) => {
    expect(parseLsn(text)).toBeUndefined();
  });
});

describe("history files", () => {
  it("the last line is the fork that began the timeline", () => {
    const text =
      "1\t0/3000110\tno recovery target specified\n\n2\t0/5000000\tbefore 2026-01-01 00:00:00+00\n";
    expect(parseHistory("00000003", text, mebibyte)).toEqual({
      branch: "00000003",
      parent: "00000002",
      forkSequence: 0x50,
    });
  });
  it("an empty one names no parent, and timeline 16 is written in hex", () => {
    expect(parseHistory("00000001", "", mebibyte)).toEqual({ branch: "00000001" });
    expect(parseHistory("00000011", "16\t1/0\tx\n", mebibyte).parent).toBe("00000010");
  });
});
