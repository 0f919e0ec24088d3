/** The S3 store against two servers that differ in what they honour. */
import { describe, it } from "vitest";
import { type S3ServerKind, s3ServerProgram, startS3Server } from "../servers/s3-server.ts";
import { storeConformance } from "./store.ts";

const servers: readonly S3ServerKind[] = ["seaweedfs", "versitygw"];
for (const kind of servers) {
  if (s3ServerProgram(kind) === undefined) {
    describe(`S3 store on ${kind}`, () => {
      it.skip(`S3 store on ${kind}: the server cannot be had here`, () => {});
    });
    continue;
  }
  storeConformance(
    `S3 store on ${kind}`,
    async () => {
      const server = await startS3Server(kind);
      return { store: server.open(), stop: () => server.stop() };
    },
    { ifAbsent: true, ifMatch: true },
  );
}
