/** A bucket that locks what is put into it: points are foreseen as locked, and no removal gets past it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { instant } from "../../../src/catalogue/instant.ts";
import type { StoreSettings } from "../../../src/policy/model.ts";
import { openRepository } from "../../../src/repository/open.ts";
import { type S3Server, s3ServerProgram, startS3Server } from "../../servers/s3-server.ts";
import { s3Settings } from "../../servers/settings.ts";
import { makeFixture, manifestFor } from "./fixture.ts";

const dayMs = 86_400_000;
const id = "20261120T020000Z";
const lockDays = 3;

describe.skipIf(s3ServerProgram("versitygw") === undefined)(
  "S3 store on versitygw: the server cannot be had here: object lock",
  () => {
    let server: S3Server;
    let fixture: Awaited<ReturnType<typeof makeFixture>>;
    const open = async (days: number, mode: "governance" | "compliance" = "compliance") => {
      const store = server.open();
      const settings: StoreSettings = {
        ...s3Settings(server.endpoint, server.bucket, "disk"),
        objectLock: { mode, days },
      };
      const stores = { read: store, write: store, delete: store };
      const { logStores: _, ...input } = fixture.inputOf();
      return { store, repository: await openRepository({ ...input, settings, stores }) };
    };

    beforeAll(async () => {
      server = await startS3Server("versitygw", { lockDays });
      fixture = await makeFixture();
    });
    afterAll(async () => {
      await fixture.remove();
      await server.stop();
    });

    it("keeps a locked point through every step of pruning, and says until when", async () => {
      const { store, repository } = await open(lockDays);
      await repository.mark();
      const lease = await repository.lock("run", "first");
      const draft = await repository.draft(id, "");
      await draft.sink.fromBytes("label", Buffer.from("small"));
      const manifestSha256 = await draft.commit(manifestFor(draft));
      await lease.release();
      await (await repository.lock("run", "second")).release();
      const storedMs = Date.now();
      const until = async () => Date.parse((await repository.catalogue()).points[0]?.lockedUntil ?? "");
      expect(Math.abs((await until()) - storedMs - lockDays * dayMs)).toBeLessThan(60_000);

      const past = instant(Date.now() - 1000);
      await repository.addTombstone({
        apiVersion: "holdfast.dev/v1",
        kind: "Tombstone",
        policy: "pg",
        point: id,
        at: past,
        notBefore: past,
        reason: "expired",
        manifestSha256,
      });
      // Now that it is marked, the store itself is asked.
      expect(Math.abs((await until()) - storedMs - lockDays * dayMs)).toBeLessThan(60_000);
      await expect(repository.removePoint(id, Date.now())).rejects.toMatchObject({
        code: "guard-refused",
        message: expect.stringContaining("the store locks it until"),
      });
      const [point] = (await repository.catalogue()).points;
      expect(await repository.verifyObjects(point!.manifest, "checksum")).toEqual([]);
      await repository.removeTombstone(id);
      expect((await repository.catalogue()).points[0]?.tombstone).toBeUndefined();
      await store.close();
    });

    it.each([
      { days: lockDays, mode: "compliance" as const, found: lockDays },
      { days: lockDays, mode: "governance" as const, found: lockDays },
      { days: 30, mode: "compliance" as const, found: lockDays },
    ])("compares what the bucket does with what the settings promise: $days days, $mode", async (row) => {
      const { store, repository } = await open(row.days, row.mode);
      expect(await repository.identity()).toMatchObject({
        identity: "ours",
        promisedLockDays: row.days,
        lockDays: row.found,
      });
      await store.close();
    });

    it("says of a bucket without a lock that it has none", async () => {
      const plain = await startS3Server("versitygw");
      try {
        const store = plain.open();
        expect(await store.objectLock()).toEqual({ mode: "none", days: 0 });
        await store.close();
      } finally {
        await plain.stop();
      }
    });
  },
);
