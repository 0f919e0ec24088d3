/** One receiver that is away: the others are told once all the same, and it is told when it is back. */
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import { silent } from "../../../src/log.ts";
import { type Alert, openNotifier } from "../../../src/notify/notifier.ts";
import { handClock } from "../../fakes/clock.ts";

let server: Server;
let base = "";
let isAway = false;
const told: string[] = [];
const bodies: string[] = [];

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const body = (await request.toArray()).join("");
    if (isAway && request.url !== "/hook") {
      response.writeHead(503).end();
      return;
    }
    told.push(request.url ?? "");
    bodies.push(body);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  base = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
});
afterAll(() => server.close());

const alert: Alert = {
  name: "Backup Missing",
  severity: "critical",
  policy: "postgresql",
  message: "none in 26 h",
  hint: "holdfast status",
  receivers: ["hook", "manager"],
  when: "backup-failed",
};

it("is told late, and nobody is told twice", async () => {
  const clock = handClock();
  const notifier = openNotifier({
    receivers: () => [
      { name: "hook", type: "webhook", url: `${base}/hook` },
      { name: "manager", type: "alertmanager", url: base },
    ],
    cluster: () => "demo",
    clock,
    log: silent,
    retries: 0,
  });
  const beganAt = new Date(clock.nowMs()).toISOString();
  isAway = true;
  for (let look = 0; look < 5; look += 1) {
    expect(await notifier.update([alert])).toMatchObject([{ receiver: "manager" }]);
    await clock.advance(60_000);
  }
  expect(told).toEqual(["/hook"]);
  isAway = false;
  expect(await notifier.update([alert])).toEqual([]);
  expect(told).toEqual(["/hook", "/api/v2/alerts"]);
  // When it began, and not when it could be told.
  expect(JSON.parse(bodies[1] ?? "")[0].startsAt).toBe(beganAt);
  isAway = true;
  await notifier.update([]);
  await notifier.update([]);
  expect(told.slice(2)).toEqual(["/hook"]);
  isAway = false;
  await notifier.update([]);
  await notifier.update([]);
  expect(told.slice(3)).toEqual(["/api/v2/alerts"]);
});
