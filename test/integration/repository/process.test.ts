/** The storing process itself: killed in the middle it leaves no point, and its memory does not grow with size. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { makeFixture } from "./fixture.ts";

const child = join(import.meta.dirname, "store-in-child.ts");

it("leaves no listed point when it is killed, and only what the sweep takes", async () => {
  const f = await makeFixture();
  try {
    const script = "while head -c 1000000 /dev/urandom; do :; done";
    const storing = spawn(process.execPath, [child, f.settings.path, f.keys.recipient, "zstd", script]);
    const uploads = join(f.settings.path, ".uploads");
    const hasBegun = () => existsSync(uploads) && readdirSync(uploads).length > 0;
    while (!hasBegun()) await sleep(20);
    await sleep(300);
    storing.kill("SIGKILL");
    await once(storing, "exit");
    const repository = await f.open();
    expect(await repository.catalogue()).toMatchObject({ points: [], unreadable: [] });
    await repository.mark();
    const later = Date.now() + 2 * 86_400_000;
    expect((await repository.sweep(later, 86_400_000, true)).length).toBe(1);
    expect(await repository.sweep(later, 86_400_000, false)).toEqual([]);
  } finally {
    await f.remove();
  }
});

it("needs no more memory for 1 GiB than for a fifth of it", async () => {
  const f = await makeFixture();
  const store = (sizeBytes: number, folder: string): { maxRssMiB: number; plainBytes: number } => {
    const script = `openssl enc -aes-128-ctr -nosalt -pass pass:x -in /dev/zero 2>/dev/null | head -c ${sizeBytes}`;
    const args = [child, join(f.settings.path, folder), f.keys.recipient, "none", script];
    return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
  };
  try {
    mkdirSync(f.settings.path);
    const small = store(200_000_000, "small");
    const large = store(1_073_741_824, "large");
    console.info({ small, large });
    expect(large.plainBytes).toBe(1_073_741_824);
    expect(large.maxRssMiB).toBeLessThan(small.maxRssMiB * 1.15);
    expect(large.maxRssMiB).toBeLessThan(220);
  } finally {
    await f.remove();
  }
});
