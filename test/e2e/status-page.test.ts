/**
 * The status page in a real browser: readable on a phone and on a desk, light and dark, by keyboard and without
 * scripts, with nothing said on the console. `HOLDFAST_UPDATE=1` writes the pictures of docs/pictures anew.
 */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startStatusServer } from "../../src/cli/status-server.ts";
import { renderStatusPage } from "../../src/report/status-page.ts";
import type { PolicyHealth } from "../../src/state/health.ts";
import { chromiumProgram, openBrowser, openView } from "../servers/browser.ts";
import { openWorld, policyFor } from "../servers/world.ts";
import { dayMs, health, nowMs, verdict } from "../unit/report/fixtures.ts";

const program = chromiumProgram();
const pictures = join(import.meta.dirname, "../../docs/pictures");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const check = (name: string, level: 0 | 3 | 5, state: PolicyHealth["proof"]) => ({
  name,
  level,
  everyMs: 7 * dayMs,
  state,
  ...(state === "unproven" ? {} : { verdict: verdict(nowMs - 3_600_000, level) }),
});
const redis = health({
  policy: "redis",
  component: "redis",
  sizeBytes: 1_400_000_000,
  pointsCount: 168,
  proof: "overdue",
  checks: [check("backup exists", 0, "proved"), check("checked by the tool", 3, "overdue")],
  exposureSeconds: 2100,
  measured: { rpoSeconds: 3400, at: "2026-11-20T04:00:00.000Z" },
  target: { rpoSeconds: 3600, rtoSeconds: 900 },
  conditions: [
    {
      kind: "verification-overdue",
      policy: "redis",
      severity: "warning",
      message: "'checked by the tool' was last done 9 d ago, at most 7 d are wanted",
      hint: "holdfast verify redis --level 3",
    },
  ],
});
const mongodb = health({
  policy: "mongodb-with-a-name-that-is-rather-long-for-a-telephone",
  component: "mongodb",
  proof: "failed",
  checks: [check("backup exists", 0, "failed"), check("full restore", 5, "unproven")],
  exposureSeconds: 93_000,
  conditions: [
    {
      kind: "verification-failed",
      policy: "mongodb-with-a-name-that-is-rather-long-for-a-telephone",
      severity: "critical",
      message:
        "point 20261122T020000Z: object 'mongodb/data/20261122T020000Z/0123456789abcdef/dump/000000.hf' has 4 bytes instead of 1048576",
      hint: "holdfast verify mongodb-with-a-name-that-is-rather-long-for-a-telephone --level 2",
    },
  ],
});
const { newest: _newest, oldest: _oldest, proven: _proven, exposureSeconds: _none, ...bare } = health();
const empty: PolicyHealth = {
  ...bare,
  policy: "secrets",
  component: "secrets",
  pointsCount: 0,
  sizeBytes: 0,
  proof: "unproven",
  checks: [check("backup exists", 0, "unproven")],
  measured: {},
};
const loop = {
  cluster: "bud-prod",
  version: "0.1.0",
  revision: "4c2d9a14c2d9a14c2d9a14c2d9a14c2d9a14c2d9a1",
  lastPollAt: "2026-11-22T05:11:40.000Z",
  lastAppliedAt: "2026-11-22T05:01:00.000Z",
  lastReportAt: "2026-11-22T05:00:00.000Z",
  state: "watching",
  ok: true,
  conditions: [],
  notBuilt: [{ policy: "kubernetes", component: "kubernetes" }],
};
const pages: Readonly<Record<string, string>> = {
  good: renderStatusPage(
    [health(), health({ policy: "clickhouse", component: "clickhouse" })],
    { ...loop, notBuilt: [] },
    nowMs,
  ),
  look: renderStatusPage([health(), redis], loop, nowMs),
  failing: renderStatusPage([health(), redis, mongodb, empty], loop, nowMs),
  dead: renderStatusPage([health()], { ...loop, ok: false, state: "the remote cannot be reached" }, nowMs),
  none: renderStatusPage([], loop, nowMs),
};
/** What axe-core has found. */
interface Judged {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}
const sizes = [
  { name: "phone", width: 360, height: 740 },
  { name: "desk", width: 1280, height: 900 },
] as const;

