/** The reconciler's folder: one holder at a time whatever died before, and files that are whole. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { openStateFolder } from "../../../src/operate/state-folder.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-state-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const program = join(folder, "holder.ts");
const source = fileURLToPath(new URL("../../../src/operate/state-folder.ts", import.meta.url));
writeFileSync(
  program,
  `import { openStateFolder } from ${JSON.stringify(source)};
await openStateFolder(process.argv[2]).lock().then(
  () => { console.log("got"); setInterval(() => {}, 1000); },
  (error) => console.log(error.code),
);
`,
);

function contend(directory: string): { readonly child: ChildProcess; readonly said: Promise<string> } {
  const child = spawn(process.execPath, [program, directory], { stdio: ["ignore", "pipe", "inherit"] });
  const said = new Promise<string>((resolve) =>
    child.stdout.once("data", (chunk) => resolve(String(chunk).trim())),
  );
  return { child, said };
}

describe("the lock", () => {
  it("has one holder of six that start at once, also after the one before was killed", async () => {
    const directory = join(folder, "raced");
    for (let round = 0; round < 3; round += 1) {
      const rivals = Array.from({ length: 6 }, () => contend(directory));
      const said = await Promise.all(rivals.map((r) => r.said));
      expect([...said].sort()).toEqual(["got", "locked", "locked", "locked", "locked", "locked"]);
      for (const { child } of rivals) {
        const gone = new Promise((resolve) => child.once("exit", resolve));
        if (child.exitCode !== null || !child.kill("SIGKILL")) continue;
        await gone;
      }
    }
  });

  it("names the holder, knows the folder by any of its names, and is free after release", async () => {
    const directory = join(folder, "named");
    const lock = await openStateFolder(directory).lock();
    const alias = join(folder, "alias");
    symlinkSync(directory, alias);
    await expect(openStateFolder(alias).lock()).rejects.toMatchObject({
      code: "locked",
      message: expect.stringContaining(`process ${process.pid}`),
    });
    await lock.release();
    await (await openStateFolder(alias).lock()).release();
  });
});

describe("the revision in force", () => {
  it("is the last that was written, with every byte of text", async () => {
    const state = openStateFolder(join(folder, "bundle"));
    await (await state.lock()).release();
    expect(await state.readCurrent()).toBeUndefined();
    const bytes = new TextEncoder().encode('a: "\u{1f512}"\n');
    const files = [{ path: "policies/ü.yaml", bytes }];
    const facts = { committedAt: "2026-11-23T12:00:00Z", subject: "s", author: "a" };
    const path = await state.writeBundle({ commit: "c1", tree: "t1", files, ...facts });
    expect(await state.readCurrent()).toBeUndefined();
    await state.setCurrent({ commit: "c1", tree: "t1" }, path);
    expect(await state.readCurrent()).toEqual({ commit: "c1", tree: "t1", path });
  });
});
