/** Alerts over real HTTP: once when they begin, once when they end, and never silently lost. */
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { silent } from "../../../src/log.ts";
import { type Alert, openNotifier } from "../../../src/notify/notifier.ts";
import { handClock } from "../../fakes/clock.ts";

let server: Server;
let base = "";
let status = 200;
const requests: { readonly method: string; readonly url: string; readonly body: string }[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += String(chunk);
    });
    request.on("end", () => {
      requests.push({ method: request.method ?? "", url: request.url ?? "", body });
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  base = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
});
afterAll(() => server.close());
beforeEach(() => {
  requests.length = 0;
  status = 200;
});

const alert: Alert = {
  name: "Backup Missing",
  severity: "critical",
  policy: "postgresql",
  message: "none in 26 h",
  hint: "holdfast status",
  receivers: ["hook", "manager"],
  when: "backup-failed",
};

function open() {
  const clock = handClock();
  const notifier = openNotifier({
    receivers: () => [
      { name: "hook", type: "webhook", url: `${base}/hook` },
      { name: "manager", type: "alertmanager", url: base },
      { name: "alive", type: "dead-man", url: `${base}/alive` },
    ],
    cluster: () => "demo",
    clock,
    log: silent,
    retries: 1,
  });
  return { clock, notifier };
}

it("tells a beginning and an end once, and repeats to Alertmanager alone", async () => {
  const { clock, notifier } = open();
  expect(await notifier.update([alert])).toEqual([]);
  expect(requests.map((r) => r.url)).toEqual(["/hook", "/api/v2/alerts"]);
  expect(JSON.parse(requests[0]?.body ?? "")).toMatchObject({
    status: "firing",
    alert: "Backup Missing",
    policy: "postgresql",
  });
  expect(JSON.parse(requests[1]?.body ?? "")[0].labels).toMatchObject({
    alertname: "Backup Missing",
    cluster: "demo",
  });
  await notifier.update([alert]);
  expect(requests).toHaveLength(2);
  await clock.advance(5 * 60_000);
  await notifier.update([alert]);
  expect(requests.slice(2).map((r) => r.url)).toEqual(["/api/v2/alerts"]);
  await notifier.update([]);
  expect(JSON.parse(requests[3]?.body ?? "")).toMatchObject({ status: "resolved" });
  expect(JSON.parse(requests[4]?.body ?? "")[0].endsAt).toBeDefined();
});

it("says what could not be delivered and tries again at the next look", async () => {
  const { notifier } = open();
  status = 500;
  expect((await notifier.update([alert])).map((f) => f.receiver)).toEqual(["hook", "manager"]);
  status = 200;
  requests.length = 0;
  expect(await notifier.update([alert])).toEqual([]);
  expect(requests.map((r) => r.url)).toEqual(["/hook", "/api/v2/alerts"]);
});

it("calls the dead man's switch", async () => {
  const { notifier } = open();
  expect(await notifier.heartbeat()).toEqual([]);
  expect(requests).toEqual([{ method: "GET", url: "/alive", body: "" }]);
});
