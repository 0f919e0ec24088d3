/** Every store against the one contract. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDirectoryStore } from "../../src/store/directory.ts";
import { openMemoryStore } from "../fakes/memory-store.ts";
import { directorySettings } from "../servers/settings.ts";
import { storeConformance } from "./store.ts";

storeConformance(
  "folder store",
  async () => {
    const path = await mkdtemp(join(tmpdir(), "holdfast-store-"));
    return {
      store: openDirectoryStore(directorySettings(path)),
      stop: () => rm(path, { recursive: true, force: true }),
    };
  },
  { ifAbsent: true, ifMatch: true },
);

storeConformance("memory store", async () => ({ store: openMemoryStore("memory"), stop: async () => {} }), {
  ifAbsent: true,
  ifMatch: true,
});
