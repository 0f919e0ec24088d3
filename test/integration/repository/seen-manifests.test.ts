/** A listing that has lost a manifest is noticed, also by a process that has never seen it itself. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { openSeenManifests } from "../../../src/repository/seen-manifests.ts";
import { handClock } from "../../fakes/clock.ts";

const cacheDirectory = mkdtempSync(join(tmpdir(), "holdfast-seen-"));
afterAll(() => rmSync(cacheDirectory, { recursive: true, force: true }));
const clock = handClock();
const context = {
  cacheDirectory,
  clock,
  cluster: "c",
  prefix: "p/",
  policy: { name: "postgresql" },
  settings: { name: "primary" },
};
const none = new Map<string, number>();

it("tells a lost manifest to every later process, and forgives a marked one after its grace", async () => {
  const first = openSeenManifests(context);
  expect(await first.compare(new Set(["a", "b", "c"]), none)).toEqual([]);
  const second = openSeenManifests(context);
  expect(await second.compare(new Set(["a", "c"]), none)).toEqual(["b"]);
  expect(await openSeenManifests(context).compare(new Set(["a", "c"]), none)).toEqual(["b"]);
  expect(await second.compare(new Set(["a", "b", "c"]), new Map([["b", clock.nowMs() + 1000]]))).toEqual([]);
  expect(await openSeenManifests(context).compare(new Set(["a", "c"]), none)).toEqual(["b"]);
  await clock.advance(2000);
  expect(await openSeenManifests(context).compare(new Set(["a", "c"]), none)).toEqual([]);
});

it("forgets what this process has removed itself", async () => {
  const seen = openSeenManifests(context);
  await seen.compare(new Set(["a", "c"]), none);
  seen.forget("c");
  expect(await seen.compare(new Set(["a"]), none)).toEqual([]);
});
