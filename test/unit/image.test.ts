/** What deploy/Containerfile copies is enough for every verb that needs files beside the program. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { copiedIntoImage } from "../servers/holdfast-image.ts";

const root = join(import.meta.dirname, "../..");

describe("the files of the image", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-image-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  for (const { from, to } of copiedIntoImage())
    cpSync(join(root, from), join(folder, to), { recursive: true });
  // `npm ci --omit=dev` of the same lockfile.
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const holdfast = (...args: readonly string[]) =>
    spawnSync(process.execPath, [join(folder, "src/cli/holdfast.mjs"), ...args], {
      encoding: "utf8",
      cwd: dirname(folder),
    });

  it("print the page of a rule and of an alert", () => {
    expect(holdfast("explain", "encryption/missing").stdout).toMatch(/^# encryption\/missing\n/);
    expect(holdfast("explain", "SlotLost").stdout).toMatch(/^# SlotLost\n/);
  });

  it("write a starter repository, and lint it", () => {
    const started = holdfast("init", join(folder, "started"));
    expect(started.stderr).toBe("");
    expect(holdfast("lint", join(folder, "started/policies")).status).toBe(0);
  });

  it("hold the reader that goes beside a report", () => {
    expect(existsSync(join(folder, "docs/restore-without-holdfast.py"))).toBe(true);
  });
});
