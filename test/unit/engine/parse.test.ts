import { describe, expect, it } from "vitest";
import {
  countManifestFiles,
  parseBackupSpan,
  parseLastCommitMs,
  parseReached,
  segmentsOf,
} from "../../../src/engine/postgresql/parse.ts";

const mebibyte = 1024 * 1024;

const verbose = `pg_basebackup: initiating base backup, waiting for checkpoint to complete
pg_basebackup: checkpoint completed
pg_basebackup: write-ahead log start point: 0/2000028 on timeline 3
pg_basebackup: write-ahead log end point: 0/2000138
pg_basebackup: syncing data to disk ...
`;

describe("what pg_basebackup says", () => {
  it("start, end and timeline", () => {
    expect(parseBackupSpan(verbose)).toEqual({ startLsn: "0/2000028", stopLsn: "0/2000138", timeline: 3 });
  });
  it.each(["", verbose.replace("end point", "ende"), verbose.replace("start point", "Beginn")])(
    "is refused when a part is missing",
    (text) => {
      expect(() => parseBackupSpan(text)).toThrowError(/has not said/);
    },
  );
  it.each([
    ["0/2000028", "0/2000138", 32, 32],
    ["0/2000028", "0/2100000", 32, 32],
    ["0/2000028", "0/2100001", 32, 33],
    ["0/FFFFFFFF", "1/1", 4095, 4096],
    ["0/2000000", "0/2000000", 32, 32],
  ])("%s to %s needs segments %i to %i of 1 MiB", (startLsn, stopLsn, first, last) => {
    expect(segmentsOf({ startLsn, stopLsn, timeline: 1 }, mebibyte)).toEqual({ first, last });
  });
});

describe("what pg_waldump says", () => {
  const line = (what: string, at: string) =>
    `rmgr: Transaction len (rec/tot): 34/34, tx: 737, lsn: 0/015244D0, prev 0/01524490, desc: ${what} ${at} UTC`;
  it("the last commit counts, also a prepared or aborted one", () => {
    const text = [
      line("COMMIT", "2026-11-20 10:00:00.000001"),
      line("ABORT", "2026-11-20 10:00:01.500000"),
    ].join("\n");
    expect(parseLastCommitMs(text)).toBe(Date.parse("2026-11-20T10:00:01.500Z"));
    expect(parseLastCommitMs(line("COMMIT_PREPARED gid a: ", "2026-11-20 10:00:02"))).toBe(
      Date.parse("2026-11-20T10:00:02Z"),
    );
  });
  it("none when there is no commit", () => {
    expect(parseLastCommitMs("rmgr: Heap len 54, desc: INSERT off 2")).toBeUndefined();
  });
});

describe("what a recovering server says", () => {
  it("where it got to", () => {
    expect(
      parseReached([
        "LOG:  recovery stopping before commit of transaction 740, time 2026-11-20 10:00:00+00",
        "LOG:  redo done at 0/3000110 system usage: CPU",
        "LOG:  last completed transaction was at log time 2026-11-20 09:59:59.5+00",
        "LOG:  selected new timeline ID: 2",
      ]),
    ).toEqual({
      stopped: "before commit of transaction 740, time 2026-11-20 10:00:00+00",
      redo: "0/3000110",
      transaction: "2026-11-20 09:59:59.5Z",
      timeline: "2",
    });
  });
});

it("counts the files of a backup manifest, also those with odd names", () => {
  expect(countManifestFiles('[{ "Path": "a" }, { "Encoded-Path": "ff" }]')).toBe(2);
  expect(countManifestFiles("{}")).toBe(0);
});
