/** Somebody with the bucket, the key and the format's description gets the bytes back. */
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { newIdentity } from "../../../src/crypto/identity.ts";
import { makeFixture, manifestFor } from "./fixture.ts";

const program = join(import.meta.dirname, "../../../docs/restore-without-holdfast.py");
const python = (...args: string[]) => execFileSync("python3", [program, ...args], { encoding: "utf8" });

describe("docs/restore-without-holdfast.py", () => {
  it.each(["none", "gzip", "zstd"] as const)("reads what was stored with codec %s", async (codec) => {
    const f = await makeFixture({ codec });
    try {
      const content = randomBytes(1_500_000);
      const input = join(f.folder, "in");
      await writeFile(input, content);
      const repository = await f.open();
      const draft = await repository.draft("20261120T020000Z", "");
      await draft.sink.fromCommand("base.tar", { argv: ["cat", input] });
      await draft.commit(manifestFor(draft));
      await repository.log.put({ branch: "00000001", name: "000000010000000000000003" }, input);
      const identity = join(f.folder, "identity");
      await writeFile(identity, `# mine\n${f.keys.identity}\n`);

      expect(python("list", f.settings.path, "pg/")).toContain("base.tar");
      const out = join(f.folder, "out");
      const from = ["artifact", f.settings.path, "pg/", "20261120T020000Z", "base.tar"];
      python(...from, out, "--identity", identity);
      const segment = join(f.settings.path, "pg-wal/log/00000001/000000010000000000000003");
      python("object", segment, `${out}.wal`, "--identity", identity);
      const decode = { none: (b: Buffer) => b, gzip: gunzipSync, zstd: zstdDecompressSync }[codec];
      expect(Buffer.compare(decode(readFileSync(out)), content)).toBe(0);
      expect(Buffer.compare(decode(readFileSync(`${out}.wal`)), content)).toBe(0);

      const stored = join(f.settings.path, draft.artifacts[0]!.objects[0]!.key);
      const bytes = readFileSync(stored);
      bytes[bytes.length - 100]! ^= 1;
      await writeFile(stored, bytes);
      expect(() => python(...from, `${out}2`, "--identity", identity)).toThrow("was changed, cut or moved");
      await writeFile(identity, (await newIdentity()).identity);
      expect(() => python(...from, `${out}3`, "--identity", identity)).toThrow("no identity fits");
    } finally {
      await f.remove();
    }
  });

  it("names the file that is not there, in one line", () => {
    const missing = join(import.meta.dirname, "no-such-folder");
    const { status, stderr } = spawnSync("python3", [program, "list", missing, "pg/"], { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toBe(`error: No such file or directory: '${join(missing, "pg/manifests")}'\n`);
  });
});
