// Runs in pods, by `node -e`: `listen PORT…` answers on TCP and UDP; `ask JSON` says of each [host, port, protocol]
// what became of a connection; `wait JSON` ends when that one is refused, and says how long it was not.
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";

const patienceMs = 3_000;
const [verb, ...rest] = process.argv.slice(1);

if (verb === "listen") {
  for (const port of rest.map(Number)) {
    createServer((socket) => socket.on("error", () => {}).end("here\n")).listen(port, "0.0.0.0");
    const udp = createSocket("udp4");
    udp.on("message", (_, from) => udp.send("here", from.port, from.address));
    udp.bind(port, "0.0.0.0");
  }
  process.on("SIGTERM", () => process.exit(0));
}
if (verb === "ask") {
  const all = JSON.parse(rest[0] ?? "[]");
  process.stdout.write(JSON.stringify(await Promise.all(all.map(reach))));
}
if (verb === "wait") {
  const startedAtMs = Date.now();
  let openMs = 0;
  while ((await reach(JSON.parse(rest[0] ?? ""))) === "open") {
    openMs = Date.now() - startedAtMs;
    if (openMs > 60_000) process.exit(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { writeFileSync } = await import("node:fs");
  writeFileSync("/dev/termination-log", String(openMs));
}

/** `open`, or why not. */
function reach([host, port, protocol]) {
  return new Promise((resolve) => {
    const socket = protocol === "UDP" ? createSocket("udp4") : connect({ host, port });
    const done = (word) => {
      clearTimeout(timer);
      if (protocol === "UDP") socket.close();
      else socket.destroy();
      resolve(word);
    };
    const timer = setTimeout(() => done("no answer"), patienceMs);
    socket.once("error", (error) => done(error.code));
    if (protocol !== "UDP") socket.once("connect", () => done("open"));
    else socket.once("message", () => done("open")).connect(port, host, () => socket.send("?"));
  });
}
