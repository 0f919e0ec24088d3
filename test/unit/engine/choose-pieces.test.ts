import { describe, expect, it } from "vitest";
import type { LogArchive } from "../../../src/catalogue/catalogue.ts";
import { choosePieces } from "../../../src/engine/postgresql/fetch-wal.ts";
import { newestPieces } from "../../../src/engine/postgresql/log-reach.ts";
import { segmentName } from "../../../src/engine/postgresql/wal.ts";

const mebibyte = 1024 * 1024;
const one = "00000001";
const two = "00000002";
const startMs = Date.parse("2026-11-20T10:00:00Z");
const minuteMs = 60_000;

const manifest = { id: "p", log: { branch: one, firstSequence: 10, lastSequence: 11 }, engine: {} } as never;

/** One segment per minute; sequences that end in "p" are partial. */
function archiveOf(
  pieces: readonly (readonly [branch: string, sequence: number, partial?: boolean])[],
  branches: LogArchive["branches"] = [],
): LogArchive {
  const segments = pieces.map(([branch, sequence, partial = false]) => ({
    branch,
    name: segmentName(branch, sequence, mebibyte),
    key: `${branch}/${sequence}${partial ? ".partial" : ""}`,
    partial,
    sequence,
    storedBytes: 1,
    storedAt: new Date(startMs + sequence * minuteMs).toISOString(),
  }));
  return { segments, branches } as unknown as LogArchive;
}

function keys(archive: LogArchive, target: Parameters<typeof choosePieces>[2]): readonly string[] {
  return choosePieces(manifest, archive, target, mebibyte).pieces.map((p) => p.key);
}

const straight = archiveOf([
  [one, 9],
  [one, 10],
  [one, 11],
  [one, 12],
  [one, 13],
  [one, 14, true],
]);

describe("which WAL a restore takes", () => {
  it("from the point's first segment to the end, the unfinished one too", () => {
    expect(keys(straight, { kind: "latest" })).toEqual(
      [10, 11, 12, 13].map((n) => `${one}/${n}`).concat(`${one}/14.partial`),
    );
  });
  it("its own segments for the point", () => {
    expect(keys(straight, { kind: "point" })).toEqual([`${one}/10`, `${one}/11`]);
  });
  it("through the segment of a position", () => {
    expect(keys(straight, { kind: "lsn", lsn: "0/C00000" })).toEqual([10, 11, 12].map((n) => `${one}/${n}`));
  });
  it("a whole segment in place of its partial one, whatever the order of the listing", () => {
    const both: readonly (readonly [string, number, boolean?])[] = [
      [one, 10],
      [one, 11],
      [one, 12, true],
      [one, 12],
    ];
    expect(keys(archiveOf(both), { kind: "latest" }).at(-1)).toBe(`${one}/12`);
    expect(keys(archiveOf([...both].reverse()), { kind: "latest" }).at(-1)).toBe(`${one}/12`);
  });
  it("for a time no more than what was stored within the clocks' slack after it", () => {
    const long = archiveOf(Array.from({ length: 60 }, (_, i) => [one, 10 + i] as const));
    const at = new Date(startMs + 12 * minuteMs).toISOString() as never;
    const taken = keys(long, { kind: "time", at });
    expect(taken.at(-1)).toBe(`${one}/23`);
  });
});

describe("a hole", () => {
  const holed = archiveOf([
    [one, 10],
    [one, 11],
    [one, 13],
  ]);
  it("before the end is named", () => {
    expect(() => keys(holed, { kind: "latest" })).toThrowError(/00000001000000000000000C is missing/);
  });
  it("in the point's own WAL is named for every target", () => {
    const broken = archiveOf([
      [one, 10],
      [one, 12],
    ]);
    for (const target of [{ kind: "point" }, { kind: "latest" }] as const)
      expect(() => keys(broken, target)).toThrowError(/00000001000000000000000B is missing/);
  });
  it("behind the point does not matter to the point", () => {
    expect(keys(holed, { kind: "point" })).toHaveLength(2);
  });
});

describe("timelines", () => {
  const fork = [
    { branch: two, parent: one, forkSequence: 12, key: "h" },
  ] as unknown as LogArchive["branches"];
  it("on the fork's own segment both are taken, after it the child alone", () => {
    const archive = archiveOf(
      [
        [one, 10],
        [one, 11],
        [one, 12, true],
        [two, 12],
        [two, 13],
      ],
      fork,
    );
    expect(keys(archive, { kind: "latest" })).toEqual([
      `${one}/10`,
      `${one}/11`,
      `${one}/12.partial`,
      `${two}/12`,
      `${two}/13`,
    ]);
  });
  it("a timeline that does not descend from the point's is left alone", () => {
    const archive = archiveOf([
      [one, 10],
      [one, 11],
      ["00000005", 12],
      ["00000005", 13],
    ]);
    expect(keys(archive, { kind: "latest" })).toEqual([`${one}/10`, `${one}/11`]);
  });
  // After a restore to an earlier instant the old timeline has the higher positions.
  const rewound = {
    ...archiveOf(
      [...[10, 11, 12, 13, 14, 15].map((n) => [one, n] as const), [two, 12], [two, 13, true]],
      fork,
    ),
    segmentBytes: mebibyte,
  };
  it("what was given up behind the fork is neither taken nor missed", () => {
    expect(keys(rewound, { kind: "latest" })).toEqual([
      `${one}/10`,
      `${one}/11`,
      `${one}/12`,
      `${two}/12`,
      `${two}/13.partial`,
    ]);
  });
  it("the reach is read from the newest timeline, not from the highest position", () => {
    expect(newestPieces(rewound).map((s) => s.key)).toEqual([
      `${two}/13.partial`,
      `${two}/12`,
      `${one}/11`,
      `${one}/10`,
    ]);
    const justForked = {
      ...archiveOf(
        [
          [one, 11],
          [one, 12],
          [one, 13],
        ],
        fork,
      ),
      segmentBytes: mebibyte,
    };
    expect(newestPieces(justForked).map((s) => s.key)).toEqual([`${one}/12`, `${one}/11`]);
  });
});
