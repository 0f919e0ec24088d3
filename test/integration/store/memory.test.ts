/** Memory stays the same however large an object is: measured in a process of its own. */
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

it("uploads and reads 256 MiB below 128 MB", async () => {
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
  const seen = JSON.parse(stdout) as { peakMb: number; same: boolean };
  expect(seen.same).toBe(true);
  expect(seen.peakMb).toBeLessThan(128);
});
