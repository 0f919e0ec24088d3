import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { openLocalFiles } from "../../../src/platform/local/files.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-log-tail-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("is the end of a job's log from the beginning of a line on, and nothing where there is no log", async () => {
  const files = await openLocalFiles(folder);
  expect(await files.logTail("redis/capture", 100)).toBe("");
  writeFileSync(files.logPath("redis/capture"), "first line\nsecond line\nthird line\n");
  expect(await files.logTail("redis/capture", 1000)).toBe("first line\nsecond line\nthird line\n");
  // A line that is cut could hide half a secret from whoever redacts.
  expect(await files.logTail("redis/capture", 16)).toBe("third line\n");
});
