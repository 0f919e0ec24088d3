/** An artifact cut into several objects: read back whole, and objects that changed places are told. */
import { randomBytes } from "node:crypto";
import { copyFile, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openKeyRing } from "../../../src/crypto/data-key.ts";
import { openDraft } from "../../../src/repository/draft.ts";
import { makeFixture, manifestFor } from "./fixture.ts";

it("reads several objects as one, and names two of equal size that were swapped", async () => {
  const f = await makeFixture({ codec: "none" });
  try {
    const content = randomBytes(1_000_000);
    const file = join(f.folder, "in");
    await writeFile(file, content);
    const input = f.inputOf();
    const context = { ...input, prefix: "pg/", ring: openKeyRing(input.identities) };
    const draft = await openDraft(context, "20261120T020000Z", "", { objectBytes: 300_000 });
    await draft.sink.fromCommand("base.tar", { argv: ["cat", file] });
    const manifest = manifestFor(draft);
    await draft.commit(manifest);
    const [base] = manifest.artifacts;
    const [first, second] = base!.objects;
    expect(base!.objects).toHaveLength(4);
    expect(second!.sizeBytes).toBe(first!.sizeBytes);

    const repository = await f.open();
    await repository.source(manifest).intoFile(base!, join(f.folder, "out"));
    expect((await readFile(join(f.folder, "out"))).equals(content)).toBe(true);

    const [a, b] = [first!, second!].map((o) => join(f.settings.path, o.key));
    await copyFile(a!, join(f.folder, "aside"));
    await rename(b!, a!);
    await copyFile(join(f.folder, "aside"), b!);
    const faults = await repository.verifyObjects(manifest, "checksum");
    expect(faults.map(({ key, fault }) => ({ key, fault }))).toEqual([
      { key: first!.key, fault: "context" },
      { key: second!.key, fault: "context" },
    ]);
    await expect(repository.source(manifest).intoFile(base!, join(f.folder, "out2"))).rejects.toMatchObject({
      code: "data-damaged",
    });
  } finally {
    await f.remove();
  }
});
