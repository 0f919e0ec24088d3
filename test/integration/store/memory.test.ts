/** Memory does not grow with an object: measured in a process of its own. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type S3Server, startS3Server } from "../../servers/s3-server.ts";

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
});
afterAll(() => server?.stop());

it("uploads 256 MiB from two part buffers, and reads it back within a bound", async () => {
  const child = fileURLToPath(new URL("upload-child.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [child, "256"], {
    env: {
      PATH: process.env["PATH"] ?? "",
      ENDPOINT: server.endpoint,
      BUCKET: server.bucket,
      ACCESS_KEY_ID: server.accessKeyId,
      SECRET_ACCESS_KEY: server.secretAccessKey,
    },
  });
  const seen = JSON.parse(stdout) as {
    loadedMb: number;
    afterUploadMb: number;
    peakMb: number;
    same: boolean;
  };
  expect(seen.same).toBe(true);
  // Two parts of 8 MiB and some room for the collector.
  expect(seen.afterUploadMb - seen.loadedMb).toBeLessThan(40);
  // Reading makes a buffer per network read; the collector lets some tens of megabytes of them gather.
  expect(seen.peakMb - seen.loadedMb).toBeLessThan(150);
});