if (program === undefined) {
  describe("the status page", () => it.skip("a browser cannot be had here", () => {}));
} else {
  describe("the status page", () => {
    let browser: Browser;
    let server: Server;
    let address: string;

    beforeAll(async () => {
      browser = await openBrowser(program);
      server = createServer((request, response) => {
        const text = pages[(request.url ?? "/").slice(1)];
        response.writeHead(text === undefined ? 204 : 200, {
          "content-type": "text/html; charset=utf-8",
          "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
        });
        response.end(text);
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const bound = server.address();
      address = `http://127.0.0.1:${typeof bound === "object" ? bound?.port : 0}`;
    });
    afterAll(async () => {
      await browser?.close();
      server?.close();
    });

    for (const name of Object.keys(pages)) {
      for (const { name: size, ...viewport } of sizes) {
        for (const colorScheme of ["light", "dark"] as const) {
          it(`'${name}' is readable on a ${size}, ${colorScheme}`, async () => {
            const { page, messages, close } = await openView(browser, `${address}/${name}`, {
              ...viewport,
              colorScheme,
            });
            try {
              const wide = await page.evaluate<number>(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth",
              );
              expect(wide, "the page scrolls sideways").toBeLessThanOrEqual(0);
              const small = await page.evaluate<readonly string[]>(
                `[...document.querySelectorAll("main *")]
                  .filter((e) => e.textContent !== "" && Number.parseFloat(getComputedStyle(e).fontSize) < 12)
                  .map((e) => e.textContent)`,
              );
              expect(small, "letters under 12 px").toEqual([]);
              await page.evaluate(axe);
              const { violations: found } = await page.evaluate<Judged>("axe.run()");
              const violations = found.map(
                (v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).join(" | ")}`,
              );
              // The page loads itself again every 30 seconds: nobody types into it, and nothing is lost.
              expect(violations.filter((v) => !v.startsWith("meta-refresh"))).toEqual([]);
              expect(messages).toEqual([]);
              const picture = { failing: "status", look: "" }[name] ?? "";
              if (process.env["HOLDFAST_UPDATE"] === "1" && picture !== "")
                await page.screenshot({
                  path: join(pictures, `${picture}-${size}-${colorScheme}.png`),
                  fullPage: size === "desk",
                });
            } finally {
              await close();
            }
          });
        }
      }
    }

    it("says the same without scripts, and the verdict comes first", async () => {
      const view = await openView(browser, `${address}/failing`, {
        width: 360,
        height: 740,
        colorScheme: "light",
        scripts: false,
      });
      const banner = view.page.getByRole("status");
      const text = (await banner.textContent()) ?? "";
      expect(text).toContain("mongodb-with-a-name");
      const box = await banner.boundingBox();
      expect(box?.y ?? 740).toBeLessThan(370);
      await view.close();
    });

    it("gives each table to the keyboard, and shows where it is", async () => {
      const view = await openView(browser, `${address}/failing`, {
        width: 800,
        height: 900,
        colorScheme: "dark",
      });
      const focused: string[] = [];
      for (let i = 0; i < 2; i += 1) {
        await view.page.keyboard.press("Tab");
        focused.push(
          await view.page.evaluate<string>(
            "[document.activeElement.getAttribute('aria-labelledby'), getComputedStyle(document.activeElement).outlineStyle].join(' ')",
          ),
        );
      }
      expect(focused).toEqual(["policies solid", "conditions solid"]);
      await view.close();
    });

    it("comes from the reconciler with its own headers, and so do health and readiness", async () => {
      const test = await openWorld(policyFor({ port: 1, binDirectory: "/usr/bin" }));
      const started = await startStatusServer({ host: "127.0.0.1", port: 0 }, () => ({
        world: test.world,
        seen: undefined,
        loop: undefined,
        settings: undefined,
        lastReportAt: undefined,
        startedAtMs: Date.now(),
        undelivered: [],
      }));
      try {
        const url = started?.url ?? "";
        const { page, messages, close } = await openView(browser, url, {
          width: 360,
          height: 740,
          colorScheme: "light",
        });
        expect(await page.getByRole("status").textContent()).toContain("The reconciler does not run");
        expect(messages).toEqual([]);
        await close();
        for (const path of ["healthz", "readyz"]) expect((await fetch(`${url}${path}`)).status).toBe(503);
        expect((await fetch(`${url}metrics`)).status).toBe(200);
        expect((await fetch(`${url}nothing`)).status).toBe(404);
      } finally {
        await started?.close();
        await test.close();
      }
    });
  });
}
