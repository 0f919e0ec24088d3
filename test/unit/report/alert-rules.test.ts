import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../../..");

it("the rules in deploy/prometheus are what holdfast alerts prints for this repository", () => {
  const printed = execFileSync(process.execPath, ["src/cli/main.ts", "alerts", "--policies", "policies"], {
    cwd: root,
    encoding: "utf8",
  });
  expect(readFileSync(join(root, "deploy/prometheus/holdfast-alerts.yaml"), "utf8")).toBe(printed);
}, 60_000);
