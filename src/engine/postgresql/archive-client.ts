/**
 * The thin client for archive_command: `node archive-client.ts SOCKET %p`. It ends with 0 only after the
 * receiver has said that the store has the file; anything else makes the server keep it and ask again.
 * It imports nothing of Holdfast, because it starts once per segment.
 */
import { connect } from "node:net";
import { resolve } from "node:path";

const [, , socketPath = "", walPath = ""] = process.argv;
const deadlineMs = 120_000;

function fail(message: string): never {
  process.stderr.write(`holdfast: ${message}\n`);
  process.exit(1);
}

if (socketPath === "" || walPath === "") fail("wanted: SOCKET and the path of a WAL file (%p)");
const socket = connect(socketPath);
let answer = "";
socket.setTimeout(deadlineMs, () => fail("no answer from the receiver; the server will ask again"));
socket.on("error", (error) => fail(`the receiver is not there (${error.message}); is holdfast wal running?`));
socket.on("connect", () => socket.write(`${resolve(walPath)}\n`));
socket.on("data", (chunk) => {
  answer += String(chunk);
});
socket.on("end", () => {
  if (answer === "ok\n") process.exit(0);
  fail(answer.trim() === "" ? "the receiver hung up" : answer.trim());
});
