/** Uploads so many MiB to the bucket of the environment, reads them back, and prints what it cost. */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { openS3Store } from "../../../src/store/s3.ts";
import { s3Settings } from "../../servers/settings.ts";

const need = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

/** The kernel's own high-water mark of this program; that of getrusage begins with the parent's memory. */
function peakMb(): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  return Math.round((Number(line?.[1]) * 1_024) / 1e6);
}

const mebibytes = Number(process.argv[2]);
const store = openS3Store(s3Settings(need("ENDPOINT"), need("BUCKET")), "write", {
  accessKeyId: need("ACCESS_KEY_ID"),
  secretAccessKey: need("SECRET_ACCESS_KEY"),
});
const chunk = randomBytes(256 * 1024);
const read = process.env["SKIP_READ"] === undefined;
// With the SDK and the connections in place: what Node itself takes is no matter of the store.
await store.put("memory/small", chunk);
const loadedMb = peakMb();
const loaded = process.cpuUsage();
const startedAtMs = performance.now();

const upload = store.upload("memory/large");
const sent = createHash("sha256");
for (let n = 0; n < mebibytes * 4; n += 1) {
  chunk.writeUInt32BE(n);
  if (read) sent.update(chunk);
  await upload.write(chunk);
}
await upload.complete();
const used = process.cpuUsage(loaded);
const seconds = (performance.now() - startedAtMs) / 1_000;

const afterUploadMb = peakMb();

const back = createHash("sha256");
if (read) for await (const piece of await store.read("memory/large")) back.update(piece as Uint8Array);
await store.close();

console.log(
  JSON.stringify({
    same: !read || sent.digest("hex") === back.digest("hex"),
    loadedMb,
    afterUploadMb,
    peakMb: peakMb(),
    uploadCpuSecondsPerGib: ((used.user + used.system) / 1e6 / mebibytes) * 1_024,
    uploadMibPerSecond: Math.round(mebibytes / seconds),
  }),
);
